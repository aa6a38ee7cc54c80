// SPDX-License-Identifier: GPL-2.0
/*
 * From a CDB to a command that can run: what the opcode table says is checked
 * and taken over into struct se_cmd. Nothing here waits or allocates.
 */
#include "core.h"

#include "cdb.h"

#define ASC_PARAMETERS_CHANGED		0x2a
#define ASCQ_CAPACITY_CHANGED		0x09

/**
 * dev_write_cache - does the device keep what was written in a volatile cache?
 * @dev:	configured device
 *
 * Return: as VPD page 86h (V_SUP) and the caching mode page (WCE) tell it.
 */
bool dev_write_cache(const struct se_device *dev)
{
	if (dev->transport->get_write_cache)
		return dev->transport->get_write_cache((struct se_device *)dev);
	return dev->dev_attrib.emulate_write_cache;
}

/**
 * dev_dpofua - are DPO and FUA taken?
 * @dev:	configured device
 *
 * Return: DPOFUA of the mode parameter header (SBC-4 6.5.1).
 */
bool dev_dpofua(const struct se_device *dev)
{
	return dev->dev_attrib.emulate_fua_write && dev_write_cache(dev);
}

/**
 * dev_blocks - blocks of the medium
 * @dev:	configured device
 *
 * Return: their number; the backend knows the last LBA.
 */
u64 dev_blocks(const struct se_device *dev)
{
	u64 last = dev->transport->get_blocks((struct se_device *)dev);

	return last == U64_MAX ? last : last + 1;
}

static sense_reason_t setup_alloc(unsigned int len, unsigned int *size)
{
	*size = len;
	return 0;
}

#define CDB_SETUP_ALLOC(name, expr)							\
sense_reason_t name(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)	\
{											\
	const u8 *cdb = cmd->t_task_cdb;						\
											\
	return setup_alloc(expr, size);							\
}

CDB_SETUP_ALLOC(cdb_setup_alloc_6, cdb[4])
CDB_SETUP_ALLOC(cdb_setup_alloc_3, get_unaligned_be16(&cdb[3]))
CDB_SETUP_ALLOC(cdb_setup_alloc_7, get_unaligned_be16(&cdb[7]))
CDB_SETUP_ALLOC(cdb_setup_alloc_6_24, get_unaligned_be24(&cdb[6]))
CDB_SETUP_ALLOC(cdb_setup_alloc_6_32, get_unaligned_be32(&cdb[6]))
CDB_SETUP_ALLOC(cdb_setup_alloc_10_32, get_unaligned_be32(&cdb[10]))

/* The entry of a command that the core executes on this device, or why there is none. */
static sense_reason_t lookup(const struct se_cmd *cmd, const struct cdb_op **op)
{
	const struct se_device *dev = cmd->se_dev;

	*op = cdb_find(cmd->t_task_cdb);
	if (!*op || !cdb_enabled(*op, dev))
		return cdb_opcode_enabled(cmd->t_task_cdb[0], dev) ? TCM_INVALID_CDB_FIELD :
								     TCM_UNSUPPORTED_SCSI_OPCODE;
	if (!cdb_usage_check(*op, cmd->t_task_cdb, dev))
		return TCM_INVALID_CDB_FIELD;
	/* ADDITIONAL CDB LENGTH */
	if ((*op)->opcode == VARIABLE_LENGTH_CMD && cmd->t_task_cdb[7] != (*op)->len - 8)
		return TCM_INVALID_CDB_FIELD;
	return 0;
}

/*
 * Blocks of the medium as the command finds it. Nobody tells the core when a file
 * or a disk is resized: the first command after it does, before the gate where
 * initiators get unit attentions.
 */
static u64 count_blocks(struct se_device *dev)
{
	struct core_dev *cdev = to_core_dev(dev);
	u64 before = READ_ONCE(cdev->blocks);
	u64 blocks = dev_blocks(dev);

	if (unlikely(blocks != before) && cmpxchg64(&cdev->blocks, before, blocks) == before && before)
		ua_allocate_dev(dev, NULL, ASC_PARAMETERS_CHANGED, ASCQ_CAPACITY_CHANGED);
	return blocks;
}

/* A count of 0 takes no block, which may then even be the one after the last (SBC-4 5.1). */
static bool on_medium(u64 blocks, u64 lba, u32 nolb)
{
	return lba <= blocks && nolb <= blocks - lba;
}

static void decode_blocks(struct se_cmd *cmd, const struct cdb_op *op)
{
	u64 lba;
	u32 nolb;

	cdb_decode(op, cmd->t_task_cdb, &lba, &nolb);
	cmd->t_task_lba = lba;
	cmd->t_task_nolb = nolb;
}

static sense_reason_t setup_blocks(struct se_cmd *cmd, const struct cdb_op *op, unsigned int *size)
{
	struct se_device *dev = cmd->se_dev;
	u64 bytes;

	if ((op->flags & CDB_RANGE) && !on_medium(count_blocks(dev), cmd->t_task_lba, cmd->t_task_nolb))
		return TCM_ADDRESS_OUT_OF_RANGE;
	if (!(op->flags & CDB_BLOCKS))
		return 0;

	bytes = (u64)cmd->t_task_nolb * dev->dev_attrib.block_size;
	if (bytes > U32_MAX)
		return TCM_INVALID_CDB_FIELD;
	*size = bytes;
	cmd->se_cmd_flags |= SCF_SCSI_DATA_CDB;
	return 0;
}

static sense_reason_t setup_options(struct se_cmd *cmd, const struct cdb_op *op)
{
	u8 options = cmd->t_task_cdb[op->len == 32 ? 10 : 1];

	/* FUA_NV: no cache here is non-volatile, so it is FUA (SBC-3 table 16) */
	if ((op->flags & CDB_FUA) && (options & 0x0a))
		cmd->se_cmd_flags |= SCF_FUA;
	if (op->flags & CDB_PROTECT)
		return sbc_setup_prot(cmd, op, options >> 5);
	return 0;
}

/* Nobody writes into what an initiator wants to send, nor takes what it wants to get. */
static bool direction_fits(const struct se_cmd *cmd, const struct cdb_op *op, unsigned int size)
{
	if (!size || !cmd->data_length)
		return true;
	return cmd->data_direction == (op->flags & CDB_OUT ? DMA_TO_DEVICE : DMA_FROM_DEVICE) ||
	       cmd->data_direction == DMA_BIDIRECTIONAL;
}

static sense_reason_t drop_data(struct se_cmd *cmd)
{
	cmd->se_cmd_flags |= SCF_UNDERFLOW_BIT;
	cmd->residual_count = cmd->data_length;
	target_complete_cmd(cmd, SAM_STAT_GOOD);
	return 0;
}

/*
 * The fabric says the other direction than the CDB. Initiators expect that a
 * read is GOOD then (iscsi-test-cu, Read10Invalid): it takes the data, uses none
 * of them and says so by the residual. More than the CDB has is refused, and all else.
 */
static sense_reason_t other_direction(struct se_cmd *cmd, unsigned int *size)
{
	if (!(cmd->se_cmd_flags & SCF_SCSI_DATA_CDB) || cmd->data_direction != DMA_TO_DEVICE ||
	    cmd->data_length > *size)
		return TCM_INVALID_CDB_FIELD;
	*size = cmd->data_length;
	cmd->prot_op = TARGET_PROT_NORMAL;
	cmd->prot_length = 0;
	cmd->execute_cmd = drop_data;
	return 0;
}

static sense_reason_t parse(struct se_cmd *cmd, const struct cdb_op *op, struct exec_cmd_ops *ops,
			    unsigned int *size)
{
	sense_reason_t ret;

	*size = 0;
	cmd->execute_cmd = op->execute;
	if (op->layout != CDB_NO_LBA)
		decode_blocks(cmd, op);
	/* What is wrong with the CDB anywhere comes before what is wrong with it on this medium. */
	if (op->flags & (CDB_FUA | CDB_PROTECT)) {
		ret = setup_options(cmd, op);
		if (ret)
			return ret;
	}
	if (op->layout != CDB_NO_LBA) {
		ret = setup_blocks(cmd, op, size);
		if (ret)
			return ret;
	}
	if (op->setup) {
		ret = op->setup(cmd, ops, size);
		if (ret)
			return ret;
	}
	return direction_fits(cmd, op, *size) ? 0 : other_direction(cmd, size);
}

/**
 * spc_parse_cdb - prepares a command that every type of device has
 * @cmd:	command with CDB, device and expected data length
 * @size:	is set to the bytes that the CDB lets it transfer
 *
 * For backends that know the other commands themselves: they compare @size
 * with what the fabric expects.
 *
 * Return: 0, or why it cannot run; TCM_UNSUPPORTED_SCSI_OPCODE for what is not
 * in SPC. Context: any.
 */
sense_reason_t spc_parse_cdb(struct se_cmd *cmd, unsigned int *size)
{
	const struct cdb_op *op;
	sense_reason_t ret = lookup(cmd, &op);

	if (ret)
		return ret;
	if (op->flags & CDB_SBC)
		return TCM_UNSUPPORTED_SCSI_OPCODE;
	return parse(cmd, op, NULL, size);
}

/**
 * sbc_parse_cdb - prepares a command for a block device
 * @cmd:	command with CDB, device and expected data length
 * @ops:	what the backend does itself; must live as long as the command
 *
 * Return: 0, with cmd->execute_cmd set, or why it cannot run. Context: any.
 */
sense_reason_t sbc_parse_cdb(struct se_cmd *cmd, struct exec_cmd_ops *ops)
{
	const struct cdb_op *op;
	unsigned int size;
	sense_reason_t ret;

	ret = lookup(cmd, &op);
	if (ret)
		return ret;
	cmd->protocol_data = ops;
	if (!(op->flags & CDB_RANGE))
		count_blocks(cmd->se_dev);
	ret = parse(cmd, op, ops, &size);
	if (ret)
		return ret;
	return target_cmd_size_check(cmd, size);
}

/* Operation codes that the core answers in a passthrough device's place, if it has them. */
static bool is_reservation(u8 opcode)
{
	switch (opcode) {
	case PERSISTENT_RESERVE_IN:
	case PERSISTENT_RESERVE_OUT:
	case RESERVE:
	case RELEASE:
	case RESERVE_10:
	case RELEASE_10:
		return true;
	}
	return false;
}

/* What a tape reads may be less than the buffer: nothing of that is known to be filled. */
static bool is_tape(struct se_device *dev)
{
	return dev->transport->get_device_type(dev) == TYPE_TAPE;
}

static sense_reason_t parse_report_luns(struct se_cmd *cmd)
{
	unsigned int size;
	sense_reason_t ret = spc_parse_cdb(cmd, &size);

	return ret ?: target_cmd_size_check(cmd, size);
}

/**
 * passthrough_parse_cdb - prepares a command that something below executes
 * @cmd:	command with CDB, device and expected data length
 * @exec_cmd:	sends it there
 *
 * How much data there are is for the fabric to say. REPORT LUNS is the core's
 * to answer: the LUNs are its own.
 *
 * Return: 0, with cmd->execute_cmd set, or why it cannot run. Context: any.
 */
sense_reason_t passthrough_parse_cdb(struct se_cmd *cmd,
				     sense_reason_t (*exec_cmd)(struct se_cmd *cmd))
{
	u8 *cdb = cmd->t_task_cdb;
	const struct cdb_op *op;

	if (cdb[0] == REPORT_LUNS)
		return parse_report_luns(cmd);
	if (is_reservation(cdb[0]) &&
	    !(cmd->se_dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH_PGR))
		return TCM_UNSUPPORTED_SCSI_OPCODE;

	op = cdb_find(cdb);
	if (op && (op->flags & CDB_BLOCKS) && !is_tape(cmd->se_dev))
		cmd->se_cmd_flags |= SCF_SCSI_DATA_CDB;
	/* A SCSI-2 initiator puts its LUN, which means nothing below, where byte 1 is reserved now. */
	if (op && op->opcode != VARIABLE_LENGTH_CMD && !(op->usage[1] & 0xe0))
		cdb[1] &= 0x1f;
	cmd->execute_cmd = exec_cmd;
	return 0;
}
