/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The opcode table (target_core_cdb.c): parsing, the gates before execution,
 * passthrough and REPORT SUPPORTED OPERATION CODES all read it.
 */
#ifndef LIO_CDB_H
#define LIO_CDB_H

#include <target/target_core_base.h>
#include <target/target_core_backend.h>

/* Where a CDB has its LBA and its number of blocks (SBC-4 clause 5). */
enum cdb_layout {
	CDB_NO_LBA,
	CDB_LBA_6,	/* 21 bits at 1; 8 bits at 4, 0 is 256 */
	CDB_LBA_10,	/* 32 bits at 2; 16 bits at 7 */
	CDB_LBA_12,	/* 32 bits at 2; 32 bits at 6 */
	CDB_LBA_16,	/* 64 bits at 2; 32 bits at 10 */
	CDB_LBA_32,	/* 64 bits at 12; 32 bits at 28 */
	CDB_LBA_CAW,	/* 64 bits at 2; 8 bits at 13 */
	CDB_LBA_ONLY_16,	/* 64 bits at 2; no number of blocks */
	CDB_LBA_ATOMIC,	/* 64 bits at 2; 16 bits at 12 */
};

enum cdb_flags {
	CDB_WRITES	= 1 << 0,	/* changes the medium: refused where the LUN or device is read-only */
	CDB_BLOCKS	= 1 << 1,	/* data are blocks of the medium: SCF_SCSI_DATA_CDB */
	CDB_NO_UA	= 1 << 2,	/* does not report a pending unit attention (SAM-5 5.14) */
	CDB_ANY_ALUA	= 1 << 3,	/* allowed in standby and unavailable (SPC-4 5.15.2.4.5) */
	CDB_STANDBY	= 1 << 4,	/* allowed in standby only */
	CDB_ANY_STATE	= 1 << 5,	/* answered while formatting, sanitizing or failed */
	CDB_SLEEPS	= 1 << 6,	/* execute_cmd may wait: never in queuecommand's context */
	CDB_RANGE	= 1 << 7,	/* LBA + blocks must lie on the medium */
	CDB_PROTECT	= 1 << 8,	/* byte 1 (10 of 32-byte CDBs), bits 7-5 are RD/WR/VRPROTECT */
	CDB_FUA		= 1 << 9,	/* bit 3 of that byte is FUA, bit 4 DPO */
	/* Against a reservation of another nexus (SPC-4 table 66, SBC-4 table 13): */
	CDB_PR_READ	= 1 << 10,	/* as a read: conflicts with the exclusive access types */
	CDB_PR_WRITE	= 1 << 11,	/* as a write: conflicts with all types */
	CDB_PR_FREE	= 1 << 12,	/* always allowed */
	CDB_SBC		= 1 << 13,	/* for block devices: sbc_parse_cdb() only */
	CDB_OUT		= 1 << 14,	/* what data there are go to the device */
};

/* Not in <scsi/scsi_proto.h> (SBC-4) */
#define SANITIZE			0x48
#define SANITIZE_OVERWRITE		0x01
#define SANITIZE_BLOCK_ERASE		0x02
#define SANITIZE_EXIT_FAILURE_MODE	0x1f
#define ORWRITE_16			0x8b
#define PRE_FETCH_16			0x90
#define READ_DEFECT_DATA_12		0xb7

#define CDB_MAX_LEN	TCM_MAX_COMMAND_SIZE

struct backstore_atomic;

struct cdb_op {
	u8			opcode;
	u8			len;
	bool			has_sa;
	u16			sa;		/* byte 1 bits 4-0; bytes 8-9 of a 7Fh CDB */
	u16			flags;
	u8			layout;		/* enum cdb_layout */
	u8			timeout;	/* nominal, seconds; 0: not reported */
	const char		*name;		/* the standard's, for logs and tests */
	/*
	 * Usage bits of the bytes after the operation code and service action,
	 * which cdb_usage() adds; a set bit elsewhere is INVALID FIELD IN CDB.
	 */
	u8			usage[CDB_MAX_LEN];
	/* Reported and accepted only where this says so; NULL: always. */
	bool			(*enabled)(const struct cdb_op *op, const struct se_device *dev);
	/* Fields that are allowed only on some devices; may clear bits of @usage. */
	void			(*trim_usage)(u8 *usage, const struct se_device *dev);
	/*
	 * Further checks and set-up, after LBA, blocks, FUA and protection are
	 * decoded. Sets *@size to the bytes that the command transfers; the
	 * default is blocks of the medium with CDB_BLOCKS, else 0.
	 */
	sense_reason_t		(*setup)(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
	/* What cmd->execute_cmd becomes, unless setup() has chosen. */
	sense_reason_t		(*execute)(struct se_cmd *cmd);
};

/* target_core_cdb.c */
/* The entry for @cdb, NULL: none. Says nothing about enabled(). */
const struct cdb_op *cdb_find(const u8 *cdb);
/* All entries in the order of opcode and service action. */
const struct cdb_op *cdb_table(unsigned int *count);
bool cdb_enabled(const struct cdb_op *op, const struct se_device *dev);
bool cdb_opcode_enabled(u8 opcode, const struct se_device *dev);
void cdb_usage(const struct cdb_op *op, const struct se_device *dev, u8 *usage);
/* The gate flags of a command; those of an opcode without an entry for a passthrough device. */
unsigned int cdb_flags(const struct se_cmd *cmd);
int cdb_init(void);	/* the index by opcode */
/* Are the reserved bits zero? */
bool cdb_usage_check(const struct cdb_op *op, const u8 *cdb, const struct se_device *dev);
/* LBA and number of blocks as the CDB has them; pure. */
void cdb_decode(const struct cdb_op *op, const u8 *cdb, u64 *lba, u32 *nolb);
/* Does the write cache hold what a write command left (VPD 86h, caching page)? */
bool dev_write_cache(const struct se_device *dev);
/* DPO and FUA are taken (DPOFUA of the mode parameter header). */
bool dev_dpofua(const struct se_device *dev);
/* Blocks of the medium; never overflows. */
u64 dev_blocks(const struct se_device *dev);

/* The exec ops of the backend, kept by sbc_parse_cdb() in cmd->protocol_data until completion. */
static inline struct exec_cmd_ops *cmd_exec_ops(const struct se_cmd *cmd)
{
	return cmd->protocol_data;
}

/* It begins when all earlier commands are through, and no other before its end. ACA is still to be refused. */
static inline void cmd_wait_for_others(struct se_cmd *cmd)
{
	if (cmd->sam_task_attr != TCM_ACA_TAG)
		cmd->sam_task_attr = TCM_ORDERED_TAG;
}

/* Allocation length fields: cuts to what a handler can answer. */
sense_reason_t cdb_setup_alloc_6(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);	/* byte 4 */
sense_reason_t cdb_setup_alloc_3(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);	/* bytes 3-4 */
sense_reason_t cdb_setup_alloc_7(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);	/* bytes 7-8 */
sense_reason_t cdb_setup_alloc_6_32(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);	/* bytes 6-9 */
sense_reason_t cdb_setup_alloc_10_32(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);	/* bytes 10-13 */
sense_reason_t cdb_setup_alloc_6_24(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);	/* bytes 6-8 */

/* Handlers, as execute: each ends the command with target_complete_cmd*() or returns a reason. */
/* target_core_spc.c */
sense_reason_t spc_test_unit_ready(struct se_cmd *cmd);
sense_reason_t spc_request_sense(struct se_cmd *cmd);
sense_reason_t spc_send_diagnostic(struct se_cmd *cmd);
sense_reason_t spc_receive_diagnostic(struct se_cmd *cmd);
sense_reason_t spc_setup_send_diagnostic(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
sense_reason_t spc_write_buffer(struct se_cmd *cmd);
sense_reason_t spc_setup_write_buffer(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
sense_reason_t spc_read_buffer(struct se_cmd *cmd);
sense_reason_t spc_log_sense(struct se_cmd *cmd);
/* target_core_inquiry.c */
sense_reason_t spc_inquiry(struct se_cmd *cmd);
/* target_core_mode.c */
sense_reason_t spc_mode_sense(struct se_cmd *cmd);
sense_reason_t spc_mode_select(struct se_cmd *cmd);
sense_reason_t spc_setup_mode_select(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
/* target_core_rsoc.c */
sense_reason_t spc_report_opcodes(struct se_cmd *cmd);
sense_reason_t spc_report_tmf(struct se_cmd *cmd);


/*
 * target_core_sbc*.c. In setup functions of data-out commands the length is
 * taken from the CDB; what the initiator sent is looked at when it is here.
 */
#define SBC_CAW_MAX_BLOCKS	255		/* MAXIMUM COMPARE AND WRITE LENGTH, VPD B0h */
#define SBC_STEP_BYTES		(1024 * 1024)	/* memory of one step of a long command */

sense_reason_t sbc_rw(struct se_cmd *cmd);
sense_reason_t sbc_read_capacity_10(struct se_cmd *cmd);
sense_reason_t sbc_read_capacity_16(struct se_cmd *cmd);
sense_reason_t sbc_setup_read_capacity_10(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
sense_reason_t sbc_sync_cache(struct se_cmd *cmd);
sense_reason_t sbc_no_medium_access(struct se_cmd *cmd);
sense_reason_t sbc_setup_start_stop(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
sense_reason_t sbc_read_defect_data(struct se_cmd *cmd);
/* target_core_sbc_rmw.c: what reads the medium, and perhaps writes what comes of it */
sense_reason_t sbc_setup_verify(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
sense_reason_t sbc_setup_read_part(struct se_cmd *cmd);
sense_reason_t sbc_verify(struct se_cmd *cmd);
sense_reason_t sbc_setup_write_verify(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
sense_reason_t sbc_write_verify(struct se_cmd *cmd);
sense_reason_t sbc_setup_compare_and_write(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
sense_reason_t sbc_compare_and_write(struct se_cmd *cmd);
sense_reason_t sbc_or_write(struct se_cmd *cmd);
/* target_core_sbc_atomic.c */
void dev_atomic(const struct se_device *dev, struct backstore_atomic *limits);
sense_reason_t sbc_setup_write_atomic(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
/* target_core_sbc_thin.c */
sense_reason_t sbc_setup_unmap(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
sense_reason_t sbc_unmap(struct se_cmd *cmd);
sense_reason_t sbc_setup_write_same(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
sense_reason_t sbc_write_same(struct se_cmd *cmd);
sense_reason_t sbc_setup_lba_status(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
sense_reason_t sbc_lba_status(struct se_cmd *cmd);
/* target_core_sbc_format.c */
sense_reason_t sbc_setup_format(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
sense_reason_t sbc_format(struct se_cmd *cmd);
sense_reason_t sbc_setup_sanitize(struct se_cmd *cmd, struct exec_cmd_ops *ops, unsigned int *size);
sense_reason_t sbc_sanitize(struct se_cmd *cmd);
/*
 * core_dev::format_progress: the progress is its low bits. For the gate: why
 * commands without CDB_ANY_STATE are refused while it is not 0.
 */
#define FORMAT_PROGRESS		0x1ffff
#define FORMAT_AUSE		BIT(29)		/* EXIT FAILURE MODE is allowed after it */
#define FORMAT_IS_SANITIZE	BIT(30)
#define FORMAT_FAILED		BIT(31)		/* until it is done again or EXIT FAILURE MODE */
sense_reason_t sbc_format_reason(const struct se_device *dev);

/* target_core_dif.c: @protect is the RD/WR/VRPROTECT field */
sense_reason_t sbc_setup_prot(struct se_cmd *cmd, const struct cdb_op *op, u8 protect);

#endif /* LIO_CDB_H */
