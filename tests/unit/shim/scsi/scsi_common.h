/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_SCSI_COMMON_H
#define SHIM_SCSI_COMMON_H

#include <scsi/scsi_proto.h>

/* SPC-5, 4.2.5: the group code gives the length, but for variable length CDBs. */
static inline unsigned int scsi_command_size(const unsigned char *cdb)
{
	static const unsigned char sizes[8] = { 6, 10, 10, 12, 16, 12, 10, 10 };

	return cdb[0] == VARIABLE_LENGTH_CMD ? cdb[7] + 8U : sizes[cdb[0] >> 5];
}

#endif /* SHIM_SCSI_COMMON_H */
