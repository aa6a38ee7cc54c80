// SPDX-License-Identifier: GPL-2.0
// fio with verification while the handler is killed and started again: no wrong byte, no I/O
// error, no hung task, as long as the restart comes within the timeout.
#include <csignal>

#include "seed.hpp"
#include "tcmu_common.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint64_t disk_bytes = 256 << 20;

/// Block sizes and queue depth of one fio run over its own part of the disk.
struct Load {
	const char *name, *block_sizes;
	unsigned depth;
	uint64_t bytes;
};

constexpr Load loads[] = {
	{"one", "512/20:4k/30:64k/20:1m/20:4m/10", 1, 48 << 20},
	{"eight", "512/20:4k/40:64k/30:1m/10", 8, 48 << 20},
	{"sixtyfour", "512/30:4k/50:64k/20", 64, 16 << 20},
};

std::vector<std::string> fio_command(const Load &load, const std::string &node, size_t index)
{
	return {"fio",
		std::string("--name=") + load.name,
		"--filename=" + node,
		"--direct=1",
		"--ioengine=libaio",
		"--rw=randwrite",
		std::string("--bssplit=") + load.block_sizes,
		"--iodepth=" + std::to_string(load.depth),
		"--offset=" + std::to_string(index * (64 << 20)),
		"--size=" + std::to_string(load.bytes),
		"--verify=crc32c",
		"--verify_fatal=1",
		"--do_verify=1",
		"--randseed=" + std::to_string(rng(load.name)() >> 32),
		"--output-format=terse"};
}

/// Kill and restart @kills times while @fio runs; false when fio ended first.
bool kill_while_running(LiveHandler &handler, Process &fio, uint64_t &kills)
{
	static auto random = rng("kill");
	while (kills > 0) {
		auto pause = milliseconds(300 + random() % 2500);
		if (fio.wait(pause))
			return false;
		Stopwatch away;
		double uptime = std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
		EXPECT_OK(handler.kill9());
		std::this_thread::sleep_for(milliseconds(random() % 1000));
		Status started = handler.start();
		EXPECT_OK(started);
		EXPECT_OK(handler.wait_owns());
		if (testing::Test::HasFailure())
			return false;
		kills--;
		printf("killed at %.1f s, served again after %.1f s\n", uptime, away.seconds());
	}
	return true;
}

void verify_with_kills(Server server, uint64_t kills)
{
	ASSERT_OK_AND_ASSIGN(ServedDisk served,
			     ServedDisk::create(server, "killed", disk_bytes, {{"cmd_time_out", "60"}},
						{"hw_max_sectors=8192"}));
	ASSERT_OK_AND_ASSIGN(std::string node, served.disk->lun.block_node());
	testing::Test::RecordProperty("kills", std::to_string(kills));
	unsigned runs = 0;
	// Every load runs at least once, and they go on until all kills are done.
	for (size_t i = 0; i < std::size(loads) || kills > 0; i++) {
		const Load &load = loads[i % std::size(loads)];
		SCOPED_TRACE(load.name);
		ASSERT_OK_AND_ASSIGN(Process fio, Process::spawn(fio_command(load, node, i % std::size(loads))));
		// The kills are spread over the loads.
		uint64_t share = i + 1 < std::size(loads) ? (kills + 1) / 2 : kills, left = share;
		kill_while_running(*served.handler, fio, left);
		kills -= share - left;
		ASSERT_OK_AND_ASSIGN(int status, fio.wait(seconds(600)));
		ASSERT_EQ(status, 0) << fio.output();
		ASSERT_FALSE(testing::Test::HasFailure());
		runs++;
		printf("%s done, %lu kills to come\n", load.name, kills);
	}
	EXPECT_GE(runs, std::size(loads));
	served.disk.reset(); // while there is someone to answer sd's last flush
	EXPECT_OK(served.handler->stop());
}

TEST(TcmuKill, FileHandlerUnderFio)
{
	verify_with_kills(Server::tcmu_file, count(6, 30));
}

TEST(TcmuKill, RunnerQcowUnderFio)
{
	verify_with_kills(Server::tcmu_runner, count(6, 30));
}

} // namespace
} // namespace lio::test
