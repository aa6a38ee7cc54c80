// SPDX-License-Identifier: GPL-2.0
/*
 * The end of links, nexuses, tpgs and hosts.
 *
 * Each has to wait for commands that only the backend can end. The wait is
 * done by a work item or precedes it, with the module pinned; whoever asked for the removal waits for it up to the deadline. Past that the
 * name is gone, the object is listed as lingering, and the work item ends it
 * when the last command returns.
 */
#include <linux/module.h>

#include "tcm_loop.h"

/* protects lingering and the nodes on it */
static DEFINE_MUTEX(lingering_lock);
static LIST_HEAD(lingering);

/**
 * tcm_loop_teardown_init() - prepare the end of an object
 * @td:		member of the object
 * @work:	does it; its last act is tcm_loop_teardown_done()
 * @describe:	writes the object's name for the list of lingering objects
 */
void tcm_loop_teardown_init(struct tcm_loop_teardown *td, work_func_t work,
			    int (*describe)(struct tcm_loop_teardown *td,
					    char *buf, size_t size))
{
	INIT_WORK(&td->work, work);
	init_completion(&td->done);
	INIT_LIST_HEAD(&td->node);
	td->describe = describe;
}

/**
 * tcm_loop_teardown_pin() - pin the module until tcm_loop_teardown_done()
 *
 * Called when the name is removed, where configfs still pins the module. The
 * work item may start much later.
 */
void tcm_loop_teardown_pin(void)
{
	__module_get(THIS_MODULE);
}

/**
 * tcm_loop_teardown_start() - begin the end of an object
 * @td:	member of the object, which stays until the work item is done
 */
void tcm_loop_teardown_start(struct tcm_loop_teardown *td)
{
	queue_work(tcm_loop_slow_wq, &td->work);
}

/**
 * tcm_loop_teardown_wait() - wait for an object's end, up to the deadline
 * @td:	member of the object, on which the caller has a reference
 */
void tcm_loop_teardown_wait(struct tcm_loop_teardown *td)
{
	char what[TCM_LOOP_WWN_LEN + 64];

	if (wait_for_completion_timeout(&td->done, TCM_LOOP_WAIT))
		return;
	mutex_lock(&lingering_lock);
	if (!completion_done(&td->done)) {
		list_add_tail(&td->node, &lingering);
		td->describe(td, what, sizeof(what));
		pr_warn("%s is gone but lives on until its last command returns\n",
			what);
	}
	mutex_unlock(&lingering_lock);
}

/**
 * tcm_loop_teardown_done() - tell that an object has come to its end
 * @td:	member of the object
 *
 * The module may go as soon as the work function has returned: module exit
 * drains the workqueue.
 */
void tcm_loop_teardown_done(struct tcm_loop_teardown *td)
{
	mutex_lock(&lingering_lock);
	list_del_init(&td->node);
	complete_all(&td->done);
	mutex_unlock(&lingering_lock);
	module_put(THIS_MODULE);
}

/**
 * tcm_loop_lingering_show() - names of the objects that outlive their removal
 * @buf:	where to write, one a line
 * @size:	its size
 *
 * Return: number of bytes written.
 */
int tcm_loop_lingering_show(char *buf, size_t size)
{
	struct tcm_loop_teardown *td;
	int len = 0;

	mutex_lock(&lingering_lock);
	list_for_each_entry(td, &lingering, node) {
		len += td->describe(td, buf + len, size - len);
		len += scnprintf(buf + len, size - len, "\n");
	}
	mutex_unlock(&lingering_lock);
	return len;
}
