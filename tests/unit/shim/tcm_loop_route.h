/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What loopback/route.c sees of tcm_loop. Force-included in place of tcm_loop.h,
 * most of which is about the SCSI midlayer.
 */
#ifndef TCM_LOOP_H
#define TCM_LOOP_H

#include <linux/kernel.h>
#include <scsi/scsi_proto.h>
#include <target/target_core_base.h>

#include "../../../loopback/route.h"

struct tcm_loop_link {
	enum tcm_loop_backend backend;
};

struct tcm_loop_lun {
	struct tcm_loop_link *link;
};

struct scsi_cmnd {
	unsigned short cmd_len;
	unsigned char cmnd[32];
};

static inline u16 get_unaligned_be16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

#endif /* TCM_LOOP_H */
