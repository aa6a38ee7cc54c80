// SPDX-License-Identifier: GPL-2.0
/* target/<fabric>/<WWN>/<TPG>, and a TPG's network portals. */
#include "fabric.h"
#include "configfs_tree.h"

#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#define TF_CIT(name)	offsetof(struct target_fabric_configfs, tf_##name##_cit)

static const struct fabric_subgroup wwn_subgroups[] = {
	{ "fabric_statistics", offsetof(struct se_wwn, fabric_stat_group), TF_CIT(wwn_fabric_stats) },
	{ "param", offsetof(struct se_wwn, param_group), TF_CIT(wwn_param) },
};

static const struct fabric_subgroup tpg_subgroups[] = {
	{ "lun", offsetof(struct se_portal_group, tpg_lun_group), TF_CIT(tpg_lun) },
	{ "np", offsetof(struct se_portal_group, tpg_np_group), TF_CIT(tpg_np) },
	{ "acls", offsetof(struct se_portal_group, tpg_acl_group), TF_CIT(tpg_nacl) },
	{ "attrib", offsetof(struct se_portal_group, tpg_attrib_group), TF_CIT(tpg_attrib) },
	{ "auth", offsetof(struct se_portal_group, tpg_auth_group), TF_CIT(tpg_auth) },
	{ "param", offsetof(struct se_portal_group, tpg_param_group), TF_CIT(tpg_param) },
};

static struct se_wwn *item_to_wwn(struct config_item *item)
{
	return container_of(to_config_group(item), struct se_wwn, wwn_group);
}

static struct se_wwn *param_to_wwn(struct config_item *item)
{
	return container_of(to_config_group(item), struct se_wwn, param_group);
}

/* A fabric's error number is the caller's; one that only says NULL means that the name is wrong. */
static struct config_group *made_nothing(const void *made)
{
	return made ? ERR_CAST(made) : ERR_PTR(-EINVAL);
}

static void drop_wwn(struct config_group *group, struct config_item *item)
{
	fabric_remove_subgroups(to_config_group(item), item_to_wwn(item), wwn_subgroups, ARRAY_SIZE(wwn_subgroups));
	config_item_put(item);
}

static struct config_group *make_wwn(struct config_group *group, const char *name)
{
	struct target_fabric_configfs *tf = container_of(group, struct target_fabric_configfs, tf_group);
	struct se_wwn *wwn = tf->tf_ops->fabric_make_wwn(tf, group, name);

	if (IS_ERR_OR_NULL(wwn))
		return made_nothing(wwn);
	wwn->wwn_tf = tf;
	wwn->cmd_compl_affinity = SE_COMPL_AFFINITY_CPUID;
	config_group_init_type_name(&wwn->wwn_group, name, &tf->tf_tpg_cit);
	fabric_add_subgroups(tf, &wwn->wwn_group, wwn, wwn_subgroups, ARRAY_SIZE(wwn_subgroups));
	if (tf->tf_ops->add_wwn_groups)
		tf->tf_ops->add_wwn_groups(wwn);
	return made_group(&wwn->wwn_group, group, drop_wwn);
}

static void release_wwn(struct config_item *item)
{
	struct se_wwn *wwn = item_to_wwn(item);

	wwn->wwn_tf->tf_ops->fabric_drop_wwn(wwn);
}

struct configfs_group_operations fabric_wwn_dir_ops = {
	.make_group	= make_wwn,
	.drop_item	= drop_wwn,
};

struct configfs_item_operations fabric_wwn_item_ops = {
	.release	= release_wwn,
};

static ssize_t wwn_param_cmd_completion_affinity_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", READ_ONCE(param_to_wwn(item)->cmd_compl_affinity));
}

static ssize_t wwn_param_cmd_completion_affinity_store(struct config_item *item, const char *page, size_t count)
{
	int value, ret = kstrtoint(page, 0, &value);

	if (ret)
		return ret;
	if (value != SE_COMPL_AFFINITY_CPUID && value != SE_COMPL_AFFINITY_CURR_CPU &&
	    (value < 0 || value >= nr_cpu_ids || !cpu_online(value)))
		return -EINVAL;
	WRITE_ONCE(param_to_wwn(item)->cmd_compl_affinity, value);
	return count;
}
CONFIGFS_ATTR(wwn_param_, cmd_completion_affinity);

#if COMPAT_HAS_SUBMIT_TYPE
static ssize_t wwn_param_default_submit_type_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%u\n", param_to_wwn(item)->wwn_tf->tf_ops->default_submit_type);
}
CONFIGFS_ATTR_RO(wwn_param_, default_submit_type);

static ssize_t wwn_param_direct_submit_supported_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%u\n", param_to_wwn(item)->wwn_tf->tf_ops->direct_submit_supp);
}
CONFIGFS_ATTR_RO(wwn_param_, direct_submit_supported);
#endif

struct configfs_attribute *fabric_wwn_param_attrs[] = {
	&wwn_param_attr_cmd_completion_affinity,
#if COMPAT_HAS_SUBMIT_TYPE
	&wwn_param_attr_default_submit_type,
	&wwn_param_attr_direct_submit_supported,
#endif
	NULL,
};

static void drop_tpg(struct config_group *group, struct config_item *item)
{
	fabric_remove_subgroups(to_config_group(item), to_tpg(item), tpg_subgroups, ARRAY_SIZE(tpg_subgroups));
	config_item_put(item);
}

static struct config_group *make_tpg(struct config_group *group, const char *name)
{
	struct se_wwn *wwn = item_to_wwn(&group->cg_item);
	struct target_fabric_configfs *tf = wwn->wwn_tf;
	struct se_portal_group *tpg = tf->tf_ops->fabric_make_tpg(wwn, name);

	if (IS_ERR_OR_NULL(tpg))
		return made_nothing(tpg);
	config_group_init_type_name(&tpg->tpg_group, name, &tf->tf_tpg_base_cit);
	fabric_add_subgroups(tf, &tpg->tpg_group, tpg, tpg_subgroups, ARRAY_SIZE(tpg_subgroups));
	return made_group(&tpg->tpg_group, group, drop_tpg);
}

/* The WWN is still there: configfs holds the lock of its directory until a rmdir in it is over. */
static void release_tpg(struct config_item *item)
{
	struct se_portal_group *tpg = to_tpg(item);

	tpg_fabric(tpg)->tf_ops->fabric_drop_tpg(tpg);
}

struct configfs_group_operations fabric_wwn_group_ops = {
	.make_group	= make_tpg,
	.drop_item	= drop_tpg,
};

struct configfs_item_operations fabric_tpg_item_ops = {
	.release	= release_tpg,
};

static ssize_t tpg_enable_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", to_tpg(item)->enabled);
}

static ssize_t tpg_enable_store(struct config_item *item, const char *page, size_t count)
{
	bool enable;
	int ret = kstrtobool(page, &enable);

	if (!ret)
		ret = tpg_enable(to_tpg(item), enable);
	return ret ?: count;
}

struct configfs_attribute fabric_tpg_attr_enable = {
	.ca_owner	= THIS_MODULE,
	.ca_name	= "enable",
	.ca_mode	= 0644,
	.show		= tpg_enable_show,
	.store		= tpg_enable_store,
};

#if COMPAT_TPG_RTPI
static ssize_t tpg_rtpi_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "0x%x\n", compat_tpg_rtpi(to_tpg(item)));
}

static ssize_t tpg_rtpi_store(struct config_item *item, const char *page, size_t count)
{
	u16 rtpi;
	int ret = kstrtou16(page, 0, &rtpi);

	if (!ret)
		ret = tpg_set_rtpi(to_tpg(item), rtpi);
	return ret ?: count;
}
CONFIGFS_ATTR(tpg_, rtpi);
#endif

struct configfs_attribute *fabric_tpg_attrs[] = {
	&fabric_tpg_attr_enable,
#if COMPAT_TPG_RTPI
	&tpg_attr_rtpi,
#endif
	NULL,
};

static void drop_np(struct config_group *group, struct config_item *item)
{
	config_item_put(item);
}

static struct config_group *make_np(struct config_group *group, const char *name)
{
	struct se_portal_group *tpg = container_of(group, struct se_portal_group, tpg_np_group);
	struct target_fabric_configfs *tf = tpg_fabric(tpg);
	struct se_tpg_np *np;

	if (!tf->tf_ops->fabric_make_np)
		return ERR_PTR(CORE_NOT_DONE);
	np = tf->tf_ops->fabric_make_np(tpg, group, name);
	if (IS_ERR_OR_NULL(np))
		return made_nothing(np);
	np->tpg_np_parent = tpg;
	config_group_init_type_name(&np->tpg_np_group, name, &tf->tf_tpg_np_base_cit);
	return made_group(&np->tpg_np_group, group, drop_np);
}

static void release_np(struct config_item *item)
{
	struct se_tpg_np *np = to_tpg_np(item);

	tpg_fabric(np->tpg_np_parent)->tf_ops->fabric_drop_np(np);
}

struct configfs_group_operations fabric_np_dir_ops = {
	.make_group	= make_np,
	.drop_item	= drop_np,
};

struct configfs_item_operations fabric_np_item_ops = {
	.release	= release_np,
};
