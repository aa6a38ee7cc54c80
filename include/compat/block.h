/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernels for the backstores on files and block devices.
 * They include it by themselves: it pulls in block layer headers.
 */
#ifndef LIO_COMPAT_BLOCK_H
#define LIO_COMPAT_BLOCK_H

#include <linux/blk-integrity.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/version.h>
#include <target/target_core_backend.h>
#include <target/target_core_base.h>

/* struct exec_cmd_ops and its persistent reservation calls: since 6.5; sbc_ops before, without them */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#ifndef exec_cmd_ops
#define exec_cmd_ops	sbc_ops
#endif
#define COMPAT_HAS_EXECUTE_PR	0
#else
#define COMPAT_HAS_EXECUTE_PR	1
#endif

/* blk_mode_t: since 6.5; FMODE_* were used before */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
struct blk_holder_ops;

#define blk_mode_t	unsigned int
#define BLK_OPEN_READ	1
#define BLK_OPEN_WRITE	2
#define BLK_OPEN_NDELAY	8
#endif

/*
 * An open block device is a file since 6.9. Before, the file comes from opening
 * the node, which claims the device for the file, not for @holder.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
static inline struct block_device *file_bdev(struct file *file)
{
	return I_BDEV(file->f_mapping->host);
}

static inline void bdev_fput(struct file *file)
{
	filp_close(file, NULL);
}

static inline int compat_bdev_writable(dev_t dev)
{
	const fmode_t mode = FMODE_READ | FMODE_NDELAY;
	struct block_device *bdev = blkdev_get_by_dev(dev, mode, NULL);
	int err;

	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	err = bdev_read_only(bdev) ? -EACCES : 0;
	blkdev_put(bdev, mode);
	return err;
}

static inline struct file *bdev_file_open_by_path(const char *path, blk_mode_t mode, void *holder,
						  const struct blk_holder_ops *hops)
{
	dev_t dev;
	int err = lookup_bdev(path, &dev);

	/* Not after opening: a file is closed, and its claim given up, on the way to userspace only. */
	if (!err && (mode & BLK_OPEN_WRITE))
		err = compat_bdev_writable(dev);
	if (err)
		return ERR_PTR(err);
	return filp_open(path, (mode & BLK_OPEN_WRITE ? O_RDWR : O_RDONLY) | O_LARGEFILE |
			       (mode & BLK_OPEN_NDELAY ? O_NONBLOCK : 0) | (holder ? O_EXCL : 0), 0);
}
#endif

/* Writes that are never torn: since 6.11. Sets what a device takes, in bytes; false: it takes none. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define REQ_ATOMIC	((__force blk_opf_t)0)

static inline bool compat_bdev_atomic(struct block_device *bdev, u32 *min, u32 *max, u32 *boundary)
{
	return false;
}
#else
static inline bool compat_bdev_atomic(struct block_device *bdev, u32 *min, u32 *max, u32 *boundary)
{
	struct request_queue *q = bdev_get_queue(bdev);

	if (!bdev_can_atomic_write(bdev))
		return false;
	*min = queue_atomic_write_unit_min_bytes(q);
	*max = queue_atomic_write_unit_max_bytes(q);
	*boundary = queue_atomic_write_boundary_bytes(q);
	return true;
}
#endif

/* What a device checks is told by its queue limits since 6.11, by a profile with a name before. */
static inline enum target_prot_type compat_bdev_prot_type(struct block_device *bdev)
{
	struct blk_integrity *bi = bdev_get_integrity(bdev);

	if (!bi)
		return TARGET_DIF_TYPE0_PROT;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	if (!strcmp(bi->profile->name, "T10-DIF-TYPE3-CRC"))
		return TARGET_DIF_TYPE3_PROT;
	return strcmp(bi->profile->name, "T10-DIF-TYPE1-CRC") ? TARGET_DIF_TYPE0_PROT :
								TARGET_DIF_TYPE1_PROT;
#else
	if (bi->csum_type != BLK_INTEGRITY_CSUM_CRC)
		return TARGET_DIF_TYPE0_PROT;
	return bi->flags & BLK_INTEGRITY_REF_TAG ? TARGET_DIF_TYPE1_PROT : TARGET_DIF_TYPE3_PROT;
#endif
}

/* bio_integrity_add_page() counts the bytes since 6.4; the owner did before. */
static inline void compat_bip_set_bytes(struct bio_integrity_payload *bip, unsigned int bytes)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	bip->bip_iter.bi_size = bytes;
#endif
}

#endif /* LIO_COMPAT_BLOCK_H */
