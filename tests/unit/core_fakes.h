/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device around the core's parser and block commands, without the rest of the
 * core: no job ever starts, what it would be made for is counted.
 */
#ifndef CORE_FAKES_H
#define CORE_FAKES_H

#include "cdb.h"

#ifdef __cplusplus
extern "C" {
#endif

struct core_fakes {
	u64 last_lba;
	/* What the initiator sends */
	const u8 *out;
	size_t out_len;
	/* What became of a command */
	unsigned int size;
	unsigned int nr_completed;
	unsigned int nr_jobs;
	/* What the backend was asked to unmap */
	unsigned int nr_unmaps;
	u64 unmapped;
	u64 unmap_end;
	/* What WRITE ATOMIC may write */
	u32 atomic_max, atomic_alignment, atomic_granularity;
	/* Unit attentions for all nexuses, and the last one's codes */
	unsigned int nr_attentions;
	u16 attention;
};

extern struct core_fakes core_fakes;
/* Makes @dev one of the fake backend. */
void core_fake_device(struct se_device *dev);
extern struct exec_cmd_ops core_fake_ops;

#ifdef __cplusplus
}
#endif

#endif /* CORE_FAKES_H */
