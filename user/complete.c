// SPDX-License-Identifier: GPL-2.0
/*
 * From the handler to the core: the handler moved its tail and rang. Its answers
 * are copied and checked under the lock; data is copied and commands are
 * completed without it, in the handler's own context.
 */
#include <scsi/scsi_proto.h>

#include "sam_status.h"
#include "se_cmd_state.h"
#include "tcmu.h"

/* How many entries are taken at once under the lock, however many there are. */
#define TCMU_DRAIN_BATCH	256U

/**
 * struct tcmu_answered - the commands that were answered
 * @dev:	the device
 * @visited:	number of entries that were looked at
 * @first:	first command, linked by @next
 * @link:	where the next one is linked
 */
struct tcmu_answered {
	struct tcmu_dev *dev;
	u32 visited;
	struct tcmu_cmd *first;
	struct tcmu_cmd **link;
};

/* Copies an answer out of the handler's memory: each byte is read once. */
static void tcmu_copy_answer(struct tcmu_answer *answer, const struct tcmu_cmd_entry *entry,
			     u8 uflags)
{
	answer->uflags = uflags;
	answer->status = READ_ONCE(entry->rsp.scsi_status);
	answer->read_len = READ_ONCE(entry->rsp.read_len);
	if (answer->status == SAM_STAT_CHECK_CONDITION)
		memcpy(answer->sense, entry->rsp.sense_buffer, sizeof(answer->sense));
}

/*
 * An entry that the handler has passed. It must still have the length and
 * opcode that it was posted with, and the answer in it must be to a command
 * that is owed one: any such command's, since answers may come out of order.
 * -EAGAIN: not now, the batch is full.
 */
static int tcmu_visit(u32 pos, u32 len_op, void *ctx)
{
	struct tcmu_answered *answered = ctx;
	struct tcmu_dev *dev = answered->dev;
	struct tcmu_cmd_entry *entry = tcmu_ring_at(dev, pos);
	union {
		u64 raw;
		struct tcmu_cmd_entry_hdr hdr;
	} once = { .raw = READ_ONCE(*(u64 *)entry) };
	struct tcmu_cmd *cmd;

	static_assert(sizeof(once.raw) == sizeof(once.hdr));
	if (answered->visited++ == TCMU_DRAIN_BATCH)
		return -EAGAIN;
	if (once.hdr.len_op != len_op)
		return -EBADMSG;
	if (tcmu_hdr_get_op(len_op) == TCMU_OP_TMR)
		return 0;
	cmd = tcmu_cmd_lookup(dev, once.hdr.cmd_id);
	if (!cmd)
		return -EBADMSG;

	switch (cmd->state) {
	case TCMU_CMD_POSTED:
		cmd->state = TCMU_CMD_ANSWERED;
		se_cmd_start_answered(cmd->se_cmd);
		tcmu_copy_answer(&cmd->answer, entry, once.hdr.uflags);
		*answered->link = cmd;
		answered->link = &cmd->next;
		return 0;
	case TCMU_CMD_EXPIRED:
		/* Late: only gives back what it had. */
		tcmu_cmd_free(dev, cmd);
		return 0;
	default:
		return -EBADMSG;
	}
}

/* Copies what the handler returned: @len bytes of the data buffer at most. */
static void tcmu_copy_in(struct tcmu_dev *dev, struct tcmu_cmd *cmd, u32 len)
{
	struct se_cmd *se_cmd = cmd->se_cmd;
	u32 slot = cmd->data.first, skip;

	if (!cmd->data.count)
		return;
	if (se_cmd->se_cmd_flags & SCF_BIDI) {
		skip = DIV_ROUND_UP(se_cmd->data_length, dev->data.slot_size);
		while (skip--)
			slot = tcmu_pool_next(&dev->data.slots, slot);
		tcmu_data_copy(dev, slot, se_cmd->t_bidi_data_sg, se_cmd->t_bidi_data_nents,
			       U32_MAX, false);
	} else if (se_cmd->data_direction == DMA_FROM_DEVICE) {
		tcmu_data_copy(dev, slot, se_cmd->t_data_sg, se_cmd->t_data_nents, len, false);
	}
}

/* Completes an answered command; the core may free it at once. */
static void tcmu_complete(struct tcmu_dev *dev, struct tcmu_cmd *cmd)
{
	const struct tcmu_answer *answer = &cmd->answer;
	struct se_cmd *se_cmd = cmd->se_cmd;
	u32 len = se_cmd->data_length;
	bool has_len = answer->uflags & TCMU_UFLAG_READ_LEN &&
		       se_cmd->data_direction == DMA_FROM_DEVICE;

	/* The flag is about the entry's opcode, not the CDB's: no initiator's fault. */
	if (answer->uflags & TCMU_UFLAG_UNKNOWN_OP || !sam_status_is_valid(answer->status))
		return target_complete_cmd_with_sense(se_cmd, SAM_STAT_CHECK_CONDITION,
						      TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE);
	if (answer->status == SAM_STAT_CHECK_CONDITION) {
		transport_copy_sense_to_cmd(se_cmd, (unsigned char *)answer->sense);
		/* Data beside the sense, as a recovered error or a tape has it. */
		if (has_len && answer->read_len)
			se_cmd->se_cmd_flags |= SCF_TREAT_READ_AS_NORMAL;
	}
	if (has_len)
		len = min(len, answer->read_len);
	if (answer->status == SAM_STAT_GOOD || has_len)
		tcmu_copy_in(dev, cmd, len);
	if (has_len)
		target_complete_cmd_with_length(se_cmd, answer->status, len);
	else
		target_complete_cmd(se_cmd, answer->status);
}

/* Completes a batch, then makes all that it had ready again. */
static void tcmu_complete_all(struct tcmu_dev *dev, struct tcmu_cmd *first)
{
	struct tcmu_cmd *cmd, *next;

	if (!first)
		return;
	for (cmd = first; cmd; cmd = cmd->next) {
		tcmu_complete(dev, cmd);
		cond_resched();
	}

	spin_lock(&dev->lock);
	for (cmd = first; cmd; cmd = next) {
		next = cmd->next;
		if (cmd->answer.uflags & TCMU_UFLAG_KEEP_BUF) {
			cmd->state = TCMU_CMD_KEPT;
			cmd->se_cmd = NULL;
		} else {
			tcmu_cmd_free(dev, cmd);
		}
	}
	spin_unlock(&dev->lock);
}

/**
 * tcmu_fail - end commands that never were, or no more are, the handler's
 * @failed:	commands by se_qf_node, see se_cmd_start_ending()
 * @status:	SAM status
 * @reason:	sense if @status is CHECK CONDITION
 *
 * Context: process, no lock.
 */
void tcmu_fail(struct list_head *failed, u8 status, sense_reason_t reason)
{
	struct se_cmd *se_cmd;

	while ((se_cmd = se_cmd_first(failed))) {
		list_del_init(&se_cmd->se_qf_node);
		if (status == SAM_STAT_CHECK_CONDITION)
			target_complete_cmd_with_sense(se_cmd, status, reason);
		else
			target_complete_cmd(se_cmd, status);
	}
}

/* Takes a batch of answers; true if the handler has given more. */
static bool tcmu_drain_batch(struct tcmu_dev *dev)
{
	struct tcmu_answered answered = { .dev = dev };
	LIST_HEAD(failed);
	int err = 0;

	answered.link = &answered.first;
	spin_lock(&dev->lock);
	if (!test_bit(TCMU_DEV_BROKEN, &dev->flags) && !test_bit(TCMU_DEV_STOPPED, &dev->flags)) {
		/* The answers were written before the tail was moved behind them. */
		u32 tail = smp_load_acquire(&dev->mailbox->cmd_tail);

		err = tcmu_ring_drain(&dev->ring, tail, tcmu_visit, &answered);
		if (err && err != -EAGAIN)
			tcmu_break(dev, &failed);
	}
	*answered.link = NULL;
	spin_unlock(&dev->lock);

	tcmu_complete_all(dev, answered.first);
	tcmu_fail(&failed, SAM_STAT_CHECK_CONDITION, TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE);
	return err == -EAGAIN;
}

/**
 * tcmu_drain - the handler rang: take its answers
 * @dev:	the device
 *
 * A handler that moved its tail to no entry's end, or wrote an answer to
 * nothing, loses the device until reset_ring.
 *
 * Context: process, the handler's write(); UIO has one at a time in here.
 */
void tcmu_drain(struct tcmu_dev *dev)
{
	while (tcmu_drain_batch(dev))
		cond_resched();
	tcmu_run_tmrs(dev);
	tcmu_run_waiting(dev);
}
