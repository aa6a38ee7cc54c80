/* SPDX-License-Identifier: GPL-2.0 */
/* Directories: the name of each, and what target_core_configfs.c puts together to a device's. */
#ifndef LIO_CONFIGFS_TREE_H
#define LIO_CONFIGFS_TREE_H

#include <linux/configfs.h>
#include <linux/err.h>

/**
 * group_is_named - has a directory's group got its name?
 * @group:	after config_group_init_type_name()
 *
 * A name of CONFIGFS_ITEM_NAME_LEN bytes or more is kept in memory of its own,
 * and nobody says when there was none: the first symlink would meet NULL.
 *
 * Return: true if it has.
 */
static inline bool group_is_named(struct config_group *group)
{
	return config_item_name(&group->cg_item);
}

/**
 * made_group - what make_group() returns for a group that is complete
 * @made:	the group
 * @parent:	where it was made
 * @drop:	the directory's drop_item()
 *
 * Return: @made, or -ENOMEM when it has no name, and then it has been dropped.
 */
static inline struct config_group *made_group(struct config_group *made, struct config_group *parent,
					      void (*drop)(struct config_group *parent, struct config_item *item))
{
	if (group_is_named(made))
		return made;
	drop(parent, &made->cg_item);
	return ERR_PTR(-ENOMEM);
}

extern struct configfs_attribute *pr_configfs_attrs[];	/* target_core_pr_configfs.c */
extern struct configfs_attribute *wwn_configfs_attrs[];	/* target_core_wwn_configfs.c */

/* target_core_dev_configfs.c */
struct se_hba;
struct config_group *dev_configfs_make(struct se_hba *hba, const char *name);
void dev_configfs_drop(struct config_item *item);
bool dev_configfs_any(void);

#endif /* LIO_CONFIGFS_TREE_H */
