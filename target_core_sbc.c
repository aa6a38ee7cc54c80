// SPDX-License-Identifier: GPL-2.0
/*
 * Block commands that are one call of the backend, or none.
 */
#include "core.h"

#include "cdb.h"

/**
 * sbc_rw - READ and WRITE of any length
 * @cmd:	the command
 *
 * Return: 0 or why the backend does not start it. Context: as the backend allows.
 */
sense_reason_t sbc_rw(struct se_cmd *cmd)
{
	if (unlikely(!cmd->data_length || !cmd->t_task_nolb)) {
		target_complete_cmd(cmd, SAM_STAT_GOOD);
		return 0;
	}
	return cmd_exec_ops(cmd)->execute_rw(cmd, cmd->t_data_sg, cmd->t_data_nents,
					     cmd->data_direction);
}

/**
 * sbc_setup_read_capacity_10 - READ CAPACITY (10)
 * @cmd:	the command
 * @ops:	the backend's
 * @size:	is set to the length of the answer; the CDB has no allocation length
 *
 * Return: 0.
 */
sense_reason_t sbc_setup_read_capacity_10(struct se_cmd *cmd, struct exec_cmd_ops *ops,
					  unsigned int *size)
{
	*size = READ_CAP_LEN;
	return 0;
}

/**
 * sbc_read_capacity_10 - READ CAPACITY (10), SBC-4 5.20
 * @cmd:	the command
 *
 * Return: 0.
 */
sense_reason_t sbc_read_capacity_10(struct se_cmd *cmd)
{
	struct se_device *dev = cmd->se_dev;
	u64 last = dev->transport->get_blocks(dev);
	u8 buf[READ_CAP_LEN];

	put_unaligned_be32(min_t(u64, last, U32_MAX), &buf[0]);
	put_unaligned_be32(dev->dev_attrib.block_size, &buf[4]);
	cmd_reply(cmd, buf, sizeof(buf));
	return 0;
}

/**
 * sbc_read_capacity_16 - READ CAPACITY (16), SBC-4 5.21
 * @cmd:	the command
 *
 * Return: 0.
 */
sense_reason_t sbc_read_capacity_16(struct se_cmd *cmd)
{
	struct se_device *dev = cmd->se_dev;
	const struct target_backend_ops *backend = dev->transport;
	enum target_prot_type prot = cmd_prot_type(cmd);
	u8 buf[32] = { };
	u16 aligned = 0;

	put_unaligned_be64(backend->get_blocks(dev), &buf[0]);
	put_unaligned_be32(dev->dev_attrib.block_size, &buf[8]);
	/* P_TYPE, PROT_EN */
	if (prot)
		buf[12] = (prot - 1) << 1 | 0x01;
	if (backend->get_lbppbe)
		buf[13] = backend->get_lbppbe(dev) & 0x0f;
	if (backend->get_alignment_offset_lbas)
		aligned = backend->get_alignment_offset_lbas(dev) & 0x3fff;
	/* LBPME, LBPRZ */
	if (dev->dev_attrib.emulate_tpu || dev->dev_attrib.emulate_tpws) {
		aligned |= 0x8000;
		if (dev->dev_attrib.unmap_zeroes_data)
			aligned |= 0x4000;
	}
	put_unaligned_be16(aligned, &buf[14]);
	cmd_reply(cmd, buf, sizeof(buf));
	return 0;
}

/**
 * sbc_sync_cache - SYNCHRONIZE CACHE (10), (16)
 * @cmd:	the command, with its range; IMMED is for the backend to look at
 *
 * Return: 0 or why the backend does not start it. Context: process.
 */
sense_reason_t sbc_sync_cache(struct se_cmd *cmd)
{
	struct exec_cmd_ops *ops = cmd_exec_ops(cmd);

	if (ops->execute_sync_cache)
		return ops->execute_sync_cache(cmd);
	target_complete_cmd(cmd, SAM_STAT_GOOD);
	return 0;
}

/**
 * sbc_no_medium_access - PRE-FETCH, SEEK (10), START STOP UNIT
 * @cmd:	the command, checked
 *
 * PRE-FETCH is GOOD rather than CONDITION MET: nothing says that all blocks
 * will be in a cache (SBC-4 5.13).
 *
 * Return: 0.
 */
sense_reason_t sbc_no_medium_access(struct se_cmd *cmd)
{
	target_complete_cmd(cmd, SAM_STAT_GOOD);
	return 0;
}

/**
 * sbc_setup_start_stop - START STOP UNIT
 * @cmd:	the command
 * @ops:	the backend's
 * @size:	left as it is
 *
 * Return: 0, TCM_INVALID_CDB_FIELD for stopping, which others would notice.
 */
sense_reason_t sbc_setup_start_stop(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)
{
	return cmd->t_task_cdb[4] & 0x01 ? 0 : TCM_INVALID_CDB_FIELD;
}

/**
 * sbc_read_defect_data - READ DEFECT DATA (10), (12)
 * @cmd:	the command
 *
 * Both lists are empty, in whatever format they are asked for.
 *
 * Return: 0.
 */
sense_reason_t sbc_read_defect_data(struct se_cmd *cmd)
{
	bool long_form = cmd->t_task_cdb[0] == READ_DEFECT_DATA_12;
	u8 buf[8] = { };

	buf[1] = cmd->t_task_cdb[long_form ? 1 : 2] & 0x1f;
	cmd_reply(cmd, buf, long_form ? 8 : 4);
	return 0;
}

/**
 * sbc_get_write_same_sectors - how many blocks WRITE SAME is to write
 * @cmd:	the command
 *
 * Return: the CDB's number; where that is 0, the blocks from its LBA to the last.
 */
sector_t sbc_get_write_same_sectors(struct se_cmd *cmd)
{
	const struct cdb_op *op = cdb_find(cmd->t_task_cdb);
	u32 nolb = 0;
	u64 lba;

	if (op)
		cdb_decode(op, cmd->t_task_cdb, &lba, &nolb);
	return nolb ?: dev_blocks(cmd->se_dev) - cmd->t_task_lba;
}

/**
 * sbc_get_device_rev - VERSION of INQUIRY
 * @dev:	a block device
 *
 * Return: SPC-4.
 */
u32 sbc_get_device_rev(struct se_device *dev)
{
	return 0x06;
}

/**
 * sbc_get_device_type - PERIPHERAL DEVICE TYPE of INQUIRY
 * @dev:	a block device
 *
 * Return: a direct access block device.
 */
u32 sbc_get_device_type(struct se_device *dev)
{
	return TYPE_DISK;
}
