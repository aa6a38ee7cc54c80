// SPDX-License-Identifier: GPL-2.0
/* A device's directory, core/HBA/DEVICE: its own files, and the groups below it. */
#include <linux/configfs.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "alua.h"
#include "configfs_tree.h"
#include "core.h"

/* Devices with a directory, or whose directory went while they were in use. */
static atomic_t dev_count = ATOMIC_INIT(0);

static struct se_device *to_dev(struct config_item *item)
{
	return container_of(to_config_group(item), struct se_device, dev_group);
}

static ssize_t dev_info_show(struct config_item *item, char *page)
{
	struct se_device *dev = to_dev(item);
	ssize_t len;

	len = sysfs_emit(page, "Status: %s  Max Queue Depth: %u  SectorSize: %u  HwMaxSectors: %u\n        ",
			 dev_is_exported(dev) ? "ACTIVATED" : "DEACTIVATED", dev->queue_depth,
			 dev->dev_attrib.block_size, dev->dev_attrib.hw_max_sectors);
	return len + dev->transport->show_configfs_dev_params(dev, page + len);
}
CONFIGFS_ATTR_RO(dev_, info);

static ssize_t dev_control_store(struct config_item *item, const char *page, size_t count)
{
	struct se_device *dev = to_dev(item);

	if (memchr(page, 0, count))
		return -EINVAL;
	return dev->transport->set_configfs_dev_params(dev, page, count);
}
CONFIGFS_ATTR_WO(dev_, control);

static ssize_t dev_enable_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", target_dev_configured(to_dev(item)));
}

/* Only "1" is something to write: what is enabled stays so until rmdir. */
static ssize_t dev_enable_store(struct config_item *item, const char *page, size_t count)
{
	struct se_device *dev = to_dev(item);
	struct mutex *lock = &to_core_dev(dev)->enable_lock;
	char text[8];
	int err;

	if (count >= sizeof(text) || memchr(page, 0, count))
		return -EINVAL;
	memcpy(text, page, count);
	text[count] = 0;
	if (strcmp(strim(text), "1"))
		return -EINVAL;
	/* A backstore may have to ask a handler, who takes its time: a second writer is not to wait for that. */
	if (!mutex_trylock(lock))
		return -EBUSY;
	err = dev_configure(dev);
	mutex_unlock(lock);
	return err ? err : count;
}
CONFIGFS_ATTR(dev_, enable);

/* ------------------------------------------------------------------ */
/* Text that is only kept, for whoever configures: names and paths */

static DEFINE_SPINLOCK(text_lock);	/* the texts and their flags */

static ssize_t text_show(struct se_device *dev, u32 flag, const char *text, char *page)
{
	ssize_t len = 0;

	spin_lock(&text_lock);
	if (dev->dev_flags & flag)
		len = sysfs_emit(page, "%s\n", text);
	spin_unlock(&text_lock);
	return len;
}

static ssize_t text_store(struct se_device *dev, u32 flag, char *text, size_t size,
			  const char *page, size_t count)
{
	size_t len = count;

	if (len >= size || memchr(page, 0, len))
		return -EINVAL;
	if (len && page[len - 1] == '\n')
		len--;
	spin_lock(&text_lock);
	memcpy(text, page, len);
	text[len] = 0;
	dev->dev_flags |= flag;
	spin_unlock(&text_lock);
	return count;
}

/* T(attribute, member, flag) */
#define DEV_TEXTS(T)					\
	T(alias, dev_alias, DF_USING_ALIAS)		\
	T(udev_path, udev_path, DF_USING_UDEV_PATH)

#define DEV_TEXT(_name, _member, _flag)					\
static ssize_t dev_##_name##_show(struct config_item *item, char *page)	\
{									\
	struct se_device *dev = to_dev(item);				\
									\
	return text_show(dev, _flag, dev->_member, page);		\
}									\
									\
static ssize_t dev_##_name##_store(struct config_item *item, const char *page, size_t count)	\
{									\
	struct se_device *dev = to_dev(item);				\
									\
	return text_store(dev, _flag, dev->_member, sizeof(dev->_member), page, count);	\
}									\
CORE_ATTR(dev_, _name)
DEV_TEXTS(DEV_TEXT)

/* ------------------------------------------------------------------ */
/* ALUA's files */

#define DEV_ALUA(A)				\
	A(alua_lu_gp, lu_group)			\
	A(lba_map, lba_map)

#define DEV_ALUA_FILE(_name, _what)					\
static ssize_t dev_##_name##_show(struct config_item *item, char *page)	\
{									\
	return alua_dev_show_##_what(to_dev(item), page);		\
}									\
									\
static ssize_t dev_##_name##_store(struct config_item *item, const char *page, size_t count)	\
{									\
	return alua_dev_store_##_what(to_dev(item), page, count);	\
}									\
CORE_ATTR(dev_, _name)
DEV_ALUA(DEV_ALUA_FILE)

#define DEV_POINTER(_name, ...)	&dev_attr_##_name,

static struct configfs_attribute *dev_attrs[] = {
	&dev_attr_info,
	&dev_attr_control,
	&dev_attr_enable,
	DEV_TEXTS(DEV_POINTER)
	DEV_ALUA(DEV_POINTER)
	NULL,
};

/* An open file may have kept the device longer than its directory: it holds the HBA. */
static void dev_release(struct config_item *item)
{
	struct se_device *dev = to_dev(item);
	struct se_hba *hba = dev->se_hba;

	dev_destroy(dev);
	atomic_dec(&dev_count);
	config_group_put(&hba->hba_group);
}

static struct configfs_item_operations dev_item_ops = {
	.release	= dev_release,
};

static struct configfs_group_operations alua_group_ops = {
	.make_group	= alua_make_tg_group,
	.drop_item	= alua_drop_tg_group,
};

/**
 * backend_setup_types() - the types of the directories of a backstore's devices
 * @tb:		the backstore; they pin its module
 */
void backend_setup_types(struct target_backend *tb)
{
	const struct target_backend_ops *ops = tb->ops;

	tb->tb_dev_cit = (struct config_item_type) {
		.ct_item_ops = &dev_item_ops, .ct_attrs = dev_attrs, .ct_owner = ops->owner,
	};
	tb->tb_dev_attrib_cit = (struct config_item_type) {
		.ct_attrs = ops->tb_dev_attrib_attrs, .ct_owner = ops->owner,
	};
	tb->tb_dev_action_cit = (struct config_item_type) {
		.ct_attrs = ops->tb_dev_action_attrs, .ct_owner = ops->owner,
	};
	tb->tb_dev_pr_cit = (struct config_item_type) {
		.ct_attrs = pr_configfs_attrs, .ct_owner = ops->owner,
	};
	tb->tb_dev_wwn_cit = (struct config_item_type) {
		.ct_attrs = wwn_configfs_attrs, .ct_owner = ops->owner,
	};
	tb->tb_dev_alua_tg_pt_gps_cit = (struct config_item_type) {
		.ct_group_ops = &alua_group_ops, .ct_owner = ops->owner,
	};
	tb->tb_dev_stat_cit = (struct config_item_type) { .ct_owner = ops->owner };
}

static void add_group(struct se_device *dev, struct config_group *group, const char *name,
		      const struct config_item_type *type)
{
	config_group_init_type_name(group, name, type);
	configfs_add_default_group(group, &dev->dev_group);
}

static void add_groups(struct se_device *dev, const char *name)
{
	struct target_backend *tb = dev->se_hba->backend;

	config_group_init_type_name(&dev->dev_group, name, &tb->tb_dev_cit);
	add_group(dev, &dev->dev_action_group, "action", &tb->tb_dev_action_cit);
	add_group(dev, &dev->dev_attrib.da_group, "attrib", &tb->tb_dev_attrib_cit);
	add_group(dev, &dev->dev_pr_group, "pr", &tb->tb_dev_pr_cit);
	add_group(dev, &dev->t10_wwn.t10_wwn_group, "wwn", &tb->tb_dev_wwn_cit);
	add_group(dev, &dev->t10_alua.alua_tg_pt_gps_group, "alua", &tb->tb_dev_alua_tg_pt_gps_cit);
	add_group(dev, &dev->dev_stat_grps.stat_group, "statistics", &tb->tb_dev_stat_cit);
	stat_setup_dev(dev);
}

/* The group that every LUN of the device is in, unless it is put elsewhere. */
static int add_default_tg_group(struct se_device *dev)
{
	struct t10_alua_tg_pt_gp *gp = alua_tg_group_create(dev, "default_tg_pt_gp");
	int err;

	if (IS_ERR(gp))
		return PTR_ERR(gp);
	err = alua_tg_group_set_id(gp, 0);
	if (err) {
		alua_tg_group_remove(gp);
		config_group_put(&gp->tg_pt_gp_group);
		return err;
	}
	dev->t10_alua.default_tg_pt_gp = gp;
	configfs_add_default_group(&gp->tg_pt_gp_group, &dev->t10_alua.alua_tg_pt_gps_group);
	return 0;
}

/**
 * dev_configfs_drop() - rmdir in an HBA's directory; the device goes with the last reference
 * @item:	the device's
 */
void dev_configfs_drop(struct config_item *item)
{
	struct se_device *dev = to_dev(item);

	/* What goes on by itself ends now: nobody could ask how far it is any more. */
	WRITE_ONCE(to_core_dev(dev)->dropped, true);
	alua_tg_group_remove(dev->t10_alua.default_tg_pt_gp);
	alua_dev_unlist(dev);
	configfs_remove_default_groups(&dev->dev_stat_grps.stat_group);
	configfs_remove_default_groups(&dev->t10_alua.alua_tg_pt_gps_group);
	configfs_remove_default_groups(&dev->dev_group);
	config_item_put(item);
}

/**
 * dev_configfs_make() - mkdir in an HBA's directory
 * @hba:	the HBA
 * @name:	of the new directory
 *
 * Return: the device's group, or an ERR_PTR().
 */
struct config_group *dev_configfs_make(struct se_hba *hba, const char *name)
{
	struct se_device *dev = dev_create(hba, name);
	int err;

	if (IS_ERR(dev))
		return ERR_CAST(dev);
	mutex_init(&to_core_dev(dev)->enable_lock);
	config_group_get(&hba->hba_group);
	atomic_inc(&dev_count);
	add_groups(dev, name);
	err = add_default_tg_group(dev);
	if (err) {
		config_group_put(&dev->dev_group);
		return ERR_PTR(err);
	}
	if (!group_is_named(&dev->dev_group)) {
		dev_configfs_drop(&dev->dev_group.cg_item);
		return ERR_PTR(-ENOMEM);
	}
	return &dev->dev_group;
}

/** dev_configfs_any() - is there a device? */
bool dev_configfs_any(void)
{
	return atomic_read(&dev_count);
}
