// SPDX-License-Identifier: GPL-2.0
/* The life of a device: made by mkdir, configured by "enable", gone with the last reference to its directory. */
#include "core.h"

#include <linux/blkdev.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/t10-pi.h>

struct se_device *g_lun0_dev;
static struct se_hba *lun0_hba;

/* dev_index of configured devices; the virtual one of LUN 0 has 0. */
static DEFINE_MUTEX(device_mutex);
static DEFINE_IDR(devices_idr);

static struct core_dev *alloc_core_dev(struct se_device *dev)
{
	struct core_dev *cdev = kzalloc(struct_size(cdev, queues, nr_cpu_ids), GFP_KERNEL);
	unsigned int i;

	if (!cdev)
		return NULL;
	cdev->dev = dev;
	cdev->stats = alloc_percpu(struct io_stats);
	cdev->running = alloc_percpu(int);
	if (!cdev->stats || !cdev->running) {
		free_percpu(cdev->stats);
		free_percpu(cdev->running);
		kfree(cdev);
		return NULL;
	}
	for (i = 0; i < nr_cpu_ids; i++) {
		INIT_LIST_HEAD(&cdev->queues[i].state_list);
		spin_lock_init(&cdev->queues[i].lock);
		init_llist_head(&cdev->queues[i].sq.cmd_list);
		INIT_WORK(&cdev->queues[i].sq.work, target_queued_submit_work);
	}
	dev->queues = cdev->queues;
	dev->queue_cnt = nr_cpu_ids;
	return cdev;
}

static void free_core_dev(struct core_dev *cdev)
{
	free_percpu(cdev->stats);
	free_percpu(cdev->running);
	kfree(cdev);
}

static void init_fields(struct se_device *dev)
{
	INIT_LIST_HEAD(&dev->dev_sep_list);
	INIT_LIST_HEAD(&dev->dev_tmr_list);
	INIT_LIST_HEAD(&dev->qf_cmd_list);
	INIT_LIST_HEAD(&dev->delayed_cmd_list);
	spin_lock_init(&dev->delayed_cmd_lock);
	spin_lock_init(&dev->dev_reservation_lock);
	spin_lock_init(&dev->se_port_lock);
	spin_lock_init(&dev->se_tmr_lock);
	spin_lock_init(&dev->qf_cmd_lock);
	sema_init(&dev->caw_sem, 1);
	mutex_init(&dev->lun_reset_mutex);
	INIT_WORK(&dev->qf_work_queue, target_complete_qf_work);
	INIT_WORK(&dev->delayed_cmd_work, execute_delayed_work);
	INIT_LIST_HEAD(&dev->t10_wwn.t10_vpd_list);
	spin_lock_init(&dev->t10_wwn.t10_vpd_lock);
	INIT_LIST_HEAD(&dev->t10_pr.registration_list);
	INIT_LIST_HEAD(&dev->t10_pr.aptpl_reg_list);
	spin_lock_init(&dev->t10_pr.registration_lock);
	spin_lock_init(&dev->t10_pr.aptpl_reg_lock);
	dev->t10_wwn.t10_dev = dev;
	dev->t10_alua.t10_dev = dev;
	dev->dev_attrib.da_dev = dev;
	dev->prot_length = sizeof(struct t10_pi_tuple);
	strscpy(dev->t10_wwn.vendor, "LIO-ORG", sizeof(dev->t10_wwn.vendor));
	/* As long as the field it need not have a NUL; model is longer, and zero. */
	memcpy(dev->t10_wwn.model, dev->transport->inquiry_prod, sizeof(dev->transport->inquiry_prod));
	memcpy(dev->t10_wwn.revision, dev->transport->inquiry_rev, INQUIRY_REVISION_LEN);
}

/**
 * dev_create - make a device that is not configured
 * @hba:	its HBA
 * @name:	the name of its directory
 *
 * May sleep.
 *
 * Return: the device, for dev_destroy(), or ERR_PTR(-ENOMEM).
 */
struct se_device *dev_create(struct se_hba *hba, const char *name)
{
	const struct target_backend_ops *ops = hba->backend->ops;
	struct se_device *dev = ops->alloc_device(hba, name);

	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev->se_hba = hba;
	dev->transport = ops;
	dev->transport_flags = ops->transport_flags_default;
	dev->hba_index = hba->hba_index;
	if (!alloc_core_dev(dev)) {
		ops->free_device(dev);
		return ERR_PTR(-ENOMEM);
	}
	init_fields(dev);
	attrib_set_defaults(dev);
	if (alua_dev_init(dev)) {
		free_core_dev(to_core_dev(dev));
		ops->free_device(dev);
		return ERR_PTR(-ENOMEM);
	}
	spin_lock(&hba->device_lock);
	hba->dev_count++;
	spin_unlock(&hba->device_lock);
	return dev;
}

/* What the backstore has found becomes what the initiators see. */
static void take_limits(struct se_device *dev)
{
	struct se_dev_attrib *attrib = &dev->dev_attrib;
	u32 align = max_t(u32, attrib->hw_block_size ? PAGE_SIZE / attrib->hw_block_size : 1, 1);

	attrib->block_size = attrib->hw_block_size;
	/* Whole pages, as far as there is one. */
	if (attrib->hw_max_sectors > align)
		attrib->hw_max_sectors = rounddown(attrib->hw_max_sectors, align);
	attrib->optimal_sectors = attrib->hw_max_sectors;
	attrib->queue_depth = attrib->hw_queue_depth;
	dev->creation_time = get_jiffies_64();
}

static int take_index(struct se_device *dev)
{
	int id;

	mutex_lock(&device_mutex);
	/* Not at once again: a name of something that has just gone is confusing. */
	id = idr_alloc_cyclic(&devices_idr, dev, 0, INT_MAX, GFP_KERNEL);
	mutex_unlock(&device_mutex);
	if (id >= 0)
		dev->dev_index = id;
	return min(id, 0);
}

static void give_index(struct se_device *dev)
{
	mutex_lock(&device_mutex);
	idr_remove(&devices_idr, dev->dev_index);
	mutex_unlock(&device_mutex);
}

/* What the backstore has found of its device's designators. */
static void free_identifiers(struct se_device *dev)
{
	struct t10_wwn *wwn = &dev->t10_wwn;
	struct t10_vpd *vpd, *next;

	spin_lock(&wwn->t10_vpd_lock);
	list_for_each_entry_safe(vpd, next, &wwn->t10_vpd_list, vpd_list) {
		list_del(&vpd->vpd_list);
		kfree(vpd);
	}
	spin_unlock(&wwn->t10_vpd_lock);
}

/**
 * dev_configure - the attribute enable
 * @dev:	a device whose parameters are set
 *
 * The caller lets no two of these run for one device. May sleep, as long as the
 * backstore has to.
 * Return: 0, -EEXIST when it is configured, -ENOMEM, the backstore's error.
 */
int dev_configure(struct se_device *dev)
{
	int ret;

	if (target_dev_configured(dev))
		return -EEXIST;
	ret = take_index(dev);
	if (ret)
		return ret;
	ret = dev->transport->configure_device(dev);
	if (ret) {
		give_index(dev);
		free_identifiers(dev);
		return ret;
	}
	take_limits(dev);
	ret = alua_dev_configure(dev);
	if (ret) {
		dev->transport->destroy_device(dev);
		give_index(dev);
		free_identifiers(dev);
		return ret;
	}
	dev->dev_flags |= DF_CONFIGURED;
	return 0;
}

/**
 * dev_destroy - the end of a device
 * @dev:	not exported, no commands
 *
 * May sleep.
 */
void dev_destroy(struct se_device *dev)
{
	struct core_dev *cdev = to_core_dev(dev);
	struct se_hba *hba = dev->se_hba;
	int i;

	WARN_ON(dev->export_count);
	/* Their last command is over; they themselves may not be. */
	for (i = 0; i < dev->queue_cnt; i++)
		flush_work(&dev->queues[i].sq.work);
	flush_work(&dev->qf_work_queue);
	flush_work(&dev->delayed_cmd_work);
	if (target_dev_configured(dev)) {
		dev->transport->destroy_device(dev);
		give_index(dev);
	}
	free_identifiers(dev);
	alua_dev_exit(dev);
	if (dev->transport->free_prot)
		dev->transport->free_prot(dev);
	spin_lock(&hba->device_lock);
	hba->dev_count--;
	spin_unlock(&hba->device_lock);
	dev->transport->free_device(dev);
	free_core_dev(cdev);
}

/**
 * dev_for_each - visit the configured devices
 * @fn:		called with each; may sleep, may not configure or destroy one
 * @data:	passed to it
 *
 * Return: the first result that is not zero, or 0.
 */
int dev_for_each(int (*fn)(struct se_device *dev, void *data), void *data)
{
	struct se_device *dev;
	int id, ret = 0;

	mutex_lock(&device_mutex);
	idr_for_each_entry(&devices_idr, dev, id) {
		/* Configuring, or on its way out: its directory may be gone already. */
		if (!target_dev_configured(dev) || dev == g_lun0_dev ||
		    !kref_get_unless_zero(&dev->dev_group.cg_item.ci_kref))
			continue;
		mutex_unlock(&device_mutex);
		ret = fn(dev, data);
		config_item_put(&dev->dev_group.cg_item);
		mutex_lock(&device_mutex);
		if (ret)
			break;
	}
	mutex_unlock(&device_mutex);
	return ret;
}

/**
 * dev_is_exported - is the device somewhere a LUN
 * @dev:	the device
 *
 * Return: true if so; it may change at once.
 */
bool dev_is_exported(const struct se_device *dev)
{
	return READ_ONCE(dev->export_count);
}

/**
 * dev_in_use - does somebody count on the device staying as it is
 * @dev:	the device
 *
 * Return: true if it is exported, or if FORMAT UNIT or SANITIZE goes on without a LUN.
 */
bool dev_in_use(const struct se_device *dev)
{
	u32 progress = READ_ONCE(to_core_dev(dev)->format_progress);

	return dev_is_exported(dev) || (progress && !(progress & FORMAT_FAILED));
}

/**
 * dev_set_block_size - change the size of logical blocks
 * @dev:	a device that is not exported
 * @block_size:	one that was checked
 */
void dev_set_block_size(struct se_device *dev, u32 block_size)
{
	struct se_dev_attrib *attrib = &dev->dev_attrib;

	attrib->block_size = block_size;
	/* Nobody has counted these yet. */
	to_core_dev(dev)->blocks = 0;
	compat_rescale_max_sectors(attrib);
}

/**
 * target_to_linux_sector - the 512-byte sector of a logical block
 * @dev:	the device
 * @lb:		a logical block address on it
 *
 * Return: the first of its sectors.
 */
sector_t target_to_linux_sector(struct se_device *dev, sector_t lb)
{
	return lb * (dev->dev_attrib.block_size >> SECTOR_SHIFT);
}

/**
 * target_configure_unmap_from_queue - the limits of UNMAP as the lower device has them
 * @attrib:	set
 * @bdev:	the lower device
 *
 * Return: false when it cannot discard, and nothing is set then.
 */
bool target_configure_unmap_from_queue(struct se_dev_attrib *attrib, struct block_device *bdev)
{
	u32 block_size = bdev_logical_block_size(bdev);

	if (!bdev_max_discard_sectors(bdev))
		return false;
	attrib->max_unmap_lba_count = bdev_max_discard_sectors(bdev) >> (ilog2(block_size) - SECTOR_SHIFT);
	/* As many as a parameter list of a page has room for would be too many for one command's time. */
	attrib->max_unmap_block_desc_count = 1;
	attrib->unmap_granularity = bdev_discard_granularity(bdev) / block_size;
	attrib->unmap_granularity_alignment = bdev_discard_alignment(bdev) / block_size;
	return true;
}

/**
 * core_dev_setup_virtual_lun0 - make the device that answers for an empty LUN 0
 *
 * A ramdisk without I/O. May sleep.
 *
 * Return: 0 or an error.
 */
int core_dev_setup_virtual_lun0(void)
{
	static const char params[] = "rd_pages=8,rd_nullio=1,rd_dummy=1";
	struct se_device *dev;
	int ret;

	lun0_hba = hba_create("rd_mcp", 0);
	if (IS_ERR(lun0_hba))
		return PTR_ERR(lun0_hba);
	dev = dev_create(lun0_hba, "virt_lun0");
	if (IS_ERR(dev)) {
		hba_destroy(lun0_hba);
		return PTR_ERR(dev);
	}
	dev->transport->set_configfs_dev_params(dev, params, sizeof(params) - 1);
	ret = dev_configure(dev);
	if (ret) {
		dev_destroy(dev);
		hba_destroy(lun0_hba);
		return ret;
	}
	g_lun0_dev = dev;
	return 0;
}

/**
 * core_dev_release_virtual_lun0 - end what core_dev_setup_virtual_lun0() began
 */
void core_dev_release_virtual_lun0(void)
{
	dev_destroy(g_lun0_dev);
	hba_destroy(lun0_hba);
}
