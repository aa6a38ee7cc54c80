/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands that take more than one read or write of the medium: VERIFY, WRITE
 * AND VERIFY, COMPARE AND WRITE, ORWRITE, WRITE SAME, FORMAT UNIT, SANITIZE.
 * A job owns a buffer of its own and an se_cmd that only the backend sees; it
 * goes through its range a step at a time, and no thread waits for it.
 */
#ifndef LIO_SBC_JOB_H
#define LIO_SBC_JOB_H

#include "core.h"
#include "sg_pos.h"

/**
 * struct sbc_job - one such command under way
 * @io:		what the backend gets; no fabric, no session, no LUN
 * @sense:	sense buffer of @io
 * @cmd:	the command that is ended with the job; NULL: has been (IMMED)
 * @dev:	its device
 * @ops:	the backend's functions
 * @sgl:	the job's buffer
 * @nents:	entries of @sgl
 * @size:	bytes of it
 * @prot:	protection information of the buffer's blocks, where the device has it
 * @prot_nents:	entries of @prot
 * @lba:	first block not done yet
 * @left:	blocks not done yet
 * @step:	blocks of the step under way
 * @offset:	bytes of the command's data that are done
 * @fua:	writes go to the medium
 * @locked:	holds the device's caw_sem
 * @pinned:	holds the device and this module, because @cmd does not any more
 * @next:	called in process context when a step has ended well; starts the
 *		next or ends the job
 * @end:	called once when the job ends, may be NULL
 * @wait:	on the list of those who want caw_sem
 * @start:	first step, once caw_sem is held
 * @bytchk:	VERIFY: as in the CDB
 * @pass:	SANITIZE: passes to go, this one included
 * @invert:	SANITIZE: the pattern is inverted after each pass
 * @erase:	SANITIZE: how the backstore erases; NULL: by unmapping or writing
 * @total:	FORMAT and SANITIZE: blocks of all passes, for the progress
 */
struct sbc_job {
	struct se_cmd		io;
	u8			sense[TRANSPORT_SENSE_BUFFER];
	struct se_cmd		*cmd;
	struct se_device	*dev;
	struct exec_cmd_ops	*ops;
	struct scatterlist	*sgl;
	unsigned int		nents;
	u32			size;
	struct scatterlist	*prot;
	unsigned int		prot_nents;
	u64			lba;
	u64			left;
	u32			step;
	size_t			offset;
	bool			fua;
	bool			locked;
	bool			pinned;
	void			(*next)(struct sbc_job *job);
	void			(*end)(struct sbc_job *job, bool good);
	struct list_head	wait;
	void			(*start)(struct sbc_job *job);
	u8			bytchk;
	u8			pass;
	bool			invert;
	int			(*erase)(struct se_device *dev, u64 lba, u64 nolb);
	u64			total;
};

struct sbc_job *sbc_job_create(struct se_cmd *cmd, u64 lba, u64 blocks);
void sbc_job_fill(struct sbc_job *job, u8 *pattern, u32 len);
void sbc_job_detach(struct sbc_job *job);
void sbc_job_step(struct sbc_job *job, enum dma_data_direction dir);
void sbc_job_again(struct sbc_job *job, enum dma_data_direction dir);
void sbc_job_sync(struct sbc_job *job);
unsigned int sbc_job_fit(struct sbc_job *job, u32 bytes);
bool sbc_job_cancelled(const struct sbc_job *job);
bool sbc_job_advance(struct sbc_job *job);
void sbc_job_end(struct sbc_job *job, sense_reason_t reason);
void sbc_job_lock(struct sbc_job *job, void (*start)(struct sbc_job *job));

/* Bytes of the step under way. */
static inline u32 sbc_job_bytes(const struct sbc_job *job)
{
	return job->step * job->dev->dev_attrib.block_size;
}

#endif /* LIO_SBC_JOB_H */
