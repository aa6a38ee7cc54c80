// SPDX-License-Identifier: GPL-2.0
/*
 * Task management functions.
 *
 * A function is an object of its own with a reference for the core and one for
 * whoever waits: the answer may come long after the deadline, and then finds
 * nobody, but no freed memory either.
 */
#include <linux/refcount.h>
#include <linux/slab.h>

#include "tcm_loop.h"

/**
 * struct tcm_loop_tmr - a task management function
 * @se_cmd:	the core's part
 * @ref:	the core's and the sender's
 * @lun:	where it was sent; referenced
 * @node:	of the sender
 * @function:	enum tcm_tmreq_table
 * @answered:	completed with the answer
 * @response:	enum tcm_tmrsp_table; valid once @answered
 * @overdue:	counted in lun->overdue; under lun->lock
 * @sense:	the core wants a place for it
 */
struct tcm_loop_tmr {
	struct se_cmd		se_cmd;
	refcount_t		ref;
	struct tcm_loop_lun	*lun;
	struct list_head	node;
	struct completion	answered;
	u8			function;
	u8			response;
	bool			overdue;
	unsigned char		sense[TRANSPORT_SENSE_BUFFER];
};

static struct tcm_loop_tmr *to_tmr(struct se_cmd *se_cmd)
{
	return container_of(se_cmd, struct tcm_loop_tmr, se_cmd);
}

static void tmr_put(struct tcm_loop_tmr *tmr)
{
	if (!refcount_dec_and_test(&tmr->ref))
		return;
	tcm_loop_lun_put(tmr->lun);
	kfree(tmr);
}

/* Sends a function; the caller has a reference on what is returned, or NULL. */
static struct tcm_loop_tmr *tmr_send(struct tcm_loop_lun *lun, u8 function, u64 tag)
{
	struct tcm_loop_tmr *tmr = kzalloc(sizeof(*tmr), GFP_NOIO);

	if (!tmr)
		return NULL;
	refcount_set(&tmr->ref, 2);
	init_completion(&tmr->answered);
	tmr->function = function;
	tmr->response = TMR_FUNCTION_FAILED;
	tcm_loop_lun_get(lun);
	tmr->lun = lun;
	if (target_submit_tmr(&tmr->se_cmd, lun->tpg->nexus->se_sess, tmr->sense,
			      lun->number, tmr, function, GFP_NOIO, tag, 0) < 0) {
		tmr_put(tmr);
		tmr_put(tmr);
		return NULL;
	}
	return tmr;
}

/**
 * tcm_loop_tmr_abort() - abort a command, do not wait for the answer
 * @lun:	where the command is
 * @tag:	of the command
 *
 * Return: true if the answer will be given to recovery.
 */
bool tcm_loop_tmr_abort(struct tcm_loop_lun *lun, u64 tag)
{
	struct tcm_loop_tmr *tmr = tmr_send(lun, TMR_ABORT_TASK, tag);

	if (!tmr)
		return false;
	tmr_put(tmr);
	return true;
}

/*
 * A reset waits for all commands in the core, so one on top of something that
 * is overdue has nothing to add but one more waiting work item.
 */
static struct tcm_loop_tmr *send_reset(struct tcm_loop_lun *lun)
{
	bool overdue;

	spin_lock_irq(&lun->lock);
	overdue = lun->overdue;
	spin_unlock_irq(&lun->lock);
	return overdue ? NULL : tmr_send(lun, TMR_LUN_RESET, 0);
}

/* True if the function was done by the deadline; else the LUN fails until then. */
static bool wait_until(struct tcm_loop_tmr *tmr, unsigned long until)
{
	long left = until - jiffies;

	if (wait_for_completion_timeout(&tmr->answered, max(left, 1L)))
		return tmr->response == TMR_FUNCTION_COMPLETE;

	spin_lock_irq(&tmr->lun->lock);
	if (!completion_done(&tmr->answered)) {
		tmr->overdue = true;
		tcm_loop_lun_overdue(tmr->lun, "reset");
	}
	spin_unlock_irq(&tmr->lun->lock);
	return false;
}

/**
 * tcm_loop_queue_tm_rsp() - target core: answer of a task management function
 * @se_cmd:	of the function
 */
void tcm_loop_queue_tm_rsp(struct se_cmd *se_cmd)
{
	struct tcm_loop_tmr *tmr = to_tmr(se_cmd);
	struct tcm_loop_lun *lun = tmr->lun;
	unsigned long flags;

	spin_lock_irqsave(&lun->lock, flags);
	tmr->response = se_cmd->se_tmr_req->response;
	complete_all(&tmr->answered);
	if (tmr->overdue)
		tcm_loop_lun_caught_up(lun);
	if (tmr->function == TMR_ABORT_TASK)
		tcm_loop_recovery_abort_answered(lun);
	spin_unlock_irqrestore(&lun->lock, flags);
}

/**
 * tcm_loop_tmr_released() - the core's last reference to a function is gone
 * @se_cmd:	of the function
 */
void tcm_loop_tmr_released(struct se_cmd *se_cmd)
{
	tmr_put(to_tmr(se_cmd));
}

/**
 * tcm_loop_eh_device_reset() - midlayer: reset a logical unit
 * @sc:	a command to it
 *
 * Return: SUCCESS or, at the deadline, FAILED.
 */
int tcm_loop_eh_device_reset(struct scsi_cmnd *sc)
{
	struct tcm_loop_tmr *tmr = send_reset(sc->device->hostdata);
	bool ok;

	if (!tmr)
		return FAILED;
	ok = wait_until(tmr, jiffies + TCM_LOOP_WAIT);
	tmr_put(tmr);
	return ok ? SUCCESS : FAILED;
}

/**
 * tcm_loop_eh_target_reset() - midlayer: reset all logical units of a target
 * @sc:	a command to one of them
 *
 * Each has its own task management queue in the core, so the resets are sent
 * first and waited for afterwards. A reset target is online again.
 *
 * Return: SUCCESS or, at the deadline, FAILED.
 */
int tcm_loop_eh_target_reset(struct scsi_cmnd *sc)
{
	struct tcm_loop_lun *lun = sc->device->hostdata;
	unsigned long until = jiffies + TCM_LOOP_WAIT;
	struct tcm_loop_tpg *tpg = lun->tpg;
	struct tcm_loop_tmr *tmr, *next;
	struct scsi_device *sdev;
	LIST_HEAD(sent);
	bool ok = true;

	shost_for_each_device(sdev, sc->device->host) {
		lun = tcm_loop_lun_of(tpg, sdev);
		if (!lun)
			continue;
		tmr = send_reset(lun);
		if (tmr)
			list_add_tail(&tmr->node, &sent);
		else
			ok = false;
		tcm_loop_lun_put(lun);
	}
	list_for_each_entry_safe(tmr, next, &sent, node) {
		ok &= wait_until(tmr, until);
		tmr_put(tmr);
	}
	if (ok)
		WRITE_ONCE(tpg->transport, TCM_LOOP_ONLINE);
	return ok ? SUCCESS : FAILED;
}
