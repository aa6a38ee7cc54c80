// SPDX-License-Identifier: GPL-2.0
/*
 * Standard INQUIRY data and the VPD pages but 83h, from facts (SPC-4 clauses
 * 6.6.2 and 7.8, SBC-4 clause 6.6). Pure logic.
 */
#include "spc_pages.h"

#include <linux/kernel.h>
#include <scsi/scsi_proto.h>

/* Byte 2 of standard INQUIRY data: SPC-4 */
#define INQUIRY_VERSION		6
#define INQUIRY_STD_LEN		96

/* Version descriptors (SPC-4 table 142) of standards without a version of them */
static const u16 proto_version[] = {
	[SCSI_PROTOCOL_FCP]	= 0x0a40,	/* FCP-4 */
	[SCSI_PROTOCOL_SBP]	= 0x0980,	/* SBP-3 */
	[SCSI_PROTOCOL_SRP]	= 0x0940,	/* SRP */
	[SCSI_PROTOCOL_ISCSI]	= 0x0960,	/* iSCSI */
	[SCSI_PROTOCOL_SAS]	= 0x0c60,	/* SAS-3 */
};

static u8 std_byte5(const struct inquiry_facts *f)
{
	return 0x80 /* SCCS */ | f->tpgs << 4 | f->third_party_copy << 3 | (f->prot_type ? 1 : 0);
}

/**
 * inquiry_build_std - standard INQUIRY data
 * @f:	of the logical unit
 * @p:	gets INQUIRY_STD_LEN bytes
 */
void inquiry_build_std(const struct inquiry_facts *f, struct page_buf *p)
{
	const u8 head[] = {
		f->peripheral, f->removable << 7, INQUIRY_VERSION, 2 /* RESPONSE DATA FORMAT */,
		INQUIRY_STD_LEN - 5, std_byte5(f), f->multip << 4, 2 /* CMDQUE */,
	};
	size_t start = p->len;
	u16 transport = f->proto < ARRAY_SIZE(proto_version) ? proto_version[f->proto] : 0;

	page_put(p, head, sizeof(head));
	page_text(p, f->vendor, 8);
	page_text(p, f->model, 16);
	page_text(p, f->revision, 4);
	page_fill(p, 0, 58 - 36);
	page_be(p, 0x00a0 /* SAM-5 */, 2);
	if (transport)
		page_be(p, transport, 2);
	page_be(p, 0x0460 /* SPC-4 */, 2);
	if (f->peripheral == TYPE_DISK)
		page_be(p, 0x04c0 /* SBC-3 */, 2);
	page_fill(p, 0, start + INQUIRY_STD_LEN - p->len);
}

/* 7.8.18; the field ends with a NUL, as what clients have stored of it does */
static void build_serial(const struct inquiry_facts *f, struct page_buf *p)
{
	if (f->has_serial)
		page_put(p, f->serial, strlen(f->serial) + 1);
}

/* 7.8.7 */
static void build_extended(const struct inquiry_facts *f, struct page_buf *p)
{
	/* SPT: a unit can be given type 1 or 3 (SPC-4 table 625); references are checked with type 1 */
	u8 checks = 3 << 3 | 1 << 2 /* GRD_CHK */ | (f->prot_type == 1) /* REF_CHK */;

	page_be(p, f->prot_type ? checks : 0, 1);
	page_be(p, 7 /* HEADSUP, ORDSUP, SIMPSUP */, 1);
	page_be(p, f->write_cache /* V_SUP */, 1);
	page_fill(p, 0, 1);
	page_be(p, f->referrals << 4 /* R_SUP */, 1);
	page_fill(p, 0, 55);
}

/* SBC-4 6.6.4 */
static void build_limits(const struct inquiry_facts *f, struct page_buf *p)
{
	bool unmap = f->lbpu || f->lbpws;

	page_be(p, 1 /* WSNZ */, 1);
	page_be(p, f->max_caw, 1);
	page_be(p, f->granularity, 2);
	page_be(p, f->max_transfer, 4);
	page_be(p, f->optimal_transfer, 4);
	page_be(p, 0 /* prefetch: no limit */, 4);
	page_be(p, f->lbpu ? f->max_unmap : 0, 4);
	page_be(p, f->lbpu ? f->max_unmap_descs : 0, 4);
	page_be(p, unmap ? f->unmap_granularity : 0, 4);
	page_be(p, unmap && f->unmap_alignment ? 0x80000000 /* UGAVALID */ | f->unmap_alignment : 0, 4);
	page_be(p, f->max_write_same, 8);
	page_be(p, f->max_atomic, 4);
	page_be(p, f->atomic_alignment, 4);
	page_be(p, f->atomic_granularity, 4);
	page_fill(p, 0, 8);	/* no atomic boundaries */
}

/* SBC-4 6.6.2 */
static void build_characteristics(const struct inquiry_facts *f, struct page_buf *p)
{
	page_be(p, f->non_rotating, 2);
	page_fill(p, 0, 1);
	page_be(p, f->block_erase << 6 /* WABEREQ */, 1);
	page_fill(p, 0, 56);
}

/* SBC-4 6.6.6 */
static void build_provisioning(const struct inquiry_facts *f, struct page_buf *p)
{
	/* What is fully provisioned counts no mapping resources. */
	page_be(p, f->lbpu || f->lbpws ? f->threshold_exponent : 0, 1);
	page_be(p, f->lbpu << 7 | (f->lbpws ? 0x60 : 0) /* LBPWS, LBPWS10 */ | f->lbprz << 2, 1);
	page_fill(p, 0, 2);
}

/* SBC-4 6.6.9 */
static void build_referrals(const struct inquiry_facts *f, struct page_buf *p)
{
	page_fill(p, 0, 4);
	page_be(p, f->segment_size, 4);
	page_be(p, f->segment_multiplier, 4);
}

static void build_supported(const struct inquiry_facts *f, struct page_buf *p);

static const struct vpd_page {
	u8	code;
	/* Identifies the unit: listed only where there is an identity to tell */
	bool	identity;
	void	(*build)(const struct inquiry_facts *f, struct page_buf *p);
} vpd_pages[] = {
	{ 0x00, false, build_supported },
	{ 0x80, true, build_serial },
	{ 0x83, true, ident_build_page },
	{ 0x86, false, build_extended },
	{ 0xb0, false, build_limits },
	{ 0xb1, false, build_characteristics },
	{ 0xb2, false, build_provisioning },
	{ 0xb3, false, build_referrals },
};

/*
 * Without a serial number every unit has the same page 83h, and initiators that
 * find it listed would take them for paths of one.
 */
static void build_supported(const struct inquiry_facts *f, struct page_buf *p)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vpd_pages); i++)
		if (f->has_serial || !vpd_pages[i].identity)
			page_be(p, vpd_pages[i].code, 1);
}

/**
 * inquiry_build_vpd - a VPD page
 * @page:	its code
 * @f:		of the logical unit
 * @p:		gets it
 *
 * Return: false, with @p unchanged, when there is no such page.
 */
bool inquiry_build_vpd(u8 page, const struct inquiry_facts *f, struct page_buf *p)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vpd_pages); i++) {
		if (vpd_pages[i].code != page)
			continue;
		page_be(p, f->peripheral, 1);
		page_be(p, page, 1);
		page_be(p, 0, 2);
		vpd_pages[i].build(f, p);
		page_end(p, 2);
		return true;
	}
	return false;
}
