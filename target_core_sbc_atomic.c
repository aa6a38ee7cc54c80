// SPDX-License-Identifier: GPL-2.0
/*
 * WRITE ATOMIC: the backstore writes all blocks or none, and the core lets no
 * other command of the device see it done by halves.
 */
#include "core.h"

#include <linux/math64.h>

#include "backstore_ops.h"
#include "cdb.h"

/**
 * dev_atomic - what WRITE ATOMIC may write
 * @dev:	configured device
 * @limits:	set; nothing where the backstore does not tell
 */
void dev_atomic(const struct se_device *dev, struct backstore_atomic *limits)
{
	const struct backstore_ops *ops = dev_backstore_ops(dev);

	memset(limits, 0, sizeof(*limits));
	if (ops && ops->atomic)
		ops->atomic((struct se_device *)dev, limits);
}

/**
 * sbc_setup_write_atomic - WRITE ATOMIC (16)
 * @cmd:	the command
 * @ops:	the backend's
 * @size:	left as it is
 *
 * It runs alone, as if it were ORDERED: the reads and writes of other commands
 * come before it or after it, whatever bios or pages they are made of.
 *
 * Return: 0 or TCM_INVALID_CDB_FIELD.
 */
sense_reason_t sbc_setup_write_atomic(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)
{
	struct backstore_atomic limits;
	u32 misaligned;

	dev_atomic(cmd->se_dev, &limits);
	if (cmd->t_task_nolb > limits.max)
		return TCM_INVALID_CDB_FIELD;
	if (limits.granularity && cmd->t_task_nolb % limits.granularity)
		return TCM_INVALID_CDB_FIELD;
	if (limits.alignment) {
		div_u64_rem(cmd->t_task_lba, limits.alignment, &misaligned);
		if (misaligned)
			return TCM_INVALID_CDB_FIELD;
	}
	cmd_wait_for_others(cmd);
	return 0;
}
