// SPDX-License-Identifier: GPL-2.0
/*
 * Protection information (SBC-4 clause 4.21): what a command has to check, and
 * making, checking and moving it for backends and fabrics that do not themselves.
 */
#include "core.h"

#include <linux/crc-t10dif.h>
#include <linux/scatterlist.h>
#include <linux/t10-pi.h>

#include "cdb.h"
#include "sg_pos.h"

/* The guard of one block; false: the list ends first. */
static bool sg_pos_guard(struct sg_pos *pos, unsigned int len, __be16 *guard)
{
	u16 crc = 0;

	while (len) {
		unsigned int got;
		void *mapped;

		if (!pos->sg)
			return false;
		mapped = sg_pos_map(pos, len, &got);
		crc = crc_t10dif_update(crc, mapped, got);
		kunmap_local(mapped);
		sg_pos_advance(pos, got);
		len -= got;
	}
	*guard = cpu_to_be16(crc);
	return true;
}

/**
 * sbc_dif_generate - makes the protection information of a command's data
 * @cmd:	write command with data in t_data_sg and room in t_prot_sg
 *
 * Context: any.
 */
void sbc_dif_generate(struct se_cmd *cmd)
{
	unsigned int block_size = cmd->se_dev->dev_attrib.block_size;
	struct sg_pos data = sg_pos_start(cmd->t_data_sg, 0);
	struct sg_pos prot = sg_pos_start(cmd->t_prot_sg, 0);
	unsigned int blocks = cmd->data_length / block_size;
	u32 ref = cmd->reftag_seed;

	for (; blocks; blocks--, ref++) {
		struct t10_pi_tuple pi = { };

		if (!sg_pos_guard(&data, block_size, &pi.guard_tag))
			break;
		if (cmd->prot_type != TARGET_DIF_TYPE3_PROT)
			pi.ref_tag = cpu_to_be32(ref);
		if (!sg_pos_copy(&prot, &pi, sizeof(pi), true))
			break;
	}
}

/* Is the block exempt from checking (SBC-4 4.21.2)? */
static bool dif_escaped(const struct t10_pi_tuple *pi, enum target_prot_type type)
{
	if (pi->app_tag != T10_PI_APP_ESCAPE)
		return false;
	return type != TARGET_DIF_TYPE3_PROT || pi->ref_tag == T10_PI_REF_ESCAPE;
}

static sense_reason_t dif_check(const struct se_cmd *cmd, const struct t10_pi_tuple *pi, __be16 guard,
				u64 sector, u32 ref)
{
	if ((cmd->prot_checks & TARGET_DIF_CHECK_GUARD) && pi->guard_tag != guard)
		return TCM_LOGICAL_BLOCK_GUARD_CHECK_FAILED;
	if (!(cmd->prot_checks & TARGET_DIF_CHECK_REFTAG))
		return 0;
	if (cmd->prot_type == TARGET_DIF_TYPE1_PROT && be32_to_cpu(pi->ref_tag) != lower_32_bits(sector))
		return TCM_LOGICAL_BLOCK_REF_TAG_CHECK_FAILED;
	if (cmd->prot_type == TARGET_DIF_TYPE2_PROT && be32_to_cpu(pi->ref_tag) != ref)
		return TCM_LOGICAL_BLOCK_REF_TAG_CHECK_FAILED;
	return 0;
}

/**
 * sbc_dif_verify - checks a command's data against protection information
 * @cmd:	command with data in t_data_sg
 * @start:	LBA of the first block
 * @sectors:	number of blocks
 * @ei_lba:	expected initial reference tag for type 2
 * @psg:	protection information
 * @psg_off:	where in @psg it starts
 *
 * Return: 0, or what check failed first, with the LBA in cmd->sense_info. Context: any.
 */
sense_reason_t sbc_dif_verify(struct se_cmd *cmd, sector_t start, unsigned int sectors,
			      unsigned int ei_lba, struct scatterlist *psg, int psg_off)
{
	unsigned int block_size = cmd->se_dev->dev_attrib.block_size;
	struct sg_pos data = sg_pos_start(cmd->t_data_sg, 0);
	struct sg_pos prot = sg_pos_start(psg, psg_off);
	u64 end = start + sectors;
	u64 sector;

	for (sector = start; sector < end; sector++, ei_lba++) {
		struct t10_pi_tuple pi;
		sense_reason_t ret;
		__be16 guard;

		if (!sg_pos_guard(&data, block_size, &guard) || !sg_pos_copy(&prot, &pi, sizeof(pi), false))
			break;
		if (dif_escaped(&pi, cmd->prot_type))
			continue;
		ret = dif_check(cmd, &pi, guard, sector, ei_lba);
		if (ret) {
			cmd->sense_info = sector;
			return ret;
		}
	}
	return 0;
}

/**
 * sbc_dif_copy_prot - moves protection information between a command and a backend
 * @cmd:	the command, with t_prot_sg
 * @sectors:	of how many blocks
 * @read:	from the backend to the command
 * @sg:		the backend's
 * @sg_off:	where in @sg it starts
 *
 * Context: any.
 */
void sbc_dif_copy_prot(struct se_cmd *cmd, unsigned int sectors, bool read,
		       struct scatterlist *sg, int sg_off)
{
	struct sg_pos backend, own;

	if (!sg)
		return;
	backend = sg_pos_start(sg, sg_off);
	own = sg_pos_start(cmd->t_prot_sg, 0);
	for (; sectors; sectors--) {
		struct t10_pi_tuple pi;

		if (!sg_pos_copy(read ? &backend : &own, &pi, sizeof(pi), false))
			return;
		if (!sg_pos_copy(read ? &own : &backend, &pi, sizeof(pi), true))
			return;
	}
}

/* What RDPROTECT 1-5 and WRPROTECT 1-5 let be checked (SBC-4 tables 50 and 134). */
static int prot_checks(u8 protect)
{
	static const int checks[] = {
		[0] = TARGET_DIF_CHECK_GUARD | TARGET_DIF_CHECK_REFTAG,
		[1] = TARGET_DIF_CHECK_GUARD | TARGET_DIF_CHECK_REFTAG,
		[2] = TARGET_DIF_CHECK_REFTAG,
		[3] = 0,
		[4] = TARGET_DIF_CHECK_GUARD,
		[5] = TARGET_DIF_CHECK_GUARD | TARGET_DIF_CHECK_REFTAG,
	};

	return protect < ARRAY_SIZE(checks) ? checks[protect] : -EINVAL;
}

/* @fabric: protection information comes or goes with the data; @medium: it is stored with them. */
static enum target_prot_op prot_op(bool writes, bool fabric, bool medium)
{
	if (fabric && medium)
		return writes ? TARGET_PROT_DOUT_PASS : TARGET_PROT_DIN_PASS;
	if (fabric)
		return writes ? TARGET_PROT_DOUT_STRIP : TARGET_PROT_DIN_INSERT;
	if (medium)
		return writes ? TARGET_PROT_DOUT_INSERT : TARGET_PROT_DIN_STRIP;
	return TARGET_PROT_NORMAL;
}

/* A fabric that passes protection information need not make or check any: then the core does. */
static bool fabric_passes(const struct se_session *sess, bool writes, enum target_prot_op op)
{
	return sess->sup_prot_ops & (op | (writes ? TARGET_PROT_DOUT_PASS : TARGET_PROT_DIN_PASS));
}

/* The fabric counts data and protection information, the core data. */
static void count_data(struct se_cmd *cmd)
{
	u64 data = (u64)cmd->t_task_nolb * cmd->se_dev->dev_attrib.block_size;

	if (cmd->data_length >= data + cmd->prot_length)
		cmd->data_length -= cmd->prot_length;
}

/**
 * sbc_setup_prot - what a command does with protection information
 * @cmd:	command whose LBA and number of blocks are decoded
 * @op:		its entry
 * @protect:	RDPROTECT, WRPROTECT, VRPROTECT or ORPROTECT
 *
 * Return: 0, or TCM_INVALID_CDB_FIELD if the device or the nexus lacks what is asked for.
 */
sense_reason_t sbc_setup_prot(struct se_cmd *cmd, const struct cdb_op *op, u8 protect)
{
	struct se_device *dev = cmd->se_dev;
	enum target_prot_type medium = dev->dev_attrib.pi_prot_type;
	enum target_prot_type type = medium ?: cmd->se_sess->sess_prot_type;
	/* With prot_pto what is between initiator and target port ends at the port. */
	bool fabric = protect && !cmd->prot_pto;
	bool writes = op->flags & CDB_WRITES;
	int checks = prot_checks(protect);

	cmd->prot_op = TARGET_PROT_NORMAL;
	if (likely(!type))
		return protect ? TCM_INVALID_CDB_FIELD : 0;
	/* Those that read, compare and write do so without it. */
	if (!(op->flags & CDB_BLOCKS) || op->setup || op->opcode == ORWRITE_16)
		return protect ? TCM_INVALID_CDB_FIELD : 0;
	if (checks < 0)
		return TCM_INVALID_CDB_FIELD;
	cmd->prot_op = prot_op(writes, fabric, medium);
	if (cmd->prot_op == TARGET_PROT_NORMAL)
		return 0;
	if (fabric && !fabric_passes(cmd->se_sess, writes, cmd->prot_op))
		return TCM_INVALID_CDB_FIELD;

	cmd->prot_type = type;
	cmd->prot_checks = checks;
	cmd->prot_length = dev->prot_length * cmd->t_task_nolb;
	cmd->reftag_seed = type == TARGET_DIF_TYPE2_PROT && op->len == 32 ?
			   get_unaligned_be32(&cmd->t_task_cdb[20]) : lower_32_bits(cmd->t_task_lba);
	if (fabric)
		count_data(cmd);
	return 0;
}
