// SPDX-License-Identifier: GPL-2.0
/*
 * Unit attentions (SAM-5 5.14). The core has a list of them for each I_T_L nexus
 * but lets no backstore add to it. So a new size, the one condition that arises
 * here and not in the handler, is kept and reported by the device itself.
 */
#include <linux/rculist.h>
#include <scsi/scsi_common.h>
#include <scsi/scsi_proto.h>

#include "tcmu.h"

/* SPC-4 table 64: CAPACITY DATA HAS CHANGED */
#define TCMU_CAPACITY_CHANGED_ASC	0x2a
#define TCMU_CAPACITY_CHANGED_ASCQ	0x09

/*
 * A nexus is known by the address of its se_dev_entry, which is only compared.
 * When another one gets the address of one that is gone, it is told for nothing.
 */
static void tcmu_attend_lun(struct tcmu_dev *dev, struct se_lun *lun)
{
	struct se_dev_entry *nexus;

	spin_lock(&lun->lun_deve_lock);
	list_for_each_entry(nexus, &lun->lun_deve_list, lun_link)
		if (xa_err(xa_store(&dev->attentions, (unsigned long)nexus, xa_mk_value(0),
				    GFP_ATOMIC)))
			pr_warn_ratelimited("%s: no memory to tell an initiator of the new size\n",
					    dev->name);
	spin_unlock(&lun->lun_deve_lock);
}

/**
 * tcmu_attend_capacity - every initiator that has the device is to learn that its
 * size changed
 * @dev:	the device
 *
 * Context: process, no lock.
 */
void tcmu_attend_capacity(struct tcmu_dev *dev)
{
	struct se_device *se_dev = &dev->se_dev;
	struct se_lun *lun;

	xa_destroy(&dev->attentions);
	spin_lock(&se_dev->se_port_lock);
	list_for_each_entry(lun, &se_dev->dev_sep_list, lun_dev_link)
		tcmu_attend_lun(dev, lun);
	spin_unlock(&se_dev->se_port_lock);
}

/* SAM-5 5.14.3: these are executed, and leave a unit attention pending. */
static bool tcmu_leaves_attention(const struct se_cmd *se_cmd)
{
	switch (se_cmd->t_task_cdb[0]) {
	case INQUIRY:
	case REPORT_LUNS:
	case REQUEST_SENSE:
		return true;
	default:
		return false;
	}
}

/* Is there something that the command's nexus has not been told yet? Told it is now. */
static bool tcmu_take_attention(struct tcmu_dev *dev, const struct se_cmd *se_cmd)
{
	const struct se_node_acl *nacl = se_cmd->se_sess->se_node_acl;
	const struct se_dev_entry *nexus;

	if (!nacl)
		return false;
	guard(rcu)();
	hlist_for_each_entry_rcu(nexus, &nacl->lun_entry_hlist, link)
		if (nexus->mapped_lun == se_cmd->orig_fe_lun)
			/* A nexus that left untold keeps others coming here: no lock for them. */
			return xa_load(&dev->attentions, (unsigned long)nexus) &&
			       xa_erase(&dev->attentions, (unsigned long)nexus);
	return false;
}

/**
 * tcmu_report_attention - end a command with the unit attention of its nexus
 * @dev:	the device, with some in @dev->attentions
 * @se_cmd:	the command, not with the handler yet
 *
 * Return: true if the command was ended. Context: process, no lock.
 */
bool tcmu_report_attention(struct tcmu_dev *dev, struct se_cmd *se_cmd)
{
	u8 sense[TRANSPORT_SENSE_BUFFER] = {};

	if (tcmu_leaves_attention(se_cmd) || !tcmu_take_attention(dev, se_cmd))
		return false;
	scsi_build_sense_buffer(0, sense, UNIT_ATTENTION, TCMU_CAPACITY_CHANGED_ASC,
				TCMU_CAPACITY_CHANGED_ASCQ);
	transport_copy_sense_to_cmd(se_cmd, sense);
	target_complete_cmd(se_cmd, SAM_STAT_CHECK_CONDITION);
	return true;
}
