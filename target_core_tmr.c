// SPDX-License-Identifier: GPL-2.0
/*
 * Task management functions (SAM-5 clause 7).
 *
 * A function claims the commands it is about (CMD_T_ABORTED, under their
 * t_state_lock; not those that complete or that the fabric stops itself), takes
 * a reference to each, tells the backstore, and waits until they are released.
 * Who claims has a heap-allocated waiter for each: the function is answered
 * by its deadline, and a command that comes back later finds the waiter, not
 * the function's stack. Until it does its LUN is NOT READY.
 *
 * Not so for a write that still waits for its data (@fenced): no backstore has
 * seen it, and from now on none will. It is waited for as well, but the LUN stays
 * ready, and other nexuses' functions are COMPLETE at the deadline; later ones do
 * not wait for it again. An initiator that sends no data keeps nobody from theirs.
 */
#include "core.h"

#include <linux/slab.h>
#include <linux/wait_bit.h>

enum waiter_state {
	WAITER_WAITING,
	WAITER_RELEASED,	/* the command is gone */
	WAITER_ABANDONED,	/* the function has been answered */
};

struct abort_waiter {
	struct list_head	node;
	struct se_cmd		*cmd;	/* until its reference is given back */
	struct se_lun		*lun;	/* with a lun_ref: keeps dev */
	struct se_device	*dev;
	bool			fenced;	/* no backstore has it, or will have it */
	bool			others;	/* of another nexus than the function */
	atomic_t		state;
	struct completion	done;
};

static void unclaim(struct se_device *dev)
{
	atomic_t *claimed = &to_core_dev(dev)->claimed;

	if (atomic_dec_and_test(claimed))
		wake_up_var(claimed);
}

static void waiter_free(struct abort_waiter *waiter, bool counted)
{
	if (counted)
		unclaim(waiter->dev);
	percpu_ref_put(&waiter->lun->lun_ref);
	kfree(waiter);
}

/* Waits for what other functions have claimed; false: they are not all gone. */
static bool wait_for_claimed(struct se_device *dev, unsigned long deadline)
{
	atomic_t *claimed = &to_core_dev(dev)->claimed;

	return wait_var_event_timeout(claimed, !atomic_read(claimed), max_t(long, deadline - jiffies, 1));
}

static void count_lost(const struct abort_waiter *waiter, int n)
{
	struct se_device *dev = waiter->dev;
	unsigned long flags;

	if (waiter->fenced)
		return;
	spin_lock_irqsave(&dev->se_tmr_lock, flags);
	to_core_dev(dev)->failed += n;
	spin_unlock_irqrestore(&dev->se_tmr_lock, flags);
}

void abort_waiter_release(struct completion *abrt_compl)
{
	struct abort_waiter *waiter = container_of(abrt_compl, struct abort_waiter, done);

	if (atomic_cmpxchg(&waiter->state, WAITER_WAITING, WAITER_RELEASED) == WAITER_WAITING) {
		complete(&waiter->done);
		return;
	}
	count_lost(waiter, -1);
	waiter_free(waiter, !waiter->fenced);
}

/*
 * Leaves the waiter to its command; false: that has just been released. The
 * function's own command keeps the device.
 */
static bool waiter_abandon(struct abort_waiter *waiter)
{
	struct se_device *dev = waiter->dev;
	bool fenced = waiter->fenced;

	count_lost(waiter, 1);
	if (atomic_cmpxchg(&waiter->state, WAITER_WAITING, WAITER_ABANDONED) != WAITER_WAITING) {
		count_lost(waiter, -1);
		return false;
	}
	if (fenced)
		unclaim(dev);
	return true;
}

/* Waits until @deadline (jiffies); false: the command may still have an effect. Frees the waiter, sooner or later. */
static bool waiter_wait(struct abort_waiter *waiter, unsigned long deadline)
{
	long left = max_t(long, deadline - jiffies, 1);
	bool harmless = waiter->fenced && waiter->others;

	if (!wait_for_completion_timeout(&waiter->done, left)) {
		if (waiter_abandon(waiter))
			return harmless;
		wait_for_completion(&waiter->done);
	}
	waiter_free(waiter, true);
	return true;
}

struct victims {
	struct list_head	claimed;	/* of struct abort_waiter */
	struct list_head	cmds;		/* the same, by se_cmd::state_list, for the backstore */
	bool			missed;		/* one could not be claimed for want of memory */
};

/*
 * Claims a command for @tmr_sess's function, when it can be. Caller holds its
 * queue's lock, and has found it in that list.
 */
static bool claim(struct se_cmd *cmd, struct se_session *tmr_sess, bool tas, struct victims *victims)
{
	struct abort_waiter *waiter = kzalloc(sizeof(*waiter), GFP_ATOMIC | __GFP_NOWARN);
	bool ok = false;

	if (!waiter) {
		victims->missed = true;
		return false;
	}
	spin_lock(&cmd->t_state_lock);
	/* A second claim would answer before the first one's command has gone: it is counted as lost by that one. */
	if (!(cmd->transport_state & (CMD_T_COMPLETE | CMD_T_FABRIC_STOP | CMD_T_ABORTED)) && cmd->lun_ref_active)
		ok = kref_get_unless_zero(&cmd->cmd_kref);
	if (ok) {
		waiter->others = cmd->se_sess != tmr_sess;
		waiter->fenced = !(cmd->transport_state & CMD_T_ACTIVE) && cmd->t_state == TRANSPORT_WRITE_PENDING;
		cmd->transport_state |= CMD_T_ABORTED | (tas && waiter->others ? CMD_T_TAS : 0);
		percpu_ref_get(&cmd->se_lun->lun_ref);
		waiter->lun = cmd->se_lun;
		waiter->dev = cmd->se_dev;
		waiter->cmd = cmd;
		init_completion(&waiter->done);
		cmd->abrt_compl = &waiter->done;
		list_add_tail(&waiter->node, &victims->claimed);
		atomic_inc(&to_core_dev(waiter->dev)->claimed);
	}
	spin_unlock(&cmd->t_state_lock);
	if (!ok)
		kfree(waiter);
	return ok;
}

typedef bool (*choose_fn)(const struct se_cmd *cmd, const struct se_cmd *tmr_cmd);

static void find_victims(struct se_device *dev, struct se_cmd *tmr_cmd, choose_fn choose, bool tas,
			 struct victims *victims)
{
	struct se_device_queue *queue;
	struct se_cmd *cmd, *next;
	unsigned long flags;
	int i;

	for (i = 0; i < dev->queue_cnt; i++) {
		queue = &dev->queues[i];
		spin_lock_irqsave(&queue->lock, flags);
		list_for_each_entry_safe(cmd, next, &queue->state_list, state_list) {
			if (cmd == tmr_cmd || !choose(cmd, tmr_cmd) ||
			    !claim(cmd, tmr_cmd->se_sess, tas, victims))
				continue;
			list_move_tail(&cmd->state_list, &victims->cmds);
			cmd->state_active = false;
		}
		spin_unlock_irqrestore(&queue->lock, flags);
	}
}

/* Ends the victims. Returns whether all are gone. */
static bool end_victims(struct se_device *dev, u8 function, struct victims *victims)
{
	unsigned long deadline = jiffies + CORE_DEADLINE * HZ;
	struct abort_waiter *waiter, *next;
	bool all = !victims->missed;

	/* Each has a reference of ours: the list stays whole while the backstore reads it. */
	if (dev->transport->tmr_notify && !list_empty(&victims->cmds))
		dev->transport->tmr_notify(dev, function, &victims->cmds);
	list_for_each_entry(waiter, &victims->claimed, node) {
		/* One that waits for an ORDERED command need not; what its fabric makes of it is not waited for here. */
		if (execute_undelay(waiter->cmd))
			cmd_abort_later(waiter->cmd);
		target_put_sess_cmd(waiter->cmd);
	}
	list_for_each_entry_safe(waiter, next, &victims->claimed, node) {
		list_del(&waiter->node);
		all &= waiter_wait(waiter, deadline);
	}
	return all;
}

static bool is_task(const struct se_cmd *cmd, const struct se_cmd *tmr_cmd)
{
	return cmd->se_sess == tmr_cmd->se_sess && cmd->tag == tmr_cmd->se_tmr_req->ref_task_tag;
}

static bool is_any(const struct se_cmd *cmd, const struct se_cmd *tmr_cmd)
{
	return true;
}

static u8 abort_task(struct se_device *dev, struct se_cmd *tmr_cmd)
{
	struct victims victims = { LIST_HEAD_INIT(victims.claimed), LIST_HEAD_INIT(victims.cmds) };
	unsigned long deadline = jiffies + CORE_DEADLINE * HZ;

	find_victims(dev, tmr_cmd, is_task, false, &victims);
	if (list_empty(&victims.claimed)) {
		/* It may be one that another function has claimed: its nexus must not believe too early that it is over. */
		if (victims.missed || !wait_for_claimed(dev, deadline))
			return TMR_FUNCTION_FAILED;
		atomic_long_inc(&dev->aborts_no_task);
		return TMR_TASK_DOES_NOT_EXIST;
	}
	if (!end_victims(dev, TMR_ABORT_TASK, &victims))
		return TMR_FUNCTION_FAILED;
	atomic_long_inc(&dev->aborts_complete);
	return TMR_FUNCTION_COMPLETE;
}

static u8 lun_reset(struct se_device *dev, struct se_cmd *tmr_cmd)
{
	struct victims victims = { LIST_HEAD_INIT(victims.claimed), LIST_HEAD_INIT(victims.cmds) };
	unsigned long deadline = jiffies + CORE_DEADLINE * HZ;
	bool all;

	find_victims(dev, tmr_cmd, is_any, dev->dev_attrib.emulate_tas, &victims);
	/* Those of an earlier function, too; not that function itself, or the n-th would be answered n deadlines late. */
	all = end_victims(dev, TMR_LUN_RESET, &victims) && wait_for_claimed(dev, deadline);
	if (!all || READ_ONCE(to_core_dev(dev)->failed))
		return TMR_FUNCTION_FAILED;
	/* SPC-2 reservations end with a reset (SPC-2 clause 5.5.1). */
	spin_lock(&dev->dev_reservation_lock);
	dev->reservation_holder = NULL;
	dev->dev_reservation_flags &= ~(DRF_SPC2_RESERVATIONS | DRF_SPC2_RESERVATIONS_WITH_ISID);
	spin_unlock(&dev->dev_reservation_lock);
	atomic_long_inc(&dev->num_resets);
	/* BUS DEVICE RESET FUNCTION OCCURRED */
	ua_allocate_dev(dev, NULL, 0x29, 0x03);
	return TMR_FUNCTION_COMPLETE;
}

static u8 manage(struct se_cmd *cmd)
{
	struct se_tmr_req *tmr = cmd->se_tmr_req;

	switch (tmr->function) {
	case TMR_ABORT_TASK:
		return abort_task(tmr->tmr_dev, cmd);
	case TMR_LUN_RESET:
	case TMR_LUN_RESET_PRO:
		return lun_reset(tmr->tmr_dev, cmd);
	case TMR_ABORT_TASK_SET:
	case TMR_CLEAR_ACA:
	case TMR_CLEAR_TASK_SET:
		return TMR_TASK_MGMT_FUNCTION_NOT_SUPPORTED;
	default:
		return TMR_FUNCTION_REJECTED;
	}
}

static void tmr_work(struct work_struct *work)
{
	struct se_cmd *cmd = container_of(work, struct se_cmd, work);

	/* Without a device the LUN was not found, and the response says so. */
	if (cmd->se_tmr_req->tmr_dev)
		cmd->se_tmr_req->response = manage(cmd);
	cmd->t_state = TRANSPORT_ISTATE_PROCESSING;
	cmd->se_tfo->queue_tm_rsp(cmd);
	tmr_unlist(cmd->se_tmr_req);
	cmd_put_lun(cmd);
	cmd_check_stop_to_fabric(cmd);
}

/**
 * transport_generic_handle_tmr - carry out a task management function
 * @cmd:	its command, with a LUN
 *
 * In a work item of its own: it waits. Any context.
 *
 * Return: 0.
 */
int transport_generic_handle_tmr(struct se_cmd *cmd)
{
	unsigned long flags;

	spin_lock_irqsave(&cmd->t_state_lock, flags);
	cmd->t_state = TRANSPORT_ISTATE_PROCESSING;
	cmd->transport_state |= CMD_T_ACTIVE;
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
	INIT_WORK(&cmd->work, tmr_work);
	queue_work(target_tmr_wq, &cmd->work);
	return 0;
}

/**
 * core_tmr_alloc_req - make a command a task management function
 * @se_cmd:	an initialised command
 * @fabric_tmr_ptr: the fabric's
 * @function:	TMR_*
 * @gfp_flags:	for the memory
 *
 * Return: 0 or -ENOMEM.
 */
int core_tmr_alloc_req(struct se_cmd *se_cmd, void *fabric_tmr_ptr, u8 function, gfp_t gfp_flags)
{
	struct se_tmr_req *tmr = kzalloc(sizeof(*tmr), gfp_flags);

	if (!tmr)
		return -ENOMEM;
	se_cmd->se_cmd_flags |= SCF_SCSI_TMR_CDB;
	se_cmd->se_tmr_req = tmr;
	tmr->task_cmd = se_cmd;
	tmr->fabric_tmr_ptr = fabric_tmr_ptr;
	tmr->function = function;
	INIT_LIST_HEAD(&tmr->tmr_list);
	return 0;
}

/**
 * core_tmr_release_req - free what core_tmr_alloc_req() gave
 * @tmr:	may be NULL
 */
void core_tmr_release_req(struct se_tmr_req *tmr)
{
	kfree(tmr);
}

/**
 * tmr_unlist - a task management function leaves its device's list
 * @tmr:	the function, whose command still keeps the device; may be NULL
 */
void tmr_unlist(struct se_tmr_req *tmr)
{
	struct se_device *dev = tmr ? tmr->tmr_dev : NULL;
	unsigned long flags;

	if (!dev)
		return;
	spin_lock_irqsave(&dev->se_tmr_lock, flags);
	list_del_init(&tmr->tmr_list);
	spin_unlock_irqrestore(&dev->se_tmr_lock, flags);
	tmr->tmr_dev = NULL;
}

/**
 * target_submit_tmr - begin a task management function
 * @se_cmd:	zeroed by the fabric, but for its own members
 * @se_sess:	the nexus
 * @sense:	of TRANSPORT_SENSE_BUFFER bytes
 * @unpacked_lun: the LUN
 * @fabric_tmr_ptr: the fabric's
 * @tm_type:	TMR_*
 * @gfp:	for the memory
 * @tag:	of the command that ABORT TASK is about
 * @flags:	TARGET_SCF_*
 *
 * The answer comes through queue_tm_rsp().
 *
 * Return: 0, -ENOMEM, -ESHUTDOWN; the
 * command is the fabric's then.
 */
int target_submit_tmr(struct se_cmd *se_cmd, struct se_session *se_sess, unsigned char *sense, u64 unpacked_lun,
		      void *fabric_tmr_ptr, unsigned char tm_type, gfp_t gfp, u64 tag, int flags)
{
	int ret;

	__target_init_cmd(se_cmd, se_sess->se_tpg->se_tpg_tfo, se_sess, 0, DMA_NONE, TCM_SIMPLE_TAG, sense,
			  unpacked_lun, se_sess->cmd_cnt);
	ret = core_tmr_alloc_req(se_cmd, fabric_tmr_ptr, tm_type, gfp);
	if (ret)
		return ret;
	if (tm_type == TMR_ABORT_TASK)
		se_cmd->se_tmr_req->ref_task_tag = tag;
	ret = target_get_sess_cmd(se_cmd, flags & TARGET_SCF_ACK_KREF);
	if (ret) {
		core_tmr_release_req(se_cmd->se_tmr_req);
		se_cmd->se_tmr_req = NULL;
		return ret;
	}
	if (transport_lookup_tmr_lun(se_cmd))
		se_cmd->se_tmr_req->response = TMR_LUN_DOES_NOT_EXIST;
	return transport_generic_handle_tmr(se_cmd);
}
