/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the backstores on files and block devices share: how an error of the
 * layer below becomes a SCSI status, and execution where waiting is allowed.
 *
 * Commands are executed where queuecommand() may not wait. Those that wait go to
 * a workqueue with struct se_cmd's own work item, which the core uses only once
 * the command is completed; se_cmd.priv has the handler meanwhile. Both belong
 * to the backstore from execute_cmd() until target_complete_cmd().
 */
#ifndef LIO_BACKSTORE_H
#define LIO_BACKSTORE_H

#include <linux/blkdev.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <scsi/scsi_common.h>
#include <scsi/scsi_proto.h>
#include <target/target_core_backend.h>
#include <target/target_core_base.h>

#include "cmd_flags.h"

/**
 * struct backstore_failure - what an initiator is told of an error
 * @err:	the layer below's, negative
 * @status:	SAM status; the rest is for CHECK CONDITION
 * @key:	sense key
 * @asc:	additional sense code
 * @ascq:	its qualifier
 */
struct backstore_failure {
	int err;
	u8 status;
	u8 key, asc, ascq;
};

/* errno as the VFS gives it, or blk_status_to_errno(): table in SPC-5 annex F for the codes */
static const struct backstore_failure backstore_failures[] = {
	/* SPACE ALLOCATION FAILED WRITE PROTECT */
	{ -ENOSPC, SAM_STAT_CHECK_CONDITION, DATA_PROTECT, 0x27, 0x07 },
	{ -EDQUOT, SAM_STAT_CHECK_CONDITION, DATA_PROTECT, 0x27, 0x07 },
	{ -EFBIG, SAM_STAT_CHECK_CONDITION, DATA_PROTECT, 0x27, 0x07 },
	/* WRITE PROTECTED */
	{ -EROFS, SAM_STAT_CHECK_CONDITION, DATA_PROTECT, 0x27, 0x00 },
	{ -EPERM, SAM_STAT_CHECK_CONDITION, DATA_PROTECT, 0x27, 0x00 },
	{ -EACCES, SAM_STAT_CHECK_CONDITION, DATA_PROTECT, 0x27, 0x00 },
	/* INTERNAL TARGET FAILURE */
	{ -EREMOTEIO, SAM_STAT_CHECK_CONDITION, HARDWARE_ERROR, 0x44, 0x00 },
	{ -EINVAL, SAM_STAT_CHECK_CONDITION, HARDWARE_ERROR, 0x44, 0x00 },
	/* INVALID FIELD IN CDB: the lower device cannot do it */
	{ -EOPNOTSUPP, SAM_STAT_CHECK_CONDITION, ILLEGAL_REQUEST, 0x24, 0x00 },
	/* LOGICAL UNIT COMMUNICATION FAILURE, and its TIME-OUT */
	{ -ENOLINK, SAM_STAT_CHECK_CONDITION, NOT_READY, 0x08, 0x00 },
	{ -ETIMEDOUT, SAM_STAT_CHECK_CONDITION, NOT_READY, 0x08, 0x01 },
	/* LOGICAL UNIT FAILURE: the lower device is gone */
	{ -ENODEV, SAM_STAT_CHECK_CONDITION, HARDWARE_ERROR, 0x3e, 0x01 },
	{ -ENXIO, SAM_STAT_CHECK_CONDITION, HARDWARE_ERROR, 0x3e, 0x01 },
	{ -ESHUTDOWN, SAM_STAT_CHECK_CONDITION, HARDWARE_ERROR, 0x3e, 0x01 },
	/* LOGICAL BLOCK GUARD CHECK FAILED */
	{ -EILSEQ, SAM_STAT_CHECK_CONDITION, ABORTED_COMMAND, 0x10, 0x01 },
	{ -EBADE, SAM_STAT_RESERVATION_CONFLICT },
	{ -ENOMEM, SAM_STAT_BUSY },
	{ -EAGAIN, SAM_STAT_BUSY },
	{ -EBUSY, SAM_STAT_BUSY },
};

/* Anything else is the medium's fault. UNRECOVERED READ ERROR, WRITE ERROR */
static const struct backstore_failure backstore_bad_read = {
	-EIO, SAM_STAT_CHECK_CONDITION, MEDIUM_ERROR, 0x11, 0x00
};

static const struct backstore_failure backstore_bad_write = {
	-EIO, SAM_STAT_CHECK_CONDITION, MEDIUM_ERROR, 0x0c, 0x00
};

static inline const struct backstore_failure *backstore_find_failure(const struct se_cmd *cmd, int err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(backstore_failures); i++)
		if (backstore_failures[i].err == err)
			return &backstore_failures[i];
	return cmd->data_direction == DMA_FROM_DEVICE ? &backstore_bad_read : &backstore_bad_write;
}

/* As the core does: fixed sense data has no room for the addresses of a large device. */
static inline bool backstore_descriptor_sense(struct se_device *se_dev)
{
	return se_dev->transport->get_blocks(se_dev) > U32_MAX;
}

static noinline __maybe_unused void backstore_fail(struct se_cmd *cmd, int err)
{
	const struct backstore_failure *failure = backstore_find_failure(cmd, err);
	u8 sense[TRANSPORT_SENSE_BUFFER] = {};

	if (failure->status != SAM_STAT_CHECK_CONDITION) {
		target_complete_cmd(cmd, failure->status);
		return;
	}
	/* Someone of the core waits for this end (COMPARE AND WRITE): only a reason calls him. */
	if (cmd->transport_complete_callback) {
		target_complete_cmd_with_sense(cmd, SAM_STAT_CHECK_CONDITION,
					       TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE);
		return;
	}
	scsi_build_sense_buffer(backstore_descriptor_sense(cmd->se_dev), sense, failure->key,
				failure->asc, failure->ascq);
	transport_copy_sense_to_cmd(cmd, sense);
	target_complete_cmd(cmd, SAM_STAT_CHECK_CONDITION);
}

/**
 * backstore_complete - end a command
 * @cmd:	the command, not to be touched afterwards
 * @err:	0, or what the layer below said
 *
 * Context: any; target_complete_cmd()'s.
 */
static inline void backstore_complete(struct se_cmd *cmd, int err)
{
	if (likely(!err))
		target_complete_cmd(cmd, SAM_STAT_GOOD);
	else
		backstore_fail(cmd, err);
}

/* What a task was before backstore_enter_io(). */
struct backstore_io_scope {
	unsigned int noio, throttle;
};

/*
 * Writing back pages may end in this very device: until backstore_leave_io() no
 * allocation of this task waits for that, and none of its writes is throttled
 * because of other devices.
 */
static inline struct backstore_io_scope backstore_enter_io(void)
{
	struct backstore_io_scope scope = { memalloc_noio_save(), current->flags & PF_LOCAL_THROTTLE };

	current->flags |= PF_LOCAL_THROTTLE;
	return scope;
}

static inline void backstore_leave_io(struct backstore_io_scope scope)
{
	if (!scope.throttle)
		current->flags &= ~PF_LOCAL_THROTTLE;
	memalloc_noio_restore(scope.noio);
}

static inline void backstore_execute_work(struct work_struct *work)
{
	struct se_cmd *cmd = container_of(work, struct se_cmd, work);
	sense_reason_t (*execute)(struct se_cmd *cmd) = cmd->priv;
	struct backstore_io_scope scope = backstore_enter_io();
	sense_reason_t reason = execute(cmd);

	if (reason)
		target_complete_cmd_with_sense(cmd, SAM_STAT_CHECK_CONDITION, reason);
	backstore_leave_io(scope);
}

/*
 * Whether the fabric's worker is one as ours would be. Without its allocation
 * scope it is not the fabric's, but one that the core has put the command off to.
 */
static inline bool backstore_may_wait_here(const struct se_cmd *cmd)
{
	const unsigned int scope = PF_WQ_WORKER | PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE;

	return cmd->se_cmd_flags & LIO_SCF_MAY_WAIT && (current->flags & scope) == scope;
}

/**
 * backstore_defer - execute a command where it may wait
 * @cmd:	the command, with its handler in priv
 * @wq:		the workqueue for that, unless we are in one; its workers have
 *		init's root and credentials
 *
 * Return: 0 or why it was not executed.
 */
static inline sense_reason_t backstore_defer(struct se_cmd *cmd, struct workqueue_struct *wq)
{
	sense_reason_t (*execute)(struct se_cmd *cmd) = cmd->priv;

	if (backstore_may_wait_here(cmd))
		return execute(cmd);
	INIT_WORK(&cmd->work, backstore_execute_work);
	queue_work(wq, &cmd->work);
	return 0;
}

/**
 * backstore_wait_elsewhere - have a parsed command executed by @defer
 * @cmd:	parsed, with its handler in execute_cmd
 * @defer:	calls backstore_defer()
 */
static inline void backstore_wait_elsewhere(struct se_cmd *cmd,
					    sense_reason_t (*defer)(struct se_cmd *cmd))
{
	cmd->priv = cmd->execute_cmd;
	cmd->execute_cmd = defer;
}

static inline bool backstore_bdev_is_gone(const struct block_device *bdev)
{
	return test_bit(GD_DEAD, &bdev->bd_disk->state);
}

static inline sense_reason_t backstore_execute_gone(struct se_cmd *cmd)
{
	backstore_complete(cmd, -ENODEV);
	return 0;
}

/**
 * backstore_refuse_gone - a parsed command of a device whose lower one is gone
 * @cmd:	the command
 *
 * SPC-5 5.12: some are answered whatever the state.
 */
static inline void backstore_refuse_gone(struct se_cmd *cmd)
{
	switch (cmd->t_task_cdb[0]) {
	case INQUIRY:
	case REQUEST_SENSE:
	case REPORT_LUNS:
		return;
	default:
		cmd->execute_cmd = backstore_execute_gone;
	}
}

/**
 * backstore_sync_range - the blocks of a SYNCHRONIZE CACHE (SBC-4 5.29, 5.30)
 * @cmd:	SYNCHRONIZE CACHE (10) or (16)
 * @lba:	where to put the first
 *
 * Return: how many, 0 for all to the end.
 */
static inline u32 backstore_sync_range(const struct se_cmd *cmd, u64 *lba)
{
	const u8 *cdb = cmd->t_task_cdb;

	if (cdb[0] == SYNCHRONIZE_CACHE) {
		*lba = get_unaligned_be32(&cdb[2]);
		return get_unaligned_be16(&cdb[7]);
	}
	*lba = get_unaligned_be64(&cdb[2]);
	return get_unaligned_be32(&cdb[10]);
}

/* IMMED: the answer may come before the work is done. */
static inline bool backstore_sync_immed(const struct se_cmd *cmd)
{
	return cmd->t_task_cdb[1] & 0x02;
}

/**
 * backstore_fill_same - the block of a WRITE SAME, as often as it fits into a page
 * @cmd:	the command
 * @page:	zeroed
 *
 * Return: bytes filled, 0 if the block is nothing but zeroes (NDOB: without
 * data), -EINVAL if there is no whole block.
 */
static inline int backstore_fill_same(struct se_cmd *cmd, struct page *page)
{
	u32 size = cmd->se_dev->dev_attrib.block_size, filled;
	void *block = page_address(page);

	if (cmd->t_data_nents &&
	    sg_copy_to_buffer(cmd->t_data_sg, cmd->t_data_nents, block, size) < size)
		return -EINVAL;
	if (!memchr_inv(block, 0, size))
		return 0;
	for (filled = size; filled + size <= PAGE_SIZE; filled += size)
		memcpy(block + filled, block, size);
	return filled;
}

/**
 * backstore_set_params - write to control: parameters by commas or newlines
 * @se_dev:	the device
 * @lock:	of its parameters, taken here
 * @page:	the text
 * @count:	its length
 * @set:	takes one parameter; 0 or a negative error, which ends it
 *
 * Return: @count or the error; what came before it has been taken.
 * Context: may sleep.
 */
static inline ssize_t backstore_set_params(struct se_device *se_dev, struct mutex *lock,
					   const char *page, ssize_t count,
					   int (*set)(struct se_device *se_dev, char *param))
{
	char *text = kstrndup(page, count, GFP_KERNEL);
	char *rest = text, *param;
	int err = 0;

	if (!text)
		return -ENOMEM;
	mutex_lock(lock);
	while (!err && (param = strsep(&rest, ",\n")))
		if (*param)
			err = set(se_dev, param);
	mutex_unlock(lock);
	kfree(text);
	return err ?: count;
}

#endif /* LIO_BACKSTORE_H */
