// SPDX-License-Identifier: GPL-2.0
/* target/<fabric>/<WWN>/<TPG>/acls: initiators, and the LUNs each of them sees. */
#include "fabric.h"
#include "configfs_tree.h"

#include <linux/module.h>
#include <linux/sysfs.h>

#define TF_CIT(name)	offsetof(struct target_fabric_configfs, tf_##name##_cit)

static const struct fabric_subgroup acl_subgroups[] = {
	{ "attrib", offsetof(struct se_node_acl, acl_attrib_group), TF_CIT(tpg_nacl_attrib) },
	{ "auth", offsetof(struct se_node_acl, acl_auth_group), TF_CIT(tpg_nacl_auth) },
	{ "param", offsetof(struct se_node_acl, acl_param_group), TF_CIT(tpg_nacl_param) },
	{ "fabric_statistics", offsetof(struct se_node_acl, acl_fabric_stat_group), TF_CIT(tpg_nacl_stat) },
};

static const struct fabric_subgroup mapped_subgroups[] = {
	{ "statistics", offsetof(struct se_lun_acl, ml_stat_grps.stat_group), TF_CIT(tpg_mappedlun_stat) },
};

static void drop_acl(struct config_group *group, struct config_item *item)
{
	fabric_remove_subgroups(to_config_group(item), acl_to_nacl(item), acl_subgroups, ARRAY_SIZE(acl_subgroups));
	config_item_put(item);
}

/* A fabric may add default groups in fabric_init_nodeacl(), so they are there before. */
static struct config_group *make_acl(struct config_group *group, const char *name)
{
	struct se_portal_group *tpg = container_of(group, struct se_portal_group, tpg_acl_group);
	struct target_fabric_configfs *tf = tpg_fabric(tpg);
	struct se_node_acl *nacl;
	int ret;

	if (strlen(name) >= TRANSPORT_IQN_LEN)
		return ERR_PTR(-ENAMETOOLONG);
	nacl = tpg_add_acl(tpg, name);
	if (IS_ERR(nacl))
		return ERR_CAST(nacl);
	config_group_init_type_name(&nacl->acl_group, name, &tf->tf_tpg_nacl_base_cit);
	fabric_add_subgroups(tf, &nacl->acl_group, nacl, acl_subgroups, ARRAY_SIZE(acl_subgroups));
	if (!tf->tf_ops->fabric_init_nodeacl)
		return made_group(&nacl->acl_group, group, drop_acl);
	ret = tf->tf_ops->fabric_init_nodeacl(nacl, name);
	if (!ret)
		return made_group(&nacl->acl_group, group, drop_acl);
	drop_acl(group, &nacl->acl_group.cg_item);
	return ERR_PTR(ret);
}

static void release_acl(struct config_item *item)
{
	tpg_del_acl(acl_to_nacl(item));
}

struct configfs_group_operations fabric_acl_dir_ops = {
	.make_group	= make_acl,
	.drop_item	= drop_acl,
};

struct configfs_item_operations fabric_acl_item_ops = {
	.release	= release_acl,
};

static struct se_lun_acl *item_to_mapped(struct config_item *item)
{
	return container_of(to_config_group(item), struct se_lun_acl, se_lun_group);
}

static struct config_group *make_mapped(struct config_group *group, const char *name)
{
	struct se_node_acl *nacl = acl_to_nacl(&group->cg_item);
	struct se_portal_group *tpg = nacl->se_tpg;
	struct target_fabric_configfs *tf = tpg_fabric(tpg);
	struct se_lun_acl *lacl;
	u64 number;
	int ret;

	ret = fabric_parse_lun(name, &number);
	if (ret)
		return ERR_PTR(ret);
	lacl = lun_acl_create(tpg, nacl, number);
	if (IS_ERR(lacl))
		return ERR_CAST(lacl);
	config_group_init_type_name(&lacl->se_lun_group, name, &tf->tf_tpg_mappedlun_cit);
	fabric_add_subgroups(tf, &lacl->se_lun_group, lacl, mapped_subgroups, ARRAY_SIZE(mapped_subgroups));
	stat_setup_ml(lacl);
	return &lacl->se_lun_group;
}

static void drop_mapped(struct config_group *group, struct config_item *item)
{
	fabric_remove_subgroups(to_config_group(item), item_to_mapped(item),
				mapped_subgroups, ARRAY_SIZE(mapped_subgroups));
	config_item_put(item);
}

static void release_mapped(struct config_item *item)
{
	lun_acl_destroy(item_to_mapped(item));
}

/* An initiator that demo mode let in keeps the access it has; a new one gets what the fabric says. */
static bool mapped_read_only(struct se_node_acl *nacl, u64 mapped_lun)
{
	struct se_portal_group *tpg = nacl->se_tpg;
	struct se_dev_entry *deve;
	bool read_only = false;

	rcu_read_lock();
	deve = target_nacl_find_deve(nacl, mapped_lun);
	if (deve)
		read_only = deve->lun_access_ro;
	rcu_read_unlock();
	return deve ? read_only : tpg->se_tpg_tfo->tpg_check_prod_mode_write_protect(tpg);
}

static int link_lun(struct config_item *item, struct config_item *target)
{
	struct se_lun_acl *lacl = item_to_mapped(item);
	struct se_node_acl *nacl = lacl->se_lun_nacl;
	struct se_lun *lun = fabric_item_to_lun(target);

	if (!lun)
		return -EFAULT;
	if (!rcu_access_pointer(lun->lun_se_dev) || lun->lun_tpg != nacl->se_tpg)
		return -EINVAL;
	return lun_acl_map(nacl->se_tpg, lacl, lun, mapped_read_only(nacl, lacl->mapped_lun));
}

static void unlink_lun(struct config_item *item, struct config_item *target)
{
	lun_acl_unmap(fabric_item_to_lun(target), item_to_mapped(item));
}

struct configfs_group_operations fabric_acl_group_ops = {
	.make_group	= make_mapped,
	.drop_item	= drop_mapped,
};

struct configfs_item_operations fabric_mapped_item_ops = {
	.release	= release_mapped,
	.allow_link	= link_lun,
	.drop_link	= unlink_lun,
};

/* Empty while nothing is mapped. */
static ssize_t mapped_write_protect_show(struct config_item *item, char *page)
{
	struct se_lun_acl *lacl = item_to_mapped(item);
	struct se_dev_entry *deve;
	ssize_t len = 0;

	rcu_read_lock();
	deve = target_nacl_find_deve(lacl->se_lun_nacl, lacl->mapped_lun);
	if (deve)
		len = sysfs_emit(page, "%d\n", deve->lun_access_ro);
	rcu_read_unlock();
	return len;
}

static ssize_t mapped_write_protect_store(struct config_item *item, const char *page, size_t count)
{
	unsigned long read_only;
	int ret = kstrtoul(page, 0, &read_only);

	if (ret)
		return ret;
	if (read_only > 1)
		return -EINVAL;
	lun_acl_set_read_only(item_to_mapped(item), read_only);
	return count;
}
CONFIGFS_ATTR(mapped_, write_protect);

struct configfs_attribute *fabric_mapped_attrs[] = {
	&mapped_attr_write_protect,
	NULL,
};
