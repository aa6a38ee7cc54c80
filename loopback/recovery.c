// SPDX-License-Identifier: GPL-2.0
/*
 * Commands that do not come back in time.
 *
 * When a command's timer fires the midlayer would abort it and, if that fails,
 * give its pages back to their owner, although the backend may still read or
 * write them. So the timer is always restarted here, which also keeps the
 * midlayer's error handler from stopping the other LUNs of the host. Meanwhile
 * the command is aborted if that can end it; if the core has not released it by
 * the deadline, the LUN is marked failed until it does.
 *
 * Such a command is in lun->timed_out. The fast path does not take lun->lock:
 * it leaves HELD by an atomic exchange, and only who finds another state than
 * HELD has to come here.
 */
#include "tcm_loop.h"

/**
 * tcm_loop_lun_overdue() - one more thing of a LUN is past its deadline
 * @lun:	the LUN, lun->lock is held
 * @what:	for the log
 *
 * Until tcm_loop_lun_caught_up() new commands to it are not ready.
 */
void tcm_loop_lun_overdue(struct tcm_loop_lun *lun, const char *what)
{
	lockdep_assert_held(&lun->lock);
	if (lun->overdue++)
		return;
	set_bit(TCM_LOOP_GATE_FAILED, &lun->gate);
	pr_warn_ratelimited("%s/tpgt_%u/lun_%llu: %s does not end, logical unit is not ready until it does\n",
			    lun->tpg->host->wwn, lun->tpg->tpgt, lun->number, what);
}

/**
 * tcm_loop_lun_caught_up() - something that was overdue has ended
 * @lun:	the LUN, lun->lock is held
 */
void tcm_loop_lun_caught_up(struct tcm_loop_lun *lun)
{
	lockdep_assert_held(&lun->lock);
	if (--lun->overdue)
		return;
	clear_bit(TCM_LOOP_GATE_FAILED, &lun->gate);
	pr_warn_ratelimited("%s/tpgt_%u/lun_%llu: logical unit is ready again\n",
			    lun->tpg->host->wwn, lun->tpg->tpgt, lun->number);
}

static void kick(struct tcm_loop_lun *lun, unsigned long delay)
{
	lockdep_assert_held(&lun->lock);
	if (!lun->destroyed)
		mod_delayed_work(tcm_loop_recovery_wq, &lun->recovery, delay);
}

static void add_late(struct tcm_loop_lun *lun, struct tcm_loop_cmd *cmd)
{
	lockdep_assert_held(&lun->lock);
	cmd->overdue = false;
	cmd->abort_due = tcm_loop_can_fence(lun);
	cmd->deadline = jiffies + TCM_LOOP_WAIT;
	list_add_tail(&cmd->node, &lun->timed_out);
	kick(lun, 0);
}

/* A retry by the midlayer, for those that want retries. */
static void set_aborted(struct scsi_cmnd *sc)
{
	bool passthrough = blk_rq_is_passthrough(scsi_cmd_to_rq(sc));

	sc->result = (passthrough ? DID_ABORT : DID_SOFT_ERROR) << 16;
}

/**
 * tcm_loop_recovery_returned() - the core released a command that is not HELD
 * @cmd:	the command
 *
 * Return: true if the caller has to give it back to the midlayer; else that is
 * done, or the midlayer does not wait for it.
 */
bool tcm_loop_recovery_returned(struct tcm_loop_cmd *cmd)
{
	struct scsi_cmnd *sc = tcm_loop_scsi_cmnd(cmd);
	struct tcm_loop_lun *lun = cmd->lun;
	unsigned long flags;
	int state;

	spin_lock_irqsave(&lun->lock, flags);
	state = atomic_read(&cmd->state);
	if (state != TCM_LOOP_CMD_EH) {
		list_del_init(&cmd->node);
		if (cmd->overdue)
			tcm_loop_lun_caught_up(lun);
	}
	if (state == TCM_LOOP_CMD_LATE && !cmd->answered)
		set_aborted(sc);
	atomic_set(&cmd->state, TCM_LOOP_CMD_IDLE);
	/*
	 * Under the lock: once the error handler's abort sees IDLE it may use
	 * the scsi_cmnd for the next command, which this must not complete.
	 */
	if (state == TCM_LOOP_CMD_EH)
		scsi_done(sc);
	spin_unlock_irqrestore(&lun->lock, flags);

	if (state == TCM_LOOP_CMD_LATE)
		return true;
	percpu_ref_put(&lun->cmds);
	if (state == TCM_LOOP_CMD_ORPHAN) {
		wake_up_all(&lun->wait);
		tcm_loop_lun_put(lun);
	}
	return false;
}

/**
 * tcm_loop_eh_timed_out() - midlayer: a command's timer has fired
 * @sc:	the command
 *
 * Return: SCSI_EH_RESET_TIMER, always.
 */
enum scsi_timeout_action tcm_loop_eh_timed_out(struct scsi_cmnd *sc)
{
	struct tcm_loop_lun *lun = sc->device->hostdata;
	struct tcm_loop_cmd *cmd = scsi_cmd_priv(sc);
	unsigned long flags;

	spin_lock_irqsave(&lun->lock, flags);
	if (atomic_cmpxchg(&cmd->state, TCM_LOOP_CMD_HELD, TCM_LOOP_CMD_LATE) ==
	    TCM_LOOP_CMD_HELD)
		add_late(lun, cmd);
	spin_unlock_irqrestore(&lun->lock, flags);
	return SCSI_EH_RESET_TIMER;
}

/**
 * tcm_loop_eh_abort() - midlayer: abort a command of its error handler
 * @sc:	the command. Those of the block layer never get here, see above.
 *
 * Return: SUCCESS if the target does not have the command any more.
 */
int tcm_loop_eh_abort(struct scsi_cmnd *sc)
{
	struct tcm_loop_lun *lun = sc->device->hostdata;
	struct tcm_loop_cmd *cmd = scsi_cmd_priv(sc);

	spin_lock_irq(&lun->lock);
	if (atomic_cmpxchg(&cmd->state, TCM_LOOP_CMD_EH, TCM_LOOP_CMD_ORPHAN) ==
	    TCM_LOOP_CMD_EH) {
		tcm_loop_lun_get(lun);
		add_late(lun, cmd);
	}
	spin_unlock_irq(&lun->lock);

	if (wait_event_timeout(lun->wait, atomic_read(&cmd->state) == TCM_LOOP_CMD_IDLE,
			       TCM_LOOP_WAIT))
		return SUCCESS;
	return FAILED;
}

/* Finds a command to abort; false if there is none or one is being aborted. */
static bool next_to_abort(struct tcm_loop_lun *lun, u64 *tag)
{
	struct tcm_loop_cmd *cmd;

	lockdep_assert_held(&lun->lock);
	if (lun->aborting)
		return false;
	list_for_each_entry(cmd, &lun->timed_out, node) {
		if (!cmd->abort_due)
			continue;
		cmd->abort_due = false;
		lun->aborting = true;
		*tag = tcm_loop_tag(cmd);
		return true;
	}
	return false;
}

/**
 * tcm_loop_recovery_abort_answered() - the core answered an abort
 * @lun:	the LUN, lun->lock is held
 */
void tcm_loop_recovery_abort_answered(struct tcm_loop_lun *lun)
{
	lun->aborting = false;
	kick(lun, 0);
}

/* Marks what is past its deadline; returns the next deadline, 0 if there is none. */
static unsigned long check_deadlines(struct tcm_loop_lun *lun)
{
	unsigned long next = 0;
	struct tcm_loop_cmd *cmd;

	lockdep_assert_held(&lun->lock);
	list_for_each_entry(cmd, &lun->timed_out, node) {
		if (cmd->overdue)
			continue;
		if (time_after_eq(jiffies, cmd->deadline)) {
			cmd->overdue = true;
			tcm_loop_lun_overdue(lun, "command");
		} else if (!next || time_before(cmd->deadline, next)) {
			next = cmd->deadline;
		}
	}
	return next;
}

/**
 * tcm_loop_recovery_work() - abort late commands, watch their deadlines
 * @work:	of the LUN
 *
 * A command is aborted once, one after the other: the core waits for the
 * command before it answers, in a work item of a workqueue that the whole
 * system shares.
 */
void tcm_loop_recovery_work(struct work_struct *work)
{
	struct tcm_loop_lun *lun = container_of(to_delayed_work(work), struct tcm_loop_lun, recovery);
	unsigned long next;
	bool abort;
	u64 tag;

	spin_lock_irq(&lun->lock);
	abort = next_to_abort(lun, &tag);
	next = check_deadlines(lun);
	if (next)
		kick(lun, max_t(long, next - jiffies, 1));
	spin_unlock_irq(&lun->lock);

	if (abort && !tcm_loop_tmr_abort(lun, tag)) {
		spin_lock_irq(&lun->lock);
		tcm_loop_recovery_abort_answered(lun);
		spin_unlock_irq(&lun->lock);
	}
}
