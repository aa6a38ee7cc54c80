// SPDX-License-Identifier: GPL-2.0
// Power fails at random moments of a random workload: what was promised is there, and no block holds
// anything but what was written to it. The device's log tells what was permanent at each moment.
#include <algorithm>
#include <sstream>

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "power_cut.hpp"
#include "powerloss_stage.hpp"
#include "powerloss_writer.hpp"
#include "seed.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

using Store = PowerCase::Store;

/// What was seen at all points together.
struct Outcome {
	uint64_t commands = 0, failed = 0, entries = 0, points = 0;
	uint64_t kept = 0; ///< promised writes that were looked for
	uint64_t broken = 0; ///< points at which something was wrong
	std::string first_broken{};

	void add(uint64_t promised, size_t position, const std::optional<std::string> &wrong)
	{
		points++;
		kept += promised;
		if (!wrong)
			return;
		if (!broken++)
			first_broken = "power lost at entry " + std::to_string(position) + ": " + *wrong;
	}
};

/// How many places in the log are looked at, and whether only at the later half of it.
struct Points {
	uint64_t count;
	bool late = false;
};

/// Places in the log, in order, between the first moment and the last.
std::vector<size_t> draw_positions(const std::vector<LogEntry> &log, const Points &points)
{
	auto marked = [](const LogEntry &e) { return marked_moment(e).has_value(); };
	auto first = static_cast<size_t>(std::find_if(log.begin(), log.end(), marked) - log.begin());
	auto last = log.size() - static_cast<size_t>(std::find_if(log.rbegin(), log.rend(), marked) - log.rbegin());
	auto random = rng("points of power loss");
	std::vector<size_t> positions;
	if (points.late)
		first += (last - first) / 2;
	while (first < last && positions.size() < points.count)
		positions.push_back(first + 1 + random() % (last - first));
	std::sort(positions.begin(), positions.end());
	return positions;
}

/// A sparse file.
Status write_image(const std::string &path, std::span<const uint8_t> bytes)
{
	static const uint8_t zeroes[64 << 10] = {};
	LIO_TRY(Fd fd, open_fd(path, O_RDWR | O_CREAT | O_TRUNC));
	if (ftruncate(fd.get(), static_cast<off_t>(bytes.size())))
		return sys_error(path, "truncate");
	for (size_t at = 0; at < bytes.size(); at += sizeof(zeroes)) {
		auto part = bytes.subspan(at, std::min(sizeof(zeroes), bytes.size() - at));
		if (std::equal(part.begin(), part.end(), zeroes))
			continue;
		if (pwrite(fd.get(), part.data(), part.size(), static_cast<off_t>(at)) != ssize_t(part.size()))
			return sys_error(path, "write");
	}
	return {};
}

Result<std::vector<uint8_t>> read_disk(const std::string &file)
{
	LIO_TRY(Fd fd, open_fd(file, O_RDONLY));
	std::vector<uint8_t> bytes(power_lun_bytes);
	ssize_t got = pread(fd.get(), bytes.data(), bytes.size(), 0);
	if (got < 0)
		return sys_error(file, "read");
	if (got != ssize_t(bytes.size()))
		return Error{EIO, file, "only " + std::to_string(got) + " bytes of"};
	return bytes;
}

/// What the LUN's file has after the file system on @device has been recovered.
Result<std::vector<uint8_t>> recover_file(const std::vector<uint8_t> &device)
{
	LIO_TRY(TempDir dir, TempDir::create("/var/tmp"));
	LIO_CHECK(write_image(dir / "image", device));
	LIO_TRY(LoopDevice loop, LoopDevice::create(dir / "image"));
	std::string where = dir / "mnt";
	LIO_CHECK(make_dir(where));
	// There are hundreds of them: without mount(8).
	if (mount(loop.node().c_str(), where.c_str(), "ext4", 0, nullptr))
		return sys_error(loop.node(), "mount");
	auto bytes = read_disk(where + "/" + power_file);
	if (umount(where.c_str()))
		return sys_error(where, "umount");
	return bytes;
}

std::optional<std::string> look(const PowerCase &c, const PowerCut &cut, const Promise &promise,
				const std::vector<uint8_t> &device)
{
	auto disk = c.filesystem ? recover_file(device) : Result<std::vector<uint8_t>>(device);
	if (!disk)
		return disk.error().str();
	auto broken = promise.broken(*disk);
	if (!broken)
		return std::nullopt;
	return broken->what + "; in the log:" + cut.story(broken->lba);
}

struct Device {
	std::vector<uint8_t> before, after;
};

/// At each point, and at the end, when nothing was lost.
Outcome lose_power(const PowerCase &c, const Device &device, const std::vector<LogEntry> &log, const Workload &workload,
		   const Points &points)
{
	Outcome outcome{workload.moments().size() / 2, workload.failed(), log.size()};
	auto random = rng("what is lost");
	PowerCut cut(device.before, log, workload, !c.filesystem);
	Promise promise(workload);
	for (size_t position : draw_positions(log, points)) {
		cut.advance(position);
		promise.advance(cut.moments());
		outcome.add(promise.kept(), position, look(c, cut, promise, cut.device(random)));
	}
	promise.advance(workload.moments().size());
	outcome.add(promise.kept(), log.size(), look(c, cut, promise, device.after));
	return outcome;
}

Result<Workload> run_workload(const PowerStage &stage, bool suppress, uint64_t commands)
{
	LIO_TRY(SgDevice sg, open_ready(stage.disk()));
	LIO_TRY(bool cached, has_write_cache(sg));
	Workload workload(power_lun_bytes / stamped_bytes, cached);
	LIO_TRY(PowerWriter writer, PowerWriter::create(stage, workload));
	if (suppress)
		LIO_CHECK(stage.device().suppress_flushes());
	LIO_CHECK(writer.run(commands));
	return workload;
}

Result<Outcome> run_case(const PowerCase &c, bool suppress, uint64_t commands, const Points &points)
{
	LIO_TRY(PowerStage stage, PowerStage::create(c));
	LIO_TRY(Workload workload, run_workload(stage, suppress, commands));
	LIO_TRY(MappedFile bytes, stage.finish());
	LIO_TRY(std::vector<LogEntry> log, parse_write_log(bytes.bytes()));
	LIO_TRY(MappedFile now, stage.device().now());
	Device device{stage.device().before(), {now.bytes().begin(), now.bytes().end()}};
	return lose_power(c, device, log, workload, points);
}

void report(const PowerCase &c, const Outcome &o)
{
	std::ostringstream name;
	name << c;
	printf("%s: %lu commands, %lu entries in the log, %lu losses of power, %lu promised writes looked for, %lu wrong\n",
	       name.str().c_str(), o.commands, o.entries, o.points, o.kept, o.broken);
	testing::Test::RecordProperty("points", std::to_string(o.points));
	testing::Test::RecordProperty("promised_writes", std::to_string(o.kept));
}

std::string case_name(const testing::TestParamInfo<PowerCase> &info)
{
	std::ostringstream name;
	name << info.param;
	return name.str();
}

constexpr PowerCase cases[] = {
	{Store::file, true},  {Store::buffered_file, true}, {Store::async_file, true}, {Store::file, false},
	{Store::block, false}, {Store::handler, true},	    {Store::handler, false},
};

class PowerLoss : public testing::TestWithParam<PowerCase> {};
INSTANTIATE_TEST_SUITE_P(On, PowerLoss, testing::ValuesIn(cases), case_name);

TEST_P(PowerLoss, WhatWasPromisedIsThere)
{
	// To recover a file system takes its time.
	uint64_t points = count(GetParam().filesystem ? 10 : 20, 200);
	ASSERT_OK_AND_ASSIGN(Outcome o, run_case(GetParam(), false, count(120, 1500), {points}));
	report(GetParam(), o);
	EXPECT_EQ(o.failed, 0u);
	EXPECT_EQ(o.points, points + 1);
	EXPECT_GT(o.kept, points);
	EXPECT_EQ(o.broken, 0u) << o.first_broken;
}

// The test can fail: below the backstore flushes are acknowledged and not done.
class PowerLossUnnoticed : public testing::TestWithParam<PowerCase> {};
INSTANTIATE_TEST_SUITE_P(On, PowerLossUnnoticed,
			 testing::Values(PowerCase{Store::file, true}, PowerCase{Store::buffered_file, true},
					 PowerCase{Store::block, false}, PowerCase{Store::handler, false}),
			 case_name);

TEST_P(PowerLossUnnoticed, NotWithoutFlushes)
{
	expect_dmesg("^EXT4-fs ", Need::optional);
	constexpr Points points{6, true};
	ASSERT_OK_AND_ASSIGN(Outcome o, run_case(GetParam(), true, count(40, 200), points));
	report(GetParam(), o);
	EXPECT_EQ(o.points, points.count + 1);
	EXPECT_GT(o.broken, 0u);
	printf("as it must: %s\n", o.first_broken.c_str());
}

} // namespace
} // namespace lio::test
