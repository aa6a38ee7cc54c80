// SPDX-License-Identifier: GPL-2.0
/* SCSI hosts: one for each WWN, on a bus of their own. */
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "tcm_loop.h"

static unsigned int nr_hw_queues;
module_param(nr_hw_queues, uint, 0644);
MODULE_PARM_DESC(nr_hw_queues, "hardware queues of a new SCSI host, 1 to the number of CPUs (default: the number of CPUs)");

static unsigned int can_queue = 1024;
module_param(can_queue, uint, 0644);
MODULE_PARM_DESC(can_queue, "commands that a new SCSI host takes at a time, 1 to 8192 (default: 1024)");

static unsigned int cmd_per_lun = 1024;
module_param(cmd_per_lun, uint, 0644);
MODULE_PARM_DESC(cmd_per_lun, "of these, for one LUN (default: 1024)");

#define MAX_CAN_QUEUE	8192

static struct device *root;
static DEFINE_IDA(adapters);

static struct scsi_host_template tcm_loop_sht = {
	.module			= THIS_MODULE,
	.name			= "TCM_Loopback",
	.proc_name		= "tcm_loopback",
	.queuecommand		= tcm_loop_queuecommand,
	.commit_rqs		= tcm_loop_commit_rqs,
	.cmd_size		= sizeof(struct tcm_loop_cmd),
	.init_cmd_priv		= tcm_loop_init_cmd_priv,
	.change_queue_depth	= scsi_change_queue_depth,
	.slave_alloc		= tcm_loop_slave_alloc,
	.slave_configure	= tcm_loop_slave_configure,
	.slave_destroy		= tcm_loop_slave_destroy,
	.eh_timed_out		= tcm_loop_eh_timed_out,
	.eh_abort_handler	= tcm_loop_eh_abort,
	.eh_device_reset_handler = tcm_loop_eh_device_reset,
	.eh_target_reset_handler = tcm_loop_eh_target_reset,
	.this_id		= -1,
	.sg_tablesize		= 256,
	.max_sectors		= 0xFFFF,
	/* The core maps parameter data a page a segment. */
	.dma_boundary		= PAGE_SIZE - 1,
	.track_queue_depth	= 1,
};

static void host_release(struct device *dev)
{
	struct tcm_loop_host *host = container_of(dev, struct tcm_loop_host, dev);

	ida_free(&adapters, host->index);
	kfree(host);
}

static int host_probe(struct device *dev)
{
	struct tcm_loop_host *host = container_of(dev, struct tcm_loop_host, dev);
	struct Scsi_Host *shost;
	int rc;

	/* The driver core keeps an error of probe to itself: make_wwn() looks here. */
	host->probe_error = -ENOMEM;
	shost = scsi_host_alloc(&tcm_loop_sht, sizeof(host));
	if (!shost)
		return host->probe_error;
	*(struct tcm_loop_host **)shost_priv(shost) = host;
	shost->can_queue = clamp(can_queue, 1U, MAX_CAN_QUEUE);
	shost->cmd_per_lun = clamp_t(int, cmd_per_lun, 1, shost->can_queue);
	shost->nr_hw_queues = clamp(nr_hw_queues ?: num_possible_cpus(), 1U, nr_cpu_ids);
	/* can_queue is for all of them, and so is the memory behind it. */
	shost->host_tagset = 1;
	shost->max_id = TCM_LOOP_TPGS;
	shost->max_lun = U64_MAX;
	shost->max_channel = 0;
	shost->max_cmd_len = SCSI_MAX_VARLEN_CDB_SIZE;
	compat_shost_set_may_block(shost);
	scsi_host_set_prot(shost, SHOST_DIF_TYPE1_PROTECTION | SHOST_DIF_TYPE2_PROTECTION |
			   SHOST_DIF_TYPE3_PROTECTION | SHOST_DIX_TYPE1_PROTECTION |
			   SHOST_DIX_TYPE2_PROTECTION | SHOST_DIX_TYPE3_PROTECTION);
	scsi_host_set_guard(shost, SHOST_DIX_GUARD_CRC);

	host->shost = shost;
	rc = scsi_add_host(shost, dev);
	host->probe_error = rc;
	if (rc) {
		host->shost = NULL;
		scsi_host_put(shost);
	}
	return rc;
}

static void host_remove(struct device *dev)
{
	struct tcm_loop_host *host = container_of(dev, struct tcm_loop_host, dev);

	scsi_remove_host(host->shost);
	scsi_host_put(host->shost);
}

static struct bus_type tcm_loop_bus = {
	.name	= "tcm_loop_bus",
	.probe	= host_probe,
	.remove	= host_remove,
};

static struct device_driver tcm_loop_driver = {
	.name			= "tcm_loop",
	.bus			= &tcm_loop_bus,
	/* Removal is by configfs, which waits for what has to be waited for. */
	.suppress_bind_attrs	= true,
};

/**
 * tcm_loop_bus_register() - register the parent device, bus and driver
 *
 * Return: 0 or a negative error number.
 */
int tcm_loop_bus_register(void)
{
	int rc;

	if (!nr_hw_queues)
		nr_hw_queues = num_possible_cpus();
	root = root_device_register("tcm_loop_0");
	if (IS_ERR(root))
		return PTR_ERR(root);
	rc = bus_register(&tcm_loop_bus);
	if (rc)
		goto out_root;
	rc = driver_register(&tcm_loop_driver);
	if (rc)
		goto out_bus;
	return 0;

out_bus:
	bus_unregister(&tcm_loop_bus);
out_root:
	root_device_unregister(root);
	return rc;
}

/**
 * tcm_loop_bus_unregister() - undo tcm_loop_bus_register()
 */
void tcm_loop_bus_unregister(void)
{
	driver_unregister(&tcm_loop_driver);
	bus_unregister(&tcm_loop_bus);
	root_device_unregister(root);
	ida_destroy(&adapters);
}

static void unused(struct kref *ref)
{
	tcm_loop_teardown_start(&container_of(ref, struct tcm_loop_host, ref)->teardown);
}

/**
 * tcm_loop_host_get() - take a reference
 * @host:	the host
 */
void tcm_loop_host_get(struct tcm_loop_host *host)
{
	kref_get(&host->ref);
}

/**
 * tcm_loop_host_put() - drop a reference; the last one starts the teardown
 * @host:	the host
 */
void tcm_loop_host_put(struct tcm_loop_host *host)
{
	kref_put(&host->ref, unused);
}

static void teardown_work(struct work_struct *work)
{
	struct tcm_loop_host *host = container_of(work, struct tcm_loop_host, teardown.work);

	device_del(&host->dev);
	tcm_loop_teardown_done(&host->teardown);
	put_device(&host->dev);
}

static int describe(struct tcm_loop_teardown *td, char *buf, size_t size)
{
	return scnprintf(buf, size, "%s", container_of(td, struct tcm_loop_host, teardown)->wwn);
}

/* Prefixes of names, by the transport whose TransportIDs they become. */
static const struct {
	const char	*prefix;
	u8		proto_id;
} protocols[] = {
	{ "naa.",	SCSI_PROTOCOL_SAS },
	{ "fc.",	SCSI_PROTOCOL_FCP },
	{ "iqn.",	SCSI_PROTOCOL_ISCSI },
};

/**
 * tcm_loop_protocol_of() - the transport that a port's name belongs to
 * @name:	of a target or initiator port
 * @proto_id:	set to the protocol identifier
 *
 * Return: the name as the core wants it, or NULL if there is none that fits.
 */
const char *tcm_loop_protocol_of(const char *name, u8 *proto_id)
{
	const char *at;
	int i;

	for (i = 0; i < ARRAY_SIZE(protocols); i++) {
		at = strstr(name, protocols[i].prefix);
		if (!at)
			continue;
		*proto_id = protocols[i].proto_id;
		/* FC names are bare numbers to the core. */
		return *proto_id == SCSI_PROTOCOL_FCP ? at + strlen("fc.") : name;
	}
	return NULL;
}

static struct tcm_loop_host *host_alloc(const char *name)
{
	struct tcm_loop_host *host = kzalloc(sizeof(*host), GFP_KERNEL);
	const char *wwn;

	if (!host)
		return ERR_PTR(-ENOMEM);
	wwn = tcm_loop_protocol_of(name, &host->proto_id);
	if (!wwn || strscpy(host->wwn, wwn, sizeof(host->wwn)) < 0) {
		pr_err("%s: not a name of an emulated target port (naa., fc. or iqn.)\n", name);
		kfree(host);
		return ERR_PTR(-EINVAL);
	}
	kref_init(&host->ref);
	mutex_init(&host->lock);
	spin_lock_init(&host->plug_lock);
	INIT_LIST_HEAD(&host->plugged);
	tcm_loop_teardown_init(&host->teardown, teardown_work, describe);
	return host;
}

/**
 * tcm_loop_make_wwn() - target core: a directory for a WWN is made
 * @tf:		target/loopback
 * @group:	its configfs group
 * @name:	the WWN
 *
 * Return: the host's se_wwn or an error pointer.
 */
struct se_wwn *tcm_loop_make_wwn(struct target_fabric_configfs *tf,
				 struct config_group *group, const char *name)
{
	struct tcm_loop_host *host = host_alloc(name);
	int rc;

	if (IS_ERR(host))
		return ERR_CAST(host);
	host->index = ida_alloc(&adapters, GFP_KERNEL);
	if (host->index < 0) {
		rc = host->index;
		kfree(host);
		return ERR_PTR(rc);
	}
	host->dev.bus = &tcm_loop_bus;
	host->dev.parent = root;
	host->dev.release = host_release;
	device_initialize(&host->dev);
	rc = dev_set_name(&host->dev, "tcm_loop_adapter_%d", host->index);
	if (!rc)
		rc = device_add(&host->dev);
	if (!rc && !host->shost) {
		device_del(&host->dev);
		rc = host->probe_error ?: -ENODEV;
	}
	if (rc) {
		put_device(&host->dev);
		return ERR_PTR(rc);
	}
	return &host->se_wwn;
}

/**
 * tcm_loop_drop_wwn() - target core: the directory of a WWN is gone
 * @se_wwn:	of the host
 *
 * Returns by the deadline.
 */
void tcm_loop_drop_wwn(struct se_wwn *se_wwn)
{
	struct tcm_loop_host *host = container_of(se_wwn, struct tcm_loop_host, se_wwn);

	get_device(&host->dev);
	tcm_loop_teardown_pin();
	tcm_loop_host_put(host);
	tcm_loop_teardown_wait(&host->teardown);
	put_device(&host->dev);
}
