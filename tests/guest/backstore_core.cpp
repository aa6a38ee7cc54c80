// SPDX-License-Identifier: GPL-2.0
// What only our core asks of our backstores: which blocks are mapped, erasing for good, atomic
// writes; and that a new size is told to every nexus.
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "backstore_stage.hpp"
#include "block_io.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "process.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint32_t invalid_field = 0x052400, invalid_opcode = 0x052000, out_of_range = 0x052100;
constexpr uint32_t capacity_changed = 0x062a09;

using Attribs = std::vector<std::pair<std::string, std::string>>;

Result<Stage> make_stage(const LowerCase &c, Attribs attribs)
{
	LIO_TRY(LowerDevice device, LowerDevice::create(is_block(c.lower), c.block_size));
	if (!is_block(c.lower) && c.block_size != 512)
		attribs.emplace_back("block_size", std::to_string(c.block_size));
	LIO_TRY(LoopDisk disk, make_disk(lower_spec(c.lower, device.loop ? device.loop->node() : device.file), attribs));
	LIO_TRY(SgDevice sg, open_ready(disk));
	return Stage{std::move(device), std::move(disk), std::move(sg), c.block_size};
}

class BackstoreOurCoreMedium : public testing::TestWithParam<LowerCase> {};
INSTANTIATE_TEST_SUITE_P(Lower, BackstoreOurCoreMedium,
			 testing::Values(LowerCase{Lower::file, 512}, LowerCase{Lower::buffered_file, 4096},
					 LowerCase{Lower::async_file, 512}, LowerCase{Lower::block_file, 512},
					 LowerCase{Lower::block, 4096}));

/// A descriptor of GET LBA STATUS, in KiB.
struct Extent {
	uint64_t at, length;
	bool mapped;
	bool operator==(const Extent &) const = default;
};

std::ostream &operator<<(std::ostream &os, const Extent &e)
{
	return os << e.at << "+" << e.length << (e.mapped ? " mapped" : " deallocated");
}

/// From @kib to the end; commands with room for @each descriptors. Neighbours that are alike are joined.
Result<std::vector<Extent>> extents(const Stage &stage, SgDevice &sg, uint64_t kib, uint32_t each)
{
	std::vector<Extent> found;
	const uint64_t end = stage_bytes / stage.block_size;
	for (uint64_t lba = (kib << 10) / stage.block_size; lba < end;) {
		LIO_TRY(auto list, sg.fetch(cdb::get_lba_status(lba, 8 + 16 * each), 8 + 16 * each));
		if (list.size() < 24 || get_be(std::span(list).first(4)) + 4 != list.size())
			return Error{EPROTO, std::to_string(list.size()), "length of GET LBA STATUS"};
		for (size_t at = 8; at + 16 <= list.size(); at += 16) {
			auto d = std::span(list).subspan(at, 16);
			uint64_t blocks = get_be(d.subspan(8, 4));
			if (get_be(d.first(8)) != lba || !blocks || lba + blocks > end || (d[12] & 0x0f) > 1)
				return Error{EPROTO, std::to_string(lba), "descriptor of GET LBA STATUS"};
			Extent e{lba * stage.block_size >> 10, blocks * stage.block_size >> 10, !(d[12] & 0x0f)};
			lba += blocks;
			if (!found.empty() && found.back().mapped == e.mapped)
				found.back().length += e.length;
			else
				found.push_back(e);
		}
	}
	return found;
}

std::vector<uint8_t> unmap_list(uint64_t lba, uint32_t blocks)
{
	std::vector<uint8_t> list(24);
	put_be(std::span(list).subspan(0, 2), 22);
	put_be(std::span(list).subspan(2, 2), 16);
	put_be(std::span(list).subspan(8, 8), lba);
	put_be(std::span(list).subspan(16, 4), blocks);
	return list;
}

// A file tells by its holes, a block device cannot: all of it counts as mapped.
TEST_P(BackstoreOurCoreMedium, LbaStatus)
{
	ASSERT_OK_AND_ASSIGN(Stage stage, make_stage(GetParam(), {{"emulate_tpu", "1"}, {"emulate_tpws", "1"}}));
	ASSERT_OK_AND_ASSIGN(std::string node, stage.disk.lun.block_node());
	ASSERT_OK_AND_ASSIGN(BlockFile block, BlockFile::open(node));
	constexpr uint64_t end = stage_bytes >> 10;
	auto check = [&](uint64_t from, const std::vector<Extent> &expected) {
		for (uint32_t each : {1u, 2u, 31u}) {
			ASSERT_OK_AND_ASSIGN(auto found, extents(stage, stage.sg, from, each));
			EXPECT_EQ(found, is_block(GetParam().lower) ? std::vector<Extent>({{from, end - from, true}}) : expected);
		}
	};
	check(0, {{0, end, false}});
	ASSERT_OK(block.write_pattern(1 << 20, 1 << 20));
	ASSERT_OK(block.write_pattern(stage_bytes - (64 << 10), 64 << 10));
	check(0, {{0, 1024, false}, {1024, 1024, true}, {2048, end - 64 - 2048, false}, {end - 64, 64, true}});
	check(1536, {{1536, 512, true}, {2048, end - 64 - 2048, false}, {end - 64, 64, true}});
	ASSERT_OK(stage.sg.execute_good(cdb::unmap(24), Data::out(unmap_list((1280 << 10) / stage.block_size,
									     (256 << 10) / stage.block_size))));
	check(1024, {{1024, 256, true}, {1280, 256, false}, {1536, 512, true}, {2048, end - 64 - 2048, false}, {end - 64, 64, true}});
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, stage.sg.execute(cdb::get_lba_status(stage_bytes / stage.block_size, 24)));
	EXPECT_EQ(reply.kcq(), out_of_range) << reply;
}

// SBC-4, 4.7.2: a unit that is fully provisioned has no block that is not mapped.
TEST_P(BackstoreOurCoreMedium, AllIsMappedWithoutProvisioning)
{
	ASSERT_OK_AND_ASSIGN(Stage stage, make_stage(GetParam(), {}));
	ASSERT_OK_AND_ASSIGN(auto found, extents(stage, stage.sg, 0, 31));
	EXPECT_EQ(found, std::vector<Extent>({{0, stage_bytes >> 10, true}}));
}

uint64_t allocated(const std::string &file)
{
	struct stat st = {};
	EXPECT_EQ(stat(file.c_str(), &st), 0);
	return uint64_t(st.st_blocks) * 512;
}

TEST_P(BackstoreOurCoreMedium, BlockErase)
{
	ASSERT_OK_AND_ASSIGN(Stage stage, make_stage(GetParam(), {{"emulate_format", "1"}}));
	ASSERT_OK_AND_ASSIGN(std::string node, stage.disk.lun.block_node());
	ASSERT_OK_AND_ASSIGN(BlockFile block, BlockFile::open(node));
	const bool immed = GetParam().block_size == 4096;
	ASSERT_OK(block.write_pattern(1 << 20, 2 << 20));
	ASSERT_OK(block.write_pattern(stage_bytes - (64 << 10), 64 << 10));
	ASSERT_OK(block.sync());
	ASSERT_OK(stage.sg.execute_good(Cdb{0x48, uint8_t(immed ? 0x82 : 0x02), 0, 0, 0, 0, 0, 0, 0, 0}));
	ASSERT_OK(wait_until(Deadline(seconds(60)), "the end of SANITIZE", [&] {
		auto reply = stage.sg.execute(cdb::test_unit_ready());
		return reply && reply->good();
	}));
	AlignedBuffer read(stage_bytes);
	ASSERT_OK(block.read_at(0, read.span()));
	EXPECT_TRUE(std::ranges::all_of(read.span(), [](uint8_t b) { return !b; }));
	// A file's room is given back, too.
	if (!is_block(GetParam().lower)) {
		EXPECT_LE(allocated(stage.device.file), 64u << 10);
	}
	ASSERT_OK(block.write_pattern(0, 1 << 20, 2));
	EXPECT_OK(block.verify_pattern(0, 1 << 20, 2));
}

Cdb write_atomic(uint64_t lba, uint16_t blocks)
{
	return Cdb{0x9c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}.be(2, 8, lba).be(12, 2, blocks);
}

struct AtomicLimits {
	uint32_t max, alignment, granularity;
};

Result<AtomicLimits> atomic_limits(SgDevice &sg)
{
	LIO_TRY(auto page, sg.fetch(cdb::inquiry_vpd(0xb0), 255));
	if (page.size() < 64)
		return Error{EPROTO, std::to_string(page.size()), "length of VPD page B0h"};
	auto field = [&](size_t at) { return uint32_t(get_be(std::span(page).subspan(at, 4))); };
	EXPECT_EQ(field(56), 0u) << "with atomic boundary";
	EXPECT_EQ(field(60), 0u) << "maximum atomic boundary size";
	return AtomicLimits{field(44), field(48), field(52)};
}

/// @good blocks at @lba are written; each of @bad is an invalid field.
void check_atomic(SgDevice &sg, uint64_t lba, uint16_t good, std::initializer_list<std::pair<uint64_t, uint16_t>> bad)
{
	std::vector<uint8_t> buf = pattern(good * 512u, lba * 512, 4), read(buf.size());
	ASSERT_OK(sg.execute_good(write_atomic(lba, good), Data::out(buf)));
	ASSERT_OK(sg.execute_good(cdb::read(16, lba, good), Data::in(read)));
	EXPECT_EQ(read, buf);
	for (auto [at, blocks] : bad) {
		SCOPED_TRACE(testing::Message() << at << "+" << blocks);
		// What is too long for WRITE ATOMIC is too long for SG_IO, too; it is refused before its data is looked at.
		std::vector<uint8_t> other = pattern(std::min<size_t>(blocks * 512u, 1 << 20), 0, 5);
		ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(write_atomic(at, blocks), Data::out(other)));
		EXPECT_EQ(reply.kcq(), invalid_field) << reply;
	}
	ASSERT_OK(sg.execute_good(cdb::read(16, lba, good), Data::in(read)));
	EXPECT_EQ(read, buf);
}

TEST(BackstoreOurCoreAtomic, Ramdisk)
{
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(ramdisk_spec("rd", stage_bytes)));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
	ASSERT_OK_AND_ASSIGN(AtomicLimits limits, atomic_limits(sg));
	EXPECT_EQ(limits.max, (1u << 20) / 512);
	check_atomic(sg, 7, 33, {{0, uint16_t(limits.max + 1)}});
	check_atomic(sg, 4096, 2048, {});
}

// Whoever reads sees all of one write, whatever else is written there.
TEST(BackstoreOurCoreAtomic, NobodySeesAHalf)
{
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(ramdisk_spec("rd", stage_bytes)));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
	constexpr uint16_t blocks = 512;
	std::vector<uint8_t> first(blocks * 512u, 1);
	ASSERT_OK(sg.execute_good(write_atomic(64, blocks), Data::out(first)));
	std::atomic<bool> stop = false;
	std::atomic<int> failed = 0, written = 0;
	std::vector<std::jthread> writers;
	for (uint8_t byte : {1, 2, 3})
		writers.emplace_back([&, byte] {
			auto own = SgDevice::open(sg.path());
			std::vector<uint8_t> buf(blocks * 512u, byte);
			for (; own && !stop; written++)
				if (!own->execute_good(write_atomic(64, blocks), Data::out(buf)))
					failed++;
			if (!own)
				failed++;
		});
	std::vector<uint8_t> read(blocks * 512u);
	int changes = 0;
	uint8_t last = 1;
	for (int i = 0; i < 200 || (changes < 5 && i < 5000); i++) {
		auto reply = sg.execute(cdb::read(16, 64, blocks), Data::in(read));
		bool whole = reply && reply->good() && std::ranges::all_of(read, [&](uint8_t b) { return b == read[0]; });
		EXPECT_TRUE(whole) << "read " << i;
		if (!whole)
			break;
		changes += read[0] != last;
		last = read[0];
	}
	stop = true;
	writers.clear();
	EXPECT_EQ(failed, 0);
	EXPECT_GT(written, 10);
	EXPECT_GE(changes, 5);
}

TEST(BackstoreOurCoreAtomic, BlockDeviceThatCan)
{
	bool can = !kernel_release().starts_with("6.1."); // where the block layer has no such writes
	ASSERT_OK_AND_ASSIGN(std::string disk_name, debug_disk(can ? std::vector<std::string>{"atomic_wr=1"} : std::vector<std::string>{}));
	{
		ASSERT_OK_AND_ASSIGN(LoopDisk disk, make_disk(iblock_spec("b", "/dev/" + disk_name)));
		ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
		ASSERT_OK_AND_ASSIGN(AtomicLimits limits, atomic_limits(sg));
		if (can) {
			const std::string queue = "/sys/block/" + disk_name + "/queue/atomic_write_";
			ASSERT_GT(limits.max, 2u);
			EXPECT_EQ(limits.max * 512, read_number(queue + "unit_max_bytes").value_or(0));
			EXPECT_EQ(limits.granularity * 512, read_number(queue + "unit_min_bytes").value_or(0));
			ASSERT_GT(limits.granularity, 1u);
			check_atomic(sg, 64, uint16_t(4 * limits.granularity),
				     {{1, uint16_t(limits.granularity)}, {0, 1}, {0, uint16_t(limits.max + limits.granularity)}});
		} else {
			EXPECT_EQ(limits.max, 0u);
			ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(write_atomic(0, 8), Data::out(pattern(4096, 0))));
			EXPECT_EQ(reply.kcq(), invalid_opcode) << reply;
		}
	}
	EXPECT_OK(unload_module("scsi_debug"));
}

TEST(BackstoreOurCoreAtomic, FileCannot)
{
	ASSERT_OK_AND_ASSIGN(Stage stage, make_stage({Lower::file, 512}, {}));
	ASSERT_OK_AND_ASSIGN(AtomicLimits limits, atomic_limits(stage.sg));
	EXPECT_EQ(limits.max, 0u);
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, stage.sg.execute(write_atomic(0, 8), Data::out(pattern(4096, 0))));
	EXPECT_EQ(reply.kcq(), invalid_opcode) << reply;
}

class BackstoreOurCoreResize : public testing::TestWithParam<Lower> {};
INSTANTIATE_TEST_SUITE_P(Lower, BackstoreOurCoreResize, testing::Values(Lower::file, Lower::block_file, Lower::block));

Status resize(const Stage &stage, uint64_t bytes)
{
	if (stage.device.loop)
		return stage.device.grow(bytes);
	return stage.disk.backstore.control("fd_dev_size=" + std::to_string(bytes));
}

/// The next command of the nexus says it, the one after it does not.
void expect_told(SgDevice &sg, const Cdb &cdb, size_t room)
{
	std::vector<uint8_t> buf(room);
	Data data = room ? Data::in(buf) : Data::none();
	ASSERT_OK_AND_ASSIGN(ScsiReply told, sg.execute(cdb, data));
	EXPECT_EQ(told.kcq(), capacity_changed) << told;
	ASSERT_OK_AND_ASSIGN(ScsiReply next, sg.execute(cdb, data));
	EXPECT_TRUE(next.good()) << next;
}

// SPC-5: CAPACITY DATA HAS CHANGED, once for each nexus, whatever command comes first.
TEST_P(BackstoreOurCoreResize, EveryNexusIsTold)
{
	expect_dmesg("Capacity data has changed", Need::optional);
	expect_dmesg("detected capacity change", Need::optional);
	ASSERT_OK_AND_ASSIGN(Stage stage, make_stage({GetParam(), 512}, {}));
	ASSERT_OK_AND_ASSIGN(LoopTarget second, LoopTarget::create());
	ASSERT_OK_AND_ASSIGN(LoopLun lun, second.add_lun(0, stage.disk.backstore));
	ASSERT_OK(lun.block_node());
	ASSERT_OK_AND_ASSIGN(SgDevice other, lun.open_sg());
	ASSERT_OK(other.execute_past_ua(cdb::test_unit_ready()));
	ASSERT_OK(stage.sg.execute_past_ua(cdb::test_unit_ready()));
	struct Round {
		uint64_t bytes;
		Cdb first;
		size_t room;
	};
	for (const Round &round : {Round{stage_bytes + (1 << 20), cdb::read_capacity16(), 32}, Round{stage_bytes + (2 << 20), cdb::read(10, 0, 8), 4096},
				   Round{stage_bytes - (1 << 20), cdb::test_unit_ready(), 0}}) {
		SCOPED_TRACE(round.bytes);
		ASSERT_OK(resize(stage, round.bytes));
		expect_told(stage.sg, round.first, round.room);
		expect_told(other, cdb::test_unit_ready(), 0);
		for (SgDevice *sg : {&stage.sg, &other}) {
			ASSERT_OK(sg->execute_good(cdb::test_unit_ready()));
			ASSERT_OK_AND_ASSIGN(Capacity capacity, read_capacity(*sg));
			EXPECT_EQ(capacity.blocks * 512, round.bytes);
			std::vector<uint8_t> buf(512);
			ASSERT_OK(sg->execute_good(cdb::read(16, capacity.blocks - 1, 1), Data::in(buf)));
			ASSERT_OK_AND_ASSIGN(ScsiReply beyond, sg->execute(cdb::read(16, capacity.blocks, 1), Data::in(buf)));
			EXPECT_EQ(beyond.kcq(), out_of_range) << beyond;
		}
	}
}

} // namespace
} // namespace lio::test
