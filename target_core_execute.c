// SPDX-License-Identifier: GPL-2.0
/*
 * Execution: the gates before a command, its task attribute, its start.
 *
 * Task attributes (SAM-5 clause 8.6). Commands that are not ORDERED are counted
 * per CPU while they run (core_dev::running). An ORDERED one sets ordered_waits;
 * from then on commands go to the end of delayed_cmd_list, whose worker starts
 * them again: the ORDERED one when the count is zero, those behind it when it is
 * over. HEAD OF QUEUE commands pass by.
 *
 * No count is missed: who runs counts first and looks at ordered_waits then; who
 * waits sets that first and sums up then. While it sums up commands end, perhaps
 * on another CPU than where they were counted, but none begins: one that did,
 * counted on a CPU that has been looked at and ended on one that has not, would
 * hide another one that runs. Backing off therefore happens on the CPU that has
 * counted, with preemption off, and HEAD OF QUEUE commands, which do begin, have
 * a counter of their own (core_dev::heads).
 *
 * Who waits in delayed_cmd_list belongs to who takes it off under
 * delayed_cmd_lock: the worker, a task management function, the fabric that stops
 * it, or the LUN that is going. All but the worker make their reason known before
 * they look there, and delay() looks for reasons before it puts a command there.
 */
#include "core.h"

#include "cmd_flags.h"

static int sum_running(const struct core_dev *cdev)
{
	int cpu, sum = 0;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(cdev->running, cpu));
	return sum;
}

static void kick_delayed(struct se_device *dev)
{
	queue_work(target_submission_wq, &dev->delayed_cmd_work);
}

/* Counts the command; false: an ORDERED one is waiting or running. */
static bool try_count(struct core_dev *cdev)
{
	bool ok;

	preempt_disable();
	/* A backstore may complete, and count down, in an interrupt here. */
	this_cpu_inc(*cdev->running);
	/* Pairs with the one of ordered_may_run(). */
	smp_mb();
	ok = !READ_ONCE(cdev->ordered_waits);
	if (unlikely(!ok))
		this_cpu_dec(*cdev->running);
	preempt_enable();
	return ok;
}

static void count(struct se_cmd *cmd)
{
	this_cpu_inc(*to_core_dev(cmd->se_dev)->running);
}

static bool is_claimed(const struct se_cmd *cmd)
{
	return READ_ONCE(cmd->transport_state) & (CMD_T_ABORTED | CMD_T_STOP);
}

/* A command that is not to be executed any more; the caller has it. */
static void end_delayed(struct se_cmd *cmd)
{
	if (is_claimed(cmd))
		cmd_give_up(cmd);
	else
		transport_generic_request_failure(cmd, TCM_NON_EXISTENT_LUN);
}

static void delay(struct se_cmd *cmd)
{
	struct se_device *dev = cmd->se_dev;
	unsigned long flags;
	bool wanted;

	spin_lock_irqsave(&dev->delayed_cmd_lock, flags);
	wanted = !is_claimed(cmd) && !READ_ONCE(cmd->se_lun->lun_shutdown);
	if (wanted) {
		WRITE_ONCE(to_core_dev(dev)->ordered_waits, true);
		list_add_tail(&cmd->se_delayed_node, &dev->delayed_cmd_list);
		/* Not later: with the lock gone the command may be, and the device that it kept. */
		kick_delayed(dev);
	}
	spin_unlock_irqrestore(&dev->delayed_cmd_lock, flags);
	if (!wanted)
		end_delayed(cmd);
}

/**
 * execute_undelay - take a command that waits for an ORDERED one out of the task set
 * @cmd:	the command, which the caller has claimed or waits for, and whose device it keeps
 *
 * Any context.
 *
 * Return: true when it was there: only the caller has it now.
 */
bool execute_undelay(struct se_cmd *cmd)
{
	struct se_device *dev = cmd->se_dev;
	unsigned long flags;
	bool found;

	spin_lock_irqsave(&dev->delayed_cmd_lock, flags);
	found = !list_empty(&cmd->se_delayed_node);
	list_del_init(&cmd->se_delayed_node);
	spin_unlock_irqrestore(&dev->delayed_cmd_lock, flags);
	/* Perhaps it was the ORDERED one. */
	if (found)
		kick_delayed(dev);
	return found;
}

static struct se_cmd *take_delayed(struct se_device *dev, const struct se_lun *lun)
{
	struct se_cmd *cmd, *found = NULL;

	spin_lock_irq(&dev->delayed_cmd_lock);
	list_for_each_entry(cmd, &dev->delayed_cmd_list, se_delayed_node) {
		if (cmd->se_lun == lun) {
			found = cmd;
			list_del_init(&cmd->se_delayed_node);
			break;
		}
	}
	spin_unlock_irq(&dev->delayed_cmd_lock);
	return found;
}

/**
 * execute_end_delayed - a LUN goes: end its commands that wait for an ORDERED one
 * @dev:	its device
 * @lun:	the LUN, with lun_shutdown set
 *
 * That one may be another LUN's, and nobody knows when it ends. Process context.
 */
void execute_end_delayed(struct se_device *dev, const struct se_lun *lun)
{
	struct se_cmd *cmd;

	while ((cmd = take_delayed(dev, lun)))
		end_delayed(cmd);
	kick_delayed(dev);
}

/* Whether the command may run now; else it has been put off. */
static bool enter_task_set(struct se_cmd *cmd)
{
	bool counted = false;

	if (cmd->se_dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH)
		return true;
	if (unlikely(cmd->sam_task_attr == TCM_HEAD_TAG)) {
		atomic_inc(&to_core_dev(cmd->se_dev)->heads);
		counted = true;
	} else if (likely(cmd->sam_task_attr != TCM_ORDERED_TAG)) {
		counted = try_count(to_core_dev(cmd->se_dev));
	}
	if (unlikely(!counted)) {
		delay(cmd);
		return false;
	}
	cmd->se_cmd_flags |= SCF_TASK_ATTR_SET;
	return true;
}

static bool ordered_may_run(struct core_dev *cdev)
{
	/* ordered_waits was set before; pairs with the one of try_count(). */
	smp_mb();
	return !sum_running(cdev) && !atomic_read(&cdev->heads);
}

/* Takes the next command that may run off the list, or none. */
static struct se_cmd *next_delayed(struct se_device *dev)
{
	struct core_dev *cdev = to_core_dev(dev);
	struct se_cmd *cmd;

	spin_lock_irq(&dev->delayed_cmd_lock);
	cmd = list_first_entry_or_null(&dev->delayed_cmd_list, struct se_cmd, se_delayed_node);
	if (dev->ordered_sync_in_progress)
		cmd = NULL;
	else if (!cmd)
		WRITE_ONCE(cdev->ordered_waits, false);
	else if (cmd->sam_task_attr != TCM_ORDERED_TAG)
		count(cmd);
	else if (!ordered_may_run(cdev))
		cmd = NULL;
	else
		dev->ordered_sync_in_progress = true;
	if (cmd) {
		list_del_init(&cmd->se_delayed_node);
		cmd->se_cmd_flags |= SCF_TASK_ATTR_SET | LIO_SCF_SHARED_WORKER;
	}
	spin_unlock_irq(&dev->delayed_cmd_lock);
	return cmd;
}

/**
 * execute_leave - a command leaves the task set, which it is in
 * @cmd:	the command
 *
 * Any context.
 */
void execute_leave(struct se_cmd *cmd)
{
	struct se_device *dev = cmd->se_dev;
	struct core_dev *cdev;
	unsigned long flags;

	cmd->se_cmd_flags &= ~SCF_TASK_ATTR_SET;
	cdev = to_core_dev(dev);
	if (unlikely(cmd->sam_task_attr == TCM_ORDERED_TAG)) {
		spin_lock_irqsave(&dev->delayed_cmd_lock, flags);
		dev->ordered_sync_in_progress = false;
		spin_unlock_irqrestore(&dev->delayed_cmd_lock, flags);
	} else {
		if (unlikely(cmd->sam_task_attr == TCM_HEAD_TAG))
			atomic_dec(&cdev->heads);
		else
			this_cpu_dec(*cdev->running);
		smp_mb(); /* the count before the look, as in try_count() */
	}
	if (unlikely(READ_ONCE(cdev->ordered_waits)))
		kick_delayed(dev);
}

static sense_reason_t check_state(const struct core_dev *cdev, unsigned int flags)
{
	if (flags & CDB_ANY_STATE)
		return 0;
	if (READ_ONCE(cdev->failed))
		return CORE_NOT_READY;
	return sbc_format_reason(cdev->dev);
}

static sense_reason_t check_gates(struct se_cmd *cmd, unsigned int flags)
{
	struct core_dev *cdev = to_core_dev(cmd->se_dev);
	sense_reason_t ret;

	ret = ua_check(cmd);
	if (!ret && unlikely(cdev->failed || cdev->format_progress))
		ret = check_state(cdev, flags);
	if (!ret)
		ret = alua_check(cmd);
	/* Data-out was refused when the LUN was looked up. */
	if (!ret && flags & CDB_WRITES && cmd->data_direction != DMA_TO_DEVICE && target_lun_is_rdonly(cmd))
		ret = TCM_WRITE_PROTECTED;
	return ret;
}

static void run(struct se_cmd *cmd)
{
	sense_reason_t ret = cmd->execute_cmd(cmd);

	if (ret)
		transport_generic_request_failure(cmd, ret);
}

static void run_work(struct work_struct *work)
{
	struct se_cmd *cmd = container_of(work, struct se_cmd, work);

	cmd->se_cmd_flags &= ~LIO_SCF_SHARED_WORKER;
	/* The backstore has not seen it yet: what was claimed meanwhile it need not see at all. */
	if (unlikely(is_claimed(cmd)))
		cmd_give_up(cmd);
	else
		run(cmd);
}

/*
 * What may wait runs where waiting is allowed. A path that is not optimized is as
 * fast as others (measured: the distribution's core delays neither loopback's nor
 * iSCSI's commands): core_alua_check_nonop_delay() is for fabrics to call.
 */
static void run_checked(struct se_cmd *cmd)
{
	unsigned int flags = cdb_flags(cmd);
	sense_reason_t ret = check_gates(cmd, flags);

	if (ret) {
		transport_generic_request_failure(cmd, ret);
	} else if (flags & CDB_SLEEPS) {
		INIT_WORK(&cmd->work, run_work);
		queue_work(target_submission_wq, &cmd->work);
	} else {
		run(cmd);
	}
}

/*
 * The command is the backstore's from now on, unless somebody has claimed it
 * meanwhile (false).
 */
static bool claim_for_backend(struct se_cmd *cmd)
{
	unsigned long flags;
	unsigned int state;

	spin_lock_irqsave(&cmd->t_state_lock, flags);
	state = cmd->transport_state;
	if (likely(!(state & (CMD_T_ABORTED | CMD_T_STOP)))) {
		cmd->t_state = TRANSPORT_PROCESSING;
		cmd->transport_state |= CMD_T_ACTIVE | CMD_T_SENT;
		spin_unlock_irqrestore(&cmd->t_state_lock, flags);
		return true;
	}
	/* Until it has ended its fabric can wait for it. */
	if (state & CMD_T_ABORTED)
		cmd->transport_state |= CMD_T_ACTIVE;
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
	cmd_give_up(cmd);
	return false;
}

/* Protection information that the fabric did not bring is made here (SBC-4 clause 4.22). */
static sense_reason_t write_protection(struct se_cmd *cmd)
{
	sense_reason_t ret = 0;

	if (cmd->prot_op == TARGET_PROT_DOUT_INSERT && !(cmd->se_sess->sup_prot_ops & TARGET_PROT_DOUT_INSERT)) {
		sbc_dif_generate(cmd);
	} else if (cmd->prot_op == TARGET_PROT_DOUT_STRIP &&
		   !(cmd->se_sess->sup_prot_ops & TARGET_PROT_DOUT_STRIP)) {
		ret = sbc_dif_verify(cmd, cmd->t_task_lba, cmd->data_length / cmd->se_dev->dev_attrib.block_size,
				     cmd->reftag_seed, cmd->t_prot_sg, 0);
	}
	return ret;
}

/* Claimed and counted: execute it. */
static void run_counted(struct se_cmd *cmd)
{
	sense_reason_t ret = unlikely(cmd->prot_op) ? write_protection(cmd) : 0;

	if (ret)
		transport_generic_request_failure(cmd, ret);
	else
		run_checked(cmd);
}

/**
 * execute_delayed_work - starts what had to wait for an ORDERED command
 * @work:	the device's
 */
void execute_delayed_work(struct work_struct *work)
{
	struct se_device *dev = container_of(work, struct se_device, delayed_cmd_work);
	struct se_cmd *cmd;

	while ((cmd = next_delayed(dev)))
		if (claim_for_backend(cmd))
			run_counted(cmd);
}

/**
 * target_execute_cmd - a command's data are here: execute it
 * @cmd:	the command
 *
 * Context: that of the fabric's submission; what may not run there is queued.
 */
void target_execute_cmd(struct se_cmd *cmd)
{
	if (claim_for_backend(cmd) && enter_task_set(cmd))
		run_counted(cmd);
}
