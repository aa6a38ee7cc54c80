/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Walking scatterlists by bytes, whatever their entries' sizes.
 */
#ifndef LIO_SG_POS_H
#define LIO_SG_POS_H

#include <linux/highmem.h>
#include <linux/minmax.h>
#include <linux/scatterlist.h>

/* A place in a scatterlist; moves forward only. */
struct sg_pos {
	struct scatterlist	*sg;
	unsigned int		offset;
};

static inline struct sg_pos sg_pos_start(struct scatterlist *sg, unsigned int offset)
{
	struct sg_pos pos = { sg, offset };

	while (pos.sg && pos.offset >= pos.sg->length) {
		pos.offset -= pos.sg->length;
		pos.sg = sg_next(pos.sg);
	}
	return pos;
}

/* Maps what lies together at @pos, at most @len bytes and to the end of a page. */
static inline void *sg_pos_map(const struct sg_pos *pos, unsigned int len, unsigned int *got)
{
	unsigned int at = pos->sg->offset + pos->offset;
	struct page *page = nth_page(sg_page(pos->sg), at >> PAGE_SHIFT);

	at = offset_in_page(at);
	*got = min3(len, (unsigned int)PAGE_SIZE - at, pos->sg->length - pos->offset);
	return kmap_local_page(page) + at;
}

static inline void sg_pos_advance(struct sg_pos *pos, unsigned int len)
{
	*pos = sg_pos_start(pos->sg, pos->offset + len);
}

/* Copies between memory and a place that may straddle entries; false: the list ends first. */
static inline bool sg_pos_copy(struct sg_pos *pos, void *buf, unsigned int len, bool to_list)
{
	while (len) {
		unsigned int got;
		void *mapped;

		if (!pos->sg)
			return false;
		mapped = sg_pos_map(pos, len, &got);
		if (to_list)
			memcpy(mapped, buf, got);
		else
			memcpy(buf, mapped, got);
		kunmap_local(mapped);
		sg_pos_advance(pos, got);
		buf += got;
		len -= got;
	}
	return true;
}

#endif /* LIO_SG_POS_H */
