// SPDX-License-Identifier: GPL-2.0
/*
 * Mode parameter lists: building them for MODE SENSE, checking them for MODE
 * SELECT (SPC-4 clause 7.5, SBC-4 clause 6.5). Pure logic.
 *
 * No field is changeable by MODE SELECT, as the attributes of the unit decide
 * them; a list that repeats the current values is accepted.
 */
#include "spc_pages.h"

#include <linux/kernel.h>

/* SBC-4 6.5.6 */
static void page_caching(const struct mode_facts *f, u8 *page)
{
	page[2] = f->write_cache << 2;	/* WCE */
	page[12] = 0x20;		/* DRA */
}

/* SPC-4 7.5.8 */
static void page_control(const struct mode_facts *f, u8 *page)
{
	page[2] = f->d_sense << 2 | 0x02 /* GLTSD */;
	page[3] = f->unrestricted << 4;		/* QUEUE ALGORITHM MODIFIER */
	page[4] = f->ua_intlck << 4;
	page[5] = f->protection << 7 /* ATO */ | f->tas << 6;
	page[8] = 0xff;				/* BUSY TIMEOUT PERIOD: unlimited */
	page[9] = 0xff;
	page[11] = 30;				/* EXTENDED SELF-TEST COMPLETION TIME */
}

#define MODE_PAGE_MAX	20

/* In the order in which they are returned */
static const struct mode_page {
	u8	code;
	u8	len;	/* PAGE LENGTH + 2 */
	void	(*build)(const struct mode_facts *f, u8 *page);	/* NULL: all fields are zero */
} mode_pages[] = {
	{ 0x01, 12, NULL },		/* read-write error recovery: no retries of ours to control */
	{ 0x08, 20, page_caching },
	{ 0x0a, 12, page_control },
	{ 0x1c, 12, NULL },		/* informational exceptions: none are reported */
};

static const struct mode_page *mode_find(u8 code)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mode_pages); i++)
		if (mode_pages[i].code == code)
			return &mode_pages[i];
	return NULL;
}

static void mode_page_build(const struct mode_page *mp, const struct mode_facts *f, bool changeable, u8 *page)
{
	memset(page, 0, mp->len);
	if (!changeable && mp->build)
		mp->build(f, page);
	page[0] = mp->code;
	page[1] = mp->len - 2;
}

/* The header but its MODE DATA LENGTH: MEDIUM TYPE 0 and DEVICE-SPECIFIC PARAMETER (SBC-4 6.5.1) */
static void build_header(const struct mode_facts *f, bool ten, bool longlba, size_t bd_len, struct page_buf *p)
{
	u8 specific = f->direct_access ? f->write_protect << 7 | f->dpofua << 4 : 0;

	page_fill(p, 0, ten ? 3 : 2);
	page_be(p, specific, 1);
	if (ten) {
		page_be(p, longlba << 8, 2);
		page_be(p, bd_len, 2);
	} else {
		page_be(p, bd_len, 1);
	}
}

/* SBC-4 6.5.2 */
static void build_block_descriptor(const struct mode_facts *f, bool longlba, struct page_buf *p)
{
	if (longlba) {
		page_be(p, f->blocks, 8);
		page_fill(p, 0, 4);
	} else {
		page_be(p, f->blocks < 0xffffffff ? f->blocks : 0xffffffff, 4);
	}
	page_be(p, f->block_size, 4);
}

/**
 * mode_build - the mode parameter list of MODE SENSE
 * @f:		of the logical unit
 * @ten:	for MODE SENSE (10)
 * @dbd:	without a block descriptor
 * @llbaa:	a long LBA block descriptor is welcome
 * @pc:		which values; not MODE_SAVED
 * @page:	code, or MODE_ALL_PAGES
 * @subpage:	0 or MODE_ALL_SUBPAGES
 * @p:		gets it
 *
 * Return: MODE_OK or MODE_NO_PAGE.
 */
enum mode_error mode_build(const struct mode_facts *f, bool ten, bool dbd, bool llbaa, enum mode_pc pc,
			   u8 page, u8 subpage, struct page_buf *p)
{
	bool longlba = ten && llbaa && f->blocks > 0xffffffff;
	bool block_descriptor = !dbd && f->direct_access;
	u8 data[MODE_PAGE_MAX];
	size_t i;

	if (subpage && subpage != MODE_ALL_SUBPAGES)
		return MODE_NO_PAGE;
	if (page != MODE_ALL_PAGES && !mode_find(page))
		return MODE_NO_PAGE;
	build_header(f, ten, longlba, block_descriptor ? longlba ? 16 : 8 : 0, p);
	if (block_descriptor)
		build_block_descriptor(f, longlba, p);
	for (i = 0; i < ARRAY_SIZE(mode_pages); i++) {
		if (page != MODE_ALL_PAGES && page != mode_pages[i].code)
			continue;
		mode_page_build(&mode_pages[i], f, pc == MODE_CHANGEABLE, data);
		page_put(p, data, mode_pages[i].len);
	}
	if (ten)
		page_end(p, 0);
	else
		p->buf[0] = p->len - 1;
	return MODE_OK;
}

static u64 list_be(const u8 *at, size_t size)
{
	u64 value = 0;

	while (size--)
		value = value << 8 | *at++;
	return value;
}

/* Zero blocks and all ones mean "as they are" (SBC-4 6.5.2). */
static bool same_blocks(const struct mode_facts *f, u64 blocks, u64 ones)
{
	return !blocks || blocks == f->blocks || blocks == ones;
}

static enum mode_error check_block_descriptor(const struct mode_facts *f, bool longlba, const u8 *bd, size_t len)
{
	u64 blocks, ones = longlba ? ~0ULL : 0xffffffff;
	u32 block_size;

	if (!len)
		return MODE_OK;
	if (!f->direct_access || len != (longlba ? 16 : 8))
		return MODE_BAD_VALUE;
	blocks = list_be(bd, longlba ? 8 : 4);
	block_size = longlba ? list_be(bd + 12, 4) : list_be(bd + 5, 3);
	return same_blocks(f, blocks, ones) && block_size == f->block_size ? MODE_OK : MODE_BAD_VALUE;
}

/* One page at the start of @list; *@used becomes its length. */
static enum mode_error check_page(const struct mode_facts *f, const u8 *list, size_t len, size_t *used)
{
	const struct mode_page *mp;
	u8 data[MODE_PAGE_MAX];

	if (len < 2)
		return MODE_TRUNCATED;
	/* With SPF set it is none of ours; PS is reserved here, and differs from what is built. */
	mp = mode_find(list[0] & ~0x80);
	if (!mp)
		return MODE_BAD_VALUE;
	if (len < mp->len)	/* before what is in it, PAGE LENGTH too */
		return MODE_TRUNCATED;
	mode_page_build(mp, f, false, data);
	*used = mp->len;
	return memcmp(data, list, mp->len) ? MODE_BAD_VALUE : MODE_OK;
}

/**
 * mode_check - whether a mode parameter list of MODE SELECT can be accepted
 * @f:		of the logical unit
 * @ten:	of MODE SELECT (10)
 * @list:	the list
 * @len:	its length, not 0
 *
 * MODE DATA LENGTH is reserved, WP and DPOFUA are ignored (SPC-4 7.5.5, SBC-4
 * 6.5.1).
 * Return: MODE_OK when it asks for nothing but what is, or what is wrong.
 */
enum mode_error mode_check(const struct mode_facts *f, bool ten, const u8 *list, size_t len)
{
	size_t header = ten ? 8 : 4, at, used, bd_len;
	enum mode_error error, page_error;
	bool longlba;

	if (len < header)
		return MODE_TRUNCATED;
	longlba = ten && list[4] & 1;
	bd_len = ten ? list_be(list + 6, 2) : list[3];
	if (bd_len > len - header)
		return MODE_TRUNCATED;
	error = list[ten ? 2 : 1] /* MEDIUM TYPE */ ? MODE_BAD_VALUE :
		check_block_descriptor(f, longlba, list + header, bd_len);
	/* A page that is cut is told before what is wrong in front of it. */
	for (at = header + bd_len; at < len; at += used) {
		page_error = check_page(f, list + at, len - at, &used);
		if (page_error)
			return page_error;
	}
	return error;
}
