// SPDX-License-Identifier: GPL-2.0
/* Commands and task management functions: from the ioctl to the core, and their memory. */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "tcm_test.h"

#define KEEPS_REFERENCE	(TCMT_HOLD_RESPONSE | TCMT_DROP_RESPONSE | TCMT_ACK)

static void cmd_free(struct kref *ref)
{
	struct tcmt_cmd *cmd = container_of(ref, struct tcmt_cmd, ref);

	target_free_sgl(cmd->sgl, cmd->nents);
	kvfree(cmd->out);
	kvfree(cmd->in);
	tcmt_nexus_put(cmd->nexus);
	kfree(cmd);
}

void tcmt_cmd_put(struct tcmt_cmd *cmd)
{
	kref_put(&cmd->ref, cmd_free);
}

/* Takes the caller's reference to @nexus, also when it fails. */
static struct tcmt_cmd *cmd_alloc(struct tcmt_nexus *nexus, u64 tag)
{
	struct tcmt_cmd *cmd = kzalloc(sizeof(*cmd), GFP_KERNEL);
	int i;

	if (!cmd) {
		tcmt_nexus_put(nexus);
		return NULL;
	}
	kref_init(&cmd->ref);
	cmd->nexus = nexus;
	cmd->tag = tag;
	INIT_LIST_HEAD(&cmd->node);
	for (i = 0; i < TCMT_EVENT_TYPES; i++) {
		cmd->notes[i].cmd = cmd;
		cmd->notes[i].event.type = i;
		cmd->notes[i].event.tag = tag;
	}
	return cmd;
}

static int alloc_data(struct tcmt_cmd *cmd)
{
	const struct tcmt_submit *how = &cmd->how;

	if (how->direction == TCMT_NO_DATA || !how->length)
		return 0;
	if (how->flags & TCMT_OWN_PAGES) {
		int rc = target_alloc_sgl(&cmd->sgl, &cmd->nents, how->length, true, false);

		if (rc)
			return rc;
	}
	if (how->direction == TCMT_DATA_IN) {
		cmd->in = kvzalloc(how->length, GFP_KERNEL);
		return cmd->in ? 0 : -ENOMEM;
	}
	cmd->out = kvmalloc(how->length, GFP_KERNEL);
	if (!cmd->out)
		return -ENOMEM;
	return copy_from_user(cmd->out, u64_to_user_ptr(how->data_out), how->length) ? -EFAULT : 0;
}

/* Counts the command as one of a nexus that is not ending; false: it is. */
static bool join(struct tcmt_cmd *cmd)
{
	struct tcmt_nexus *nexus = cmd->nexus;
	bool ok;

	spin_lock_irq(&nexus->lock);
	ok = !nexus->closing;
	if (ok)
		list_add_tail(&cmd->node, &nexus->cmds);
	spin_unlock_irq(&nexus->lock);
	return ok;
}

static void leave(struct tcmt_cmd *cmd)
{
	unsigned long flags;

	spin_lock_irqsave(&cmd->nexus->lock, flags);
	list_del_init(&cmd->node);
	spin_unlock_irqrestore(&cmd->nexus->lock, flags);
}

/* The core has done with it: whoever looks at its part from now on must notice. */
void tcmt_release_cmd(struct se_cmd *se_cmd)
{
	struct tcmt_cmd *cmd = to_tcmt_cmd(se_cmd);
	struct tcmt_note *note = &cmd->notes[TCMT_RELEASED];

	leave(cmd);
	memset(se_cmd, 0x6b, sizeof(*se_cmd));
	if (cmd->aborted)
		note->event.flags |= TCMT_ABORTED;
	tcmt_post(cmd->nexus, note);
	tcmt_cmd_put(cmd);
}

static const enum dma_data_direction directions[] = {
	[TCMT_NO_DATA]	= DMA_NONE,
	[TCMT_DATA_OUT]	= DMA_TO_DEVICE,
	[TCMT_DATA_IN]	= DMA_FROM_DEVICE,
};

static int submit(struct tcmt_cmd *cmd)
{
	struct se_cmd *se_cmd = &cmd->se_cmd;
	struct tcmt_submit *how = &cmd->how;
	int flags = 0, rc;

	if (how->flags & KEEPS_REFERENCE)
		flags |= TARGET_SCF_ACK_KREF;
	if (how->flags & TCMT_UNKNOWN_SIZE)
		flags |= TARGET_SCF_UNKNOWN_SIZE;
	if (!join(cmd))
		return -ESHUTDOWN;
	rc = target_init_cmd(se_cmd, cmd->nexus->sess, cmd->sense, how->lun, how->length, how->attribute,
			     directions[how->direction], flags);
	if (rc) {
		leave(cmd);
		return rc;
	}
	se_cmd->tag = cmd->tag;
	if (!target_submit_prep(se_cmd, how->cdb, cmd->sgl, cmd->nents, NULL, 0, NULL, 0, GFP_KERNEL))
		target_submit(se_cmd);
	return 0;
}

/* @cmd's reference is the core's from now on, unless this fails. */
static int submit_locked(struct tcmt_cmd *cmd)
{
	struct tcmt_nexus *nexus = cmd->nexus;
	int rc;

	/* The command may have gone before the lock is given back. */
	kref_get(&nexus->ref);
	down_read(&nexus->submitting);
	rc = submit(cmd);
	up_read(&nexus->submitting);
	tcmt_nexus_put(nexus);
	if (rc)
		tcmt_cmd_put(cmd);
	return rc;
}

static void submit_work(struct work_struct *work)
{
	submit_locked(container_of(work, struct tcmt_cmd, work));
}

int tcmt_submit(struct tcmt_file *file, const struct tcmt_submit *how)
{
	struct tcmt_nexus *nexus;
	struct tcmt_cmd *cmd;
	int rc;

	if (how->direction > TCMT_DATA_IN || how->length > TCMT_MAX_DATA)
		return -EINVAL;
	if (how->data_full + how->response_full && how->full_errno != -EAGAIN && how->full_errno != -ENOMEM)
		return -EINVAL;
	nexus = tcmt_nexus_get(file, how->nexus);
	if (!nexus)
		return -ENOENT;
	cmd = cmd_alloc(nexus, how->tag);
	if (!cmd)
		return -ENOMEM;
	cmd->how = *how;
	rc = alloc_data(cmd);
	if (rc) {
		tcmt_cmd_put(cmd);
		return rc;
	}
	/* What the core does in the submitter's context must not keep that from the next ioctl. */
	if (how->flags & TCMT_HANG_RESPONSE) {
		INIT_WORK(&cmd->work, submit_work);
		queue_work(tcmt_wq, &cmd->work);
		return 0;
	}
	return submit_locked(cmd);
}

int tcmt_tmf(struct tcmt_file *file, const struct tcmt_tmf *tmf)
{
	struct tcmt_nexus *nexus = tcmt_nexus_get(file, tmf->nexus);
	struct tcmt_cmd *cmd;
	int rc = -ESHUTDOWN;

	if (!nexus)
		return -ENOENT;
	cmd = cmd_alloc(nexus, tmf->tag);
	if (!cmd)
		return -ENOMEM;
	kref_get(&nexus->ref);
	down_read(&nexus->submitting);
	if (join(cmd)) {
		cmd->se_cmd.tag = tmf->tag;
		rc = target_submit_tmr(&cmd->se_cmd, nexus->sess, cmd->sense, tmf->lun, cmd, tmf->function, GFP_KERNEL,
				       tmf->ref_tag, 0);
		if (rc)
			leave(cmd);
	}
	up_read(&nexus->submitting);
	tcmt_nexus_put(nexus);
	if (rc)
		tcmt_cmd_put(cmd);
	return rc;
}
