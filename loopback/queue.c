// SPDX-License-Identifier: GPL-2.0
/*
 * The way of a command: from the midlayer to the target core and back.
 *
 * The target core's command lives in the scsi_cmnd's private part, so nothing
 * is allocated. The midlayer gets the scsi_cmnd back only in release_cmd, when
 * the core no longer refers to either.
 */
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <scsi/scsi_common.h>
#include <scsi/scsi_proto.h>

#include "cmd_flags.h"
#include "sam_status.h"
#include "tcm_loop.h"

/**
 * tcm_loop_init_cmd_priv() - initialise what outlives a use of a scsi_cmnd
 * @shost:	its host
 * @sc:		the command, when its memory is allocated
 *
 * With this method the midlayer leaves the private part alone when it reuses
 * the scsi_cmnd: an ORPHAN may still be in it.
 *
 * Return: 0.
 */
int tcm_loop_init_cmd_priv(struct Scsi_Host *shost, struct scsi_cmnd *sc)
{
	struct tcm_loop_cmd *cmd = scsi_cmd_priv(sc);

	atomic_set(&cmd->state, TCM_LOOP_CMD_IDLE);
	INIT_LIST_HEAD(&cmd->node);
	return 0;
}

/* Gives a command back that the core has released, or has never seen. */
static void finish(struct tcm_loop_cmd *cmd)
{
	struct scsi_cmnd *sc = tcm_loop_scsi_cmnd(cmd);
	struct tcm_loop_lun *lun = cmd->lun;

	/* Aborted without a status: not by us, so by a logical unit reset. */
	if (!cmd->answered)
		sc->result = DID_RESET << 16;
	if (atomic_cmpxchg(&cmd->state, TCM_LOOP_CMD_HELD, TCM_LOOP_CMD_IDLE) !=
	    TCM_LOOP_CMD_HELD && !tcm_loop_recovery_returned(cmd))
		return;
	/* Before scsi_done: afterwards the SCSI device may go, and @lun with it. */
	percpu_ref_put(&lun->cmds);
	scsi_done(sc);
}

static void finish_with(struct tcm_loop_cmd *cmd, enum scsi_host_status host)
{
	cmd->answered = true;
	tcm_loop_scsi_cmnd(cmd)->result = host << 16;
	finish(cmd);
}

static bool is_aborted(struct tcm_loop_cmd *cmd)
{
	int state = atomic_read(&cmd->state);

	return state == TCM_LOOP_CMD_LATE || state == TCM_LOOP_CMD_ORPHAN;
}

/*
 * What the error handler waits for may end in release_cmd with more than an interrupt
 * allows. The end of a flush takes its queue's lock, and a backstore may call us with
 * that of the queue below held (lockdep cannot tell the two).
 */
static u32 context_flags(struct scsi_cmnd *sc)
{
	const struct request *rq = scsi_cmd_to_rq(sc);

	if (sc->submitter == SUBMITTED_BY_SCSI_ERROR_HANDLER ||
	    op_is_flush(rq->cmd_flags) || rq->rq_flags & RQF_FLUSH_SEQ)
		return LIO_SCF_DATA_HERE;
	return LIO_SCF_DATA_HERE | LIO_SCF_RESPOND_ANYWHERE;
}

/*
 * Hands a command to the core. From here on only release_cmd gives it back.
 * @flags: LIO_SCF_MAY_WAIT if it may.
 */
static void submit(struct tcm_loop_cmd *cmd, u32 flags)
{
	struct scsi_cmnd *sc = tcm_loop_scsi_cmnd(cmd);
	struct se_cmd *se_cmd = &cmd->se_cmd;
	enum dma_data_direction direction = sc->sc_data_direction;
	unsigned int length = scsi_transfer_length(sc);
	/* Without a buffer for it, protection information ends here. */
	bool pto = !scsi_prot_sg_count(sc) && scsi_get_prot_op(sc) != SCSI_PROT_NORMAL;

	if (unlikely(is_aborted(cmd))) {
		finish(cmd);
		return;
	}
	memset(se_cmd, 0, sizeof(*se_cmd));
	if (!scsi_bufflen(sc))
		direction = DMA_NONE;
	if (pto)
		length = scsi_bufflen(sc);
	if (target_init_cmd(se_cmd, cmd->lun->tpg->nexus->se_sess, cmd->sense,
			    cmd->lun->number, length, TCM_SIMPLE_TAG, direction, 0)) {
		finish_with(cmd, DID_NO_CONNECT);
		return;
	}
	se_cmd->tag = tcm_loop_tag(cmd);
	se_cmd->prot_pto = pto;
	se_cmd->se_cmd_flags |= flags | context_flags(sc);
	if (target_submit_prep(se_cmd, sc->cmnd, scsi_sglist(sc),
			       scsi_sg_count(sc), NULL, 0, scsi_prot_sglist(sc),
			       scsi_prot_sg_count(sc), GFP_NOIO))
		return;
	target_submit(se_cmd);
}

static void submit_work(struct work_struct *work)
{
	struct tcm_loop_cmd *cmd = container_of(work, struct tcm_loop_cmd, work);
	unsigned int noio = memalloc_noio_save();
	unsigned int throttle = current->flags & PF_LOCAL_THROTTLE;

	/*
	 * A backend that writes to a filesystem below us must not be made to
	 * wait for the dirty pages above us.
	 */
	current->flags |= PF_LOCAL_THROTTLE;
	submit(cmd, LIO_SCF_MAY_WAIT);
	current->flags = (current->flags & ~PF_LOCAL_THROTTLE) | throttle;
	memalloc_noio_restore(noio);
}

static void submit_batch(struct work_struct *work)
{
	struct tcm_loop_batch *batch = container_of(work, struct tcm_loop_batch, work);
	struct llist_node *list = llist_reverse_order(llist_del_all(&batch->list));
	unsigned int noio = memalloc_noio_save();
	struct tcm_loop_cmd *cmd, *next;
	struct tcm_loop_lun *lun;
	struct blk_plug plug;
	bool plugged;

	/* A batch before this one may have taken ours. */
	if (!list)
		goto restore;
	lun = llist_entry(list, struct tcm_loop_cmd, batch)->lun;
	plugged = tcm_loop_plug(lun);
	blk_start_plug(&plug);
	llist_for_each_entry_safe(cmd, next, list, batch)
		submit(cmd, 0);
	blk_finish_plug(&plug);
	if (plugged)
		tcm_loop_unplug(lun);
restore:
	memalloc_noio_restore(noio);
}

/**
 * tcm_loop_batch_init() - prepare a CPU's batch of a LUN
 * @batch:	the batch
 */
void tcm_loop_batch_init(struct tcm_loop_batch *batch)
{
	init_llist_head(&batch->list);
	INIT_WORK(&batch->work, submit_batch);
}

/*
 * The work item is queued by the first command of a batch; it runs on this CPU
 * once the caller has handed over the rest and leaves it, so that SCMD_LAST and
 * commit_rqs have nothing to add.
 */
static void queue_batch(struct tcm_loop_cmd *cmd)
{
	struct tcm_loop_link *link = cmd->lun->link;
	int cpu = get_cpu();
	struct tcm_loop_batch *batch = per_cpu_ptr(link->batch, cpu);

	if (llist_add(&cmd->batch, &batch->list))
		queue_work_on(cpu, link->wq, &batch->work);
	put_cpu();
}

static void queue_single(struct tcm_loop_cmd *cmd)
{
	struct tcm_loop_link *link = cmd->lun->link;

	INIT_WORK(&cmd->work, submit_work);
	queue_work(link ? link->wq : tcm_loop_wq, &cmd->work);
}

static void submit_direct(struct tcm_loop_cmd *cmd)
{
	unsigned int noio = memalloc_noio_save();

	submit(cmd, 0);
	memalloc_noio_restore(noio);
}

static bool is_flush_on_removal(const struct scsi_cmnd *sc)
{
	return sc->cmnd[0] == SYNCHRONIZE_CACHE ||
	       sc->cmnd[0] == SYNCHRONIZE_CACHE_16 || sc->cmnd[0] == START_STOP;
}

static bool refuse(struct scsi_cmnd *sc, enum scsi_host_status host)
{
	sc->result = host << 16;
	scsi_set_resid(sc, scsi_bufflen(sc));
	return false;
}

static bool refuse_with_sense(struct scsi_cmnd *sc, u8 key, u8 asc, u8 ascq)
{
	scsi_build_sense(sc, 0, key, asc, ascq);
	scsi_set_resid(sc, scsi_bufflen(sc));
	return false;
}

/* The rare reasons to turn a command away; false if one applies. */
static bool pass_gate(struct tcm_loop_lun *lun, struct scsi_cmnd *sc)
{
	unsigned long gate = READ_ONCE(lun->gate);

	if (gate & BIT(TCM_LOOP_GATE_REMOVED) &&
	    !(gate & BIT(TCM_LOOP_GATE_FLUSH) && is_flush_on_removal(sc)))
		return refuse(sc, DID_NO_CONNECT);
	if (gate & BIT(TCM_LOOP_GATE_FAILED))
		return refuse_with_sense(sc, NOT_READY, 0x04, 0x00);
	if (READ_ONCE(lun->tpg->transport) == TCM_LOOP_OFFLINE)
		return refuse(sc, DID_TRANSPORT_DISRUPTED);
	return true;
}

/* Takes the command for the target, or sets the result of its refusal. */
static bool admit(struct tcm_loop_lun *lun, struct scsi_cmnd *sc)
{
	struct tcm_loop_cmd *cmd = scsi_cmd_priv(sc);
	int state = sc->submitter == SUBMITTED_BY_SCSI_ERROR_HANDLER ?
		    TCM_LOOP_CMD_EH : TCM_LOOP_CMD_HELD;

	if (unlikely(lun->gate || READ_ONCE(lun->tpg->transport)) && !pass_gate(lun, sc))
		return false;
	/* The core reads as many bytes as the CDB says that it has. */
	if (scsi_command_size(sc->cmnd) > sizeof(sc->cmnd))
		return refuse_with_sense(sc, ILLEGAL_REQUEST, 0x24, 0x00);
	if (!percpu_ref_tryget_live(&lun->cmds))
		return refuse(sc, DID_NO_CONNECT);
	if (atomic_cmpxchg(&cmd->state, TCM_LOOP_CMD_IDLE, state) != TCM_LOOP_CMD_IDLE) {
		percpu_ref_put(&lun->cmds);
		return refuse_with_sense(sc, NOT_READY, 0x04, 0x00);
	}
	cmd->lun = lun;
	cmd->seq++;
	cmd->answered = false;
	return true;
}

/* Sends a command its way; true if that began a batch of the caller's. */
static bool dispatch(struct tcm_loop_cmd *cmd, bool may_sleep, bool last)
{
	struct tcm_loop_lun *lun = cmd->lun;
	bool plugged = false;

	switch (tcm_loop_route(lun, tcm_loop_scsi_cmnd(cmd), may_sleep)) {
	case TCM_LOOP_ROUTE_DIRECT:
		if (!last && !READ_ONCE(lun->plugger))
			plugged = tcm_loop_plug(lun);
		submit_direct(cmd);
		break;
	case TCM_LOOP_ROUTE_BATCH:
		queue_batch(cmd);
		break;
	case TCM_LOOP_ROUTE_WORK:
		queue_single(cmd);
		break;
	}
	return plugged;
}

/**
 * tcm_loop_queuecommand() - take a command from the midlayer
 * @shost:	the host
 * @sc:		the command
 *
 * Return: 0, the command is taken.
 */
int tcm_loop_queuecommand(struct Scsi_Host *shost, struct scsi_cmnd *sc)
{
	struct tcm_loop_lun *lun = sc->device->hostdata;
	bool plugged = READ_ONCE(lun->plugger) == current;
	bool last = sc->flags & SCMD_LAST;

	if (!admit(lun, sc))
		scsi_done(sc);
	else
		plugged |= dispatch(scsi_cmd_priv(sc), compat_shost_may_block(shost), last);
	/* Without a plug of ours the LUN may be gone. */
	if (plugged && last)
		tcm_loop_unplug(lun);
	return 0;
}

/**
 * tcm_loop_write_pending() - target core: get the data of a write
 * @se_cmd:	the command, whose pages are the initiator's
 *
 * Return: 0.
 */
int tcm_loop_write_pending(struct se_cmd *se_cmd)
{
	target_execute_cmd(se_cmd);
	return 0;
}

/*
 * Status and sense come from whoever serves the LUN, perhaps a process. What
 * the midlayer does not understand starts its error handler, which stops all
 * LUNs of the host: it never gets to see it.
 */
static void set_status(struct tcm_loop_cmd *cmd, struct scsi_cmnd *sc)
{
	u8 status = cmd->se_cmd.scsi_status;
	struct scsi_sense_hdr sshdr;

	if (status == SAM_STAT_CHECK_CONDITION) {
		if (cmd->se_cmd.se_cmd_flags & (SCF_TRANSPORT_TASK_SENSE | SCF_EMULATED_TASK_SENSE) &&
		    scsi_normalize_sense(cmd->sense, sizeof(cmd->sense), &sshdr)) {
			memcpy(sc->sense_buffer, cmd->sense,
			       min(sizeof(cmd->sense), (size_t)SCSI_SENSE_BUFFERSIZE));
			sc->result = status;
			return;
		}
	} else if (sam_status_is_valid(status)) {
		sc->result = status;
		return;
	}
	/* ABORTED COMMAND, LOGICAL UNIT COMMUNICATION FAILURE */
	scsi_build_sense(sc, 0, ABORTED_COMMAND, 0x08, 0x00);
}

/**
 * tcm_loop_queue_status() - target core: send the status of a command
 * @se_cmd:	the command
 *
 * It is kept until the core lets go of the command.
 *
 * Return: 0.
 */
int tcm_loop_queue_status(struct se_cmd *se_cmd)
{
	struct tcm_loop_cmd *cmd = container_of(se_cmd, struct tcm_loop_cmd, se_cmd);
	struct scsi_cmnd *sc = tcm_loop_scsi_cmnd(cmd);

	/* Past its error handler's patience: the scsi_cmnd is not ours. */
	if (unlikely(atomic_read(&cmd->state) == TCM_LOOP_CMD_ORPHAN))
		return 0;
	cmd->answered = true;
	set_status(cmd, sc);
	if (se_cmd->se_cmd_flags & SCF_UNDERFLOW_BIT)
		scsi_set_resid(sc, min(se_cmd->residual_count, scsi_bufflen(sc)));
	return 0;
}

/**
 * tcm_loop_queue_data_in() - target core: send data and status of a read
 * @se_cmd:	the command, whose data is already in the initiator's pages
 *
 * Return: 0.
 */
int tcm_loop_queue_data_in(struct se_cmd *se_cmd)
{
	return tcm_loop_queue_status(se_cmd);
}

/**
 * tcm_loop_check_stop_free() - target core: the command has ended
 * @se_cmd:	the command
 *
 * Return: 1 if it has been released.
 */
int tcm_loop_check_stop_free(struct se_cmd *se_cmd)
{
	return transport_generic_free_cmd(se_cmd, 0);
}

/**
 * tcm_loop_release_cmd() - target core: the last reference is gone
 * @se_cmd:	a command or a task management function
 */
void tcm_loop_release_cmd(struct se_cmd *se_cmd)
{
	if (se_cmd->se_cmd_flags & SCF_SCSI_TMR_CDB)
		tcm_loop_tmr_released(se_cmd);
	else
		finish(container_of(se_cmd, struct tcm_loop_cmd, se_cmd));
}
