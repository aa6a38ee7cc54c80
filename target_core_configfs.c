// SPDX-License-Identifier: GPL-2.0
/*
 * The configfs subsystem "target": its root, core/ with HBAs and LU groups. The
 * directories of fabrics in the root are target_core_fabric_configfs.c's, a
 * device's is target_core_dev_configfs.c's.
 */
#include <linux/configfs.h>
#include <linux/fs.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/utsname.h>
#include <generated/utsrelease.h>

#include "alua.h"
#include "configfs_tree.h"
#include "core.h"

#define DBROOT_DEFAULT		"/var/target"
#define DBROOT_PREFERRED	"/etc/target"
#define PLUGIN_NAME_MAX		sizeof_field(struct target_backend_ops, name)

/* Where persistent reservations and ALUA metadata are kept. */
static DEFINE_MUTEX(dbroot_lock);
static char dbroot[PATH_MAX] = DBROOT_DEFAULT;

/* ------------------------------------------------------------------ */
/* HBAs: core/PLUGIN_NUMBER */

static struct se_hba *to_hba(struct config_item *item)
{
	return container_of(to_config_group(item), struct se_hba, hba_group);
}

static ssize_t hba_hba_info_show(struct config_item *item, char *page)
{
	struct se_hba *hba = to_hba(item);

	return sysfs_emit(page, "HBA Index: %u plugin: %s version: %s\n", hba->hba_id,
			  hba->backend->ops->name, TARGET_CORE_VERSION);
}
CONFIGFS_ATTR_RO(hba_, hba_info);

static ssize_t hba_hba_mode_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", !!(to_hba(item)->hba_flags & HBA_FLAGS_PSCSI_MODE));
}

/* Binds pscsi's HBA to one host adapter, or lets it go; -EINVAL for other backstores. */
static ssize_t hba_hba_mode_store(struct config_item *item, const char *page, size_t count)
{
	struct se_hba *hba = to_hba(item);
	unsigned long mode;
	int ret;

	if (!hba->backend->ops->pmode_enable_hba || memchr(page, 0, count))
		return -EINVAL;
	ret = kstrtoul(page, 0, &mode);
	if (ret)
		return ret;
	if (mode > 1)
		return -EINVAL;
	mutex_lock(&hba->hba_access_mutex);
	ret = READ_ONCE(hba->dev_count) ? -EINVAL : hba->backend->ops->pmode_enable_hba(hba, mode);
	if (ret > 0)
		hba->hba_flags |= HBA_FLAGS_PSCSI_MODE;
	else if (!ret)
		hba->hba_flags &= ~HBA_FLAGS_PSCSI_MODE;
	mutex_unlock(&hba->hba_access_mutex);
	return ret < 0 ? -EINVAL : count;
}
CONFIGFS_ATTR(hba_, hba_mode);

static struct configfs_attribute *hba_attrs[] = {
	&hba_attr_hba_info,
	&hba_attr_hba_mode,
	NULL,
};

static void hba_release(struct config_item *item)
{
	hba_destroy(to_hba(item));
}

static struct configfs_item_operations hba_item_ops = {
	.release	= hba_release,
};

static struct config_group *hba_make_dev(struct config_group *group, const char *name)
{
	struct se_hba *hba = container_of(group, struct se_hba, hba_group);
	struct config_group *dev;

	mutex_lock(&hba->hba_access_mutex);
	dev = dev_configfs_make(hba, name);
	mutex_unlock(&hba->hba_access_mutex);
	return dev;
}

static void hba_drop_dev(struct config_group *group, struct config_item *item)
{
	struct se_hba *hba = container_of(group, struct se_hba, hba_group);

	mutex_lock(&hba->hba_access_mutex);
	dev_configfs_drop(item);
	mutex_unlock(&hba->hba_access_mutex);
}

static struct configfs_group_operations hba_group_ops = {
	.make_group	= hba_make_dev,
	.drop_item	= hba_drop_dev,
};

static const struct config_item_type hba_cit = {
	.ct_item_ops	= &hba_item_ops,
	.ct_group_ops	= &hba_group_ops,
	.ct_attrs	= hba_attrs,
	.ct_owner	= THIS_MODULE,
};

static void load_backends(void)
{
	static const char * const modules[] = {
		"target_core_iblock", "target_core_file", "target_core_pscsi", "target_core_user",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modules); i++)
		if (request_module("%s", modules[i]))
			pr_debug("module %s is not there\n", modules[i]);
}

/* The first directory loads all backstores, as clients expect; later a missing one does. */
static struct se_hba *make_hba(const char *plugin, u32 id)
{
	static atomic_t loaded = ATOMIC_INIT(0);
	struct se_hba *hba;

	if (!atomic_xchg(&loaded, 1))
		load_backends();
	hba = hba_create(plugin, id);
	if (hba == ERR_PTR(-EINVAL)) {
		load_backends();
		hba = hba_create(plugin, id);
	}
	return hba;
}

/* Splits "PLUGIN_NUMBER"; plugins have underscores of their own. */
static int split_hba_name(const char *name, char plugin[PLUGIN_NAME_MAX], u32 *id)
{
	const char *number = strrchr(name, '_');
	int err;

	if (!number || number == name)
		return -EINVAL;
	err = kstrtou32(number + 1, 0, id);
	if (err)
		return err;
	if (number - name >= PLUGIN_NAME_MAX)
		return -EINVAL;
	memcpy(plugin, name, number - name);
	plugin[number - name] = 0;
	return 0;
}

static void core_drop_hba(struct config_group *group, struct config_item *item)
{
	config_item_put(item);
}

static struct config_group *core_make_hba(struct config_group *group, const char *name)
{
	char plugin[PLUGIN_NAME_MAX];
	struct se_hba *hba;
	u32 id;
	int err = split_hba_name(name, plugin, &id);

	if (err)
		return ERR_PTR(err);
	hba = make_hba(plugin, id);
	if (IS_ERR(hba))
		return ERR_CAST(hba);
	config_group_init_type_name(&hba->hba_group, name, &hba_cit);
	return made_group(&hba->hba_group, group, core_drop_hba);
}

static struct configfs_group_operations core_group_ops = {
	.make_group	= core_make_hba,
	.drop_item	= core_drop_hba,
};

static const struct config_item_type core_cit = {
	.ct_group_ops	= &core_group_ops,
	.ct_owner	= THIS_MODULE,
};

static const struct config_item_type alua_cit = {
	.ct_owner	= THIS_MODULE,
};

/* ------------------------------------------------------------------ */
/* The root */

static ssize_t root_version_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "Target Engine Core ConfigFS Infrastructure %s on %s/%s on %s\n",
			  TARGET_CORE_VERSION, utsname()->sysname, utsname()->machine, UTS_RELEASE);
}
CONFIGFS_ATTR_RO(root_, version);

static ssize_t root_dbroot_show(struct config_item *item, char *page)
{
	ssize_t len;

	mutex_lock(&dbroot_lock);
	len = sysfs_emit(page, "%s\n", dbroot);
	mutex_unlock(&dbroot_lock);
	return len;
}

/* Is there such a directory? */
static int check_directory(const char *path)
{
	struct path found;
	int err = kern_path(path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &found);

	if (!err)
		path_put(&found);
	return err;
}

static ssize_t root_dbroot_store(struct config_item *item, const char *page, size_t count)
{
	char *path;
	int err;

	if (count >= sizeof(dbroot))
		return -ENAMETOOLONG;
	if (memchr(page, 0, count))
		return -EINVAL;
	path = kmemdup_nul(page, count, GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	if (count && path[count - 1] == '\n')
		path[count - 1] = 0;

	/* The file system may take its time: nobody else waits for it. */
	err = check_directory(path);
	if (err)
		pr_warn("dbroot: cannot use %s: %d\n", path, err);
	mutex_lock(&dbroot_lock);
	if (dev_configfs_any()) {
		pr_warn("dbroot cannot change while there are devices\n");
		err = -EINVAL;
	} else if (!err) {
		strscpy(dbroot, path, sizeof(dbroot));
	}
	mutex_unlock(&dbroot_lock);
	kfree(path);
	return err ? err : count;
}
CONFIGFS_ATTR(root_, dbroot);

static struct configfs_attribute *root_attrs[] = {
	&root_attr_version,
	&root_attr_dbroot,
	NULL,
};

static struct configfs_group_operations root_group_ops = {
	.make_group	= fabric_make_group,
	.drop_item	= fabric_drop_group,
};

static const struct config_item_type root_cit = {
	.ct_group_ops	= &root_group_ops,
	.ct_attrs	= root_attrs,
	.ct_owner	= THIS_MODULE,
};

static struct configfs_subsystem target_subsys;
static struct config_group core_group, alua_group, lu_gps_group;

/**
 * target_depend_item - keep a directory of the tree
 * @item:	its item; rmdir fails with -EBUSY until target_undepend_item()
 *
 * May sleep; not from a configfs callback.
 *
 * Return: 0 or -ENOENT.
 */
int target_depend_item(struct config_item *item)
{
	return configfs_depend_item(&target_subsys, item);
}

/**
 * target_undepend_item - undoes target_depend_item()
 * @item:	the item
 */
void target_undepend_item(struct config_item *item)
{
	configfs_undepend_item(item);
}

static void default_group(struct config_group *parent, struct config_group *group,
			  const char *name, const struct config_item_type *type)
{
	config_group_init_type_name(group, name, type);
	configfs_add_default_group(group, parent);
}

/**
 * configfs_init() - makes the tree; alua_init() has made the default LU group
 *
 * Return: 0 or a negative errno.
 */
int configfs_init(void)
{
	int err;

	if (!check_directory(DBROOT_PREFERRED))
		strscpy(dbroot, DBROOT_PREFERRED, sizeof(dbroot));

	config_group_init_type_name(&target_subsys.su_group, "target", &root_cit);
	mutex_init(&target_subsys.su_mutex);
	default_group(&target_subsys.su_group, &core_group, "core", &core_cit);
	default_group(&core_group, &alua_group, "alua", &alua_cit);
	default_group(&alua_group, &lu_gps_group, "lu_gps", &alua_lu_gps_cit);
	configfs_add_default_group(&alua_default_lu_gp->lu_gp_group, &lu_gps_group);

	err = configfs_register_subsystem(&target_subsys);
	if (err)
		pr_err("configfs: cannot register \"target\": %d\n", err);
	return err;
}

/** configfs_exit() - takes the tree away; nobody holds the module any more, so it is empty */
void configfs_exit(void)
{
	configfs_unregister_subsystem(&target_subsys);
}
