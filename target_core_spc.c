// SPDX-License-Identifier: GPL-2.0
/*
 * Commands of every device type: TEST UNIT READY, REQUEST SENSE, REPORT LUNS and
 * diagnostics (SPC-4 clause 6).
 */
#include "core.h"
#include "spc_pages.h"

#include <linux/rculist.h>

/**
 * spc_test_unit_ready - TEST UNIT READY
 * @cmd:	the command
 *
 * Return: 0 when the command was ended, or why not.
 */
sense_reason_t spc_test_unit_ready(struct se_cmd *cmd)
{
	if (to_core_dev(cmd->se_dev)->failed)
		return CORE_NOT_READY;
	target_complete_cmd(cmd, SAM_STAT_GOOD);
	return 0;
}

#define SENSE_FIXED_LEN		18
#define SENSE_DESC_PROGRESS_LEN	16

/* Sense key specific: how far FORMAT UNIT is (SPC-4 4.5.2.4.4). Returns the length of the sense data. */
static size_t sense_put_progress(u8 *sense, bool desc, u16 progress)
{
	u8 *sks = sense + (desc ? 12 : 15);

	if (desc) {
		sense[7] = 8;	/* one descriptor, type 02h, of 6 bytes */
		sense[8] = 0x02;
		sense[9] = 6;
	}
	sks[0] = 0x80;		/* SKSV */
	put_unaligned_be16(progress, sks + 1);
	return desc ? SENSE_DESC_PROGRESS_LEN : SENSE_FIXED_LEN;
}

/**
 * spc_request_sense - REQUEST SENSE
 * @cmd:	the command
 *
 * Sense of a command goes with its status: what is left are conditions of the
 * unit and unit attentions.
 * Return: 0.
 */
sense_reason_t spc_request_sense(struct se_cmd *cmd)
{
	struct core_dev *cdev = to_core_dev(cmd->se_dev);
	u32 progress = READ_ONCE(cdev->format_progress) & FORMAT_PROGRESS;
	sense_reason_t reason = cdev->failed ? CORE_NOT_READY : sbc_format_reason(cmd->se_dev);
	u8 sense[SENSE_FIXED_LEN] = {}, key = NO_SENSE, asc = 0, ascq = 0;
	bool desc = cmd->t_task_cdb[1] & 1;
	size_t len = desc ? 8 : SENSE_FIXED_LEN;

	if (ua_take(cmd, &asc, &ascq))
		key = UNIT_ATTENTION;
	else if (reason)
		sense_triple(reason, &key, &asc, &ascq);
	scsi_build_sense_buffer(desc, sense, key, asc, ascq);
	if (key == NOT_READY && progress && !cdev->failed)
		len = sense_put_progress(sense, desc, min_t(u32, progress - 1, U16_MAX));
	cmd_reply(cmd, sense, len);
	return 0;
}

/* SELECT REPORT (SPC-4 table 280) */
enum select_report {
	REPORT_ADDRESSABLE	= 0,
	REPORT_WELL_KNOWN	= 1,
	REPORT_ALL		= 2,
};

/* Puts the LUNs of a nexus behind the 8 bytes of the header; returns the length of all. */
static size_t report_nexus_luns(struct se_cmd *cmd)
{
	u8 buf[32 * sizeof(struct scsi_lun)];
	struct page_buf p = { .buf = buf, .cap = sizeof(buf) };
	struct se_session *sess = cmd->se_sess;
	struct se_dev_entry *deve;
	struct scsi_lun lun = {};
	size_t at = 8;

	rcu_read_lock();
	if (sess && sess->se_node_acl) {
		hlist_for_each_entry_rcu(deve, &sess->se_node_acl->lun_entry_hlist, link) {
			int_to_scsilun(deve->mapped_lun, &lun);
			page_put(&p, &lun, sizeof(lun));
			if (p.len < p.cap)
				continue;
			cmd_put(cmd, at, buf, p.len);
			at += p.len;
			p.len = 0;
		}
	}
	rcu_read_unlock();
	/* LUN 0 is always there to be asked (SPC-4 6.33). */
	if (at + p.len == 8) {
		memset(&lun, 0, sizeof(lun));
		page_put(&p, &lun, sizeof(lun));
	}
	cmd_put(cmd, at, buf, p.len);
	return at + p.len;
}

/**
 * spc_emulate_report_luns - REPORT LUNS
 * @cmd:	the command, or one of a fabric or backstore that forwards it
 *
 * What is answered is the nexus's own map; a command without a nexus gets LUN 0.
 * Return: 0 when the command was ended, or TCM_INVALID_CDB_FIELD.
 */
sense_reason_t spc_emulate_report_luns(struct se_cmd *cmd)
{
	u8 header[8] = {};
	size_t len;

	switch (cmd->t_task_cdb[2]) {
	case REPORT_ADDRESSABLE:
	case REPORT_ALL:
		len = report_nexus_luns(cmd);
		break;
	case REPORT_WELL_KNOWN:
		len = sizeof(header);
		break;
	default:
		return TCM_INVALID_CDB_FIELD;
	}
	put_unaligned_be32(len - sizeof(header), header);
	cmd_put(cmd, 0, header, sizeof(header));
	if (cmd->se_sess && cmd->se_sess->se_node_acl)
		ua_luns_reported(cmd->se_sess->se_node_acl);
	target_complete_cmd_with_length(cmd, SAM_STAT_GOOD, len);
	return 0;
}

#define DIAG_PF			0x10
#define DIAG_SELFTEST		0x04
#define DIAG_SELF_TEST_CODE	0xe0

/**
 * spc_setup_send_diagnostic - check the CDB of SEND DIAGNOSTIC
 * @cmd:	the command
 * @ops:	not used
 * @size:	set to the parameter list length
 *
 * The default self-test, and pages in the standard's format.
 * Return: 0 or TCM_INVALID_CDB_FIELD.
 */
sense_reason_t spc_setup_send_diagnostic(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size)
{
	const u8 *cdb = cmd->t_task_cdb;

	*size = get_unaligned_be16(cdb + 3);
	if (cdb[1] & DIAG_SELF_TEST_CODE || (*size && (cdb[1] & DIAG_SELFTEST || !(cdb[1] & DIAG_PF))))
		return TCM_INVALID_CDB_FIELD;
	return 0;
}

/**
 * spc_send_diagnostic - SEND DIAGNOSTIC
 * @cmd:	the command
 *
 * The one page there is, Supported Diagnostic Pages, is empty in this direction
 * (SPC-4 7.2.3).
 * Return: 0 when the command was ended, or why not.
 */
sense_reason_t spc_send_diagnostic(struct se_cmd *cmd)
{
	u8 page[4];

	if (to_core_dev(cmd->se_dev)->failed)
		return CORE_NOT_READY;
	if (cmd->data_length) {
		if (cmd_fetch(cmd, 0, page, sizeof(page)) < sizeof(page))
			return TCM_PARAMETER_LIST_LENGTH_ERROR;
		if (get_unaligned_be32(page) || cmd->data_length != sizeof(page))
			return TCM_INVALID_PARAMETER_LIST;
	}
	target_complete_cmd(cmd, SAM_STAT_GOOD);
	return 0;
}

/**
 * spc_receive_diagnostic - RECEIVE DIAGNOSTIC RESULTS
 * @cmd:	the command
 *
 * Return: 0 when the command was ended, or TCM_INVALID_CDB_FIELD.
 */
sense_reason_t spc_receive_diagnostic(struct se_cmd *cmd)
{
	/* Supported Diagnostic Pages: only itself */
	static const u8 page[] = { 0x00, 0, 0, 1, 0x00 };

	/* Without PCV it is the last SEND DIAGNOSTIC's page, which can be no other. */
	if (cmd->t_task_cdb[2])
		return TCM_INVALID_CDB_FIELD;
	cmd_reply(cmd, page, sizeof(page));
	return 0;
}
