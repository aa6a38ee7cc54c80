// SPDX-License-Identifier: GPL-2.0
/* The designation descriptors of VPD page 83h, from facts (SPC-4 clause 7.8.6). Pure logic. */
#include "spc_pages.h"

#include <linux/kernel.h>
#include <scsi/scsi_proto.h>

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

/*
 * What names a port in its protocol (FCP-4, SBP-3, SRP, SPL-3): so many digits of
 * a world wide name. Fabrics keep it with prefixes and separators of their own.
 */
static const struct name_form {
	const char	*prefix;	/* of the SCSI name string; NULL: the name as it is */
	unsigned int	digits;
} name_forms[] = {
	[SCSI_PROTOCOL_FCP]	= { "naa.", 16 },
	[SCSI_PROTOCOL_SBP]	= { "eui.", 16 },
	[SCSI_PROTOCOL_SRP]	= { "eui.", 32 },
	[SCSI_PROTOCOL_SAS]	= { "naa.", 16 },
};

#define NAME_DIGITS_MAX	32

static const struct name_form *name_form(const struct inquiry_facts *f)
{
	return f->proto < ARRAY_SIZE(name_forms) && name_forms[f->proto].prefix ? &name_forms[f->proto] : NULL;
}

/* The values of the digits of the port's world wide name; false when it is none of @form. */
static bool name_digits(const struct inquiry_facts *f, const struct name_form *form, u8 *digits)
{
	const char *c = strchr(f->port_name, '.');
	unsigned int count = 0;

	c = c ? c + 1 : f->port_name;
	if (c[0] == '0' && c[1] == 'x')
		c += 2;
	for (; *c; c++) {
		int digit = hex_to_bin(*c);

		if (*c == ':')
			continue;
		if (digit < 0 || count == form->digits)
			return false;
		digits[count++] = digit;
	}
	return count == form->digits;
}

/* The address of a SAS port, which SPL-3 wants as NAA, too. */
static void add_port_naa(const struct inquiry_facts *f, struct page_buf *p)
{
	const struct name_form *form = name_form(f);
	u8 digits[NAME_DIGITS_MAX];
	unsigned int i;
	size_t start;

	if (f->proto != SCSI_PROTOCOL_SAS || !name_digits(f, form, digits))
		return;
	start = descriptor_begin(p, f, CODE_BINARY, ASSOC_PORT, DESIGNATOR_NAA);
	for (i = 0; i < form->digits; i += 2)
		page_be(p, digits[i] << 4 | digits[i + 1], 1);
	descriptor_end(p, start);
}

/* In upper case (SPC-4 7.8.6.11) */
static void put_digits(struct page_buf *p, const u8 *digits, unsigned int count)
{
	static const char hex[] = "0123456789ABCDEF";

	while (count--)
		page_be(p, hex[*digits++], 1);
}

/*
 * A SCSI name string: NUL-terminated, its length a multiple of four (SPC-4
 * 7.8.6.11). An iSCSI port has its portal group tag in its name (RFC 7143 4.2.7).
 */
static void add_name(const struct inquiry_facts *f, struct page_buf *p, enum association assoc)
{
	const struct name_form *form = name_form(f);
	u8 digits[NAME_DIGITS_MAX];
	size_t start;

	if (form && !name_digits(f, form, digits))
		return;
	start = descriptor_begin(p, f, CODE_UTF8, assoc, DESIGNATOR_NAME);
	if (form) {
		page_put(p, form->prefix, strlen(form->prefix));
		put_digits(p, digits, form->digits);
	} else {
		page_put(p, f->port_name, strlen(f->port_name));
	}
	if (assoc == ASSOC_PORT && f->proto == SCSI_PROTOCOL_ISCSI) {
		u8 tag[4] = { f->tpgt >> 12, f->tpgt >> 8 & 0xf, f->tpgt >> 4 & 0xf, f->tpgt & 0xf };

		page_put(p, ",t,0x", 5);
		put_digits(p, tag, sizeof(tag));
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
		add_port_naa(f, p);
		add_number(f, p, ASSOC_PORT, DESIGNATOR_RTPI, f->rtpi);
		if (f->has_tg_pt_gp)
			add_number(f, p, ASSOC_PORT, DESIGNATOR_TPG, f->tg_pt_gp);
	}
	if (f->has_lu_gp)
		add_number(f, p, ASSOC_LU, DESIGNATOR_LUG, f->lu_gp);
	if (f->port_name) {
		add_name(f, p, ASSOC_PORT);
		add_name(f, p, ASSOC_TARGET);
	}
}
