// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of all devices' data areas: the limit they share, and giving pages
 * back when that limit is reached or the system's memory is short.
 */
#include <linux/module.h>
#include <linux/shrinker.h>
#include <linux/workqueue.h>

#include "tcmu.h"

#define TCMU_DEFAULT_MAX_MB	2048
#define TCMU_MB_TO_PAGES(mb)	((mb) << (20 - PAGE_SHIFT))
#define TCMU_PAGES_TO_MB(pages)	((pages) >> (20 - PAGE_SHIFT))

static atomic_t tcmu_pages;
static int tcmu_max_pages = TCMU_MB_TO_PAGES(TCMU_DEFAULT_MAX_MB);
static struct shrinker *tcmu_shrinker;

/*
 * Pages are given back from a work item: unmapping them takes locks that a
 * task in direct reclaim may hold. What waited for room is not posted or ended in
 * here, which would call the core with the lock held, but by the devices' scans.
 */
static void tcmu_reclaim_work(struct work_struct *work)
{
	struct tcmu_dev *dev;

	guard(mutex)(&tcmu_devices_lock);
	list_for_each_entry(dev, &tcmu_devices, node)
		tcmu_data_shrink(dev, TCMU_KEEP_PAGES);
	list_for_each_entry(dev, &tcmu_devices, node)
		tcmu_scan_soon(dev);
}

static DECLARE_DELAYED_WORK(tcmu_reclaim, tcmu_reclaim_work);

/**
 * tcmu_memory_reclaim - ask all devices to give back the pages they do not use
 *
 * Context: any; the work is done later.
 */
void tcmu_memory_reclaim(void)
{
	/* Not at once: waiting commands that still find nothing ask again. */
	queue_delayed_work(tcmu_wq, &tcmu_reclaim, HZ / 50);
}

/**
 * tcmu_memory_charge - count pages against the limit of all devices
 * @pages:	how many
 *
 * Return: false, and nothing is counted, if the limit would be passed.
 */
bool tcmu_memory_charge(u32 pages)
{
	if (atomic_add_return(pages, &tcmu_pages) <= READ_ONCE(tcmu_max_pages))
		return true;
	atomic_sub(pages, &tcmu_pages);
	return false;
}

/**
 * tcmu_memory_uncharge - pages were freed
 * @pages:	how many
 */
void tcmu_memory_uncharge(u32 pages)
{
	atomic_sub(pages, &tcmu_pages);
}

/**
 * tcmu_memory_max_mb - the limit of all devices together
 *
 * Return: MiB.
 */
u32 tcmu_memory_max_mb(void)
{
	return TCMU_PAGES_TO_MB(READ_ONCE(tcmu_max_pages));
}

static int tcmu_set_max_mb(const char *text, const struct kernel_param *param)
{
	unsigned int mb;
	int err = kstrtouint(text, 0, &mb);

	if (err)
		return err;
	if (!mb || mb > TCMU_PAGES_TO_MB(INT_MAX)) {
		pr_err("global_max_data_area_mb must be 1 to %u\n", TCMU_PAGES_TO_MB(INT_MAX));
		return -EINVAL;
	}
	/* Devices may be over a lowered limit until their commands end. */
	WRITE_ONCE(tcmu_max_pages, TCMU_MB_TO_PAGES(mb));
	if (atomic_read(&tcmu_pages) > tcmu_max_pages)
		tcmu_memory_reclaim();
	return 0;
}

static int tcmu_get_max_mb(char *buffer, const struct kernel_param *param)
{
	return sprintf(buffer, "%u\n", tcmu_memory_max_mb());
}

static const struct kernel_param_ops tcmu_max_mb_ops = {
	.set = tcmu_set_max_mb,
	.get = tcmu_get_max_mb,
};
module_param_cb(global_max_data_area_mb, &tcmu_max_mb_ops, NULL, 0644);
MODULE_PARM_DESC(global_max_data_area_mb,
		 "Limit of the data areas of all devices together, in MiB");

static unsigned long tcmu_shrink_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	int pages = atomic_read(&tcmu_pages);

	return pages > 0 ? pages : SHRINK_EMPTY;
}

static unsigned long tcmu_shrink_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	tcmu_memory_reclaim();
	return SHRINK_STOP;
}

/**
 * tcmu_memory_init - register with the system's reclaim
 *
 * Return: 0 or -ENOMEM. Context: may sleep; tcmu_wq exists.
 */
int tcmu_memory_init(void)
{
	tcmu_shrinker = shrinker_alloc(0, "target-core-user");
	if (!tcmu_shrinker)
		return -ENOMEM;
	tcmu_shrinker->count_objects = tcmu_shrink_count;
	tcmu_shrinker->scan_objects = tcmu_shrink_scan;
	shrinker_register(tcmu_shrinker);
	return 0;
}

/**
 * tcmu_memory_exit - undo tcmu_memory_init()
 *
 * Context: may sleep.
 */
void tcmu_memory_exit(void)
{
	shrinker_free(tcmu_shrinker);
	cancel_delayed_work_sync(&tcmu_reclaim);
}
