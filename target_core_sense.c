// SPDX-License-Identifier: GPL-2.0
/* Sense data, from one table of what each reason means (SPC-4 clause 4.5 and annex F). */
#include "core.h"

#include <scsi/scsi_common.h>

struct sense_entry {
	u8	key;
	u8	asc;
	u8	ascq;
	bool	info;	/* cmd->sense_info is the INFORMATION field */
};

static const struct sense_entry sense_table[] = {
#define S(reason, ...)	[(__force int)(reason)] = { __VA_ARGS__ }
	S(TCM_NON_EXISTENT_LUN,			ILLEGAL_REQUEST, 0x25, 0x00),
	S(TCM_UNSUPPORTED_SCSI_OPCODE,		ILLEGAL_REQUEST, 0x20, 0x00),
	S(TCM_INCORRECT_AMOUNT_OF_DATA,		ABORTED_COMMAND, 0x0c, 0x0d),
	S(TCM_UNEXPECTED_UNSOLICITED_DATA,	ABORTED_COMMAND, 0x0c, 0x0c),
	S(TCM_SERVICE_CRC_ERROR,		ABORTED_COMMAND, 0x47, 0x05),
	S(TCM_SNACK_REJECTED,			ABORTED_COMMAND, 0x11, 0x13),
	S(TCM_SECTOR_COUNT_TOO_MANY,		ILLEGAL_REQUEST, 0x20, 0x00),
	S(TCM_INVALID_CDB_FIELD,		ILLEGAL_REQUEST, 0x24, 0x00),
	S(TCM_INVALID_PARAMETER_LIST,		ILLEGAL_REQUEST, 0x26, 0x00),
	S(TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE, NOT_READY, 0x08, 0x00),
	S(TCM_UNKNOWN_MODE_PAGE,		ILLEGAL_REQUEST, 0x24, 0x00),
	S(TCM_WRITE_PROTECTED,			DATA_PROTECT, 0x27, 0x00),
	S(TCM_CHECK_CONDITION_ABORT_CMD,	ABORTED_COMMAND, 0x29, 0x03),
	S(TCM_ADDRESS_OUT_OF_RANGE,		ILLEGAL_REQUEST, 0x21, 0x00),
	S(TCM_OUT_OF_RESOURCES,			ILLEGAL_REQUEST, 0x55, 0x03),
	S(TCM_PARAMETER_LIST_LENGTH_ERROR,	ILLEGAL_REQUEST, 0x1a, 0x00),
	S(TCM_MISCOMPARE_VERIFY,		MISCOMPARE, 0x1d, 0x00, true),
	S(TCM_LOGICAL_BLOCK_GUARD_CHECK_FAILED,	ABORTED_COMMAND, 0x10, 0x01, true),
	S(TCM_LOGICAL_BLOCK_APP_TAG_CHECK_FAILED, ABORTED_COMMAND, 0x10, 0x02, true),
	S(TCM_LOGICAL_BLOCK_REF_TAG_CHECK_FAILED, ABORTED_COMMAND, 0x10, 0x03, true),
	S(TCM_COPY_TARGET_DEVICE_NOT_REACHABLE,	COPY_ABORTED, 0x0d, 0x02),
	S(TCM_TOO_MANY_TARGET_DESCS,		ILLEGAL_REQUEST, 0x26, 0x06),
	S(TCM_UNSUPPORTED_TARGET_DESC_TYPE_CODE, ILLEGAL_REQUEST, 0x26, 0x07),
	S(TCM_TOO_MANY_SEGMENT_DESCS,		ILLEGAL_REQUEST, 0x26, 0x08),
	S(TCM_UNSUPPORTED_SEGMENT_DESC_TYPE_CODE, ILLEGAL_REQUEST, 0x26, 0x09),
	S(TCM_INSUFFICIENT_REGISTRATION_RESOURCES, ILLEGAL_REQUEST, 0x55, 0x04),
	S(TCM_INVALID_FIELD_IN_COMMAND_IU,	ILLEGAL_REQUEST, 0x0e, 0x03),
	S(TCM_ALUA_TG_PT_STANDBY,		NOT_READY, 0x04, 0x0b),
	S(TCM_ALUA_TG_PT_UNAVAILABLE,		NOT_READY, 0x04, 0x0c),
	S(TCM_ALUA_STATE_TRANSITION,		NOT_READY, 0x04, 0x0a),
	S(TCM_ALUA_OFFLINE,			NOT_READY, 0x04, 0x12),
	S(CORE_SAVING_PARAMETERS_NOT_SUPPORTED,	ILLEGAL_REQUEST, 0x39, 0x00),
	S(CORE_NOT_READY,			NOT_READY, 0x04, 0x03),
	S(CORE_FORMAT_IN_PROGRESS,		NOT_READY, 0x04, 0x04),
	S(CORE_SANITIZE_IN_PROGRESS,		NOT_READY, 0x04, 0x1b),
	S(CORE_LU_FAILURE,			NOT_READY, 0x3e, 0x01),
	S(CORE_READ_ERROR,			MEDIUM_ERROR, 0x11, 0x00),
	S(CORE_WRITE_ERROR,			MEDIUM_ERROR, 0x0c, 0x00),
	S(CORE_INTERNAL_TARGET_FAILURE,		HARDWARE_ERROR, 0x44, 0x00),
	S(CORE_INVALID_PARAMETER_VALUE,		ILLEGAL_REQUEST, 0x26, 0x02),
	S(CORE_LOGICAL_UNIT_NOT_SUPPORTED,	ILLEGAL_REQUEST, 0x25, 0x00),
	S(CORE_SPACE_ALLOCATION_FAILED,		DATA_PROTECT, 0x27, 0x07),
	S(CORE_INVALID_MESSAGE,			ABORTED_COMMAND, 0x49, 0x00),
	S(CORE_OVERLAPPED,			ABORTED_COMMAND, 0x4e, 0x00),
	S(CORE_DATA_PROTECT,			DATA_PROTECT, 0x27, 0x00),
	S(CORE_COMMAND_SEQUENCE_ERROR,		ILLEGAL_REQUEST, 0x2c, 0x00),
	S(CORE_FORMAT_CORRUPTED,			MEDIUM_ERROR, 0x31, 0x00),
	S(CORE_SANITIZE_FAILED,			MEDIUM_ERROR, 0x31, 0x03),
#undef S
};

/**
 * sense_triple - what a reason means
 * @reason:	one of the table's
 * @key:	set to the sense key
 * @asc:	set to the additional sense code
 * @ascq:	set to its qualifier
 *
 * Return: false when the reason has no sense of its own.
 */
bool sense_triple(sense_reason_t reason, u8 *key, u8 *asc, u8 *ascq)
{
	unsigned int i = (__force unsigned int)reason;

	if (i >= ARRAY_SIZE(sense_table) || !sense_table[i].key)
		return false;
	*key = sense_table[i].key;
	*asc = sense_table[i].asc;
	*ascq = sense_table[i].ascq;
	return true;
}

/**
 * target_sense_desc_format - which format the initiators want
 * @dev:	the device, NULL when the command has none
 *
 * Return: true for descriptor format: mode page 0Ah, D_SENSE. It follows from
 * protection information, as LBAs of 64 bits do.
 */
bool target_sense_desc_format(struct se_device *dev)
{
	return dev && dev->transport->get_blocks && dev->transport->get_blocks(dev) > U32_MAX;
}

/**
 * sense_set_raw - build sense data
 * @cmd:	the command
 * @key:	sense key
 * @asc:	additional sense code
 * @ascq:	its qualifier
 */
void sense_set_raw(struct se_cmd *cmd, u8 key, u8 asc, u8 ascq)
{
	bool desc = target_sense_desc_format(cmd->se_dev);

	memset(cmd->sense_buffer, 0, TRANSPORT_SENSE_BUFFER);
	scsi_build_sense_buffer(desc, cmd->sense_buffer, key, asc, ascq);
	cmd->scsi_status = SAM_STAT_CHECK_CONDITION;
	cmd->scsi_sense_length = TRANSPORT_SENSE_BUFFER;
	cmd->se_cmd_flags |= SCF_EMULATED_TASK_SENSE;
}

/**
 * sense_set - build the sense data and the status of a reason
 * @cmd:	the command
 * @reason:	why it ends
 *
 * TCM_LUN_BUSY, TCM_RESERVATION_CONFLICT and TCM_OUT_OF_RESOURCES are statuses
 * without sense. Any context.
 */
void sense_set(struct se_cmd *cmd, sense_reason_t reason)
{
	u8 key = ILLEGAL_REQUEST, asc = 0x24, ascq = 0;

	switch (reason) {
	case TCM_LUN_BUSY:
		cmd->scsi_status = SAM_STAT_BUSY;
		return;
	case TCM_RESERVATION_CONFLICT:
		cmd->scsi_status = SAM_STAT_RESERVATION_CONFLICT;
		return;
	case TCM_OUT_OF_RESOURCES:
		cmd->scsi_status = SAM_STAT_TASK_SET_FULL;
		return;
	}
	if (reason != TCM_CHECK_CONDITION_UNIT_ATTENTION) {
		sense_triple(reason, &key, &asc, &ascq);
	} else if (!ua_for_check_condition(cmd, &key, &asc, &ascq)) {
		/* Nothing is left to report, but the command was not executed: once more. */
		cmd->scsi_status = SAM_STAT_BUSY;
		return;
	}
	sense_set_raw(cmd, key, asc, ascq);
	if ((__force unsigned int)reason < ARRAY_SIZE(sense_table) && sense_table[(__force int)reason].info)
		WARN_ON_ONCE(scsi_set_sense_information(cmd->sense_buffer, cmd->scsi_sense_length,
							cmd->sense_info) < 0);
}

/**
 * transport_copy_sense_to_cmd - hand on the sense data of a lower device
 * @cmd:	the command, not completed yet
 * @sense:	TRANSPORT_SENSE_BUFFER bytes
 *
 * The backstore completes it with CHECK CONDITION then. Any context.
 */
void transport_copy_sense_to_cmd(struct se_cmd *cmd, unsigned char *sense)
{
	unsigned long flags;

	spin_lock_irqsave(&cmd->t_state_lock, flags);
	if (!(cmd->transport_state & CMD_T_ABORTED) && cmd->sense_buffer) {
		cmd->se_cmd_flags |= SCF_TRANSPORT_TASK_SENSE;
		memcpy(cmd->sense_buffer, sense, TRANSPORT_SENSE_BUFFER);
		cmd->scsi_sense_length = TRANSPORT_SENSE_BUFFER;
	}
	spin_unlock_irqrestore(&cmd->t_state_lock, flags);
}
