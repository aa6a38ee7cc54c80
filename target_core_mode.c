// SPDX-License-Identifier: GPL-2.0
/* MODE SENSE and MODE SELECT, 6 and 10 bytes. */
#include "core.h"
#include "spc_pages.h"

/* UA_INTLCK_CTRL (SPC-4 table 462) of the attribute's values */
static const u8 ua_intlck_field[] = {
	[TARGET_UA_INTLCK_CTRL_CLEAR]		= 0,
	[TARGET_UA_INTLCK_CTRL_NO_CLEAR]	= 2,
	[TARGET_UA_INTLCK_CTRL_ESTABLISH_UA]	= 3,
};

static void mode_facts(struct se_cmd *cmd, struct mode_facts *f)
{
	struct se_device *dev = cmd->se_dev;
	const struct se_dev_attrib *attrib = &dev->dev_attrib;

	f->direct_access = dev->transport->get_device_type(dev) == TYPE_DISK;
	f->write_protect = target_lun_is_rdonly(cmd);
	f->write_cache = dev_write_cache(dev);
	f->dpofua = dev_dpofua(dev);
	f->d_sense = target_sense_desc_format(dev);
	f->unrestricted = !attrib->emulate_rest_reord;
	f->tas = attrib->emulate_tas;
	f->protection = cmd_prot_type(cmd) != TARGET_DIF_TYPE0_PROT;
	f->ua_intlck = ua_intlck_field[attrib->emulate_ua_intlck_ctrl % ARRAY_SIZE(ua_intlck_field)];
	f->blocks = dev_blocks(dev);
	f->block_size = attrib->block_size;
}

static const sense_reason_t mode_reasons[] = {
	[MODE_NO_PAGE]		= TCM_UNKNOWN_MODE_PAGE,
	[MODE_TRUNCATED]	= TCM_PARAMETER_LIST_LENGTH_ERROR,
	[MODE_BAD_VALUE]	= TCM_INVALID_PARAMETER_LIST,
};

/**
 * spc_mode_sense - MODE SENSE (6) and (10)
 * @cmd:	the command
 *
 * Return: 0 when the command was ended, or why not.
 */
sense_reason_t spc_mode_sense(struct se_cmd *cmd)
{
	const u8 *cdb = cmd->t_task_cdb;
	enum mode_pc pc = cdb[2] >> 6;
	struct mode_facts facts;
	u8 buf[MODE_BUF];
	struct page_buf p = { .buf = buf, .cap = sizeof(buf) };
	enum mode_error error;

	if (pc == MODE_SAVED)
		return CORE_SAVING_PARAMETERS_NOT_SUPPORTED;
	mode_facts(cmd, &facts);
	error = mode_build(&facts, cdb[0] == MODE_SENSE_10, cdb[1] & 0x08, cdb[1] & 0x10, pc,
			   cdb[2] & 0x3f, cdb[3], &p);
	if (error)
		return mode_reasons[error];
	cmd_reply(cmd, buf, p.len);
	return 0;
}

/**
 * spc_mode_select - MODE SELECT (6) and (10)
 * @cmd:	the command
 *
 * Return: 0 when the command was ended, or why not.
 */
sense_reason_t spc_mode_select(struct se_cmd *cmd)
{
	bool ten = cmd->t_task_cdb[0] == MODE_SELECT_10;
	struct mode_facts facts;
	enum mode_error error;
	u8 list[MODE_BUF];
	size_t len;

	if (cmd->data_length > sizeof(list))
		return TCM_PARAMETER_LIST_LENGTH_ERROR;
	len = cmd_fetch(cmd, 0, list, cmd->data_length);
	if (len) {
		mode_facts(cmd, &facts);
		error = mode_check(&facts, ten, list, len);
		if (error)
			return mode_reasons[error];
	}
	target_complete_cmd(cmd, SAM_STAT_GOOD);
	return 0;
}

/**
 * spc_setup_mode_select - check the CDB of MODE SELECT
 * @cmd:	the command
 * @ops:	not used
 * @size:	set to the parameter list length
 *
 * PF must say that the pages are the standard's; there is nothing to save (SP,
 * SPC-4 6.9).
 * Return: 0 or TCM_INVALID_CDB_FIELD.
 */
sense_reason_t spc_setup_mode_select(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)
{
	const u8 *cdb = cmd->t_task_cdb;

	*size = cdb[0] == MODE_SELECT ? cdb[4] : get_unaligned_be16(cdb + 7);
	return (cdb[1] & 0x10 || !*size) && !(cdb[1] & 0x01) ? 0 : TCM_INVALID_CDB_FIELD;
}
