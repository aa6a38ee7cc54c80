// SPDX-License-Identifier: GPL-2.0
/* tcm_loop: module entry, exit and the workqueues that LUNs share. */
#include <linux/module.h>

#include "tcm_loop.h"

/* Commands to logical units that are probed but not configured. */
struct workqueue_struct *tcm_loop_wq;
/*
 * Scans and removals. They wait, for earlier ones too, and for the driver core's
 * work items, which need memory: no queue for what reclaim needs.
 */
struct workqueue_struct *tcm_loop_slow_wq;
/* Aborts of late commands: sent without waiting. */
struct workqueue_struct *tcm_loop_recovery_wq;

static int lingering_get(char *buf, const struct kernel_param *kp)
{
	return tcm_loop_lingering_show(buf, PAGE_SIZE);
}

static const struct kernel_param_ops lingering_ops = {
	.get = lingering_get,
};

module_param_cb(lingering, &lingering_ops, NULL, 0444);
MODULE_PARM_DESC(lingering, "objects removed from configfs whose last command has not returned (read-only)");

static void free_workqueues(void)
{
	if (tcm_loop_slow_wq)
		destroy_workqueue(tcm_loop_slow_wq);
	if (tcm_loop_recovery_wq)
		destroy_workqueue(tcm_loop_recovery_wq);
	if (tcm_loop_wq)
		destroy_workqueue(tcm_loop_wq);
}

static int __init alloc_workqueues(void)
{
	tcm_loop_wq = alloc_workqueue("tcm_loop", WQ_MEM_RECLAIM, 0);
	tcm_loop_slow_wq = alloc_workqueue("tcm_loop_slow", WQ_UNBOUND, WQ_MAX_ACTIVE);
	tcm_loop_recovery_wq = alloc_workqueue("tcm_loop_recovery", WQ_MEM_RECLAIM, 0);
	if (tcm_loop_wq && tcm_loop_slow_wq && tcm_loop_recovery_wq)
		return 0;
	free_workqueues();
	return -ENOMEM;
}

static int __init tcm_loop_init(void)
{
	int rc = alloc_workqueues();

	if (rc)
		return rc;
	rc = tcm_loop_bus_register();
	if (rc)
		goto out_wq;
	rc = target_register_template(&tcm_loop_ops);
	if (rc)
		goto out_bus;
	return 0;

out_bus:
	tcm_loop_bus_unregister();
out_wq:
	free_workqueues();
	return rc;
}

static void __exit tcm_loop_exit(void)
{
	target_unregister_template(&tcm_loop_ops);
	/* The last teardown put its module reference, and may still run. */
	flush_workqueue(tcm_loop_slow_wq);
	tcm_loop_bus_unregister();
	free_workqueues();
	/* percpu_ref_kill() has a callback of ours run from RCU. */
	rcu_barrier();
}

MODULE_DESCRIPTION("TCM loopback virtual Linux/SCSI fabric module");
MODULE_AUTHOR("The LIO target module set project");
MODULE_LICENSE("GPL");
/* Without one DKMS takes the module for the same as the distribution's. */
MODULE_VERSION("0.1");
module_init(tcm_loop_init);
module_exit(tcm_loop_exit);
