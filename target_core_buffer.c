// SPDX-License-Identifier: GPL-2.0
/*
 * WRITE BUFFER and READ BUFFER: one data buffer and an echo buffer a device, to
 * try out the way to it (SPC-4 clauses 6.18 and 6.49). No microcode.
 */
#include "core.h"

enum buffer_mode {
	BUFFER_DATA		= 0x02,
	BUFFER_DESCRIPTOR	= 0x03,
	BUFFER_ECHO		= 0x0a,
	BUFFER_ECHO_DESCRIPTOR	= 0x0b,
};

/* Of all devices: these commands are rare, and copy 512 bytes. */
static DEFINE_SPINLOCK(buffer_lock);

/**
 * spc_setup_write_buffer - check the CDB of WRITE BUFFER
 * @cmd:	the command
 * @ops:	not used
 * @size:	set to the parameter list length
 *
 * Return: 0 or TCM_INVALID_CDB_FIELD.
 */
sense_reason_t spc_setup_write_buffer(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)
{
	const u8 *cdb = cmd->t_task_cdb;
	u32 offset = get_unaligned_be24(cdb + 3);

	*size = get_unaligned_be24(cdb + 6);
	switch (cdb[1]) {
	case BUFFER_DATA:
		return !cdb[2] && offset + *size <= CORE_BUFFER_SIZE ? 0 : TCM_INVALID_CDB_FIELD;
	case BUFFER_ECHO:
		/* BUFFER ID and BUFFER OFFSET are ignored. */
		return *size <= CORE_BUFFER_SIZE ? 0 : TCM_INVALID_CDB_FIELD;
	default:
		return TCM_INVALID_CDB_FIELD;
	}
}

/**
 * spc_write_buffer - WRITE BUFFER
 * @cmd:	the command, checked by spc_setup_write_buffer()
 *
 * Return: 0.
 */
sense_reason_t spc_write_buffer(struct se_cmd *cmd)
{
	struct core_buffer *buffer = &to_core_dev(cmd->se_dev)->buffer;
	bool echo = cmd->t_task_cdb[1] == BUFFER_ECHO;
	u32 offset = echo ? 0 : get_unaligned_be24(cmd->t_task_cdb + 3);
	u8 data[CORE_BUFFER_SIZE];
	size_t len = cmd_fetch(cmd, 0, data, sizeof(data) - offset);

	spin_lock(&buffer_lock);
	memcpy((echo ? buffer->echo : buffer->data) + offset, data, len);
	if (echo)
		buffer->echo_len = len;
	spin_unlock(&buffer_lock);
	target_complete_cmd(cmd, SAM_STAT_GOOD);
	return 0;
}

static sense_reason_t read_data(struct se_cmd *cmd, u32 offset)
{
	struct core_buffer *buffer = &to_core_dev(cmd->se_dev)->buffer;
	u8 data[CORE_BUFFER_SIZE];

	if (cmd->t_task_cdb[2] || offset > sizeof(data))
		return TCM_INVALID_CDB_FIELD;
	spin_lock(&buffer_lock);
	memcpy(data, buffer->data, sizeof(data));
	spin_unlock(&buffer_lock);
	cmd_reply(cmd, data + offset, sizeof(data) - offset);
	return 0;
}

static sense_reason_t read_echo(struct se_cmd *cmd)
{
	struct core_buffer *buffer = &to_core_dev(cmd->se_dev)->buffer;
	u8 data[CORE_BUFFER_SIZE];
	size_t len;

	spin_lock(&buffer_lock);
	len = buffer->echo_len;
	memcpy(data, buffer->echo, len);
	spin_unlock(&buffer_lock);
	if (!len)
		return CORE_COMMAND_SEQUENCE_ERROR;
	cmd_reply(cmd, data, len);
	return 0;
}

/**
 * spc_read_buffer - READ BUFFER
 * @cmd:	the command
 *
 * Return: 0 when the command was ended, or why not.
 */
sense_reason_t spc_read_buffer(struct se_cmd *cmd)
{
	const u8 *cdb = cmd->t_task_cdb;
	u8 descriptor[4] = {};

	switch (cdb[1]) {
	case BUFFER_DATA:
		return read_data(cmd, get_unaligned_be24(cdb + 3));
	case BUFFER_ECHO:
		return read_echo(cmd);
	case BUFFER_DESCRIPTOR:
		/* Offsets need no alignment (byte 0); there is no buffer but 0. */
		put_unaligned_be24(cdb[2] ? 0 : CORE_BUFFER_SIZE, descriptor + 1);
		break;
	case BUFFER_ECHO_DESCRIPTOR:
		put_unaligned_be16(CORE_BUFFER_SIZE, descriptor + 2);
		break;
	default:
		return TCM_INVALID_CDB_FIELD;
	}
	cmd_reply(cmd, descriptor, sizeof(descriptor));
	return 0;
}
