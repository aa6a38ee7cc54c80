// SPDX-License-Identifier: GPL-2.0
/*
 * Configured LUNs: a SCSI device is looked for when a backend is linked below
 * tpgt_N/lun/lun_M, and removed when it is unlinked.
 *
 * Both may have to wait for a backend that does not answer, so both are done
 * by work items, and configfs waits for them only up to the deadline.
 */
#include <linux/slab.h>

#include "tcm_loop.h"

static void free_work(struct work_struct *work)
{
	struct tcm_loop_link *link = container_of(work, struct tcm_loop_link, free);
	struct tcm_loop_tpg *tpg = link->tpg;

	destroy_workqueue(link->wq);
	free_percpu(link->batch);
	kfree(link);
	tcm_loop_tpg_put(tpg);
}

/* The last reference may be dropped by a command, in a work item of @wq. */
static void unused(struct kref *ref)
{
	queue_work(tcm_loop_slow_wq, &container_of(ref, struct tcm_loop_link, ref)->free);
}

/**
 * tcm_loop_link_get() - take a reference
 * @link:	the link
 */
void tcm_loop_link_get(struct tcm_loop_link *link)
{
	kref_get(&link->ref);
}

/**
 * tcm_loop_link_put() - drop a reference
 * @link:	the link
 */
void tcm_loop_link_put(struct tcm_loop_link *link)
{
	kref_put(&link->ref, unused);
}

/* A link with that number, unlinked or not; the host's lock is held. */
static struct tcm_loop_link *find(struct tcm_loop_tpg *tpg, u64 number, bool unlinked)
{
	struct tcm_loop_link *link;

	lockdep_assert_held(&tpg->host->lock);
	list_for_each_entry(link, &tpg->links, node)
		if (link->number == number && link->unlinked == unlinked)
			return link;
	return NULL;
}

/**
 * tcm_loop_link_find() - the configured LUN with a number
 * @tpg:	the target; its host's lock is held
 * @number:	logical unit number
 *
 * Return: the link or NULL.
 */
struct tcm_loop_link *tcm_loop_link_find(struct tcm_loop_tpg *tpg, u64 number)
{
	return find(tpg, number, false);
}

/* Waits until the SCSI devices of earlier links with that number are gone. */
static void wait_for_earlier(struct tcm_loop_link *link)
{
	struct mutex *lock = &link->tpg->host->lock;
	struct tcm_loop_link *old;

	mutex_lock(lock);
	while (!link->unlinked && (old = find(link->tpg, link->number, true))) {
		tcm_loop_link_get(old);
		mutex_unlock(lock);
		wait_for_completion(&old->teardown.done);
		tcm_loop_link_put(old);
		mutex_lock(lock);
	}
	mutex_unlock(lock);
}

static void scan_work(struct work_struct *work)
{
	struct tcm_loop_link *link = container_of(work, struct tcm_loop_link, scan);

	wait_for_earlier(link);
	if (!READ_ONCE(link->unlinked))
		scsi_add_device(link->tpg->host->shost, 0, link->tpg->tpgt, link->number);
	complete_all(&link->scanned);
	tcm_loop_link_put(link);
}

static void remove_scsi_device(struct tcm_loop_link *link)
{
	struct scsi_device *sdev;

	sdev = scsi_device_lookup(link->tpg->host->shost, 0, link->tpg->tpgt, link->number);
	if (!sdev)
		return;
	scsi_remove_device(sdev);
	scsi_device_put(sdev);
}

/* Closes the gate of the link's SCSI device, if there is one, and returns it. */
static struct tcm_loop_lun *close_gate(struct tcm_loop_link *link)
{
	struct tcm_loop_lun *lun;

	lockdep_assert_held(&link->tpg->host->lock);
	lun = link->lun;
	if (lun) {
		set_bit(TCM_LOOP_GATE_REMOVED, &lun->gate);
		tcm_loop_lun_get(lun);
	}
	return lun;
}

static void teardown_work(struct work_struct *work)
{
	struct tcm_loop_link *link = container_of(work, struct tcm_loop_link, teardown.work);
	struct mutex *lock = &link->tpg->host->lock;
	struct tcm_loop_lun *lun;

	wait_for_completion(&link->scanned);
	mutex_lock(lock);
	lun = close_gate(link);
	mutex_unlock(lock);
	if (lun) {
		tcm_loop_lun_drain(lun);
		remove_scsi_device(link);
		tcm_loop_lun_put(lun);
	}
	mutex_lock(lock);
	list_del(&link->node);
	mutex_unlock(lock);
	tcm_loop_teardown_done(&link->teardown);
	tcm_loop_link_put(link);
}

static int describe(struct tcm_loop_teardown *td, char *buf, size_t size)
{
	struct tcm_loop_link *link = container_of(td, struct tcm_loop_link, teardown);
	int len = tcm_loop_tpg_path(link->tpg, buf, size);

	return len + scnprintf(buf + len, size - len, "/lun/lun_%llu", link->number);
}

static struct tcm_loop_link *link_alloc(struct tcm_loop_tpg *tpg, struct se_lun *se_lun)
{
	struct tcm_loop_link *link = kzalloc(sizeof(*link), GFP_KERNEL);
	int cpu;

	if (!link)
		return NULL;
	link->batch = alloc_percpu(struct tcm_loop_batch);
	link->wq = alloc_workqueue("tcm_loop_%u_%u_%llu", WQ_MEM_RECLAIM, 0,
				   tpg->host->shost->host_no, tpg->tpgt,
				   se_lun->unpacked_lun);
	if (!link->batch || !link->wq) {
		if (link->wq)
			destroy_workqueue(link->wq);
		free_percpu(link->batch);
		kfree(link);
		return NULL;
	}
	for_each_possible_cpu(cpu)
		tcm_loop_batch_init(per_cpu_ptr(link->batch, cpu));
	kref_init(&link->ref);
	tcm_loop_tpg_get(tpg);
	link->tpg = tpg;
	link->number = se_lun->unpacked_lun;
	link->dev = rcu_dereference_raw(se_lun->lun_se_dev);
	link->backend = tcm_loop_backend_of(link->dev);
	INIT_WORK(&link->scan, scan_work);
	INIT_WORK(&link->free, free_work);
	init_completion(&link->scanned);
	tcm_loop_teardown_init(&link->teardown, teardown_work, describe);
	return link;
}

/**
 * tcm_loop_post_link() - target core: a backend has been linked
 * @se_tpg:	the target
 * @se_lun:	the LUN, pinned by its link
 *
 * Return: 0 or -ENOMEM.
 */
int tcm_loop_post_link(struct se_portal_group *se_tpg, struct se_lun *se_lun)
{
	struct tcm_loop_tpg *tpg = to_tcm_loop_tpg(se_tpg);
	struct tcm_loop_link *link = link_alloc(tpg, se_lun);

	if (!link) {
		/* Not every core passes the error on. */
		pr_err("%s/tpgt_%u/lun_%llu: no memory for its SCSI device\n",
		       tpg->host->wwn, tpg->tpgt, se_lun->unpacked_lun);
		return -ENOMEM;
	}
	mutex_lock(&tpg->host->lock);
	list_add_tail(&link->node, &tpg->links);
	mutex_unlock(&tpg->host->lock);

	tcm_loop_link_get(link);
	queue_work(tcm_loop_slow_wq, &link->scan);
	if (!wait_for_completion_timeout(&link->scanned, TCM_LOOP_WAIT))
		pr_warn("%s/tpgt_%u/lun_%llu: backend does not answer, the SCSI device comes when it does\n",
			tpg->host->wwn, tpg->tpgt, link->number);
	return 0;
}

/**
 * tcm_loop_pre_unlink() - target core: a backend is about to be unlinked
 * @se_tpg:	the target
 * @se_lun:	the LUN
 *
 * Returns by the deadline. New commands fail from now on.
 */
void tcm_loop_pre_unlink(struct se_portal_group *se_tpg, struct se_lun *se_lun)
{
	struct tcm_loop_tpg *tpg = to_tcm_loop_tpg(se_tpg);
	struct tcm_loop_lun *lun = NULL;
	struct tcm_loop_link *link;

	mutex_lock(&tpg->host->lock);
	link = tcm_loop_link_find(tpg, se_lun->unpacked_lun);
	if (link) {
		link->unlinked = true;
		lun = close_gate(link);
		tcm_loop_link_get(link);
		tcm_loop_teardown_pin();
	}
	mutex_unlock(&tpg->host->lock);
	if (!link)
		return;
	if (lun)
		tcm_loop_lun_put(lun);
	tcm_loop_teardown_start(&link->teardown);
	tcm_loop_teardown_wait(&link->teardown);
	tcm_loop_link_put(link);
}
