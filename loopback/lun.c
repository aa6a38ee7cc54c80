// SPDX-License-Identifier: GPL-2.0
/* SCSI devices, as the midlayer makes them: for configured LUNs and for probes. */
#include <linux/slab.h>

#include "tcm_loop.h"

static void cmds_drained(struct percpu_ref *ref)
{
	struct tcm_loop_lun *lun = container_of(ref, struct tcm_loop_lun, cmds);

	complete_all(&lun->drained);
}

static void lun_free(struct kref *ref)
{
	struct tcm_loop_lun *lun = container_of(ref, struct tcm_loop_lun, ref);
	struct tcm_loop_tpg *tpg = lun->tpg;

	if (lun->link)
		tcm_loop_link_put(lun->link);
	percpu_ref_exit(&lun->cmds);
	kfree(lun);
	tcm_loop_tpg_put(tpg);
}

/**
 * tcm_loop_lun_get() - take a reference
 * @lun:	the SCSI device
 */
void tcm_loop_lun_get(struct tcm_loop_lun *lun)
{
	kref_get(&lun->ref);
}

/**
 * tcm_loop_lun_put() - drop a reference
 * @lun:	the SCSI device
 */
void tcm_loop_lun_put(struct tcm_loop_lun *lun)
{
	kref_put(&lun->ref, lun_free);
}

static struct tcm_loop_lun *lun_alloc(u64 number)
{
	struct tcm_loop_lun *lun = kzalloc(sizeof(*lun), GFP_KERNEL);

	if (!lun)
		return NULL;
	if (percpu_ref_init(&lun->cmds, cmds_drained, PERCPU_REF_ALLOW_REINIT, GFP_KERNEL)) {
		kfree(lun);
		return NULL;
	}
	kref_init(&lun->ref);
	lun->number = number;
	init_completion(&lun->drained);
	spin_lock_init(&lun->lock);
	INIT_LIST_HEAD(&lun->timed_out);
	INIT_DELAYED_WORK(&lun->recovery, tcm_loop_recovery_work);
	init_waitqueue_head(&lun->wait);
	return lun;
}

/* Ties a new lun to its target; fails if that has no nexus for commands. */
static int lun_attach(struct tcm_loop_lun *lun, struct tcm_loop_host *host,
		      unsigned int id)
{
	struct tcm_loop_tpg *tpg = id < TCM_LOOP_TPGS ? host->tpgs[id] : NULL;

	lockdep_assert_held(&host->lock);
	if (!tpg || !tpg->nexus)
		return -ENXIO;
	lun->tpg = tpg;
	tcm_loop_tpg_get(tpg);
	tpg->nr_luns++;
	lun->link = tcm_loop_link_find(tpg, lun->number);
	if (lun->link) {
		tcm_loop_link_get(lun->link);
		lun->link->lun = lun;
	}
	return 0;
}

/**
 * tcm_loop_slave_alloc() - midlayer: a SCSI device is about to be probed
 * @sdev:	the device
 *
 * Return: 0 or a negative error number.
 */
int tcm_loop_slave_alloc(struct scsi_device *sdev)
{
	struct tcm_loop_host *host = *(struct tcm_loop_host **)shost_priv(sdev->host);
	struct tcm_loop_lun *lun = lun_alloc(sdev->lun);
	int rc;

	if (!lun)
		return -ENOMEM;
	mutex_lock(&host->lock);
	rc = lun_attach(lun, host, sdev->id);
	if (!rc)
		sdev->hostdata = lun;
	mutex_unlock(&host->lock);
	if (rc) {
		percpu_ref_exit(&lun->cmds);
		kfree(lun);
	}
	return rc;
}

/**
 * tcm_loop_slave_configure() - midlayer: a probed device has answered, and is to stay
 * @sdev:	the device
 *
 * A host can be scanned at any time, also while the core has a LUN that is not
 * linked yet or no longer. Such a device must not stay: it belongs to no link,
 * so nobody would remove it, and its tpg would live for ever.
 *
 * Return: 0, or -ENXIO if it is not to stay.
 */
int tcm_loop_slave_configure(struct scsi_device *sdev)
{
	struct tcm_loop_lun *lun = sdev->hostdata;
	struct tcm_loop_host *host = lun->tpg->host;
	int rc = -ENXIO;

	mutex_lock(&host->lock);
	if (lun->link && !lun->link->unlinked)
		rc = 0;
	mutex_unlock(&host->lock);
	return rc;
}

/**
 * tcm_loop_slave_destroy() - midlayer: a SCSI device has no commands any more
 * @sdev:	the device
 */
void tcm_loop_slave_destroy(struct scsi_device *sdev)
{
	struct tcm_loop_host *host = *(struct tcm_loop_host **)shost_priv(sdev->host);
	struct tcm_loop_lun *lun = sdev->hostdata;

	if (!lun)
		return;
	spin_lock_irq(&lun->lock);
	lun->destroyed = true;
	spin_unlock_irq(&lun->lock);
	cancel_delayed_work_sync(&lun->recovery);
	mutex_lock(&host->lock);
	sdev->hostdata = NULL;
	if (lun->link && lun->link->lun == lun)
		lun->link->lun = NULL;
	lun->tpg->nr_luns--;
	mutex_unlock(&host->lock);
	tcm_loop_lun_put(lun);
}

/**
 * tcm_loop_lun_of() - the lun of a SCSI device
 * @tpg:	the target it has to belong to
 * @sdev:	the device
 *
 * Return: the lun with a reference, or NULL.
 */
struct tcm_loop_lun *tcm_loop_lun_of(struct tcm_loop_tpg *tpg,
				     struct scsi_device *sdev)
{
	struct tcm_loop_lun *lun;

	mutex_lock(&tpg->host->lock);
	lun = sdev->hostdata;
	if (lun && lun->tpg == tpg)
		tcm_loop_lun_get(lun);
	else
		lun = NULL;
	mutex_unlock(&tpg->host->lock);
	return lun;
}

/**
 * tcm_loop_lun_drain() - wait until the target has no command of a lun
 * @lun:	the lun, whose gate is closed
 *
 * Afterwards only the commands go through that sd sends on removal. They are
 * the reason why this comes before the removal: the midlayer removes a device
 * under a lock of the host, where it must not have to wait for the backend.
 */
void tcm_loop_lun_drain(struct tcm_loop_lun *lun)
{
	percpu_ref_kill(&lun->cmds);
	wait_for_completion(&lun->drained);
	percpu_ref_reinit(&lun->cmds);
	set_bit(TCM_LOOP_GATE_FLUSH, &lun->gate);
}
