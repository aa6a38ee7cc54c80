/* SPDX-License-Identifier: GPL-2.0 */
/*
 * INQUIRY data, VPD pages and mode pages from plain facts: pure logic that needs
 * no running kernel (target_core_vpd.c, target_core_ident.c,
 * target_core_mode_pages.c). The handlers collect the facts.
 */
#ifndef LIO_SPC_PAGES_H
#define LIO_SPC_PAGES_H

#include <linux/string.h>
#include <linux/types.h>

/* A writer with an end: what does not fit is dropped, len never exceeds cap. */
struct page_buf {
	u8	*buf;
	size_t	cap;
	size_t	len;
};

static inline void page_put(struct page_buf *p, const void *data, size_t len)
{
	len = len < p->cap - p->len ? len : p->cap - p->len;
	memcpy(p->buf + p->len, data, len);
	p->len += len;
}

static inline void page_fill(struct page_buf *p, u8 byte, size_t count)
{
	count = count < p->cap - p->len ? count : p->cap - p->len;
	memset(p->buf + p->len, byte, count);
	p->len += count;
}

/* The lower @size bytes of @value, most significant first. */
static inline void page_be(struct page_buf *p, u64 value, unsigned int size)
{
	while (size--)
		page_fill(p, value >> (8 * size), 1);
}

/* A string of at most @width bytes in a field of @width, left-aligned, padded with spaces. */
static inline void page_text(struct page_buf *p, const char *text, size_t width)
{
	size_t len = strnlen(text, width);

	page_put(p, text, len);
	page_fill(p, ' ', width - len);
}

/* A two-byte length field at @at, counting what follows behind it. */
static inline void page_end(struct page_buf *p, size_t at)
{
	size_t len = p->len - at - 2;

	if (p->len < at + 2)
		return;
	p->buf[at] = len >> 8;
	p->buf[at + 1] = len;
}

/* What INQUIRY and its pages tell of a logical unit as seen through one port. */
struct inquiry_facts {
	u8		peripheral;	/* qualifier and device type */
	bool		removable;
	bool		multip;		/* more than one port */
	u8		tpgs;		/* 0 to 3 */
	bool		third_party_copy;
	u8		prot_type;	/* in use; 0: none */
	bool		write_cache;
	bool		non_rotating;
	bool		block_erase;	/* SANITIZE erases, and the blocks are readable then */
	const char	*vendor, *model, *revision;
	/* Limits, in logical blocks */
	u32		granularity;	/* optimal transfer length granularity */
	u32		max_transfer, optimal_transfer;
	u8		max_caw;	/* COMPARE AND WRITE; 0: not supported */
	u64		max_write_same;
	u32		max_unmap, max_unmap_descs, unmap_granularity, unmap_alignment;
	u32		max_atomic, atomic_alignment, atomic_granularity;
	/* Logical block provisioning */
	bool		lbpu, lbpws, lbprz;
	u8		threshold_exponent;	/* 0: no thresholds, no log page */
	/* Referrals; no segments: not supported */
	u32		segment_size, segment_multiplier;
	bool		referrals;
	/* Identification */
	bool		has_serial;
	const char	*serial;
	u32		company_id;
	u8		proto;		/* enum scsi_protocol */
	const char	*port_name;	/* NULL: seen through no port */
	u16		tpgt;
	u16		rtpi;
	bool		has_tg_pt_gp, has_lu_gp;
	u16		tg_pt_gp, lu_gp;
};

/* target_core_vpd.c */
void inquiry_build_std(const struct inquiry_facts *f, struct page_buf *p);
/* False: there is no such page. */
bool inquiry_build_vpd(u8 page, const struct inquiry_facts *f, struct page_buf *p);

/* Fields of a designation descriptor (SPC-4 tables 567 to 569) */
enum code_set { CODE_BINARY = 1, CODE_ASCII = 2, CODE_UTF8 = 3 };
enum association { ASSOC_LU = 0, ASSOC_PORT = 1, ASSOC_TARGET = 2 };
enum designator_type {
	DESIGNATOR_VENDOR	= 0,
	DESIGNATOR_T10		= 1,
	DESIGNATOR_EUI64	= 2,
	DESIGNATOR_NAA		= 3,
	DESIGNATOR_RTPI		= 4,
	DESIGNATOR_TPG		= 5,
	DESIGNATOR_LUG		= 6,
	DESIGNATOR_NAME		= 8,
};

#define DESIGNATOR_MAX	255	/* its length field is a byte */

/* target_core_ident.c */
void ident_build_page(const struct inquiry_facts *f, struct page_buf *p);

/* What the mode pages tell. */
struct mode_facts {
	bool		direct_access;	/* has a block descriptor and a caching page */
	bool		write_protect;
	bool		dpofua;
	bool		write_cache;
	bool		d_sense;
	bool		unrestricted;	/* reordering of SIMPLE commands */
	bool		tas;
	bool		protection;
	u8		ua_intlck;	/* the field: 0, 2 or 3 */
	u64		blocks;
	u32		block_size;
};

enum mode_pc {
	MODE_CURRENT,
	MODE_CHANGEABLE,
	MODE_DEFAULT,
	MODE_SAVED,
};

enum mode_error {
	MODE_OK,
	MODE_NO_PAGE,		/* page or subpage is not there */
	MODE_TRUNCATED,		/* the parameter list ends inside an element */
	MODE_BAD_VALUE,		/* a field has a value that cannot be set */
};

#define MODE_ALL_PAGES		0x3f
#define MODE_ALL_SUBPAGES	0xff
/* Longest answer of MODE SENSE, and more than any sensible MODE SELECT list. */
#define MODE_BUF		256

/* target_core_mode_pages.c */
enum mode_error mode_build(const struct mode_facts *f, bool ten, bool dbd, bool llbaa, enum mode_pc pc,
			   u8 page, u8 subpage, struct page_buf *p);
enum mode_error mode_check(const struct mode_facts *f, bool ten, const u8 *list, size_t len);

#endif /* LIO_SPC_PAGES_H */
