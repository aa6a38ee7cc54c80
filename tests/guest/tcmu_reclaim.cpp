// SPDX-License-Identifier: GPL-2.0
// A filesystem on a LUN whose handler runs on this very machine, in little memory and without swap:
// writing back its pages needs the handler, which must not need those pages. Booted with --mem 512
// and a --disk that is the LUN's medium.
#include "loopback.hpp"
#include "module.hpp"
#include "pressure.hpp"
#include "seed.hpp"
#include "tcmu_common.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint64_t lun_bytes = 3ull << 30;
constexpr int writers = 4;

TEST(TcmuReclaim, BufferedWritesBeyondTheMemory)
{
	ASSERT_OK_AND_ASSIGN(uint64_t memory, memory_bytes());
	ASSERT_LT(memory, 512u << 20) << "boot with less memory";
	ASSERT_OK_AND_ASSIGN(std::string swaps, read_file("/proc/swaps"));
	ASSERT_EQ(swaps.find('/'), std::string::npos) << swaps;
	ASSERT_OK_AND_ASSIGN(std::string medium, scratch_disk(0));
	ASSERT_OK(ensure_target_core());
	ASSERT_OK(load_module("target_core_user"));
	LiveHandler handler(Server::tcmu_file, "reclaim", medium);
	ASSERT_OK(handler.start());
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(user_spec("reclaim", "file/" + medium, lun_bytes)));
	ASSERT_OK(handler.wait_owns());
	ASSERT_OK_AND_ASSIGN(std::string node, disk.lun.block_node());
	ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::create());
	ASSERT_OK_AND_ASSIGN(Mount fs, make_ext4(node, dir / "mnt"));

	// A quarter of it on the sanitizer kernel: as much as there is memory.
	const uint64_t times = count(4, 4);
	const uint64_t each = (times * memory / writers) >> 20 << 20;
	PatternFiles files(fs.path(), writers, each);
	ASSERT_OK_AND_ASSIGN(auto processes, files.start_writers(1));
	for (Process &p : processes) {
		ASSERT_OK_AND_ASSIGN(int status, p.wait(seconds(900)));
		EXPECT_EQ(status, 0);
	}
	EXPECT_OK(files.verify(1));
	EXPECT_TRUE(handler.running()) << handler.output();

	ASSERT_OK(fs.unmount(seconds(120)));
	ASSERT_OK(run_ok({"e2fsck", "-f", "-n", node}, seconds(120)));
	ASSERT_OK(disk.lun.destroy());
	EXPECT_OK(handler.stop());
}

} // namespace
} // namespace lio::test
