// SPDX-License-Identifier: GPL-2.0
/*
 * Block commands that read the medium to compare it, to write what comes of it, or to
 * transfer less of it than whole blocks.
 */
#include "sbc_job.h"

#include "cdb.h"

static size_t first_difference(u8 *a, u8 *b, size_t len)
{
	size_t i;

	if (!memcmp(a, b, len))
		return len;
	for (i = 0; a[i] == b[i]; i++)
		;
	return i;
}

static size_t or_into(u8 *a, u8 *b, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		b[i] |= a[i];
	return len;
}

static size_t copy_into(u8 *a, u8 *b, size_t len)
{
	memcpy(b, a, len);
	return len;
}

/*
 * Walks the command's data from @offset and the job's buffer from @at side by
 * side; stops where @fn takes less than it was given. Returns the bytes taken.
 */
static size_t walk_both(struct sbc_job *job, size_t offset, size_t at, size_t len,
			size_t (*fn)(u8 *own, u8 *buffer, size_t len))
{
	struct sg_pos a = sg_pos_start(job->cmd->t_data_sg, offset);
	struct sg_pos b = sg_pos_start(job->sgl, at);
	size_t done = 0;

	while (done < len && a.sg && b.sg) {
		unsigned int n, m;
		size_t taken;
		void *pa, *pb;

		pa = sg_pos_map(&a, len - done, &n);
		pb = sg_pos_map(&b, n, &m);
		taken = fn(pa, pb, m);
		kunmap_local(pb);
		kunmap_local(pa);
		done += taken;
		if (taken < m)
			break;
		sg_pos_advance(&a, m);
		sg_pos_advance(&b, m);
		cond_resched();
	}
	return done;
}

/* READ for an initiator whose data end within a block */

static size_t copy_out(u8 *a, u8 *b, size_t len)
{
	memcpy(a, b, len);
	return len;
}

static void read_part_next(struct sbc_job *job)
{
	size_t len = min_t(size_t, sbc_job_bytes(job), job->cmd->data_length - job->offset);

	walk_both(job, job->offset, 0, len, copy_out);
	if (sbc_job_advance(job))
		sbc_job_step(job, DMA_FROM_DEVICE);
	else
		sbc_job_end(job, 0);
}

static void read_part_work(struct work_struct *work)
{
	struct se_cmd *cmd = container_of(work, struct se_cmd, work);
	u32 blocks = DIV_ROUND_UP(cmd->data_length, cmd->se_dev->dev_attrib.block_size);
	struct sbc_job *job = sbc_job_create(cmd, cmd->t_task_lba, blocks);

	if (!job) {
		transport_generic_request_failure(cmd, TCM_OUT_OF_RESOURCES);
		return;
	}
	job->next = read_part_next;
	sbc_job_step(job, DMA_FROM_DEVICE);
}

/* A READ may be executed where nothing sleeps, a job may not. */
static sense_reason_t read_part(struct se_cmd *cmd)
{
	INIT_WORK(&cmd->work, read_part_work);
	queue_work(target_submission_wq, &cmd->work);
	return 0;
}

/**
 * sbc_setup_read_part - READ with less data than its CDB says, that end within a block
 * @cmd:	the command; data_length is what the initiator expects
 *
 * Whole blocks are read, and what fits is transferred (SAM-5 5.4.2.2; initiators over
 * iSCSI rely on it). Fabrics with memory of their own get what they have always got from
 * the distribution's core: a refusal.
 *
 * Return: 0 or TCM_INVALID_CDB_FIELD. Context: any.
 */
sense_reason_t sbc_setup_read_part(struct se_cmd *cmd)
{
	if (cmd->execute_cmd != sbc_rw || cmd->data_direction != DMA_FROM_DEVICE || cmd->prot_length ||
	    cmd->se_cmd_flags & SCF_PASSTHROUGH_SG_TO_MEM_NOALLOC)
		return TCM_INVALID_CDB_FIELD;
	cmd->execute_cmd = read_part;
	return 0;
}

/* VERIFY, and the second half of WRITE AND VERIFY */

static u8 bytchk_of(const struct se_cmd *cmd)
{
	return (cmd->t_task_cdb[1] >> 1) & 3;
}

/* Where in the step just read the medium differs from the command's data; its length: nowhere. */
static size_t verify_compare(struct sbc_job *job)
{
	u32 block_size = job->dev->dev_attrib.block_size;
	u32 bytes = sbc_job_bytes(job);
	size_t at;

	if (job->bytchk == 1)
		return walk_both(job, job->offset, 0, bytes, first_difference);
	for (at = 0; at < bytes; at += block_size) {
		size_t same = walk_both(job, 0, at, block_size, first_difference);

		if (same < block_size)
			return at + same;
	}
	return bytes;
}

/* Checks the step just read; false: the job has ended with MISCOMPARE. */
static bool verify_check(struct sbc_job *job)
{
	size_t same;

	if (!job->bytchk)
		return true;
	same = verify_compare(job);
	if (same == sbc_job_bytes(job))
		return true;
	job->cmd->sense_info = job->lba + same / job->dev->dev_attrib.block_size;
	sbc_job_end(job, TCM_MISCOMPARE_VERIFY);
	return false;
}

static void verify_next(struct sbc_job *job)
{
	if (!verify_check(job))
		return;
	if (sbc_job_advance(job))
		sbc_job_step(job, DMA_FROM_DEVICE);
	else
		sbc_job_end(job, 0);
}

/**
 * sbc_setup_verify - VERIFY (10), (12), (16)
 * @cmd:	the command
 * @ops:	the backend's
 * @size:	is set to the data that BYTCHK asks for
 *
 * Return: 0 or TCM_INVALID_CDB_FIELD.
 */
sense_reason_t sbc_setup_verify(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)
{
	u64 blocks = cmd->t_task_nolb;

	switch (bytchk_of(cmd)) {
	case 0:
		blocks = 0;
		break;
	case 1:
		break;
	case 3:
		blocks = min_t(u64, blocks, 1);
		break;
	default:
		return TCM_INVALID_CDB_FIELD;
	}
	blocks *= cmd->se_dev->dev_attrib.block_size;
	if (blocks > U32_MAX)
		return TCM_INVALID_CDB_FIELD;
	*size = blocks;
	return 0;
}

/* Ends a command of no blocks with GOOD, refuses one with less data than its CDB says, or starts its job. */
static sense_reason_t run_job(struct se_cmd *cmd, size_t needs, void (*start)(struct sbc_job *job))
{
	struct sbc_job *job;

	if (!cmd->t_task_nolb) {
		target_complete_cmd(cmd, SAM_STAT_GOOD);
		return 0;
	}
	if (cmd->data_length < needs)
		return TCM_INVALID_CDB_FIELD;
	job = sbc_job_create(cmd, cmd->t_task_lba, cmd->t_task_nolb);
	if (!job)
		return TCM_OUT_OF_RESOURCES;
	start(job);
	return 0;
}

static size_t bytes_of(const struct se_cmd *cmd)
{
	return (size_t)cmd->t_task_nolb * cmd->se_dev->dev_attrib.block_size;
}

static void verify_start(struct sbc_job *job)
{
	job->bytchk = bytchk_of(job->cmd);
	job->next = verify_next;
	sbc_job_step(job, DMA_FROM_DEVICE);
}

/**
 * sbc_verify - VERIFY (10), (12), (16)
 * @cmd:	the command
 *
 * With BYTCHK 0 the medium is read all the same: that is how bad blocks show.
 *
 * Return: 0 or why not. Context: process.
 */
sense_reason_t sbc_verify(struct se_cmd *cmd)
{
	unsigned int needs;
	sense_reason_t ret = sbc_setup_verify(cmd, cmd_exec_ops(cmd), &needs);

	return ret ?: run_job(cmd, needs, verify_start);
}

/* WRITE AND VERIFY: each step is written, then read again */

static void write_verify_read(struct sbc_job *job);

static void write_verify_step(struct sbc_job *job)
{
	size_t len = min_t(u64, job->left * job->dev->dev_attrib.block_size, job->size);

	walk_both(job, job->offset, 0, len, copy_into);
	job->next = write_verify_read;
	sbc_job_step(job, DMA_TO_DEVICE);
}

static void write_verify_check(struct sbc_job *job)
{
	if (!verify_check(job))
		return;
	if (sbc_job_advance(job))
		write_verify_step(job);
	else
		sbc_job_end(job, 0);
}

static void write_verify_read(struct sbc_job *job)
{
	job->next = write_verify_check;
	sbc_job_again(job, DMA_FROM_DEVICE);
}

static void write_verify_start(struct sbc_job *job)
{
	job->bytchk = bytchk_of(job->cmd);
	job->fua = true;
	write_verify_step(job);
}

/**
 * sbc_setup_write_verify - WRITE AND VERIFY (10), (12), (16)
 * @cmd:	the command
 * @ops:	the backend's
 * @size:	left as it is
 *
 * Return: 0 or TCM_INVALID_CDB_FIELD.
 */
sense_reason_t sbc_setup_write_verify(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)
{
	return bytchk_of(cmd) > 1 ? TCM_INVALID_CDB_FIELD : 0;
}

/**
 * sbc_write_verify - WRITE AND VERIFY (10), (12), (16)
 * @cmd:	the command
 *
 * An initiator that announces no data writes none, as with WRITE: the residual tells it.
 *
 * Return: 0 or why not. Context: process.
 */
sense_reason_t sbc_write_verify(struct se_cmd *cmd)
{
	if (!cmd->data_length) {
		target_complete_cmd(cmd, SAM_STAT_GOOD);
		return 0;
	}
	return run_job(cmd, bytes_of(cmd), write_verify_start);
}

/* COMPARE AND WRITE: one step */

static void caw_written(struct sbc_job *job)
{
	sbc_job_end(job, 0);
}

static void caw_compare(struct sbc_job *job)
{
	u32 bytes = sbc_job_bytes(job);
	size_t same = walk_both(job, 0, 0, bytes, first_difference);

	if (same < bytes) {
		/* SBC-4 5.3: the first byte that differs */
		job->cmd->sense_info = same;
		sbc_job_end(job, TCM_MISCOMPARE_VERIFY);
		return;
	}
	walk_both(job, bytes, 0, bytes, copy_into);
	job->next = caw_written;
	sbc_job_again(job, DMA_TO_DEVICE);
}

static void caw_read(struct sbc_job *job)
{
	job->next = caw_compare;
	sbc_job_step(job, DMA_FROM_DEVICE);
}

static void caw_start(struct sbc_job *job)
{
	sbc_job_lock(job, caw_read);
}

/**
 * sbc_setup_compare_and_write - COMPARE AND WRITE
 * @cmd:	the command
 * @ops:	the backend's
 * @size:	is set to the blocks to compare and the blocks to write
 *
 * Return: 0; the CDB has no room for more than SBC_CAW_MAX_BLOCKS.
 */
sense_reason_t sbc_setup_compare_and_write(struct se_cmd *cmd, struct exec_cmd_ops *ops,
					   unsigned int *size)
{
	BUILD_BUG_ON(SBC_CAW_MAX_BLOCKS < U8_MAX);
	cmd->se_cmd_flags |= SCF_COMPARE_AND_WRITE;
	*size = 2 * cmd->t_task_nolb * cmd->se_dev->dev_attrib.block_size;
	return 0;
}

/**
 * sbc_compare_and_write - COMPARE AND WRITE
 * @cmd:	the command
 *
 * Return: 0 or why not. Context: process.
 */
sense_reason_t sbc_compare_and_write(struct se_cmd *cmd)
{
	return run_job(cmd, 2 * bytes_of(cmd), caw_start);
}

/* ORWRITE: steps of read, or, write */

static void or_write(struct sbc_job *job);

static void or_read(struct sbc_job *job)
{
	job->next = or_write;
	sbc_job_step(job, DMA_FROM_DEVICE);
}

static void or_written(struct sbc_job *job)
{
	if (sbc_job_advance(job))
		or_read(job);
	else
		sbc_job_end(job, 0);
}

static void or_write(struct sbc_job *job)
{
	walk_both(job, job->offset, 0, sbc_job_bytes(job), or_into);
	job->next = or_written;
	sbc_job_again(job, DMA_TO_DEVICE);
}

static void or_start(struct sbc_job *job)
{
	sbc_job_lock(job, or_read);
}

/**
 * sbc_or_write - ORWRITE (16)
 * @cmd:	the command
 *
 * Return: 0 or why not. Context: process.
 */
sense_reason_t sbc_or_write(struct se_cmd *cmd)
{
	return run_job(cmd, bytes_of(cmd), or_start);
}
