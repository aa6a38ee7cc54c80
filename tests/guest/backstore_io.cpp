// SPDX-License-Identifier: GPL-2.0
// Data in files and on block devices: what is written is read back, by each command, on stock and
// on ours.
#include <sys/stat.h>

#include <algorithm>

#include "backstore_stage.hpp"
#include "block_io.hpp"
#include "pattern.hpp"
#include "process.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

class BackstoreIo : public testing::TestWithParam<LowerCase> {};

INSTANTIATE_TEST_SUITE_P(Lower, BackstoreIo,
			 testing::Values(LowerCase{Lower::file, 512}, LowerCase{Lower::file, 4096},
					 LowerCase{Lower::buffered_file, 512}, LowerCase{Lower::buffered_file, 4096},
					 LowerCase{Lower::async_file, 512}, LowerCase{Lower::async_file, 4096},
					 LowerCase{Lower::block_file, 512}, LowerCase{Lower::block_file, 4096},
					 LowerCase{Lower::block, 512}, LowerCase{Lower::block, 4096}));

TEST_P(BackstoreIo, WhatIsWrittenIsRead)
{
	ASSERT_OK_AND_ASSIGN(Stage stage, Stage::create(GetParam()));
	ASSERT_OK_AND_ASSIGN(Capacity capacity, read_capacity(stage.sg));
	EXPECT_EQ(capacity.block_size, stage.block_size);
	EXPECT_EQ(capacity.blocks * capacity.block_size, stage_bytes);
	ASSERT_OK_AND_ASSIGN(std::string node, stage.disk.lun.block_node());
	ASSERT_OK_AND_ASSIGN(BlockFile block, BlockFile::open(node));
	// Nobody has written yet: behind the end of a file there is nothing but zeroes, too.
	std::vector<uint8_t> zeroes(1 << 16), buf(1 << 16, 0xaa);
	ASSERT_OK(stage.sg.execute_good(cdb::read(16, 100, uint32_t(buf.size()) / stage.block_size), Data::in(buf)));
	EXPECT_EQ(buf, zeroes);
	ASSERT_OK(block.write_pattern(0, stage_bytes));
	ASSERT_OK(block.verify_pattern(0, stage_bytes));
	ASSERT_OK(block.sync());

	uint64_t lba = 8;
	buf.resize(8192);
	auto blocks = static_cast<uint32_t>(buf.size() / stage.block_size);
	// FUA is for devices with a write cache.
	bool cached = GetParam().lower == Lower::buffered_file || GetParam().lower == Lower::block;
	for (int form : {6, 10, 12, 16}) {
		for (bool fua : {false, true}) {
			if (fua && (form == 6 || !cached))
				continue;
			SCOPED_TRACE(testing::Message() << form << (fua ? " FUA" : ""));
			fill_pattern(buf, lba * stage.block_size, 1);
			ASSERT_OK(stage.sg.execute_good(cdb::write(form, lba, blocks, {.fua = fua}), Data::out(buf)));
			std::fill(buf.begin(), buf.end(), 0);
			ASSERT_OK(stage.sg.execute_good(cdb::read(form, lba, blocks, {.fua = fua}), Data::in(buf)));
			EXPECT_FALSE(find_mismatch(buf, lba * stage.block_size, 1));
			lba += blocks;
		}
	}
	// The distribution's core takes the range for data.
	expect_dmesg("Expected Transfer Length: 0 does not match SCSI CDB Length: \\d+ for SAM Opcode: 0x(35|91)", Need::optional);
	expect_dmesg("target_cmd_size_check: \\d+ callbacks suppressed", Need::optional);
	for (int form : {10, 16})
		for (bool immed : {false, true})
			for (uint32_t n : {0u, 8u})
				EXPECT_OK(stage.sg.execute_good(cdb::sync_cache(form, 8, n, immed)));
	// What the file holds is what the initiator sees.
	ASSERT_OK_AND_ASSIGN(std::string image, read_file(stage.device.file));
	EXPECT_EQ(image.size(), stage_bytes);
	std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t *>(image.data()), image.size());
	EXPECT_FALSE(find_mismatch(bytes.subspan(8 * stage.block_size, (lba - 8) * stage.block_size),
				   8 * stage.block_size, 1));
	EXPECT_FALSE(find_mismatch(bytes.subspan(lba * stage.block_size), lba * stage.block_size));
}

/// @first .. @last of @image hold copies of @block, all around is the pattern.
void expect_copies(std::span<const uint8_t> image, uint64_t first, uint64_t count, const std::vector<uint8_t> &block)
{
	uint64_t size = block.size();
	EXPECT_FALSE(find_mismatch(image.first(first * size), 0));
	for (uint64_t i = first; i < first + count; i++)
		ASSERT_TRUE(std::equal(block.begin(), block.end(), image.begin() + long(i * size))) << "block " << i;
	EXPECT_FALSE(find_mismatch(image.subspan((first + count) * size), (first + count) * size));
}

TEST_P(BackstoreIo, WriteSame)
{
	ASSERT_OK_AND_ASSIGN(Stage stage, Stage::create(GetParam()));
	ASSERT_OK_AND_ASSIGN(std::string node, stage.disk.lun.block_node());
	ASSERT_OK_AND_ASSIGN(BlockFile block, BlockFile::open(node));
	constexpr uint64_t area = 4 << 20;
	for (bool zero : {false, true}) {
		for (uint32_t count : {1u, 7u, 600u}) {
			SCOPED_TRACE(testing::Message() << count << (zero ? " zero" : " other") << " blocks");
			ASSERT_OK(block.write_pattern(0, area));
			std::vector<uint8_t> one(stage.block_size);
			if (!zero)
				fill_pattern(one, 1 << 30, 3);
			ASSERT_OK(stage.sg.execute_good(cdb::write_same(count == 7 ? 10 : 16, 33, count), Data::out(one)));
			std::vector<uint8_t> image(area);
			AlignedBuffer read(area);
			ASSERT_OK(block.read_at(0, read.span()));
			expect_copies(read.span(), 33, count, one);
		}
	}
}

uint64_t allocated(const std::string &file)
{
	struct stat st = {};
	EXPECT_EQ(stat(file.c_str(), &st), 0);
	return uint64_t(st.st_blocks) * 512;
}

TEST_P(BackstoreIo, UnmapGivesBack)
{
	ASSERT_OK_AND_ASSIGN(Stage stage, Stage::create(GetParam(), true));
	ASSERT_OK_AND_ASSIGN(std::string node, stage.disk.lun.block_node());
	ASSERT_OK_AND_ASSIGN(BlockFile block, BlockFile::open(node));
	ASSERT_OK(block.write_pattern(0, stage_bytes));
	ASSERT_OK(stage.sg.execute_good(cdb::sync_cache(10)));
	ASSERT_EQ(run_ok({"sync"}).code(), 0);
	uint64_t before = allocated(stage.device.file);
	uint64_t first = (1 << 20) / stage.block_size;
	auto count = static_cast<uint32_t>((1 << 20) / stage.block_size);
	std::vector<uint8_t> list(24), zero(stage.block_size);
	put_be(std::span(list).subspan(0, 2), 22);
	put_be(std::span(list).subspan(2, 2), 16);
	put_be(std::span(list).subspan(8, 8), first);
	put_be(std::span(list).subspan(16, 4), count);
	ASSERT_OK(stage.sg.execute_good(cdb::unmap(24), Data::out(list)));
	ASSERT_OK(stage.sg.execute_good(cdb::write_same(16, 4 * first, count, {.unmap = true}), Data::out(zero)));
	EXPECT_LE(allocated(stage.device.file) + (2 << 20), before);
	ASSERT_OK(block.verify_pattern(0, 1 << 20));
	ASSERT_OK(block.verify_pattern(2 << 20, 2 << 20));
	ASSERT_OK(block.verify_pattern(5 << 20, stage_bytes - (5 << 20)));
	// All of these lower devices read zeroes then.
	AlignedBuffer read(1 << 20);
	for (uint64_t at : {1 << 20, 4 << 20}) {
		ASSERT_OK(block.read_at(at, read.span()));
		EXPECT_TRUE(std::ranges::all_of(read.span(), [](uint8_t b) { return !b; })) << at;
	}
	// And they take data again.
	ASSERT_OK(block.write_pattern(0, stage_bytes, 2));
	EXPECT_OK(block.verify_pattern(0, stage_bytes, 2));
}

TEST_P(BackstoreIo, CompareAndWrite)
{
	ASSERT_OK_AND_ASSIGN(Stage stage, Stage::create(GetParam()));
	std::vector<uint8_t> both(2 * stage.block_size), block(stage.block_size);
	fill_pattern(std::span(both).subspan(stage.block_size), 0, 1);
	ASSERT_OK(stage.sg.execute_good(cdb::compare_and_write(5, 1), Data::out(both)));
	ASSERT_OK(stage.sg.execute_good(cdb::read(10, 5, 1), Data::in(block)));
	EXPECT_FALSE(find_mismatch(block, 0, 1));
	expect_dmesg("Detected MISCOMPARE", Need::optional); // the distribution's core
	expect_dmesg("Target/.*: Send MISCOMPARE", Need::optional);
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, stage.sg.execute(cdb::compare_and_write(5, 1), Data::out(both)));
	EXPECT_EQ(reply.kcq(), 0x0e1d00u) << reply; // MISCOMPARE DURING VERIFY OPERATION
	ASSERT_OK(stage.sg.execute_good(cdb::read(10, 5, 1), Data::in(block)));
	EXPECT_FALSE(find_mismatch(block, 0, 1));
}

TEST_P(BackstoreIo, NewSizeIsSeen)
{
	ASSERT_OK_AND_ASSIGN(Stage stage, Stage::create(GetParam()));
	constexpr uint64_t larger = stage_bytes + (4 << 20);
	expect_dmesg("Capacity data has changed", Need::optional);
	expect_dmesg("detected capacity change", Need::optional);
	if (is_block(GetParam().lower))
		ASSERT_OK(stage.device.grow(larger));
	else
		ASSERT_OK(stage.disk.backstore.control("fd_dev_size=" + std::to_string(larger)));
	ASSERT_OK(stage.sg.execute_past_ua(cdb::test_unit_ready()));
	ASSERT_OK_AND_ASSIGN(Capacity capacity, read_capacity(stage.sg));
	EXPECT_EQ(capacity.blocks * capacity.block_size, larger);
	std::vector<uint8_t> buf = pattern(4096, 0, 9), read(4096);
	auto blocks = static_cast<uint32_t>(buf.size() / stage.block_size);
	ASSERT_OK(stage.sg.execute_good(cdb::write(16, capacity.blocks - blocks, blocks), Data::out(buf)));
	ASSERT_OK(stage.sg.execute_good(cdb::read(16, capacity.blocks - blocks, blocks), Data::in(read)));
	EXPECT_EQ(read, buf);
}

} // namespace
} // namespace lio::test
