// SPDX-License-Identifier: GPL-2.0
/*
 * When the handler does not do its part: commands that it does not answer in
 * time, a ring that it broke, and the actions that bring the device back.
 */
#include <scsi/scsi_proto.h>

#include "se_cmd_state.h"
#include "tcmu.h"

/*
 * Ends a posted command towards the core. Its tag and slots stay until the
 * handler's late answer or reset_ring: it may still write to them.
 */
static void tcmu_expire(struct tcmu_cmd *cmd, struct list_head *failed)
{
	cmd->state = TCMU_CMD_EXPIRED;
	se_cmd_start_ending(cmd->se_cmd, failed);
	cmd->se_cmd = NULL;
}

static void tcmu_fail_waiting(struct tcmu_dev *dev, struct list_head *failed)
{
	struct se_cmd *se_cmd;

	while ((se_cmd = se_cmd_first(&dev->waiting)))
		se_cmd_start_ending(se_cmd, failed);
}

/**
 * tcmu_scan_work - end what is overdue, every TCMU_SCAN_SECONDS while there is
 * anything that could become so
 * @work:	dev->scan
 */
void tcmu_scan_work(struct work_struct *work)
{
	struct tcmu_dev *dev = container_of(to_delayed_work(work), struct tcmu_dev, scan);
	struct se_cmd *se_cmd, *next;
	LIST_HEAD(expired);
	LIST_HEAD(refused);
	bool pending;
	struct tcmu_cmd *cmd;
	u32 i;

	spin_lock(&dev->lock);
	dev->scanning = false;
	pending = !list_empty(&dev->tmrs);
	tcmu_for_each_cmd(dev, cmd, i) {
		if (cmd->state == TCMU_CMD_POSTED && time_after(jiffies, cmd->deadline))
			tcmu_expire(cmd, &expired);
		pending |= cmd->state == TCMU_CMD_POSTED;
		/* There may be 65,536, and each is looked at for itself. */
		cond_resched_lock(&dev->lock);
	}
	list_for_each_entry_safe(se_cmd, next, &dev->waiting, se_qf_node)
		if (time_after(jiffies, se_cmd_deadline(se_cmd)))
			se_cmd_start_ending(se_cmd, &refused);
	if (pending || !list_empty(&dev->waiting))
		tcmu_start_scan(dev);
	spin_unlock(&dev->lock);

	if (!list_empty(&expired))
		pr_warn_ratelimited("%s: the handler did not answer in time\n", dev->name);
	tcmu_fail(&expired, SAM_STAT_CHECK_CONDITION, TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE);
	tcmu_fail(&refused, SAM_STAT_TASK_SET_FULL, TCM_NO_SENSE);
	/* Memory may be had now that was short before. */
	tcmu_run_tmrs(dev);
	tcmu_run_waiting(dev);
}

/**
 * tcmu_scan_soon - there may be room for what waits: do not wait for the next scan
 * @dev:	the device, in the list of devices
 *
 * Context: under tcmu_devices_lock, so that removal cancels the scan afterwards.
 */
void tcmu_scan_soon(struct tcmu_dev *dev)
{
	/* What waits has started the scan. */
	if (!list_empty_careful(&dev->waiting))
		mod_delayed_work(tcmu_wq, &dev->scan, 0);
}

/**
 * tcmu_break - the handler broke the ring
 * @dev:	the device
 * @failed:	receives all commands of the device that are not answered yet
 *
 * Context: under dev->lock.
 */
void tcmu_break(struct tcmu_dev *dev, struct list_head *failed)
{
	struct tcmu_cmd *cmd;
	u32 i;

	lockdep_assert_held(&dev->lock);
	pr_warn_ratelimited("%s: the handler broke the command ring; write 1 or 2 to reset_ring\n",
			    dev->name);
	set_bit(TCMU_DEV_BROKEN, &dev->flags);
	tcmu_for_each_cmd(dev, cmd, i)
		if (cmd->state == TCMU_CMD_POSTED)
			tcmu_expire(cmd, failed);
	tcmu_fail_waiting(dev, failed);
}

/**
 * tcmu_abort - the core is aborting a command that the handler has
 * @cmd:	the command
 *
 * The core waits for it, so it is ended soon even if cmd_time_out is long.
 *
 * Context: under dev->lock.
 */
void tcmu_abort(struct tcmu_cmd *cmd)
{
	unsigned long deadline = tcmu_deadline(TCMU_ABORT_SECONDS * MSEC_PER_SEC);

	cmd->aborted = true;
	if (time_before(deadline, cmd->deadline))
		cmd->deadline = deadline;
}

/**
 * tcmu_cmd_deadline - when a command that arrives now is overdue
 * @se_cmd:	the command
 * @milliseconds: how long it may take, 0: for ever
 *
 * An abort that overtook the command did not find it: see tcmu_tmr_notify().
 *
 * Return: as tcmu_deadline(). Context: under dev->lock.
 */
unsigned long tcmu_cmd_deadline(const struct se_cmd *se_cmd, u32 milliseconds)
{
	const u32 abort = TCMU_ABORT_SECONDS * MSEC_PER_SEC;

	if (READ_ONCE(se_cmd->transport_state) & CMD_T_ABORTED &&
	    (!milliseconds || milliseconds > abort))
		milliseconds = abort;
	return tcmu_deadline(milliseconds);
}

/**
 * tcmu_block - stop or restart taking commands
 * @dev:	the device
 * @block:	true: new commands and those that wait get BUSY
 *
 * Context: process.
 */
void tcmu_block(struct tcmu_dev *dev, bool block)
{
	LIST_HEAD(refused);

	spin_lock(&dev->lock);
	if (block) {
		set_bit(TCMU_DEV_BLOCKED, &dev->flags);
		tcmu_fail_waiting(dev, &refused);
	} else {
		clear_bit(TCMU_DEV_BLOCKED, &dev->flags);
	}
	spin_unlock(&dev->lock);
	tcmu_fail(&refused, SAM_STAT_BUSY, TCM_NO_SENSE);
}

/**
 * tcmu_stop - keep everything off the ring
 * @dev:	the device
 *
 * Waits for entries that are being written. That is only copying: no peer can
 * make it long. New commands wait until TCMU_DEV_STOPPED is cleared.
 *
 * Context: may sleep.
 */
void tcmu_stop(struct tcmu_dev *dev)
{
	spin_lock(&dev->lock);
	set_bit(TCMU_DEV_STOPPED, &dev->flags);
	spin_unlock(&dev->lock);
	wait_event(dev->filled, !READ_ONCE(dev->nr_filling));
}

/**
 * tcmu_mailbox_init - write all that the mailbox says of an empty ring
 * @dev:	the device
 *
 * A handler can write to any of it.
 *
 * Context: any, nobody posts to the ring.
 */
void tcmu_mailbox_init(struct tcmu_dev *dev)
{
	struct tcmu_mailbox *mailbox = dev->mailbox;

	WRITE_ONCE(mailbox->version, TCMU_MAILBOX_VERSION);
	WRITE_ONCE(mailbox->flags, TCMU_MAILBOX_FLAG_CAP_OOOC | TCMU_MAILBOX_FLAG_CAP_READ_LEN |
				   TCMU_MAILBOX_FLAG_CAP_TMR | TCMU_MAILBOX_FLAG_CAP_KEEP_BUF);
	WRITE_ONCE(mailbox->cmdr_off, TCMU_CMDR_OFF);
	WRITE_ONCE(mailbox->cmdr_size, dev->ring.size);
	WRITE_ONCE(mailbox->cmd_head, 0);
	WRITE_ONCE(mailbox->cmd_tail, 0);
}

/* Empties a stopped ring and lets it go again; what the handler had is in @failed. */
static void tcmu_empty_ring(struct tcmu_dev *dev, struct list_head *failed)
{
	struct tcmu_cmd *cmd;
	u32 i;

	spin_lock(&dev->lock);
	tcmu_for_each_cmd(dev, cmd, i) {
		if (cmd->state == TCMU_CMD_POSTED)
			tcmu_expire(cmd, failed);
		if (cmd->state == TCMU_CMD_EXPIRED)
			tcmu_cmd_free(dev, cmd);
	}
	tcmu_drop_tmrs(dev);
	tcmu_ring_reset(&dev->ring);
	tcmu_mailbox_init(dev);
	clear_bit(TCMU_DEV_BROKEN, &dev->flags);
	clear_bit(TCMU_DEV_STOPPED, &dev->flags);
	spin_unlock(&dev->lock);
}

/**
 * tcmu_reset_ring - empty the ring, for a new handler to start with
 * @dev:	the device
 * @retryable:	what the handler has is answered BUSY, else with an error
 *
 * Buffers that a handler kept stay kept. A device whose handler broke the ring
 * works again afterwards.
 *
 * Context: may sleep, takes config_lock.
 */
void tcmu_reset_ring(struct tcmu_dev *dev, bool retryable)
{
	LIST_HEAD(failed);

	mutex_lock(&dev->config_lock);
	tcmu_stop(dev);
	tcmu_empty_ring(dev, &failed);
	mutex_unlock(&dev->config_lock);

	tcmu_fail(&failed, retryable ? SAM_STAT_BUSY : SAM_STAT_CHECK_CONDITION,
		  TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE);
	tcmu_run_waiting(dev);
}

/**
 * tcmu_free_kept - free the buffer of a command answered with KEEP_BUF
 * @dev:	the device
 * @tag:	its cmd_id, any value
 *
 * Return: 0, or -EINVAL if there is no command that was answered with KEEP_BUF
 * and has this tag. Context: process.
 */
int tcmu_free_kept(struct tcmu_dev *dev, u32 tag)
{
	struct tcmu_cmd *cmd = tcmu_cmd_lookup(dev, tag);
	bool kept;

	if (!cmd)
		return -EINVAL;
	spin_lock(&dev->lock);
	kept = cmd->state == TCMU_CMD_KEPT;
	if (kept)
		tcmu_cmd_free(dev, cmd);
	spin_unlock(&dev->lock);
	if (!kept)
		return -EINVAL;
	tcmu_run_waiting(dev);
	return 0;
}
