// SPDX-License-Identifier: GPL-2.0
/*
 * target_core_file: LUNs in a file, or in a block device through its page cache.
 *
 * Everything may wait here, so every command is executed in a workqueue of the
 * device: one whose file hangs does not keep the workers of others. The workers
 * have init's root and credentials; the file is opened by whoever enables.
 *
 * Three modes: by default a write is on the medium when it is acknowledged; with
 * fd_buffered_io there is a volatile cache, the page cache, told as such; with
 * fd_async_io file and memory are joined without page cache where both allow it.
 */
#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/parser.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uio.h>

#include "backstore.h"
#include "backstore_ops.h"
#include "compat/block.h"
#include "file_io.h"

#define FD_VERSION		"4.0"
#define FD_PATH_LEN		512
#define FD_BLOCK_SIZE		512
#define FD_QUEUE_DEPTH		128
#define FD_MAX_BYTES		(8 << 20)	/* of one command */
#define FD_MAX_UNMAP_BLOCKS	0x2000
#define FD_MAX_SAME_BLOCKS	0x1000
#define FD_MAX_SAME_BDEV	0xffff
#define FD_PROT_LEN		8		/* protection information of a block */
#define FD_PROT_SUFFIX		".protection"

/* What initiators see in the field of its bytes when nothing is to be checked (SBC-4 4.21.2). */
#define FD_PROT_ESCAPE		0xff

struct fd_hba {
	u32 host_id;
	u32 next_id;
};

/**
 * struct fd_dev - a device
 * @se_dev:	the core's part
 * @lock:	held to change or show what control sets
 * @id:		its number in its HBA
 * @path:	of the file, as control was told
 * @size:	in bytes, as control was told; a block device knows itself
 * @bdev_bytes:	a block device's size when it was last seen alive
 * @buffered:	writes need not be on the medium
 * @async:	no page cache
 * @is_bdev:	@file is a block device, which is claimed
 * @failures:	flushes that failed: what others wrote before may be lost, too
 * @told:	of those, how many a SYNCHRONIZE CACHE has told of
 * @file:	set while the device is configured
 * @prot:	protection information of @file, eight bytes a block
 * @wq:		where commands are executed
 */
struct fd_dev {
	struct se_device se_dev;
	struct mutex lock;
	u32 id;
	char path[FD_PATH_LEN];
	u64 size, bdev_bytes;
	bool buffered, async, is_bdev;
	atomic_t failures;
	int told;
	struct file *file, *prot;
	struct workqueue_struct *wq;
};

static struct fd_dev *to_fd_dev(struct se_device *se_dev)
{
	return container_of(se_dev, struct fd_dev, se_dev);
}

static u32 fd_block_size(const struct fd_dev *dev)
{
	return dev->se_dev.dev_attrib.block_size;
}

static loff_t fd_lba_to_pos(const struct fd_dev *dev, u64 lba)
{
	return (loff_t)lba * fd_block_size(dev);
}

static bool fd_is_gone(const struct fd_dev *dev)
{
	return dev->is_bdev && backstore_bdev_is_gone(file_bdev(dev->file));
}

/* A device that is gone has no size: its commands are to fail for the right reason. */
static u64 fd_bytes(struct fd_dev *dev)
{
	if (!dev->is_bdev)
		return READ_ONCE(dev->size);
	if (!fd_is_gone(dev))
		WRITE_ONCE(dev->bdev_bytes, file_bytes(dev->file));
	return READ_ONCE(dev->bdev_bytes);
}

static u64 fd_blocks(struct fd_dev *dev)
{
	return div_u64(fd_bytes(dev), fd_block_size(dev));
}

/* The core wants the last LBA. */
static sector_t fd_get_blocks(struct se_device *se_dev)
{
	u64 blocks = fd_blocks(to_fd_dev(se_dev));

	return blocks ? blocks - 1 : 0;
}

/*
 * Caches
 */

/* What was written is on the medium. @len 0: everything. */
static int fd_flush(struct fd_dev *dev, loff_t pos, u64 len)
{
	return vfs_fsync_range(dev->file, pos, len ? pos + len - 1 : LLONG_MAX, 1);
}

/* Without a cache each write has its own answer. */
static void fd_flush_failed(struct fd_dev *dev)
{
	if (dev->buffered)
		atomic_inc(&dev->failures);
}

/* Nobody is to read from memory what the medium may not have. What is dirty again stays. */
static void fd_forget_pages(struct fd_dev *dev, loff_t pos, u64 len)
{
	if (len)
		invalidate_inode_pages2_range(dev->file->f_mapping, pos >> PAGE_SHIFT,
					      (pos + len - 1) >> PAGE_SHIFT);
}

/* After a write of its own: does it have to be on the medium? */
static int fd_flush_written(struct fd_dev *dev, loff_t pos, u64 len, bool fua)
{
	int err;

	if (dev->buffered && !fua)
		return 0;
	err = fd_flush(dev, pos, len);
	if (err) {
		fd_flush_failed(dev);
		fd_forget_pages(dev, pos, len);
	}
	return err;
}

/*
 * READ and WRITE
 */

static int fd_rw_sync(struct fd_dev *dev, struct se_cmd *cmd, struct scatterlist *sg, bool write)
{
	loff_t pos = fd_lba_to_pos(dev, cmd->t_task_lba);
	int err = file_move_sg(dev->file, sg, cmd->data_length, pos, write);

	if (!err && write)
		err = fd_flush_written(dev, pos, cmd->data_length, cmd->se_cmd_flags & SCF_FUA);
	return err;
}

/**
 * struct fd_io - a transfer without page cache
 * @iocb:	the VFS's part, with a reference to the file
 * @refs:	the transfer's and the starting call's, which looks at @iocb when that is over
 * @cmd:	the command
 * @sg:		where its data is
 * @nents:	entries of @sg
 * @vecs:	@sg once more
 */
struct fd_io {
	struct kiocb iocb;
	refcount_t refs;
	struct se_cmd *cmd;
	struct scatterlist *sg;
	u32 nents;
	struct bio_vec vecs[];
};

static void fd_io_put(struct fd_io *io)
{
	if (!refcount_dec_and_test(&io->refs))
		return;
	fput(io->iocb.ki_filp);
	kfree(io);
}

static void fd_io_end_write(struct fd_io *io)
{
	if ((io->iocb.ki_flags & IOCB_WRITE) && S_ISREG(file_inode(io->iocb.ki_filp)->i_mode))
		kiocb_end_write(&io->iocb);
}

static int fd_io_result(struct fd_io *io, loff_t pos, long ret)
{
	u32 len = io->cmd->data_length;

	if (ret < 0)
		return ret;
	if (ret >= len)
		return 0;
	if ((io->iocb.ki_flags & IOCB_WRITE) || pos + ret < file_bytes(io->iocb.ki_filp))
		return -EIO;
	sg_zero_buffer(io->sg, io->nents, len - ret, ret);
	return 0;
}

static void fd_io_done(struct kiocb *iocb, long ret)
{
	struct fd_io *io = container_of(iocb, struct fd_io, iocb);
	struct se_cmd *cmd = io->cmd;
	int err = fd_io_result(io, fd_lba_to_pos(to_fd_dev(cmd->se_dev), cmd->t_task_lba), ret);

	if (err && (iocb->ki_flags & IOCB_DSYNC))
		fd_flush_failed(to_fd_dev(cmd->se_dev));
	fd_io_end_write(io);
	fd_io_put(io);
	backstore_complete(cmd, err);
}

static struct fd_io *fd_io_alloc(struct fd_dev *dev, struct se_cmd *cmd, struct scatterlist *sg,
				 u32 nents, bool write)
{
	struct fd_io *io = kmalloc(struct_size(io, vecs, nents), GFP_NOIO | __GFP_NOWARN);

	if (!io)
		return NULL;
	io->cmd = cmd;
	io->sg = sg;
	io->nents = nents;
	refcount_set(&io->refs, 2);
	init_sync_kiocb(&io->iocb, get_file(dev->file));
	io->iocb.ki_pos = fd_lba_to_pos(dev, cmd->t_task_lba);
	io->iocb.ki_complete = fd_io_done;
	io->iocb.ki_flags |= IOCB_DIRECT;
	if (write)
		io->iocb.ki_flags |= IOCB_WRITE;
	if (write && (!dev->buffered || cmd->se_cmd_flags & SCF_FUA))
		io->iocb.ki_flags |= IOCB_DSYNC;
	return io;
}

/*
 * Without page cache and without waiting for the end. False: this cannot be done
 * that way, for lack of memory or of alignment, or by the file system at all.
 */
static bool fd_rw_async(struct fd_dev *dev, struct se_cmd *cmd, struct scatterlist *sg, u32 nents,
			bool write)
{
	struct iov_iter iter;
	size_t len = cmd->data_length;
	struct fd_io *io;
	ssize_t ret;
	u32 nr;

	io = dev->file->f_mode & FMODE_CAN_ODIRECT ? fd_io_alloc(dev, cmd, sg, nents, write) : NULL;
	if (!io)
		return false;
	file_take_vecs(sg, io->vecs, nents, &nr, &len);
	iov_iter_bvec(&iter, write ? ITER_SOURCE : ITER_DEST, io->vecs, nr, len);
	if (write && !dev->is_bdev)
		kiocb_start_write(&io->iocb);
	ret = file_call(&io->iocb, &iter, write);
	if (ret == -EINVAL || ret == -EOPNOTSUPP) {
		fd_io_end_write(io);
		fd_io_put(io);
		fd_io_put(io);
		return false;
	}
	if (ret != -EIOCBQUEUED)
		fd_io_done(&io->iocb, ret);
	fd_io_put(io);
	return true;
}

/* Protection information is checked on its way in and out if pi_prot_verify says so. */
static sense_reason_t fd_verify_prot(struct se_cmd *cmd, u32 blocks)
{
	if (!cmd->se_dev->dev_attrib.pi_prot_verify)
		return 0;
	return sbc_dif_verify(cmd, cmd->t_task_lba, blocks, 0, cmd->t_prot_sg, 0);
}

static sense_reason_t fd_rw_protected(struct fd_dev *dev, struct se_cmd *cmd, struct scatterlist *sg,
				      bool write)
{
	u32 blocks = cmd->data_length / fd_block_size(dev);
	sense_reason_t reason;
	int err;

	if (write) {
		reason = fd_verify_prot(cmd, blocks);
		if (reason)
			return reason;
	}
	err = fd_rw_sync(dev, cmd, sg, write);
	if (!err)
		err = file_move_sg(dev->prot, cmd->t_prot_sg, (size_t)blocks * FD_PROT_LEN,
				 (loff_t)cmd->t_task_lba * FD_PROT_LEN, write);
	if (!err && write)
		err = vfs_fsync_range(dev->prot, (loff_t)cmd->t_task_lba * FD_PROT_LEN,
				      (loff_t)(cmd->t_task_lba + blocks) * FD_PROT_LEN - 1, 1);
	if (!err && !write) {
		reason = fd_verify_prot(cmd, blocks);
		if (reason)
			return reason;
	}
	backstore_complete(cmd, err);
	return 0;
}

static sense_reason_t fd_execute_rw(struct se_cmd *cmd, struct scatterlist *sgl, u32 nents,
				    enum dma_data_direction direction)
{
	struct fd_dev *dev = to_fd_dev(cmd->se_dev);
	bool write = direction == DMA_TO_DEVICE;

	if (dev->prot && cmd->prot_type && cmd->t_prot_sg)
		return fd_rw_protected(dev, cmd, sgl, write);
	if (dev->async && fd_rw_async(dev, cmd, sgl, nents, write))
		return 0;
	backstore_complete(cmd, fd_rw_sync(dev, cmd, sgl, write));
	return 0;
}

/*
 * Other commands
 */

/*
 * The VFS tells an error once for an open file, but every SYNCHRONIZE CACHE that
 * runs meanwhile is about the same pages: none of them is GOOD. Nor is the next
 * one when nobody was told, because the answer came before or went to a write.
 */
static int fd_sync_cache(struct fd_dev *dev, loff_t pos, u64 len)
{
	int told = READ_ONCE(dev->told), failures;
	int err = fd_flush(dev, pos, len);

	if (err)
		fd_flush_failed(dev);
	failures = atomic_read(&dev->failures);
	if (failures == told)
		return err;
	WRITE_ONCE(dev->told, failures);
	return err ?: -EIO;
}

static sense_reason_t fd_execute_sync_cache(struct se_cmd *cmd)
{
	struct fd_dev *dev = to_fd_dev(cmd->se_dev);
	bool immed = backstore_sync_immed(cmd);
	u64 lba, len;
	loff_t pos;
	int err;

	len = (u64)backstore_sync_range(cmd, &lba) * fd_block_size(dev);
	pos = fd_lba_to_pos(dev, lba);
	/* The device stays: its workqueue is emptied before it goes. */
	if (immed) {
		target_complete_cmd(cmd, SAM_STAT_GOOD);
		err = fd_flush(dev, pos, len);
		if (err)
			fd_flush_failed(dev);
	} else {
		err = fd_sync_cache(dev, pos, len);
	}
	if (err)
		pr_err_ratelimited("%s: flush failed: %d\n", dev->path, err);
	if (!immed)
		backstore_complete(cmd, err);
	return 0;
}

static int fd_write_zeroes(struct fd_dev *dev, loff_t pos, u64 len)
{
	int err = vfs_fallocate(dev->file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, pos, len);

	if (err == -EOPNOTSUPP)
		err = file_repeat(dev->file, ZERO_PAGE(0), PAGE_SIZE, pos, len);
	return err;
}

/* No protection information is to be checked in @blocks from @lba on. */
static int fd_forget_prot(struct fd_dev *dev, u64 lba, u64 blocks)
{
	struct page *page;
	int err;

	if (!dev->prot || !blocks)
		return 0;
	page = alloc_page(GFP_NOIO);
	if (!page)
		return -ENOMEM;
	memset(page_address(page), FD_PROT_ESCAPE, PAGE_SIZE);
	err = file_repeat(dev->prot, page, PAGE_SIZE, (loff_t)lba * FD_PROT_LEN, blocks * FD_PROT_LEN);
	__free_page(page);
	return err ?: vfs_fsync_range(dev->prot, 0, LLONG_MAX, 1);
}

/* The page cache has nothing of this range: what follows is done to the disk. */
static int fd_drop_pages(struct fd_dev *dev, loff_t pos, u64 len)
{
	struct address_space *mapping = dev->file->f_mapping;
	int err = filemap_write_and_wait_range(mapping, pos, pos + len - 1);

	return err ?: invalidate_inode_pages2_range(mapping, pos >> PAGE_SHIFT, (pos + len - 1) >> PAGE_SHIFT);
}

/* A block device that cannot zero blocks without writing may know how to discard them. */
static int fd_discard_bdev(struct fd_dev *dev, loff_t pos, u64 len)
{
	struct block_device *bdev = file_bdev(dev->file);
	int err;

	if (!bdev_max_discard_sectors(bdev))
		return -EOPNOTSUPP;
	err = fd_drop_pages(dev, pos, len);
	if (!err)
		err = blkdev_issue_discard(bdev, pos >> SECTOR_SHIFT, len >> SECTOR_SHIFT, GFP_NOIO);
	return err;
}

/* Unmapped blocks may keep their data, unless initiators are told that they read zeroes. */
static int fd_punch(struct fd_dev *dev, loff_t pos, u64 len)
{
	int err = vfs_fallocate(dev->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, len);

	if (err != -EOPNOTSUPP)
		return err;
	if (dev->se_dev.dev_attrib.unmap_zeroes_data)
		return fd_write_zeroes(dev, pos, len);
	err = dev->is_bdev ? fd_discard_bdev(dev, pos, len) : 0;
	return err == -EOPNOTSUPP ? 0 : err;
}

static sense_reason_t fd_execute_unmap(struct se_cmd *cmd, sector_t lba, sector_t blocks)
{
	struct fd_dev *dev = to_fd_dev(cmd->se_dev);
	loff_t pos = fd_lba_to_pos(dev, lba);
	u64 len = (u64)blocks * fd_block_size(dev);
	int err;

	if (!blocks)
		return 0;
	err = fd_forget_prot(dev, lba, blocks);
	if (!err)
		err = fd_punch(dev, pos, len);
	if (!err)
		err = fd_flush_written(dev, pos, len, false);
	if (!err)
		return 0;
	pr_err_ratelimited("%s: unmapping failed: %d\n", dev->path, err);
	return err == -ENOMEM ? TCM_LUN_BUSY : TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE;
}

static int fd_write_same(struct fd_dev *dev, struct se_cmd *cmd, struct page *page)
{
	u64 len = (u64)sbc_get_write_same_sectors(cmd) * fd_block_size(dev);
	loff_t pos = fd_lba_to_pos(dev, cmd->t_task_lba);
	int filled = backstore_fill_same(cmd, page);
	int err;

	if (filled < 0)
		return filled;
	err = filled ? file_repeat(dev->file, page, filled, pos, len) : fd_write_zeroes(dev, pos, len);
	return err ?: fd_flush_written(dev, pos, len, cmd->se_cmd_flags & SCF_FUA);
}

static sense_reason_t fd_execute_write_same(struct se_cmd *cmd)
{
	struct fd_dev *dev = to_fd_dev(cmd->se_dev);
	struct page *page;

	/* Every block would need a reference tag of its own. */
	if (cmd->prot_op || dev->prot)
		return TCM_INVALID_CDB_FIELD;
	if (fd_block_size(dev) > PAGE_SIZE)
		return TCM_INVALID_CDB_FIELD;
	page = alloc_page(GFP_NOIO | __GFP_ZERO);
	if (!page)
		return TCM_LUN_BUSY;
	backstore_complete(cmd, fd_write_same(dev, cmd, page));
	__free_page(page);
	return 0;
}

static struct exec_cmd_ops fd_exec_ops = {
	.execute_rw		= fd_execute_rw,
	.execute_sync_cache	= fd_execute_sync_cache,
	.execute_write_same	= fd_execute_write_same,
	.execute_unmap		= fd_execute_unmap,
};

static sense_reason_t fd_defer(struct se_cmd *cmd)
{
	return backstore_defer(cmd, to_fd_dev(cmd->se_dev)->wq);
}

static sense_reason_t fd_parse_cdb(struct se_cmd *cmd)
{
	sense_reason_t reason = sbc_parse_cdb(cmd, &fd_exec_ops);

	if (reason)
		return reason;
	if (unlikely(fd_is_gone(to_fd_dev(cmd->se_dev))))
		backstore_refuse_gone(cmd);
	else
		backstore_wait_elsewhere(cmd, fd_defer);
	return 0;
}

/*
 * What only our core asks
 */

/* The first data at or behind @pos; -ENXIO: none. Where no one can tell there is nothing but data. */
static int fd_find_data(struct fd_dev *dev, loff_t pos, loff_t *start, loff_t *end)
{
	*end = LLONG_MAX;
	*start = vfs_llseek(dev->file, pos, SEEK_DATA);
	if (*start == -ENXIO)
		return -ENXIO;
	if (*start < pos) {
		*start = pos;
		return 0;
	}
	pos = vfs_llseek(dev->file, *start, SEEK_HOLE);
	if (pos > *start)
		*end = pos;
	return 0;
}

/* A block that is partly in a hole is mapped. */
static bool fd_is_mapped(struct se_device *se_dev, u64 lba, u64 *nolb)
{
	struct fd_dev *dev = to_fd_dev(se_dev);
	loff_t pos = fd_lba_to_pos(dev, lba), start, end;
	u32 size = fd_block_size(dev);
	bool mapped;

	if (fd_find_data(dev, pos, &start, &end))
		return false;
	mapped = start - pos < size;
	*nolb = min_t(u64, *nolb, mapped ? div_u64((u64)(end - pos) + size - 1, size) : div_u64(start - pos, size));
	return mapped;
}

/* Zeroes over all data between @pos and @end. */
static int fd_overwrite(struct fd_dev *dev, loff_t pos, loff_t end)
{
	loff_t start, stop;
	int err = 0;

	for (; pos < end && !err; pos = stop) {
		if (fd_find_data(dev, pos, &start, &stop) || start >= end)
			break;
		stop = min(stop, end);
		err = file_repeat(dev->file, ZERO_PAGE(0), PAGE_SIZE, start, stop - start);
	}
	return err;
}

/*
 * A disk that can forget does so. Else the data is overwritten where it is, on the
 * medium, before its room is given back: that is as far as a file system lets us.
 */
static int fd_erase_blocks(struct fd_dev *dev, loff_t pos, u64 len)
{
	int err;

	if (dev->is_bdev && bdev_max_secure_erase_sectors(file_bdev(dev->file))) {
		err = fd_drop_pages(dev, pos, len);
		return err ?: blkdev_issue_secure_erase(file_bdev(dev->file), pos >> SECTOR_SHIFT,
							len >> SECTOR_SHIFT, GFP_NOIO);
	}
	err = fd_overwrite(dev, pos, pos + len);
	if (!err)
		err = fd_flush(dev, pos, len);
	if (!err && !dev->is_bdev)
		err = vfs_fallocate(dev->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, len);
	return err == -EOPNOTSUPP ? 0 : err;
}

static int fd_erase(struct se_device *se_dev, u64 lba, u64 blocks)
{
	struct fd_dev *dev = to_fd_dev(se_dev);
	struct backstore_io_scope scope;
	int err;

	if (!blocks)
		return 0;
	if (fd_is_gone(dev))
		return -ENODEV;
	scope = backstore_enter_io();
	err = fd_erase_blocks(dev, fd_lba_to_pos(dev, lba), blocks * fd_block_size(dev));
	backstore_leave_io(scope);
	if (err)
		pr_err_ratelimited("%s: erasing failed: %d\n", dev->path, err);
	return err;
}

/*
 * Protection information
 */

static int fd_format_prot(struct se_device *se_dev)
{
	struct fd_dev *dev = to_fd_dev(se_dev);

	if (!se_dev->dev_attrib.pi_prot_type || !dev->prot) {
		pr_err("%s: nothing to format without pi_prot_type\n", dev->path);
		return -ENODEV;
	}
	return fd_forget_prot(dev, 0, fd_blocks(dev));
}

/* Blocks that the file has no information about get some that is not checked. */
static int fd_extend_prot(struct fd_dev *dev)
{
	u64 known = div_u64(file_bytes(dev->prot), FD_PROT_LEN);
	u64 blocks = fd_blocks(dev);

	return blocks > known ? fd_forget_prot(dev, known, blocks - known) : 0;
}

static void fd_free_prot(struct se_device *se_dev)
{
	struct fd_dev *dev = to_fd_dev(se_dev);

	if (dev->prot)
		filp_close(dev->prot, NULL);
	dev->prot = NULL;
}

static int fd_init_prot(struct se_device *se_dev)
{
	struct fd_dev *dev = to_fd_dev(se_dev);
	char *path;
	int err;

	if (!dev->file)
		return -ENODEV;
	if (dev->is_bdev) {
		pr_err("%s: a block device has no room for protection information\n", dev->path);
		return -ENOSYS;
	}
	path = kasprintf(GFP_KERNEL, "%s" FD_PROT_SUFFIX, dev->path);
	if (!path)
		return -ENOMEM;
	dev->prot = filp_open(path, O_RDWR | O_CREAT | O_LARGEFILE, 0600);
	if (IS_ERR(dev->prot)) {
		err = PTR_ERR(dev->prot);
		dev->prot = NULL;
		pr_err("%s: cannot open for writing: %d\n", path, err);
	} else {
		err = fd_extend_prot(dev);
		if (err)
			fd_free_prot(se_dev);
	}
	kfree(path);
	return err;
}

/*
 * Life of a device
 */

static int fd_attach_hba(struct se_hba *hba, u32 host_id)
{
	struct fd_hba *fd_hba = kzalloc(sizeof(*fd_hba), GFP_KERNEL);

	if (!fd_hba)
		return -ENOMEM;
	fd_hba->host_id = host_id;
	hba->hba_ptr = fd_hba;
	return 0;
}

static void fd_detach_hba(struct se_hba *hba)
{
	kfree(hba->hba_ptr);
	hba->hba_ptr = NULL;
}

static struct se_device *fd_alloc_device(struct se_hba *hba, const char *name)
{
	struct fd_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	mutex_init(&dev->lock);
	return &dev->se_dev;
}

static void fd_free_rcu(struct rcu_head *rcu)
{
	struct se_device *se_dev = container_of(rcu, struct se_device, rcu_head);

	kfree(to_fd_dev(se_dev));
}

static void fd_free_device(struct se_device *se_dev)
{
	call_rcu(&se_dev->rcu_head, fd_free_rcu);
}

/*
 * A block device is claimed by O_EXCL, which means nothing for a file that is
 * there, but together with O_CREAT.
 */
static struct file *fd_open(const char *path)
{
	struct file *file = filp_open(path, O_RDWR | O_LARGEFILE | O_EXCL, 0);

	if (IS_ERR(file) && PTR_ERR(file) == -ENOENT)
		file = filp_open(path, O_RDWR | O_LARGEFILE | O_CREAT, 0600);
	return file;
}

static int fd_set_up_bdev(struct fd_dev *dev, struct block_device *bdev)
{
	struct se_dev_attrib *attrib = &dev->se_dev.dev_attrib;

	if (bdev_read_only(bdev)) {
		pr_err("%s: the block device is read-only\n", dev->path);
		return -EACCES;
	}
	if (bdev_is_zoned(bdev)) {
		pr_err("%s: a zoned block device is written in order only, which a file is not\n", dev->path);
		return -EOPNOTSUPP;
	}
	dev->is_bdev = true;
	dev->bdev_bytes = bdev_nr_bytes(bdev);
	attrib->hw_block_size = bdev_logical_block_size(bdev);
	attrib->max_write_same_len = FD_MAX_SAME_BDEV;
	attrib->is_nonrot = bdev_nonrot(bdev);
	/* In blocks of block_size, which the core sets later from this. */
	attrib->block_size = attrib->hw_block_size;
	target_configure_unmap_from_queue(attrib, bdev);
	return 0;
}

static int fd_set_up_regular(struct fd_dev *dev)
{
	struct se_dev_attrib *attrib = &dev->se_dev.dev_attrib;

	if (!dev->size) {
		pr_err("%s: fd_dev_size= is missing\n", dev->path);
		return -EINVAL;
	}
	dev->is_bdev = false;
	attrib->hw_block_size = FD_BLOCK_SIZE;
	attrib->max_unmap_lba_count = FD_MAX_UNMAP_BLOCKS;
	attrib->max_unmap_block_desc_count = 1;
	attrib->unmap_granularity = 1;
	attrib->unmap_granularity_alignment = 0;
	attrib->max_write_same_len = FD_MAX_SAME_BLOCKS;
	return 0;
}

static int fd_set_up(struct fd_dev *dev, struct file *file)
{
	struct se_dev_attrib *attrib = &dev->se_dev.dev_attrib;
	umode_t mode = file_inode(file)->i_mode;
	int err = -EINVAL;

	if (S_ISBLK(mode))
		err = fd_set_up_bdev(dev, file_bdev(file));
	else if (S_ISREG(mode) && file->f_op->read_iter && file->f_op->write_iter)
		err = fd_set_up_regular(dev);
	else
		pr_err("%s: neither a regular file nor a block device\n", dev->path);
	if (err)
		return err;
	attrib->hw_max_sectors = FD_MAX_BYTES / attrib->hw_block_size;
	attrib->hw_queue_depth = FD_QUEUE_DEPTH;
	if (dev->buffered)
		attrib->emulate_write_cache = 1;
	dev->wq = alloc_workqueue("fileio_%s", WQ_MEM_RECLAIM | WQ_UNBOUND, 0,
				  config_item_name(&dev->se_dev.dev_group.cg_item));
	return dev->wq ? 0 : -ENOMEM;
}

static int fd_configure_device(struct se_device *se_dev)
{
	struct fd_hba *hba = se_dev->se_hba->hba_ptr;
	struct fd_dev *dev = to_fd_dev(se_dev);
	struct file *file;
	int err;

	guard(mutex)(&dev->lock);
	if (!dev->path[0]) {
		pr_err("fd_dev_name= is missing\n");
		return -EINVAL;
	}
	file = fd_open(dev->path);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		pr_err("%s: cannot %s: %d\n", dev->path,
		       err == -EBUSY ? "be claimed, it is in use" : "be opened for writing", err);
		return err;
	}
	err = fd_set_up(dev, file);
	if (err) {
		filp_close(file, NULL);
		return err;
	}
	dev->file = file;
	se_dev->dev_flags |= DF_BACKSTORE_OPS;
	dev->id = hba->next_id++;
	return 0;
}

/* No LUN has it any more; a flush whose answer came before its work may be left. */
static void fd_destroy_device(struct se_device *se_dev)
{
	struct fd_dev *dev = to_fd_dev(se_dev);

	destroy_workqueue(dev->wq);
	fd_free_prot(se_dev);
	filp_close(dev->file, NULL);
	dev->file = NULL;
}

/*
 * Configuration
 */

enum fd_param { FD_NAME, FD_SIZE, FD_BUFFERED, FD_ASYNC, FD_OTHER };

static const match_table_t fd_params = {
	{ FD_NAME, "fd_dev_name=%s" },
	{ FD_SIZE, "fd_dev_size=%s" },
	{ FD_BUFFERED, "fd_buffered_io=%d" },
	{ FD_ASYNC, "fd_async_io=%d" },
	{ FD_OTHER, NULL }
};

static int fd_set_name(struct fd_dev *dev, const substring_t *arg)
{
	if (dev->file) {
		pr_err("%s: fd_dev_name cannot change once the device is enabled\n", dev->path);
		return -EEXIST;
	}
	if (arg->to - arg->from >= sizeof(dev->path)) {
		pr_err("fd_dev_name is longer than %zu bytes\n", sizeof(dev->path) - 1);
		return -EINVAL;
	}
	match_strlcpy(dev->path, arg, sizeof(dev->path));
	return 0;
}

/* Of an enabled device, too: initiators find it larger or smaller. */
static int fd_set_size(struct fd_dev *dev, substring_t *arg)
{
	char *text = match_strdup(arg);
	u64 size;
	int err;

	if (!text)
		return -ENOMEM;
	err = kstrtou64(text, 0, &size);
	if (!err && size > LLONG_MAX)
		err = -ERANGE;
	if (err)
		pr_err("fd_dev_size must be a number of bytes, not '%s'\n", text);
	else
		WRITE_ONCE(dev->size, size);
	kfree(text);
	return err ?: dev->prot ? fd_extend_prot(dev) : 0;
}

static int fd_set_flag(struct fd_dev *dev, bool *flag, const char *name, substring_t *arg)
{
	int value, err = match_int(arg, &value);

	if (err)
		return err;
	/* Initiators have been told whether there is a cache. */
	if (dev->file) {
		pr_err("%s: %s cannot change once the device is enabled\n", dev->path, name);
		return -EEXIST;
	}
	if (value != 1) {
		pr_err("%s can only be set to 1\n", name);
		return -EINVAL;
	}
	*flag = true;
	return 0;
}

static int fd_set_param(struct se_device *se_dev, char *text)
{
	struct fd_dev *dev = to_fd_dev(se_dev);
	substring_t args[MAX_OPT_ARGS];

	switch (match_token(text, fd_params, args)) {
	case FD_NAME:
		return fd_set_name(dev, &args[0]);
	case FD_SIZE:
		return fd_set_size(dev, &args[0]);
	case FD_BUFFERED:
		return fd_set_flag(dev, &dev->buffered, "fd_buffered_io", &args[0]);
	case FD_ASYNC:
		return fd_set_flag(dev, &dev->async, "fd_async_io", &args[0]);
	default:
		/* another version's */
		return 0;
	}
}

static ssize_t fd_set_params(struct se_device *se_dev, const char *page, ssize_t count)
{
	return backstore_set_params(se_dev, &to_fd_dev(se_dev)->lock, page, count, fd_set_param);
}

static ssize_t fd_show_params(struct se_device *se_dev, char *page)
{
	struct fd_dev *dev = to_fd_dev(se_dev);

	guard(mutex)(&dev->lock);
	return sprintf(page, "TCM FILEIO ID: %u        File: %s  Size: %llu  Mode: %s Async: %d\n",
		       dev->id, dev->path, dev->size, dev->buffered ? "Buffered-WCE" : "O_DSYNC",
		       dev->async);
}

/* The core asks when emulate_tpu, emulate_tpws or unmap_zeroes_data is set. */
static bool fd_configure_unmap(struct se_device *se_dev)
{
	struct fd_dev *dev = to_fd_dev(se_dev);

	return dev->file && (!dev->is_bdev ||
			     target_configure_unmap_from_queue(&se_dev->dev_attrib, file_bdev(dev->file)));
}

static const struct backstore_ops fd_ops = {
	.ops = {
		.name				= "fileio",
		.inquiry_prod			= "FILEIO",
		.inquiry_rev			= FD_VERSION,
		.owner				= THIS_MODULE,
		.attach_hba			= fd_attach_hba,
		.detach_hba			= fd_detach_hba,
		.alloc_device			= fd_alloc_device,
		.configure_device		= fd_configure_device,
		.destroy_device			= fd_destroy_device,
		.free_device			= fd_free_device,
		.configure_unmap		= fd_configure_unmap,
		.parse_cdb			= fd_parse_cdb,
		.set_configfs_dev_params	= fd_set_params,
		.show_configfs_dev_params	= fd_show_params,
		.get_device_type		= sbc_get_device_type,
		.get_blocks			= fd_get_blocks,
		.init_prot			= fd_init_prot,
		.format_prot			= fd_format_prot,
		.free_prot			= fd_free_prot,
		.tb_dev_attrib_attrs		= sbc_attrib_attrs,
	},
	.version	= BACKSTORE_OPS_VERSION,
	.is_mapped	= fd_is_mapped,
	.erase		= fd_erase,
};

static int __init fd_init(void)
{
	return transport_backend_register(&fd_ops.ops);
}

static void __exit fd_exit(void)
{
	target_backend_unregister(&fd_ops.ops);
	/* Devices are freed by RCU callbacks in this module. */
	rcu_barrier();
}

MODULE_DESCRIPTION("LIO backstore in files");
MODULE_AUTHOR("The LIO target module set project");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");

module_init(fd_init);
module_exit(fd_exit);
