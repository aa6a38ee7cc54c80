// SPDX-License-Identifier: GPL-2.0
/*
 * Batches of commands that are submitted in the caller's context.
 *
 * The block layer says which request is the last of those that it dispatches
 * together: by SCMD_LAST or, if it had to stop before, by commit_rqs. In between
 * the backend is plugged, so that it need not wake its handler for each.
 *
 * A LUN is plugged by one task at a time; what others submit meanwhile is in that
 * batch too. The plug counts as a command of the LUN: the backend stays.
 */
#include <target/target_core_backend.h>

#include "tcm_loop.h"

/**
 * tcm_loop_plug() - begin a batch
 * @lun:	where it goes; the caller has a command for it
 *
 * Return: true if the caller has to call tcm_loop_unplug().
 */
bool tcm_loop_plug(struct tcm_loop_lun *lun)
{
	struct tcm_loop_host *host = lun->tpg->host;
	const struct target_backend_ops *ops;
	struct se_dev_plug *plug;

	if (!lun->link || lun->link->backend != TCM_LOOP_BE_USER)
		return false;
	ops = lun->link->dev->transport;
	plug = ops->plug_device ? ops->plug_device(lun->link->dev) : NULL;
	if (!plug)
		return false;
	plug->se_dev = lun->link->dev;
	percpu_ref_get(&lun->cmds);
	lun->plug = plug;
	WRITE_ONCE(lun->plugger, current);
	spin_lock(&host->plug_lock);
	list_add(&lun->plugged, &host->plugged);
	spin_unlock(&host->plug_lock);
	return true;
}

/**
 * tcm_loop_unplug() - end a batch
 * @lun:	where it went; the caller is its plugger
 */
void tcm_loop_unplug(struct tcm_loop_lun *lun)
{
	struct tcm_loop_host *host = lun->tpg->host;
	struct se_dev_plug *plug = lun->plug;

	spin_lock(&host->plug_lock);
	list_del(&lun->plugged);
	spin_unlock(&host->plug_lock);
	WRITE_ONCE(lun->plugger, NULL);
	/* From here on another task can plug it. */
	plug->se_dev->transport->unplug_device(plug);
	percpu_ref_put(&lun->cmds);
}

/**
 * tcm_loop_commit_rqs() - midlayer: a batch ended before its last request
 * @shost:	the host
 * @hwq:	hardware queue, of no interest here
 */
void tcm_loop_commit_rqs(struct Scsi_Host *shost, u16 hwq)
{
	struct tcm_loop_host *host = *(struct tcm_loop_host **)shost_priv(shost);
	struct tcm_loop_lun *lun, *mine = NULL;

	spin_lock(&host->plug_lock);
	list_for_each_entry(lun, &host->plugged, plugged)
		if (lun->plugger == current)
			mine = lun;
	spin_unlock(&host->plug_lock);
	if (mine)
		tcm_loop_unplug(mine);
}
