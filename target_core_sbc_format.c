// SPDX-License-Identifier: GPL-2.0
/*
 * FORMAT UNIT and SANITIZE. Attribute emulate_format must allow them.
 *
 * One at a time: core_dev::format_progress is 0, or says what runs and how far
 * it is, or what failed. It is set before the first block and cleared after the
 * last by whoever set it; between that the gate refuses most commands.
 */
#include "sbc_job.h"

#include <linux/slab.h>

#include "backstore_ops.h"
#include "cdb.h"

/* Blocks erased at a time where the backend erases: nobody queued behind it waits long. */
#define ERASE_STEP_BYTES	(256ULL * 1024 * 1024)

/**
 * sbc_format_reason - why a command must not run now
 * @dev:	the device
 *
 * Return: 0 if neither FORMAT UNIT nor SANITIZE runs or has failed. Context: any.
 */
sense_reason_t sbc_format_reason(const struct se_device *dev)
{
	u32 progress = READ_ONCE(to_core_dev(dev)->format_progress);
	bool sanitize = progress & FORMAT_IS_SANITIZE;

	if (likely(!progress))
		return 0;
	if (progress & FORMAT_FAILED)
		return sanitize ? CORE_SANITIZE_FAILED : CORE_FORMAT_CORRUPTED;
	return sanitize ? CORE_SANITIZE_IN_PROGRESS : CORE_FORMAT_IN_PROGRESS;
}

/*
 * Only one wins, and nothing else may run. After a failed FORMAT UNIT either
 * may try again, after a failed SANITIZE only SANITIZE (SBC-4 4.11.5). *@before
 * is set to what the claim replaces.
 */
static sense_reason_t format_claim(struct se_device *dev, u32 kind, u32 *before)
{
	u32 *progress = &to_core_dev(dev)->format_progress;
	u32 old = READ_ONCE(*progress);

	*before = old;
	if (to_core_dev(dev)->failed)
		return CORE_NOT_READY;
	if (old && !(old & FORMAT_FAILED))
		return sbc_format_reason(dev);
	if ((old & FORMAT_IS_SANITIZE) && !(kind & FORMAT_IS_SANITIZE))
		return sbc_format_reason(dev);
	if (cmpxchg(progress, old, kind | 1) != old)
		return kind & FORMAT_IS_SANITIZE ? CORE_SANITIZE_IN_PROGRESS : CORE_FORMAT_IN_PROGRESS;
	return 0;
}

static void format_end(struct sbc_job *job, bool good)
{
	u32 *progress = &to_core_dev(job->dev)->format_progress;
	u32 kind = READ_ONCE(*progress) & (FORMAT_IS_SANITIZE | FORMAT_AUSE);

	WRITE_ONCE(*progress, good ? 0 : kind | FORMAT_FAILED);
}

static void format_report(struct sbc_job *job)
{
	u32 *progress = &to_core_dev(job->dev)->format_progress;
	u64 blocks = dev_blocks(job->dev);
	u64 left = job->left + (u64)(job->pass - 1) * blocks;
	/* Blocks may be many: percentages of the range, not of their product. */
	u64 unit = max_t(u64, job->total >> 16, 1);
	u32 done = min_t(u64, div64_u64(job->total - left, unit), 0xffff);
	u32 kind = READ_ONCE(*progress) & ~FORMAT_PROGRESS;

	WRITE_ONCE(*progress, kind | (done + 1));
}

static void format_synced(struct sbc_job *job)
{
	struct se_device *dev = job->dev;

	if (dev->dev_attrib.pi_prot_type && dev->transport->format_prot &&
	    dev->transport->format_prot(dev)) {
		sbc_job_end(job, CORE_WRITE_ERROR);
		return;
	}
	sbc_job_end(job, 0);
}

/* All blocks are done; GOOD means that they are on the medium. */
static void format_finish(struct sbc_job *job)
{
	job->next = format_synced;
	if (job->ops->execute_sync_cache)
		sbc_job_sync(job);
	else
		format_synced(job);
}

static size_t invert(struct sg_pos *pos, size_t len)
{
	unsigned int got, i;
	u8 *mapped = sg_pos_map(pos, len, &got);

	for (i = 0; i < got; i++)
		mapped[i] = ~mapped[i];
	kunmap_local(mapped);
	sg_pos_advance(pos, got);
	return got;
}

static void format_invert(struct sbc_job *job)
{
	struct sg_pos pos;
	size_t left = job->size;

	/* The last step may have left entries shorter. */
	sbc_job_fit(job, job->size);
	pos = sg_pos_start(job->sgl, 0);
	while (left && pos.sg)
		left -= invert(&pos, left);
}

/* A block was written everywhere; is there another pass? */
static bool format_next_pass(struct sbc_job *job)
{
	if (--job->pass == 0)
		return false;
	job->lba = 0;
	job->left = dev_blocks(job->dev);
	if (job->invert)
		format_invert(job);
	return true;
}

static void format_written(struct sbc_job *job)
{
	bool more = sbc_job_advance(job);

	if (!more)
		more = format_next_pass(job);
	if (!more) {
		format_finish(job);
		return;
	}
	format_report(job);
	sbc_job_step(job, DMA_TO_DEVICE);
}

static sense_reason_t format_erase_step(struct sbc_job *job, u64 blocks)
{
	if (!job->erase)
		return job->ops->execute_unmap(&job->io, job->lba, blocks);
	return job->erase(job->dev, job->lba, blocks) ? CORE_WRITE_ERROR : 0;
}

/* A step of erasing; the next has its own turn in the queue. */
static void format_erase(struct work_struct *work)
{
	struct sbc_job *job = container_of(work, struct sbc_job, io.work);
	u64 step = min_t(u64, job->left, ERASE_STEP_BYTES / job->dev->dev_attrib.block_size);
	sense_reason_t ret;

	ret = format_erase_step(job, step);
	if (ret || sbc_job_cancelled(job)) {
		sbc_job_end(job, ret ?: TCM_CHECK_CONDITION_ABORT_CMD);
		return;
	}
	job->lba += step;
	job->left -= step;
	if (!job->left) {
		format_finish(job);
		return;
	}
	format_report(job);
	queue_work(target_submission_wq, &job->io.work);
}

static bool format_can_erase(const struct sbc_job *job)
{
	if (job->erase)
		return true;
	return job->ops->execute_unmap && job->dev->dev_attrib.emulate_tpu &&
	       job->dev->dev_attrib.unmap_zeroes_data;
}

static void format_erase_all(struct sbc_job *job)
{
	if (format_can_erase(job)) {
		INIT_WORK(&job->io.work, format_erase);
		queue_work(target_submission_wq, &job->io.work);
		return;
	}
	job->next = format_written;
	sbc_job_step(job, DMA_TO_DEVICE);
}

/*
 * The job of a command that has claimed the device. From now on the gate tells
 * the commands behind it what is going on: they need not wait for it.
 */
static struct sbc_job *format_job(struct se_cmd *cmd, u8 passes, u32 before)
{
	u64 blocks = dev_blocks(cmd->se_dev);
	struct sbc_job *job = sbc_job_create(cmd, 0, blocks);

	if (!job) {
		/* Not a block was touched: what had failed before has still failed. */
		WRITE_ONCE(to_core_dev(cmd->se_dev)->format_progress, before);
		return NULL;
	}
	execute_done(cmd);
	job->pass = passes;
	job->total = blocks * passes;
	job->end = format_end;
	return job;
}

/* FORMAT UNIT */

#define FORMAT_FMTPINFO		0xc0
#define FORMAT_LONGLIST		0x20
#define FORMAT_FMTDATA		0x10
#define FORMAT_LIST_MAX		4096

/**
 * sbc_setup_format - FORMAT UNIT
 * @cmd:	the command
 * @ops:	the backend's
 * @size:	is set to what the initiator sends: the CDB has no length
 *
 * Return: 0 or TCM_PARAMETER_LIST_LENGTH_ERROR.
 */
sense_reason_t sbc_setup_format(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)
{
	if (cmd->t_task_cdb[1] & FORMAT_FMTDATA) {
		/* No defect list is taken: what is longer than a header was not meant for us. */
		if (cmd->data_length > FORMAT_LIST_MAX)
			return TCM_PARAMETER_LIST_LENGTH_ERROR;
		*size = cmd->data_length;
	}
	cmd_wait_for_others(cmd);
	return 0;
}

/* The type of protection that FMTPINFO and PROTECTION FIELD USAGE ask for; negative: none has them. */
static int format_prot_type(u8 fmtpinfo, u8 usage)
{
	if (fmtpinfo == 0 && usage == 0)
		return TARGET_DIF_TYPE0_PROT;
	if (fmtpinfo == 2 && usage == 0)
		return TARGET_DIF_TYPE1_PROT;
	if (fmtpinfo == 3 && usage == 0)
		return TARGET_DIF_TYPE2_PROT;
	if (fmtpinfo == 3 && usage == 1)
		return TARGET_DIF_TYPE3_PROT;
	return -EINVAL;
}

/* Checks the parameter list header (SBC-4 5.4.2.2); sets what it says. */
static sense_reason_t format_header(struct se_cmd *cmd, u8 *usage, bool *immed)
{
	bool long_list = cmd->t_task_cdb[1] & FORMAT_LONGLIST;
	size_t len = long_list ? 8 : 4;
	u8 list[8] = { };
	u32 defects;

	if (cmd->data_length < len || cmd_fetch(cmd, 0, list, len) < len)
		return TCM_PARAMETER_LIST_LENGTH_ERROR;
	defects = long_list ? get_unaligned_be32(&list[4]) : get_unaligned_be16(&list[2]);
	/* No defect list, no initialization pattern, no protection interval exponent. */
	if (defects || (list[0] & ~0x07) || (list[1] & 0x0d) || (long_list && (list[2] || list[3])))
		return TCM_INVALID_PARAMETER_LIST;
	/* FOV zero: DPRY, DCRT and STPF must be, too */
	if (!(list[1] & 0x80) && (list[1] & 0x70))
		return TCM_INVALID_PARAMETER_LIST;
	*usage = list[0] & 0x07;
	*immed = list[1] & 0x02;
	return 0;
}

/**
 * sbc_format - FORMAT UNIT: all blocks become zero
 * @cmd:	the command
 *
 * Return: 0 or why not. Context: process.
 */
sense_reason_t sbc_format(struct se_cmd *cmd)
{
	u8 options = cmd->t_task_cdb[1];
	bool immed = false;
	u8 usage = 0;
	u32 before;
	sense_reason_t ret;
	struct sbc_job *job;

	if (options & FORMAT_FMTDATA) {
		ret = format_header(cmd, &usage, &immed);
		if (ret)
			return ret;
	}
	if (format_prot_type((options & FORMAT_FMTPINFO) >> 6, usage) !=
	    cmd->se_dev->dev_attrib.pi_prot_type)
		return usage ? TCM_INVALID_PARAMETER_LIST : TCM_INVALID_CDB_FIELD;

	ret = format_claim(cmd->se_dev, 0, &before);
	if (ret)
		return ret;
	job = format_job(cmd, 1, before);
	if (!job)
		return TCM_OUT_OF_RESOURCES;
	if (immed)
		sbc_job_detach(job);
	format_erase_all(job);
	return 0;
}

/* SANITIZE */

#define SANITIZE_IMMED		0x80
#define SANITIZE_AUSE		0x20
#define SANITIZE_HEADER		4

static u8 sanitize_action(const struct se_cmd *cmd)
{
	return cmd->t_task_cdb[1] & 0x1f;
}

/**
 * sbc_setup_sanitize - SANITIZE
 * @cmd:	the command
 * @ops:	the backend's
 * @size:	is set to the parameter list length
 *
 * Return: 0 or TCM_INVALID_CDB_FIELD (SBC-4 5.28).
 */
sense_reason_t sbc_setup_sanitize(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)
{
	unsigned int len = get_unaligned_be16(&cmd->t_task_cdb[7]);
	unsigned int least = 0, most = 0;

	if (sanitize_action(cmd) == SANITIZE_OVERWRITE) {
		least = SANITIZE_HEADER + 1;
		most = SANITIZE_HEADER + cmd->se_dev->dev_attrib.block_size;
	}
	if (len < least || len > most)
		return TCM_INVALID_CDB_FIELD;
	*size = len;
	cmd_wait_for_others(cmd);
	return 0;
}

/*
 * Checks an OVERWRITE parameter list of @len bytes; its pattern is all of it
 * after the header. Pure.
 */
static sense_reason_t sanitize_check(const u8 *list, size_t len, u32 block_size)
{
	u16 pattern_len = get_unaligned_be16(&list[2]);

	/* TEST, OVERWRITE COUNT, reserved */
	if ((list[0] & 0x60) || !(list[0] & 0x1f) || list[1])
		return TCM_INVALID_PARAMETER_LIST;
	if (!pattern_len || pattern_len > block_size || pattern_len != len - SANITIZE_HEADER)
		return TCM_INVALID_PARAMETER_LIST;
	return 0;
}

/* How the backstore erases for good, if it can; else the blocks are unmapped or overwritten. */
static int (*sanitize_eraser(struct se_device *dev))(struct se_device *dev, u64 lba, u64 nolb)
{
	const struct backstore_ops *ops = dev_backstore_ops(dev);

	return ops && ops->erase && !ops->erase(dev, 0, 0) ? ops->erase : NULL;
}

static sense_reason_t sanitize_start(struct se_cmd *cmd, u8 *list, size_t pattern_len)
{
	u32 kind = FORMAT_IS_SANITIZE | (cmd->t_task_cdb[1] & SANITIZE_AUSE ? FORMAT_AUSE : 0);
	u32 before;
	sense_reason_t ret = format_claim(cmd->se_dev, kind, &before);
	struct sbc_job *job;

	if (ret)
		return ret;
	job = format_job(cmd, list ? list[0] & 0x1f : 1, before);
	if (!job)
		return TCM_OUT_OF_RESOURCES;
	if (list) {
		job->invert = list[0] & 0x80;
		sbc_job_fill(job, list + SANITIZE_HEADER, pattern_len);
	}
	if (cmd->t_task_cdb[1] & SANITIZE_IMMED)
		sbc_job_detach(job);
	if (list) {
		job->next = format_written;
		sbc_job_step(job, DMA_TO_DEVICE);
	} else {
		job->erase = sanitize_eraser(cmd->se_dev);
		format_erase_all(job);
	}
	return 0;
}

static sense_reason_t sanitize_overwrite(struct se_cmd *cmd)
{
	size_t len = get_unaligned_be16(&cmd->t_task_cdb[7]);
	u8 *list = kmalloc(len, GFP_NOIO);
	sense_reason_t ret;

	if (!list)
		return TCM_OUT_OF_RESOURCES;
	if (cmd->data_length < len || cmd_fetch(cmd, 0, list, len) < len)
		ret = TCM_PARAMETER_LIST_LENGTH_ERROR;
	else
		ret = sanitize_check(list, len, cmd->se_dev->dev_attrib.block_size);
	if (!ret)
		ret = sanitize_start(cmd, list, len - SANITIZE_HEADER);
	kfree(list);
	return ret;
}

/* Only what was sanitized with AUSE may be given up (SBC-4 4.11.5). */
static sense_reason_t sanitize_exit_failure(struct se_cmd *cmd)
{
	u32 *progress = &to_core_dev(cmd->se_dev)->format_progress;
	u32 old = READ_ONCE(*progress);

	if (old && !(old & FORMAT_FAILED))
		return sbc_format_reason(cmd->se_dev);
	if (old & FORMAT_IS_SANITIZE) {
		if (!(old & FORMAT_AUSE) || cmpxchg(progress, old, 0) != old)
			return CORE_SANITIZE_FAILED;
	}
	target_complete_cmd(cmd, SAM_STAT_GOOD);
	return 0;
}

/**
 * sbc_sanitize - SANITIZE: overwrite, block erase, exit failure mode
 * @cmd:	the command
 *
 * Return: 0 or why not. Context: process.
 */
sense_reason_t sbc_sanitize(struct se_cmd *cmd)
{
	switch (sanitize_action(cmd)) {
	case SANITIZE_OVERWRITE:
		return sanitize_overwrite(cmd);
	case SANITIZE_BLOCK_ERASE:
		return sanitize_start(cmd, NULL, 0);
	default:
		return sanitize_exit_failure(cmd);
	}
}
