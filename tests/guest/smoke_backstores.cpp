// SPDX-License-Identifier: GPL-2.0
// Every backstore over loopback: what is written is read back. Runs on stock and on ours.
#include <algorithm>

#include "block_io.hpp"
#include "clients.hpp"
#include "loopback.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "system.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint64_t disk_bytes = 16 << 20;

/// SG_IO and the block device see the same data, in every length of CDB.
void check_disk(LoopDisk &disk)
{
	ASSERT_OK_AND_ASSIGN(SgDevice sg, disk.lun.open_sg());
	ASSERT_OK_AND_ASSIGN(Capacity cap, read_capacity(sg));
	EXPECT_EQ(cap.blocks * cap.block_size, disk_bytes);

	ASSERT_OK_AND_ASSIGN(std::string node, disk.lun.block_node());
	ASSERT_OK_AND_ASSIGN(BlockFile block, BlockFile::open(node));
	ASSERT_OK(block.write_pattern(0, disk_bytes));
	ASSERT_OK(block.verify_pattern(0, disk_bytes));

	uint64_t lba = 8;
	std::vector<uint8_t> buf(4096);
	for (int form : {6, 10, 12, 16}) {
		auto blocks = static_cast<uint32_t>(buf.size() / cap.block_size);
		SCOPED_TRACE(form);
		ASSERT_OK(sg.execute_good(cdb::read(form, lba, blocks), Data::in(buf)));
		EXPECT_FALSE(find_mismatch(buf, lba * cap.block_size));
		fill_pattern(buf, lba * cap.block_size, 1);
		ASSERT_OK(sg.execute_good(cdb::write(form, lba, blocks), Data::out(buf)));
		std::fill(buf.begin(), buf.end(), 0);
		ASSERT_OK(block.verify_pattern(lba * cap.block_size, buf.size(), 1));
		lba += blocks;
	}
}

TEST(Smoke, Ramdisk)
{
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(ramdisk_spec("rd", disk_bytes)));
	check_disk(disk);
}

TEST(Smoke, Fileio)
{
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create("/var/tmp"));
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(fileio_spec("file", tmp / "image", disk_bytes)));
	check_disk(disk);
}

TEST(Smoke, Iblock)
{
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create("/var/tmp"));
	ASSERT_OK_AND_ASSIGN(std::string file, make_sparse_file(tmp / "image", disk_bytes));
	ASSERT_OK_AND_ASSIGN(LoopDevice loop, LoopDevice::create(file));
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(iblock_spec("block", loop.node())));
	check_disk(disk);
}

TEST(Smoke, UserQcowByTcmuRunner)
{
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create("/var/tmp"));
	ASSERT_OK(run_ok({"qemu-img", "create", "-f", "qcow2", tmp / "image", std::to_string(disk_bytes)}));
	ASSERT_OK(ensure_target_core());
	ASSERT_OK_AND_ASSIGN(TcmuRunner runner, TcmuRunner::start());
	{
		ASSERT_OK_AND_ASSIGN(LoopDisk disk,
				     LoopDisk::create(user_spec("qcow", "qcow/" + tmp / "image", disk_bytes)));
		ASSERT_OK(runner.wait_owns("qcow"));
		check_disk(disk);
	}
	EXPECT_OK(runner.stop());
}

TEST(Smoke, SenseAndResidual)
{
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(ramdisk_spec("rd", disk_bytes)));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, disk.lun.open_sg());
	std::vector<uint8_t> buf(4096);
	expect_dmesg("^cmd exceeds last lba 32768 ", Need::optional); // the distribution's core tells
	ASSERT_OK_AND_ASSIGN(ScsiReply past, sg.execute_past_ua(cdb::read(16, disk_bytes / 512, 8), Data::in(buf)));
	EXPECT_EQ(past.status, ScsiStatus::check_condition) << past;
	EXPECT_EQ(past.kcq(), 0x052100u) << past; // LOGICAL BLOCK ADDRESS OUT OF RANGE
	ASSERT_OK_AND_ASSIGN(auto inquiry, sg.fetch(cdb::inquiry(), 255));
	EXPECT_GE(inquiry.size(), 36u);
	EXPECT_LT(inquiry.size(), 255u);
}

TEST(Smoke, QueueOfCommands)
{
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(ramdisk_spec("rd", disk_bytes)));
	ASSERT_OK_AND_ASSIGN(std::string node, disk.lun.sg_node());
	ASSERT_OK_AND_ASSIGN(SgQueue queue, SgQueue::open(node));
	std::vector<std::vector<uint8_t>> bufs;
	for (uint64_t i = 0; i < 8; i++)
		bufs.push_back(pattern(4096, i * 4096));
	for (uint64_t i = 0; i < bufs.size(); i++)
		ASSERT_OK(queue.submit(cdb::write(10, i * 8, 8), Data::out(bufs[i])));
	while (queue.in_flight()) {
		ASSERT_OK_AND_ASSIGN(auto done, queue.reap(seconds(30)));
		EXPECT_TRUE(done.reply.good()) << done.reply;
	}
	EXPECT_ERRNO(queue.reap(milliseconds(50)), ETIMEDOUT);
	ASSERT_OK_AND_ASSIGN(SgDevice sg, SgDevice::open(node));
	std::vector<uint8_t> all(bufs.size() * 4096);
	ASSERT_OK(sg.execute_good(cdb::read(10, 0, static_cast<uint32_t>(all.size() / 512)), Data::in(all)));
	EXPECT_FALSE(find_mismatch(all, 0));
}

} // namespace
} // namespace lio::test
