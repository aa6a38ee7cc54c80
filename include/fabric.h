/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fabrics' side of the configfs tree: what its files share. Every directory
 * type of struct target_fabric_configfs is a row of a table (target_core_fabric.c);
 * these are the operations that the rows name, by file.
 */
#ifndef LIO_FABRIC_H
#define LIO_FABRIC_H

#include "core.h"

/* Default groups that an object brings along: where they are in it, and of what type. */
struct fabric_subgroup {
	const char	*name;
	size_t		group;	/* offset of a struct config_group in the object */
	size_t		cit;	/* offset of a config_item_type in struct target_fabric_configfs */
};

/* target_core_fabric.c */
extern struct configfs_group_operations fabric_no_mkdir_ops;
void fabric_add_subgroups(struct target_fabric_configfs *tf, struct config_group *parent, void *object,
			  const struct fabric_subgroup *subgroups, unsigned int nr);
void fabric_remove_subgroups(struct config_group *parent, void *object,
			     const struct fabric_subgroup *subgroups, unsigned int nr);
int fabric_parse_lun(const char *name, u64 *lun);

static inline struct target_fabric_configfs *tpg_fabric(const struct se_portal_group *tpg)
{
	return tpg->se_tpg_wwn->wwn_tf;
}

/* target_core_fabric_configfs.c: WWNs, TPGs, network portals */
extern struct configfs_group_operations fabric_wwn_dir_ops, fabric_wwn_group_ops, fabric_np_dir_ops;
extern struct configfs_item_operations fabric_wwn_item_ops, fabric_tpg_item_ops, fabric_np_item_ops;
extern struct configfs_attribute *fabric_wwn_param_attrs[], *fabric_tpg_attrs[];
extern struct configfs_attribute fabric_tpg_attr_enable;

/* target_core_fabric_lun.c: the ports of a TPG */
extern struct configfs_group_operations fabric_lun_dir_ops;
extern struct configfs_item_operations fabric_lun_item_ops;
extern struct configfs_attribute *fabric_lun_attrs[];
struct se_lun *fabric_item_to_lun(struct config_item *item);

/* target_core_fabric_acl.c: initiators and what they see */
extern struct configfs_group_operations fabric_acl_dir_ops, fabric_acl_group_ops;
extern struct configfs_item_operations fabric_acl_item_ops, fabric_mapped_item_ops;
extern struct configfs_attribute *fabric_mapped_attrs[];

#endif /* LIO_FABRIC_H */
