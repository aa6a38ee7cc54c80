// SPDX-License-Identifier: GPL-2.0
/*
 * From the backstore's "done" to the fabric's response: completion, responses
 * that a fabric could not take, and commands that were claimed meanwhile.
 */
#include "core.h"

#include <linux/delay.h>
#include <trace/events/target.h>

static void complete_work(struct work_struct *work);

/*
 * Responses are sent where the backstore completes, if that is a context that
 * may sleep: no hop to another thread then. Elsewhere (interrupts, under
 * spinlocks) and where the configuration names a CPU a work item does it. A
 * kernel that does not count preemption cannot tell.
 */
static bool may_complete_here(const struct se_cmd *cmd, int affinity)
{
	return IS_ENABLED(CONFIG_PREEMPT_COUNT) && affinity < 0 && preemptible() && in_task() &&
	       !rcu_preempt_depth() && !cmd->transport_complete_callback;
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

	spin_lock_irqsave(&cmd->t_state_lock, flags);
	cmd->scsi_status = scsi_status;
	/* One in two phases can be claimed until the last is over. */
	if (likely(!cmd->transport_complete_callback))
		claim_completion(cmd);
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
	if (may_complete_here(cmd, affinity))
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
		if (cmd->transport_state & CMD_T_ABORTED)
			target_handle_abort(cmd);
		else
			complete_all(&cmd->t_transport_stop_comp);
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

void cmd_queue_full(struct se_cmd *cmd, int err, bool write_pending)
{
	struct se_device *dev = cmd->se_dev;
	unsigned long flags;

	if (err != -EAGAIN && err != -ENOMEM) {
		pr_warn_ratelimited("%s cannot take a response: %d\n", cmd->se_tfo->fabric_name, err);
		cmd->t_state = TRANSPORT_COMPLETE_QF_ERR;
	} else {
		cmd->t_state = write_pending ? TRANSPORT_COMPLETE_QF_WP : TRANSPORT_COMPLETE_QF_OK;
	}
	spin_lock_irqsave(&dev->qf_cmd_lock, flags);
	list_add_tail(&cmd->se_qf_node, &dev->qf_cmd_list);
	atomic_inc(&dev->dev_qf_count);
	spin_unlock_irqrestore(&dev->qf_cmd_lock, flags);
	queue_work(target_completion_wq, &dev->qf_work_queue);
}

static int retry(struct se_cmd *cmd)
{
	if (cmd->t_state == TRANSPORT_COMPLETE_QF_WP) {
		cmd->t_state = TRANSPORT_WRITE_PENDING;
		return cmd->se_tfo->write_pending(cmd);
	}
	if (cmd->t_state == TRANSPORT_COMPLETE_QF_ERR) {
		/* Neither data nor a status of success can be sent. */
		sense_set(cmd, TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE);
		return cmd->se_tfo->queue_status(cmd);
	}
	return cmd->se_cmd_flags & SCF_SENT_CHECK_CONDITION ? cmd->se_tfo->queue_status(cmd) : respond(cmd);
}

void target_complete_qf_work(struct work_struct *work)
{
	struct se_device *dev = container_of(work, struct se_device, qf_work_queue);
	struct se_cmd *cmd, *next;
	LIST_HEAD(list);
	int ret;

	/* The fabric's window needs a moment to open. */
	msleep(PYX_TRANSPORT_WINDOW_CLOSED_WAIT_SHORT);
	spin_lock_irq(&dev->qf_cmd_lock);
	list_splice_init(&dev->qf_cmd_list, &list);
	spin_unlock_irq(&dev->qf_cmd_lock);
	list_for_each_entry_safe(cmd, next, &list, se_qf_node) {
		bool write_pending = cmd->t_state == TRANSPORT_COMPLETE_QF_WP;
		bool hopeless = cmd->t_state == TRANSPORT_COMPLETE_QF_ERR;

		list_del_init(&cmd->se_qf_node);
		atomic_dec(&dev->dev_qf_count);
		ret = retry(cmd);
		if (ret == -EAGAIN || ret == -ENOMEM || (ret && !hopeless))
			cmd_queue_full(cmd, ret, write_pending);
		else if (!write_pending)
			leave(cmd);
	}
}

/**
 * target_handle_abort - end a command that a task management function has claimed
 * @cmd:	the command, no more the backstore's
 *
 * With TAS the initiators whose commands another one aborts are told; else the
 * fabric just cleans up, and its second reference goes. Process context.
 */
void target_handle_abort(struct se_cmd *cmd)
{
	bool ack_kref = cmd->se_cmd_flags & SCF_ACK_KREF;
	int ret;

	if (cmd->transport_state & CMD_T_TAS) {
		cmd->scsi_status = SAM_STAT_TASK_ABORTED;
		trace_target_cmd_complete(cmd);
		ret = cmd->se_tfo->queue_status(cmd);
		if (ret) {
			cmd_queue_full(cmd, ret, false);
			return;
		}
	} else {
		cmd->se_tfo->aborted_task(cmd);
		if (ack_kref)
			WARN_ON_ONCE(target_put_sess_cmd(cmd));
	}
	leave(cmd);
}

/*
 * Lets nobody but the caller end the command, as far as it has not ended.
 * Returns whether it was waited for; the flags of a task management function
 * that has claimed it go to @aborted.
 */
static bool wait_until_stopped(struct se_cmd *cmd, bool fabric_stop, bool *aborted)
{
	unsigned long flags;

	spin_lock_irqsave(&cmd->t_state_lock, flags);
	if (fabric_stop)
		cmd->transport_state |= CMD_T_FABRIC_STOP;
	*aborted = cmd->transport_state & CMD_T_ABORTED;
	if (!(cmd->se_cmd_flags & (SCF_SE_LUN_CMD | SCF_SCSI_TMR_CDB)) ||
	    !(cmd->se_cmd_flags & (SCF_SUPPORTED_SAM_OPCODE | SCF_SCSI_TMR_CDB)) ||
	    !(cmd->transport_state & CMD_T_ACTIVE) || (fabric_stop && *aborted)) {
		spin_unlock_irqrestore(&cmd->t_state_lock, flags);
		return false;
	}
	cmd->transport_state |= CMD_T_STOP;
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
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
	DECLARE_COMPLETION_ONSTACK(compl);
	bool aborted = false;
	int ret;

	if (wait_for_tasks)
		wait_until_stopped(cmd, true, &aborted);
	cmd_untrack(cmd);
	execute_done(cmd);
	cmd_put_lun(cmd);
	if (aborted)
		cmd->free_compl = &compl;
	ret = target_put_sess_cmd(cmd);
	if (aborted) {
		wait_for_completion(&compl);
		ret = 1;
	}
	return ret;
}
