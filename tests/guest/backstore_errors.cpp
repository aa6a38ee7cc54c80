// SPDX-License-Identifier: GPL-2.0
// The layer below fails, fills up, is read-only, in use or gone: nothing that failed is GOOD, and the
// initiator is told why.
#include <algorithm>
#include <map>

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

/// What 8 blocks of the disk hold.
enum class Content : uint8_t { unknown, pattern, zeroes, same };
constexpr uint64_t chunk_blocks = 8, chunk_bytes = chunk_blocks * 512;

std::vector<uint8_t> bytes_of(Content content, uint64_t chunk)
{
	std::vector<uint8_t> bytes(chunk_bytes);
	if (content == Content::pattern)
		return pattern(chunk_bytes, chunk * chunk_bytes, 1);
	for (uint64_t at = 0; content == Content::same && at < chunk_bytes; at += 512)
		fill_pattern(std::span(bytes).subspan(at, 512), 0, 3);
	return bytes;
}

/// A command to 8 blocks.
struct ChunkCommand {
	const char *name;
	Cdb (*cdb)(uint64_t lba);
	enum class Uses { read, check, compare, write, same, zero, unmap, exchange, flush } uses;
	bool cached_only = false;
};

using Uses = ChunkCommand::Uses;

const ChunkCommand chunk_commands[] = {
	{"READ (10)", [](uint64_t lba) { return cdb::read(10, lba, chunk_blocks); }, Uses::read},
	{"READ (16), FUA", [](uint64_t lba) { return cdb::read(16, lba, chunk_blocks, {.fua = true}); }, Uses::read, true},
	{"WRITE (10)", [](uint64_t lba) { return cdb::write(10, lba, chunk_blocks); }, Uses::write},
	{"WRITE (16)", [](uint64_t lba) { return cdb::write(16, lba, chunk_blocks); }, Uses::write},
	{"WRITE (16), FUA", [](uint64_t lba) { return cdb::write(16, lba, chunk_blocks, {.fua = true}); }, Uses::write, true},
	{"VERIFY (16)", [](uint64_t lba) { return cdb::verify(16, lba, chunk_blocks); }, Uses::check},
	{"VERIFY (10), BYTCHK 1", [](uint64_t lba) { return cdb::verify(10, lba, chunk_blocks, 1); }, Uses::compare},
	{"WRITE AND VERIFY (16)", [](uint64_t lba) { return cdb::write_and_verify(16, lba, chunk_blocks); }, Uses::write},
	{"WRITE SAME (16)", [](uint64_t lba) { return cdb::write_same(16, lba, chunk_blocks); }, Uses::same},
	{"WRITE SAME (10), zeroes", [](uint64_t lba) { return cdb::write_same(10, lba, chunk_blocks); }, Uses::zero},
	{"WRITE SAME (16), UNMAP", [](uint64_t lba) { return cdb::write_same(16, lba, chunk_blocks, {.unmap = true}); }, Uses::zero},
	{"UNMAP", [](uint64_t) { return cdb::unmap(24); }, Uses::unmap},
	{"COMPARE AND WRITE", [](uint64_t lba) { return cdb::compare_and_write(lba, chunk_blocks); }, Uses::exchange},
	{"SYNCHRONIZE CACHE (10)", [](uint64_t) { return cdb::sync_cache(10); }, Uses::flush, true},
	{"SYNCHRONIZE CACHE (16)", [](uint64_t lba) { return cdb::sync_cache(16, lba, chunk_blocks); }, Uses::flush, true},
};

bool changes(Uses uses)
{
	return uses != Uses::read && uses != Uses::check && uses != Uses::compare && uses != Uses::flush;
}

std::vector<uint8_t> chunk_data(Uses uses, Content now, uint64_t chunk)
{
	std::vector<uint8_t> data = bytes_of(Content::pattern, chunk), list(24);
	switch (uses) {
	case Uses::check:
	case Uses::flush:
		return {};
	case Uses::same:
	case Uses::zero:
		data = bytes_of(uses == Uses::same ? Content::same : Content::zeroes, chunk);
		data.resize(512);
		return data;
	case Uses::compare:
		return bytes_of(now, chunk);
	case Uses::exchange:
		list = bytes_of(now, chunk);
		list.insert(list.end(), data.begin(), data.end());
		return list;
	case Uses::unmap:
		put_be(std::span(list).subspan(0, 2), 22);
		put_be(std::span(list).subspan(2, 2), 16);
		put_be(std::span(list).subspan(8, 8), chunk * chunk_blocks);
		put_be(std::span(list).subspan(16, 4), chunk_blocks);
		return list;
	default:
		return data;
	}
}

Content content_after(Uses uses)
{
	if (uses == Uses::same)
		return Content::same;
	return uses == Uses::zero || uses == Uses::unmap ? Content::zeroes : Content::pattern;
}

/// Commands to a device of which a part or all that is written fails.
class Injection {
	FaultyDevice &device_;
	SgDevice &sg_;
	bool cached_;
	std::mt19937_64 random_ = rng("injected errors");
	std::vector<Content> chunks_;
	enum class Broken { nothing, sectors, writes } broken_ = Broken::nothing;
	static constexpr uint64_t chunks = 64, broken_from = 24, broken_to = 40;

public:
	uint64_t errors = 0, good_for_errors = 0;
	std::map<std::string, uint64_t> by_name{};

	Injection(FaultyDevice &device, SgDevice &sg, bool cached)
		: device_(device), sg_(sg), cached_(cached), chunks_(chunks, Content::unknown) {}

	/// Some commands to each kind of broken device, and to the whole one.
	Status round()
	{
		for (Broken how : {Broken::sectors, Broken::writes, Broken::nothing}) {
			LIO_CHECK(set(how));
			for (int i = 0; i < 24; i++)
				LIO_CHECK(one());
		}
		return {};
	}

private:
	Status set(Broken how)
	{
		broken_ = how;
		if (how == Broken::nothing)
			LIO_CHECK(device_.repair());
		else if (how == Broken::writes)
			LIO_CHECK(device_.break_writes());
		else
			LIO_CHECK(device_.break_sectors(broken_from * chunk_blocks, broken_to * chunk_blocks));
		// Nothing of before may answer for the medium.
		return write_value("/proc/sys/vm/drop_caches", "3");
	}

	bool must_fail(Uses uses, uint64_t chunk) const
	{
		if (broken_ == Broken::sectors)
			return uses != Uses::flush && chunk >= broken_from && chunk < broken_to;
		return broken_ == Broken::writes && (changes(uses) || uses == Uses::flush);
	}

	Status one()
	{
		const ChunkCommand &command = chunk_commands[random_() % std::size(chunk_commands)];
		uint64_t chunk = random_() % chunks;
		bool fails = must_fail(command.uses, chunk);
		bool compares = command.uses == Uses::compare || command.uses == Uses::exchange;
		if ((command.cached_only && !cached_) || (compares && chunks_[chunk] == Content::unknown && !fails))
			return {};
		SCOPED_TRACE(std::string(command.name) + " to chunk " + std::to_string(chunk) + ", broken: " +
			     std::to_string(static_cast<int>(broken_)));
		std::vector<uint8_t> data = chunk_data(command.uses, chunks_[chunk], chunk);
		Data way = data.empty() ? Data::none() : command.uses == Uses::read ? Data::in(data) : Data::out(data);
		LIO_TRY(ScsiReply reply, sg_.execute(command.cdb(chunk * chunk_blocks), way));
		if (fails)
			judge_failure(command, reply);
		else
			judge_success(command, reply, chunk, data);
		if (changes(command.uses))
			chunks_[chunk] = reply.good() ? content_after(command.uses) : Content::unknown;
		return {};
	}

	void judge_failure(const ChunkCommand &command, const ScsiReply &reply)
	{
		errors++;
		by_name[command.name]++;
		good_for_errors += reply.good();
		EXPECT_FALSE(reply.good());
		EXPECT_EQ(reply.status, ScsiStatus::check_condition) << reply;
		EXPECT_FALSE(reply.sense && (reply.sense->key == SenseKey::no_sense ||
					     reply.sense->key == SenseKey::recovered ||
					     reply.sense->key == SenseKey::unit_attention))
			<< reply;
	}

	void judge_success(const ChunkCommand &command, const ScsiReply &reply, uint64_t chunk,
			   const std::vector<uint8_t> &data)
	{
		EXPECT_TRUE(reply.good()) << reply;
		if (command.uses == Uses::read && reply.good() && chunks_[chunk] != Content::unknown) {
			EXPECT_EQ(data, bytes_of(chunks_[chunk], chunk));
		}
	}
};

// Of every command that fails below, the initiator hears.
TEST_P(BackstoreOurCore, InjectedErrors)
{
	expect_block_errors();
	expect_dmesg("^(I/O error|critical [a-z ]+ error), dev ", Need::optional);
	expect_dmesg("^(fd|iblock)_execute_\\w+: \\d+ callbacks suppressed$", Need::optional);
	ASSERT_OK_AND_ASSIGN(FaultyDevice device, FaultyDevice::create());
	BackstoreSpec spec = lower_spec(GetParam(), device.dm.node());
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, make_disk(spec, {{"emulate_tpu", "1"}, {"emulate_tpws", "1"},
							     {"unmap_zeroes_data", "1"}}));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
	Injection injection(device, sg, GetParam() == Lower::block);
	uint64_t wanted = count(50, 1000);
	while (injection.errors < wanted && !HasFailure())
		ASSERT_OK(injection.round());
	printf("%lu errors injected, GOOD for %lu of them:", injection.errors, injection.good_for_errors);
	for (const auto &[name, n] : injection.by_name)
		printf(" %s %lu,", name.c_str(), n);
	printf("\n");
	RecordProperty("errors", std::to_string(injection.errors));
	EXPECT_EQ(injection.good_for_errors, 0u);
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
