// SPDX-License-Identifier: GPL-2.0
/*
 * target_core_user: LUNs whose commands a userspace handler answers (TCMU).
 *
 * This file is the module and the life of a device; user/ has the parts.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "user/tcmu.h"

#define TCMU_DEFAULT_TIME_OUT_MS	(30 * MSEC_PER_SEC)
#define TCMU_DEFAULT_QFULL_MS		(-1)	/* as cmd_time_out */
#define TCMU_DEFAULT_AREA_MB		1024
#define TCMU_DEFAULT_PAGES_PER_BLK	1
#define TCMU_DEFAULT_RING_MB		8
#define TCMU_DEFAULT_BLOCK_SIZE		512
#define TCMU_DEFAULT_MAX_SECTORS	128
#define TCMU_DEFAULT_QUEUE_DEPTH	128

LIST_HEAD(tcmu_devices);
DEFINE_MUTEX(tcmu_devices_lock);	/* protects the list */
struct workqueue_struct *tcmu_wq;
struct device *tcmu_root_device;

/**
 * struct tcmu_hba - what the core calls an HBA: only a number here
 * @host_id:	the number in core/user_N
 */
struct tcmu_hba {
	u32 host_id;
};

static int tcmu_attach_hba(struct se_hba *hba, u32 host_id)
{
	struct tcmu_hba *tcmu_hba = kzalloc(sizeof(*tcmu_hba), GFP_KERNEL);

	if (!tcmu_hba)
		return -ENOMEM;
	tcmu_hba->host_id = host_id;
	hba->hba_ptr = tcmu_hba;
	return 0;
}

static void tcmu_detach_hba(struct se_hba *hba)
{
	kfree(hba->hba_ptr);
	hba->hba_ptr = NULL;
}

static struct se_device *tcmu_alloc_device(struct se_hba *hba, const char *name)
{
	const struct tcmu_hba *tcmu_hba = hba->hba_ptr;
	struct tcmu_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	dev->name = kstrdup(name, GFP_KERNEL);
	if (!dev->name) {
		kfree(dev);
		return NULL;
	}
	kref_init(&dev->ref);
	dev->hba_id = tcmu_hba->host_id;
	dev->cmd_time_out = TCMU_DEFAULT_TIME_OUT_MS;
	dev->qfull_time_out = TCMU_DEFAULT_QFULL_MS;
	dev->max_data_area_mb = TCMU_DEFAULT_AREA_MB;
	dev->data_pages_per_blk = TCMU_DEFAULT_PAGES_PER_BLK;
	dev->cmd_ring_size_mb = TCMU_DEFAULT_RING_MB;
	spin_lock_init(&dev->lock);
	mutex_init(&dev->ask_lock);
	xa_init(&dev->attentions);
	mutex_init(&dev->config_lock);
	mutex_init(&dev->grow_lock);
	mutex_init(&dev->open_lock);
	INIT_LIST_HEAD(&dev->node);
	INIT_LIST_HEAD(&dev->waiting);
	INIT_LIST_HEAD(&dev->tmrs);
	init_waitqueue_head(&dev->filled);
	INIT_DELAYED_WORK(&dev->scan, tcmu_scan_work);
	return &dev->se_dev;
}

/* Frees what tcmu_alloc_memory() made; any part of it may be missing. */
static void tcmu_free_memory(struct tcmu_dev *dev)
{
	xa_destroy(&dev->attentions);
	tcmu_drop_tmrs(dev);
	tcmu_data_destroy(dev);
	tcmu_cmds_destroy(dev);
	tcmu_ring_destroy(&dev->ring);
	vfree(dev->mailbox);
	dev->mailbox = NULL;
}

/*
 * What the first commands need. Later there may be no memory until a command that
 * writes pages back has ended; these slots stay when others are given back.
 */
static int tcmu_prepare_first(struct tcmu_dev *dev)
{
	u32 slots = min(DIV_ROUND_UP(TCMU_KEEP_PAGES, dev->data.slot_pages),
			dev->data.slots.limit);
	int err = tcmu_cmds_grow(dev) ?: tcmu_data_grow(dev, slots);

	/* Other devices have it all: the device works as soon as they give back. */
	return err == -ENOSPC ? 0 : err;
}

/* Mailbox and ring are one vmalloc area: the handler maps its pages. */
static int tcmu_alloc_memory(struct tcmu_dev *dev)
{
	u32 size = dev->cmd_ring_size_mb << 20;
	int err;

	dev->mailbox = __vmalloc(size, TCMU_GFP_SETUP | __GFP_ZERO);
	if (!dev->mailbox)
		return -ENOMEM;
	err = tcmu_ring_init(&dev->ring, size - TCMU_CMDR_OFF);
	if (err)
		return err;
	tcmu_mailbox_init(dev);
	err = tcmu_cmds_init(dev);
	if (err)
		return err;
	err = tcmu_data_init(dev, size);
	if (err)
		return err;
	return tcmu_prepare_first(dev);
}

static void tcmu_free_rcu(struct rcu_head *rcu)
{
	struct tcmu_dev *dev = container_of(rcu, struct tcmu_dev, rcu);

	kfree(dev->uio_name);
	kfree(dev->name);
	kfree(dev);
}

static void tcmu_release(struct kref *ref)
{
	struct tcmu_dev *dev = container_of(ref, struct tcmu_dev, ref);

	tcmu_free_memory(dev);
	call_rcu(&dev->rcu, tcmu_free_rcu);
}

/**
 * tcmu_dev_put - drop a reference
 * @dev:	the device
 *
 * Context: may sleep.
 */
void tcmu_dev_put(struct tcmu_dev *dev)
{
	kref_put(&dev->ref, tcmu_release);
}

static void tcmu_free_device(struct se_device *se_dev)
{
	tcmu_dev_put(to_tcmu_dev(se_dev));
}

/* Defaults of attributes that control has not set. */
static void tcmu_set_attrib_defaults(struct se_dev_attrib *attrib)
{
	if (!attrib->hw_block_size)
		attrib->hw_block_size = TCMU_DEFAULT_BLOCK_SIZE;
	if (!attrib->hw_max_sectors)
		attrib->hw_max_sectors = TCMU_DEFAULT_MAX_SECTORS;
	attrib->hw_queue_depth = TCMU_DEFAULT_QUEUE_DEPTH;
}

static int tcmu_set_up_device(struct tcmu_dev *dev)
{
	int err;

	dev->nl_id = dev->se_dev.dev_index;
	/* Left by an enable that failed; a handler may have mapped it meanwhile. */
	if (dev->mailbox && kref_read(&dev->ref) > 1)
		return -EBUSY;
	tcmu_free_memory(dev);
	/* Nor does its state matter: whoever had it open could break the ring. */
	dev->flags = 0;
	dev->scanning = false;
	tcmu_set_attrib_defaults(&dev->se_dev.dev_attrib);
	mutex_lock(&dev->config_lock);
	err = tcmu_uio_name(dev, dev->dev_config);
	mutex_unlock(&dev->config_lock);
	if (!err)
		err = tcmu_alloc_memory(dev);
	if (err)
		goto free;
	err = tcmu_uio_register(dev);
	if (err)
		goto free;

	mutex_lock(&tcmu_devices_lock);
	list_add_tail(&dev->node, &tcmu_devices);
	mutex_unlock(&tcmu_devices_lock);

	err = tcmu_netlink_added(dev);
	if (err)
		goto unregister;
	return 0;

unregister:
	mutex_lock(&tcmu_devices_lock);
	list_del_init(&dev->node);
	mutex_unlock(&tcmu_devices_lock);
	tcmu_uio_unregister(dev);
	return err;
free:
	tcmu_free_memory(dev);
	return err;
}

/*
 * Whoever writes to enable while another waits there for the daemon gets in here
 * too, with a new dev_index. The core gives that one back, but would then never
 * give back the first, under which it goes on finding the device when that is
 * freed: so the first is put back where the core is about to use it.
 */
static int tcmu_configure_device(struct se_device *se_dev)
{
	struct tcmu_dev *dev = to_tcmu_dev(se_dev);
	int err = -EEXIST;

	if (!mutex_trylock(&dev->ask_lock))
		return -EBUSY;
	if (!dev->uio.uio_dev) {
		err = tcmu_set_up_device(dev);
		if (err)
			se_dev->dev_index = dev->nl_id;
	}
	mutex_unlock(&dev->ask_lock);
	return err;
}

/* No LUN has it any more, so no command is left; a handler may still map it. */
static void tcmu_destroy_device(struct se_device *se_dev)
{
	struct tcmu_dev *dev = to_tcmu_dev(se_dev);

	mutex_lock(&tcmu_devices_lock);
	list_del_init(&dev->node);
	mutex_unlock(&tcmu_devices_lock);
	tcmu_stop(dev);
	cancel_delayed_work_sync(&dev->scan);

	/* It goes whatever the daemon says. */
	tcmu_netlink_removed(dev);
	tcmu_uio_unregister(dev);
	se_dev->dev_index = dev->nl_id;
}

/* The core wants the last LBA. */
static sector_t tcmu_get_blocks(struct se_device *se_dev)
{
	const struct tcmu_dev *dev = to_tcmu_dev(se_dev);
	u64 blocks = div_u64(READ_ONCE(dev->dev_size), se_dev->dev_attrib.block_size);

	return blocks ? blocks - 1 : 0;
}

static struct target_backend_ops tcmu_ops = {
	.name				= "user",
	.owner				= THIS_MODULE,
	.transport_flags_default	= TRANSPORT_FLAG_PASSTHROUGH,
	.transport_flags_changeable	= TRANSPORT_FLAG_PASSTHROUGH_PGR |
					  TRANSPORT_FLAG_PASSTHROUGH_ALUA,
	.attach_hba			= tcmu_attach_hba,
	.detach_hba			= tcmu_detach_hba,
	.alloc_device			= tcmu_alloc_device,
	.configure_device		= tcmu_configure_device,
	.destroy_device			= tcmu_destroy_device,
	.free_device			= tcmu_free_device,
	.plug_device			= tcmu_plug_device,
	.unplug_device			= tcmu_unplug_device,
	.set_configfs_dev_params	= tcmu_set_params,
	.show_configfs_dev_params	= tcmu_show_params,
	.parse_cdb			= tcmu_parse_cdb,
	.tmr_notify			= tcmu_tmr_notify,
	.get_device_type		= sbc_get_device_type,
	.get_blocks			= tcmu_get_blocks,
	.tb_dev_action_attrs		= tcmu_actions,
};

static struct configfs_attribute **tcmu_append_attribs(struct configfs_attribute **to,
						       struct configfs_attribute **from)
{
	while (*from)
		*to++ = *from++;
	return to;
}

static size_t tcmu_count_attribs(struct configfs_attribute **attribs)
{
	size_t n = 0;

	while (attribs[n])
		n++;
	return n;
}

/* The core's attributes for pass-through devices, and ours. */
static int tcmu_make_attribs(void)
{
	size_t n = tcmu_count_attribs(passthrough_attrib_attrs) +
		   tcmu_count_attribs(passthrough_pr_attrib_attrs) +
		   tcmu_count_attribs(tcmu_attribs);
	struct configfs_attribute **attribs = kcalloc(n + 1, sizeof(*attribs), GFP_KERNEL);

	if (!attribs)
		return -ENOMEM;
	tcmu_ops.tb_dev_attrib_attrs = attribs;
	attribs = tcmu_append_attribs(attribs, passthrough_attrib_attrs);
	attribs = tcmu_append_attribs(attribs, passthrough_pr_attrib_attrs);
	tcmu_append_attribs(attribs, tcmu_attribs);
	return 0;
}

static int __init tcmu_init(void)
{
	int err = tcmu_make_attribs();

	if (err)
		return err;
	err = -ENOMEM;
	tcmu_wq = alloc_workqueue("tcmu", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!tcmu_wq)
		goto free_attribs;
	tcmu_root_device = root_device_register("tcm_user");
	if (IS_ERR(tcmu_root_device)) {
		err = PTR_ERR(tcmu_root_device);
		goto destroy_wq;
	}
	err = tcmu_memory_init();
	if (err)
		goto unregister_root;
	err = tcmu_netlink_init();
	if (err)
		goto exit_memory;
	err = transport_backend_register(&tcmu_ops);
	if (err)
		goto exit_netlink;
	return 0;

exit_netlink:
	tcmu_netlink_exit();
exit_memory:
	tcmu_memory_exit();
unregister_root:
	root_device_unregister(tcmu_root_device);
destroy_wq:
	destroy_workqueue(tcmu_wq);
free_attribs:
	kfree(tcmu_ops.tb_dev_attrib_attrs);
	return err;
}

static void __exit tcmu_exit(void)
{
	target_backend_unregister(&tcmu_ops);
	tcmu_netlink_exit();
	tcmu_memory_exit();
	root_device_unregister(tcmu_root_device);
	destroy_workqueue(tcmu_wq);
	/* Devices are freed by RCU callbacks in this module. */
	rcu_barrier();
	kfree(tcmu_ops.tb_dev_attrib_attrs);
}

MODULE_DESCRIPTION("TCMU: LIO backstore served by userspace handlers");
MODULE_AUTHOR("The LIO target module set project");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");

module_init(tcmu_init);
module_exit(tcmu_exit);
