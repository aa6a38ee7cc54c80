/* SPDX-License-Identifier: GPL-2.0 */
/* SAM-5, table 43: status codes; SPC-5: operation codes that the code tells apart. */
#ifndef SHIM_SCSI_PROTO_H
#define SHIM_SCSI_PROTO_H

enum {
	SAM_STAT_GOOD			= 0x00,
	SAM_STAT_CHECK_CONDITION	= 0x02,
	SAM_STAT_CONDITION_MET		= 0x04,
	SAM_STAT_BUSY			= 0x08,
	SAM_STAT_RESERVATION_CONFLICT	= 0x18,
	SAM_STAT_TASK_SET_FULL		= 0x28,
	SAM_STAT_ACA_ACTIVE		= 0x30,
	SAM_STAT_TASK_ABORTED		= 0x40,
};

#define VARIABLE_LENGTH_CMD	0x7f

#endif /* SHIM_SCSI_PROTO_H */
