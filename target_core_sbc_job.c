// SPDX-License-Identifier: GPL-2.0
/*
 * Commands that take more than one read or write of the medium, see sbc_job.h.
 */
#include "sbc_job.h"

#include <linux/module.h>
#include <linux/slab.h>

#include "cdb.h"

/*
 * Jobs that wait for their device's caw_sem, in the order in which they came.
 * A waiter sleeps nowhere: whoever gives the semaphore back starts it.
 */
static LIST_HEAD(lock_waiters);
static DEFINE_SPINLOCK(lock_waiters_lock);

static int job_get_cmd_state(struct se_cmd *cmd)
{
	return 0;
}

/* A job's se_cmd is complete with its callback; no response is ever sent. */
static const struct target_core_fabric_ops job_fabric = {
	.fabric_name	= "sbc-job",
	.get_cmd_state	= job_get_cmd_state,
};

static void job_free(struct sbc_job *job)
{
	if (job->prot)
		target_free_sgl(job->prot, job->prot_nents);
	if (job->sgl)
		target_free_sgl(job->sgl, job->nents);
	kfree(job);
}

/* Memory for a step of @blocks. */
static struct sbc_job *job_alloc(struct se_device *dev, u32 blocks)
{
	struct sbc_job *job = kzalloc(sizeof(*job), GFP_NOIO);
	int ret;

	if (!job)
		return NULL;
	job->size = blocks * dev->dev_attrib.block_size;
	ret = target_alloc_sgl(&job->sgl, &job->nents, job->size, true, false);
	if (!ret && dev->dev_attrib.pi_prot_type)
		ret = target_alloc_sgl(&job->prot, &job->prot_nents, blocks * dev->prot_length, true, false);
	if (ret) {
		job_free(job);
		return NULL;
	}
	return job;
}

/**
 * sbc_job_create - a job for a command
 * @cmd:	command that is ended with it, parsed by sbc_parse_cdb()
 * @lba:	first block
 * @blocks:	number of blocks, not 0
 *
 * Return: the job, with a zeroed buffer for a step; NULL: no memory.
 * Context: process.
 */
struct sbc_job *sbc_job_create(struct se_cmd *cmd, u64 lba, u64 blocks)
{
	struct se_device *dev = cmd->se_dev;
	struct sbc_job *job;

	job = job_alloc(dev, min_t(u64, blocks, max_t(u32, SBC_STEP_BYTES / dev->dev_attrib.block_size, 1)));
	if (!job)
		return NULL;
	job->cmd = cmd;
	job->dev = dev;
	job->ops = cmd_exec_ops(cmd);
	job->lba = lba;
	job->left = blocks;
	job->fua = cmd->se_cmd_flags & SCF_FUA;
	__target_init_cmd(&job->io, &job_fabric, NULL, 0, DMA_NONE, TCM_SIMPLE_TAG, job->sense, 0, NULL);
	job->io.se_dev = dev;
	job->io.protocol_data = job->ops;
	return job;
}

/**
 * sbc_job_fill - fills the buffer with copies of a pattern
 * @job:	job that has no step under way
 * @pattern:	the pattern
 * @len:	its length, not 0; a block has as many as fit, the last one cut
 */
void sbc_job_fill(struct sbc_job *job, u8 *pattern, u32 len)
{
	u32 block_size = job->dev->dev_attrib.block_size;
	struct sg_pos pos = sg_pos_start(job->sgl, 0);
	u32 at;

	for (at = 0; at < job->size; ) {
		u32 n = min(len, block_size - at % block_size);

		if (!sg_pos_copy(&pos, pattern, n, true))
			return;
		at += n;
	}
}

/**
 * sbc_job_detach - the command ends now, the job goes on (IMMED)
 * @job:	job whose command is not ended yet
 */
void sbc_job_detach(struct sbc_job *job)
{
	struct se_cmd *cmd = job->cmd;

	__module_get(THIS_MODULE);
	config_item_get(&job->dev->dev_group.cg_item);
	job->pinned = true;
	job->cmd = NULL;
	target_complete_cmd(cmd, SAM_STAT_GOOD);
}

static void job_finish(struct sbc_job *job, u8 status, sense_reason_t reason);

/**
 * sbc_job_cancelled - is the job to end before it is through?
 * @job:	the job
 *
 * Whoever waits for it can stop it: an abort, or, with IMMED, rmdir of the device.
 * LUNs may come and go meanwhile: the medium is the device's, and who has asked
 * for it to be sanitized expects that it is.
 *
 * Return: true if so.
 */
bool sbc_job_cancelled(const struct sbc_job *job)
{
	if (job->cmd)
		return READ_ONCE(job->cmd->transport_state) & CMD_T_ABORTED;
	return READ_ONCE(to_core_dev(job->dev)->dropped);
}

static sense_reason_t job_io_done(struct se_cmd *io, bool success, int *post_ret)
{
	struct sbc_job *job = container_of(io, struct sbc_job, io);

	/* The job goes on with its se_cmd, or frees it: the core is through with it. */
	*post_ret = 1;
	io->transport_complete_callback = NULL;
	if (!success)
		job_finish(job, io->scsi_status ?: SAM_STAT_CHECK_CONDITION, io->sense_reason);
	else if (sbc_job_cancelled(job))
		job_finish(job, SAM_STAT_CHECK_CONDITION, TCM_CHECK_CONDITION_ABORT_CMD);
	else
		job->next(job);
	return 0;
}

static void job_prepare(struct sbc_job *job, enum dma_data_direction dir)
{
	struct se_cmd *io = &job->io;

	io->transport_complete_callback = job_io_done;
	io->t_state = TRANSPORT_PROCESSING;
	io->transport_state = CMD_T_ACTIVE | CMD_T_SENT;
	io->scsi_status = SAM_STAT_GOOD;
	io->sense_reason = 0;
	io->data_direction = dir;
	io->se_cmd_flags = 0;
	io->t_task_lba = job->lba;
	io->t_task_nolb = 0;
	io->data_length = 0;
	io->cpuid = raw_smp_processor_id();
}

/**
 * sbc_job_fit - lets the buffer's entries, a page each, hold so many bytes
 * @job:	job that has no step under way
 * @bytes:	no more than its size; a backend may go by the entries' lengths
 *
 * Return: the entries that hold them.
 */
unsigned int sbc_job_fit(struct sbc_job *job, u32 bytes)
{
	unsigned int used = DIV_ROUND_UP(bytes, PAGE_SIZE);
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(job->sgl, sg, used, i) {
		sg->length = min_t(u32, bytes, PAGE_SIZE);
		bytes -= sg->length;
	}
	return used;
}

static void job_started(struct sbc_job *job, sense_reason_t reason)
{
	if (!reason)
		return;	/* @job may be gone already */
	job->io.transport_complete_callback = NULL;
	job_finish(job, SAM_STAT_CHECK_CONDITION, reason);
}

/* What is written gets protection information, what is read is checked. */
static void job_protect(struct sbc_job *job, enum dma_data_direction dir)
{
	struct se_cmd *io = &job->io;

	if (!job->prot)
		return;
	io->prot_type = job->dev->dev_attrib.pi_prot_type;
	io->prot_checks = TARGET_DIF_CHECK_GUARD | TARGET_DIF_CHECK_REFTAG;
	io->prot_length = job->step * job->dev->prot_length;
	io->reftag_seed = lower_32_bits(job->lba);
	io->t_prot_sg = job->prot;
	io->t_prot_nents = DIV_ROUND_UP(io->prot_length, PAGE_SIZE);
	if (dir == DMA_TO_DEVICE)
		sbc_dif_generate(io);
}

/**
 * sbc_job_again - reads or writes the blocks of the step under way
 * @job:	the job; the caller gives it up
 * @dir:	DMA_FROM_DEVICE: into the buffer, DMA_TO_DEVICE: from it
 */
void sbc_job_again(struct sbc_job *job, enum dma_data_direction dir)
{
	struct se_cmd *io = &job->io;

	job_prepare(job, dir);
	io->se_cmd_flags = SCF_SCSI_DATA_CDB;
	if (dir == DMA_TO_DEVICE && job->fua)
		io->se_cmd_flags |= SCF_FUA;
	io->t_task_nolb = job->step;
	io->data_length = sbc_job_bytes(job);
	io->t_data_sg = job->sgl;
	io->t_data_nents = sbc_job_fit(job, io->data_length);
	job_protect(job, dir);
	job_started(job, job->ops->execute_rw(io, job->sgl, io->t_data_nents, dir));
}

/**
 * sbc_job_step - reads or writes as many blocks as the buffer holds
 * @job:	job with blocks left; the caller gives it up
 * @dir:	as for sbc_job_again()
 */
void sbc_job_step(struct sbc_job *job, enum dma_data_direction dir)
{
	job->step = min_t(u64, job->left, job->size / job->dev->dev_attrib.block_size);
	sbc_job_again(job, dir);
}

/**
 * sbc_job_sync - lets the backend write its cache to the medium
 * @job:	the job, whose next() is called after that; the caller gives it up
 */
void sbc_job_sync(struct sbc_job *job)
{
	job_prepare(job, DMA_NONE);
	job->io.t_task_lba = 0;
	job_started(job, job->ops->execute_sync_cache(&job->io));
}

/**
 * sbc_job_advance - a step is done
 * @job:	the job
 *
 * Return: true if there are blocks left.
 */
bool sbc_job_advance(struct sbc_job *job)
{
	job->offset += sbc_job_bytes(job);
	job->lba += job->step;
	job->left -= job->step;
	return job->left;
}

/**
 * sbc_job_lock - makes a read and the write that comes of it one
 * @job:	the job; the caller gives it up
 * @start:	called when no other job of the device is between the two,
 *		perhaps at once
 */
void sbc_job_lock(struct sbc_job *job, void (*start)(struct sbc_job *job))
{
	bool locked;

	spin_lock(&lock_waiters_lock);
	locked = !down_trylock(&job->dev->caw_sem);
	if (!locked) {
		job->start = start;
		list_add_tail(&job->wait, &lock_waiters);
	}
	spin_unlock(&lock_waiters_lock);
	if (!locked)
		return;
	job->locked = true;
	start(job);
}

/* Hands the device's caw_sem to who has waited longest, if any does; returns that job. */
static struct sbc_job *job_unlock(struct se_device *dev)
{
	struct sbc_job *job, *found = NULL;

	spin_lock(&lock_waiters_lock);
	list_for_each_entry(job, &lock_waiters, wait) {
		if (job->dev == dev) {
			found = job;
			break;
		}
	}
	if (found)
		list_del(&found->wait);
	else
		up(&dev->caw_sem);
	spin_unlock(&lock_waiters_lock);
	return found;
}

static void job_start_next(struct sbc_job *job)
{
	if (!job)
		return;
	job->locked = true;
	job->start(job);
}

static void job_finish(struct sbc_job *job, u8 status, sense_reason_t reason)
{
	struct sbc_job *next = job->locked ? job_unlock(job->dev) : NULL;
	struct se_device *dev = job->dev;
	struct se_cmd *cmd = job->cmd;
	bool pinned = job->pinned;

	if (job->end)
		job->end(job, status == SAM_STAT_GOOD);
	job_free(job);
	job_start_next(next);

	if (cmd && status == SAM_STAT_CHECK_CONDITION)
		target_complete_cmd_with_sense(cmd, status,
					       reason ?: TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE);
	else if (cmd)
		target_complete_cmd(cmd, status);
	if (pinned) {
		config_item_put(&dev->dev_group.cg_item);
		module_put(THIS_MODULE);
	}
}

/**
 * sbc_job_end - ends a job and its command
 * @job:	the job, freed
 * @reason:	0: GOOD
 */
void sbc_job_end(struct sbc_job *job, sense_reason_t reason)
{
	job_finish(job, reason ? SAM_STAT_CHECK_CONDITION : SAM_STAT_GOOD, reason);
}
