// SPDX-License-Identifier: GPL-2.0
/*
 * ALUA states: what a command may do in them, how a target port group gets from
 * one to another (SPC-4 5.15.2), and the secondary state of a single LUN.
 */
#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/wait.h>

#include "alua.h"

/* Transitions wait for each other here when they share a group; counted under alua_lock. */
static DECLARE_WAIT_QUEUE_HEAD(transition_wait);
static unsigned int transitions_done;

static const struct {
	const char	*name;
	u8		supported;	/* the bit that allows it, 0: not settable */
} alua_states[] = {
	[SCSI_ACCESS_STATE_OPTIMAL]		= { "Active/Optimized",		ALUA_AO_SUP },
	[SCSI_ACCESS_STATE_ACTIVE]		= { "Active/NonOptimized",	ALUA_AN_SUP },
	[SCSI_ACCESS_STATE_STANDBY]		= { "Standby",			ALUA_S_SUP },
	[SCSI_ACCESS_STATE_UNAVAILABLE]		= { "Unavailable",		ALUA_U_SUP },
	[SCSI_ACCESS_STATE_LBA]			= { "LBA Dependent",		0 },
	[SCSI_ACCESS_STATE_OFFLINE]		= { "Offline",			ALUA_O_SUP },
	[SCSI_ACCESS_STATE_TRANSITIONING]	= { "Transitioning",		ALUA_T_SUP },
};

/**
 * alua_state_name() - as the attributes show it
 * @state:	an asymmetric access state
 *
 * Return: its name, "Unknown" for what is none.
 */
const char *alua_state_name(int state)
{
	if (state < 0 || state >= ARRAY_SIZE(alua_states) || !alua_states[state].name)
		return "Unknown";
	return alua_states[state].name;
}

/**
 * alua_status_name() - as the attributes show it
 * @status:	enum alua_status
 *
 * Return: its name, "Unknown" for what is none.
 */
const char *alua_status_name(int status)
{
	static const char * const names[ALUA_NR_STATUS] = {
		[ALUA_STATUS_NONE]	= "None",
		[ALUA_STATUS_EXPLICIT]	= "Altered by Explicit STPG",
		[ALUA_STATUS_IMPLICIT]	= "Altered by Implicit ALUA",
	};

	return status >= 0 && status < ALUA_NR_STATUS ? names[status] : "Unknown";
}

/* ------------------------------------------------------------------ */
/* The gate */

static sense_reason_t check_standby(struct se_cmd *cmd)
{
	return cdb_flags(cmd) & (CDB_ANY_ALUA | CDB_STANDBY) ? 0 : TCM_ALUA_TG_PT_STANDBY;
}

static sense_reason_t check_unavailable(struct se_cmd *cmd)
{
	return cdb_flags(cmd) & CDB_ANY_ALUA ? 0 : TCM_ALUA_TG_PT_UNAVAILABLE;
}

/* What may be asked meanwhile (SPC-4 5.15.2.4.6); SET TARGET PORT GROUPS is not among it. */
static sense_reason_t check_transition(struct se_cmd *cmd)
{
	if (cmd->t_task_cdb[0] != MAINTENANCE_OUT && (cdb_flags(cmd) & CDB_ANY_ALUA))
		return 0;
	return TCM_ALUA_STATE_TRANSITION;
}

static sense_reason_t check_state(struct se_cmd *cmd, int state, int nonop_delay)
{
	switch (state) {
	case SCSI_ACCESS_STATE_OPTIMAL:
		return 0;
	case SCSI_ACCESS_STATE_ACTIVE:
		cmd->se_cmd_flags |= SCF_ALUA_NON_OPTIMIZED;
		cmd->alua_nonop_delay = nonop_delay;
		return 0;
	case SCSI_ACCESS_STATE_STANDBY:
		return check_standby(cmd);
	case SCSI_ACCESS_STATE_UNAVAILABLE:
		return check_unavailable(cmd);
	case SCSI_ACCESS_STATE_TRANSITIONING:
		return check_transition(cmd);
	default:
		return TCM_ALUA_OFFLINE;
	}
}

/**
 * alua_check() - may the command pass in its target port group's state?
 * @cmd:	a parsed command
 *
 * Context: any.
 *
 * Return: 0 or the reason for CHECK CONDITION.
 */
sense_reason_t alua_check(struct se_cmd *cmd)
{
	struct t10_alua_tg_pt_gp *gp;
	struct se_lun *lun = cmd->se_lun;
	int state = SCSI_ACCESS_STATE_OPTIMAL, nonop_delay = 0;

	if (!lun || !cmd->se_dev ||
	    (cmd->se_dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH_ALUA))
		return 0;
	if (unlikely(atomic_read(&lun->lun_tg_pt_secondary_offline)))
		return TCM_ALUA_OFFLINE;

	rcu_read_lock();
	gp = rcu_dereference(lun->lun_tg_pt_gp);
	if (gp) {
		state = READ_ONCE(gp->tg_pt_gp_alua_access_state);
		nonop_delay = READ_ONCE(gp->tg_pt_gp_nonop_delay_msecs);
	}
	rcu_read_unlock();
	return likely(state == SCSI_ACCESS_STATE_OPTIMAL) ? 0 : check_state(cmd, state, nonop_delay);
}

/**
 * core_alua_check_nonop_delay() - a non-optimized path is slower, as its attribute asks
 * @cmd:	the command
 *
 * Context: process; waits, at most ALUA_NONOP_MAX_MSECS.
 *
 * Return: 0.
 */
int core_alua_check_nonop_delay(struct se_cmd *cmd)
{
	if ((cmd->se_cmd_flags & SCF_ALUA_NON_OPTIMIZED) && cmd->alua_nonop_delay > 0)
		msleep_interruptible(min(cmd->alua_nonop_delay, ALUA_NONOP_MAX_MSECS));
	return 0;
}

/* ------------------------------------------------------------------ */
/* Transitions */

/*
 * One transition: a group, and those of the same identifier of the other
 * devices in the logical unit group, which are one group to the initiators.
 */
struct transition {
	int			state;
	unsigned int		delay;
	unsigned int		nr;
	struct t10_alua_tg_pt_gp *gps[];
};

static struct t10_alua_lu_gp *shared_lu_group(const struct se_device *dev)
{
	struct t10_alua_lu_gp_member *mem = dev->dev_alua_lu_gp_mem;

	lockdep_assert_held(&alua_lock);
	return mem && mem->lu_gp != alua_default_lu_gp ? mem->lu_gp : NULL;
}

/* @gp of a device that is not shared, or those like it in all devices of the LU group. */
static void collect(struct transition *t, struct t10_alua_tg_pt_gp *gp)
{
	struct t10_alua_lu_gp *lu_gp = shared_lu_group(gp->tg_pt_gp_dev);
	struct t10_alua_lu_gp_member *mem;
	struct t10_alua_tg_pt_gp *other;

	t->nr = 0;
	t->gps[t->nr++] = gp;
	if (!lu_gp)
		return;
	list_for_each_entry(mem, &lu_gp->lu_gp_mem_list, lu_gp_mem_list)
		list_for_each_entry(other, &mem->lu_gp_mem_dev->t10_alua.tg_pt_gps_list, tg_pt_gp_list)
			if (other != gp && other->tg_pt_gp_valid_id &&
			    other->tg_pt_gp_id == gp->tg_pt_gp_id)
				t->gps[t->nr++] = other;
}

static bool collision(const struct transition *t)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (to_core_tg_pt_gp(t->gps[i])->changing)
			return true;
	return false;
}

static void claim(struct transition *t)
{
	unsigned int i;

	t->delay = 0;
	for (i = 0; i < t->nr; i++) {
		to_core_tg_pt_gp(t->gps[i])->changing = true;
		atomic_inc(&t->gps[i]->tg_pt_gp_ref_cnt);
		t->delay = max_t(unsigned int, t->delay, t->gps[i]->tg_pt_gp_trans_delay_msecs);
	}
}

/*
 * Takes all groups of the transition, which hold still until release_groups().
 * Returns 0, -ENOMEM, or -EAGAIN when others have some of them, with *@done as it was then.
 */
static int try_begin(struct t10_alua_tg_pt_gp *gp, struct transition **result, unsigned int *done)
{
	struct t10_alua_lu_gp *lu_gp;
	struct transition *t;
	int err = 0;

	mutex_lock(&alua_lock);
	lu_gp = shared_lu_group(gp->tg_pt_gp_dev);
	t = kvzalloc(struct_size(t, gps, 1 + (lu_gp ? lu_gp->lu_gp_members : 0)), GFP_KERNEL);
	if (!t) {
		err = -ENOMEM;
		goto out;
	}
	collect(t, gp);
	if (collision(t)) {
		kvfree(t);
		*done = transitions_done;
		err = -EAGAIN;
		goto out;
	}
	claim(t);
	*result = t;
out:
	mutex_unlock(&alua_lock);
	return err;
}

static void release_groups(struct transition *t)
{
	unsigned int i;

	mutex_lock(&alua_lock);
	for (i = 0; i < t->nr; i++)
		to_core_tg_pt_gp(t->gps[i])->changing = false;
	WRITE_ONCE(transitions_done, transitions_done + 1);
	mutex_unlock(&alua_lock);
	for (i = 0; i < t->nr; i++)
		alua_tg_group_put(t->gps[i]);
	kvfree(t);
	wake_up_all(&transition_wait);
}

/* ASYMMETRIC ACCESS STATE CHANGED (SPC-4 5.15.2.8), for everybody with a LUN in the group. */
static void announce(struct t10_alua_tg_pt_gp *gp)
{
	struct se_dev_entry *deve;
	struct se_lun *lun;

	lockdep_assert_held(&alua_lock);
	list_for_each_entry(lun, &gp->tg_pt_gp_lun_list, lun_tg_pt_gp_link) {
		spin_lock_irq(&lun->lun_deve_lock);
		list_for_each_entry(deve, &lun->lun_deve_list, lun_link)
			ua_allocate(deve, 0x2a, 0x06);
		spin_unlock_irq(&lun->lun_deve_lock);
	}
}

static void enter_state(struct transition *t, int state)
{
	unsigned int i;

	mutex_lock(&alua_lock);
	for (i = 0; i < t->nr; i++) {
		struct t10_alua_tg_pt_gp *gp = t->gps[i];

		if (gp->tg_pt_gp_alua_access_state == state)
			continue;
		WRITE_ONCE(gp->tg_pt_gp_alua_access_state, state);
		gp->tg_pt_gp_alua_access_status = ALUA_STATUS_IMPLICIT;
		announce(gp);
	}
	mutex_unlock(&alua_lock);
}

/* Refuses what the group does not do; the device's own answers come first. */
static int may_set_state(const struct t10_alua_tg_pt_gp *gp, int state)
{
	const struct se_device *dev = gp->tg_pt_gp_dev;

	if (!target_dev_configured((struct se_device *)dev))
		return -ENODEV;
	if (!gp->tg_pt_gp_valid_id || (dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH_ALUA))
		return -EINVAL;
	if (!(gp->tg_pt_gp_alua_access_type & ALUA_TPGS_IMPLICIT))
		return -EINVAL;
	if (state < 0 || state >= ARRAY_SIZE(alua_states) ||
	    !(gp->tg_pt_gp_alua_supported_states & alua_states[state].supported))
		return -EINVAL;
	return 0;
}

/**
 * alua_set_state() - an implicit transition of a target port group
 * @gp:		the group
 * @state:	the new asymmetric access state
 *
 * The groups of the same identifier in the other devices of a logical unit group
 * go along. In between they are in the transitioning state for trans_delay_msecs.
 * Context: process; waits that long, and for a transition that is under way.
 * Return: 0, -ENODEV when the device is not enabled, -EINVAL when the group is not
 * to be in @state or not to change implicitly, -ENOMEM, -EINTR.
 */
int alua_set_state(struct t10_alua_tg_pt_gp *gp, int state)
{
	struct transition *t;
	unsigned int done;
	int err;

	err = may_set_state(gp, state);
	if (err)
		return err;
	while ((err = try_begin(gp, &t, &done)) == -EAGAIN)
		if (wait_event_killable(transition_wait, READ_ONCE(transitions_done) != done))
			return -EINTR;
	if (err)
		return err;

	if (gp->tg_pt_gp_alua_access_state != state && t->delay) {
		enter_state(t, SCSI_ACCESS_STATE_TRANSITIONING);
		msleep_interruptible(t->delay);
	}
	enter_state(t, state);
	release_groups(t);
	return 0;
}

/* ------------------------------------------------------------------ */
/* The secondary state of a LUN */

/* -ENODEV: nothing is linked, or the backstore does ALUA. */
static int lun_has_alua(struct se_lun *lun)
{
	struct se_device *dev;
	int err = -ENODEV;

	rcu_read_lock();
	dev = rcu_dereference(lun->lun_se_dev);
	if (dev && !(dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH_ALUA))
		err = 0;
	rcu_read_unlock();
	return err;
}

/* A number for a LUN's attribute, 0 to @max. */
static int lun_number(const char *page, size_t count, unsigned long max, unsigned long *value)
{
	int err;

	if (memchr(page, 0, count))
		return -EINVAL;
	err = kstrtoul(page, 0, value);
	return !err && *value > max ? -EINVAL : err;
}

/** alua_lun_show_offline() - the attribute alua_tg_pt_offline: is the port taken out of service? */
ssize_t alua_lun_show_offline(struct se_lun *lun, char *page)
{
	return sysfs_emit(page, "%d\n", atomic_read(&lun->lun_tg_pt_secondary_offline));
}

/** alua_lun_store_offline() - takes a LUN out of service, or into it; -EINVAL, -ERANGE, -ENODEV */
ssize_t alua_lun_store_offline(struct se_lun *lun, const char *page, size_t count)
{
	unsigned long offline;
	int err = lun_has_alua(lun);

	if (!err)
		err = lun_number(page, count, 1, &offline);
	if (err)
		return err;
	mutex_lock(&lun->lun_tg_pt_md_mutex);
	lun->lun_tg_pt_secondary_stat = ALUA_STATUS_IMPLICIT;
	atomic_set(&lun->lun_tg_pt_secondary_offline, offline);
	mutex_unlock(&lun->lun_tg_pt_md_mutex);
	return count;
}

/** alua_lun_show_status() - the attribute alua_tg_pt_status: who set the secondary state */
ssize_t alua_lun_show_status(struct se_lun *lun, char *page)
{
	return sysfs_emit(page, "%d\n", lun->lun_tg_pt_secondary_stat);
}

/** alua_lun_store_status() - says who set the secondary state; -EINVAL or -ERANGE */
ssize_t alua_lun_store_status(struct se_lun *lun, const char *page, size_t count)
{
	unsigned long status;
	int err = lun_number(page, count, ALUA_NR_STATUS - 1, &status);

	if (err)
		return err;
	lun->lun_tg_pt_secondary_stat = status;
	return count;
}

/** alua_lun_show_write_md() - the attribute alua_tg_pt_write_md: is the secondary state kept? */
ssize_t alua_lun_show_write_md(struct se_lun *lun, char *page)
{
	return sysfs_emit(page, "%d\n", lun->lun_tg_pt_secondary_write_md);
}

/** alua_lun_store_write_md() - whether the secondary state is kept; -EINVAL or -ERANGE */
ssize_t alua_lun_store_write_md(struct se_lun *lun, const char *page, size_t count)
{
	unsigned long write_md;
	int err = lun_number(page, count, 1, &write_md);

	if (err)
		return err;
	lun->lun_tg_pt_secondary_write_md = write_md;
	return count;
}
