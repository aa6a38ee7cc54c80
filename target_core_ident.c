// SPDX-License-Identifier: GPL-2.0
/*
 * Designation descriptors: those of our own units (VPD page 83h), and those of
 * a lower device as pscsi keeps them and configfs shows them (SPC-4 clause
 * 7.8.6). Pure logic.
 */
#include "core.h"
#include "spc_pages.h"

#include <linux/kernel.h>

enum code_set { CODE_BINARY = 1, CODE_ASCII = 2, CODE_UTF8 = 3 };
enum association { ASSOC_LU = 0, ASSOC_PORT = 1, ASSOC_TARGET = 2 };
enum designator_type {
	DESIGNATOR_T10		= 1,
	DESIGNATOR_NAA		= 3,
	DESIGNATOR_RTPI		= 4,
	DESIGNATOR_TPG		= 5,
	DESIGNATOR_LUG		= 6,
	DESIGNATOR_NAME		= 8,
};

#define DESIGNATOR_MAX	255	/* its length field is a byte */

/* The header; descriptor_end() sets the length. Returns where the descriptor starts. */
static size_t descriptor_begin(struct page_buf *p, const struct inquiry_facts *f, enum code_set set,
			       enum association assoc, enum designator_type type)
{
	size_t start = p->len;
	bool piv = assoc != ASSOC_LU;

	page_be(p, (piv ? f->proto << 4 : 0) | set, 1);
	page_be(p, piv << 7 | assoc << 4 | type, 1);
	page_be(p, 0, 2);
	return start;
}

/* A descriptor that is cut by the end of the buffer, or too long, is taken back. */
static void descriptor_end(struct page_buf *p, size_t start)
{
	size_t len = p->len - start;

	if (p->len == p->cap || len > 4 + DESIGNATOR_MAX)
		p->len = start;
	else
		p->buf[start + 3] = len - 4;
}

/*
 * NAA 6h: the company and the first 25 hexadecimal digits of the serial number,
 * whatever stands between them. Initiators have stored it: it may not change.
 */
static void add_naa(const struct inquiry_facts *f, struct page_buf *p)
{
	size_t start = descriptor_begin(p, f, CODE_BINARY, ASSOC_LU, DESIGNATOR_NAA);
	u8 naa[16] = { 0x60 | (f->company_id >> 20 & 0xf), f->company_id >> 12, f->company_id >> 4,
		       f->company_id << 4 };
	unsigned int nibble = 7;
	const char *c;

	for (c = f->serial; *c && nibble < 2 * sizeof(naa); c++) {
		int digit = hex_to_bin(*c);

		if (digit < 0)
			continue;
		naa[nibble / 2] |= nibble % 2 ? digit : digit << 4;
		nibble++;
	}
	page_put(p, naa, sizeof(naa));
	descriptor_end(p, start);
}

/* T10 vendor ID, with the model and the serial number where there is one. */
static void add_t10(const struct inquiry_facts *f, struct page_buf *p)
{
	size_t start = descriptor_begin(p, f, CODE_ASCII, ASSOC_LU, DESIGNATOR_T10);

	page_text(p, f->vendor, 8);
	if (f->has_serial) {
		/* The longest serial number does not fit behind vendor and model. */
		size_t room = DESIGNATOR_MAX - 8 - strlen(f->model) - 2;

		page_put(p, f->model, strlen(f->model));
		page_be(p, ':', 1);
		page_put(p, f->serial, strnlen(f->serial, room));
	}
	page_be(p, 0, 1);
	descriptor_end(p, start);
}

/* Relative target port, target port group, logical unit group: 16 bits behind two reserved bytes */
static void add_number(const struct inquiry_facts *f, struct page_buf *p, enum association assoc,
		       enum designator_type type, u16 number)
{
	size_t start = descriptor_begin(p, f, CODE_BINARY, assoc, type);

	page_be(p, number, 4);
	descriptor_end(p, start);
}

/* A SCSI name string: NUL-terminated, its length a multiple of four (SPC-4 7.8.6.11). */
static void add_name(const struct inquiry_facts *f, struct page_buf *p, enum association assoc, bool tag)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t start = descriptor_begin(p, f, CODE_UTF8, assoc, DESIGNATOR_NAME);
	int shift;

	page_put(p, f->port_name, strlen(f->port_name));
	if (tag) {
		page_put(p, ",t,0x", 5);
		for (shift = 12; shift >= 0; shift -= 4)
			page_be(p, hex[f->tpgt >> shift & 0xf], 1);
	}
	page_fill(p, 0, 4 - (p->len - start) % 4);
	descriptor_end(p, start);
}

/**
 * ident_build_page - the designation descriptors of a logical unit
 * @f:	of it and of the port it is seen through
 * @p:	gets them
 */
void ident_build_page(const struct inquiry_facts *f, struct page_buf *p)
{
	if (f->has_serial)
		add_naa(f, p);
	add_t10(f, p);
	if (f->port_name) {
		add_number(f, p, ASSOC_PORT, DESIGNATOR_RTPI, f->rtpi);
		if (f->has_tg_pt_gp)
			add_number(f, p, ASSOC_PORT, DESIGNATOR_TPG, f->tg_pt_gp);
	}
	if (f->has_lu_gp)
		add_number(f, p, ASSOC_LU, DESIGNATOR_LUG, f->lu_gp);
	if (f->port_name) {
		add_name(f, p, ASSOC_PORT, true);
		add_name(f, p, ASSOC_TARGET, false);
	}
}

/* What an initiator-side parse knows by number, and shows by name. */
static const char *const proto_names[] = {
	[SCSI_PROTOCOL_FCP]	= "Fibre Channel",
	[SCSI_PROTOCOL_SPI]	= "Parallel SCSI",
	[SCSI_PROTOCOL_SSA]	= "SSA",
	[SCSI_PROTOCOL_SBP]	= "IEEE 1394",
	[SCSI_PROTOCOL_SRP]	= "SCSI Remote Direct Memory Access Protocol",
	[SCSI_PROTOCOL_ISCSI]	= "Internet SCSI (iSCSI)",
	[SCSI_PROTOCOL_SAS]	= "SAS Serial SCSI Protocol",
	[SCSI_PROTOCOL_ADT]	= "Automation/Drive Interface Transport Protocol",
	[SCSI_PROTOCOL_ATA]	= "AT Attachment Interface ATA/ATAPI",
};

static const char *const assoc_names[] = {
	[ASSOC_LU]		= "addressed logical unit",
	[ASSOC_PORT]		= "target port",
	[ASSOC_TARGET]		= "SCSI target device",
};

/* Groups and digests (5 to 7) name no device: they are not kept. */
static const char *const type_names[] = {
	[0]			= "Vendor specific",
	[DESIGNATOR_T10]	= "T10 Vendor ID based",
	[2]			= "EUI-64 based",
	[DESIGNATOR_NAA]	= "NAA",
	[DESIGNATOR_RTPI]	= "Relative target port identifier",
	[DESIGNATOR_NAME]	= "SCSI name string",
};

static const char *const code_set_names[] = {
	[CODE_BINARY]		= "Binary",
	[CODE_ASCII]		= "ASCII",
	[CODE_UTF8]		= "UTF-8",
};

static const char *name_of(const char *const *names, size_t count, u32 number)
{
	return number < count ? names[number] : NULL;
}

#define NAME_OF(names, number)	name_of(names, ARRAY_SIZE(names), number)

/**
 * transport_set_vpd_proto_id - take over the protocol of a designation descriptor
 * @vpd:	gets it
 * @page_83:	the descriptor, whole
 */
void transport_set_vpd_proto_id(struct t10_vpd *vpd, unsigned char *page_83)
{
	if (!(page_83[1] & 0x80))	/* PIV */
		return;
	vpd->protocol_identifier = page_83[0] >> 4;
	vpd->protocol_identifier_set = 1;
}

/**
 * transport_set_vpd_assoc - take over the association of a designation descriptor
 * @vpd:	gets it
 * @page_83:	the descriptor, whole
 *
 * Return: 0, or -EINVAL for a reserved value.
 */
int transport_set_vpd_assoc(struct t10_vpd *vpd, unsigned char *page_83)
{
	vpd->association = page_83[1] & 0x30;
	return NAME_OF(assoc_names, vpd->association >> 4) ? 0 : -EINVAL;
}

/**
 * transport_set_vpd_ident_type - take over the type of a designation descriptor
 * @vpd:	gets it
 * @page_83:	the descriptor, whole
 *
 * Return: 0, or -EINVAL for a type that identifies no device or port.
 */
int transport_set_vpd_ident_type(struct t10_vpd *vpd, unsigned char *page_83)
{
	vpd->device_identifier_type = page_83[1] & 0x0f;
	return NAME_OF(type_names, vpd->device_identifier_type) ? 0 : -EINVAL;
}

/**
 * transport_set_vpd_ident - take over the designator as text
 * @vpd:	gets it: a binary one in hexadecimal behind its type's digit
 * @page_83:	the descriptor, whole: 4 bytes and as many as byte 3 says
 *
 * Return: 0, or -EINVAL for a reserved code set.
 */
int transport_set_vpd_ident(struct t10_vpd *vpd, unsigned char *page_83)
{
	const u8 *id = page_83 + 4;
	size_t len = page_83[3], room = sizeof(vpd->device_identifier) - 1;
	char *text = vpd->device_identifier;

	vpd->device_identifier_code_set = page_83[0] & 0x0f;
	switch (vpd->device_identifier_code_set) {
	case CODE_BINARY:
		*text++ = hex_asc_lo(vpd->device_identifier_type);
		len = min(len, (room - 1) / 2);
		text = bin2hex(text, id, len);
		break;
	case CODE_ASCII:
	case CODE_UTF8:
		len = min(strnlen(id, len), room);
		memcpy(text, id, len);
		text += len;
		break;
	default:
		return -EINVAL;
	}
	*text = '\0';
	return 0;
}

/* A line of the wwn/ attributes; what has no name is shown as a number. */
static ssize_t show_named(char *buf, size_t len, const char *what, const char *name, u32 number)
{
	if (name)
		return scnprintf(buf, len, "T10 VPD %s: %s\n", what, name);
	return scnprintf(buf, len, "T10 VPD %s: 0x%02x\n", what, number);
}

/**
 * vpd_show_proto_id - a descriptor's protocol as a line
 * @vpd:	the descriptor
 * @buf:	gets the line
 * @len:	room in @buf
 *
 * Return: its length.
 */
ssize_t vpd_show_proto_id(const struct t10_vpd *vpd, char *buf, size_t len)
{
	return show_named(buf, len, "Protocol Identifier", NAME_OF(proto_names, vpd->protocol_identifier),
			  vpd->protocol_identifier);
}

/**
 * vpd_show_assoc - a descriptor's association as a line
 * @vpd:	the descriptor
 * @buf:	gets the line
 * @len:	room in @buf
 *
 * Return: its length.
 */
ssize_t vpd_show_assoc(const struct t10_vpd *vpd, char *buf, size_t len)
{
	return show_named(buf, len, "Identifier Association", NAME_OF(assoc_names, vpd->association >> 4),
			  vpd->association);
}

/**
 * vpd_show_ident_type - a descriptor's type as a line
 * @vpd:	the descriptor
 * @buf:	gets the line
 * @len:	room in @buf
 *
 * Return: its length.
 */
ssize_t vpd_show_ident_type(const struct t10_vpd *vpd, char *buf, size_t len)
{
	return show_named(buf, len, "Identifier Type", NAME_OF(type_names, vpd->device_identifier_type),
			  vpd->device_identifier_type);
}

/**
 * vpd_show_ident - a descriptor's designator as a line
 * @vpd:	the descriptor
 * @buf:	gets the line
 * @len:	room in @buf
 *
 * Return: its length, 0 for a reserved code set.
 */
ssize_t vpd_show_ident(const struct t10_vpd *vpd, char *buf, size_t len)
{
	const char *set = NAME_OF(code_set_names, vpd->device_identifier_code_set);

	return set ? scnprintf(buf, len, "T10 VPD %s Device Identifier: %s\n", set, vpd->device_identifier) : 0;
}
