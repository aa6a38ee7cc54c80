// SPDX-License-Identifier: GPL-2.0
/*
 * A command from its initialisation to its submission, and its lifetime.
 *
 * References (se_cmd::cmd_kref): one is the core's and goes with
 * transport_generic_free_cmd() or check_stop_free; with SCF_ACK_KREF there is
 * one of the fabric's, until the initiator has the response; a task management
 * function has one while it claims the command. release_cmd() of the fabric
 * comes with the last one.
 */
#include "core.h"

#include "cmd_flags.h"

#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <scsi/scsi_common.h>
#include <trace/events/target.h>

/**
 * __target_init_cmd - initialise a command
 * @cmd:	zeroed by the fabric, but for its own members
 * @tfo:	the fabric
 * @se_sess:	the nexus
 * @data_length: bytes the initiator expects to transfer
 * @data_direction: and where to
 * @task_attr:	TCM_*_TAG
 * @sense_buffer: of TRANSPORT_SENSE_BUFFER bytes, the fabric's
 * @unpacked_lun: the LUN
 * @cmd_cnt:	who counts it, see target_get_sess_cmd()
 *
 * Any context.
 */
void __target_init_cmd(struct se_cmd *cmd, const struct target_core_fabric_ops *tfo, struct se_session *se_sess,
		       u32 data_length, int data_direction, int task_attr, unsigned char *sense_buffer,
		       u64 unpacked_lun, struct target_cmd_counter *cmd_cnt)
{
	INIT_LIST_HEAD(&cmd->se_delayed_node);
	INIT_LIST_HEAD(&cmd->se_qf_node);
	INIT_LIST_HEAD(&cmd->state_list);
	init_completion(&cmd->t_transport_stop_comp);
	cmd->free_compl = NULL;
	cmd->abrt_compl = NULL;
	spin_lock_init(&cmd->t_state_lock);
	INIT_WORK(&cmd->work, NULL);
	kref_init(&cmd->cmd_kref);

	cmd->t_task_cdb = cmd->__t_task_cdb;
	cmd->se_tfo = tfo;
	cmd->se_sess = se_sess;
	cmd->data_length = data_length;
	cmd->data_direction = data_direction;
	cmd->sam_task_attr = task_attr;
	cmd->sense_buffer = sense_buffer;
	cmd->orig_fe_lun = unpacked_lun;
	cmd->cmd_cnt = cmd_cnt;
	if (!(cmd->se_cmd_flags & SCF_USE_CPUID))
		cmd->cpuid = raw_smp_processor_id();
	cmd->state_active = false;
}

/**
 * target_get_sess_cmd - count a command, and take the fabric's reference
 * @se_cmd:	the command
 * @ack_kref:	the fabric gives a second reference back when the initiator has the response
 *
 * Any context.
 *
 * Return: 0, or -ESHUTDOWN when the session or connection ends.
 */
int target_get_sess_cmd(struct se_cmd *se_cmd, bool ack_kref)
{
	if (se_cmd->cmd_cnt && !percpu_ref_tryget_live(&se_cmd->cmd_cnt->refcnt)) {
		/* What was not counted is not counted down. */
		se_cmd->cmd_cnt = NULL;
		return -ESHUTDOWN;
	}
	if (ack_kref) {
		kref_get(&se_cmd->cmd_kref);
		se_cmd->se_cmd_flags |= SCF_ACK_KREF;
	}
	return 0;
}

/*
 * What a peer may make the core allocate. A buffer of LARGE_PAGES or more counts
 * against a quarter of the memory, that of all peers together: how many commands
 * they may have is for their fabrics to limit, the length of one is theirs to say.
 */
#define LARGE_PAGES	(SZ_1M >> PAGE_SHIFT)

static atomic_long_t large_pages;

static void put_large(long pages)
{
	if (unlikely(pages >= LARGE_PAGES))
		atomic_long_sub(pages, &large_pages);
}

/* TASK SET FULL is over when other commands are; what never fits is refused for good. */
static sense_reason_t get_large(long pages)
{
	long limit = totalram_pages() / 4;

	if (likely(pages < LARGE_PAGES))
		return 0;
	if (pages > limit)
		return TCM_INVALID_CDB_FIELD;
	if (atomic_long_add_return(pages, &large_pages) <= limit)
		return 0;
	put_large(pages);
	return TCM_OUT_OF_RESOURCES;
}

static sense_reason_t alloc_data(struct scatterlist **sgl, unsigned int *nents, u32 length, bool zero)
{
	long pages = DIV_ROUND_UP_ULL(length, PAGE_SIZE);
	sense_reason_t ret = get_large(pages);

	if (!ret && target_alloc_sgl(sgl, nents, length, zero, false)) {
		put_large(pages);
		ret = TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE;
	}
	return ret;
}

static void free_data(struct scatterlist **sgl, unsigned int *nents)
{
	if (!*sgl)
		return;
	target_free_sgl(*sgl, *nents);
	put_large(*nents);
	*sgl = NULL;
	*nents = 0;
}

static void free_pages_of(struct se_cmd *cmd)
{
	if (!(cmd->se_cmd_flags & SCF_PASSTHROUGH_PROT_SG_TO_MEM_NOALLOC) && cmd->t_prot_sg) {
		target_free_sgl(cmd->t_prot_sg, cmd->t_prot_nents);
		cmd->t_prot_sg = NULL;
		cmd->t_prot_nents = 0;
	}
	if (cmd->se_cmd_flags & SCF_PASSTHROUGH_SG_TO_MEM_NOALLOC)
		return;
	free_data(&cmd->t_data_sg, &cmd->t_data_nents);
	free_data(&cmd->t_bidi_data_sg, &cmd->t_bidi_data_nents);
}

static void release_cmd(struct kref *kref)
{
	struct se_cmd *cmd = container_of(kref, struct se_cmd, cmd_kref);
	struct target_cmd_counter *cmd_cnt = cmd->cmd_cnt;
	struct completion *free_compl = cmd->free_compl;
	struct completion *abrt_compl = cmd->abrt_compl;

	cmd_untrack(cmd);
	execute_done(cmd);
	if (cmd->se_cmd_flags & SCF_SCSI_TMR_CDB)
		tmr_unlist(cmd->se_tmr_req);
	cmd_put_lun(cmd);
	free_pages_of(cmd);
	if (cmd->se_cmd_flags & SCF_SCSI_TMR_CDB)
		core_tmr_release_req(cmd->se_tmr_req);
	if (cmd->t_task_cdb != cmd->__t_task_cdb)
		kfree(cmd->t_task_cdb);
	cmd->se_tfo->release_cmd(cmd);
	/* Its memory is the fabric's again. */
	if (free_compl)
		complete(free_compl);
	if (abrt_compl)
		abort_waiter_release(abrt_compl);
	if (cmd_cnt)
		percpu_ref_put(&cmd_cnt->refcnt);
}

/**
 * target_put_sess_cmd - give a reference back
 * @se_cmd:	the command
 *
 * Any context.
 *
 * Return: 1 when it was the last one, and the command is gone.
 */
int target_put_sess_cmd(struct se_cmd *se_cmd)
{
	return kref_put(&se_cmd->cmd_kref, release_cmd);
}

void cmd_track(struct se_cmd *cmd)
{
	struct se_device_queue *queue = &cmd->se_dev->queues[cmd->cpuid];
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	/* On it since it was queued, or off it again: claims are made, and taken off, with the lock held. */
	if (!cmd->state_active && !(READ_ONCE(cmd->transport_state) & CMD_T_ABORTED)) {
		list_add_tail(&cmd->state_list, &queue->state_list);
		cmd->state_active = true;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

void cmd_untrack_active(struct se_cmd *cmd)
{
	struct se_device_queue *queue = &cmd->se_dev->queues[cmd->cpuid];
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	if (cmd->state_active) {
		list_del(&cmd->state_list);
		cmd->state_active = false;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * target_cmd_init_cdb - give a command its CDB
 * @cmd:	an initialised command
 * @cdb:	as long as it says that it is
 * @gfp:	for one that is longer than TCM_MAX_COMMAND_SIZE
 *
 * Return: 0, TCM_INVALID_CDB_FIELD, TCM_OUT_OF_RESOURCES.
 */
sense_reason_t target_cmd_init_cdb(struct se_cmd *cmd, unsigned char *cdb, gfp_t gfp)
{
	unsigned int size = scsi_command_size(cdb);

	cmd->t_task_cdb = cmd->__t_task_cdb;
	if (size > SCSI_MAX_VARLEN_CDB_SIZE)
		return TCM_INVALID_CDB_FIELD;
	if (size > sizeof(cmd->__t_task_cdb)) {
		cmd->t_task_cdb = kzalloc(size, gfp);
		if (!cmd->t_task_cdb) {
			cmd->t_task_cdb = cmd->__t_task_cdb;
			return TCM_OUT_OF_RESOURCES;
		}
	}
	memcpy(cmd->t_task_cdb, cdb, size);
	trace_target_sequencer_start(cmd);
	return 0;
}

/* What the fabric's scatterlists can hold limits a command (block limits VPD page). */
static void limit_to_fabric(struct se_cmd *cmd, unsigned int size)
{
	u32 max = cmd->se_tfo->max_data_sg_nents * PAGE_SIZE;

	if (!max || !(cmd->se_cmd_flags & SCF_SCSI_DATA_CDB) || cmd->data_length <= max)
		return;
	if (cmd->se_cmd_flags & SCF_UNDERFLOW_BIT) {
		cmd->residual_count += size - max;
	} else {
		cmd->se_cmd_flags |= SCF_UNDERFLOW_BIT;
		cmd->residual_count = size - max;
	}
	cmd->data_length = max;
	if (cmd->prot_length)
		cmd->prot_length = max / cmd->se_dev->dev_attrib.block_size * cmd->se_dev->prot_length;
}

static void set_residual(struct se_cmd *cmd, unsigned int size)
{
	if (size > cmd->data_length) {
		cmd->se_cmd_flags |= SCF_OVERFLOW_BIT;
		cmd->residual_count = size - cmd->data_length;
	} else {
		cmd->se_cmd_flags |= SCF_UNDERFLOW_BIT;
		cmd->residual_count = cmd->data_length - size;
	}
}

/*
 * Of a command whose CDB and initiator do not agree: backends move whole blocks
 * only. What the initiator has room for, and the CDB does not ask for, stays
 * untouched; without any announced data there is no direction, and none moves.
 */
static sense_reason_t check_block_length(struct se_cmd *cmd)
{
	u32 block_size = cmd->se_dev->dev_attrib.block_size;

	if (!(cmd->se_cmd_flags & SCF_SCSI_DATA_CDB))
		return 0;
	if (cmd->data_direction == DMA_TO_DEVICE)
		return TCM_INVALID_FIELD_IN_COMMAND_IU;
	if ((cmd->se_cmd_flags & SCF_OVERFLOW_BIT) && cmd->data_length % block_size)
		return sbc_setup_read_part(cmd);
	return 0;
}

/**
 * target_cmd_size_check - compare what the CDB transfers with what the initiator expects
 * @cmd:	the command; data_length is what is expected
 * @size:	bytes by the CDB
 *
 * Sets residual and direction of the difference; data_length becomes what will
 * really be transferred (SAM-5 clause 5.4.3, the fabrics' own overflow rules).
 * Return: 0, TCM_INVALID_FIELD_IN_COMMAND_IU for writes of blocks that differ,
 * TCM_INVALID_CDB_FIELD.
 */
sense_reason_t target_cmd_size_check(struct se_cmd *cmd, unsigned int size)
{
	if (cmd->unknown_data_length) {
		cmd->data_length = size;
	} else if (size != cmd->data_length) {
		sense_reason_t ret;

		/* By how much they differ is told even if that is why the command is refused. */
		set_residual(cmd, size);
		ret = check_block_length(cmd);
		if (ret)
			return ret;
		cmd->data_length = min(size, cmd->data_length);
	}
	limit_to_fabric(cmd, size);
	return 0;
}

/**
 * target_cmd_parse_cdb - let the backstore parse the CDB
 * @cmd:	a command with LUN and CDB
 *
 * Any context.
 *
 * Return: 0 or why it is refused.
 */
sense_reason_t target_cmd_parse_cdb(struct se_cmd *cmd)
{
	struct se_device *dev = cmd->se_dev;
	sense_reason_t ret = dev->transport->parse_cdb(cmd);

	if (ret)
		return ret;
	/* ACA is not supported: NORMACA is zero in INQUIRY data (SAM-5 clause 8.6.5). */
	if (!(dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH) && cmd->sam_task_attr == TCM_ACA_TAG)
		return TCM_INVALID_CDB_FIELD;
	cmd->se_cmd_flags |= SCF_SUPPORTED_SAM_OPCODE;
	return 0;
}

/**
 * target_init_cmd - initialise and count a command
 * @se_cmd:	zeroed by the fabric, but for its own members
 * @se_sess:	the nexus
 * @sense:	of TRANSPORT_SENSE_BUFFER bytes
 * @unpacked_lun: the LUN
 * @data_length: bytes the initiator expects
 * @task_attr:	TCM_*_TAG
 * @data_dir:	where to
 * @flags:	TARGET_SCF_*
 *
 * Any context.
 *
 * Return: 0, or -ESHUTDOWN; the command is the fabric's then.
 */
int target_init_cmd(struct se_cmd *se_cmd, struct se_session *se_sess, unsigned char *sense, u64 unpacked_lun,
		    u32 data_length, int task_attr, int data_dir, int flags)
{
	struct se_portal_group *se_tpg = se_sess->se_tpg;

	if (flags & TARGET_SCF_USE_CPUID)
		se_cmd->se_cmd_flags |= SCF_USE_CPUID;
	if (flags & TARGET_SCF_BIDI_OP)
		se_cmd->se_cmd_flags |= SCF_BIDI;
	if (flags & TARGET_SCF_UNKNOWN_SIZE)
		se_cmd->unknown_data_length = 1;
	__target_init_cmd(se_cmd, se_tpg->se_tpg_tfo, se_sess, data_length, data_dir, task_attr, sense,
			  unpacked_lun, se_sess->cmd_cnt);
	return target_get_sess_cmd(se_cmd, flags & TARGET_SCF_ACK_KREF);
}

/* The fabric's memory, where it has some. */
static void take_buffers(struct se_cmd *cmd, struct scatterlist *sgl, u32 sgl_count, struct scatterlist *sgl_bidi,
			 u32 sgl_bidi_count)
{
	if (!sgl_count)
		return;
	cmd->t_data_sg = sgl;
	cmd->t_data_nents = sgl_count;
	cmd->t_bidi_data_sg = sgl_bidi;
	cmd->t_bidi_data_nents = sgl_bidi_count;
	cmd->se_cmd_flags |= SCF_PASSTHROUGH_SG_TO_MEM_NOALLOC;
}

/**
 * target_submit_prep - give a command CDB, LUN and memory
 * @se_cmd:	the command, from target_init_cmd()
 * @cdb:	its CDB
 * @sgl:	its data; without, the core allocates
 * @sgl_count:	entries of it
 * @sgl_bidi:	data-in of a bidirectional command
 * @sgl_bidi_count: entries of it
 * @sgl_prot:	protection information
 * @sgl_prot_count: entries of it
 * @gfp:	for the CDB
 *
 * Return: 0, or -EIO when the command has ended with a response: the fabric does
 * nothing more.
 */
int target_submit_prep(struct se_cmd *se_cmd, unsigned char *cdb, struct scatterlist *sgl, u32 sgl_count,
		       struct scatterlist *sgl_bidi, u32 sgl_bidi_count, struct scatterlist *sgl_prot,
		       u32 sgl_prot_count, gfp_t gfp)
{
	sense_reason_t ret = target_cmd_init_cdb(se_cmd, cdb, gfp);

	if (!ret)
		ret = transport_lookup_cmd_lun(se_cmd);
	if (ret) {
		/* Perhaps without a device; a response that the fabric cannot take now is sent later all the same. */
		transport_generic_request_failure(se_cmd, ret);
		return -EIO;
	}
	if (sgl_prot_count) {
		se_cmd->t_prot_sg = sgl_prot;
		se_cmd->t_prot_nents = sgl_prot_count;
		se_cmd->se_cmd_flags |= SCF_PASSTHROUGH_PROT_SG_TO_MEM_NOALLOC;
	}
	take_buffers(se_cmd, sgl, sgl_count, sgl_bidi, sgl_bidi_count);
	ret = target_cmd_parse_cdb(se_cmd);
	if (ret) {
		transport_generic_request_failure(se_cmd, ret);
		return -EIO;
	}
	return 0;
}

/* More than all parameter data that the core makes: REPORT LUNS of 131,000 LUNs is the longest. */
#define PARAMETERS_MAX	SZ_1M

/*
 * What an initiator allows beyond that it will not get, and the residual says so.
 * Where something below answers it is for that to say how much is needed; what
 * is sent to the core is bounded by the setup functions of the opcode table.
 */
static void bound_parameters(struct se_cmd *cmd)
{
	bool below = cmd->se_dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH && cmd->t_task_cdb[0] != REPORT_LUNS;

	if (unlikely(cmd->data_length > PARAMETERS_MAX) && !(cmd->se_cmd_flags & SCF_SCSI_DATA_CDB) && !below &&
	    cmd->data_direction == DMA_FROM_DEVICE)
		target_set_cmd_data_length(cmd, PARAMETERS_MAX);
}

/* Memory that an initiator may read back starts as zeros; blocks are written in full. */
static sense_reason_t alloc_own(struct se_cmd *cmd)
{
	bool zero = !(cmd->se_cmd_flags & SCF_SCSI_DATA_CDB);
	sense_reason_t ret = 0;

	bound_parameters(cmd);
	if (cmd->se_cmd_flags & SCF_BIDI)
		ret = alloc_data(&cmd->t_bidi_data_sg, &cmd->t_bidi_data_nents, cmd->data_length, true);
	return ret ?: alloc_data(&cmd->t_data_sg, &cmd->t_data_nents, cmd->data_length, zero);
}

static sense_reason_t alloc_buffers(struct se_cmd *cmd)
{
	sense_reason_t ret = 0;

	if (!cmd->data_length)
		return 0;
	if (!(cmd->se_cmd_flags & SCF_PASSTHROUGH_SG_TO_MEM_NOALLOC))
		ret = alloc_own(cmd);
	if (ret)
		return ret;
	if (cmd->prot_length && !cmd->t_prot_sg &&
	    target_alloc_sgl(&cmd->t_prot_sg, &cmd->t_prot_nents, cmd->prot_length, true, false))
		return TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE;
	return 0;
}

/**
 * cmd_ask_for_data - ask the fabric for the data of a write
 * @cmd:	the command; with 0 the caller gives it up
 *
 * The fabric calls target_execute_cmd() when they are there; until then the
 * command is in its hands alone (not CMD_T_ACTIVE). Who has claimed it meanwhile
 * gets it now, unless the fabric has to take the data in any case.
 *
 * Return: 0 or the fabric's error.
 */
int cmd_ask_for_data(struct se_cmd *cmd)
{
	bool wanted = true;
	unsigned long flags;

	spin_lock_irqsave(&cmd->t_state_lock, flags);
	cmd->t_state = TRANSPORT_WRITE_PENDING;
	if (unlikely(cmd->transport_state & (CMD_T_ABORTED | CMD_T_STOP)))
		wanted = cmd->se_tfo->write_pending_must_be_called;
	if (likely(wanted))
		cmd->transport_state &= ~CMD_T_ACTIVE;
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
	if (likely(wanted))
		return cmd->se_tfo->write_pending(cmd);
	cmd_give_up(cmd);
	return 0;
}

static void ask_for_data(struct se_cmd *cmd)
{
	int ret = cmd_ask_for_data(cmd);

	if (unlikely(ret))
		cmd_queue_full(cmd, ret, true);
}

/**
 * transport_generic_new_cmd - give a command memory and start it
 * @cmd:	a parsed command
 *
 * A write waits for its data first.
 *
 * Return: 0 or why it ends.
 */
sense_reason_t transport_generic_new_cmd(struct se_cmd *cmd)
{
	sense_reason_t ret = alloc_buffers(cmd);

	if (ret)
		return ret;
	cmd_track(cmd);
	if (cmd->data_direction != DMA_TO_DEVICE || !cmd->data_length || cmd->se_cmd_flags & LIO_SCF_DATA_HERE)
		target_execute_cmd(cmd);
	else
		ask_for_data(cmd);
	return 0;
}

static void start(struct se_cmd *cmd)
{
	sense_reason_t ret = transport_generic_new_cmd(cmd);

	if (ret)
		transport_generic_request_failure(cmd, ret);
}

/**
 * transport_handle_cdb_direct - start a parsed command here
 * @cmd:	the command
 *
 * Return: 0; an error has become the command's response.
 */
int transport_handle_cdb_direct(struct se_cmd *cmd)
{
	cmd->t_state = TRANSPORT_NEW_CMD;
	cmd->transport_state |= CMD_T_ACTIVE;
	start(cmd);
	return 0;
}

/**
 * target_queue_submission - start a parsed command in a work item
 * @se_cmd:	the command
 *
 * Any context. What has gathered on a CPU starts together, plugged. From here on
 * the command can be claimed and waited for.
 */
void target_queue_submission(struct se_cmd *se_cmd)
{
	struct se_device_queue *queue = &se_cmd->se_dev->queues[se_cmd->cpuid];

	se_cmd->se_cmd_flags |= LIO_SCF_SHARED_WORKER;
	se_cmd->t_state = TRANSPORT_NEW_CMD;
	se_cmd->transport_state |= CMD_T_ACTIVE;
	cmd_track(se_cmd);
	if (llist_add(&se_cmd->se_cmd_list, &queue->sq.cmd_list))
		queue_work_on(se_cmd->cpuid, target_submission_wq, &queue->sq.work);
}

void target_queued_submit_work(struct work_struct *work)
{
	struct se_cmd_queue *sq = container_of(work, struct se_cmd_queue, work);
	struct llist_node *list = llist_reverse_order(llist_del_all(&sq->cmd_list));
	struct se_dev_plug *plug = NULL;
	struct se_cmd *cmd, *next;
	struct se_device *dev;

	llist_for_each_entry_safe(cmd, next, list, se_cmd_list) {
		dev = cmd->se_dev;
		if (!plug && dev->transport->plug_device) {
			plug = dev->transport->plug_device(dev);
			/* The backstore does not say whose it is. */
			if (plug)
				plug->se_dev = dev;
		}
		start(cmd);
	}
	if (plug)
		plug->se_dev->transport->unplug_device(plug);
}

/**
 * target_submit - start a prepared command
 * @se_cmd:	from target_submit_prep()
 *
 * Here or in a work item, as the device's attribute or the fabric says.
 * Return: 0, where it returns something.
 */
compat_submit_t target_submit(struct se_cmd *se_cmd)
{
	if (compat_submit_type(se_cmd) == TARGET_DIRECT_SUBMIT && compat_direct_submit_supp(se_cmd->se_tfo))
		transport_handle_cdb_direct(se_cmd);
	else
		target_queue_submission(se_cmd);
	return compat_submit_ok;
}

/**
 * target_submit_cmd - all of it in one call
 * @se_cmd:	see target_init_cmd()
 * @se_sess:	see there
 * @cdb:	the CDB
 * @sense:	see there
 * @unpacked_lun: see there
 * @data_length: see there
 * @task_attr:	see there
 * @data_dir:	see there
 * @flags:	see there
 *
 * For fabrics that wait until their session has no commands before it ends. May sleep.
 */
void target_submit_cmd(struct se_cmd *se_cmd, struct se_session *se_sess, unsigned char *cdb, unsigned char *sense,
		       u64 unpacked_lun, u32 data_length, int task_attr, int data_dir, int flags)
{
	if (WARN_ON_ONCE(target_init_cmd(se_cmd, se_sess, sense, unpacked_lun, data_length, task_attr, data_dir,
					 flags)))
		return;
	if (!target_submit_prep(se_cmd, cdb, NULL, 0, NULL, 0, NULL, 0, GFP_KERNEL))
		target_submit(se_cmd);
}

/**
 * target_show_cmd - say in the log what a command is about, with dynamic debug
 * @pfx:	before it
 * @cmd:	the command
 */
void target_show_cmd(const char *pfx, struct se_cmd *cmd)
{
	pr_debug("%scmd %#02x:%d tag %#llx state %d transport_state %#x flags %#x refs %u\n", pfx,
		 cmd->t_task_cdb[0], cmd->sam_task_attr, cmd->tag, cmd->t_state, cmd->transport_state,
		 cmd->se_cmd_flags, kref_read(&cmd->cmd_kref));
}
