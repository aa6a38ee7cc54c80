// SPDX-License-Identifier: GPL-2.0
/*
 * Unit attention conditions (SAM-5 clause 5.14), by I_T_L nexus: a list in each
 * entry of an initiator's LUN map.
 */
#include "core.h"

#include <linux/rculist.h>
#include <linux/slab.h>

#define ASC_RESET	0x29
#define ASC_LUNS_CHANGED	0x3f
#define ASCQ_LUNS_CHANGED	0x0e

static bool ua_is_known(const struct se_dev_entry *deve, u8 asc, u8 ascq)
{
	const struct se_ua *ua;

	list_for_each_entry(ua, &deve->ua_list, ua_nacl_list)
		if (ua->ua_asc == asc && ua->ua_ascq == ascq)
			return true;
	return false;
}

/**
 * ua_allocate - establish a unit attention for one nexus
 * @deve:	its entry; the caller holds rcu_read_lock() or a lock that keeps it
 * @asc:	additional sense code
 * @ascq:	its qualifier
 *
 * Resets come before all else. One that is pending is not repeated. Any context.
 */
void ua_allocate(struct se_dev_entry *deve, u8 asc, u8 ascq)
{
	struct se_ua *ua = kmem_cache_zalloc(target_ua_cache, GFP_ATOMIC);
	struct core_deve *cd = to_core_deve(deve);
	unsigned long flags;

	if (!ua) {
		pr_warn_ratelimited("no memory for unit attention %02x/%02x\n", asc, ascq);
		return;
	}
	ua->ua_asc = asc;
	ua->ua_ascq = ascq;
	spin_lock_irqsave(&deve->ua_lock, flags);
	if (!cd->gone && !ua_is_known(deve, asc, ascq)) {
		if (asc == ASC_RESET)
			list_add(&ua->ua_nacl_list, &deve->ua_list);
		else
			list_add_tail(&ua->ua_nacl_list, &deve->ua_list);
		atomic_inc(&cd->cdev->ua_pending);
		ua = NULL;
	}
	spin_unlock_irqrestore(&deve->ua_lock, flags);
	if (ua)
		kmem_cache_free(target_ua_cache, ua);
}

/**
 * ua_allocate_dev - establish a unit attention for every nexus of a device
 * @dev:	the device
 * @except:	but for the initiator that caused it; may be NULL
 * @asc:	additional sense code
 * @ascq:	its qualifier
 *
 * Any context: a command that finds the medium resized does this where its fabric submits it.
 */
void ua_allocate_dev(struct se_device *dev, const struct se_node_acl *except, u8 asc, u8 ascq)
{
	struct se_dev_entry *deve, *skip = NULL;
	struct se_lun *lun;
	unsigned long flags;

	spin_lock_irqsave(&dev->se_port_lock, flags);
	list_for_each_entry(lun, &dev->dev_sep_list, lun_dev_link) {
		spin_lock(&lun->lun_deve_lock);
		list_for_each_entry(deve, &lun->lun_deve_list, lun_link) {
			if (except && deve->se_lun_acl && deve->se_lun_acl->se_lun_nacl == except)
				skip = deve;
			if (deve != skip)
				ua_allocate(deve, asc, ascq);
		}
		spin_unlock(&lun->lun_deve_lock);
	}
	spin_unlock_irqrestore(&dev->se_port_lock, flags);
}

static void ua_free(struct se_dev_entry *deve, struct se_ua *ua)
{
	lockdep_assert_held(&deve->ua_lock);
	list_del(&ua->ua_nacl_list);
	atomic_dec(&to_core_deve(deve)->cdev->ua_pending);
	kmem_cache_free(target_ua_cache, ua);
}

/**
 * ua_release_all - forget them, and let no more come
 * @deve:	an entry that is being removed
 */
void ua_release_all(struct se_dev_entry *deve)
{
	struct se_ua *ua, *next;
	unsigned long flags;

	spin_lock_irqsave(&deve->ua_lock, flags);
	to_core_deve(deve)->gone = true;
	list_for_each_entry_safe(ua, next, &deve->ua_list, ua_nacl_list)
		ua_free(deve, ua);
	spin_unlock_irqrestore(&deve->ua_lock, flags);
}

/* The nexus' entry, in an RCU section; NULL also when its device has nothing to report to anybody. */
static struct se_dev_entry *deve_with_ua(const struct se_cmd *cmd)
{
	struct se_dev_entry *deve;

	if (!cmd->se_dev || !cmd->se_sess || !atomic_read(&to_core_dev(cmd->se_dev)->ua_pending))
		return NULL;
	deve = target_nacl_find_deve(cmd->se_sess->se_node_acl, cmd->orig_fe_lun);
	return deve && !list_empty_careful(&deve->ua_list) ? deve : NULL;
}

/**
 * ua_check - must this command report a unit attention instead of running
 * @cmd:	the command
 *
 * Any context.
 *
 * Return: TCM_CHECK_CONDITION_UNIT_ATTENTION or 0.
 */
sense_reason_t ua_check(struct se_cmd *cmd)
{
	bool pending;

	if (likely(!atomic_read(&to_core_dev(cmd->se_dev)->ua_pending)) || cdb_flags(cmd) & CDB_NO_UA)
		return 0;
	rcu_read_lock();
	pending = deve_with_ua(cmd);
	rcu_read_unlock();
	return pending ? TCM_CHECK_CONDITION_UNIT_ATTENTION : 0;
}

/* Reads the first one; @take: it is over then. */
static bool ua_first(struct se_cmd *cmd, bool take, u8 *asc, u8 *ascq)
{
	struct se_dev_entry *deve;
	struct se_ua *ua = NULL;
	unsigned long flags;

	rcu_read_lock();
	deve = deve_with_ua(cmd);
	if (deve) {
		spin_lock_irqsave(&deve->ua_lock, flags);
		ua = list_first_entry_or_null(&deve->ua_list, struct se_ua, ua_nacl_list);
		if (ua) {
			*asc = ua->ua_asc;
			*ascq = ua->ua_ascq;
			if (take)
				ua_free(deve, ua);
		}
		spin_unlock_irqrestore(&deve->ua_lock, flags);
	}
	rcu_read_unlock();
	return ua;
}

/**
 * ua_for_check_condition - what a command refused by ua_check() reports
 * @cmd:	the command
 * @key:	set to UNIT ATTENTION
 * @asc:	set
 * @ascq:	set
 *
 * With UA_INTLCK_CTRL it stays until REQUEST SENSE takes it (SPC-4 clause 7.5.7).
 *
 * Return: false when another command has reported it since ua_check().
 */
bool ua_for_check_condition(struct se_cmd *cmd, u8 *key, u8 *asc, u8 *ascq)
{
	bool clear = cmd->se_dev && cmd->se_dev->dev_attrib.emulate_ua_intlck_ctrl == TARGET_UA_INTLCK_CTRL_CLEAR;

	*key = UNIT_ATTENTION;
	return ua_first(cmd, clear, asc, ascq);
}

/**
 * ua_take - REQUEST SENSE: report the first one, and clear it
 * @cmd:	the command
 * @asc:	set
 * @ascq:	set
 *
 * Return: false when there is none.
 */
bool ua_take(struct se_cmd *cmd, u8 *asc, u8 *ascq)
{
	return ua_first(cmd, true, asc, ascq);
}

/**
 * ua_luns_reported - the initiator knows its LUNs: no LUN need say that they have changed
 * @nacl:	the initiator
 *
 * SPC-4 clause 6.33. Any context.
 */
void ua_luns_reported(struct se_node_acl *nacl)
{
	struct se_dev_entry *deve;
	struct se_ua *ua, *next;
	unsigned long flags;

	rcu_read_lock();
	hlist_for_each_entry_rcu(deve, &nacl->lun_entry_hlist, link) {
		if (list_empty_careful(&deve->ua_list))
			continue;
		spin_lock_irqsave(&deve->ua_lock, flags);
		list_for_each_entry_safe(ua, next, &deve->ua_list, ua_nacl_list)
			if (ua->ua_asc == ASC_LUNS_CHANGED && ua->ua_ascq == ASCQ_LUNS_CHANGED)
				ua_free(deve, ua);
		spin_unlock_irqrestore(&deve->ua_lock, flags);
	}
	rcu_read_unlock();
}
