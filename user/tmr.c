// SPDX-License-Identifier: GPL-2.0
/*
 * Task management: commands that the core aborts are ended soon, and a handler
 * that asked for it is told.
 */
#include <linux/slab.h>
#include <scsi/scsi_proto.h>

#include "se_cmd_state.h"
#include "tcmu.h"

/* How many notifications may wait for room in the ring; more are dropped. */
#define TCMU_MAX_TMRS	64

/**
 * struct tcmu_tmr - a notification to be posted
 * @node:	in dev->tmrs
 * @type:	TCMU_TMR_*
 * @cnt:	length of @ids
 * @ids:	tags of the aborted commands that the handler has
 */
struct tcmu_tmr {
	struct list_head node;
	u8 type;
	u32 cnt;
	u16 ids[];
};

static u8 tcmu_tmr_type(enum tcm_tmreq_table tmf)
{
	switch (tmf) {
	case TMR_ABORT_TASK:		return TCMU_TMR_ABORT_TASK;
	case TMR_ABORT_TASK_SET:	return TCMU_TMR_ABORT_TASK_SET;
	case TMR_CLEAR_ACA:		return TCMU_TMR_CLEAR_ACA;
	case TMR_CLEAR_TASK_SET:	return TCMU_TMR_CLEAR_TASK_SET;
	case TMR_LUN_RESET:		return TCMU_TMR_LUN_RESET;
	case TMR_TARGET_WARM_RESET:	return TCMU_TMR_TARGET_WARM_RESET;
	case TMR_TARGET_COLD_RESET:	return TCMU_TMR_TARGET_COLD_RESET;
	case TMR_LUN_RESET_PRO:		return TCMU_TMR_LUN_RESET_PRO;
	default:			return TCMU_TMR_UNKNOWN;
	}
}

static u32 tcmu_tmr_len(const struct tcmu_tmr *tmr)
{
	return round_up(struct_size((struct tcmu_tmr_entry *)NULL, cmd_ids, tmr->cnt),
			TCMU_OP_ALIGN_SIZE);
}

/* Makes the notification of the function, or returns NULL if none is wanted. */
static struct tcmu_tmr *tcmu_tmr_alloc(const struct tcmu_dev *dev, enum tcm_tmreq_table tmf,
				       struct list_head *aborted)
{
	struct tcmu_tmr *tmr;
	size_t cnt;

	if (!READ_ONCE(dev->tmr_notification))
		return NULL;
	cnt = min_t(size_t, list_count_nodes(aborted), TCMU_MAX_TAGS);
	tmr = kmalloc(struct_size(tmr, ids, cnt), TCMU_GFP_IO);
	if (!tmr) {
		pr_warn_ratelimited("%s: no memory to tell the handler of a TMR\n", dev->name);
		return NULL;
	}
	tmr->type = tcmu_tmr_type(tmf);
	tmr->cnt = 0;
	return tmr;
}

static void tcmu_tmr_add(struct tcmu_tmr *tmr, u16 id)
{
	if (tmr)
		tmr->ids[tmr->cnt++] = id;
}

/* An abort of what the handler does not have does not concern it. */
static bool tcmu_tmr_concerns_handler(const struct tcmu_tmr *tmr)
{
	return tmr->cnt || tmr->type == TCMU_TMR_LUN_RESET;
}

/**
 * tcmu_tmr_notify - the core aborts commands and will wait for their end
 * @se_dev:	the device
 * @tmf:	the task management function
 * @aborted:	the commands, by state_list
 *
 * Those that wait for room are ended now, those that the handler has within
 * TCMU_ABORT_SECONDS.
 *
 * Context: process, may sleep (TCMU_GFP_IO).
 */
void tcmu_tmr_notify(struct se_device *se_dev, enum tcm_tmreq_table tmf,
		     struct list_head *aborted)
{
	struct tcmu_dev *dev = to_tcmu_dev(se_dev);
	struct tcmu_tmr *tmr = tcmu_tmr_alloc(dev, tmf, aborted);
	struct se_cmd *se_cmd;
	struct tcmu_cmd *cmd;
	LIST_HEAD(ended);

	spin_lock(&dev->lock);
	list_for_each_entry(se_cmd, aborted, state_list) {
		if (se_cmd_is_waiting(se_cmd)) {
			se_cmd_start_ending(se_cmd, &ended);
			continue;
		}
		cmd = se_cmd_posted(se_cmd);
		if (!cmd)
			continue;
		tcmu_abort(cmd);
		tcmu_tmr_add(tmr, cmd->tag);
	}
	if (tmr && tcmu_tmr_concerns_handler(tmr) &&
	    !test_bit(TCMU_DEV_BROKEN, &dev->flags) &&
	    list_count_nodes(&dev->tmrs) < TCMU_MAX_TMRS) {
		list_add_tail(&tmr->node, &dev->tmrs);
		tmr = NULL;
	}
	spin_unlock(&dev->lock);

	kfree(tmr);
	tcmu_fail(&ended, SAM_STAT_TASK_ABORTED, TCM_NO_SENSE);
	tcmu_run_tmrs(dev);
}

static void tcmu_tmr_fill(struct tcmu_dev *dev, const struct tcmu_tmr *tmr,
			  const struct tcmu_spot *spot)
{
	struct tcmu_tmr_entry *entry = tcmu_ring_at(dev, spot->pos);

	memset(entry, 0, sizeof(*entry));
	tcmu_hdr_set_op(&entry->hdr.len_op, TCMU_OP_TMR);
	tcmu_hdr_set_len(&entry->hdr.len_op, tcmu_tmr_len(tmr));
	entry->tmr_type = tmr->type;
	entry->cmd_cnt = tmr->cnt;
	memcpy(entry->cmd_ids, tmr->ids, tmr->cnt * sizeof(tmr->ids[0]));
}

/*
 * Forgets the commands that the handler answered while the notification waited:
 * their tags may be other commands' by now.
 */
static void tcmu_tmr_prune(const struct tcmu_dev *dev, struct tcmu_tmr *tmr)
{
	u32 i, cnt = 0;

	for (i = 0; i < tmr->cnt; i++) {
		const struct tcmu_cmd *cmd = tcmu_cmd_lookup(dev, tmr->ids[i]);

		if (cmd->aborted && (cmd->state == TCMU_CMD_FILLING ||
				     cmd->state == TCMU_CMD_POSTED ||
				     cmd->state == TCMU_CMD_EXPIRED))
			tmr->ids[cnt++] = tmr->ids[i];
	}
	tmr->cnt = cnt;
}

/* Posts or drops the oldest notification; false if there is none or no room. */
static bool tcmu_tmr_post(struct tcmu_dev *dev)
{
	struct tcmu_spot spot;
	struct tcmu_tmr *tmr;
	int err = -ENODATA;

	spin_lock(&dev->lock);
	tmr = list_first_entry_or_null(&dev->tmrs, struct tcmu_tmr, node);
	if (!tmr || test_bit(TCMU_DEV_STOPPED, &dev->flags) ||
	    test_bit(TCMU_DEV_BROKEN, &dev->flags)) {
		spin_unlock(&dev->lock);
		return false;
	}
	tcmu_tmr_prune(dev, tmr);
	if (tcmu_tmr_concerns_handler(tmr))
		err = tcmu_reserve_spot(dev, tcmu_tmr_len(tmr), TCMU_OP_TMR, &spot);
	if (err == -ENOSPC) {
		spin_unlock(&dev->lock);
		return false;
	}
	list_del(&tmr->node);
	spin_unlock(&dev->lock);
	if (!err) {
		tcmu_tmr_fill(dev, tmr, &spot);
		spin_lock(&dev->lock);
		tcmu_publish(dev, spot.seq);
	}
	kfree(tmr);
	return true;
}

/**
 * tcmu_run_tmrs - post the notifications for which there is room
 * @dev:	the device
 *
 * Context: process.
 */
void tcmu_run_tmrs(struct tcmu_dev *dev)
{
	/* Who adds one afterwards posts it. */
	if (list_empty_careful(&dev->tmrs))
		return;
	while (tcmu_tmr_post(dev))
		cond_resched();
}

/**
 * tcmu_drop_tmrs - forget all notifications
 * @dev:	the device
 *
 * Context: under dev->lock, or when nobody uses the device.
 */
void tcmu_drop_tmrs(struct tcmu_dev *dev)
{
	struct tcmu_tmr *tmr, *next;

	list_for_each_entry_safe(tmr, next, &dev->tmrs, node) {
		list_del(&tmr->node);
		kfree(tmr);
	}
}
