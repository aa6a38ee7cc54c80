// SPDX-License-Identifier: GPL-2.0
// Filesystems on loopback LUNs of this very machine, in little memory: writing back their pages
// must not wait for itself. Booted with --mem 512 and two --disk.
#include "block_io.hpp"
#include "loopback.hpp"
#include "pattern.hpp"
#include "pressure.hpp"
#include "process.hpp"
#include "sg.hpp"
#include "system.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint64_t lun_bytes = 768 << 20;
constexpr uint64_t file_bytes = 128 << 20;
constexpr int files = 4; // together more than the guest's memory

/// More buffered data than there is memory, from several processes, with fsync and fstrim
/// meanwhile; then two of the files are removed and written again.
void fill_twice(const Mount &fs)
{
	for (int round = 0; round < 2; round++) {
		PatternFiles written(fs.path(), round ? 2 : files, file_bytes);
		ASSERT_OK_AND_ASSIGN(auto writers, written.start_writers(static_cast<uint64_t>(round)));
		ASSERT_OK(run_ok({"fstrim", fs.path()}, seconds(300)));
		for (Process &p : writers) {
			ASSERT_OK_AND_ASSIGN(int status, p.wait(seconds(300)));
			EXPECT_EQ(status, 0);
		}
		ASSERT_OK(written.verify(static_cast<uint64_t>(round)));
		ASSERT_OK(run_ok({"rm", fs.path() + "/file0", fs.path() + "/file1"}));
	}
}

/// COMPARE AND WRITE all the while, from a process that dies with the test. It exits only if one
/// fails.
Result<Process> compare_and_write_forever(const std::string &node)
{
	return Process::fork_body("compare-and-write", [node] {
		auto sg = SgDevice::open(node);
		std::vector<uint8_t> both(1024);
		if (!sg || !sg->execute_past_ua(cdb::test_unit_ready()))
			return 1;
		for (uint64_t n = 0;; n++) {
			fill_pattern(std::span(both).subspan(512), 0, n + 1);
			auto reply = sg->execute(cdb::compare_and_write(8, 1), Data::out(both));
			if (!reply || (!reply->good() && n))
				return 2;
			// The first one finds something else there: it is overwritten plainly.
			if (!reply->good() &&
			    !sg->execute_good(cdb::write(10, 8, 1), Data::out(std::span(both).subspan(512))))
				return 3;
			std::copy(both.begin() + 512, both.end(), both.begin());
		}
		return 0;
	});
}

void expect_what_tools_cause()
{
	expect_dmesg("LUN assignments on this target have changed", Need::optional);
	expect_dmesg("^Detected MISCOMPARE at offset", Need::optional);
	expect_dmesg("^WRITE_SAME sectors: \\d+ exceeds max_write_same_len", Need::optional); // mkfs
	expect_dmesg("^hrtimer: interrupt took", Need::optional); // a busy host
}

/// ext4 on LUN 0 of @backstore, while LUN 1 beside it does COMPARE AND WRITE.
void write_under_pressure(const BackstoreSpec &spec, const BackstoreSpec &beside)
{
	ASSERT_OK_AND_ASSIGN(uint64_t memory, memory_bytes());
	ASSERT_GT(static_cast<uint64_t>(files) * file_bytes, memory) << "boot with less memory";
	expect_what_tools_cause();
	ASSERT_OK_AND_ASSIGN(Backstore thin, Backstore::create(spec));
	ASSERT_OK(thin.set("emulate_tpu", "1"));
	ASSERT_OK(thin.set("max_unmap_lba_count", "8192"));
	ASSERT_OK(thin.set("max_unmap_block_desc_count", "1"));
	ASSERT_OK_AND_ASSIGN(Backstore other, Backstore::create(beside));
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create());
	ASSERT_OK_AND_ASSIGN(LoopLun disk, target.add_lun(0, thin));
	ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(1, other));
	ASSERT_OK(lun.block_node());
	ASSERT_OK(disk.sg_node());
	// sd chooses the mode before the node is there.
	ASSERT_OK_AND_ASSIGN(std::string node, disk.block_node());
	// sd prefers WRITE SAME, for which the file backstore's limit is not one of sd's.
	ASSERT_OK_AND_ASSIGN(std::string address, disk.scsi_address());
	ASSERT_OK(write_value("/sys/class/scsi_disk/" + address + "/provisioning_mode", "unmap"));
	ASSERT_OK(write_value("/sys/block/" + node.substr(5) + "/queue/discard_max_bytes", "4194304"));
	ASSERT_OK_AND_ASSIGN(std::string sg, lun.sg_node());
	ASSERT_OK_AND_ASSIGN(Process caw, compare_and_write_forever(sg));
	ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::create());
	ASSERT_OK_AND_ASSIGN(Mount fs, make_ext4(node, dir / "mnt", "discard"));
	fill_twice(fs);
	EXPECT_TRUE(caw.running()) << caw.output();
	ASSERT_OK(fs.unmount());
	ASSERT_OK(caw.kill(9));
	ASSERT_OK(caw.wait(seconds(30)));
	ASSERT_OK(run_ok({"e2fsck", "-f", "-n", node}, seconds(120)));
}

TEST(LoopReclaim, Iblock)
{
	ASSERT_OK_AND_ASSIGN(std::string first, scratch_disk(0));
	ASSERT_OK_AND_ASSIGN(std::string second, scratch_disk(1));
	write_under_pressure(iblock_spec("b", first), iblock_spec("c", second));
}

TEST(LoopReclaim, BufferedFile)
{
	ASSERT_OK_AND_ASSIGN(std::string disk, scratch_disk(0));
	ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::create());
	ASSERT_OK_AND_ASSIGN(Mount lower, make_ext4(disk, dir / "lower", "discard"));
	write_under_pressure(fileio_spec("f", lower.path() + "/image", lun_bytes, true),
			     fileio_spec("g", lower.path() + "/other", 16 << 20, true));
}

TEST(LoopReclaim, File)
{
	ASSERT_OK_AND_ASSIGN(std::string disk, scratch_disk(0));
	ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::create());
	ASSERT_OK_AND_ASSIGN(Mount lower, make_ext4(disk, dir / "lower", "discard"));
	write_under_pressure(fileio_spec("f", lower.path() + "/image", lun_bytes, false),
			     fileio_spec("g", lower.path() + "/other", 16 << 20, false));
}

} // namespace
} // namespace lio::test
