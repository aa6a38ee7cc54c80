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

/* SPC-5 and SBC-4: operation codes, and service actions of variable length CDBs. */
enum {
	READ_6			= 0x08,
	WRITE_6			= 0x0a,
	RESERVE			= 0x16,
	RELEASE			= 0x17,
	READ_10			= 0x28,
	WRITE_10		= 0x2a,
	RESERVE_10		= 0x56,
	RELEASE_10		= 0x57,
	PERSISTENT_RESERVE_IN	= 0x5e,
	PERSISTENT_RESERVE_OUT	= 0x5f,
	VARIABLE_LENGTH_CMD	= 0x7f,
	EXTENDED_COPY		= 0x83,
	RECEIVE_COPY_RESULTS	= 0x84,
	READ_16			= 0x88,
	WRITE_16		= 0x8a,
	REPORT_LUNS		= 0xa0,
	MAINTENANCE_IN		= 0xa3,
	MAINTENANCE_OUT		= 0xa4,
	READ_12			= 0xa8,
	WRITE_12		= 0xaa,
};

enum { READ_32 = 0x09, WRITE_32 = 0x0b };

/* SPC-4, table 443, and the device type of table 141 that is told apart */
enum scsi_protocol {
	SCSI_PROTOCOL_FCP	= 0,
	SCSI_PROTOCOL_SBP	= 3,
	SCSI_PROTOCOL_SRP	= 4,
	SCSI_PROTOCOL_ISCSI	= 5,
	SCSI_PROTOCOL_SAS	= 6,
};

enum { TYPE_DISK = 0x00 };

#endif /* SHIM_SCSI_PROTO_H */
