// SPDX-License-Identifier: GPL-2.0
/* LOG SENSE (SPC-4 clause 7.3, SBC-4 clause 6.4). */
#include "core.h"
#include "spc_pages.h"

#define LOG_SUPPORTED		0x00
#define LOG_PROVISIONING	0x0c
#define LOG_ALL_SUBPAGES	0xff

/* Used LBA mapping resources (SBC-4 6.4.5.3) */
#define LOG_PARAM_USED		0x0002

/* Mapping resources that are in use, in units of the threshold exponent; for a device that counts. */
static void log_provisioning(struct se_device *dev, struct page_buf *p)
{
	u64 used = to_core_dev(dev)->mapped_blocks(dev) >> dev_threshold_exponent(dev);

	page_be(p, LOG_PARAM_USED, 2);
	page_be(p, 0x03 /* binary list */, 1);
	page_be(p, 8, 1);
	page_be(p, min_t(u64, used, U32_MAX), 4);
	page_be(p, 0x01 /* dedicated to this logical unit */, 1);
	page_fill(p, 0, 3);
}

static bool has_provisioning(const struct se_device *dev)
{
	return dev_threshold_exponent(dev) && (dev->dev_attrib.emulate_tpu || dev->dev_attrib.emulate_tpws);
}

/* Pages, or pairs of page and subpage */
static void log_supported(struct se_device *dev, bool subpages, struct page_buf *p)
{
	page_be(p, LOG_SUPPORTED, 1);
	if (subpages) {
		page_be(p, 0, 1);
		page_be(p, LOG_SUPPORTED << 8 | LOG_ALL_SUBPAGES, 2);
	}
	if (has_provisioning(dev))
		page_be(p, subpages ? LOG_PROVISIONING << 8 : LOG_PROVISIONING, subpages ? 2 : 1);
}

/* The page behind its header; *last becomes its largest parameter code. False: there is no such page. */
static bool log_build(struct se_device *dev, u8 page, u8 subpage, u16 *last, struct page_buf *p)
{
	*last = 0;
	if (page == LOG_SUPPORTED && (!subpage || subpage == LOG_ALL_SUBPAGES)) {
		log_supported(dev, subpage, p);
		return true;
	}
	if (page != LOG_PROVISIONING || subpage || !has_provisioning(dev))
		return false;
	*last = LOG_PARAM_USED;
	log_provisioning(dev, p);
	return true;
}

/**
 * spc_log_sense - LOG SENSE
 * @cmd:	the command
 *
 * PC selects nothing, as no parameter is a counter; there is nothing to save.
 * Return: 0 when the command was ended, or TCM_INVALID_CDB_FIELD.
 */
sense_reason_t spc_log_sense(struct se_cmd *cmd)
{
	const u8 *cdb = cmd->t_task_cdb;
	u8 buf[32], page = cdb[2] & 0x3f, subpage = cdb[3];
	struct page_buf p = { .buf = buf, .cap = sizeof(buf) };
	u16 last;

	if (cdb[1] & 1)		/* SP */
		return TCM_INVALID_CDB_FIELD;
	page_be(&p, (subpage ? 0x40 : 0) /* SPF */ | page, 1);
	page_be(&p, subpage, 1);
	page_be(&p, 0, 2);
	if (!log_build(cmd->se_dev, page, subpage, &last, &p) || get_unaligned_be16(cdb + 5) > last)
		return TCM_INVALID_CDB_FIELD;
	page_end(&p, 2);
	cmd_reply(cmd, buf, p.len);
	return 0;
}
