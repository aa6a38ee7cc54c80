// SPDX-License-Identifier: GPL-2.0
/*
 * Logical block provisioning: UNMAP, WRITE SAME, GET LBA STATUS.
 */
#include "sbc_job.h"

#include <linux/slab.h>

#include "backstore_ops.h"
#include "cdb.h"

#define UNMAP_HEADER	8
#define UNMAP_DESC	16

/*
 * Descriptors of an UNMAP parameter list of @len bytes, without those that are
 * cut off (SBC-4 5.30.2). Negative: the list has no header. Pure.
 */
static int unmap_count(const u8 *list, size_t len)
{
	size_t bytes;

	if (len < UNMAP_HEADER)
		return -EINVAL;
	bytes = min_t(size_t, get_unaligned_be16(&list[2]), len - UNMAP_HEADER);
	return bytes / UNMAP_DESC;
}

static void unmap_desc(const u8 *list, unsigned int i, u64 *lba, u32 *nolb)
{
	const u8 *desc = list + UNMAP_HEADER + i * UNMAP_DESC;

	*lba = get_unaligned_be64(&desc[0]);
	*nolb = get_unaligned_be32(&desc[8]);
}

/* All of the list is checked before any of it is done. */
static sense_reason_t unmap_check(const struct se_device *dev, const u8 *list, unsigned int count)
{
	const struct se_dev_attrib *attrib = &dev->dev_attrib;
	u64 blocks = dev_blocks(dev);
	u64 total = 0;
	unsigned int i;

	if (count > attrib->max_unmap_block_desc_count)
		return TCM_INVALID_PARAMETER_LIST;
	for (i = 0; i < count; i++) {
		u64 lba;
		u32 nolb;

		unmap_desc(list, i, &lba, &nolb);
		total += nolb;
		if (total > attrib->max_unmap_lba_count)
			return TCM_INVALID_PARAMETER_LIST;
		if (lba > blocks || nolb > blocks - lba)
			return TCM_ADDRESS_OUT_OF_RANGE;
	}
	return 0;
}

static sense_reason_t unmap_run(struct se_cmd *cmd, const u8 *list, unsigned int count)
{
	struct exec_cmd_ops *ops = cmd_exec_ops(cmd);
	unsigned int i;

	for (i = 0; i < count; i++) {
		sense_reason_t ret;
		u64 lba;
		u32 nolb;

		unmap_desc(list, i, &lba, &nolb);
		ret = nolb ? ops->execute_unmap(cmd, lba, nolb) : 0;
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * sbc_setup_unmap - UNMAP
 * @cmd:	the command
 * @ops:	the backend's
 * @size:	is set to the parameter list length
 *
 * Return: 0 or TCM_UNSUPPORTED_SCSI_OPCODE.
 */
sense_reason_t sbc_setup_unmap(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)
{
	*size = get_unaligned_be16(&cmd->t_task_cdb[7]);
	return ops->execute_unmap ? 0 : TCM_UNSUPPORTED_SCSI_OPCODE;
}

/**
 * sbc_unmap - UNMAP
 * @cmd:	the command
 *
 * Return: 0 or why not. Context: process.
 */
sense_reason_t sbc_unmap(struct se_cmd *cmd)
{
	size_t len = min_t(size_t, get_unaligned_be16(&cmd->t_task_cdb[7]), cmd->data_length);
	sense_reason_t ret;
	u8 *list;
	int count;

	if (!get_unaligned_be16(&cmd->t_task_cdb[7])) {
		target_complete_cmd(cmd, SAM_STAT_GOOD);
		return 0;
	}
	/* A copy: the initiator may still write to its memory. */
	list = kmalloc(max_t(size_t, len, UNMAP_HEADER), GFP_NOIO);
	if (!list)
		return TCM_OUT_OF_RESOURCES;
	len = cmd_fetch(cmd, 0, list, len);
	count = unmap_count(list, len);
	ret = count < 0 ? TCM_PARAMETER_LIST_LENGTH_ERROR : unmap_check(cmd->se_dev, list, count);
	if (!ret)
		ret = unmap_run(cmd, list, count);
	kfree(list);
	if (!ret)
		target_complete_cmd(cmd, SAM_STAT_GOOD);
	return ret;
}

/* WRITE SAME */

#define WS_NDOB		0x01
#define WS_UNMAP	0x08

static u8 write_same_options(const struct se_cmd *cmd)
{
	return cmd->t_task_cdb[cmd->t_task_cdb[0] == VARIABLE_LENGTH_CMD ? 10 : 1];
}

/* WRITE SAME (10) has no NDOB, and its usage bits refuse the bit. */
static bool has_ndob(const struct se_cmd *cmd)
{
	return write_same_options(cmd) & WS_NDOB;
}

/**
 * sbc_setup_write_same - WRITE SAME (10), (16), (32)
 * @cmd:	the command
 * @ops:	the backend's
 * @size:	is set to one block, or none with NDOB
 *
 * Return: 0 or TCM_INVALID_CDB_FIELD.
 */
sense_reason_t sbc_setup_write_same(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)
{
	u32 max = cmd->se_dev->dev_attrib.max_write_same_len;

	/* WSNZ is one (VPD B0h) */
	if (!cmd->t_task_nolb || (max && cmd->t_task_nolb > max))
		return TCM_INVALID_CDB_FIELD;
	if ((write_same_options(cmd) & WS_UNMAP) && !ops->execute_unmap)
		return TCM_INVALID_CDB_FIELD;
	*size = has_ndob(cmd) ? 0 : cmd->se_dev->dev_attrib.block_size;
	return 0;
}

/* The block to write into @block; false: the initiator sent less than one. */
static bool write_same_block(struct se_cmd *cmd, u8 *block, u32 block_size)
{
	if (has_ndob(cmd)) {
		memset(block, 0, block_size);
		return true;
	}
	return cmd->data_length >= block_size && cmd_fetch(cmd, 0, block, block_size) == block_size;
}

static void write_same_next(struct sbc_job *job)
{
	if (sbc_job_advance(job))
		sbc_job_step(job, DMA_TO_DEVICE);
	else
		sbc_job_end(job, 0);
}

/* Where the backend has no shorter way: the block is written again and again. */
static sense_reason_t write_same_by_writing(struct se_cmd *cmd, u8 *block, u32 block_size)
{
	struct sbc_job *job = sbc_job_create(cmd, cmd->t_task_lba, cmd->t_task_nolb);

	if (!job)
		return TCM_OUT_OF_RESOURCES;
	sbc_job_fill(job, block, block_size);
	job->next = write_same_next;
	sbc_job_step(job, DMA_TO_DEVICE);
	return 0;
}

static sense_reason_t write_same_run(struct se_cmd *cmd, u8 *block, u32 block_size)
{
	struct exec_cmd_ops *ops = cmd_exec_ops(cmd);
	sense_reason_t ret;

	/*
	 * Unmapped blocks must read as what was to be written (SBC-4 5.49): zeros,
	 * if that is what the device then gives.
	 */
	if ((write_same_options(cmd) & WS_UNMAP) && cmd->se_dev->dev_attrib.unmap_zeroes_data &&
	    !memchr_inv(block, 0, block_size)) {
		ret = ops->execute_unmap(cmd, cmd->t_task_lba, cmd->t_task_nolb);
		if (!ret)
			target_complete_cmd(cmd, SAM_STAT_GOOD);
		return ret;
	}
	if (ops->execute_write_same && !has_ndob(cmd))
		return ops->execute_write_same(cmd);
	return write_same_by_writing(cmd, block, block_size);
}

/**
 * sbc_write_same - WRITE SAME (10), (16), (32)
 * @cmd:	the command
 *
 * Return: 0 or why not. Context: process.
 */
sense_reason_t sbc_write_same(struct se_cmd *cmd)
{
	u32 block_size = cmd->se_dev->dev_attrib.block_size;
	u8 *block = kmalloc(block_size, GFP_NOIO);
	sense_reason_t ret = TCM_INVALID_CDB_FIELD;

	if (!block)
		return TCM_OUT_OF_RESOURCES;
	if (write_same_block(cmd, block, block_size))
		ret = write_same_run(cmd, block, block_size);
	kfree(block);
	return ret;
}

/* GET LBA STATUS */

#define LBA_STATUS_HEADER	8
#define LBA_STATUS_DESC		16
#define LBA_STATUS_MAX		32	/* descriptors in an answer; the initiator asks again */

/**
 * sbc_setup_lba_status - GET LBA STATUS (16)
 * @cmd:	the command
 * @ops:	the backend's
 * @size:	is set to the allocation length
 *
 * Return: 0, TCM_ADDRESS_OUT_OF_RANGE for the block after the last.
 */
sense_reason_t sbc_setup_lba_status(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)
{
	if (cmd->t_task_lba >= dev_blocks(cmd->se_dev))
		return TCM_ADDRESS_OUT_OF_RANGE;
	return cdb_setup_alloc_10_32(cmd, ops, size);
}

/*
 * Where no one can tell, a block counts as mapped; so it does on a unit that is
 * fully provisioned, which it is as long as READ CAPACITY (16) says LBPME=0.
 */
static bool lba_is_mapped(struct se_device *dev, u64 lba, u64 *nolb)
{
	const struct backstore_ops *ops = dev_backstore_ops(dev);

	if (!dev->dev_attrib.emulate_tpu && !dev->dev_attrib.emulate_tpws)
		return true;
	return !ops || !ops->is_mapped || ops->is_mapped(dev, lba, nolb);
}

/**
 * sbc_lba_status - GET LBA STATUS (16), SBC-4 5.6
 * @cmd:	the command
 *
 * Return: 0. Context: process.
 */
sense_reason_t sbc_lba_status(struct se_cmd *cmd)
{
	u32 alloc = get_unaligned_be32(&cmd->t_task_cdb[10]);
	struct se_device *dev = cmd->se_dev;
	u8 buf[LBA_STATUS_HEADER + LBA_STATUS_MAX * LBA_STATUS_DESC] = { };
	unsigned int room = alloc > LBA_STATUS_HEADER ? (alloc - LBA_STATUS_HEADER) / LBA_STATUS_DESC : 0;
	u64 blocks = dev_blocks(dev);
	u64 lba = cmd->t_task_lba;
	unsigned int len = LBA_STATUS_HEADER;

	room = clamp(room, 1U, (unsigned int)LBA_STATUS_MAX);
	for (; room && lba < blocks; room--, len += LBA_STATUS_DESC) {
		u64 nolb = min_t(u64, blocks - lba, U32_MAX);
		bool mapped = lba_is_mapped(dev, lba, &nolb);

		put_unaligned_be64(lba, &buf[len]);
		put_unaligned_be32(nolb, &buf[len + 8]);
		/* PROVISIONING STATUS: mapped or deallocated */
		buf[len + 12] = mapped ? 0 : 1;
		lba += nolb;
	}
	put_unaligned_be32(len - 4, &buf[0]);
	cmd_reply(cmd, buf, len);
	return 0;
}
