/* SPDX-License-Identifier: GPL-2.0 */
/* What target_core_configfs.c puts together to a device's directory. */
#ifndef LIO_CONFIGFS_TREE_H
#define LIO_CONFIGFS_TREE_H

#include <linux/configfs.h>

extern struct configfs_attribute *pr_configfs_attrs[];	/* target_core_pr_configfs.c */
extern struct configfs_attribute *wwn_configfs_attrs[];	/* target_core_wwn_configfs.c */

/* target_core_dev_configfs.c */
struct se_hba;
struct config_group *dev_configfs_make(struct se_hba *hba, const char *name);
void dev_configfs_drop(struct config_item *item);
bool dev_configfs_any(void);

#endif /* LIO_CONFIGFS_TREE_H */
