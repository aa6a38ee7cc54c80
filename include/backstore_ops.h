/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What our backstores tell our core beyond struct target_backend_ops: that one is
 * the distribution's, and with a member more its symbol versions would differ.
 *
 * A backstore embeds its ops in struct backstore_ops and sets DF_BACKSTORE_OPS in
 * se_device::dev_flags when it is configured. The distribution's core ignores
 * that flag and the distribution's backstores never set it; without it nobody
 * looks beyond struct target_backend_ops.
 */
#ifndef LIO_BACKSTORE_OPS_H
#define LIO_BACKSTORE_OPS_H

#include <target/target_core_backend.h>
#include <target/target_core_base.h>

/* Far from the public flags, which are counted from bit 0. */
#define DF_BACKSTORE_OPS	0x40000000

/* Another one means another struct backstore_ops: then there is none. */
#define BACKSTORE_OPS_VERSION	1

/**
 * struct backstore_atomic - what WRITE ATOMIC may write, in logical blocks (SBC-4 6.6.4)
 * @max:	at a time; 0: nothing is written atomically
 * @alignment:	of the first block; 0: any
 * @granularity: of the number of blocks; 0: any
 */
struct backstore_atomic {
	u32 max, alignment, granularity;
};

/**
 * struct backstore_ops - a backstore as our core sees it; each function may be NULL
 * @ops:	what is registered
 * @version:	BACKSTORE_OPS_VERSION
 * @is_mapped:	for GET LBA STATUS: true if block @lba has room on the medium;
 *		cuts *@nolb, not 0, to how many from @lba on are alike. May sleep.
 * @erase:	for SANITIZE: the blocks' data cannot be had again, as far as the
 *		medium lets one do that, and read without an error. With no blocks
 *		it tells whether it can. 0 or a negative error; may sleep.
 * @atomic:	sets @limits for WRITE ATOMIC, whose execute_rw() then sees the CDB;
 *		the core runs no other command of the device beside one. Never sleeps.
 */
struct backstore_ops {
	struct target_backend_ops ops;
	unsigned int version;
	bool (*is_mapped)(struct se_device *dev, u64 lba, u64 *nolb);
	int (*erase)(struct se_device *dev, u64 lba, u64 nolb);
	void (*atomic)(struct se_device *dev, struct backstore_atomic *limits);
};

/**
 * dev_backstore_ops - what a device's backstore tells beyond the public interface
 * @dev:	configured device
 *
 * Return: NULL where that is nothing.
 */
static inline const struct backstore_ops *dev_backstore_ops(const struct se_device *dev)
{
	const struct backstore_ops *ops;

	if (!(dev->dev_flags & DF_BACKSTORE_OPS))
		return NULL;
	ops = container_of(dev->transport, struct backstore_ops, ops);
	return ops->version == BACKSTORE_OPS_VERSION ? ops : NULL;
}

/**
 * backstore_is_atomic - must the backstore write all of this or nothing?
 * @cmd:	a command that execute_rw() got
 *
 * Return: true for WRITE ATOMIC.
 */
static inline bool backstore_is_atomic(const struct se_cmd *cmd)
{
	return cmd->t_task_cdb[0] == WRITE_ATOMIC_16;
}

#endif /* LIO_BACKSTORE_OPS_H */
