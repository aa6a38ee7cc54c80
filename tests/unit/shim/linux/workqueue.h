/* SPDX-License-Identifier: GPL-2.0 */
/* Work items that the test runs itself, when it lets the time pass. */
#ifndef SHIM_LINUX_WORKQUEUE_H
#define SHIM_LINUX_WORKQUEUE_H

#include <linux/kernel.h>
#include <linux/rcupdate.h>

struct workqueue_struct;

struct work_struct {
	void (*func)(struct work_struct *work);
};

struct delayed_work {
	struct work_struct work;
	bool pending;
	unsigned long due;
};

#define to_delayed_work(w)	container_of(w, struct delayed_work, work)

/* Under the lock that protects who queues it. */
static inline bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
				      unsigned long delay)
{
	(void)wq;
	if (work->pending)
		return false;
	work->pending = true;
	work->due = jiffies + delay;
	return true;
}

static inline bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
				    unsigned long delay)
{
	bool was_pending = work->pending;

	work->pending = false;
	queue_delayed_work(wq, work, delay);
	return was_pending;
}

#endif /* SHIM_LINUX_WORKQUEUE_H */
