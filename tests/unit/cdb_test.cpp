// SPDX-License-Identifier: GPL-2.0
// The opcode table against the rules of the standards that it is made of, the parser, and what the
// block commands accept of their CDBs and parameter lists.
#include <algorithm>
#include <bit>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "target_core.h"

#include <scsi/scsi_common.h>

#include "core_fakes.h"
}

namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint64_t medium_blocks = 0x10000;

std::span<const cdb_op> table()
{
	unsigned int count;
	const cdb_op *ops = cdb_table(&count);
	return {ops, count};
}

/// A device that has everything.
core_dev full_device()
{
	core_dev dev{};
	core_fake_device(&dev.dev);
	auto &a = dev.dev.dev_attrib;
	a.emulate_tpu = a.emulate_tpws = a.emulate_caw = a.emulate_rsoc = true;
	a.emulate_fua_write = a.emulate_write_cache = true;
	a.pi_prot_type = TARGET_DIF_TYPE1_PROT;
	a.block_size = 512;
	a.max_write_same_len = 4096;
	a.max_unmap_lba_count = 1000;
	a.max_unmap_block_desc_count = 3;
	dev.emulate_format = true;
	return dev;
}

class Cdb : public testing::Test {
protected:
	void SetUp() override
	{
		ASSERT_EQ(cdb_init(), 0);
		core_fakes = {};
		core_fakes.last_lba = medium_blocks - 1;
		core_fakes.atomic_max = 64;
	}

	/// Parses @bytes; what they send or fetch is @length bytes.
	sense_reason_t parse(Bytes bytes, uint32_t length = 0, dma_data_direction dir = DMA_NONE)
	{
		cdb_.assign(CDB_MAX_LEN, 0);
		std::copy(bytes.begin(), bytes.end(), cdb_.begin());
		cmd_ = {};
		cmd_.se_dev = &dev_.dev;
		cmd_.t_task_cdb = cdb_.data();
		cmd_.data_length = length;
		cmd_.data_direction = dir;
		core_fakes.size = 0;
		return sbc_parse_cdb(&cmd_, &core_fake_ops);
	}

	/// Parses @bytes and runs them with a parameter list.
	sense_reason_t run(const Bytes &bytes, const Bytes &list)
	{
		core_fakes.nr_completed = core_fakes.nr_jobs = core_fakes.nr_unmaps = 0;
		core_fakes.unmapped = 0;
		if (auto ret = parse(bytes, uint32_t(list.size()), list.empty() ? DMA_NONE : DMA_TO_DEVICE))
			return ret;
		core_fakes.out = list.data();
		core_fakes.out_len = list.size();
		return cmd_.execute_cmd(&cmd_);
	}

	core_dev dev_ = full_device();
	Bytes cdb_;
	se_cmd cmd_{};
};

/// A CDB of @op with all its fields zero.
Bytes empty_cdb(const cdb_op &op)
{
	Bytes cdb(CDB_MAX_LEN);
	cdb[0] = op.opcode;
	if (op.opcode == VARIABLE_LENGTH_CMD) {
		cdb[7] = uint8_t(op.len - 8);
		put_unaligned_be16(op.sa, &cdb[8]);
	} else if (op.has_sa) {
		cdb[1] = uint8_t(op.sa);
	}
	return cdb;
}

/// Sets @size bytes at @at.
void set_field(Bytes &cdb, size_t at, size_t size, uint64_t value)
{
	for (; size; size--, value >>= 8)
		cdb[at + size - 1] = uint8_t(value);
}

struct Field {
	size_t at, size;
};

/// Where SBC-4 has the LBA and the number of blocks.
std::pair<Field, Field> fields_of(const cdb_op &op)
{
	switch (op.layout) {
	case CDB_LBA_6: return {{1, 3}, {4, 1}};
	case CDB_LBA_10: return {{2, 4}, {7, 2}};
	case CDB_LBA_12: return {{2, 4}, {6, 4}};
	case CDB_LBA_16: return {{2, 8}, {10, 4}};
	case CDB_LBA_32: return {{12, 8}, {28, 4}};
	case CDB_LBA_CAW: return {{2, 8}, {13, 1}};
	case CDB_LBA_ATOMIC: return {{2, 8}, {12, 2}};
	case CDB_LBA_ONLY_16: return {{2, 8}, {0, 0}};
	}
	return {};
}

TEST_F(Cdb, TableIsSorted)
{
	std::set<std::string> names;
	const cdb_op *before = nullptr;
	for (const cdb_op &op : table()) {
		SCOPED_TRACE(op.name);
		EXPECT_TRUE(names.insert(op.name).second);
		if (before) {
			EXPECT_LT(before->opcode << 16 | before->sa, op.opcode << 16 | op.sa);
		}
		if (before && before->opcode == op.opcode) {
			EXPECT_TRUE(before->has_sa && op.has_sa);
		}
		before = &op;
	}
}

// SPC-4, 4.3.2: the group code of an operation code tells the length; its usage ends there, and
// the CONTROL byte has nothing that the core takes.
TEST_F(Cdb, TableHasTheLengthsOfTheStandard)
{
	for (const cdb_op &op : table()) {
		SCOPED_TRACE(op.name);
		EXPECT_EQ(op.len, op.opcode == VARIABLE_LENGTH_CMD ? 32u : scsi_command_size(&op.opcode));
		for (unsigned i = op.len; i < CDB_MAX_LEN; i++)
			EXPECT_EQ(op.usage[i], 0) << i;
		EXPECT_EQ(op.usage[op.opcode == VARIABLE_LENGTH_CMD ? 1 : op.len - 1] &
			  (fields_of(op).second.at == op.len - 1u ? 0 : 0xff), 0);
	}
}

TEST_F(Cdb, FlagsAgree)
{
	for (const cdb_op &op : table()) {
		SCOPED_TRACE(op.name);
		EXPECT_NE(op.execute, nullptr);
		EXPECT_EQ(std::popcount(unsigned(op.flags & (CDB_PR_READ | CDB_PR_WRITE | CDB_PR_FREE))), 1);
		if (op.flags & CDB_WRITES) {
			EXPECT_EQ(op.flags & (CDB_PR_WRITE | CDB_OUT), CDB_PR_WRITE | CDB_OUT);
		}
		if (op.flags & CDB_BLOCKS) {
			EXPECT_EQ(op.flags & (CDB_RANGE | CDB_SBC), CDB_RANGE | CDB_SBC);
		}
		EXPECT_EQ(!!(op.flags & CDB_RANGE), op.layout != CDB_NO_LBA);
		unsigned options = op.usage[op.len == 32 ? 10 : 1];
		if (op.flags & CDB_PROTECT) {
			EXPECT_EQ(options & 0xe0, 0xe0u);
		}
		if (op.flags & CDB_FUA) {
			EXPECT_EQ(options & 0x18, 0x18u);
		}
		if (op.flags & CDB_ANY_ALUA) {
			EXPECT_FALSE(op.flags & CDB_STANDBY);
		}
	}
}

TEST_F(Cdb, FindsEachEntryAndNoOther)
{
	for (const cdb_op &op : table())
		EXPECT_EQ(cdb_find(empty_cdb(op).data()), &op) << op.name;

	for (unsigned opcode = 0; opcode < 256; opcode++) {
		auto same = [&](const cdb_op &op) { return op.opcode == opcode; };
		bool known = std::ranges::any_of(table(), same);
		EXPECT_EQ(cdb_opcode_enabled(uint8_t(opcode), &dev_.dev), known) << opcode;
		for (unsigned sa = 0; sa < 32; sa++) {
			Bytes cdb(CDB_MAX_LEN);
			cdb[0] = uint8_t(opcode);
			if (opcode == VARIABLE_LENGTH_CMD)
				cdb[9] = uint8_t(sa);
			else
				cdb[1] = uint8_t(sa);
			bool there = std::ranges::any_of(table(), [&](const cdb_op &op) {
				return same(op) && (!op.has_sa || op.sa == sa);
			});
			EXPECT_EQ(!!cdb_find(cdb.data()), there) << opcode << " " << sa;
		}
	}
}

// What REPORT SUPPORTED OPERATION CODES says of each bit is what happens to it.
TEST_F(Cdb, AcceptsWhatItReports)
{
	for (bool full : {true, false}) {
		if (!full)
			dev_.dev.dev_attrib.emulate_fua_write = dev_.dev.dev_attrib.emulate_tpws = false;
		for (const cdb_op &op : table()) {
			SCOPED_TRACE(op.name);
			u8 usage[CDB_MAX_LEN];
			cdb_usage(&op, &dev_.dev, usage);
			EXPECT_EQ(usage[0], op.opcode);
			const Bytes base = empty_cdb(op);
			EXPECT_TRUE(cdb_usage_check(&op, base.data(), &dev_.dev));
			for (unsigned bit = 8; bit < op.len * 8u; bit++) {
				Bytes cdb = base;
				cdb[bit / 8] ^= uint8_t(1 << bit % 8);
				if (cdb_find(cdb.data()) != &op || cdb[7] != base[7])
					continue;
				bool reported = usage[bit / 8] >> bit % 8 & 1;
				// SCSI-2's LUN, which Linux writes before it knows the target's version.
				bool ignored = op.opcode == INQUIRY && bit >= 13 && bit < 16;
				EXPECT_EQ(cdb_usage_check(&op, cdb.data(), &dev_.dev), reported || ignored)
					<< bit / 8 << "." << bit % 8;
			}
		}
	}
}

// SBC-4, clause 5: the fields of each command, all of whose bits are used.
TEST_F(Cdb, DecodesLbaAndBlocks)
{
	for (const cdb_op &op : table()) {
		SCOPED_TRACE(op.name);
		auto [lba_at, nolb_at] = fields_of(op);
		Bytes cdb = empty_cdb(op);
		u64 lba = 1, expected_lba = 0;
		u32 nolb = 1, expected_nolb = 0;
		if (op.layout != CDB_NO_LBA) {
			expected_lba = 0x0123456789abcdef >> (64 - 8 * lba_at.size);
			set_field(cdb, lba_at.at, lba_at.size, expected_lba);
			// 21 bits
			for (size_t i = 0; i < lba_at.size; i++)
				EXPECT_EQ(op.usage[lba_at.at + i], op.layout == CDB_LBA_6 && !i ? 0x1f : 0xff);
		}
		// SEEK has an LBA only.
		if (nolb_at.size && op.opcode != SEEK_10) {
			expected_nolb = uint32_t(0xfedcba98) >> (32 - 8 * nolb_at.size);
			set_field(cdb, nolb_at.at, nolb_at.size, expected_nolb);
			for (size_t i = 0; i < nolb_at.size; i++)
				EXPECT_EQ(op.usage[nolb_at.at + i], 0xff);
		}
		cdb_decode(&op, cdb.data(), &lba, &nolb);
		EXPECT_EQ(lba, expected_lba);
		EXPECT_EQ(nolb, expected_nolb);
	}
}

TEST_F(Cdb, SixByteCountOfZeroIs256)
{
	EXPECT_EQ(parse({READ_6, 0xff, 0, 0}, 256 * 512, DMA_FROM_DEVICE), TCM_INVALID_CDB_FIELD);
	ASSERT_EQ(parse({READ_6, 0, 0x12, 0x34}, 256 * 512, DMA_FROM_DEVICE), 0u);
	EXPECT_EQ(cmd_.t_task_lba, 0x1234u);
	EXPECT_EQ(cmd_.t_task_nolb, 256u);
	EXPECT_EQ(core_fakes.size, 256u * 512);
	EXPECT_TRUE(cmd_.se_cmd_flags & SCF_SCSI_DATA_CDB);
}

TEST_F(Cdb, RangeEndsWithTheMedium)
{
	Bytes cdb{READ_16};
	cdb.resize(16);
	auto read = [&](uint64_t lba, uint32_t nolb) {
		set_field(cdb, 2, 8, lba);
		set_field(cdb, 10, 4, nolb);
		return parse(cdb, nolb * 512, DMA_FROM_DEVICE);
	};
	EXPECT_EQ(read(medium_blocks - 1, 1), 0u);
	EXPECT_EQ(read(medium_blocks, 0), 0u);
	EXPECT_EQ(read(medium_blocks, 1), TCM_ADDRESS_OUT_OF_RANGE);
	EXPECT_EQ(read(medium_blocks + 1, 0), TCM_ADDRESS_OUT_OF_RANGE);
	EXPECT_EQ(read(medium_blocks - 1, 2), TCM_ADDRESS_OUT_OF_RANGE);
	EXPECT_EQ(read(UINT64_MAX, 1), TCM_ADDRESS_OUT_OF_RANGE);
	EXPECT_EQ(read(UINT64_MAX, UINT32_MAX), TCM_ADDRESS_OUT_OF_RANGE);
	// More bytes than a command can have
	core_fakes.last_lba = UINT64_MAX - 1;
	EXPECT_EQ(read(0, (UINT32_MAX >> 9) + 1), TCM_INVALID_CDB_FIELD);
	EXPECT_EQ(read(0, UINT32_MAX >> 9), 0u);
}

TEST_F(Cdb, OptionsNeedTheDevice)
{
	ASSERT_EQ(parse({WRITE_10, 0x08}), 0u);
	EXPECT_TRUE(cmd_.se_cmd_flags & SCF_FUA);
	ASSERT_EQ(parse({WRITE_10, 0x10}), 0u);
	EXPECT_FALSE(cmd_.se_cmd_flags & SCF_FUA);
	dev_.dev.dev_attrib.emulate_write_cache = false;
	EXPECT_EQ(parse({WRITE_10, 0x08}), TCM_INVALID_CDB_FIELD);
	EXPECT_EQ(parse({WRITE_10, 0x10}), TCM_INVALID_CDB_FIELD);
	EXPECT_EQ(parse({WRITE_10}), 0u);
}

TEST_F(Cdb, DirectionFits)
{
	Bytes cdb{WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1};
	EXPECT_EQ(parse(cdb, 512, DMA_FROM_DEVICE), TCM_INVALID_CDB_FIELD);
	EXPECT_EQ(parse(cdb, 512, DMA_TO_DEVICE), 0u);
	cdb[0] = READ_10;
	EXPECT_EQ(parse(cdb, 512, DMA_BIDIRECTIONAL), 0u);
	// A read to which data are sent uses none of them, and nothing is read.
	EXPECT_EQ(parse(cdb, 513, DMA_TO_DEVICE), TCM_INVALID_CDB_FIELD);
	ASSERT_EQ(parse(cdb, 512, DMA_TO_DEVICE), 0u);
	EXPECT_NE(cmd_.execute_cmd, sbc_rw);
	EXPECT_EQ(cmd_.execute_cmd(&cmd_), 0u);
	EXPECT_EQ(cmd_.residual_count, 512u);
	EXPECT_TRUE(cmd_.se_cmd_flags & SCF_UNDERFLOW_BIT);
	EXPECT_EQ(core_fakes.nr_completed, 1u);
}

TEST_F(Cdb, WhatIsNotThere)
{
	EXPECT_EQ(parse({0xff}), TCM_UNSUPPORTED_SCSI_OPCODE);
	EXPECT_EQ(parse({SANITIZE, 0x1e}), TCM_INVALID_CDB_FIELD);
	EXPECT_EQ(parse({FORMAT_UNIT}), 0u);
	dev_.emulate_format = false;
	EXPECT_EQ(parse({FORMAT_UNIT}), TCM_UNSUPPORTED_SCSI_OPCODE);
	EXPECT_EQ(parse({SANITIZE, SANITIZE_BLOCK_ERASE}), TCM_UNSUPPORTED_SCSI_OPCODE);

	Bytes read_32(32);
	read_32[0] = VARIABLE_LENGTH_CMD;
	read_32[7] = 24;
	read_32[9] = READ_32;
	EXPECT_EQ(parse(read_32), 0u);
	read_32[7] = 25;
	EXPECT_EQ(parse(read_32), TCM_INVALID_CDB_FIELD);
}

// What VPD page B0h says of WRITE ATOMIC is what happens to it (SBC-4, 6.6.4).
TEST_F(Cdb, AtomicWritesHaveLimits)
{
	core_fakes.atomic_max = 64;
	core_fakes.atomic_alignment = 8;
	core_fakes.atomic_granularity = 4;
	auto write = [&](uint64_t lba, uint32_t nolb, uint16_t boundary = 0) {
		Bytes cdb(16);
		cdb[0] = WRITE_ATOMIC_16;
		set_field(cdb, 2, 8, lba);
		set_field(cdb, 10, 2, boundary);
		set_field(cdb, 12, 2, nolb);
		return parse(cdb, nolb * 512, DMA_TO_DEVICE);
	};
	ASSERT_EQ(write(16, 64), 0u);
	EXPECT_EQ(cmd_.sam_task_attr, TCM_ORDERED_TAG);
	EXPECT_EQ(core_fakes.size, 64u * 512);
	EXPECT_EQ(write(8, 4), 0u);
	EXPECT_EQ(write(8, 0), 0u);
	EXPECT_EQ(write(16, 65), TCM_INVALID_CDB_FIELD);
	EXPECT_EQ(write(16, 68), TCM_INVALID_CDB_FIELD);
	EXPECT_EQ(write(16, 6), TCM_INVALID_CDB_FIELD);
	EXPECT_EQ(write(12, 8), TCM_INVALID_CDB_FIELD);
	EXPECT_EQ(write(16, 8, 8), TCM_INVALID_CDB_FIELD);
	EXPECT_EQ(write(medium_blocks, 8), TCM_ADDRESS_OUT_OF_RANGE);
	core_fakes.atomic_max = 0;
	EXPECT_EQ(write(16, 8), TCM_UNSUPPORTED_SCSI_OPCODE);
}

// Whoever comes first after a change of size says so to everybody, once; at first there is none.
TEST_F(Cdb, NewSizeIsTold)
{
	EXPECT_EQ(parse({READ_10, 0, 0, 0, 0, 0, 0, 0, 1}, 512, DMA_FROM_DEVICE), 0u);
	EXPECT_EQ(parse({TEST_UNIT_READY}), 0u);
	EXPECT_EQ(core_fakes.nr_attentions, 0u);
	for (const Bytes &cdb : {Bytes{TEST_UNIT_READY}, Bytes{READ_CAPACITY}, Bytes{WRITE_10}, Bytes{SYNCHRONIZE_CACHE}}) {
		core_fakes.last_lba += 100;
		core_fakes.nr_attentions = 0;
		for (int i = 0; i < 2; i++)
			EXPECT_EQ(parse(cdb), 0u);
		EXPECT_EQ(core_fakes.nr_attentions, 1u);
		EXPECT_EQ(core_fakes.attention, 0x2a09); // CAPACITY DATA HAS CHANGED
	}
}

/// An UNMAP parameter list.
Bytes unmap_list(std::initializer_list<std::pair<uint64_t, uint32_t>> ranges)
{
	Bytes list(8 + 16 * ranges.size());
	set_field(list, 0, 2, list.size() - 2);
	set_field(list, 2, 2, list.size() - 8);
	size_t at = 8;
	for (auto [lba, nolb] : ranges) {
		set_field(list, at, 8, lba);
		set_field(list, at + 8, 4, nolb);
		at += 16;
	}
	return list;
}

class Unmap : public Cdb {
protected:
	sense_reason_t unmap(const Bytes &list, size_t length)
	{
		Bytes cdb{UNMAP, 0, 0, 0, 0, 0, 0, uint8_t(length >> 8), uint8_t(length), 0};
		return run(cdb, list);
	}

	sense_reason_t unmap(const Bytes &list)
	{
		return unmap(list, list.size());
	}
};

TEST_F(Unmap, Ranges)
{
	ASSERT_EQ(unmap(unmap_list({{0, 10}, {medium_blocks - 5, 5}, {7, 0}})), 0u);
	EXPECT_EQ(core_fakes.nr_unmaps, 2u);
	EXPECT_EQ(core_fakes.unmapped, 15u);
	EXPECT_EQ(core_fakes.unmap_end, medium_blocks);
	EXPECT_EQ(core_fakes.nr_completed, 1u);
}

// Nothing is unmapped when a later descriptor is wrong.
TEST_F(Unmap, Limits)
{
	EXPECT_EQ(unmap(unmap_list({{0, 1}, {1, 1}, {2, 1}, {3, 1}})), TCM_INVALID_PARAMETER_LIST);
	EXPECT_EQ(unmap(unmap_list({{0, 999}, {2000, 2}})), TCM_INVALID_PARAMETER_LIST);
	EXPECT_EQ(unmap(unmap_list({{0, 1}, {medium_blocks - 1, 2}})), TCM_ADDRESS_OUT_OF_RANGE);
	EXPECT_EQ(unmap(unmap_list({{0, 1}, {UINT64_MAX, 1}})), TCM_ADDRESS_OUT_OF_RANGE);
	EXPECT_EQ(core_fakes.nr_unmaps, 0u);
	EXPECT_EQ(unmap(unmap_list({{0, 500}, {1000, 500}})), 0u);
}

// SBC-4, 5.30.2: an incomplete descriptor is not there; a parameter list length of 0 is no error.
TEST_F(Unmap, CutLists)
{
	const Bytes list = unmap_list({{0, 10}, {100, 10}});
	EXPECT_EQ(unmap({}, 0), 0u);
	for (size_t n = 1; n <= list.size(); n++) {
		SCOPED_TRACE(n);
		Bytes cut(list.begin(), list.begin() + long(n));
		sense_reason_t ret = unmap(cut);
		EXPECT_EQ(ret, n < 8 ? TCM_PARAMETER_LIST_LENGTH_ERROR : TCM_NO_SENSE);
		EXPECT_EQ(core_fakes.nr_unmaps, n < 24 ? 0 : n < 40 ? 1 : 2);
	}
	// The list says less than was sent.
	Bytes shorter = list;
	set_field(shorter, 2, 2, 16);
	ASSERT_EQ(unmap(shorter), 0u);
	EXPECT_EQ(core_fakes.unmapped, 10u);
}

// SBC-4, 5.28: of what is wrong nothing is begun; the fake has no memory for what is right.
class Sanitize : public Cdb {
protected:
	sense_reason_t overwrite(const Bytes &list, uint8_t options = 0)
	{
		Bytes cdb{SANITIZE, uint8_t(SANITIZE_OVERWRITE | options), 0, 0, 0, 0, 0, uint8_t(list.size() >> 8),
			  uint8_t(list.size()), 0};
		sense_reason_t ret = run(cdb, list);
		EXPECT_EQ(core_fakes.nr_jobs, ret == TCM_OUT_OF_RESOURCES);
		EXPECT_EQ(dev_.format_progress, 0u);
		return ret;
	}
};

TEST_F(Sanitize, OverwriteLists)
{
	const Bytes good{0x01, 0, 0, 4, 0xde, 0xad, 0xbe, 0xef};
	EXPECT_EQ(overwrite(good), TCM_OUT_OF_RESOURCES);
	EXPECT_EQ(overwrite(good, 0xa0), TCM_OUT_OF_RESOURCES);
	EXPECT_EQ(cmd_.sam_task_attr, TCM_ORDERED_TAG);
	for (auto [at, value] : {std::pair<size_t, uint8_t>{0, 0}, {0, 0x21}, {0, 0x41}, {1, 1}, {3, 0}, {3, 3}, {3, 5}, {2, 1}}) {
		Bytes bad = good;
		bad[at] = value;
		EXPECT_EQ(overwrite(bad), TCM_INVALID_PARAMETER_LIST) << at << " " << int(value);
	}
	// From one byte to a block
	EXPECT_EQ(overwrite({0x01, 0, 0, 0}), TCM_INVALID_CDB_FIELD);
	Bytes block(4 + 512);
	block[0] = 1;
	set_field(block, 2, 2, 512);
	EXPECT_EQ(overwrite(block), TCM_OUT_OF_RESOURCES);
	block.push_back(0);
	EXPECT_EQ(overwrite(block), TCM_INVALID_CDB_FIELD);
}

TEST_F(Sanitize, OneAtATime)
{
	dev_.format_progress = 1;
	EXPECT_EQ(run({FORMAT_UNIT, 0x80}, {}), CORE_FORMAT_IN_PROGRESS);
	dev_.format_progress = FORMAT_IS_SANITIZE | 1;
	EXPECT_EQ(run({SANITIZE, SANITIZE_BLOCK_ERASE}, {}), CORE_SANITIZE_IN_PROGRESS);
	// After a failure without AUSE only another SANITIZE helps.
	dev_.format_progress = FORMAT_IS_SANITIZE | FORMAT_FAILED;
	EXPECT_EQ(run({FORMAT_UNIT, 0x80}, {}), CORE_SANITIZE_FAILED);
	EXPECT_EQ(run({SANITIZE, SANITIZE_EXIT_FAILURE_MODE}, {}), CORE_SANITIZE_FAILED);
	EXPECT_EQ(core_fakes.nr_jobs, 0u);
	dev_.format_progress |= FORMAT_AUSE;
	EXPECT_EQ(run({SANITIZE, SANITIZE_EXIT_FAILURE_MODE}, {}), 0u);
	EXPECT_EQ(dev_.format_progress, 0u);
}

// SBC-4, 5.4: FMTPINFO and PROTECTION FIELD USAGE are the device's type, there is no defect list.
TEST_F(Cdb, FormatParameters)
{
	struct {
		uint8_t options;
		Bytes list;
		sense_reason_t expected;
	} cases[] = {
		{0x80, {}, TCM_OUT_OF_RESOURCES},
		{0x00, {}, TCM_INVALID_CDB_FIELD},
		{0xc0, {}, TCM_INVALID_CDB_FIELD},
		{0x90, {0, 0x02, 0, 0}, TCM_OUT_OF_RESOURCES},
		{0x90, {0, 0x82, 0, 0}, TCM_OUT_OF_RESOURCES},
		{0x90, {0, 0x40, 0, 0}, TCM_INVALID_PARAMETER_LIST},
		{0x90, {0, 0x08, 0, 0}, TCM_INVALID_PARAMETER_LIST},
		{0x90, {0, 0, 0, 1}, TCM_INVALID_PARAMETER_LIST},
		{0x90, {0x08, 0, 0, 0}, TCM_INVALID_PARAMETER_LIST},
		{0x90, {0x01, 0, 0, 0}, TCM_INVALID_PARAMETER_LIST},
		{0x90, {0, 0, 0}, TCM_PARAMETER_LIST_LENGTH_ERROR},
		{0xb0, {0, 0, 0, 0}, TCM_PARAMETER_LIST_LENGTH_ERROR},
		{0xb0, {0, 0, 0, 0, 0, 0, 0, 0}, TCM_OUT_OF_RESOURCES},
		{0xb0, {0, 0, 0, 0, 1, 0, 0, 0}, TCM_INVALID_PARAMETER_LIST},
	};
	for (const auto &c : cases) {
		EXPECT_EQ(run({FORMAT_UNIT, c.options}, c.list), c.expected) << int(c.options) << " " << testing::PrintToString(c.list);
		EXPECT_EQ(core_fakes.nr_jobs, c.expected == TCM_OUT_OF_RESOURCES);
	}
}

} // namespace
