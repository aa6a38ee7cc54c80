// SPDX-License-Identifier: GPL-2.0
/* What the core asks of the fabric for a command: its data, its response. And what is held. */
#include <linux/scatterlist.h>
#include <scsi/scsi_proto.h>

#include "tcm_test.h"

/* Whether the command is held from now on; not when its nexus ends. Tells the file. */
static bool hold(struct tcmt_cmd *cmd, enum tcmt_hold state, enum tcmt_event_type type)
{
	struct tcmt_nexus *nexus = cmd->nexus;
	unsigned long flags;
	bool ok;

	spin_lock_irqsave(&nexus->lock, flags);
	ok = !nexus->closing;
	if (ok) {
		cmd->state = state;
		/* With the lock held: whoever releases it may free it. */
		if (type == TCMT_DATA_WANTED || !(cmd->how.flags & TCMT_DROP_RESPONSE))
			tcmt_post(nexus, &cmd->notes[type]);
	}
	spin_unlock_irqrestore(&nexus->lock, flags);
	return ok;
}


static void take_data(struct tcmt_cmd *cmd)
{
	struct se_cmd *se_cmd = &cmd->se_cmd;

	sg_copy_from_buffer(se_cmd->t_data_sg, se_cmd->t_data_nents, cmd->out,
			    min(se_cmd->data_length, cmd->how.length));
	target_execute_cmd(se_cmd);
}

int tcmt_write_pending(struct se_cmd *se_cmd)
{
	struct tcmt_cmd *cmd = to_tcmt_cmd(se_cmd);

	if (cmd->how.data_full) {
		cmd->how.data_full--;
		return cmd->how.full_errno;
	}
	if (cmd->how.flags & TCMT_HOLD_DATA && hold(cmd, TCMT_DATA_HELD, TCMT_DATA_WANTED))
		return 0;
	take_data(cmd);
	return 0;
}

/* As it is now: afterwards the core may go on with the command. */
static void record(struct tcmt_cmd *cmd)
{
	struct tcmt_event *event = &cmd->notes[TCMT_RESPONSE].event;
	struct se_cmd *se_cmd = &cmd->se_cmd;

	event->status = se_cmd->scsi_status;
	event->residual = se_cmd->residual_count;
	event->flags = (se_cmd->se_cmd_flags & SCF_OVERFLOW_BIT ? TCMT_OVERFLOW : 0) |
		       (se_cmd->se_cmd_flags & SCF_UNDERFLOW_BIT ? TCMT_UNDERFLOW : 0);
	event->sense_len = min_t(u32, se_cmd->scsi_sense_length, TCMT_SENSE_LEN);
	memcpy(event->sense, cmd->sense, event->sense_len);
	if (cmd->in && event->status == SAM_STAT_GOOD) {
		event->data_len = min(se_cmd->data_length, cmd->how.length);
		sg_copy_to_buffer(se_cmd->t_data_sg, se_cmd->t_data_nents, cmd->in, event->data_len);
	}
}

/* The initiator says that it has the response. */
static void acknowledge(struct work_struct *work)
{
	transport_generic_free_cmd(&container_of(work, struct tcmt_cmd, ack_work)->se_cmd, 0);
}

/* @arrives: else the initiator has gone, which is as good as an acknowledgement. */
static void respond(struct tcmt_cmd *cmd, bool arrives)
{
	bool ack = cmd->se_cmd.se_cmd_flags & SCF_ACK_KREF;

	if (arrives && !(cmd->how.flags & TCMT_DROP_RESPONSE))
		tcmt_post(cmd->nexus, &cmd->notes[TCMT_RESPONSE]);
	if (ack) {
		INIT_WORK(&cmd->ack_work, acknowledge);
		queue_work(tcmt_wq, &cmd->ack_work);
	}
}

static void hang(struct tcmt_cmd *cmd)
{
	struct tcmt_nexus *nexus = cmd->nexus;

	if (hold(cmd, TCMT_RESP_HANGS, TCMT_RESPONSE_HELD))
		wait_event(nexus->wait, READ_ONCE(cmd->state) == TCMT_FREE || READ_ONCE(nexus->closing));
}

/* queue_data_in, queue_status */
int tcmt_queue_response(struct se_cmd *se_cmd)
{
	struct tcmt_cmd *cmd = to_tcmt_cmd(se_cmd);

	if (cmd->how.response_full) {
		cmd->how.response_full--;
		return cmd->how.full_errno;
	}
	record(cmd);
	if (cmd->how.flags & TCMT_HANG_RESPONSE)
		hang(cmd);
	if (cmd->how.flags & (TCMT_HOLD_RESPONSE | TCMT_DROP_RESPONSE) &&
	    hold(cmd, TCMT_RESP_HELD, TCMT_RESPONSE_HELD))
		return 0;
	respond(cmd, true);
	return 0;
}

void tcmt_queue_tm_rsp(struct se_cmd *se_cmd)
{
	struct tcmt_note *note = &to_tcmt_cmd(se_cmd)->notes[TCMT_TMF_RESPONSE];

	note->event.status = se_cmd->se_tmr_req->response;
	tcmt_post(to_tcmt_cmd(se_cmd)->nexus, note);
}

void tcmt_aborted_task(struct se_cmd *se_cmd)
{
	to_tcmt_cmd(se_cmd)->aborted = true;
}

/* The core's own reference. The fabric's goes with acknowledge(), or with aborted_task by the core. */
int tcmt_check_stop_free(struct se_cmd *se_cmd)
{
	if (se_cmd->se_cmd_flags & SCF_ACK_KREF)
		return target_put_sess_cmd(se_cmd);
	return transport_generic_free_cmd(se_cmd, 0);
}

static void release_data(struct tcmt_cmd *cmd, enum tcmt_release_how how)
{
	if (how == TCMT_GO)
		take_data(cmd);
	else
		transport_generic_request_failure(&cmd->se_cmd, TCM_CHECK_CONDITION_ABORT_CMD);
}

/* Ends what @state says; the command may go with it. */
static void end_hold(struct tcmt_cmd *cmd, enum tcmt_hold state, enum tcmt_release_how how)
{
	switch (state) {
	case TCMT_DATA_HELD:
		release_data(cmd, how);
		break;
	case TCMT_RESP_HELD:
		respond(cmd, how == TCMT_GO);
		break;
	default:
		wake_up_all(&cmd->nexus->wait);
	}
}

static struct tcmt_cmd *find_held(struct tcmt_nexus *nexus, const u64 *tag)
{
	struct tcmt_cmd *cmd;

	lockdep_assert_held(&nexus->lock);
	list_for_each_entry(cmd, &nexus->cmds, node)
		if (cmd->state != TCMT_FREE && (!tag || cmd->tag == *tag))
			return cmd;
	return NULL;
}

/* One that is held, with that tag or any; false: there is none. */
static bool release_one(struct tcmt_nexus *nexus, const u64 *tag, enum tcmt_release_how how)
{
	enum tcmt_hold state = TCMT_FREE;
	struct tcmt_cmd *cmd;

	spin_lock_irq(&nexus->lock);
	cmd = find_held(nexus, tag);
	if (cmd) {
		state = cmd->state;
		/* end_hold() may be the last to know it. */
		kref_get(&cmd->ref);
		WRITE_ONCE(cmd->state, TCMT_FREE);
	}
	spin_unlock_irq(&nexus->lock);
	if (!cmd)
		return false;
	end_hold(cmd, state, how);
	tcmt_cmd_put(cmd);
	return true;
}

int tcmt_release(struct tcmt_file *file, const struct tcmt_release *release)
{
	struct tcmt_nexus *nexus = tcmt_nexus_get(file, release->nexus);
	bool found;

	if (!nexus)
		return -ENOENT;
	found = release_one(nexus, &release->tag, release->how);
	tcmt_nexus_put(nexus);
	return found ? 0 : -ESRCH;
}

/* What the core says of a command that it has not released. */
int tcmt_get_state(struct tcmt_file *file, struct tcmt_state *state)
{
	struct tcmt_nexus *nexus = tcmt_nexus_get(file, state->nexus);
	struct tcmt_cmd *cmd;
	int rc = -ESRCH;

	BUILD_BUG_ON(TCMT_CMD_ABORTED != CMD_T_ABORTED);
	if (!nexus)
		return -ENOENT;
	/* It leaves the list before its memory is poisoned. */
	spin_lock_irq(&nexus->lock);
	list_for_each_entry(cmd, &nexus->cmds, node) {
		if (cmd->tag == state->tag) {
			state->transport_state = READ_ONCE(cmd->se_cmd.transport_state);
			rc = 0;
			break;
		}
	}
	spin_unlock_irq(&nexus->lock);
	tcmt_nexus_put(nexus);
	return rc;
}

/* The nexus ends, and lets nothing be held any more. */
void tcmt_release_all(struct tcmt_nexus *nexus)
{
	while (release_one(nexus, NULL, TCMT_FAIL))
		;
}
