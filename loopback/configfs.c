// SPDX-License-Identifier: GPL-2.0
/* Attributes below target/loopback, and what the core asks a fabric. */
#include <linux/configfs.h>

#include "tcm_loop.h"

static char *tcm_loop_get_wwn(struct se_portal_group *se_tpg)
{
	return to_tcm_loop_tpg(se_tpg)->host->wwn;
}

static u16 tcm_loop_get_tag(struct se_portal_group *se_tpg)
{
	return to_tcm_loop_tpg(se_tpg)->tpgt;
}

/* Initiators need no ACL: the only one is this machine. */
static int tcm_loop_check_demo_mode(struct se_portal_group *se_tpg)
{
	return 1;
}

static int tcm_loop_check_no(struct se_portal_group *se_tpg)
{
	return 0;
}

static int tcm_loop_check_prot_fabric_only(struct se_portal_group *se_tpg)
{
	return to_tcm_loop_tpg(se_tpg)->fabric_prot_type;
}

static u32 tcm_loop_tpg_inst_index(struct se_portal_group *se_tpg)
{
	return 1;
}

static u32 tcm_loop_sess_index(struct se_session *se_sess)
{
	return 1;
}

static int tcm_loop_cmd_state(struct se_cmd *se_cmd)
{
	return 0;
}

static void tcm_loop_node_attributes(struct se_node_acl *se_acl)
{
	/* None. */
}

static void tcm_loop_aborted_task(struct se_cmd *se_cmd)
{
	/* release_cmd sees that there was no status. */
}

static ssize_t tcm_loop_wwn_version_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "TCM Loopback Fabric module v2.1-rc2\n");
}

static struct configfs_attribute tcm_loop_wwn_attr_version = {
	.ca_owner	= THIS_MODULE,
	.ca_name	= "version",
	.ca_mode	= 0444,
	.show		= tcm_loop_wwn_version_show,
};

static struct configfs_attribute *tcm_loop_wwn_attrs[] = {
	&tcm_loop_wwn_attr_version,
	NULL,
};

static ssize_t tcm_loop_tpg_nexus_show(struct config_item *item, char *page)
{
	struct tcm_loop_tpg *tpg = to_tcm_loop_tpg(to_tpg(item));
	ssize_t len = -ENODEV;

	mutex_lock(&tpg->host->lock);
	if (tpg->nexus)
		len = snprintf(page, PAGE_SIZE, "%s\n",
			       tpg->nexus->se_sess->se_node_acl->initiatorname);
	mutex_unlock(&tpg->host->lock);
	return len;
}

static ssize_t tcm_loop_tpg_nexus_store(struct config_item *item,
					const char *page, size_t count)
{
	struct tcm_loop_tpg *tpg = to_tcm_loop_tpg(to_tpg(item));
	char name[TCM_LOOP_WWN_LEN];
	const char *port;
	u8 proto_id;
	int rc;

	if (str_has_prefix(page, "NULL")) {
		rc = tcm_loop_nexus_drop(tpg);
		return rc ?: count;
	}
	if (strscpy(name, page, sizeof(name)) < 0)
		return -EINVAL;
	name[strcspn(name, "\n")] = '\0';
	port = tcm_loop_protocol_of(name, &proto_id);
	if (!port || proto_id != tpg->host->proto_id) {
		pr_err("%s: not a name of an emulated initiator port for %s\n",
		       name, tpg->host->wwn);
		return -EINVAL;
	}
	rc = tcm_loop_nexus_create(tpg, port);
	return rc ?: count;
}

static const char * const transport_states[] = {
	[TCM_LOOP_ONLINE]	= "online",
	[TCM_LOOP_OFFLINE]	= "offline",
};

static ssize_t tcm_loop_tpg_transport_status_show(struct config_item *item, char *page)
{
	struct tcm_loop_tpg *tpg = to_tcm_loop_tpg(to_tpg(item));

	return sysfs_emit(page, "%s\n", transport_states[READ_ONCE(tpg->transport)]);
}

static ssize_t tcm_loop_tpg_transport_status_store(struct config_item *item,
						   const char *page, size_t count)
{
	struct tcm_loop_tpg *tpg = to_tcm_loop_tpg(to_tpg(item));
	u8 i;

	for (i = 0; i < ARRAY_SIZE(transport_states); i++) {
		if (str_has_prefix(page, transport_states[i])) {
			WRITE_ONCE(tpg->transport, i);
			return count;
		}
	}
	return -EINVAL;
}

static ssize_t tcm_loop_tpg_address_show(struct config_item *item, char *page)
{
	struct tcm_loop_tpg *tpg = to_tcm_loop_tpg(to_tpg(item));

	return sysfs_emit(page, "%d:0:%d\n", tpg->host->shost->host_no, tpg->tpgt);
}

CONFIGFS_ATTR(tcm_loop_tpg_, nexus);
CONFIGFS_ATTR(tcm_loop_tpg_, transport_status);
CONFIGFS_ATTR_RO(tcm_loop_tpg_, address);

static struct configfs_attribute *tcm_loop_tpg_attrs[] = {
	&tcm_loop_tpg_attr_nexus,
	&tcm_loop_tpg_attr_transport_status,
	&tcm_loop_tpg_attr_address,
	NULL,
};

static ssize_t tcm_loop_tpg_attrib_fabric_prot_type_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", to_tcm_loop_tpg(attrib_to_tpg(item))->fabric_prot_type);
}

static ssize_t tcm_loop_tpg_attrib_fabric_prot_type_store(struct config_item *item,
							  const char *page, size_t count)
{
	struct tcm_loop_tpg *tpg = to_tcm_loop_tpg(attrib_to_tpg(item));
	u8 type;
	int rc;

	rc = kstrtou8(page, 0, &type);
	if (rc)
		return -EINVAL;
	switch (type) {
	case TARGET_DIF_TYPE0_PROT:
	case TARGET_DIF_TYPE1_PROT:
	case TARGET_DIF_TYPE3_PROT:
		tpg->fabric_prot_type = type;
		return count;
	default:
		return -EINVAL;
	}
}

CONFIGFS_ATTR(tcm_loop_tpg_attrib_, fabric_prot_type);

static struct configfs_attribute *tcm_loop_tpg_attrib_attrs[] = {
	&tcm_loop_tpg_attrib_attr_fabric_prot_type,
	NULL,
};

const struct target_core_fabric_ops tcm_loop_ops = {
	.module				= THIS_MODULE,
	.fabric_name			= "loopback",
	COMPAT_DIRECT_SUBMIT
	.tpg_get_wwn			= tcm_loop_get_wwn,
	.tpg_get_tag			= tcm_loop_get_tag,
	.tpg_check_demo_mode		= tcm_loop_check_demo_mode,
	.tpg_check_demo_mode_cache	= tcm_loop_check_no,
	.tpg_check_demo_mode_write_protect = tcm_loop_check_no,
	.tpg_check_prod_mode_write_protect = tcm_loop_check_no,
	.tpg_check_prot_fabric_only	= tcm_loop_check_prot_fabric_only,
	.tpg_get_inst_index		= tcm_loop_tpg_inst_index,
	.sess_get_index			= tcm_loop_sess_index,
	.set_default_node_attributes	= tcm_loop_node_attributes,
	.get_cmd_state			= tcm_loop_cmd_state,
	.write_pending			= tcm_loop_write_pending,
	.queue_data_in			= tcm_loop_queue_data_in,
	.queue_status			= tcm_loop_queue_status,
	.queue_tm_rsp			= tcm_loop_queue_tm_rsp,
	.aborted_task			= tcm_loop_aborted_task,
	.check_stop_free		= tcm_loop_check_stop_free,
	.release_cmd			= tcm_loop_release_cmd,
	.fabric_make_wwn		= tcm_loop_make_wwn,
	.fabric_drop_wwn		= tcm_loop_drop_wwn,
	.fabric_make_tpg		= tcm_loop_make_tpg,
	.fabric_drop_tpg		= tcm_loop_drop_tpg,
	.fabric_post_link		= tcm_loop_post_link,
	.fabric_pre_unlink		= tcm_loop_pre_unlink,
	.tfc_wwn_attrs			= tcm_loop_wwn_attrs,
	.tfc_tpg_base_attrs		= tcm_loop_tpg_attrs,
	.tfc_tpg_attrib_attrs		= tcm_loop_tpg_attrib_attrs,
};
