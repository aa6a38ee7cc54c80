// SPDX-License-Identifier: GPL-2.0
/* Backstore modules, and the HBAs that group their devices in configfs. */
#include "core.h"

#include <linux/module.h>
#include <linux/slab.h>

static DEFINE_MUTEX(backend_mutex);
static LIST_HEAD(backend_list);		/* of struct target_backend, backend_mutex */

static DEFINE_SPINLOCK(hba_lock);
static LIST_HEAD(hba_list);		/* of struct se_hba, hba_lock */
static u32 next_hba_id;			/* hba_lock */

static struct target_backend *find_backend(const char *name)
{
	struct target_backend *tb;

	lockdep_assert_held(&backend_mutex);
	list_for_each_entry(tb, &backend_list, list)
		if (!strcmp(tb->ops->name, name))
			return tb;
	return NULL;
}

/**
 * transport_backend_register - a backstore module offers its plugin
 * @ops:	what it does, until target_backend_unregister()
 *
 * May sleep.
 *
 * Return: 0, -ENOMEM, -EEXIST.
 */
int transport_backend_register(const struct target_backend_ops *ops)
{
	struct target_backend *tb = kzalloc(sizeof(*tb), GFP_KERNEL);
	int ret = 0;

	if (!tb)
		return -ENOMEM;
	tb->ops = ops;
	mutex_lock(&backend_mutex);
	if (find_backend(ops->name)) {
		ret = -EEXIST;
	} else {
		backend_setup_types(tb);
		list_add_tail(&tb->list, &backend_list);
	}
	mutex_unlock(&backend_mutex);
	if (ret) {
		pr_err("backstore %s exists already\n", ops->name);
		kfree(tb);
	}
	return ret;
}

/**
 * target_backend_unregister - a backstore module goes
 * @ops:	what it had registered; no device is left
 *
 * Devices may still be on their way through RCU: they are waited for. May sleep.
 */
void target_backend_unregister(const struct target_backend_ops *ops)
{
	struct target_backend *tb;

	mutex_lock(&backend_mutex);
	tb = find_backend(ops->name);
	if (tb)
		list_del(&tb->list);
	mutex_unlock(&backend_mutex);
	/* The backstores free their devices with call_rcu(). */
	rcu_barrier();
	kfree(tb);
}

/**
 * item_to_device - whether a link goes to a device
 * @item:	what a link goes to, anything in the tree
 *
 * Only devices have the type of one; an item says nothing else of what it is
 * embedded in. May sleep.
 *
 * Return: the device, configured or not, or NULL.
 */
struct se_device *item_to_device(struct config_item *item)
{
	struct se_device *dev = NULL;
	struct target_backend *tb;

	mutex_lock(&backend_mutex);
	list_for_each_entry(tb, &backend_list, list)
		if (item->ci_type == &tb->tb_dev_cit)
			dev = container_of(to_config_group(item), struct se_device, dev_group);
	mutex_unlock(&backend_mutex);
	return dev;
}

/* The backend of that name with its module held, or NULL. */
static struct target_backend *get_backend(const char *name)
{
	struct target_backend *tb;

	mutex_lock(&backend_mutex);
	tb = find_backend(name);
	if (tb && !try_module_get(tb->ops->owner))
		tb = NULL;
	mutex_unlock(&backend_mutex);
	return tb;
}

/**
 * hba_create - make an HBA
 * @plugin:	name of its backstore; the module is loaded already
 * @id:		the number in its name
 *
 * May sleep.
 *
 * Return: the HBA, for hba_destroy(), or an ERR_PTR(): -EINVAL when
 * there is no such backstore, -ENOMEM, the backstore's own.
 */
struct se_hba *hba_create(const char *plugin, u32 id)
{
	struct se_hba *hba = kzalloc(sizeof(*hba), GFP_KERNEL);
	int ret;

	if (!hba)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&hba->device_lock);
	mutex_init(&hba->hba_access_mutex);
	hba->hba_index = scsi_new_index(SCSI_INST_INDEX);
	hba->backend = get_backend(plugin);
	if (!hba->backend) {
		kfree(hba);
		return ERR_PTR(-EINVAL);
	}
	ret = hba->backend->ops->attach_hba(hba, id);
	if (ret) {
		module_put(hba->backend->ops->owner);
		kfree(hba);
		return ERR_PTR(ret);
	}
	spin_lock(&hba_lock);
	hba->hba_id = next_hba_id++;
	list_add_tail(&hba->hba_node, &hba_list);
	spin_unlock(&hba_lock);
	return hba;
}

/**
 * hba_destroy - free an HBA without devices
 * @hba:	the HBA
 *
 * May sleep.
 */
void hba_destroy(struct se_hba *hba)
{
	struct module *owner = hba->backend->ops->owner;

	WARN_ON(hba->dev_count);
	hba->backend->ops->detach_hba(hba);
	spin_lock(&hba_lock);
	list_del(&hba->hba_node);
	spin_unlock(&hba_lock);
	kfree(hba);
	module_put(owner);
}
