// SPDX-License-Identifier: GPL-2.0
// The layer below fails, fills up, is read-only, in use or gone: nothing that failed is GOOD, and the
// initiator is told why.
#include <algorithm>

#include "backstore_stage.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "process.hpp"
#include "seed.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint32_t medium_read = 0x031100, medium_write = 0x030c00;
constexpr uint32_t space_allocation_failed = 0x072707, write_protected = 0x072700;
constexpr uint32_t logical_unit_failure = 0x043e01;

// What the block layer says of errors below.
void expect_block_errors()
{
	expect_dmesg("^Buffer I/O error on dev dm-\\d+, logical block \\d+", Need::optional);
	expect_dmesg("buffer_io_error: \\d+ callbacks suppressed", Need::optional);
	expect_dmesg("^target_core_(file|iblock): .* failed: -\\d+$", Need::optional);
}

void expect_dm_notice()
{
	expect_dmesg("^device-mapper: core: CONFIG_IMA_DISABLE_HTABLE is disabled", Need::optional);
}

/// A dm device whose tables go over one loop device.
struct FaultyDevice {
	LowerDevice lower;
	DmDevice dm;
	static constexpr uint64_t sectors = stage_bytes / 512;

	static Result<FaultyDevice> create()
	{
		expect_dm_notice();
		LIO_TRY(LowerDevice lower, LowerDevice::create(true));
		LIO_TRY(DmDevice dm, DmDevice::linear("faulty", lower.loop->node()));
		return FaultyDevice{std::move(lower), std::move(dm)};
	}
	/// [@from, @to) sectors fail.
	Status break_sectors(uint64_t from, uint64_t to) const
	{
		auto linear = [&](uint64_t a, uint64_t b) {
			return std::to_string(a) + " " + std::to_string(b - a) + " linear " + lower.loop->node() + " " +
			       std::to_string(a) + "\n";
		};
		return dm.replace(linear(0, from) + std::to_string(from) + " " + std::to_string(to - from) + " error\n" +
				  linear(to, sectors));
	}
	/// Writes and flushes fail, reads do not.
	Status break_writes() const
	{
		LIO_CHECK(load_module("dm_flakey"));
		return dm.replace("0 " + std::to_string(sectors) + " flakey " + lower.loop->node() +
				  " 0 0 1000 1 error_writes\n");
	}
	Status repair() const
	{
		return dm.replace("0 " + std::to_string(sectors) + " linear " + lower.loop->node() + " 0\n");
	}
};

class BackstoreErrors : public testing::TestWithParam<Lower> {};

INSTANTIATE_TEST_SUITE_P(Lower, BackstoreErrors, testing::Values(Lower::block_file, Lower::async_file, Lower::block));

struct Tally {
	int good = 0, failed = 0;
};

/// One READ or WRITE of 8 blocks; it must fail if and only if it touches the broken sectors.
void one_command(SgDevice &sg, uint64_t lba, bool write, uint64_t from, uint64_t to, Tally &tally)
{
	std::vector<uint8_t> buf = pattern(4096, lba * 512, 1);
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(write ? cdb::write(16, lba, 8) : cdb::read(16, lba, 8),
							 write ? Data::out(buf) : Data::in(buf)));
	if (lba + 8 <= from || lba >= to) {
		EXPECT_TRUE(reply.good()) << lba << ": " << reply;
		EXPECT_FALSE(find_mismatch(buf, lba * 512, 1));
		tally.good++;
	} else {
		EXPECT_FALSE(reply.good()) << lba << ": " << reply;
		EXPECT_EQ(reply.status, ScsiStatus::check_condition) << reply;
		EXPECT_EQ(reply.kcq(), write ? medium_write : medium_read) << reply;
		tally.failed++;
	}
}

TEST_P(BackstoreErrors, BrokenSectors)
{
	expect_block_errors();
	ASSERT_OK_AND_ASSIGN(FaultyDevice device, FaultyDevice::create());
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, make_disk(lower_spec(GetParam(), device.dm.node())));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
	constexpr uint64_t from = 8192, to = 16384, area = 24576;
	std::vector<uint8_t> all = pattern(1 << 20, 0);
	for (uint64_t lba = 0; lba < area; lba += 2048) {
		fill_pattern(all, lba * 512, 1);
		ASSERT_OK(sg.execute_good(cdb::write(16, lba, 2048), Data::out(all)));
	}
	ASSERT_OK(sg.execute_good(cdb::sync_cache(10)));
	ASSERT_OK(device.break_sectors(from, to));
	// Nothing of before may answer for the medium.
	ASSERT_OK(write_value("/proc/sys/vm/drop_caches", "3"));
	auto random = rng("broken sectors");
	Tally tally;
	for (uint64_t i = 0; i < count(64, 1000); i++)
		one_command(sg, random() % (area / 8) * 8, random() % 2, from, to, tally);
	EXPECT_GT(tally.good, 5);
	EXPECT_GT(tally.failed, 5);
	ASSERT_OK(device.repair());
	ASSERT_OK(sg.execute_good(cdb::write(16, from, 8), Data::out(std::span(all).first(4096))));
	ASSERT_OK(sg.execute_good(cdb::read(16, from, 8), Data::in(std::span(all).first(4096))));
}

// With a write cache only FUA and SYNCHRONIZE CACHE tell; without one, each WRITE.
TEST_P(BackstoreErrors, FlushesThatFail)
{
	expect_block_errors();
	ASSERT_OK_AND_ASSIGN(FaultyDevice device, FaultyDevice::create());
	BackstoreSpec spec = lower_spec(GetParam(), device.dm.node());
	bool buffered = GetParam() == Lower::block_file, cached = GetParam() != Lower::async_file;
	if (buffered)
		spec.control.push_back("fd_buffered_io=1");
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, make_disk(spec));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
	std::vector<uint8_t> buf = pattern(4096, 0, 1);
	ASSERT_OK(sg.execute_good(cdb::write(16, 0, 8), Data::out(buf)));
	ASSERT_OK(sg.execute_good(cdb::sync_cache(10)));
	for (int round = 0; round < 8; round++) {
		ASSERT_OK(device.break_writes());
		ASSERT_OK_AND_ASSIGN(ScsiReply write, sg.execute(cdb::write(16, 8, 8), Data::out(buf)));
		EXPECT_EQ(write.good(), buffered) << write;
		// Without a cache FUA is refused, and there is nothing that is not on the medium.
		if (cached) {
			ASSERT_OK_AND_ASSIGN(ScsiReply fua,
					     sg.execute(cdb::write(16, 16, 8, {.fua = true}), Data::out(buf)));
			EXPECT_EQ(fua.kcq(), medium_write) << fua;
			ASSERT_OK_AND_ASSIGN(ScsiReply flush, sg.execute(cdb::sync_cache(round % 2 ? 10 : 16)));
			EXPECT_EQ(flush.kcq(), medium_write) << flush;
		}
		ASSERT_OK(device.repair());
		ASSERT_OK(sg.execute_good(cdb::write(16, 8, 16), Data::out(pattern(8192, 0, 2))));
		ASSERT_OK(sg.execute_good(cdb::sync_cache(10)));
	}
}

// Not on the distribution's core, which WARNs when the READ of a COMPARE AND WRITE fails.
class BackstoreOurCore : public BackstoreErrors {};
INSTANTIATE_TEST_SUITE_P(Lower, BackstoreOurCore, testing::Values(Lower::block_file, Lower::async_file, Lower::block));

// Found in COMPARE AND WRITE the error must not leave the device's lock for it held.
TEST_P(BackstoreOurCore, CompareAndWriteAfterAnError)
{
	expect_block_errors();
	ASSERT_OK_AND_ASSIGN(FaultyDevice device, FaultyDevice::create());
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, make_disk(lower_spec(GetParam(), device.dm.node())));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
	std::vector<uint8_t> both(1024);
	fill_pattern(std::span(both).subspan(512), 0, 1);
	ASSERT_OK(device.break_sectors(8192, 16384));
	ASSERT_OK(write_value("/proc/sys/vm/drop_caches", "3"));
	for (int i = 0; i < 3; i++) {
		ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(cdb::compare_and_write(9000, 1), Data::out(both)));
		EXPECT_EQ(reply.status, ScsiStatus::check_condition) << reply;
	}
	EXPECT_OK(sg.execute_good(cdb::compare_and_write(0, 1), Data::out(both)));
}

TEST(BackstoreFull, NoSpace)
{
	expect_dmesg("^target_core_file: .* failed: -28$", Need::optional);
	ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::create("/var/tmp"));
	ASSERT_OK_AND_ASSIGN(Mount fs, Mount::create("tmpfs", dir / "small", "tmpfs", "size=4m"));
	for (Lower lower : {Lower::file, Lower::buffered_file, Lower::async_file}) {
		SCOPED_TRACE(lower);
		std::string file = fs.path() + "/image";
		ASSERT_OK_AND_ASSIGN(LoopDisk disk, make_disk(lower_spec(lower, file)));
		ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
		std::vector<uint8_t> buf(256 << 10), read(buf.size());
		int good = 0, full = 0;
		for (uint64_t lba = 0; lba < stage_bytes / 512; lba += 512) {
			fill_pattern(buf, lba * 512);
			ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(cdb::write(16, lba, 512), Data::out(buf)));
			if (!reply.good()) {
				EXPECT_EQ(reply.kcq(), space_allocation_failed) << reply;
				full++;
				continue;
			}
			good++;
			ASSERT_OK(sg.execute_good(cdb::read(16, lba, 512), Data::in(read)));
			EXPECT_FALSE(find_mismatch(read, lba * 512));
		}
		EXPECT_GE(good, 14);
		EXPECT_GE(full, 40);
		ASSERT_OK(disk.lun.destroy());
		ASSERT_OK(run_ok({"rm", file}));
	}
}

TEST(BackstoreReadOnly, IsToldAndKept)
{
	ASSERT_OK_AND_ASSIGN(LowerDevice lower, LowerDevice::create(true));
	ASSERT_OK(write_pattern_file(lower.file, stage_bytes));
	ASSERT_OK(run_ok({"blockdev", "--flushbufs", lower.loop->node()}));
	BackstoreSpec spec = lower_spec(Lower::block, lower.loop->node());
	spec.control.push_back("readonly=1");
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, make_disk(spec));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
	std::vector<uint8_t> buf(4096);
	ASSERT_OK(sg.execute_good(cdb::read(10, 0, 8), Data::in(buf)));
	EXPECT_FALSE(find_mismatch(buf, 0));
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(cdb::write(10, 0, 8), Data::out(pattern(4096, 0, 1))));
	EXPECT_EQ(reply.kcq(), write_protected) << reply;
	ASSERT_OK_AND_ASSIGN(auto mode, sg.fetch(cdb::mode_sense(6, 0x3f, 0, 192), 192));
	EXPECT_TRUE(mode.at(2) & 0x80) << "WP";
	ASSERT_OK(sg.execute_good(cdb::read(10, 0, 8), Data::in(buf)));
	EXPECT_FALSE(find_mismatch(buf, 0));
}

TEST(BackstoreReadOnly, NotOpenedForWriting)
{
	expect_dmesg("target_core_iblock: /dev/loop\\d+: cannot be opened for writing, it is read-only", Need::required);
	expect_dmesg("target_core_file: /dev/loop\\d+: the block device is read-only", Need::required);
	ASSERT_OK_AND_ASSIGN(LowerDevice lower, LowerDevice::create(true));
	ASSERT_OK(run_ok({"blockdev", "--setro", lower.loop->node()}));
	EXPECT_ERRNO(Backstore::create(lower_spec(Lower::block, lower.loop->node())), EACCES);
	EXPECT_ERRNO(Backstore::create(lower_spec(Lower::block_file, lower.loop->node())), EACCES);
	ASSERT_OK(run_ok({"blockdev", "--setrw", lower.loop->node()})); // it outlives the file
}

TEST(BackstoreInUse, IsRefusedWithItsName)
{
	expect_dmesg("target_core_iblock: /dev/loop\\d+: cannot be claimed, it is in use", Need::required);
	expect_dmesg("target_core_file: /dev/loop\\d+: cannot be claimed, it is in use: -16", Need::required);
	expect_dm_notice();
	ASSERT_OK_AND_ASSIGN(LowerDevice lower, LowerDevice::create(true));
	ASSERT_OK_AND_ASSIGN(DmDevice dm, DmDevice::linear("holder", lower.loop->node()));
	for (Lower kind : {Lower::block, Lower::block_file})
		EXPECT_ERRNO(Backstore::create(lower_spec(kind, lower.loop->node())), EBUSY);
	ASSERT_OK_AND_ASSIGN(Backstore first, Backstore::create(lower_spec(Lower::block, dm.node())));
	expect_dmesg("/dev/mapper/holder: cannot be claimed, it is in use", Need::required);
	for (Lower kind : {Lower::block, Lower::block_file})
		EXPECT_ERRNO(Backstore::create(lower_spec(kind, dm.node())), EBUSY);
	ASSERT_OK(first.destroy());
	EXPECT_OK(Backstore::create(lower_spec(Lower::block_file, dm.node())));
}

TEST(BackstoreZoned, IsRefusedClearly)
{
	expect_dmesg("target_core_iblock: /dev/zoned: zoned block devices are not for target_core_iblock", Need::required);
	expect_dmesg("target_core_file: /dev/zoned: a zoned block device is written in order only", Need::required);
	expect_dmesg("null_blk: ", Need::optional);
	ASSERT_OK(load_module("null_blk", {"nr_devices=0"}));
	ASSERT_OK_AND_ASSIGN(Removal dir, make_dir_guard("/sys/kernel/config/nullb/zoned"));
	for (auto [name, value] : {std::pair{"zoned", "1"}, {"size", "64"}, {"zone_size", "4"}, {"memory_backed", "1"},
				   {"power", "1"}})
		ASSERT_OK(write_value(dir.path() + "/" + name, value));
	std::string node = exists("/dev/zoned") ? "/dev/zoned" : "/dev/nullb0";
	EXPECT_ERRNO(Backstore::create(lower_spec(Lower::block, node)), EOPNOTSUPP);
	EXPECT_ERRNO(Backstore::create(lower_spec(Lower::block_file, node)), EOPNOTSUPP);
	ASSERT_OK(write_value(dir.path() + "/power", "0"));
}

// I/O in flight ends, what comes later is told, everything can be removed, and another disk can come.
TEST_P(BackstoreErrors, LowerDeviceGoes)
{
	expect_block_errors();
	expect_dmesg("^sd [0-9:]+: \\[sd.*\\] Synchronize Cache\\(10\\) failed", Need::optional);
	expect_dmesg("^Buffer I/O error on dev sd", Need::optional);
	expect_dmesg("^device offline error, dev sd", Need::optional);
	expect_dmesg("^I/O error, dev sd", Need::optional);
	expect_dmesg("^blk_print_req_error: \\d+ callbacks suppressed$", Need::optional);
	for (int round = 0; round < 2; round++) {
		ASSERT_OK_AND_ASSIGN(std::string disk_name, debug_disk());
		{
			ASSERT_OK_AND_ASSIGN(LoopDisk disk, make_disk(lower_spec(GetParam(), "/dev/" + disk_name)));
			ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
			ASSERT_OK_AND_ASSIGN(SgQueue queue, SgQueue::open(sg.path()));
			std::vector<uint8_t> buf = pattern(64 << 10, 0);
			for (int i = 0; i < 12; i++)
				ASSERT_OK(queue.submit(cdb::write(16, uint64_t(i) * 128, 128), Data::out(buf)));
			ASSERT_OK(write_value("/sys/block/" + disk_name + "/device/delete", "1"));
			for (int i = 0; i < 12; i++)
				ASSERT_OK(queue.reap(seconds(60)));
			ASSERT_OK_AND_ASSIGN(ScsiReply reply,
					     sg.execute(cdb::write(16, 0, 128), Data::out(buf)));
			EXPECT_EQ(reply.kcq(), logical_unit_failure) << reply;
			ASSERT_OK(sg.fetch(cdb::inquiry(96), 96));
		}
		ASSERT_OK(unload_module("scsi_debug"));
	}
}

} // namespace
} // namespace lio::test
