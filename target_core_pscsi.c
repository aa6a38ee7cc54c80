// SPDX-License-Identifier: GPL-2.0
/*
 * target_core_pscsi: LUNs that are SCSI devices of this host. Commands go down as
 * they came, status, sense data and residuals come up as they are.
 *
 * Nothing here waits: a command that the device's queue has no room for is
 * answered with TASK SET FULL, which initiators know how to deal with. The node
 * that control names is held: nobody mounts the disk beside us, or opens the tape.
 */
#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/module.h>
#include <linux/parser.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <scsi/scsi_cmnd.h>
#include <scsi/scsi_device.h>
#include <scsi/scsi_host.h>
#include <target/target_core_fabric.h>

#include "backstore.h"
#include "compat/block.h"

#define PSCSI_BLOCK_SIZE	512		/* of what has no blocks */
#define PSCSI_VPD_LEN		255
#define PSCSI_TIMEOUT_RW	(60 * HZ)
#define PSCSI_TIMEOUT_OTHER	(600 * HZ)	/* a tape rewinds, a changer moves */
#define PSCSI_TIMEOUT_FORMAT	(8 * 3600 * HZ)
#define PSCSI_SANITIZE		0x48

/* sense data of a tape (SSC-5 4.2.13): in the byte of the sense key */
#define PSCSI_SENSE_MARKS	0xe0		/* FILEMARK, EOM, ILI */

/**
 * struct pscsi_hba - what core/pscsi_N is
 * @host_id:	N
 * @host:	hba_mode=1: all devices are of this host, N; referenced
 */
struct pscsi_hba {
	u32 host_id;
	struct Scsi_Host *host;
};

enum pscsi_param { PSCSI_HOST, PSCSI_CHANNEL, PSCSI_TARGET, PSCSI_LUN, PSCSI_OTHER };

#define PSCSI_ADDRESS	(BIT(PSCSI_CHANNEL) | BIT(PSCSI_TARGET) | BIT(PSCSI_LUN))

/**
 * struct pscsi_dev - a device
 * @se_dev:	the core's part
 * @lock:	held to change or show what control sets
 * @address:	where control says that the device is, by enum pscsi_param
 * @known:	bits of @address that control has set
 * @host:	referenced if the HBA has none; these three are set while the
 *		device is configured
 * @sdev:	referenced
 * @file:	its node: a disk, claimed, or another one, opened exclusively
 * @is_bdev:	it is a disk
 */
struct pscsi_dev {
	struct se_device se_dev;
	struct mutex lock;
	int address[PSCSI_OTHER];
	unsigned long known;
	struct Scsi_Host *host;
	struct scsi_device *sdev;
	struct file *file;
	bool is_bdev;
};

static struct pscsi_dev *to_pscsi_dev(struct se_device *se_dev)
{
	return container_of(se_dev, struct pscsi_dev, se_dev);
}

static u32 pscsi_get_device_type(struct se_device *se_dev)
{
	const struct pscsi_dev *dev = to_pscsi_dev(se_dev);

	return dev->sdev ? dev->sdev->type : TYPE_NO_LUN;
}

static sector_t pscsi_get_blocks(struct se_device *se_dev)
{
	const struct pscsi_dev *dev = to_pscsi_dev(se_dev);

	return dev->is_bdev ? bdev_nr_sectors(file_bdev(dev->file)) : 0;
}

/*
 * Commands
 */

/* What the midlayer has to say when the device did not answer. */
static int pscsi_host_error(int result)
{
	switch (host_byte(result)) {
	case DID_OK:
		return 0;
	case DID_NO_CONNECT:
	case DID_BAD_TARGET:
		return -ENODEV;
	case DID_TIME_OUT:
		return -ETIMEDOUT;
	case DID_BUS_BUSY:
	case DID_IMM_RETRY:
	case DID_REQUEUE:
	case DID_SOFT_ERROR:
		return -EBUSY;
	default:
		return -ENOLINK;
	}
}

/* A mapped LUN may be read-only where the device is not: it says so in its mode data. */
static void pscsi_show_read_only(struct se_cmd *cmd, u32 moved)
{
	bool mode6 = cmd->t_task_cdb[0] == MODE_SENSE;
	u32 at = mode6 ? 2 : 3;
	u8 parameter;

	if ((!mode6 && cmd->t_task_cdb[0] != MODE_SENSE_10) || !target_lun_is_rdonly(cmd) || moved <= at)
		return;
	sg_pcopy_to_buffer(cmd->t_data_sg, cmd->t_data_nents, &parameter, 1, at);
	parameter |= 0x80;
	sg_pcopy_from_buffer(cmd->t_data_sg, cmd->t_data_nents, &parameter, 1, at);
}

/*
 * READ of a tape that met a mark or a block of another length brings data and
 * sense data both.
 */
static bool pscsi_is_read_to_mark(const struct se_cmd *cmd, const struct scsi_cmnd *scmd)
{
	const u8 *sense = scmd->sense_buffer;

	return cmd->se_dev->transport->get_device_type(cmd->se_dev) == TYPE_TAPE &&
	       cmd->data_direction == DMA_FROM_DEVICE && (sense[0] & 0x7f) == 0x70 &&
	       (sense[2] & PSCSI_SENSE_MARKS);
}

/* The device has answered. */
static void pscsi_complete(struct se_cmd *cmd, struct scsi_cmnd *scmd)
{
	u8 status = get_status_byte(scmd);
	u32 moved = cmd->data_length - min(cmd->data_length, scmd->resid_len);

	if (status == SAM_STAT_GOOD)
		pscsi_show_read_only(cmd, moved);
	if (status == SAM_STAT_CHECK_CONDITION) {
		transport_copy_sense_to_cmd(cmd, scmd->sense_buffer);
		if (pscsi_is_read_to_mark(cmd, scmd))
			cmd->se_cmd_flags |= SCF_TREAT_READ_AS_NORMAL;
	}
	/* Whatever the status: what was not moved is told, and then nothing was too much. */
	if (moved < cmd->data_length) {
		cmd->se_cmd_flags &= ~SCF_OVERFLOW_BIT;
		target_set_cmd_data_length(cmd, moved);
	}
	target_complete_cmd(cmd, status);
}

static enum rq_end_io_ret pscsi_end_io(struct request *req, blk_status_t status)
{
	struct scsi_cmnd *scmd = blk_mq_rq_to_pdu(req);
	struct se_cmd *cmd = req->end_io_data;
	int err = pscsi_host_error(scmd->result);

	/* It never came to the device. */
	if (status && !scmd->result)
		err = blk_status_to_errno(status);
	if (err)
		backstore_complete(cmd, err);
	else
		pscsi_complete(cmd, scmd);
	return RQ_END_IO_FREE;
}

static void pscsi_free_bio(struct bio *bio)
{
	bio_uninit(bio);
	kfree(bio);
}

/* Of a request that is not sent. */
static void pscsi_unmap(struct request *req)
{
	struct bio *bio = req->bio, *next;

	for (; bio; bio = next) {
		next = bio->bi_next;
		pscsi_free_bio(bio);
	}
	req->bio = NULL;
}

static struct bio *pscsi_bio(struct request *req, unsigned int vecs)
{
	struct bio *bio = bio_kmalloc(vecs, GFP_NOIO);

	if (!bio)
		return NULL;
	bio_init(bio, NULL, bio->bi_inline_vecs, vecs, req_op(req));
	bio->bi_end_io = pscsi_free_bio;
	return bio;
}

static int pscsi_append(struct request *req, struct bio *bio)
{
	int err = blk_rq_append_bio(req, bio);

	if (err)
		pscsi_free_bio(bio);
	return err;
}

/* The first @left bytes of a scatterlist, in as many bios as the queue's limits make of it. */
static int pscsi_map(struct request *req, struct scatterlist *sg, u32 nents, u32 left)
{
	struct bio *bio = NULL;
	u32 part;
	int err;

	for (; left && sg; sg = sg_next(sg), nents--) {
		part = min(left, sg->length);
		if (bio && bio_add_pc_page(req->q, bio, sg_page(sg), part, sg->offset) == part) {
			left -= part;
			continue;
		}
		err = bio ? pscsi_append(req, bio) : 0;
		if (err)
			return err;
		bio = pscsi_bio(req, bio_max_segs(nents));
		if (!bio)
			return -ENOMEM;
		if (bio_add_pc_page(req->q, bio, sg_page(sg), part, sg->offset) != part) {
			pscsi_free_bio(bio);
			return -EINVAL;
		}
		left -= part;
	}
	return bio ? pscsi_append(req, bio) : 0;
}

static unsigned int pscsi_timeout(const struct se_cmd *cmd, const struct scsi_device *sdev)
{
	switch (cmd->t_task_cdb[0]) {
	case FORMAT_UNIT:
	case PSCSI_SANITIZE:
		return PSCSI_TIMEOUT_FORMAT;
	case READ_6:
	case READ_10:
	case READ_12:
	case READ_16:
	case WRITE_6:
	case WRITE_10:
	case WRITE_12:
	case WRITE_16:
		return sdev->type == TYPE_DISK ? PSCSI_TIMEOUT_RW : PSCSI_TIMEOUT_OTHER;
	default:
		return PSCSI_TIMEOUT_OTHER;
	}
}

static bool pscsi_is_gone(struct scsi_device *sdev)
{
	return !scsi_device_online(sdev) || sdev->sdev_state == SDEV_CANCEL ||
	       blk_queue_dying(sdev->request_queue);
}

/*
 * The queue has no room, or is stopped by the error handler or a freeze: what is
 * gone for ever looks the same to those who do not wait.
 */
static void pscsi_refuse(struct se_cmd *cmd, struct scsi_device *sdev, long err)
{
	if (pscsi_is_gone(sdev))
		err = -ENODEV;
	if (err == -EAGAIN || err == -EBUSY)
		target_complete_cmd(cmd, SAM_STAT_TASK_SET_FULL);
	else
		backstore_complete(cmd, err);
}

static sense_reason_t pscsi_execute_cmd(struct se_cmd *cmd)
{
	struct scsi_device *sdev = to_pscsi_dev(cmd->se_dev)->sdev;
	bool write = cmd->data_direction == DMA_TO_DEVICE;
	u32 len = scsi_command_size(cmd->t_task_cdb);
	struct scsi_cmnd *scmd;
	struct request *req;
	int err;

	if (len > sizeof(scmd->cmnd))
		return TCM_INVALID_CDB_FIELD;
	req = scsi_alloc_request(sdev->request_queue, write ? REQ_OP_DRV_OUT : REQ_OP_DRV_IN,
				 BLK_MQ_REQ_NOWAIT);
	if (IS_ERR(req)) {
		pscsi_refuse(cmd, sdev, PTR_ERR(req));
		return 0;
	}
	if (cmd->data_direction != DMA_NONE) {
		err = pscsi_map(req, cmd->t_data_sg, cmd->t_data_nents, cmd->data_length);
		if (err) {
			pscsi_unmap(req);
			blk_mq_free_request(req);
			backstore_complete(cmd, err);
			return 0;
		}
	}
	scmd = blk_mq_rq_to_pdu(req);
	scmd->cmd_len = len;
	memcpy(scmd->cmnd, cmd->t_task_cdb, len);
	scmd->allowed = 0;
	req->timeout = pscsi_timeout(cmd, sdev);
	req->end_io = pscsi_end_io;
	req->end_io_data = cmd;
	blk_execute_rq_nowait(req, cmd->sam_task_attr == TCM_HEAD_TAG);
	return 0;
}

/* Blocks that a disk reads for @cdb; 0: it is another command. */
static u32 pscsi_blocks_to_read(const u8 *cdb)
{
	switch (cdb[0]) {
	case READ_6:
		return cdb[4] ?: 256;
	case READ_10:
		return get_unaligned_be16(&cdb[7]);
	case READ_12:
		return get_unaligned_be32(&cdb[6]);
	case READ_16:
		return get_unaligned_be32(&cdb[10]);
	default:
		return 0;
	}
}

/*
 * The device is given as much room as the initiator has, and does not say how much
 * more its CDB asks for: initiators want to know (RFC 7143 11.4.5.1).
 */
static void pscsi_note_overflow(struct se_cmd *cmd)
{
	u64 bytes = (u64)pscsi_blocks_to_read(cmd->t_task_cdb) * cmd->se_dev->dev_attrib.hw_block_size;

	if (pscsi_get_device_type(cmd->se_dev) != TYPE_DISK || cmd->data_direction == DMA_TO_DEVICE ||
	    cmd->unknown_data_length)
		return;
	if (bytes <= cmd->data_length || bytes - cmd->data_length > U32_MAX)
		return;
	cmd->se_cmd_flags |= SCF_OVERFLOW_BIT;
	cmd->residual_count = bytes - cmd->data_length;
}

static sense_reason_t pscsi_parse_cdb(struct se_cmd *cmd)
{
	pscsi_note_overflow(cmd);
	return passthrough_parse_cdb(cmd, pscsi_execute_cmd);
}

/*
 * What the device says of itself, for configfs
 */

static void pscsi_read_serial(struct scsi_device *sdev, struct se_device *se_dev, u8 *page)
{
	struct t10_wwn *wwn = &se_dev->t10_wwn;

	if (scsi_get_vpd_page(sdev, 0x80, page, PSCSI_VPD_LEN) || page[3] > PSCSI_VPD_LEN - 4)
		return;
	snprintf(wwn->unit_serial, sizeof(wwn->unit_serial), "%.*s", page[3], &page[4]);
	se_dev->dev_flags |= DF_FIRMWARE_VPD_UNIT_SERIAL;
}

/* The core frees them: with the device, or when it is not to be had. */
static int pscsi_add_identifier(struct t10_wwn *wwn, u8 *designator)
{
	struct t10_vpd *vpd = kzalloc(sizeof(*vpd), GFP_KERNEL);

	if (!vpd)
		return -ENOMEM;
	INIT_LIST_HEAD(&vpd->vpd_list);
	transport_set_vpd_proto_id(vpd, designator);
	transport_set_vpd_assoc(vpd, designator);
	if (transport_set_vpd_ident_type(vpd, designator) || transport_set_vpd_ident(vpd, designator)) {
		kfree(vpd);
		return 0;
	}
	spin_lock(&wwn->t10_vpd_lock);
	list_add_tail(&vpd->vpd_list, &wwn->t10_vpd_list);
	spin_unlock(&wwn->t10_vpd_lock);
	return 0;
}

static int pscsi_read_identifiers(struct scsi_device *sdev, struct t10_wwn *wwn, u8 *page)
{
	u32 at, end;
	int err = 0;

	if (scsi_get_vpd_page(sdev, 0x83, page, PSCSI_VPD_LEN))
		return 0;
	end = min_t(u32, get_unaligned_be16(&page[2]) + 4, PSCSI_VPD_LEN);
	for (at = 4; !err && at + 4 <= end && at + 4 + page[at + 3] <= end; at += 4 + page[at + 3])
		if (page[at + 3])
			err = pscsi_add_identifier(wwn, &page[at]);
	return err;
}

static int pscsi_read_names(struct scsi_device *sdev, struct se_device *se_dev)
{
	struct t10_wwn *wwn = &se_dev->t10_wwn;
	u8 *page = kzalloc(PSCSI_VPD_LEN + 1, GFP_KERNEL);
	int err;

	if (!page)
		return -ENOMEM;
	if (sdev->inquiry && sdev->inquiry_len >= INQUIRY_LEN) {
		snprintf(wwn->vendor, sizeof(wwn->vendor), "%." __stringify(INQUIRY_VENDOR_LEN) "s", sdev->vendor);
		snprintf(wwn->model, sizeof(wwn->model), "%." __stringify(INQUIRY_MODEL_LEN) "s", sdev->model);
		snprintf(wwn->revision, sizeof(wwn->revision), "%." __stringify(INQUIRY_REVISION_LEN) "s",
			 sdev->rev);
	}
	pscsi_read_serial(sdev, se_dev, page);
	memset(page, 0, PSCSI_VPD_LEN);
	err = pscsi_read_identifiers(sdev, wwn, page);
	kfree(page);
	return err;
}

/*
 * Life of a device
 */

static int pscsi_attach_hba(struct se_hba *hba, u32 host_id)
{
	struct pscsi_hba *pscsi_hba = kzalloc(sizeof(*pscsi_hba), GFP_KERNEL);

	if (!pscsi_hba)
		return -ENOMEM;
	pscsi_hba->host_id = host_id;
	hba->hba_ptr = pscsi_hba;
	return 0;
}

static void pscsi_detach_hba(struct se_hba *hba)
{
	struct pscsi_hba *pscsi_hba = hba->hba_ptr;

	if (pscsi_hba->host)
		scsi_host_put(pscsi_hba->host);
	kfree(pscsi_hba);
	hba->hba_ptr = NULL;
}

/* hba_mode: the core sees to it that there are no devices. Return: the mode that it is in. */
static int pscsi_pmode_enable_hba(struct se_hba *hba, unsigned long mode)
{
	struct pscsi_hba *pscsi_hba = hba->hba_ptr;

	if (!mode) {
		if (pscsi_hba->host)
			scsi_host_put(pscsi_hba->host);
		pscsi_hba->host = NULL;
		return 0;
	}
	if (!pscsi_hba->host)
		pscsi_hba->host = scsi_host_lookup(pscsi_hba->host_id);
	if (!pscsi_hba->host) {
		pr_err("there is no SCSI host %u\n", pscsi_hba->host_id);
		return -EINVAL;
	}
	return 1;
}

static struct se_device *pscsi_alloc_device(struct se_hba *hba, const char *name)
{
	struct pscsi_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	mutex_init(&dev->lock);
	return &dev->se_dev;
}

static void pscsi_free_rcu(struct rcu_head *rcu)
{
	kfree(to_pscsi_dev(container_of(rcu, struct se_device, rcu_head)));
}

static void pscsi_free_device(struct se_device *se_dev)
{
	call_rcu(&se_dev->rcu_head, pscsi_free_rcu);
}

/* A medium need not be there yet. A device that refuses to be written is opened to be read. */
static struct file *pscsi_open_disk(struct pscsi_dev *dev, const char *path)
{
	const blk_mode_t mode = BLK_OPEN_READ | BLK_OPEN_NDELAY;
	struct file *file = bdev_file_open_by_path(path, mode | BLK_OPEN_WRITE, dev, NULL);

	if (IS_ERR(file) && (PTR_ERR(file) == -EACCES || PTR_ERR(file) == -EROFS))
		file = bdev_file_open_by_path(path, mode, dev, NULL);
	return file;
}

static struct file *pscsi_open(struct pscsi_dev *dev, const char *path)
{
	struct file *file = pscsi_open_disk(dev, path);

	dev->is_bdev = !IS_ERR(file);
	/* Generic nodes go by O_EXCL, a tape is never open twice. */
	if (IS_ERR(file) && PTR_ERR(file) == -ENOTBLK)
		file = filp_open(path, O_RDWR | O_EXCL | O_NONBLOCK | O_LARGEFILE, 0);
	return file;
}

static void pscsi_close(struct pscsi_dev *dev)
{
	if (!dev->file)
		return;
	if (dev->is_bdev)
		bdev_fput(dev->file);
	else
		filp_close(dev->file, NULL);
	dev->file = NULL;
	dev->is_bdev = false;
}

static int pscsi_is_node(struct device *child, void *number)
{
	return child->devt == *(dev_t *)number;
}

/* Only the name of the node is known to be right until it is open. */
static bool pscsi_is_ours(const struct pscsi_dev *dev)
{
	dev_t number = file_inode(dev->file)->i_rdev;

	if (dev->is_bdev)
		return bdev_get_queue(file_bdev(dev->file)) == dev->sdev->request_queue;
	return S_ISCHR(file_inode(dev->file)->i_mode) &&
	       device_for_each_child(&dev->sdev->sdev_gendev, &number, pscsi_is_node);
}

static int pscsi_claim(struct pscsi_dev *dev)
{
	const char *path = dev->se_dev.udev_path;
	struct file *file = pscsi_open(dev, path);

	if (IS_ERR(file)) {
		pr_err("%s: cannot be %s: %ld\n", path,
		       PTR_ERR(file) == -EBUSY ? "claimed, it is in use" : "opened", PTR_ERR(file));
		return PTR_ERR(file);
	}
	dev->file = file;
	if (pscsi_is_ours(dev))
		return 0;
	pr_err("%s: is not the device that control tells of\n", path);
	pscsi_close(dev);
	return -EINVAL;
}

static void pscsi_set_limits(struct se_device *se_dev, struct scsi_device *sdev)
{
	struct se_dev_attrib *attrib = &se_dev->dev_attrib;

	attrib->hw_block_size = sdev->sector_size ?: PSCSI_BLOCK_SIZE;
	attrib->hw_max_sectors = min_not_zero(sdev->host->max_sectors,
					      queue_max_hw_sectors(sdev->request_queue));
	attrib->hw_queue_depth = max_t(u32, sdev->queue_depth, 1);
}

static int pscsi_set_up(struct pscsi_dev *dev)
{
	int err = pscsi_claim(dev);

	if (err)
		return err;
	pscsi_set_limits(&dev->se_dev, dev->sdev);
	return pscsi_read_names(dev->sdev, &dev->se_dev);
}

static int pscsi_find(struct pscsi_dev *dev, struct Scsi_Host *host)
{
	const int *address = dev->address;

	dev->sdev = scsi_device_lookup(host, address[PSCSI_CHANNEL], address[PSCSI_TARGET], address[PSCSI_LUN]);
	if (dev->sdev)
		return 0;
	pr_err("there is no SCSI device %u:%d:%d:%d\n", host->host_no, address[PSCSI_CHANNEL],
	       address[PSCSI_TARGET], address[PSCSI_LUN]);
	return -ENODEV;
}

static void pscsi_release(struct pscsi_dev *dev)
{
	pscsi_close(dev);
	if (dev->sdev)
		scsi_device_put(dev->sdev);
	if (dev->host)
		scsi_host_put(dev->host);
	dev->sdev = NULL;
	dev->host = NULL;
}

/* The HBA's host, or the one that control tells of. */
static struct Scsi_Host *pscsi_get_host(struct pscsi_dev *dev)
{
	struct pscsi_hba *hba = dev->se_dev.se_hba->hba_ptr;

	if (hba->host)
		return hba->host;
	dev->host = scsi_host_lookup(dev->address[PSCSI_HOST]);
	if (!dev->host)
		pr_err("there is no SCSI host %d\n", dev->address[PSCSI_HOST]);
	return dev->host;
}

static int pscsi_check_params(const struct pscsi_dev *dev)
{
	const struct pscsi_hba *hba = dev->se_dev.se_hba->hba_ptr;

	if ((dev->known & PSCSI_ADDRESS) != PSCSI_ADDRESS || (!hba->host && !(dev->known & BIT(PSCSI_HOST)))) {
		pr_err("control needs scsi_host_id= (unless hba_mode=1), scsi_channel_id=, scsi_target_id= and scsi_lun_id=\n");
		return -EINVAL;
	}
	if (!(dev->se_dev.dev_flags & DF_USING_UDEV_PATH)) {
		pr_err("udev_path is to be set before the device is enabled\n");
		return -EINVAL;
	}
	return 0;
}

static int pscsi_configure_device(struct se_device *se_dev)
{
	struct pscsi_dev *dev = to_pscsi_dev(se_dev);
	struct Scsi_Host *host;
	int err;

	guard(mutex)(&dev->lock);
	err = pscsi_check_params(dev);
	if (err)
		return err;
	host = pscsi_get_host(dev);
	if (!host)
		return -EINVAL;
	err = pscsi_find(dev, host) ?: pscsi_set_up(dev);
	if (err)
		pscsi_release(dev);
	return err;
}

static void pscsi_destroy_device(struct se_device *se_dev)
{
	pscsi_release(to_pscsi_dev(se_dev));
}

/*
 * Configuration
 */

static const match_table_t pscsi_params = {
	{ PSCSI_HOST, "scsi_host_id=%d" },
	{ PSCSI_CHANNEL, "scsi_channel_id=%d" },
	{ PSCSI_TARGET, "scsi_target_id=%d" },
	{ PSCSI_LUN, "scsi_lun_id=%d" },
	{ PSCSI_OTHER, NULL }
};

static int pscsi_set_param(struct se_device *se_dev, char *text)
{
	struct pscsi_dev *dev = to_pscsi_dev(se_dev);
	const struct pscsi_hba *hba = se_dev->se_hba->hba_ptr;
	substring_t args[MAX_OPT_ARGS];
	int param = match_token(text, pscsi_params, args);
	int value, err;

	/* another version's */
	if (param == PSCSI_OTHER)
		return 0;
	if (param == PSCSI_HOST && hba->host) {
		pr_err("hba_mode=1: the host is %u, whatever scsi_host_id is\n", hba->host_id);
		return -EINVAL;
	}
	err = match_int(&args[0], &value);
	if (err)
		return err;
	/* Where it is has been decided. */
	if (dev->sdev)
		return value == dev->address[param] ? 0 : -EEXIST;
	dev->address[param] = value;
	dev->known |= BIT(param);
	return 0;
}

static ssize_t pscsi_set_params(struct se_device *se_dev, const char *page, ssize_t count)
{
	return backstore_set_params(se_dev, &to_pscsi_dev(se_dev)->lock, page, count, pscsi_set_param);
}

static ssize_t pscsi_show_params(struct se_device *se_dev, char *page)
{
	struct pscsi_dev *dev = to_pscsi_dev(se_dev);
	const struct pscsi_hba *hba = se_dev->se_hba->hba_ptr;
	char host[12] = "PHBA Mode";
	ssize_t len;

	guard(mutex)(&dev->lock);
	if (!hba->host)
		snprintf(host, sizeof(host), "%d", dev->address[PSCSI_HOST]);
	len = sprintf(page, "SCSI Device Bus Location: Channel ID: %d Target ID: %d LUN: %d Host ID: %s\n",
		      dev->address[PSCSI_CHANNEL], dev->address[PSCSI_TARGET], dev->address[PSCSI_LUN], host);
	if (dev->sdev)
		len += sprintf(page + len, "        Vendor: %.8s Model: %.16s Rev: %.4s\n", dev->sdev->vendor,
			       dev->sdev->model, dev->sdev->rev);
	return len;
}

static const struct target_backend_ops pscsi_ops = {
	.name				= "pscsi",
	.owner				= THIS_MODULE,
	.transport_flags_default	= TRANSPORT_FLAG_PASSTHROUGH | TRANSPORT_FLAG_PASSTHROUGH_ALUA |
					  TRANSPORT_FLAG_PASSTHROUGH_PGR,
	.attach_hba			= pscsi_attach_hba,
	.detach_hba			= pscsi_detach_hba,
	.pmode_enable_hba		= pscsi_pmode_enable_hba,
	.alloc_device			= pscsi_alloc_device,
	.configure_device		= pscsi_configure_device,
	.destroy_device			= pscsi_destroy_device,
	.free_device			= pscsi_free_device,
	.parse_cdb			= pscsi_parse_cdb,
	.set_configfs_dev_params	= pscsi_set_params,
	.show_configfs_dev_params	= pscsi_show_params,
	.get_device_type		= pscsi_get_device_type,
	.get_blocks			= pscsi_get_blocks,
	.tb_dev_attrib_attrs		= passthrough_attrib_attrs,
};

static int __init pscsi_init(void)
{
	return transport_backend_register(&pscsi_ops);
}

static void __exit pscsi_exit(void)
{
	target_backend_unregister(&pscsi_ops);
	/* Devices are freed by RCU callbacks in this module. */
	rcu_barrier();
}

MODULE_DESCRIPTION("LIO backstore on SCSI devices");
MODULE_AUTHOR("The LIO target module set project");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");

module_init(pscsi_init);
module_exit(pscsi_exit);
