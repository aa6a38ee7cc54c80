// SPDX-License-Identifier: GPL-2.0
/*
 * The designation descriptors of a lower device: pscsi keeps them, configfs
 * shows them in wwn/ (SPC-4 clause 7.8.6).
 */
#include "core.h"
#include "spc_pages.h"

#include <linux/kernel.h>

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
	[DESIGNATOR_VENDOR]	= "Vendor specific",
	[DESIGNATOR_T10]	= "T10 Vendor ID based",
	[DESIGNATOR_EUI64]	= "EUI-64 based",
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
