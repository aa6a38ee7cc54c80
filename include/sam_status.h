/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SAM status codes, for whoever gets one from a peer.
 */
#ifndef LIO_SAM_STATUS_H
#define LIO_SAM_STATUS_H

#include <linux/types.h>
#include <scsi/scsi_proto.h>

/**
 * sam_status_is_valid - may a device server return it? (SAM-5 table 43)
 * @status:	any value
 *
 * Return: true for a status that initiators understand. Context: any.
 */
static inline bool sam_status_is_valid(u8 status)
{
	switch (status) {
	case SAM_STAT_GOOD:
	case SAM_STAT_CHECK_CONDITION:
	case SAM_STAT_CONDITION_MET:
	case SAM_STAT_BUSY:
	case SAM_STAT_RESERVATION_CONFLICT:
	case SAM_STAT_TASK_SET_FULL:
	case SAM_STAT_ACA_ACTIVE:
	case SAM_STAT_TASK_ABORTED:
		return true;
	default:
		return false;
	}
}

#endif /* LIO_SAM_STATUS_H */
