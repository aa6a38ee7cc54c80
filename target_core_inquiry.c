// SPDX-License-Identifier: GPL-2.0
/* INQUIRY: collects what target_core_vpd.c and target_core_ident.c tell. */
#include "core.h"
#include "alua.h"
#include "backstore_ops.h"
#include "spc_pages.h"

#include <linux/log2.h>

/* The peripheral qualifier and type of a LUN without a device behind it (SPC-4 table 140) */
#define NOT_CONNECTED	0x3f

static bool cmd_is_lun0(const struct se_cmd *cmd)
{
	return cmd->se_lun && cmd->se_lun->lun_tpg && cmd->se_lun == cmd->se_lun->lun_tpg->tpg_virt_lun0;
}

/**
 * cmd_prot_type - protection information that this nexus sees
 * @cmd:	its command
 *
 * Return: the type of the device, or of the session for a fabric that keeps it;
 * TARGET_DIF_TYPE0_PROT when the fabric does not pass it on.
 */
enum target_prot_type cmd_prot_type(const struct se_cmd *cmd)
{
	const struct se_session *sess = cmd->se_sess;

	if (!sess || !(sess->sup_prot_ops & (TARGET_PROT_DIN_PASS | TARGET_PROT_DOUT_PASS)))
		return TARGET_DIF_TYPE0_PROT;
	return cmd->se_dev->dev_attrib.pi_prot_type ?: sess->sess_prot_type;
}

/**
 * dev_threshold_exponent - in which unit mapping resources are counted
 * @dev:	a device
 *
 * Return: the THRESHOLD EXPONENT of VPD page B2h: a page of memory or, with
 * larger blocks, two blocks; 0 when the backstore does not count.
 */
u8 dev_threshold_exponent(const struct se_device *dev)
{
	if (!to_core_dev(dev)->mapped_blocks)
		return 0;
	return max(ilog2(PAGE_SIZE / min_t(u32, dev->dev_attrib.block_size, PAGE_SIZE)), 1);
}

static void facts_limits(struct se_cmd *cmd, struct inquiry_facts *f)
{
	struct se_device *dev = cmd->se_dev;
	const struct se_dev_attrib *attrib = &dev->dev_attrib;
	u32 block_size = attrib->block_size, nents = cmd->se_tfo ? cmd->se_tfo->max_data_sg_nents : 0;
	/* In blocks */
	u32 io_min = dev->transport->get_io_min ? dev->transport->get_io_min(dev) : 0;
	u32 io_opt = dev->transport->get_io_opt ? dev->transport->get_io_opt(dev) : 0;

	f->granularity = clamp(io_min, 1U, (u32)U16_MAX);
	/* Zero is no limit, in all of them. */
	f->max_transfer = min_not_zero(compat_max_blocks(attrib), (u64)nents * PAGE_SIZE / block_size);
	f->optimal_transfer = min_not_zero(io_opt ?: attrib->optimal_sectors, f->max_transfer);
	/* More than READ (10) can carry is no optimum, and initiators warn about it. */
	if (f->optimal_transfer > U16_MAX)
		f->optimal_transfer = 0;
	f->max_caw = attrib->emulate_caw ? SBC_CAW_MAX_BLOCKS : 0;
	f->max_write_same = attrib->max_write_same_len;
	f->max_unmap = attrib->max_unmap_lba_count;
	f->max_unmap_descs = attrib->max_unmap_block_desc_count;
	f->unmap_granularity = attrib->unmap_granularity;
	f->unmap_alignment = attrib->unmap_granularity_alignment;
	f->lbpu = attrib->emulate_tpu;
	f->lbpws = attrib->emulate_tpws;
	f->lbprz = (f->lbpu || f->lbpws) && attrib->unmap_zeroes_data;
	f->threshold_exponent = f->lbpu || f->lbpws ? dev_threshold_exponent(dev) : 0;
}

static void facts_atomic(const struct se_device *dev, struct inquiry_facts *f)
{
	struct backstore_atomic limits;

	dev_atomic(dev, &limits);
	f->max_atomic = limits.max;
	f->atomic_alignment = limits.alignment;
	f->atomic_granularity = limits.granularity;
}

/* What the groups say, as they are now. */
static void facts_groups(struct se_cmd *cmd, struct inquiry_facts *f)
{
	struct t10_alua_lu_gp_member *mem = cmd->se_dev->dev_alua_lu_gp_mem;
	struct t10_alua_tg_pt_gp *tg_pt_gp;
	struct t10_alua_lu_gp *lu_gp;

	rcu_read_lock();
	tg_pt_gp = cmd->se_lun ? rcu_dereference(cmd->se_lun->lun_tg_pt_gp) : NULL;
	f->has_tg_pt_gp = tg_pt_gp;
	if (tg_pt_gp) {
		f->tg_pt_gp = tg_pt_gp->tg_pt_gp_id;
		f->tpgs = tg_pt_gp->tg_pt_gp_alua_access_type & (ALUA_TPGS_IMPLICIT | ALUA_TPGS_EXPLICIT);
	}
	lu_gp = mem ? READ_ONCE(mem->lu_gp) : NULL;
	f->has_lu_gp = lu_gp;
	if (lu_gp)
		f->lu_gp = lu_gp->lu_gp_id;
	rcu_read_unlock();
}

static void facts_port(struct se_cmd *cmd, struct inquiry_facts *f)
{
	struct se_portal_group *tpg = cmd->se_lun ? cmd->se_lun->lun_tpg : NULL;

	if (!tpg)
		return;
	f->proto = max(tpg->proto_id, 0) & 0xf;
	f->port_name = tpg->se_tpg_tfo->tpg_get_wwn(tpg);
	f->tpgt = tpg->se_tpg_tfo->tpg_get_tag(tpg);
	f->rtpi = compat_lun_rtpi(cmd->se_lun);
}

static void facts_collect(struct se_cmd *cmd, struct inquiry_facts *f)
{
	struct se_device *dev = cmd->se_dev;
	const struct t10_alua *alua = &dev->t10_alua;

	memset(f, 0, sizeof(*f));
	f->peripheral = cmd_is_lun0(cmd) ? NOT_CONNECTED : dev->transport->get_device_type(dev) & 0x1f;
	f->removable = f->peripheral == TYPE_TAPE;
	f->multip = READ_ONCE(dev->export_count) > 1;
	f->third_party_copy = dev->dev_attrib.emulate_3pc;
	f->prot_type = cmd_prot_type(cmd);
	f->write_cache = dev_write_cache(dev);
	f->non_rotating = dev->dev_attrib.is_nonrot;
	f->block_erase = to_core_dev(dev)->emulate_format;
	f->vendor = dev->t10_wwn.vendor;
	f->model = dev->t10_wwn.model;
	f->revision = dev->t10_wwn.revision;
	f->referrals = !list_empty(&alua->lba_map_list);
	f->segment_size = alua->lba_map_segment_size;
	f->segment_multiplier = alua->lba_map_segment_multiplier;
	f->has_serial = dev->dev_flags & DF_EMULATED_VPD_UNIT_SERIAL;
	f->serial = dev->t10_wwn.unit_serial;
	f->company_id = dev->t10_wwn.company_id;
	facts_limits(cmd, f);
	facts_atomic(dev, f);
	facts_groups(cmd, f);
	facts_port(cmd, f);
}

/**
 * spc_emulate_inquiry_std - standard INQUIRY data
 * @cmd:	an INQUIRY command
 * @buf:	gets it, at least 96 bytes
 *
 * For fabrics that answer INQUIRY themselves.
 * Return: 0.
 */
sense_reason_t spc_emulate_inquiry_std(struct se_cmd *cmd, unsigned char *buf)
{
	struct page_buf p = { .buf = buf, .cap = 96 };
	struct inquiry_facts facts;

	facts_collect(cmd, &facts);
	inquiry_build_std(&facts, &p);
	return 0;
}

/**
 * spc_emulate_evpd_83 - the Device Identification VPD page
 * @cmd:	an INQUIRY command
 * @buf:	gets it, SE_INQUIRY_BUF bytes
 *
 * For fabrics that answer INQUIRY themselves.
 * Return: 0.
 */
sense_reason_t spc_emulate_evpd_83(struct se_cmd *cmd, unsigned char *buf)
{
	struct page_buf p = { .buf = buf, .cap = SE_INQUIRY_BUF };
	struct inquiry_facts facts;

	facts_collect(cmd, &facts);
	inquiry_build_vpd(0x83, &facts, &p);
	return 0;
}

/* Page 83h with long names is longer than what the stack should hold. */
static sense_reason_t inquiry_vpd(struct se_cmd *cmd, u8 page)
{
	struct page_buf p = { .buf = kmalloc(SE_INQUIRY_BUF, GFP_ATOMIC), .cap = SE_INQUIRY_BUF };
	struct inquiry_facts facts;
	bool found;

	if (!p.buf)
		return TCM_OUT_OF_RESOURCES;
	facts_collect(cmd, &facts);
	found = inquiry_build_vpd(page, &facts, &p);
	if (found)
		cmd_reply(cmd, p.buf, p.len);
	kfree(p.buf);
	return found ? 0 : TCM_INVALID_CDB_FIELD;
}

/**
 * spc_inquiry - INQUIRY
 * @cmd:	the command
 *
 * Return: 0 when the command was ended, or why not.
 */
sense_reason_t spc_inquiry(struct se_cmd *cmd)
{
	const u8 *cdb = cmd->t_task_cdb;
	u8 buf[96];

	if (cdb[1] & 1)
		return inquiry_vpd(cmd, cdb[2]);
	if (cdb[2])
		return TCM_INVALID_CDB_FIELD;
	spc_emulate_inquiry_std(cmd, buf);
	cmd_reply(cmd, buf, sizeof(buf));
	return 0;
}
