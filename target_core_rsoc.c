// SPDX-License-Identifier: GPL-2.0
/*
 * REPORT SUPPORTED OPERATION CODES, from the opcode table, and REPORT SUPPORTED
 * TASK MANAGEMENT FUNCTIONS (SPC-4 clauses 6.35 and 6.36).
 */
#include "core.h"
#include "spc_pages.h"

#define RSOC_RCTD		0x80
#define RSOC_OPTIONS		0x07

enum rsoc_option {
	RSOC_ALL		= 0,
	RSOC_OPCODE		= 1,	/* an operation code without service actions */
	RSOC_OPCODE_SA		= 2,	/* an operation code with service actions */
	RSOC_OPCODE_ANY		= 3,	/* either */
};

#define RSOC_CTDP		0x80
#define RSOC_NOT_SUPPORTED	1
#define RSOC_SUPPORTED		3

/* The command timeouts descriptor (SPC-4 table 287) */
static void put_timeouts(const struct cdb_op *op, struct page_buf *p)
{
	page_be(p, 10, 2);
	page_be(p, 0, 2);
	page_be(p, op->timeout, 4);
	page_be(p, op->timeout ? op->timeout + CORE_DEADLINE : 0, 4);
}

static sense_reason_t rsoc_all(struct se_cmd *cmd, bool rctd)
{
	const struct cdb_op *op;
	unsigned int count;
	u8 buf[20];
	size_t at = 4;

	for (op = cdb_table(&count); count; op++, count--) {
		struct page_buf p = { .buf = buf, .cap = sizeof(buf) };

		if (!cdb_enabled(op, cmd->se_dev))
			continue;
		page_be(&p, op->opcode, 1);
		page_be(&p, 0, 1);
		page_be(&p, op->sa, 2);
		page_be(&p, 0, 1);
		page_be(&p, rctd << 1 | op->has_sa, 1);
		page_be(&p, op->len, 2);
		if (rctd)
			put_timeouts(op, &p);
		cmd_put(cmd, at, buf, p.len);
		at += p.len;
	}
	put_unaligned_be32(at - 4, buf);
	cmd_put(cmd, 0, buf, 4);
	target_complete_cmd_with_length(cmd, SAM_STAT_GOOD, at);
	return 0;
}

/* The first enabled entry of an operation code, with service action @sa unless that is negative. */
static const struct cdb_op *rsoc_find(struct se_cmd *cmd, u8 opcode, int sa)
{
	const struct cdb_op *op;
	unsigned int count;

	for (op = cdb_table(&count); count; op++, count--)
		if (op->opcode == opcode && (sa < 0 || op->sa == sa) && cdb_enabled(op, cmd->se_dev))
			return op;
	return NULL;
}

static void rsoc_one(struct se_cmd *cmd, const struct cdb_op *op, bool rctd)
{
	u8 buf[4 + CDB_MAX_LEN + 12], usage[CDB_MAX_LEN] = {};
	struct page_buf p = { .buf = buf, .cap = sizeof(buf) };

	page_be(&p, 0, 1);
	page_be(&p, op ? (rctd ? RSOC_CTDP : 0) | RSOC_SUPPORTED : RSOC_NOT_SUPPORTED, 1);
	if (op) {
		cdb_usage(op, cmd->se_dev, usage);
		page_be(&p, op->len, 2);
		page_put(&p, usage, min_t(size_t, op->len, sizeof(usage)));
		if (rctd)
			put_timeouts(op, &p);
	}
	cmd_reply(cmd, buf, p.len);
}

/**
 * spc_report_opcodes - REPORT SUPPORTED OPERATION CODES
 * @cmd:	the command
 *
 * Return: 0 when the command was ended, or TCM_INVALID_CDB_FIELD.
 */
sense_reason_t spc_report_opcodes(struct se_cmd *cmd)
{
	const u8 *cdb = cmd->t_task_cdb;
	const struct cdb_op *op = rsoc_find(cmd, cdb[3], -1);
	bool rctd = cdb[2] & RSOC_RCTD;
	int sa = get_unaligned_be16(cdb + 4);

	switch (cdb[2] & RSOC_OPTIONS) {
	case RSOC_ALL:
		return rsoc_all(cmd, rctd);
	case RSOC_OPCODE:
		if (op && op->has_sa)
			return TCM_INVALID_CDB_FIELD;
		sa = -1;	/* ignored */
		break;
	case RSOC_OPCODE_SA:
		if (op && !op->has_sa)
			return TCM_INVALID_CDB_FIELD;
		break;
	case RSOC_OPCODE_ANY:
		break;
	default:
		return TCM_INVALID_CDB_FIELD;
	}
	rsoc_one(cmd, rsoc_find(cmd, cdb[3], sa), rctd);
	return 0;
}

/* What target_core_tmr.c does: ABORT TASK and LOGICAL UNIT RESET */
#define TMF_ATS			0x80
#define TMF_LURS		0x08
#define TMF_REPD		0x80

/**
 * spc_report_tmf - REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS
 * @cmd:	the command
 *
 * Return: 0.
 */
sense_reason_t spc_report_tmf(struct se_cmd *cmd)
{
	bool extended = cmd->t_task_cdb[2] & TMF_REPD;
	u8 data[16] = { TMF_ATS | TMF_LURS };

	if (extended) {
		data[3] = sizeof(data) - 4;
		data[4] = 0x01;		/* TMFTMOV: the long timeout holds for all */
		put_unaligned_be32(CORE_DEADLINE * 10, data + 8);	/* in 100 ms */
	}
	cmd_reply(cmd, data, extended ? sizeof(data) : 4);
	return 0;
}
