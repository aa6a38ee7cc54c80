// SPDX-License-Identifier: GPL-2.0
/* target/<fabric>/<WWN>/<TPG>/lun: the ports of a TPG, each a link to a device. */
#include "fabric.h"

#include <linux/module.h>
#include <linux/sysfs.h>

static const struct fabric_subgroup lun_subgroups[] = {
	{
		"statistics", offsetof(struct se_lun, port_stat_grps.stat_group),
		offsetof(struct target_fabric_configfs, tf_tpg_port_stat_cit),
	},
};

static struct se_lun *item_to_lun(struct config_item *item)
{
	return container_of(to_config_group(item), struct se_lun, lun_group);
}

/**
 * fabric_item_to_lun - whether a link goes to a LUN
 * @item:	what a link goes to, anything in the tree
 *
 * Return: the LUN or NULL.
 */
struct se_lun *fabric_item_to_lun(struct config_item *item)
{
	if (!item->ci_type || item->ci_type->ct_item_ops != &fabric_lun_item_ops)
		return NULL;
	return item_to_lun(item);
}

static struct config_group *make_lun(struct config_group *group, const char *name)
{
	struct se_portal_group *tpg = container_of(group, struct se_portal_group, tpg_lun_group);
	struct target_fabric_configfs *tf = tpg_fabric(tpg);
	struct se_lun *lun;
	u64 number;
	int ret;

	ret = fabric_parse_lun(name, &number);
	if (ret)
		return ERR_PTR(ret);
	lun = lun_create(tpg, number);
	if (IS_ERR(lun))
		return ERR_CAST(lun);
	config_group_init_type_name(&lun->lun_group, name, &tf->tf_tpg_port_cit);
	fabric_add_subgroups(tf, &lun->lun_group, lun, lun_subgroups, ARRAY_SIZE(lun_subgroups));
	stat_setup_port(lun);
	return &lun->lun_group;
}

static void drop_lun(struct config_group *group, struct config_item *item)
{
	fabric_remove_subgroups(to_config_group(item), item_to_lun(item), lun_subgroups, ARRAY_SIZE(lun_subgroups));
	config_item_put(item);
}

static void release_lun(struct config_item *item)
{
	lun_destroy(item_to_lun(item));
}

static int link_device(struct config_item *item, struct config_item *target)
{
	struct se_lun *lun = item_to_lun(item);
	struct se_portal_group *tpg = lun->lun_tpg;
	const struct target_core_fabric_ops *tfo = tpg->se_tpg_tfo;
	struct se_device *dev = item_to_device(target);
	int ret;

	if (!dev)
		return -EFAULT;
	if (!target_dev_configured(dev))
		return -ENODEV;
	if (rcu_access_pointer(lun->lun_se_dev))
		return -EEXIST;
	ret = tpg_number_port(tpg);
	if (ret)
		return ret;
	ret = lun_attach(tpg, dev, lun);
	if (ret || !tfo->fabric_post_link)
		return ret;
	ret = tfo->fabric_post_link(tpg, lun);
	if (ret)
		lun_detach(tpg, lun);
	return ret;
}

static void unlink_device(struct config_item *item, struct config_item *target)
{
	struct se_lun *lun = item_to_lun(item);
	struct se_portal_group *tpg = lun->lun_tpg;
	const struct target_core_fabric_ops *tfo = tpg->se_tpg_tfo;

	if (tfo->fabric_pre_unlink)
		tfo->fabric_pre_unlink(tpg, lun);
	lun_detach(tpg, lun);
	if (tfo->fabric_post_unlink)
		tfo->fabric_post_unlink(tpg, lun);
}

struct configfs_group_operations fabric_lun_dir_ops = {
	.make_group	= make_lun,
	.drop_item	= drop_lun,
};

struct configfs_item_operations fabric_lun_item_ops = {
	.release	= release_lun,
	.allow_link	= link_device,
	.drop_link	= unlink_device,
};

/* The attributes of a LUN are those of its port's place in the device's ALUA groups. */
#define LUN_ATTRS(X) \
	X(alua_tg_pt_gp, group) \
	X(alua_tg_pt_offline, offline) \
	X(alua_tg_pt_status, status) \
	X(alua_tg_pt_write_md, write_md)

#define LUN_ATTR(name, function) \
static ssize_t lun_##name##_show(struct config_item *item, char *page) \
{ \
	struct se_lun *lun = item_to_lun(item); \
\
	return rcu_access_pointer(lun->lun_se_dev) ? alua_lun_show_##function(lun, page) : -ENODEV; \
} \
\
static ssize_t lun_##name##_store(struct config_item *item, const char *page, size_t count) \
{ \
	struct se_lun *lun = item_to_lun(item); \
\
	return rcu_access_pointer(lun->lun_se_dev) ? alua_lun_store_##function(lun, page, count) : -ENODEV; \
} \
CORE_ATTR(lun_, name)
LUN_ATTRS(LUN_ATTR)

#define LUN_ATTR_POINTER(name, ...)	&lun_attr_##name,
struct configfs_attribute *fabric_lun_attrs[] = {
	LUN_ATTRS(LUN_ATTR_POINTER)
	NULL,
};
