// SPDX-License-Identifier: GPL-2.0
/*
 * From the backstore's "done" to the fabric's response: completion, responses
 * that a fabric could not take, and commands that were claimed meanwhile.
 */
#include "core.h"

#include "cmd_flags.h"

#include <linux/delay.h>
#include <trace/events/target.h>

static void complete_work(struct work_struct *work);

/*
 * Responses are sent where the backstore completes, if that is a context that
 * may sleep, or if the fabric takes them anywhere and nobody has claimed the
 * command (@ours): no hop to another thread then. Elsewhere (interrupts, under
 * spinlocks, in a worker that other commands need) and where the configuration
 * names a CPU a work item does it. A kernel that does not count preemption cannot
 * tell.
 */
static bool may_complete_here(const struct se_cmd *cmd, int affinity, bool ours)
{
	if (affinity >= 0 || cmd->transport_complete_callback)
		return false;
	if (ours && cmd->se_cmd_flags & LIO_SCF_RESPOND_ANYWHERE && cmd->scsi_status == SAM_STAT_GOOD &&
	    !cmd->prot_op)
		return true;
	if (cmd->se_cmd_flags & LIO_SCF_SHARED_WORKER)
		return false;
	return IS_ENABLED(CONFIG_PREEMPT_COUNT) && preemptible() && in_task() && !rcu_preempt_depth();
}

static int completion_affinity(const struct se_cmd *cmd)
{
	const struct se_wwn *wwn = cmd->se_sess && cmd->se_sess->se_tpg ? cmd->se_sess->se_tpg->se_tpg_wwn : NULL;

	return wwn ? wwn->cmd_compl_affinity : SE_COMPL_AFFINITY_CPUID;
}

static void queue_completion(struct se_cmd *cmd, int affinity)
{
	/* The second phase of a command may wait for I/O, which must not keep responses from being sent. */
	struct workqueue_struct *wq = cmd->transport_complete_callback ? target_submission_wq : target_completion_wq;
	int cpu = affinity == SE_COMPL_AFFINITY_CPUID ? cmd->cpuid : affinity;

	cmd->se_cmd_flags &= ~LIO_SCF_SHARED_WORKER;
	INIT_WORK(&cmd->work, complete_work);
	if (cpu < 0)
		queue_work(wq, &cmd->work);
	else
		queue_work_on(cpu, wq, &cmd->work);
}

/* From now on nobody else can claim the command, unless somebody has (false). */
static bool claim_completion(struct se_cmd *cmd)
{
	lockdep_assert_held(&cmd->t_state_lock);
	if (cmd->transport_state & (CMD_T_ABORTED | CMD_T_STOP))
		return false;
	cmd->t_state = TRANSPORT_COMPLETE;
	cmd->transport_state |= CMD_T_COMPLETE | CMD_T_ACTIVE;
	return true;
}

/**
 * target_complete_cmd - a backstore is through with a command
 * @cmd:	the command
 * @scsi_status: GOOD, or another; CHECK CONDITION with sense data from
 *		transport_copy_sense_to_cmd() or cmd->sense_reason
 *
 * Any context. The command is no more the backstore's.
 */
void target_complete_cmd(struct se_cmd *cmd, u8 scsi_status)
{
	int affinity = completion_affinity(cmd);
	unsigned long flags;
	bool ours = false;

	spin_lock_irqsave(&cmd->t_state_lock, flags);
	cmd->scsi_status = scsi_status;
	/* One in two phases can be claimed until the last is over. */
	if (likely(!cmd->transport_complete_callback))
		ours = claim_completion(cmd);
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
	if (may_complete_here(cmd, affinity, ours))
		complete_work(&cmd->work);
	else
		queue_completion(cmd, affinity);
}

/**
 * target_set_cmd_data_length - less data than the CDB asked for
 * @cmd:	the command
 * @length:	bytes that there are
 */
void target_set_cmd_data_length(struct se_cmd *cmd, int length)
{
	if (length < 0 || length >= cmd->data_length)
		return;
	/* The CDB asked for more than the initiator has room for, but there is less than that. */
	cmd->se_cmd_flags &= ~SCF_OVERFLOW_BIT;
	if (cmd->se_cmd_flags & SCF_UNDERFLOW_BIT) {
		cmd->residual_count += cmd->data_length - length;
	} else {
		cmd->se_cmd_flags |= SCF_UNDERFLOW_BIT;
		cmd->residual_count = cmd->data_length - length;
	}
	cmd->data_length = length;
}

/**
 * target_complete_cmd_with_length - target_complete_cmd() with as much data as there is
 * @cmd:	the command
 * @scsi_status: see there
 * @length:	bytes; more than the initiator takes is no error
 */
void target_complete_cmd_with_length(struct se_cmd *cmd, u8 scsi_status, int length)
{
	if (scsi_status == SAM_STAT_GOOD || cmd->se_cmd_flags & SCF_TREAT_READ_AS_NORMAL)
		target_set_cmd_data_length(cmd, length);
	target_complete_cmd(cmd, scsi_status);
}

/**
 * target_complete_cmd_with_sense - target_complete_cmd() with a reason
 * @cmd:	the command
 * @scsi_status: CHECK CONDITION
 * @reason:	becomes its sense data
 */
void target_complete_cmd_with_sense(struct se_cmd *cmd, u8 scsi_status, sense_reason_t reason)
{
	cmd->sense_reason = reason;
	target_complete_cmd(cmd, scsi_status);
}

int cmd_check_stop_to_fabric(struct se_cmd *cmd)
{
	unsigned long flags;

	cmd_untrack(cmd);
	cmd->se_lun = NULL;
	spin_lock_irqsave(&cmd->t_state_lock, flags);
	if (cmd->transport_state & CMD_T_STOP) {
		spin_unlock_irqrestore(&cmd->t_state_lock, flags);
		complete_all(&cmd->t_transport_stop_comp);
		return 1;
	}
	cmd->transport_state &= ~CMD_T_ACTIVE;
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
	/* Returns 1 when the command is gone. */
	return cmd->se_tfo->check_stop_free(cmd);
}

/* The response is on its way: the device is free of the command. */
static void leave(struct se_cmd *cmd)
{
	execute_done(cmd);
	cmd_untrack(cmd);
	cmd_put_lun(cmd);
	cmd_check_stop_to_fabric(cmd);
}

/**
 * transport_send_check_condition_and_sense - respond with CHECK CONDITION, once
 * @cmd:	the command
 * @reason:	becomes its sense data
 * @from_transport: not 0: the sense data are there already
 *
 * Return: 0 or the fabric's error.
 */
int transport_send_check_condition_and_sense(struct se_cmd *cmd, sense_reason_t reason, int from_transport)
{
	unsigned long flags;
	bool sent;

	spin_lock_irqsave(&cmd->t_state_lock, flags);
	sent = cmd->se_cmd_flags & SCF_SENT_CHECK_CONDITION;
	cmd->se_cmd_flags |= SCF_SENT_CHECK_CONDITION;
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
	if (sent)
		return 0;
	if (!from_transport)
		sense_set(cmd, reason);
	trace_target_cmd_complete(cmd);
	return cmd->se_tfo->queue_status(cmd);
}

/**
 * target_send_busy - respond with BUSY to a command that was not executed
 * @cmd:	a command with a LUN
 *
 * Return: 0 or the fabric's error.
 */
int target_send_busy(struct se_cmd *cmd)
{
	cmd->scsi_status = SAM_STAT_BUSY;
	trace_target_cmd_complete(cmd);
	return cmd->se_tfo->queue_status(cmd);
}

/* Ends the other half of a command in two phases. */
static void drop_callback(struct se_cmd *cmd)
{
	int goes_on = 0;

	if (cmd->transport_complete_callback)
		cmd->transport_complete_callback(cmd, false, &goes_on);
	cmd->transport_complete_callback = NULL;
}

static void failure_work(struct work_struct *work)
{
	struct se_cmd *cmd = container_of(work, struct se_cmd, work);

	transport_generic_request_failure(cmd, cmd->sense_reason);
}

/**
 * transport_generic_request_failure - end a command with a reason
 * @cmd:	a command with a LUN
 * @reason:	becomes its status or sense data
 *
 * Any context that allows to call the fabric.
 */
void transport_generic_request_failure(struct se_cmd *cmd, sense_reason_t reason)
{
	unsigned long flags;
	bool aborted;
	int ret;

	if (unlikely(cmd->se_cmd_flags & LIO_SCF_SHARED_WORKER)) {
		cmd->se_cmd_flags &= ~LIO_SCF_SHARED_WORKER;
		cmd->sense_reason = reason;
		INIT_WORK(&cmd->work, failure_work);
		queue_work(target_completion_wq, &cmd->work);
		return;
	}
	drop_callback(cmd);
	spin_lock_irqsave(&cmd->t_state_lock, flags);
	aborted = cmd->transport_state & CMD_T_ABORTED;
	if (!aborted)
		cmd->transport_state |= CMD_T_COMPLETE;
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
	if (aborted) {
		target_handle_abort(cmd);
		return;
	}
	ret = transport_send_check_condition_and_sense(cmd, reason, 0);
	if (ret)
		cmd_queue_full(cmd, ret, false);
	else
		leave(cmd);
}

/* What was read is checked, or loses its protection information, before an initiator sees it. */
static sense_reason_t read_protection(struct se_cmd *cmd)
{
	sense_reason_t ret = 0;

	if (cmd->prot_op == TARGET_PROT_DIN_STRIP && !(cmd->se_sess->sup_prot_ops & TARGET_PROT_DIN_STRIP))
		ret = sbc_dif_verify(cmd, cmd->t_task_lba, cmd->data_length / cmd->se_dev->dev_attrib.block_size,
				     cmd->reftag_seed, cmd->t_prot_sg, 0);
	else if (cmd->prot_op == TARGET_PROT_DIN_INSERT && !(cmd->se_sess->sup_prot_ops & TARGET_PROT_DIN_INSERT))
		sbc_dif_generate(cmd);
	return ret;
}

/* Hands data and status to the fabric. */
static int respond(struct se_cmd *cmd)
{
	trace_target_cmd_complete(cmd);
	if (cmd->data_direction == DMA_FROM_DEVICE &&
	    (cmd->scsi_status == SAM_STAT_GOOD || cmd->se_cmd_flags & SCF_TREAT_READ_AS_NORMAL))
		return cmd->se_tfo->queue_data_in(cmd);
	if (cmd->se_cmd_flags & SCF_BIDI && cmd->data_direction == DMA_TO_DEVICE)
		return cmd->se_tfo->queue_data_in(cmd);
	return cmd->se_tfo->queue_status(cmd);
}

/* Of a command in two phases: true when the next one has begun; false when it has ended, with *@reason. */
static bool next_phase(struct se_cmd *cmd, sense_reason_t *reason)
{
	bool good = cmd->scsi_status == SAM_STAT_GOOD && !cmd->sense_reason;
	sense_reason_t (*callback)(struct se_cmd *, bool, int *) = cmd->transport_complete_callback;
	int goes_on = 0;

	*reason = callback(cmd, good, &goes_on);
	if (!goes_on)
		cmd->transport_complete_callback = NULL;
	return goes_on;
}

/* Of a command in two phases: false when there is nothing to do (yet). */
static bool end_phase(struct se_cmd *cmd, sense_reason_t *reason)
{
	unsigned long flags;

	if (!(READ_ONCE(cmd->transport_state) & (CMD_T_ABORTED | CMD_T_STOP)) && next_phase(cmd, reason))
		return false;
	drop_callback(cmd);
	spin_lock_irqsave(&cmd->t_state_lock, flags);
	claim_completion(cmd);
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
	return true;
}

/* Ends a command that the backstore has given back. Process context. */
static void complete_work(struct work_struct *work)
{
	struct se_cmd *cmd = container_of(work, struct se_cmd, work);
	sense_reason_t reason = 0;
	int ret;

	if (unlikely(cmd->transport_complete_callback) && !end_phase(cmd, &reason))
		return;
	if (unlikely(!(cmd->transport_state & CMD_T_COMPLETE))) {
		cmd_give_up(cmd);
		return;
	}
	if (!reason && unlikely(cmd->scsi_status == SAM_STAT_CHECK_CONDITION) &&
	    !(cmd->se_cmd_flags & (SCF_TRANSPORT_TASK_SENSE | SCF_EMULATED_TASK_SENSE)))
		reason = cmd->sense_reason ?: TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE;
	if (!reason && unlikely(cmd->prot_op) && cmd->scsi_status == SAM_STAT_GOOD)
		reason = read_protection(cmd);
	if (unlikely(reason)) {
		transport_generic_request_failure(cmd, reason);
		return;
	}
	ret = respond(cmd);
	if (unlikely(ret))
		cmd_queue_full(cmd, ret, false);
	else
		leave(cmd);
}

/*
 * When the fabric will have refused a command for too long, in jiffies, as far as
 * they fit, and odd. In a member that is dead: no list of scatterlists is put
 * aside here. Only who has the command's se_qf_node looks at it.
 */
static void set_qf_deadline(struct se_cmd *cmd)
{
	cmd->t_data_nents_orig = (u32)(jiffies + CORE_DEADLINE * HZ) | 1;
}

static bool qf_deadline_is_over(const struct se_cmd *cmd)
{
	return (s32)((u32)jiffies - cmd->t_data_nents_orig) > 0;
}

static bool is_transient(int err)
{
	return err == -EAGAIN || err == -ENOMEM;
}

/* From here on it can be waited for (CMD_T_ACTIVE), whatever it was before. */
static void queue_retry(struct se_cmd *cmd, enum transport_state_table t_state)
{
	/* A command that found no LUN waits with a device that is always there. */
	struct se_device *dev = cmd->se_dev ?: g_lun0_dev;
	unsigned long flags;

	spin_lock_irqsave(&cmd->t_state_lock, flags);
	cmd->t_state = t_state;
	cmd->transport_state |= CMD_T_ACTIVE;
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
	spin_lock_irqsave(&dev->qf_cmd_lock, flags);
	list_add_tail(&cmd->se_qf_node, &dev->qf_cmd_list);
	atomic_inc(&dev->dev_qf_count);
	/* Not later: with the lock gone the command may be, and the device that it kept. */
	queue_work(target_completion_wq, &dev->qf_work_queue);
	spin_unlock_irqrestore(&dev->qf_cmd_lock, flags);
}

void cmd_queue_full(struct se_cmd *cmd, int err, bool write_pending)
{
	set_qf_deadline(cmd);
	if (is_transient(err)) {
		queue_retry(cmd, write_pending ? TRANSPORT_COMPLETE_QF_WP : TRANSPORT_COMPLETE_QF_OK);
		return;
	}
	pr_warn_ratelimited("%s cannot take a %s: %d\n", cmd->se_tfo->fabric_name,
			    write_pending ? "command" : "response", err);
	if (write_pending)
		transport_generic_request_failure(cmd, TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE);
	else
		queue_retry(cmd, TRANSPORT_COMPLETE_QF_ERR);
}

/* Ends a command without a response; the fabric cleans up, and its second reference goes. */
static void end_silently(struct se_cmd *cmd)
{
	bool ack_kref = cmd->se_cmd_flags & SCF_ACK_KREF;

	cmd->se_tfo->aborted_task(cmd);
	if (ack_kref)
		WARN_ON_ONCE(target_put_sess_cmd(cmd));
	leave(cmd);
}

/* Neither data nor a status of success can be sent. */
static int respond_with_failure(struct se_cmd *cmd)
{
	cmd->se_cmd_flags |= SCF_SENT_CHECK_CONDITION;
	sense_set(cmd, TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE);
	return cmd->se_tfo->queue_status(cmd);
}

static void retry_response(struct se_cmd *cmd)
{
	bool hopeless = cmd->t_state == TRANSPORT_COMPLETE_QF_ERR;
	int ret;

	/* That of an aborted one is TASK ABORTED, and stays it. */
	if (cmd->transport_state & CMD_T_ABORTED)
		ret = cmd->se_tfo->queue_status(cmd);
	else if (hopeless)
		ret = respond_with_failure(cmd);
	else
		ret = cmd->se_cmd_flags & SCF_SENT_CHECK_CONDITION ? cmd->se_tfo->queue_status(cmd) : respond(cmd);

	if (!ret) {
		leave(cmd);
	} else if (qf_deadline_is_over(cmd) || (hopeless && !is_transient(ret))) {
		pr_warn_ratelimited("%s does not take a response (%d): it is lost\n", cmd->se_tfo->fabric_name, ret);
		end_silently(cmd);
	} else {
		queue_retry(cmd, is_transient(ret) ? TRANSPORT_COMPLETE_QF_OK : TRANSPORT_COMPLETE_QF_ERR);
	}
}

static void retry_write(struct se_cmd *cmd)
{
	int ret = cmd_ask_for_data(cmd);

	if (!ret)
		return;
	if (is_transient(ret) && !qf_deadline_is_over(cmd))
		queue_retry(cmd, TRANSPORT_COMPLETE_QF_WP);
	else
		transport_generic_request_failure(cmd, TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE);
}

static void retry_work(struct work_struct *work)
{
	struct se_cmd *cmd = container_of(work, struct se_cmd, work);

	if (cmd->t_state == TRANSPORT_COMPLETE_QF_WP)
		retry_write(cmd);
	else
		retry_response(cmd);
}

void target_complete_qf_work(struct work_struct *work)
{
	struct se_device *dev = container_of(work, struct se_device, qf_work_queue);
	struct se_cmd *cmd, *next;
	LIST_HEAD(list);

	/* The fabric's window needs a moment to open. */
	msleep(PYX_TRANSPORT_WINDOW_CLOSED_WAIT_SHORT);
	spin_lock_irq(&dev->qf_cmd_lock);
	list_splice_init(&dev->qf_cmd_list, &list);
	spin_unlock_irq(&dev->qf_cmd_lock);
	list_for_each_entry_safe(cmd, next, &list, se_qf_node) {
		list_del_init(&cmd->se_qf_node);
		atomic_dec(&dev->dev_qf_count);
		/* Each for itself: a fabric may keep who calls it waiting. */
		INIT_WORK(&cmd->work, retry_work);
		queue_work(target_completion_wq, &cmd->work);
	}
}

/**
 * target_handle_abort - end a command that a task management function has claimed
 * @cmd:	the command, no more the backstore's
 *
 * With TAS the initiators whose commands another one aborts are told; else the
 * fabric just cleans up, and its second reference goes. Process context.
 *
 * The function need not wait for a response to another nexus than its own: that
 * nexus' initiator may be slow to take it, or never say that it has it, and
 * nothing below touches the command any more.
 */
void target_handle_abort(struct se_cmd *cmd)
{
	struct completion *abrt_compl;
	int ret;

	if (!(cmd->transport_state & CMD_T_TAS)) {
		end_silently(cmd);
		return;
	}
	abrt_compl = xchg(&cmd->abrt_compl, NULL);
	if (abrt_compl)
		abort_waiter_release(abrt_compl);
	cmd->scsi_status = SAM_STAT_TASK_ABORTED;
	trace_target_cmd_complete(cmd);
	ret = cmd->se_tfo->queue_status(cmd);
	if (ret)
		cmd_queue_full(cmd, ret, false);
	else
		leave(cmd);
}

static void abort_work(struct work_struct *work)
{
	target_handle_abort(container_of(work, struct se_cmd, work));
}

/**
 * cmd_abort_later - target_handle_abort() where nobody waits for the fabric
 * @cmd:	a claimed command that the caller has
 *
 * Any context.
 */
void cmd_abort_later(struct se_cmd *cmd)
{
	INIT_WORK(&cmd->work, abort_work);
	queue_work(target_completion_wq, &cmd->work);
}

/**
 * cmd_give_up - let who has claimed a command, or waits for it, have it
 * @cmd:	a command with CMD_T_ABORTED or CMD_T_STOP, no more the backstore's
 *
 * Process context, or that of the fabric's submission.
 */
void cmd_give_up(struct se_cmd *cmd)
{
	if (!(READ_ONCE(cmd->transport_state) & CMD_T_ABORTED))
		complete_all(&cmd->t_transport_stop_comp);
	else if (cmd->se_cmd_flags & LIO_SCF_SHARED_WORKER)
		cmd_abort_later(cmd);
	else
		target_handle_abort(cmd);
}

/* A response that is sent later is under way even if the command was none that could be executed. */
static bool is_under_way(const struct se_cmd *cmd)
{
	bool queued = cmd->t_state == TRANSPORT_COMPLETE_QF_OK || cmd->t_state == TRANSPORT_COMPLETE_QF_ERR;
	u32 flags = cmd->se_cmd_flags;

	if (!(cmd->transport_state & CMD_T_ACTIVE))
		return false;
	return flags & SCF_SCSI_TMR_CDB || (flags & SCF_SE_LUN_CMD && flags & SCF_SUPPORTED_SAM_OPCODE) || queued;
}

/* The LUN, with a reference that keeps the device, of a command that has not begun to leave it; or NULL. */
static struct se_lun *get_lun(const struct se_cmd *cmd)
{
	lockdep_assert_held(&cmd->t_state_lock);
	if (cmd->transport_state & (CMD_T_COMPLETE | CMD_T_ABORTED) || cmd->se_cmd_flags & SCF_SCSI_TMR_CDB ||
	    !cmd->lun_ref_active)
		return NULL;
	percpu_ref_get(&cmd->se_lun->lun_ref);
	return cmd->se_lun;
}

/* What waits for an ORDERED command need not wait for that any more. */
static bool undelay_with(struct se_cmd *cmd, struct se_lun *lun)
{
	bool found = lun && execute_undelay(cmd);

	if (lun)
		percpu_ref_put(&lun->lun_ref);
	return found;
}

/*
 * Lets nobody but the caller end the command, as far as it has not ended.
 * Returns whether it was waited for; the flags of a task management function
 * that has claimed it go to @aborted.
 */
static bool wait_until_stopped(struct se_cmd *cmd, bool fabric_stop, bool *aborted)
{
	struct se_lun *lun;
	unsigned long flags;

	spin_lock_irqsave(&cmd->t_state_lock, flags);
	if (fabric_stop)
		cmd->transport_state |= CMD_T_FABRIC_STOP;
	/* A write whose data never came is in the fabric's hands: nobody else ends it, claimed or not. */
	*aborted = cmd->transport_state & CMD_T_ABORTED &&
		   (cmd->transport_state & CMD_T_ACTIVE || cmd->t_state != TRANSPORT_WRITE_PENDING);
	if (!is_under_way(cmd) || (fabric_stop && *aborted)) {
		spin_unlock_irqrestore(&cmd->t_state_lock, flags);
		return false;
	}
	cmd->transport_state |= CMD_T_STOP;
	lun = get_lun(cmd);
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
	if (!undelay_with(cmd, lun))
		while (!wait_for_completion_timeout(&cmd->t_transport_stop_comp, CORE_DEADLINE * HZ))
			target_show_cmd("still under way: ", cmd);
	spin_lock_irqsave(&cmd->t_state_lock, flags);
	cmd->transport_state &= ~(CMD_T_ACTIVE | CMD_T_STOP);
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
	return true;
}

/**
 * transport_wait_for_tasks - wait until a command is no more under way
 * @cmd:	the command, with a reference of the caller's
 *
 * May sleep.
 *
 * Return: whether there was something to wait for.
 */
bool transport_wait_for_tasks(struct se_cmd *cmd)
{
	bool aborted;

	return wait_until_stopped(cmd, false, &aborted);
}

/* It may be with the backstore: the device and the LUN are for who ends it, or for release_cmd(). */
static void free_claimed(struct se_cmd *cmd)
{
	DECLARE_COMPLETION_ONSTACK(compl);

	cmd->free_compl = &compl;
	if (!target_put_sess_cmd(cmd))
		while (!wait_for_completion_timeout(&compl, CORE_DEADLINE * HZ))
			pr_warn_ratelimited("an aborted command has not come back for %d s\n", CORE_DEADLINE);
}

/**
 * transport_generic_free_cmd - give the core's reference back
 * @cmd:	the command
 * @wait_for_tasks: not 0: it may be under way, wait for it first; may sleep
 *
 * A command that a task management function has claimed is waited for until it
 * is released.
 *
 * Return: 1 when the command is gone.
 */
int transport_generic_free_cmd(struct se_cmd *cmd, int wait_for_tasks)
{
	bool aborted = false;

	if (wait_for_tasks)
		wait_until_stopped(cmd, true, &aborted);
	if (aborted) {
		free_claimed(cmd);
		return 1;
	}
	/* leave() may be at work on another CPU: device and LUN are its business, else release_cmd()'s. */
	return target_put_sess_cmd(cmd);
}
