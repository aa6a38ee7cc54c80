// SPDX-License-Identifier: GPL-2.0
/*
 * target_core_iblock: LUNs on block devices.
 *
 * READ, WRITE and SYNCHRONIZE CACHE become bios where they are submitted and end
 * where the bios end. Whatever may wait is executed in a workqueue of the device.
 * The device is claimed and opened once, when it is enabled; when it disappears
 * commands are told so until the LUN is removed.
 */
#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/module.h>
#include <linux/parser.h>
#include <linux/pr.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <target/target_core_fabric.h>

#include "backstore.h"
#include "backstore_ops.h"
#include "compat/block.h"

#define IBLOCK_VERSION		"4.0"
#define IBLOCK_PATH_LEN		512
#define IBLOCK_BIOS		128	/* kept for when there is no memory */
#define IBLOCK_MAX_SAME		0xffff	/* blocks, if the device does not say */

/**
 * struct iblock_plug - requests of a batch of commands go down together
 * @se_plug:	the core's handle
 * @blk_plug:	the block layer's
 * @flags:	bit 0: in use
 */
struct iblock_plug {
	struct se_dev_plug se_plug;
	struct blk_plug blk_plug;
	unsigned long flags;
};

/**
 * struct iblock_dev - a device
 * @se_dev:	the core's part
 * @lock:	held to change or show what control sets
 * @path:	of the block device, as control was told
 * @readonly:	opened only to be read
 * @file:	the open block device, claimed; set while the device is configured
 * @bdev:	what @file is
 * @bytes:	size of @bdev when it was last seen alive
 * @bios:	for struct iblock_io
 * @plugs:	one a CPU
 * @wq:		for commands that wait
 */
struct iblock_dev {
	struct se_device se_dev;
	struct mutex lock;
	char path[IBLOCK_PATH_LEN];
	bool readonly;
	struct file *file;
	struct block_device *bdev;
	u64 bytes;
	struct bio_set bios;
	struct iblock_plug *plugs;
	struct workqueue_struct *wq;
};

/**
 * struct iblock_io - a bio of ours; a command's first one stands for all of them
 * @cmd:	the command
 * @pending:	bios that have not ended
 * @status:	of one that failed
 * @bio:	bi_private is the command's first struct iblock_io
 */
struct iblock_io {
	struct se_cmd *cmd;
	atomic_t pending;
	blk_status_t status;
	struct bio bio;
};

static struct iblock_dev *to_iblock_dev(struct se_device *se_dev)
{
	return container_of(se_dev, struct iblock_dev, se_dev);
}

static bool iblock_is_gone(const struct iblock_dev *dev)
{
	return backstore_bdev_is_gone(dev->bdev);
}

/* The core leaves it to us where LUNs are not mapped. */
static bool iblock_is_read_only(const struct iblock_dev *dev)
{
	return dev->readonly || bdev_read_only(dev->bdev);
}

/* A device that is gone has no size: its commands are to fail for the right reason. */
static u64 iblock_bytes(struct iblock_dev *dev)
{
	if (!iblock_is_gone(dev))
		WRITE_ONCE(dev->bytes, bdev_nr_bytes(dev->bdev));
	return READ_ONCE(dev->bytes);
}

/* The core wants the last LBA. */
static sector_t iblock_get_blocks(struct se_device *se_dev)
{
	u64 blocks = div_u64(iblock_bytes(to_iblock_dev(se_dev)), se_dev->dev_attrib.block_size);

	return blocks ? blocks - 1 : 0;
}

/* In blocks of the initiator. */
static unsigned int iblock_in_blocks(const struct se_device *se_dev, unsigned int bytes)
{
	return bytes / se_dev->dev_attrib.block_size;
}

static sector_t iblock_get_alignment_offset_lbas(struct se_device *se_dev)
{
	int offset = bdev_alignment_offset(to_iblock_dev(se_dev)->bdev);

	/* -1: its parts are aligned differently */
	return offset < 0 ? 0 : iblock_in_blocks(se_dev, offset);
}

static unsigned int iblock_get_lbppbe(struct se_device *se_dev)
{
	unsigned int blocks = iblock_in_blocks(se_dev, bdev_physical_block_size(to_iblock_dev(se_dev)->bdev));

	return blocks ? ilog2(blocks) : 0;
}

static unsigned int iblock_get_io_min(struct se_device *se_dev)
{
	return iblock_in_blocks(se_dev, bdev_io_min(to_iblock_dev(se_dev)->bdev));
}

static unsigned int iblock_get_io_opt(struct se_device *se_dev)
{
	return iblock_in_blocks(se_dev, bdev_io_opt(to_iblock_dev(se_dev)->bdev));
}

static bool iblock_get_write_cache(struct se_device *se_dev)
{
	struct iblock_dev *dev = to_iblock_dev(se_dev);

	return dev->bdev && bdev_write_cache(dev->bdev);
}

/*
 * READ and WRITE
 */

static int iblock_errno(const struct iblock_dev *dev, blk_status_t status)
{
	if (!status)
		return 0;
	return iblock_is_gone(dev) ? -ENODEV : blk_status_to_errno(status);
}

static void iblock_end_io(struct bio *bio)
{
	struct iblock_io *io = bio->bi_private;
	struct se_cmd *cmd = io->cmd;
	blk_status_t status;

	if (unlikely(bio->bi_status))
		WRITE_ONCE(io->status, bio->bi_status);
	if (bio != &io->bio)
		bio_put(bio);
	if (!atomic_dec_and_test(&io->pending))
		return;
	status = io->status;
	bio_put(&io->bio);
	backstore_complete(cmd, iblock_errno(to_iblock_dev(cmd->se_dev), status));
}

/* @first: the command's first bio, NULL for that one itself. Never fails: there is a reserve. */
static struct bio *iblock_bio(struct se_cmd *cmd, struct iblock_io *first, sector_t sector,
			      unsigned int vecs, blk_opf_t opf)
{
	struct iblock_dev *dev = to_iblock_dev(cmd->se_dev);
	struct bio *bio = bio_alloc_bioset(dev->bdev, vecs, opf, GFP_NOIO, &dev->bios);
	struct iblock_io *io = container_of(bio, struct iblock_io, bio);

	bio->bi_iter.bi_sector = sector;
	bio->bi_end_io = iblock_end_io;
	if (!first) {
		io->cmd = cmd;
		io->status = BLK_STS_OK;
		atomic_set(&io->pending, 1);
		first = io;
	}
	bio->bi_private = first;
	return bio;
}

/**
 * struct iblock_prot - the protection information that is not in a bio yet
 * @sg:		where it is
 * @offset:	in @sg
 */
struct iblock_prot {
	struct scatterlist *sg;
	unsigned int offset;
};

/* The protection information of the blocks in a bio, which the device checks. */
static int iblock_add_prot(struct bio *bio, struct iblock_prot *prot)
{
	struct blk_integrity *bi = bdev_get_integrity(bio->bi_bdev);
	struct bio_integrity_payload *bip;
	unsigned int left, part;

	if (!bi)
		return -EINVAL;
	left = bio_integrity_bytes(bi, bio_sectors(bio));
	bip = bio_integrity_alloc(bio, GFP_NOIO, bio_max_segs(1 + left / PAGE_SIZE + sg_nents(prot->sg)));
	if (IS_ERR(bip))
		return PTR_ERR(bip);
	compat_bip_set_bytes(bip, left);
	/* In units of the interval, which is the block. */
	bip_set_seed(bip, bio->bi_iter.bi_sector >> (bi->interval_exp - SECTOR_SHIFT));
	while (left) {
		if (!prot->sg)
			return -EINVAL;
		part = min(left, prot->sg->length - prot->offset);
		if (bio_integrity_add_page(bio, sg_page(prot->sg), part,
					   prot->sg->offset + prot->offset) != part)
			return -ENOMEM;
		left -= part;
		prot->offset += part;
		if (prot->offset == prot->sg->length) {
			prot->sg = sg_next(prot->sg);
			prot->offset = 0;
		}
	}
	return 0;
}

static void iblock_submit(struct bio *bio, struct iblock_prot *prot)
{
	int err = prot->sg ? iblock_add_prot(bio, prot) : 0;

	if (likely(!err)) {
		submit_bio(bio);
		return;
	}
	bio->bi_status = errno_to_blk_status(err);
	bio_endio(bio);
}

static blk_opf_t iblock_opf(const struct se_cmd *cmd, bool write)
{
	if (!write)
		return REQ_OP_READ;
	return REQ_OP_WRITE | REQ_SYNC | REQ_IDLE | (cmd->se_cmd_flags & SCF_FUA ? REQ_FUA : 0) |
	       (backstore_is_atomic(cmd) ? REQ_ATOMIC : 0);
}

/* Two bios are not written at once: the initiator's memory is in too many pieces. */
static sense_reason_t iblock_refuse_split(struct bio *bio)
{
	bio->bi_status = BLK_STS_TARGET;
	bio_endio(bio);
	return 0;
}

/*
 * Each bio is submitted before the next is taken, so that the reserve serves
 * everybody; @pending is raised first, so that the last one to end is known.
 */
static sense_reason_t iblock_execute_rw(struct se_cmd *cmd, struct scatterlist *sg, u32 nents,
					enum dma_data_direction direction)
{
	struct iblock_dev *dev = to_iblock_dev(cmd->se_dev);
	blk_opf_t opf = iblock_opf(cmd, direction == DMA_TO_DEVICE);
	sector_t sector = target_to_linux_sector(cmd->se_dev, cmd->t_task_lba);
	struct iblock_prot prot = { cmd->prot_type && cmd->se_dev->dev_attrib.pi_prot_type ? cmd->t_prot_sg : NULL };
	u32 left = cmd->data_length, part;
	struct iblock_io *io;
	struct bio *bio;

	if (!left) {
		backstore_complete(cmd, 0);
		return 0;
	}
	if (direction == DMA_TO_DEVICE && iblock_is_read_only(dev))
		return TCM_WRITE_PROTECTED;
	/* An initiator may have room for less than a block. */
	if (left & (bdev_logical_block_size(dev->bdev) - 1))
		return TCM_INVALID_CDB_FIELD;
	bio = iblock_bio(cmd, NULL, sector, bio_max_segs(nents), opf);
	io = bio->bi_private;
	for (; left && sg; sg = sg_next(sg), nents--) {
		part = min(left, sg->length);
		if (bio_add_page(bio, sg_page(sg), part, sg->offset) != part) {
			if (unlikely(opf & REQ_ATOMIC))
				return iblock_refuse_split(bio);
			atomic_inc(&io->pending);
			sector = bio_end_sector(bio);
			iblock_submit(bio, &prot);
			bio = iblock_bio(cmd, io, sector, bio_max_segs(nents), opf);
			__bio_add_page(bio, sg_page(sg), part, sg->offset);
		}
		left -= part;
	}
	if (unlikely(left))
		bio_io_error(bio);
	else
		iblock_submit(bio, &prot);
	return 0;
}

/*
 * Other commands
 */

/* In the workqueue: the answer to IMMED comes before the flush. */
static sense_reason_t iblock_flush_immed(struct iblock_dev *dev, struct se_cmd *cmd)
{
	int err;

	target_complete_cmd(cmd, SAM_STAT_GOOD);
	err = blkdev_issue_flush(dev->bdev);
	if (err)
		pr_err_ratelimited("%s: flush failed: %d\n", dev->path, err);
	return 0;
}

static sense_reason_t iblock_execute_sync_cache(struct se_cmd *cmd)
{
	if (backstore_sync_immed(cmd))
		return iblock_flush_immed(to_iblock_dev(cmd->se_dev), cmd);
	submit_bio(iblock_bio(cmd, NULL, 0, 0, REQ_OP_WRITE | REQ_PREFLUSH));
	return 0;
}

static sector_t iblock_in_sectors(const struct se_device *se_dev, sector_t blocks)
{
	return blocks * (se_dev->dev_attrib.block_size >> SECTOR_SHIFT);
}

static sense_reason_t iblock_execute_unmap(struct se_cmd *cmd, sector_t lba, sector_t blocks)
{
	struct se_device *se_dev = cmd->se_dev;
	struct iblock_dev *dev = to_iblock_dev(se_dev);
	sector_t sector = target_to_linux_sector(se_dev, lba);
	sector_t sectors = iblock_in_sectors(se_dev, blocks);
	int err;

	if (iblock_is_read_only(dev))
		return TCM_WRITE_PROTECTED;
	if (!sectors)
		return 0;
	/* What is discarded may come back; initiators may have been told that it does not. */
	if (se_dev->dev_attrib.unmap_zeroes_data)
		err = blkdev_issue_zeroout(dev->bdev, sector, sectors, GFP_NOIO, 0);
	else
		err = blkdev_issue_discard(dev->bdev, sector, sectors, GFP_NOIO);
	if (!err)
		return 0;
	pr_err_ratelimited("%s: unmapping failed: %d\n", dev->path, err);
	return err == -EOPNOTSUPP ? TCM_UNSUPPORTED_SCSI_OPCODE : TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE;
}

/* @page, full of copies of a block, to all of @sectors. */
static int iblock_repeat(struct iblock_dev *dev, struct page *page, u32 filled, sector_t sector,
			 sector_t sectors, blk_opf_t opf)
{
	struct bio *bio;
	u32 part;
	int err = 0;

	while (sectors && !err) {
		bio = bio_alloc_bioset(dev->bdev, BIO_MAX_VECS, opf, GFP_NOIO, &dev->bios);
		bio->bi_iter.bi_sector = sector;
		while (sectors) {
			part = min_t(sector_t, filled, sectors << SECTOR_SHIFT);
			if (bio->bi_vcnt == BIO_MAX_VECS || bio_add_page(bio, page, part, 0) != part)
				break;
			sectors -= part >> SECTOR_SHIFT;
		}
		sector = bio_end_sector(bio);
		err = submit_bio_wait(bio);
		bio_put(bio);
		cond_resched();
	}
	return err;
}

static int iblock_write_same(struct iblock_dev *dev, struct se_cmd *cmd, struct page *page)
{
	sector_t sector = target_to_linux_sector(cmd->se_dev, cmd->t_task_lba);
	sector_t sectors = iblock_in_sectors(cmd->se_dev, sbc_get_write_same_sectors(cmd));
	int filled = backstore_fill_same(cmd, page);

	if (filled < 0)
		return filled;
	if (!filled)
		return blkdev_issue_zeroout(dev->bdev, sector, sectors, GFP_NOIO, BLKDEV_ZERO_NOUNMAP);
	return iblock_repeat(dev, page, filled, sector, sectors, iblock_opf(cmd, true));
}

static sense_reason_t iblock_execute_write_same(struct se_cmd *cmd)
{
	struct iblock_dev *dev = to_iblock_dev(cmd->se_dev);
	struct page *page;
	int err;

	if (iblock_is_read_only(dev))
		return TCM_WRITE_PROTECTED;
	/* Every block would need a reference tag of its own. */
	if (cmd->prot_op)
		return TCM_INVALID_CDB_FIELD;
	if (cmd->se_dev->dev_attrib.block_size > PAGE_SIZE)
		return TCM_INVALID_CDB_FIELD;
	page = alloc_page(GFP_NOIO | __GFP_ZERO);
	if (!page)
		return TCM_LUN_BUSY;
	err = iblock_write_same(dev, cmd, page);
	__free_page(page);
	backstore_complete(cmd, err && iblock_is_gone(dev) ? -ENODEV : err);
	return 0;
}

#if COMPAT_HAS_EXECUTE_PR
/*
 * Persistent reservations of the device itself, for pgr_support=0: the core
 * parses, we translate. The core ends commands that were done (SPC-5 6.16, 6.17).
 */

enum { IBLOCK_PRI_KEYS, IBLOCK_PRI_RESERVATION, IBLOCK_PRI_CAPABILITIES };

enum {
	IBLOCK_PRO_REGISTER,
	IBLOCK_PRO_RESERVE,
	IBLOCK_PRO_RELEASE,
	IBLOCK_PRO_CLEAR,
	IBLOCK_PRO_PREEMPT,
	IBLOCK_PRO_PREEMPT_AND_ABORT,
	IBLOCK_PRO_REGISTER_AND_IGNORE,
};

#define IBLOCK_PR_HEADER	8	/* generation and additional length */
#define IBLOCK_PR_RESERVATION	16	/* descriptor of READ RESERVATION */
#define IBLOCK_PR_CAPABILITIES	8

static sense_reason_t iblock_pr_reason(int ret)
{
	if (!ret)
		return TCM_NO_SENSE;
	if (ret == PR_STS_RESERVATION_CONFLICT)
		return TCM_RESERVATION_CONFLICT;
	return ret == -EOPNOTSUPP ? TCM_UNSUPPORTED_SCSI_OPCODE : TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE;
}

/* An operation that the device's driver lacks. */
#define IBLOCK_PR_CALL(_ops, _op, ...)	((_ops)->_op ? (_ops)->_op(__VA_ARGS__) : -EOPNOTSUPP)

static int iblock_pr_out(struct block_device *bdev, const struct pr_ops *ops, u8 sa, u64 key,
			 u64 sa_key, enum pr_type type)
{
	switch (sa) {
	case IBLOCK_PRO_REGISTER:
		return IBLOCK_PR_CALL(ops, pr_register, bdev, key, sa_key, 0);
	case IBLOCK_PRO_REGISTER_AND_IGNORE:
		return IBLOCK_PR_CALL(ops, pr_register, bdev, key, sa_key, PR_FL_IGNORE_KEY);
	case IBLOCK_PRO_RESERVE:
		return IBLOCK_PR_CALL(ops, pr_reserve, bdev, key, type, 0);
	case IBLOCK_PRO_RELEASE:
		return IBLOCK_PR_CALL(ops, pr_release, bdev, key, type);
	case IBLOCK_PRO_CLEAR:
		return IBLOCK_PR_CALL(ops, pr_clear, bdev, key);
	case IBLOCK_PRO_PREEMPT:
		return IBLOCK_PR_CALL(ops, pr_preempt, bdev, key, sa_key, type, false);
	case IBLOCK_PRO_PREEMPT_AND_ABORT:
		return IBLOCK_PR_CALL(ops, pr_preempt, bdev, key, sa_key, type, true);
	default:
		return -EOPNOTSUPP;
	}
}

/* @aptpl: the block layer's reservations persist as the device has them do. */
static sense_reason_t iblock_execute_pr_out(struct se_cmd *cmd, u8 sa, u64 key, u64 sa_key, u8 type,
					    bool aptpl)
{
	struct block_device *bdev = to_iblock_dev(cmd->se_dev)->bdev;
	const struct pr_ops *ops = bdev->bd_disk->fops->pr_ops;

	if (!ops)
		return TCM_UNSUPPORTED_SCSI_OPCODE;
	return iblock_pr_reason(iblock_pr_out(bdev, ops, sa, key, sa_key, scsi_pr_type_to_block(type)));
}

/* What an initiator has room for; the additional length tells of all. */
static int iblock_pr_in_keys(struct block_device *bdev, const struct pr_ops *ops, u8 *out, u32 len)
{
	u32 i, room = (len - IBLOCK_PR_HEADER) / sizeof(u64);
	struct pr_keys *keys = kzalloc(struct_size(keys, keys, room), GFP_NOIO);
	int ret;

	if (!keys)
		return -ENOMEM;
	keys->num_keys = room;
	ret = IBLOCK_PR_CALL(ops, pr_read_keys, bdev, keys);
	if (!ret) {
		put_unaligned_be32(keys->generation, out);
		put_unaligned_be32(keys->num_keys * sizeof(u64), out + 4);
		for (i = 0; i < min(room, keys->num_keys); i++)
			put_unaligned_be64(keys->keys[i], out + IBLOCK_PR_HEADER + i * sizeof(u64));
	}
	kfree(keys);
	return ret;
}

static int iblock_pr_in_reservation(struct block_device *bdev, const struct pr_ops *ops, u8 *out,
				    u32 len)
{
	u8 answer[IBLOCK_PR_HEADER + IBLOCK_PR_RESERVATION] = {};
	struct pr_held_reservation held = {};
	int ret = IBLOCK_PR_CALL(ops, pr_read_reservation, bdev, &held);

	if (ret)
		return ret;
	put_unaligned_be32(held.generation, answer);
	if (held.key) {
		put_unaligned_be32(IBLOCK_PR_RESERVATION, answer + 4);
		put_unaligned_be64(held.key, answer + IBLOCK_PR_HEADER);
		answer[IBLOCK_PR_HEADER + 13] = block_pr_type_to_scsi(held.type);
	}
	memcpy(out, answer, min_t(u32, len, sizeof(answer)));
	return 0;
}

/* Types that exist: all six (SPC-5 table 206); TMV tells that the mask is valid. */
static int iblock_pr_in_capabilities(u8 *out)
{
	static const u8 answer[IBLOCK_PR_CAPABILITIES] = { 0, IBLOCK_PR_CAPABILITIES, 0, 0x80, 0xea, 0x01 };

	memcpy(out, answer, sizeof(answer));
	return 0;
}

static sense_reason_t iblock_execute_pr_in(struct se_cmd *cmd, u8 sa, unsigned char *out)
{
	struct block_device *bdev = to_iblock_dev(cmd->se_dev)->bdev;
	const struct pr_ops *ops = bdev->bd_disk->fops->pr_ops;

	if (!ops)
		return TCM_UNSUPPORTED_SCSI_OPCODE;
	if (cmd->data_length < IBLOCK_PR_HEADER)
		return TCM_INVALID_CDB_FIELD;
	memset(out, 0, cmd->data_length);
	switch (sa) {
	case IBLOCK_PRI_KEYS:
		return iblock_pr_reason(iblock_pr_in_keys(bdev, ops, out, cmd->data_length));
	case IBLOCK_PRI_RESERVATION:
		return iblock_pr_reason(iblock_pr_in_reservation(bdev, ops, out, cmd->data_length));
	case IBLOCK_PRI_CAPABILITIES:
		return iblock_pr_reason(iblock_pr_in_capabilities(out));
	default:
		return TCM_UNSUPPORTED_SCSI_OPCODE;
	}
}
#endif

static struct exec_cmd_ops iblock_exec_ops = {
	.execute_rw		= iblock_execute_rw,
	.execute_sync_cache	= iblock_execute_sync_cache,
	.execute_write_same	= iblock_execute_write_same,
	.execute_unmap		= iblock_execute_unmap,
#if COMPAT_HAS_EXECUTE_PR
	.execute_pr_out		= iblock_execute_pr_out,
	.execute_pr_in		= iblock_execute_pr_in,
#endif
};

static sense_reason_t iblock_defer(struct se_cmd *cmd)
{
	return backstore_defer(cmd, to_iblock_dev(cmd->se_dev)->wq);
}

/* What is done here and at once; for all else there is the workqueue. */
static bool iblock_never_waits(const struct se_cmd *cmd)
{
	switch (cmd->t_task_cdb[0]) {
	case READ_6:
	case READ_10:
	case READ_12:
	case READ_16:
	case WRITE_6:
	case WRITE_10:
	case WRITE_12:
	case WRITE_16:
	case WRITE_ATOMIC_16:
	case TEST_UNIT_READY:
	case INQUIRY:
	case REQUEST_SENSE:
	case REPORT_LUNS:
		return true;
	case SYNCHRONIZE_CACHE:
	case SYNCHRONIZE_CACHE_16:
		return !backstore_sync_immed(cmd);
	default:
		return false;
	}
}

static sense_reason_t iblock_parse_cdb(struct se_cmd *cmd)
{
	sense_reason_t reason = sbc_parse_cdb(cmd, &iblock_exec_ops);

	if (reason)
		return reason;
	if (unlikely(iblock_is_gone(to_iblock_dev(cmd->se_dev))))
		backstore_refuse_gone(cmd);
	else if (!iblock_never_waits(cmd))
		backstore_wait_elsewhere(cmd, iblock_defer);
	return 0;
}

static struct se_dev_plug *iblock_plug_device(struct se_device *se_dev)
{
	struct iblock_plug *plug = &to_iblock_dev(se_dev)->plugs[raw_smp_processor_id()];

	/* Another batch of this CPU was put to sleep. */
	if (test_and_set_bit(0, &plug->flags))
		return NULL;
	blk_start_plug(&plug->blk_plug);
	return &plug->se_plug;
}

static void iblock_unplug_device(struct se_dev_plug *se_plug)
{
	struct iblock_plug *plug = container_of(se_plug, struct iblock_plug, se_plug);

	blk_finish_plug(&plug->blk_plug);
	clear_bit_unlock(0, &plug->flags);
}

/*
 * Life of a device
 */

static int iblock_attach_hba(struct se_hba *hba, u32 host_id)
{
	return 0;
}

static void iblock_detach_hba(struct se_hba *hba)
{
}

static struct se_device *iblock_alloc_device(struct se_hba *hba, const char *name)
{
	struct iblock_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	dev->plugs = kcalloc(nr_cpu_ids, sizeof(*dev->plugs), GFP_KERNEL);
	if (!dev->plugs) {
		kfree(dev);
		return NULL;
	}
	mutex_init(&dev->lock);
	return &dev->se_dev;
}

static void iblock_free_rcu(struct rcu_head *rcu)
{
	struct iblock_dev *dev = to_iblock_dev(container_of(rcu, struct se_device, rcu_head));

	kfree(dev->plugs);
	kfree(dev);
}

static void iblock_free_device(struct se_device *se_dev)
{
	call_rcu(&se_dev->rcu_head, iblock_free_rcu);
}

static struct file *iblock_open(struct iblock_dev *dev)
{
	blk_mode_t mode = BLK_OPEN_READ | (dev->readonly ? 0 : BLK_OPEN_WRITE);
	struct file *file = bdev_file_open_by_path(dev->path, mode, dev, NULL);
	long err = PTR_ERR_OR_ZERO(file);

	if (err == -EBUSY)
		pr_err("%s: cannot be claimed, it is in use\n", dev->path);
	else if ((err == -EACCES || err == -EROFS) && !dev->readonly)
		pr_err("%s: cannot be opened for writing, it is read-only (readonly=1 is missing): %ld\n",
		       dev->path, err);
	else if (err)
		pr_err("%s: cannot be opened: %ld\n", dev->path, err);
	return file;
}

static void iblock_set_limits(struct se_device *se_dev, struct block_device *bdev)
{
	struct se_dev_attrib *attrib = &se_dev->dev_attrib;
	struct request_queue *q = bdev_get_queue(bdev);
	unsigned int sectors_a_block = bdev_logical_block_size(bdev) >> SECTOR_SHIFT;
	unsigned int zeroes = bdev_write_zeroes_sectors(bdev);

	attrib->hw_block_size = bdev_logical_block_size(bdev);
	attrib->hw_max_sectors = queue_max_hw_sectors(q) / sectors_a_block;
	attrib->hw_queue_depth = q->nr_requests;
	attrib->max_write_same_len = zeroes ? zeroes / sectors_a_block : IBLOCK_MAX_SAME;
	attrib->is_nonrot = bdev_nonrot(bdev);
	attrib->hw_pi_prot_type = compat_bdev_prot_type(bdev);
	attrib->pi_prot_type = attrib->hw_pi_prot_type;
	/* The limits of unmapping are in blocks of block_size, which the core sets later from this. */
	attrib->block_size = attrib->hw_block_size;
	target_configure_unmap_from_queue(attrib, bdev);
}

static int iblock_make_pools(struct iblock_dev *dev)
{
	int err = bioset_init(&dev->bios, IBLOCK_BIOS, offsetof(struct iblock_io, bio),
			      BIOSET_NEED_BVECS | BIOSET_NEED_RESCUER);

	if (err)
		return err;
	if (dev->se_dev.dev_attrib.hw_pi_prot_type)
		err = bioset_integrity_create(&dev->bios, IBLOCK_BIOS);
	if (err)
		goto exit_bios;
	dev->wq = alloc_workqueue("iblock_%s", WQ_MEM_RECLAIM | WQ_UNBOUND, 0,
				  config_item_name(&dev->se_dev.dev_group.cg_item));
	if (dev->wq)
		return 0;
	err = -ENOMEM;
exit_bios:
	bioset_exit(&dev->bios);
	return err;
}

static int iblock_set_up(struct iblock_dev *dev, struct file *file)
{
	struct block_device *bdev = file_bdev(file);
	int err;

	if (bdev_is_zoned(bdev)) {
		pr_err("%s: zoned block devices are not for target_core_iblock: use target_core_pscsi or a zbc handler of tcmu-runner\n",
		       dev->path);
		return -EOPNOTSUPP;
	}
	iblock_set_limits(&dev->se_dev, bdev);
	err = iblock_make_pools(dev);
	if (err)
		return err;
	if (dev->readonly || bdev_read_only(bdev))
		dev->se_dev.dev_flags |= DF_READ_ONLY;
	dev->file = file;
	dev->bdev = bdev;
	dev->bytes = bdev_nr_bytes(bdev);
	dev->se_dev.dev_flags |= DF_BACKSTORE_OPS;
	return 0;
}

static int iblock_configure_device(struct se_device *se_dev)
{
	struct iblock_dev *dev = to_iblock_dev(se_dev);
	struct file *file;
	int err;

	guard(mutex)(&dev->lock);
	if (!dev->path[0]) {
		pr_err("udev_path= is missing\n");
		return -EINVAL;
	}
	file = iblock_open(dev);
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = iblock_set_up(dev, file);
	if (err)
		bdev_fput(file);
	return err;
}

/* No LUN has it any more; a flush whose answer came before its work may be left. */
static void iblock_destroy_device(struct se_device *se_dev)
{
	struct iblock_dev *dev = to_iblock_dev(se_dev);

	destroy_workqueue(dev->wq);
	dev->bdev = NULL;
	bdev_fput(dev->file);
	dev->file = NULL;
	bioset_exit(&dev->bios);
}

/*
 * Configuration
 */

enum iblock_param { IBLOCK_PATH, IBLOCK_READONLY, IBLOCK_FORCE, IBLOCK_OTHER };

static const match_table_t iblock_params = {
	{ IBLOCK_PATH, "udev_path=%s" },
	{ IBLOCK_READONLY, "readonly=%d" },
	{ IBLOCK_FORCE, "force=%d" },
	{ IBLOCK_OTHER, NULL }
};

static int iblock_set_path(struct iblock_dev *dev, const substring_t *arg)
{
	if (arg->to - arg->from >= sizeof(dev->path)) {
		pr_err("udev_path is longer than %zu bytes\n", sizeof(dev->path) - 1);
		return -EINVAL;
	}
	match_strlcpy(dev->path, arg, sizeof(dev->path));
	return 0;
}

static int iblock_set_readonly(struct iblock_dev *dev, substring_t *arg)
{
	int value, err = match_int(arg, &value);

	if (err)
		return err;
	if (value < 0) {
		pr_err("readonly must be 0 or 1, not %d\n", value);
		return -EINVAL;
	}
	dev->readonly = value;
	return 0;
}

static int iblock_set_param(struct se_device *se_dev, char *text)
{
	struct iblock_dev *dev = to_iblock_dev(se_dev);
	substring_t args[MAX_OPT_ARGS];
	int param = match_token(text, iblock_params, args);

	if (dev->file && (param == IBLOCK_PATH || param == IBLOCK_READONLY)) {
		pr_err("%s: %s cannot change once the device is enabled\n", dev->path,
		       param == IBLOCK_PATH ? "udev_path" : "readonly");
		return -EEXIST;
	}
	switch (param) {
	case IBLOCK_PATH:
		return iblock_set_path(dev, &args[0]);
	case IBLOCK_READONLY:
		return iblock_set_readonly(dev, &args[0]);
	default:
		/* force never had a meaning; the rest is another version's */
		return 0;
	}
}

static ssize_t iblock_set_params(struct se_device *se_dev, const char *page, ssize_t count)
{
	return backstore_set_params(se_dev, &to_iblock_dev(se_dev)->lock, page, count, iblock_set_param);
}

static ssize_t iblock_show_params(struct se_device *se_dev, char *page)
{
	struct iblock_dev *dev = to_iblock_dev(se_dev);
	ssize_t len = 0;

	guard(mutex)(&dev->lock);
	if (dev->bdev)
		len += sprintf(page + len, "iBlock device: %pg", dev->bdev);
	if (dev->path[0])
		len += sprintf(page + len, "  UDEV PATH: %s", dev->path);
	len += sprintf(page + len, "  readonly: %d\n        ", dev->readonly);
	if (!dev->bdev)
		return len + sprintf(page + len, "Major: 0 Minor: 0\n");
	return len + sprintf(page + len, "Major: %d Minor: %d  CLAIMED: IBLOCK\n",
			     MAJOR(dev->bdev->bd_dev), MINOR(dev->bdev->bd_dev));
}

/* The core asks when emulate_tpu, emulate_tpws or unmap_zeroes_data is set. */
static bool iblock_configure_unmap(struct se_device *se_dev)
{
	struct iblock_dev *dev = to_iblock_dev(se_dev);

	return dev->bdev && target_configure_unmap_from_queue(&se_dev->dev_attrib, dev->bdev);
}

/*
 * What only our core asks
 */

/* Gone for good, says the device; what is read then is not told, which is no use with tags to check. */
static int iblock_erase(struct se_device *se_dev, u64 lba, u64 blocks)
{
	struct iblock_dev *dev = to_iblock_dev(se_dev);
	int err;

	if (!bdev_max_secure_erase_sectors(dev->bdev) || se_dev->dev_attrib.hw_pi_prot_type)
		return -EOPNOTSUPP;
	if (!blocks)
		return 0;
	err = iblock_is_read_only(dev) ? -EROFS :
	      blkdev_issue_secure_erase(dev->bdev, target_to_linux_sector(se_dev, lba),
					iblock_in_sectors(se_dev, blocks), GFP_NOIO);
	if (err)
		pr_err_ratelimited("%s: secure erase failed: %d\n", dev->path, err);
	return err;
}

/*
 * A write that crosses no boundary of the device is not torn: those that begin at
 * a multiple of the longest do not.
 */
static void iblock_atomic(struct se_device *se_dev, struct backstore_atomic *limits)
{
	u32 min, max, boundary;

	if (!compat_bdev_atomic(to_iblock_dev(se_dev)->bdev, &min, &max, &boundary))
		return;
	limits->max = iblock_in_blocks(se_dev, min_not_zero(max, boundary));
	limits->granularity = iblock_in_blocks(se_dev, min);
	limits->alignment = boundary ? limits->max : limits->granularity;
}

static const struct backstore_ops iblock_ops = {
	.ops = {
		.name				= "iblock",
		.inquiry_prod			= "IBLOCK",
		.inquiry_rev			= IBLOCK_VERSION,
		.owner				= THIS_MODULE,
		.transport_flags_changeable	= COMPAT_HAS_EXECUTE_PR ? TRANSPORT_FLAG_PASSTHROUGH_PGR : 0,
		.attach_hba			= iblock_attach_hba,
		.detach_hba			= iblock_detach_hba,
		.alloc_device			= iblock_alloc_device,
		.configure_device		= iblock_configure_device,
		.destroy_device			= iblock_destroy_device,
		.free_device			= iblock_free_device,
		.plug_device			= iblock_plug_device,
		.unplug_device			= iblock_unplug_device,
		.configure_unmap		= iblock_configure_unmap,
		.parse_cdb			= iblock_parse_cdb,
		.set_configfs_dev_params	= iblock_set_params,
		.show_configfs_dev_params	= iblock_show_params,
		.get_device_type		= sbc_get_device_type,
		.get_blocks			= iblock_get_blocks,
		.get_alignment_offset_lbas	= iblock_get_alignment_offset_lbas,
		.get_lbppbe			= iblock_get_lbppbe,
		.get_io_min			= iblock_get_io_min,
		.get_io_opt			= iblock_get_io_opt,
		.get_write_cache		= iblock_get_write_cache,
		.tb_dev_attrib_attrs		= sbc_attrib_attrs,
	},
	.version	= BACKSTORE_OPS_VERSION,
	.erase		= iblock_erase,
	.atomic		= iblock_atomic,
};

static int __init iblock_init(void)
{
	return transport_backend_register(&iblock_ops.ops);
}

static void __exit iblock_exit(void)
{
	target_backend_unregister(&iblock_ops.ops);
	/* Devices are freed by RCU callbacks in this module. */
	rcu_barrier();
}

MODULE_DESCRIPTION("LIO backstore on block devices");
MODULE_AUTHOR("The LIO target module set project");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");

module_init(iblock_init);
module_exit(iblock_exit);
