// SPDX-License-Identifier: GPL-2.0
/*
 * Commands that do not come back in time.
 *
 * When a command's timer fires the midlayer would abort it and, if that fails,
 * give its pages back to their owner, although the backend may still read or
 * write them. So the timer is always restarted here, which also keeps the
 * midlayer's error handler from stopping the other LUNs of the host. Meanwhile
 * the command is aborted; if the core has not released it by the deadline, the
 * LUN is marked failed until it does.
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

static void add_late(struct tcm_loop_lun *lun, struct tcm_loop_cmd *cmd)
{
	lockdep_assert_held(&lun->lock);
	cmd->overdue = false;
	cmd->abort_due = true;
	cmd->deadline = jiffies + TCM_LOOP_WAIT;
	list_add_tail(&cmd->node, &lun->timed_out);
	mod_delayed_work(tcm_loop_recovery_wq, &lun->recovery, 0);
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

/* Finds a command to abort, false if there is none. */
static bool next_to_abort(struct tcm_loop_lun *lun, u64 *tag)
{
	struct tcm_loop_cmd *cmd;
	bool found = false;

	spin_lock_irq(&lun->lock);
	list_for_each_entry(cmd, &lun->timed_out, node) {
		found = cmd->abort_due;
		if (found) {
			cmd->abort_due = false;
			*tag = tcm_loop_tag(cmd);
			break;
		}
	}
	spin_unlock_irq(&lun->lock);
	return found;
}

/**
 * tcm_loop_recovery_work() - abort late commands, watch their deadlines
 * @work:	of the LUN
 *
 * A command is aborted once: the core's answer waits for the command, another
 * abort would only wait behind the first.
 */
void tcm_loop_recovery_work(struct work_struct *work)
{
	struct tcm_loop_lun *lun = container_of(to_delayed_work(work), struct tcm_loop_lun, recovery);
	unsigned long next = 0, now;
	struct tcm_loop_cmd *cmd;
	u64 tag;

	while (next_to_abort(lun, &tag))
		tcm_loop_tmr_put(tcm_loop_tmr_send(lun, TMR_ABORT_TASK, tag));

	spin_lock_irq(&lun->lock);
	now = jiffies;
	list_for_each_entry(cmd, &lun->timed_out, node) {
		if (cmd->overdue)
			continue;
		if (time_after_eq(now, cmd->deadline)) {
			cmd->overdue = true;
			tcm_loop_lun_overdue(lun, "aborted command");
		} else if (!next || time_before(cmd->deadline, next)) {
			next = cmd->deadline;
		}
	}
	/* A command that comes meanwhile asks for an earlier run. */
	if (next)
		queue_delayed_work(tcm_loop_recovery_wq, &lun->recovery, next - now);
	spin_unlock_irq(&lun->lock);
}
