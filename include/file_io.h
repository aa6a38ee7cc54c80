/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bytes between an open file and memory, by the file's own iterators and waiting
 * for them: whole transfers or an error.
 */
#ifndef LIO_FILE_IO_H
#define LIO_FILE_IO_H

#include <linux/bvec.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/uio.h>

#define FILE_IO_VECS	32	/* at a time, on the stack */

/* The node of a block device has an inode of its own, without a size. */
static inline loff_t file_bytes(const struct file *file)
{
	return i_size_read(file->f_mapping->host);
}

static inline ssize_t file_call(struct kiocb *iocb, struct iov_iter *iter, bool write)
{
	const struct file_operations *ops = iocb->ki_filp->f_op;

	return write ? ops->write_iter(iocb, iter) : ops->read_iter(iocb, iter);
}

/* Nothing was moved: behind the end of the file there are zeroes to read. */
static inline int file_at_end(struct file *file, loff_t pos, struct iov_iter *iter, bool write)
{
	if (write || pos < file_bytes(file))
		return -EIO;
	return iov_iter_zero(iov_iter_count(iter), iter) ? 0 : -EIO;
}

/* All of @iter, waiting for it. */
static inline int file_move_iter(struct file *file, struct iov_iter *iter, loff_t pos, bool write)
{
	struct kiocb iocb;
	ssize_t ret;

	init_sync_kiocb(&iocb, file);
	iocb.ki_pos = pos;
	if (write) {
		iocb.ki_flags |= IOCB_WRITE;
		file_start_write(file);
	}
	do {
		ret = file_call(&iocb, iter, write);
	} while (ret > 0 && iov_iter_count(iter));
	if (write)
		file_end_write(file);
	if (ret < 0)
		return ret;
	return iov_iter_count(iter) ? file_at_end(file, iocb.ki_pos, iter, write) : 0;
}

static inline int file_move_vecs(struct file *file, const struct bio_vec *vecs, u32 nr,
				 size_t len, loff_t pos, bool write)
{
	struct iov_iter iter;

	iov_iter_bvec(&iter, write ? ITER_SOURCE : ITER_DEST, vecs, nr, len);
	return file_move_iter(file, &iter, pos, write);
}

/* Fills @vecs with at most @len bytes of a scatterlist, whose next entry it returns. */
static inline struct scatterlist *file_take_vecs(struct scatterlist *sg, struct bio_vec *vecs,
						 u32 max, u32 *nr, size_t *len)
{
	size_t left = *len, part;

	for (*nr = 0; sg && left && *nr < max; sg = sg_next(sg)) {
		part = min_t(size_t, sg->length, left);
		bvec_set_page(&vecs[(*nr)++], sg_page(sg), part, sg->offset);
		left -= part;
	}
	*len -= left;
	return sg;
}

/* Several entries of a scatterlist. Compilers that clear the stack do so here only. */
static noinline_for_stack int file_move_long(struct file *file, struct scatterlist *sg, size_t len,
					     loff_t pos, bool write)
{
	struct bio_vec vecs[FILE_IO_VECS];
	size_t part;
	int err = 0;
	u32 nr;

	for (; len && !err; len -= part, pos += part) {
		part = len;
		sg = file_take_vecs(sg, vecs, ARRAY_SIZE(vecs), &nr, &part);
		if (!part)
			return -EINVAL;
		err = file_move_vecs(file, vecs, nr, part, pos, write);
	}
	return err;
}

/* The first @len bytes of a scatterlist, waiting for it. */
static inline int file_move_sg(struct file *file, struct scatterlist *sg, size_t len, loff_t pos, bool write)
{
	struct bio_vec vec;

	if (!sg || !len || len > sg->length)
		return file_move_long(file, sg, len, pos, write);
	bvec_set_page(&vec, sg_page(sg), len, sg->offset);
	return file_move_vecs(file, &vec, 1, len, pos, write);
}

/* The same @size bytes at the head of a page again and again, to @len bytes of the file. */
static inline int file_repeat(struct file *file, struct page *page, u32 size, loff_t pos, u64 len)
{
	struct bio_vec vecs[FILE_IO_VECS];
	u32 i, nr;
	int err = 0;
	u64 part;

	for (i = 0; i < ARRAY_SIZE(vecs); i++)
		bvec_set_page(&vecs[i], page, size, 0);
	for (; len && !err; len -= part, pos += part) {
		part = min_t(u64, len, (u64)size * ARRAY_SIZE(vecs));
		nr = DIV_ROUND_UP((u32)part, size);
		err = file_move_vecs(file, vecs, nr, part, pos, true);
		cond_resched();
	}
	return err;
}

#endif /* LIO_FILE_IO_H */
