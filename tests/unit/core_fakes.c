// SPDX-License-Identifier: GPL-2.0
#include "core_fakes.h"

#include "backstore_ops.h"
#include "sbc_job.h"

struct core_fakes core_fakes;
struct workqueue_struct *target_submission_wq;

static u64 get_blocks(struct se_device *dev)
{
	(void)dev;
	return core_fakes.last_lba;
}

static u32 get_device_type(struct se_device *dev)
{
	(void)dev;
	return TYPE_DISK;
}

static void atomic(struct se_device *dev, struct backstore_atomic *limits)
{
	(void)dev;
	*limits = (struct backstore_atomic){
		core_fakes.atomic_max, core_fakes.atomic_alignment, core_fakes.atomic_granularity
	};
}

static const struct backstore_ops backend = {
	.ops = {
		.get_blocks = get_blocks,
		.get_device_type = get_device_type,
	},
	.version = BACKSTORE_OPS_VERSION,
	.atomic = atomic,
};

void core_fake_device(struct se_device *dev)
{
	dev->transport = &backend.ops;
	dev->dev_flags = DF_BACKSTORE_OPS;
}

static sense_reason_t execute_rw(struct se_cmd *cmd, struct scatterlist *sgl, u32 nents, enum dma_data_direction dir)
{
	(void)cmd, (void)sgl, (void)nents, (void)dir;
	return 0;
}

static sense_reason_t execute_unmap(struct se_cmd *cmd, sector_t lba, sector_t nolb)
{
	(void)cmd;
	core_fakes.nr_unmaps++;
	core_fakes.unmapped += nolb;
	core_fakes.unmap_end = max(core_fakes.unmap_end, lba + nolb);
	return 0;
}

struct exec_cmd_ops core_fake_ops = {
	.execute_rw = execute_rw,
	.execute_unmap = execute_unmap,
};

sense_reason_t target_cmd_size_check(struct se_cmd *cmd, unsigned int size)
{
	(void)cmd;
	core_fakes.size = size;
	return 0;
}

void target_complete_cmd(struct se_cmd *cmd, u8 status)
{
	(void)cmd;
	shim_assert(status == SAM_STAT_GOOD);
	core_fakes.nr_completed++;
}

void cmd_reply(struct se_cmd *cmd, const void *buf, size_t len)
{
	(void)buf;
	shim_assert(len);
	target_complete_cmd(cmd, SAM_STAT_GOOD);
}

size_t cmd_fetch(struct se_cmd *cmd, size_t offset, void *buf, size_t len)
{
	size_t end = min_t(size_t, core_fakes.out_len, cmd->data_length);

	if (offset >= end)
		return 0;
	len = min(len, end - offset);
	memcpy(buf, core_fakes.out + offset, len);
	return len;
}

sense_reason_t sbc_setup_prot(struct se_cmd *cmd, const struct cdb_op *op, u8 protect)
{
	(void)cmd, (void)op;
	return protect ? TCM_INVALID_CDB_FIELD : 0;
}

void ua_allocate_dev(struct se_device *dev, const struct se_node_acl *except, u8 asc, u8 ascq)
{
	(void)dev;
	shim_assert(!except);
	core_fakes.nr_attentions++;
	core_fakes.attention = (u16)(asc << 8 | ascq);
}

enum target_prot_type cmd_prot_type(const struct se_cmd *cmd)
{
	return cmd->se_dev->dev_attrib.pi_prot_type;
}

void execute_done(struct se_cmd *cmd)
{
	(void)cmd;
}

bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	(void)wq, (void)work;
	shim_bug("nothing here has work for later", __FILE__, __LINE__);
}

struct sbc_job *sbc_job_create(struct se_cmd *cmd, u64 lba, u64 blocks)
{
	(void)cmd, (void)lba;
	shim_assert(blocks);
	core_fakes.nr_jobs++;
	return NULL;
}

/* Of a job that was never made */
#define NO_JOB(proto)	proto { shim_bug("no job", __FILE__, __LINE__); }
#pragma GCC diagnostic ignored "-Wunused-parameter"
NO_JOB(void transport_generic_request_failure(struct se_cmd *cmd, sense_reason_t reason))
NO_JOB(void sbc_job_fill(struct sbc_job *job, u8 *pattern, u32 len))
NO_JOB(void sbc_job_detach(struct sbc_job *job))
NO_JOB(void sbc_job_step(struct sbc_job *job, enum dma_data_direction dir))
NO_JOB(void sbc_job_again(struct sbc_job *job, enum dma_data_direction dir))
NO_JOB(void sbc_job_sync(struct sbc_job *job))
NO_JOB(unsigned int sbc_job_fit(struct sbc_job *job, u32 bytes))
NO_JOB(bool sbc_job_cancelled(const struct sbc_job *job))
NO_JOB(bool sbc_job_advance(struct sbc_job *job))
NO_JOB(void sbc_job_end(struct sbc_job *job, sense_reason_t reason))
NO_JOB(void sbc_job_lock(struct sbc_job *job, void (*start)(struct sbc_job *job)))

/* SPC's commands: only which one was chosen matters. */
#define HANDLER(name)	sense_reason_t name(struct se_cmd *cmd) { (void)cmd; return 0; }
HANDLER(spc_emulate_report_luns)
HANDLER(spc_inquiry)
HANDLER(spc_log_sense)
HANDLER(spc_mode_select)
HANDLER(spc_mode_sense)
HANDLER(spc_read_buffer)
HANDLER(spc_receive_diagnostic)
HANDLER(spc_report_opcodes)
HANDLER(spc_report_tmf)
HANDLER(spc_request_sense)
HANDLER(spc_send_diagnostic)
HANDLER(spc_test_unit_ready)
HANDLER(spc_write_buffer)

#define SETUP(name) \
	sense_reason_t name(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size) \
	{ (void)cmd, (void)ops, (void)size; return 0; }
SETUP(spc_setup_mode_select)
SETUP(spc_setup_send_diagnostic)
SETUP(spc_setup_write_buffer)
