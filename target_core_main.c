// SPDX-License-Identifier: GPL-2.0
/* The module: what all of the core shares, made in one order and undone in the other. */
#include "core.h"

#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct workqueue_struct *target_submission_wq;
struct workqueue_struct *target_completion_wq;
struct workqueue_struct *target_tmr_wq;
struct kmem_cache *target_sess_cache;
struct kmem_cache *target_ua_cache;
struct kmem_cache *target_deve_cache;

/**
 * sum_stats - add up what the CPUs have counted
 * @stats:	by CPU
 * @sum:	set
 */
void sum_stats(const struct io_stats __percpu *stats, struct io_stats *sum)
{
	int cpu;

	*sum = (struct io_stats) { };
	for_each_possible_cpu(cpu) {
		const struct io_stats *one = per_cpu_ptr(stats, cpu);

		sum->cmds += READ_ONCE(one->cmds);
		sum->read_bytes += READ_ONCE(one->read_bytes);
		sum->write_bytes += READ_ONCE(one->write_bytes);
	}
}

/**
 * scsi_new_index - an index of the target MIBs, not used before
 * @type:	which kind
 *
 * Return: the index, counted by kind.
 */
u32 scsi_new_index(scsi_index_t type)
{
	static atomic_t last[SCSI_INDEX_TYPE_MAX];

	return atomic_inc_return(&last[type]);
}

/* What has to be there before the first file in configfs. */
static int make_caches(void)
{
	target_sess_cache = KMEM_CACHE(core_session, 0);
	target_ua_cache = KMEM_CACHE(se_ua, 0);
	target_deve_cache = KMEM_CACHE(core_deve, 0);
	/* Not WQ_UNBOUND: what one CPU has submitted it executes. */
	target_submission_wq = alloc_workqueue("target_submission", WQ_MEM_RECLAIM, 0);
	target_completion_wq = alloc_workqueue("target_completion", WQ_MEM_RECLAIM, 0);
	target_tmr_wq = alloc_workqueue("target_tmr", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return target_tmr_wq && target_sess_cache && target_ua_cache && target_deve_cache && target_submission_wq &&
	       target_completion_wq ? 0 : -ENOMEM;
}

static void free_caches(void)
{
	if (target_tmr_wq)
		destroy_workqueue(target_tmr_wq);
	if (target_completion_wq)
		destroy_workqueue(target_completion_wq);
	if (target_submission_wq)
		destroy_workqueue(target_submission_wq);
	/* Entries and their like go by call_rcu(). */
	rcu_barrier();
	kmem_cache_destroy(target_deve_cache);
	kmem_cache_destroy(target_ua_cache);
	kmem_cache_destroy(target_sess_cache);
}

struct step {
	int	(*init)(void);
	void	(*exit)(void);
};

static const struct step steps[] = {
	{ make_caches,			free_caches },
	{ cdb_init,			NULL },
	{ alua_init,			alua_exit },
	{ rd_init,			rd_exit },
	{ core_dev_setup_virtual_lun0,	core_dev_release_virtual_lun0 },
	{ configfs_init,		configfs_exit },
};

static void undo(size_t done)
{
	while (done--)
		if (steps[done].exit)
			steps[done].exit();
}

static int __init target_core_init(void)
{
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		ret = steps[i].init();
		if (ret) {
			/* The first one cleans up what it has begun. */
			undo(i ?: 1);
			return ret;
		}
	}
	return 0;
}

static void __exit target_core_exit(void)
{
	undo(ARRAY_SIZE(steps));
}

MODULE_DESCRIPTION("LIO target core: logical units, their commands and their configuration");
MODULE_AUTHOR("The LIO target project");
MODULE_LICENSE("GPL");
MODULE_VERSION(TARGET_CORE_VERSION);

module_init(target_core_init);
module_exit(target_core_exit);
