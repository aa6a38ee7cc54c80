// SPDX-License-Identifier: GPL-2.0
/*
 * The opcode table: what a CDB looks like, when it is allowed and who runs it.
 * Sorted by operation code and service action.
 */
#include "core.h"

#include "backstore_ops.h"
#include "cdb.h"

static bool has_thin(const struct cdb_op *op, const struct se_device *dev)
{
	return dev->dev_attrib.emulate_tpu;
}

static bool has_write_same(const struct cdb_op *op, const struct se_device *dev)
{
	return dev->dev_attrib.max_write_same_len || dev->dev_attrib.emulate_tpws;
}

static bool has_caw(const struct cdb_op *op, const struct se_device *dev)
{
	return dev->dev_attrib.emulate_caw;
}

static bool has_format(const struct cdb_op *op, const struct se_device *dev)
{
	return to_core_dev(dev)->emulate_format;
}

static bool has_atomic(const struct cdb_op *op, const struct se_device *dev)
{
	struct backstore_atomic limits;

	dev_atomic(dev, &limits);
	return limits.max;
}

static bool has_rsoc(const struct cdb_op *op, const struct se_device *dev)
{
	return compat_emulate_rsoc(&dev->dev_attrib);
}

/* The UNMAP bit of WRITE SAME (10) and (16). */
static void trim_write_same(u8 *usage, const struct se_device *dev)
{
	if (!dev->dev_attrib.emulate_tpws)
		usage[1] &= ~0x08;
}

static void trim_write_same_32(u8 *usage, const struct se_device *dev)
{
	if (!dev->dev_attrib.emulate_tpws)
		usage[10] &= ~0x08;
}

/* Usage bits of fields that many CDBs have: @from is their first byte. */
#define U16_AT(from)	[from] = 0xff, [(from) + 1] = 0xff
#define U24_AT(from)	[from] = 0xff, [(from) + 1] = 0xff, [(from) + 2] = 0xff
#define U32_AT(from)	U16_AT(from), U16_AT((from) + 2)
#define U64_AT(from)	U32_AT(from), U32_AT((from) + 4)
#define GROUP_AT(from)	[from] = 0x3f
/* RD/WRPROTECT, DPO, FUA, FUA_NV */
#define RW_OPTIONS	0xfa
/* VRPROTECT, DPO, BYTCHK */
#define VERIFY_OPTIONS	0xf6
/* WRPROTECT, UNMAP; ANCHOR, LBDATA and PBDATA are not supported */
#define WS_OPTIONS	0xe8

#define OP_RANGE	(CDB_SBC | CDB_RANGE)
#define OP_READ		(OP_RANGE | CDB_BLOCKS | CDB_PR_READ)
#define OP_WRITE	(OP_RANGE | CDB_BLOCKS | CDB_PR_WRITE | CDB_WRITES | CDB_OUT)
#define OP_RW_OPTIONS	(CDB_PROTECT | CDB_FUA)
#define OP_SANITIZE	(CDB_SBC | CDB_WRITES | CDB_PR_WRITE | CDB_SLEEPS | CDB_ANY_STATE | CDB_OUT)
#define OP_IDENTIFY	(CDB_NO_UA | CDB_ANY_ALUA | CDB_ANY_STATE | CDB_PR_FREE)

static const struct cdb_op cdb_ops[] = {
	{
		.opcode = TEST_UNIT_READY, .len = 6, .name = "TEST UNIT READY",
		.flags = CDB_PR_FREE,
		.execute = spc_test_unit_ready,
	}, {
		.opcode = REQUEST_SENSE, .len = 6, .name = "REQUEST SENSE",
		.flags = OP_IDENTIFY,
		.usage = { [1] = 0x01, [4] = 0xff },
		.setup = cdb_setup_alloc_6, .execute = spc_request_sense,
	}, {
		/* FMTPINFO, LONGLIST, FMTDATA, CMPLST; no defect list format but 0 */
		.opcode = FORMAT_UNIT, .len = 6, .name = "FORMAT UNIT", .timeout = 255,
		.flags = CDB_SBC | CDB_WRITES | CDB_PR_WRITE | CDB_SLEEPS | CDB_ANY_STATE | CDB_OUT,
		.usage = { [1] = 0xf8 },
		.enabled = has_format,
		.setup = sbc_setup_format, .execute = sbc_format,
	}, {
		.opcode = READ_6, .len = 6, .name = "READ (6)", .timeout = 30,
		.flags = OP_READ, .layout = CDB_LBA_6,
		.usage = { [1] = 0x1f, U24_AT(2) },
		.execute = sbc_rw,
	}, {
		.opcode = WRITE_6, .len = 6, .name = "WRITE (6)", .timeout = 30,
		.flags = OP_WRITE, .layout = CDB_LBA_6,
		.usage = { [1] = 0x1f, U24_AT(2) },
		.execute = sbc_rw,
	}, {
		.opcode = INQUIRY, .len = 6, .name = "INQUIRY",
		.flags = OP_IDENTIFY,
		.usage = { [1] = 0x01, [2] = 0xff, U16_AT(3) },
		.setup = cdb_setup_alloc_3, .execute = spc_inquiry,
	}, {
		.opcode = MODE_SELECT, .len = 6, .name = "MODE SELECT (6)",
		.flags = CDB_STANDBY | CDB_PR_WRITE | CDB_OUT,
		.usage = { [1] = 0x11, [4] = 0xff },
		.setup = spc_setup_mode_select, .execute = spc_mode_select,
	}, {
		.opcode = MODE_SENSE, .len = 6, .name = "MODE SENSE (6)",
		.flags = CDB_STANDBY | CDB_PR_WRITE,
		.usage = { [1] = 0x08, [2] = 0xff, [3] = 0xff, [4] = 0xff },
		.setup = cdb_setup_alloc_6, .execute = spc_mode_sense,
	}, {
		/* IMMED; NO_FLUSH, LOEJ and power conditions are looked at by the handler */
		.opcode = START_STOP, .len = 6, .name = "START STOP UNIT",
		.flags = CDB_SBC | CDB_PR_FREE,
		.usage = { [1] = 0x01, [4] = 0x01 },
		.setup = sbc_setup_start_stop, .execute = sbc_no_medium_access,
	}, {
		.opcode = RECEIVE_DIAGNOSTIC, .len = 6, .name = "RECEIVE DIAGNOSTIC RESULTS",
		.flags = CDB_STANDBY | CDB_PR_WRITE,
		.usage = { [1] = 0x01, [2] = 0xff, U16_AT(3) },
		.setup = cdb_setup_alloc_3, .execute = spc_receive_diagnostic,
	}, {
		.opcode = SEND_DIAGNOSTIC, .len = 6, .name = "SEND DIAGNOSTIC",
		.flags = CDB_STANDBY | CDB_PR_WRITE | CDB_OUT,
		.usage = { [1] = 0xf7, U16_AT(3) },
		.setup = spc_setup_send_diagnostic, .execute = spc_send_diagnostic,
	}, {
		.opcode = READ_CAPACITY, .len = 10, .name = "READ CAPACITY (10)",
		.flags = CDB_SBC | CDB_STANDBY | CDB_PR_FREE,
		.setup = sbc_setup_read_capacity_10, .execute = sbc_read_capacity_10,
	}, {
		.opcode = READ_10, .len = 10, .name = "READ (10)", .timeout = 30,
		.flags = OP_READ | OP_RW_OPTIONS, .layout = CDB_LBA_10,
		.usage = { [1] = RW_OPTIONS, U32_AT(2), GROUP_AT(6), U16_AT(7) },
		.execute = sbc_rw,
	}, {
		.opcode = WRITE_10, .len = 10, .name = "WRITE (10)", .timeout = 30,
		.flags = OP_WRITE | OP_RW_OPTIONS, .layout = CDB_LBA_10,
		.usage = { [1] = RW_OPTIONS, U32_AT(2), GROUP_AT(6), U16_AT(7) },
		.execute = sbc_rw,
	}, {
		.opcode = SEEK_10, .len = 10, .name = "SEEK (10)",
		.flags = OP_RANGE | CDB_PR_READ, .layout = CDB_LBA_10,
		.usage = { U32_AT(2) },
		.execute = sbc_no_medium_access,
	}, {
		.opcode = WRITE_VERIFY, .len = 10, .name = "WRITE AND VERIFY (10)", .timeout = 60,
		.flags = OP_WRITE | CDB_PROTECT | CDB_SLEEPS, .layout = CDB_LBA_10,
		.usage = { [1] = VERIFY_OPTIONS, U32_AT(2), GROUP_AT(6), U16_AT(7) },
		.setup = sbc_setup_write_verify, .execute = sbc_write_verify,
	}, {
		.opcode = VERIFY, .len = 10, .name = "VERIFY (10)", .timeout = 60,
		.flags = OP_RANGE | CDB_PR_READ | CDB_PROTECT | CDB_SLEEPS | CDB_OUT, .layout = CDB_LBA_10,
		.usage = { [1] = VERIFY_OPTIONS, U32_AT(2), GROUP_AT(6), U16_AT(7) },
		.setup = sbc_setup_verify, .execute = sbc_verify,
	}, {
		.opcode = PRE_FETCH, .len = 10, .name = "PRE-FETCH (10)",
		.flags = OP_RANGE | CDB_PR_READ, .layout = CDB_LBA_10,
		.usage = { [1] = 0x02, U32_AT(2), GROUP_AT(6), U16_AT(7) },
		.execute = sbc_no_medium_access,
	}, {
		.opcode = SYNCHRONIZE_CACHE, .len = 10, .name = "SYNCHRONIZE CACHE (10)", .timeout = 60,
		.flags = OP_RANGE | CDB_PR_WRITE | CDB_SLEEPS, .layout = CDB_LBA_10,
		.usage = { [1] = 0x06, U32_AT(2), GROUP_AT(6), U16_AT(7) },
		.execute = sbc_sync_cache,
	}, {
		.opcode = READ_DEFECT_DATA, .len = 10, .name = "READ DEFECT DATA (10)",
		.flags = CDB_SBC | CDB_PR_READ,
		.usage = { [2] = 0x1f, U16_AT(7) },
		.setup = cdb_setup_alloc_7, .execute = sbc_read_defect_data,
	}, {
		.opcode = WRITE_BUFFER, .len = 10, .name = "WRITE BUFFER",
		.flags = CDB_ANY_ALUA | CDB_PR_WRITE | CDB_OUT,
		.usage = { [1] = 0xff, [2] = 0xff, U24_AT(3), U24_AT(6) },
		.setup = spc_setup_write_buffer, .execute = spc_write_buffer,
	}, {
		.opcode = READ_BUFFER, .len = 10, .name = "READ BUFFER (10)",
		.flags = CDB_ANY_ALUA | CDB_PR_WRITE,
		.usage = { [1] = 0xff, [2] = 0xff, U24_AT(3), U24_AT(6) },
		.setup = cdb_setup_alloc_6_24, .execute = spc_read_buffer,
	}, {
		.opcode = WRITE_SAME, .len = 10, .name = "WRITE SAME (10)", .timeout = 60,
		.flags = (OP_WRITE & ~CDB_BLOCKS) | CDB_PROTECT | CDB_SLEEPS, .layout = CDB_LBA_10,
		.usage = { [1] = WS_OPTIONS, U32_AT(2), GROUP_AT(6), U16_AT(7) },
		.enabled = has_write_same, .trim_usage = trim_write_same,
		.setup = sbc_setup_write_same, .execute = sbc_write_same,
	}, {
		.opcode = UNMAP, .len = 10, .name = "UNMAP", .timeout = 60,
		.flags = CDB_SBC | CDB_WRITES | CDB_PR_WRITE | CDB_SLEEPS | CDB_OUT,
		.usage = { GROUP_AT(6), U16_AT(7) },
		.enabled = has_thin,
		.setup = sbc_setup_unmap, .execute = sbc_unmap,
	}, {
		.opcode = SANITIZE, .len = 10, .has_sa = true, .sa = SANITIZE_OVERWRITE,
		.name = "SANITIZE, OVERWRITE", .timeout = 255,
		.flags = OP_SANITIZE,
		.usage = { [1] = 0xa0, U16_AT(7) },
		.enabled = has_format,
		.setup = sbc_setup_sanitize, .execute = sbc_sanitize,
	}, {
		.opcode = SANITIZE, .len = 10, .has_sa = true, .sa = SANITIZE_BLOCK_ERASE,
		.name = "SANITIZE, BLOCK ERASE", .timeout = 255,
		.flags = OP_SANITIZE,
		.usage = { [1] = 0xa0, U16_AT(7) },
		.enabled = has_format,
		.setup = sbc_setup_sanitize, .execute = sbc_sanitize,
	}, {
		.opcode = SANITIZE, .len = 10, .has_sa = true, .sa = SANITIZE_EXIT_FAILURE_MODE,
		.name = "SANITIZE, EXIT FAILURE MODE", .timeout = 255,
		.flags = OP_SANITIZE,
		.usage = { [1] = 0x80, U16_AT(7) },
		.enabled = has_format,
		.setup = sbc_setup_sanitize, .execute = sbc_sanitize,
	}, {
		.opcode = LOG_SENSE, .len = 10, .name = "LOG SENSE",
		.flags = CDB_STANDBY | CDB_PR_FREE,
		.usage = { [1] = 0x01, [2] = 0xff, [3] = 0xff, U16_AT(5), U16_AT(7) },
		.setup = cdb_setup_alloc_7, .execute = spc_log_sense,
	}, {
		.opcode = MODE_SELECT_10, .len = 10, .name = "MODE SELECT (10)",
		.flags = CDB_STANDBY | CDB_PR_WRITE | CDB_OUT,
		.usage = { [1] = 0x11, U16_AT(7) },
		.setup = spc_setup_mode_select, .execute = spc_mode_select,
	}, {
		.opcode = MODE_SENSE_10, .len = 10, .name = "MODE SENSE (10)",
		.flags = CDB_STANDBY | CDB_PR_WRITE,
		.usage = { [1] = 0x18, [2] = 0xff, [3] = 0xff, U16_AT(7) },
		.setup = cdb_setup_alloc_7, .execute = spc_mode_sense,
	}, {
		.opcode = VARIABLE_LENGTH_CMD, .len = 32, .has_sa = true, .sa = READ_32,
		.name = "READ (32)", .timeout = 30,
		.flags = OP_READ | OP_RW_OPTIONS, .layout = CDB_LBA_32,
		.usage = { GROUP_AT(6), [10] = RW_OPTIONS, U64_AT(12), U32_AT(20), U32_AT(24), U32_AT(28) },
		.execute = sbc_rw,
	}, {
		.opcode = VARIABLE_LENGTH_CMD, .len = 32, .has_sa = true, .sa = WRITE_32,
		.name = "WRITE (32)", .timeout = 30,
		.flags = OP_WRITE | OP_RW_OPTIONS, .layout = CDB_LBA_32,
		.usage = { GROUP_AT(6), [10] = RW_OPTIONS, U64_AT(12), U32_AT(20), U32_AT(24), U32_AT(28) },
		.execute = sbc_rw,
	}, {
		.opcode = VARIABLE_LENGTH_CMD, .len = 32, .has_sa = true, .sa = WRITE_SAME_32,
		.name = "WRITE SAME (32)", .timeout = 60,
		.flags = (OP_WRITE & ~CDB_BLOCKS) | CDB_PROTECT | CDB_SLEEPS, .layout = CDB_LBA_32,
		.usage = { GROUP_AT(6), [10] = WS_OPTIONS | 0x01, U64_AT(12), U32_AT(20), U32_AT(24), U32_AT(28) },
		.enabled = has_write_same, .trim_usage = trim_write_same_32,
		.setup = sbc_setup_write_same, .execute = sbc_write_same,
	}, {
		.opcode = READ_16, .len = 16, .name = "READ (16)", .timeout = 30,
		.flags = OP_READ | OP_RW_OPTIONS, .layout = CDB_LBA_16,
		.usage = { [1] = RW_OPTIONS, U64_AT(2), U32_AT(10), GROUP_AT(14) },
		.execute = sbc_rw,
	}, {
		.opcode = COMPARE_AND_WRITE, .len = 16, .name = "COMPARE AND WRITE", .timeout = 30,
		.flags = OP_WRITE | OP_RW_OPTIONS | CDB_SLEEPS, .layout = CDB_LBA_CAW,
		.usage = { [1] = RW_OPTIONS, U64_AT(2), [13] = 0xff, GROUP_AT(14) },
		.enabled = has_caw,
		.setup = sbc_setup_compare_and_write, .execute = sbc_compare_and_write,
	}, {
		.opcode = WRITE_16, .len = 16, .name = "WRITE (16)", .timeout = 30,
		.flags = OP_WRITE | OP_RW_OPTIONS, .layout = CDB_LBA_16,
		.usage = { [1] = RW_OPTIONS, U64_AT(2), U32_AT(10), GROUP_AT(14) },
		.execute = sbc_rw,
	}, {
		.opcode = ORWRITE_16, .len = 16, .name = "ORWRITE (16)", .timeout = 60,
		.flags = OP_WRITE | OP_RW_OPTIONS | CDB_SLEEPS, .layout = CDB_LBA_16,
		.usage = { [1] = RW_OPTIONS, U64_AT(2), U32_AT(10), GROUP_AT(14) },
		.execute = sbc_or_write,
	}, {
		.opcode = WRITE_VERIFY_16, .len = 16, .name = "WRITE AND VERIFY (16)", .timeout = 60,
		.flags = OP_WRITE | CDB_PROTECT | CDB_SLEEPS, .layout = CDB_LBA_16,
		.usage = { [1] = VERIFY_OPTIONS, U64_AT(2), U32_AT(10), GROUP_AT(14) },
		.setup = sbc_setup_write_verify, .execute = sbc_write_verify,
	}, {
		.opcode = VERIFY_16, .len = 16, .name = "VERIFY (16)", .timeout = 60,
		.flags = OP_RANGE | CDB_PR_READ | CDB_PROTECT | CDB_SLEEPS | CDB_OUT, .layout = CDB_LBA_16,
		.usage = { [1] = VERIFY_OPTIONS, U64_AT(2), U32_AT(10), GROUP_AT(14) },
		.setup = sbc_setup_verify, .execute = sbc_verify,
	}, {
		.opcode = PRE_FETCH_16, .len = 16, .name = "PRE-FETCH (16)",
		.flags = OP_RANGE | CDB_PR_READ, .layout = CDB_LBA_16,
		.usage = { [1] = 0x02, U64_AT(2), U32_AT(10), GROUP_AT(14) },
		.execute = sbc_no_medium_access,
	}, {
		.opcode = SYNCHRONIZE_CACHE_16, .len = 16, .name = "SYNCHRONIZE CACHE (16)", .timeout = 60,
		.flags = OP_RANGE | CDB_PR_WRITE | CDB_SLEEPS, .layout = CDB_LBA_16,
		.usage = { [1] = 0x06, U64_AT(2), U32_AT(10), GROUP_AT(14) },
		.execute = sbc_sync_cache,
	}, {
		.opcode = WRITE_SAME_16, .len = 16, .name = "WRITE SAME (16)", .timeout = 60,
		.flags = (OP_WRITE & ~CDB_BLOCKS) | CDB_PROTECT | CDB_SLEEPS, .layout = CDB_LBA_16,
		.usage = { [1] = WS_OPTIONS | 0x01, U64_AT(2), U32_AT(10), GROUP_AT(14) },
		.enabled = has_write_same, .trim_usage = trim_write_same,
		.setup = sbc_setup_write_same, .execute = sbc_write_same,
	}, {
		/* No ATOMIC BOUNDARY */
		.opcode = WRITE_ATOMIC_16, .len = 16, .name = "WRITE ATOMIC (16)", .timeout = 30,
		.flags = OP_WRITE | OP_RW_OPTIONS, .layout = CDB_LBA_ATOMIC,
		.usage = { [1] = RW_OPTIONS & ~0x02, U64_AT(2), U16_AT(12), GROUP_AT(14) },
		.enabled = has_atomic,
		.setup = sbc_setup_write_atomic, .execute = sbc_rw,
	}, {
		.opcode = SERVICE_ACTION_IN_16, .len = 16, .has_sa = true, .sa = SAI_READ_CAPACITY_16,
		.name = "READ CAPACITY (16)",
		.flags = CDB_SBC | CDB_STANDBY | CDB_PR_FREE,
		.usage = { U32_AT(10) },
		.setup = cdb_setup_alloc_10_32, .execute = sbc_read_capacity_16,
	}, {
		.opcode = SERVICE_ACTION_IN_16, .len = 16, .has_sa = true, .sa = SAI_GET_LBA_STATUS,
		.name = "GET LBA STATUS (16)",
		.flags = OP_RANGE | CDB_PR_READ, .layout = CDB_LBA_ONLY_16,
		.usage = { U64_AT(2), U32_AT(10) },
		.setup = sbc_setup_lba_status, .execute = sbc_lba_status,
	}, {
		.opcode = REPORT_LUNS, .len = 12, .name = "REPORT LUNS",
		.flags = OP_IDENTIFY,
		.usage = { [2] = 0xff, U32_AT(6) },
		.setup = cdb_setup_alloc_6_32, .execute = spc_emulate_report_luns,
	}, {
		.opcode = MAINTENANCE_IN, .len = 12, .has_sa = true, .sa = MI_REPORT_SUPPORTED_OPERATION_CODES,
		.name = "REPORT SUPPORTED OPERATION CODES",
		.flags = CDB_ANY_ALUA | CDB_ANY_STATE | CDB_PR_FREE,
		.usage = { [2] = 0x87, [3] = 0xff, U16_AT(4), U32_AT(6) },
		.enabled = has_rsoc,
		.setup = cdb_setup_alloc_6_32, .execute = spc_report_opcodes,
	}, {
		.opcode = MAINTENANCE_IN, .len = 12, .has_sa = true, .sa = MI_REPORT_SUPPORTED_TASK_MANAGEMENT_FUNCTIONS,
		.name = "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS",
		.flags = CDB_ANY_ALUA | CDB_ANY_STATE | CDB_PR_FREE,
		.usage = { [2] = 0x80, U32_AT(6) },
		.setup = cdb_setup_alloc_6_32, .execute = spc_report_tmf,
	}, {
		.opcode = READ_12, .len = 12, .name = "READ (12)", .timeout = 30,
		.flags = OP_READ | OP_RW_OPTIONS, .layout = CDB_LBA_12,
		.usage = { [1] = RW_OPTIONS, U32_AT(2), U32_AT(6), GROUP_AT(10) },
		.execute = sbc_rw,
	}, {
		.opcode = WRITE_12, .len = 12, .name = "WRITE (12)", .timeout = 30,
		.flags = OP_WRITE | OP_RW_OPTIONS, .layout = CDB_LBA_12,
		.usage = { [1] = RW_OPTIONS, U32_AT(2), U32_AT(6), GROUP_AT(10) },
		.execute = sbc_rw,
	}, {
		.opcode = WRITE_VERIFY_12, .len = 12, .name = "WRITE AND VERIFY (12)", .timeout = 60,
		.flags = OP_WRITE | CDB_PROTECT | CDB_SLEEPS, .layout = CDB_LBA_12,
		.usage = { [1] = VERIFY_OPTIONS, U32_AT(2), U32_AT(6), GROUP_AT(10) },
		.setup = sbc_setup_write_verify, .execute = sbc_write_verify,
	}, {
		.opcode = VERIFY_12, .len = 12, .name = "VERIFY (12)", .timeout = 60,
		.flags = OP_RANGE | CDB_PR_READ | CDB_PROTECT | CDB_SLEEPS | CDB_OUT, .layout = CDB_LBA_12,
		.usage = { [1] = VERIFY_OPTIONS, U32_AT(2), U32_AT(6), GROUP_AT(10) },
		.setup = sbc_setup_verify, .execute = sbc_verify,
	}, {
		.opcode = READ_DEFECT_DATA_12, .len = 12, .name = "READ DEFECT DATA (12)",
		.flags = CDB_SBC | CDB_PR_READ,
		.usage = { [1] = 0x1f, U32_AT(2), U32_AT(6) },
		.setup = cdb_setup_alloc_6_32, .execute = sbc_read_defect_data,
	},
};

#define CDB_WORDS	(CDB_MAX_LEN / sizeof(u64))
#define CDB_NONE	0xff

static u8 cdb_first[256];
/* The bits that must be zero, in the words of a CDB; written by cdb_init() only. */
static u64 cdb_deny[ARRAY_SIZE(cdb_ops)][CDB_WORDS];

static u16 cdb_service_action(const u8 *cdb)
{
	return cdb[0] == VARIABLE_LENGTH_CMD ? get_unaligned_be16(&cdb[8]) : cdb[1] & 0x1f;
}

/**
 * cdb_find - the table's entry for a CDB
 * @cdb:	CDB_MAX_LEN readable bytes
 *
 * Return: the entry, enabled or not, NULL if there is none. Context: any.
 */
const struct cdb_op *cdb_find(const u8 *cdb)
{
	unsigned int i = cdb_first[cdb[0]];
	u16 sa;

	if (i == CDB_NONE)
		return NULL;
	if (!cdb_ops[i].has_sa)
		return &cdb_ops[i];

	sa = cdb_service_action(cdb);
	for (; i < ARRAY_SIZE(cdb_ops) && cdb_ops[i].opcode == cdb[0]; i++)
		if (cdb_ops[i].sa == sa)
			return &cdb_ops[i];
	return NULL;
}

/**
 * cdb_table - all that the core knows
 * @count:	is set to the number of entries
 *
 * Return: the entries in the order of operation code and service action.
 */
const struct cdb_op *cdb_table(unsigned int *count)
{
	*count = ARRAY_SIZE(cdb_ops);
	return cdb_ops;
}

/**
 * cdb_enabled - is the command there on this device?
 * @op:		the command
 * @dev:	a device whose commands the core emulates
 *
 * Return: true if it is executed and reported.
 */
bool cdb_enabled(const struct cdb_op *op, const struct se_device *dev)
{
	return !op->enabled || op->enabled(op, dev);
}

/**
 * cdb_opcode_enabled - is there any command of an operation code on this device?
 * @opcode:	the operation code
 * @dev:	a device whose commands the core emulates
 *
 * Return: true if so; then it is the service action that is wrong, not the
 * operation code.
 */
bool cdb_opcode_enabled(u8 opcode, const struct se_device *dev)
{
	unsigned int i;

	for (i = cdb_first[opcode]; i < ARRAY_SIZE(cdb_ops) && cdb_ops[i].opcode == opcode; i++)
		if (cdb_enabled(&cdb_ops[i], dev))
			return true;
	return false;
}

/* Options of byte 1 (byte 10 of a 32-byte CDB) that the device lacks. */
static u8 cdb_lacking_options(const struct cdb_op *op, const struct se_device *dev)
{
	u8 bits = 0;

	if ((op->flags & (CDB_PROTECT | CDB_FUA)) && !dev_dpofua(dev)) {
		/* FUA_NV asks for no more than a non-volatile cache, and there is no volatile one. */
		if (op->flags & CDB_FUA)
			bits |= 0x08;
		bits |= 0x10;
	}
	return bits;
}

static unsigned int cdb_options_at(const struct cdb_op *op)
{
	return op->len == 32 ? 10 : 1;
}

/**
 * cdb_usage - CDB usage data as REPORT SUPPORTED OPERATION CODES gives them
 * @op:		the command
 * @dev:	the device
 * @usage:	CDB_MAX_LEN bytes to fill
 */
void cdb_usage(const struct cdb_op *op, const struct se_device *dev, u8 *usage)
{
	unsigned int at = cdb_options_at(op);

	memcpy(usage, op->usage, CDB_MAX_LEN);
	usage[at] &= ~cdb_lacking_options(op, dev);
	if ((op->flags & CDB_PROTECT) && !dev->dev_attrib.pi_prot_type)
		usage[at] &= ~0xe0;
	if (op->trim_usage)
		op->trim_usage(usage, dev);

	usage[0] = op->opcode;
	if (op->opcode == VARIABLE_LENGTH_CMD) {
		usage[7] = op->len - 8;
		put_unaligned_be16(op->sa, &usage[8]);
	} else if (op->has_sa) {
		usage[1] |= op->sa;
	}
}

/**
 * cdb_usage_check - are reserved bits of a CDB zero?
 * @op:		its entry
 * @cdb:	CDB_MAX_LEN readable bytes
 * @dev:	the device
 *
 * RDPROTECT and its like are left to sbc_setup_prot(), which knows the session.
 *
 * Return: true if they are.
 */
bool cdb_usage_check(const struct cdb_op *op, const u8 *cdb, const struct se_device *dev)
{
	const u64 *deny = cdb_deny[op - cdb_ops];
	u8 options = cdb[cdb_options_at(op)];
	u8 usage[CDB_MAX_LEN];
	unsigned int i;
	u64 bad = 0;

	for (i = 0; i < DIV_ROUND_UP(op->len, sizeof(u64)); i++)
		bad |= get_unaligned((const u64 *)cdb + i) & deny[i];
	if (bad)
		return false;
	if ((options & 0x1a) && (options & cdb_lacking_options(op, dev)))
		return false;
	if (!op->trim_usage)
		return true;

	memcpy(usage, op->usage, CDB_MAX_LEN);
	op->trim_usage(usage, dev);
	for (i = 1; i < op->len; i++)
		bad |= cdb[i] & op->usage[i] & ~usage[i];
	return !bad;
}

/**
 * cdb_decode - LBA and number of blocks as a CDB has them
 * @op:		its entry
 * @cdb:	op->len readable bytes
 * @lba:	first block
 * @nolb:	number of blocks
 */
void cdb_decode(const struct cdb_op *op, const u8 *cdb, u64 *lba, u32 *nolb)
{
	*lba = 0;
	*nolb = 0;

	switch (op->layout) {
	case CDB_LBA_6:
		*lba = get_unaligned_be24(&cdb[1]) & 0x1fffff;
		*nolb = cdb[4] ?: 256;
		break;
	case CDB_LBA_10:
		*lba = get_unaligned_be32(&cdb[2]);
		*nolb = get_unaligned_be16(&cdb[7]);
		break;
	case CDB_LBA_12:
		*lba = get_unaligned_be32(&cdb[2]);
		*nolb = get_unaligned_be32(&cdb[6]);
		break;
	case CDB_LBA_16:
		*lba = get_unaligned_be64(&cdb[2]);
		*nolb = get_unaligned_be32(&cdb[10]);
		break;
	case CDB_LBA_32:
		*lba = get_unaligned_be64(&cdb[12]);
		*nolb = get_unaligned_be32(&cdb[28]);
		break;
	case CDB_LBA_CAW:
		*lba = get_unaligned_be64(&cdb[2]);
		*nolb = cdb[13];
		break;
	case CDB_LBA_ATOMIC:
		*lba = get_unaligned_be64(&cdb[2]);
		*nolb = get_unaligned_be16(&cdb[12]);
		break;
	case CDB_LBA_ONLY_16:
		*lba = get_unaligned_be64(&cdb[2]);
		break;
	}
}

/**
 * cdb_flags - how the gates see a command
 * @cmd:	command whose CDB is there
 *
 * An operation code that only the device behind a passthrough knows counts as
 * the direction of its data says.
 *
 * Return: flags of enum cdb_flags. Context: any.
 */
unsigned int cdb_flags(const struct se_cmd *cmd)
{
	const struct cdb_op *op = cdb_find(cmd->t_task_cdb);
	unsigned int flags;

	if (op)
		flags = op->flags;
	else
		flags = CDB_PR_WRITE | (cmd->data_direction == DMA_TO_DEVICE ? CDB_WRITES : 0);

	/* Where it is executed elsewhere, nothing of it waits here. */
	if (cmd->se_dev && (cmd->se_dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH))
		flags &= ~CDB_SLEEPS;
	return flags;
}

static void cdb_set_deny(const struct cdb_op *op, u64 *deny)
{
	u8 *bytes = (u8 *)deny;
	unsigned int i;

	for (i = 1; i < op->len; i++)
		bytes[i] = ~op->usage[i];
	if (op->opcode == VARIABLE_LENGTH_CMD)
		memset(&bytes[7], 0, 3);
	else if (op->has_sa)
		bytes[1] &= ~0x1f;
	/*
	 * The LUN was there in SCSI-2, and Linux still writes it until the first INQUIRY
	 * of a target has told its version: else no LUN were found before LUN 0.
	 */
	if (op->opcode == INQUIRY)
		bytes[1] &= ~0xe0;
}

/**
 * cdb_init - makes the index by operation code
 *
 * Return: 0. Context: module init, before the first command.
 */
int cdb_init(void)
{
	unsigned int i = ARRAY_SIZE(cdb_ops);

	BUILD_BUG_ON(ARRAY_SIZE(cdb_ops) >= CDB_NONE);
	memset(cdb_first, CDB_NONE, sizeof(cdb_first));
	while (i-- > 0) {
		cdb_first[cdb_ops[i].opcode] = i;
		cdb_set_deny(&cdb_ops[i], cdb_deny[i]);
	}
	return 0;
}
