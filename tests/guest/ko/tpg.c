// SPDX-License-Identifier: GPL-2.0
/* What is below target/tcmtest, and what the core asks a fabric. */
#include <linux/configfs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <scsi/scsi_proto.h>

#include "tcm_test.h"

DEFINE_MUTEX(tcmt_mutex);
static LIST_HEAD(tpgs);		/* tcmt_mutex */

struct tcmt_tpg *tcmt_tpg_find(const char *wwn, u16 tpgt)
{
	struct tcmt_tpg *tpg;

	lockdep_assert_held(&tcmt_mutex);
	list_for_each_entry(tpg, &tpgs, node)
		if (tpg->tpgt == tpgt && !strcmp(tpg->wwn->name, wwn))
			return tpg;
	return NULL;
}

static struct se_wwn *make_wwn(struct target_fabric_configfs *tf, struct config_group *group, const char *name)
{
	struct tcmt_wwn *wwn = kzalloc(sizeof(*wwn), GFP_KERNEL);

	if (!wwn)
		return ERR_PTR(-ENOMEM);
	if (strscpy(wwn->name, name, sizeof(wwn->name)) < 0) {
		kfree(wwn);
		return ERR_PTR(-EINVAL);
	}
	return &wwn->se_wwn;
}

static void drop_wwn(struct se_wwn *se_wwn)
{
	kfree(container_of(se_wwn, struct tcmt_wwn, se_wwn));
}

static struct se_portal_group *make_tpg(struct se_wwn *se_wwn, const char *name)
{
	struct tcmt_tpg *tpg;
	u16 tpgt;
	int rc;

	if (!str_has_prefix(name, "tpgt_") || kstrtou16(name + strlen("tpgt_"), 10, &tpgt))
		return ERR_PTR(-EINVAL);
	tpg = kzalloc(sizeof(*tpg), GFP_KERNEL);
	if (!tpg)
		return ERR_PTR(-ENOMEM);
	tpg->wwn = container_of(se_wwn, struct tcmt_wwn, se_wwn);
	tpg->tpgt = tpgt;
	INIT_LIST_HEAD(&tpg->nexuses);
	rc = core_tpg_register(se_wwn, &tpg->se_tpg, SCSI_PROTOCOL_ISCSI);
	if (rc) {
		kfree(tpg);
		return ERR_PTR(rc);
	}
	mutex_lock(&tcmt_mutex);
	list_add_tail(&tpg->node, &tpgs);
	mutex_unlock(&tcmt_mutex);
	return &tpg->se_tpg;
}

/* One of the TPG's nexuses, with a reference; afterwards none comes any more. */
static struct tcmt_nexus *next_nexus(struct tcmt_tpg *tpg)
{
	struct tcmt_nexus *nexus;

	mutex_lock(&tcmt_mutex);
	list_del_init(&tpg->node);
	nexus = list_first_entry_or_null(&tpg->nexuses, struct tcmt_nexus, tpg_node);
	if (nexus)
		kref_get(&nexus->ref);
	mutex_unlock(&tcmt_mutex);
	return nexus;
}

static void drop_tpg(struct se_portal_group *se_tpg)
{
	struct tcmt_tpg *tpg = to_tcmt_tpg(se_tpg);
	struct tcmt_nexus *nexus;

	while ((nexus = next_nexus(tpg))) {
		tcmt_nexus_close(nexus);
		tcmt_nexus_put(nexus);
	}
	core_tpg_deregister(se_tpg);
	kfree(tpg);
}

/* Attributes of a TPG, which answer the core's questions of the same names */
#define TPG_ATTR(nr, attr)									\
static ssize_t tcmt_tpg_attrib_##attr##_show(struct config_item *item, char *page)		\
{												\
	return sysfs_emit(page, "%u\n", to_tcmt_tpg(attrib_to_tpg(item))->attrs[nr]);		\
}												\
												\
static ssize_t tcmt_tpg_attrib_##attr##_store(struct config_item *item, const char *page, size_t count) \
{												\
	int rc = kstrtou32(page, 0, &to_tcmt_tpg(attrib_to_tpg(item))->attrs[nr]);		\
												\
	return rc ?: count;									\
}												\
												\
static int check_##attr(struct se_portal_group *se_tpg)					\
{												\
	return to_tcmt_tpg(se_tpg)->attrs[nr];							\
}												\
CONFIGFS_ATTR(tcmt_tpg_attrib_, attr)

TPG_ATTR(0, demo_mode);
TPG_ATTR(1, demo_mode_cache);
TPG_ATTR(2, demo_mode_write_protect);
TPG_ATTR(3, prod_mode_write_protect);
TPG_ATTR(4, demo_mode_login_only);

static struct configfs_attribute *tpg_attrib_attrs[] = {
	&tcmt_tpg_attrib_attr_demo_mode,
	&tcmt_tpg_attrib_attr_demo_mode_cache,
	&tcmt_tpg_attrib_attr_demo_mode_write_protect,
	&tcmt_tpg_attrib_attr_prod_mode_write_protect,
	&tcmt_tpg_attrib_attr_demo_mode_login_only,
	NULL,
};

static ssize_t tcmt_tpg_dynamic_sessions_show(struct config_item *item, char *page)
{
	return target_show_dynamic_sessions(to_tpg(item), page);
}

CONFIGFS_ATTR_RO(tcmt_tpg_, dynamic_sessions);

static struct configfs_attribute *tpg_attrs[] = {
	&tcmt_tpg_attr_dynamic_sessions,
	NULL,
};

static char *get_wwn(struct se_portal_group *se_tpg)
{
	return to_tcmt_tpg(se_tpg)->wwn->name;
}

static u16 get_tag(struct se_portal_group *se_tpg)
{
	return to_tcmt_tpg(se_tpg)->tpgt;
}

static u32 get_default_depth(struct se_portal_group *se_tpg)
{
	return 64;
}

static u32 get_inst_index(struct se_portal_group *se_tpg)
{
	return 1;
}

static u32 sess_get_index(struct se_session *sess)
{
	return ((struct tcmt_nexus *)sess->fabric_sess_ptr)->id;
}

static void set_default_node_attributes(struct se_node_acl *acl)
{
	acl->queue_depth = get_default_depth(acl->se_tpg);
}

static int get_cmd_state(struct se_cmd *se_cmd)
{
	return to_tcmt_cmd(se_cmd)->state;
}

const struct target_core_fabric_ops tcmt_ops = {
	.module				= THIS_MODULE,
	.fabric_name			= "tcmtest",
	COMPAT_DIRECT_SUBMIT
	.tpg_get_wwn			= get_wwn,
	.tpg_get_tag			= get_tag,
	.tpg_get_default_depth		= get_default_depth,
	.tpg_check_demo_mode		= check_demo_mode,
	.tpg_check_demo_mode_cache	= check_demo_mode_cache,
	.tpg_check_demo_mode_write_protect = check_demo_mode_write_protect,
	.tpg_check_prod_mode_write_protect = check_prod_mode_write_protect,
	.tpg_check_demo_mode_login_only	= check_demo_mode_login_only,
	.tpg_get_inst_index		= get_inst_index,
	.check_stop_free		= tcmt_check_stop_free,
	.release_cmd			= tcmt_release_cmd,
	.close_session			= tcmt_close_session,
	.sess_get_index			= sess_get_index,
	.sess_get_initiator_sid		= tcmt_sess_isid,
	.write_pending			= tcmt_write_pending,
	.set_default_node_attributes	= set_default_node_attributes,
	.get_cmd_state			= get_cmd_state,
	.queue_data_in			= tcmt_queue_response,
	.queue_status			= tcmt_queue_response,
	.queue_tm_rsp			= tcmt_queue_tm_rsp,
	.aborted_task			= tcmt_aborted_task,
	.fabric_make_wwn		= make_wwn,
	.fabric_drop_wwn		= drop_wwn,
	.fabric_make_tpg		= make_tpg,
	.fabric_drop_tpg		= drop_tpg,
	.tfc_tpg_base_attrs		= tpg_attrs,
	.tfc_tpg_attrib_attrs		= tpg_attrib_attrs,
};
