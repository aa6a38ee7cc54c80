// SPDX-License-Identifier: GPL-2.0
// Load, configure, do I/O, kill the handler, clear, unload, again and again: memory is back
// where it was and nothing is left in configfs, sysfs or /dev.
#include <csignal>

#include "block_io.hpp"
#include "clients.hpp"
#include "leak_rounds.hpp"
#include "loopback.hpp"
#include "module.hpp"
#include "test_env.hpp"
#include "seed.hpp"

namespace lio::test {
namespace {

constexpr uint64_t disk_bytes = 8 << 20;
constexpr unsigned warm_up = 3;

/// How long the living handler may take for a command, in seconds.
std::string time_out()
{
	return tier() == Tier::debug ? "10" : "2";
}

/// A read that is under way when the handler dies: it ends by cmd_time_out.
void read_without_handler(const LoopLun &lun)
{
	ASSERT_OK_AND_ASSIGN(SgDevice sg, lun.open_sg());
	std::vector<uint8_t> buf(4096);
	Stopwatch watch;
	ASSERT_OK_AND_ASSIGN(ScsiReply r, sg.execute(cdb::read(10, 0, 8), Data::in(buf), seconds(40)));
	EXPECT_FALSE(r.good()) << r;
	EXPECT_LT(watch.seconds(), 30);
}

void one_cycle(const std::string &image)
{
	ASSERT_OK_AND_ASSIGN(TcmuRunner runner, TcmuRunner::start());
	BackstoreSpec spec = user_spec("cycle", "qcow/" + image, disk_bytes);
	spec.attribs = {{"cmd_time_out", time_out()}};
	{
		ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(spec));
		ASSERT_OK(runner.wait_owns("cycle"));
		ASSERT_OK_AND_ASSIGN(std::string node, disk.lun.block_node());
		{
			ASSERT_OK_AND_ASSIGN(BlockFile block, BlockFile::open(node));
			ASSERT_OK(block.write_pattern(0, 1 << 20));
			ASSERT_OK(block.verify_pattern(0, 1 << 20));
		}
		// Else sd flushes when the disk goes, three times until it believes that nobody answers.
		ASSERT_OK_AND_ASSIGN(std::string address, disk.lun.scsi_address());
		ASSERT_OK(write_value("/sys/class/scsi_disk/" + address + "/cache_type", "temporary write through"));
		ASSERT_OK(runner.kill9());
		read_without_handler(disk.lun);
		ASSERT_OK(disk.lun.destroy());
		ASSERT_OK(disk.target.destroy());
		ASSERT_OK(disk.backstore.destroy());
	}
	ASSERT_OK(remove_dir_within(target_root + "/loopback", removal_limit)); // holds tcm_loop
	ASSERT_OK(unload_module("tcm_loop"));
	ASSERT_OK(unload_module("target_core_user"));
}

void expect_what_a_dead_handler_causes()
{
	expect_dmesg("^cycle: the handler did not answer in time$", Need::optional);
	// The distribution's netlink waits for a handler's leave that never comes.
	expect_dmesg("^tcmu nl cmd \\d/-?\\d+ completion", Need::optional);
}

TEST(Cycle, LoadConfigureIoKillClearUnload)
{
	expect_what_a_dead_handler_causes();
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create("/var/tmp"));
	ASSERT_OK(run_ok({"qemu-img", "create", "-q", "-f", "qcow2", tmp / "image", std::to_string(disk_bytes)}));
	ASSERT_OK(ensure_dbus());
	const uint64_t half = count(4, 100);
	RecordProperty("cycles", std::to_string(2 * half));
	uint64_t done = 0;
	expect_no_growth(warm_up, half, [&] {
		printf("cycle %lu of %lu\n", ++done, warm_up + 2 * half);
		one_cycle(tmp / "image");
	});
}

} // namespace
} // namespace lio::test
