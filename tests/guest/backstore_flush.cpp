// SPDX-License-Identifier: GPL-2.0
// Errors of writing back what a file backstore has in the page cache: the VFS tells each once for
// an open file, initiators are told all the same.
#include "backstore_stage.hpp"
#include "pattern.hpp"
#include "process.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint32_t medium_write = 0x030c00;
constexpr uint64_t sectors = stage_bytes / 512, broken_from = 8192, broken_to = 16384;

void expect_errors()
{
	expect_dmesg("^device-mapper: core: CONFIG_IMA_DISABLE_HTABLE is disabled", Need::optional);
	expect_dmesg("^Buffer I/O error on dev dm-\\d+, logical block \\d+", Need::optional);
	expect_dmesg("(buffer_io_error|fd_execute_sync_cache): \\d+ callbacks suppressed", Need::optional);
	expect_dmesg("^target_core_file: .* failed: -\\d+$", Need::optional);
}

/// A dm device over a loop device; while it is broken some of its sectors fail, but flushes do not.
struct BrokenDisk {
	LowerDevice lower;
	DmDevice dm;

	static Result<BrokenDisk> create()
	{
		LIO_TRY(LowerDevice lower, LowerDevice::create(true));
		LIO_TRY(DmDevice dm, DmDevice::linear("flushed", lower.loop->node()));
		return BrokenDisk{std::move(lower), std::move(dm)};
	}
	std::string part(uint64_t from, uint64_t to) const
	{
		return std::to_string(from) + " " + std::to_string(to - from) + " linear " + lower.loop->node() + " " +
		       std::to_string(from) + "\n";
	}
	Status break_some() const
	{
		return dm.replace(part(0, broken_from) + std::to_string(broken_from) + " " +
				  std::to_string(broken_to - broken_from) + " error\n" + part(broken_to, sectors));
	}
	Status repair() const { return dm.replace(part(0, sectors)); }
};

Result<LoopDisk> buffered_disk(const BrokenDisk &lower, bool async = false)
{
	BackstoreSpec spec = lower_spec(Lower::block_file, lower.dm.node());
	spec.control.push_back("fd_buffered_io=1");
	if (async)
		spec.control.push_back("fd_async_io=1");
	return make_disk(spec);
}

// Four initiators wait for the same pages: none of them hears that all is well.
TEST(BackstoreFlush, EveryWaiterIsTold)
{
	expect_errors();
	ASSERT_OK_AND_ASSIGN(BrokenDisk lower, BrokenDisk::create());
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, buffered_disk(lower));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
	for (int round = 0; round < 2; round++) {
		std::vector<uint8_t> buf = pattern(64 << 10, 0, 1);
		ASSERT_OK(lower.dm.suspend());
		ASSERT_OK(sg.execute_good(cdb::write(16, broken_from, 128), Data::out(buf)));
		ASSERT_OK_AND_ASSIGN(SgQueue queue, SgQueue::open(sg.path()));
		for (int i = 0; i < 4; i++)
			ASSERT_OK(queue.submit(cdb::sync_cache(i % 2 ? 10 : 16)));
		EXPECT_ERRNO(queue.reap(milliseconds(500)), ETIMEDOUT);
		ASSERT_OK(lower.break_some());
		for (int i = 0; i < 4; i++) {
			ASSERT_OK_AND_ASSIGN(SgQueue::Done done, queue.reap(seconds(60)));
			EXPECT_EQ(done.reply.kcq(), medium_write) << done.reply;
		}
		ASSERT_OK(sg.execute_good(cdb::sync_cache(10)));
		ASSERT_OK(lower.repair());
	}
}

// IMMED has been answered when the flush fails: the next to ask hears of it.
TEST(BackstoreFlush, ImmediateAnswerHidesNothing)
{
	expect_errors();
	ASSERT_OK_AND_ASSIGN(BrokenDisk lower, BrokenDisk::create());
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, buffered_disk(lower));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
	ASSERT_OK(lower.break_some());
	std::vector<uint8_t> buf = pattern(4096, 0, 1);
	ASSERT_OK(sg.execute_good(cdb::write(16, broken_from, 8), Data::out(buf)));
	ASSERT_OK(sg.execute_good(cdb::sync_cache(10, 0, 0, true)));
	ASSERT_OK_AND_ASSIGN(ScsiReply flush, sg.execute(cdb::sync_cache(10)));
	EXPECT_EQ(flush.kcq(), medium_write) << flush;
	ASSERT_OK(lower.repair());
	EXPECT_OK(sg.execute_good(cdb::sync_cache(10)));
}

// Written back in vain when nobody asked, closed, and opened again: the data is lost all the same.
TEST(BackstoreFlush, ErrorIsToldAfterTheNextOpening)
{
	expect_errors();
	ASSERT_OK_AND_ASSIGN(BrokenDisk lower, BrokenDisk::create());
	{
		ASSERT_OK_AND_ASSIGN(LoopDisk disk, buffered_disk(lower));
		ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
		ASSERT_OK(lower.break_some());
		ASSERT_OK(sg.execute_good(cdb::write(16, broken_from, 8), Data::out(pattern(4096, 0, 1))));
		// Lest sd asks when its disk goes.
		ASSERT_OK_AND_ASSIGN(std::string address, disk.lun.scsi_address());
		ASSERT_OK(write_value("/sys/class/scsi_disk/" + address + "/cache_type", "temporary write through"));
	}
	ASSERT_OK(lower.repair());
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, buffered_disk(lower));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
	ASSERT_OK_AND_ASSIGN(ScsiReply flush, sg.execute(cdb::sync_cache(10)));
	EXPECT_EQ(flush.kcq(), medium_write) << flush;
	ASSERT_OK(sg.execute_good(cdb::write(16, broken_from, 8), Data::out(pattern(4096, 0, 2))));
	EXPECT_OK(sg.execute_good(cdb::sync_cache(10)));
}

// Without page cache the write itself fails, whether it asks for the medium or not.
TEST(BackstoreFlush, AsyncWritesTellThemselves)
{
	expect_errors();
	ASSERT_OK_AND_ASSIGN(BrokenDisk lower, BrokenDisk::create());
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, buffered_disk(lower, true));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
	std::vector<uint8_t> buf = pattern(4096, 0, 1);
	ASSERT_OK(lower.break_some());
	for (bool fua : {false, true}) {
		SCOPED_TRACE(fua);
		ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(cdb::write(16, broken_from, 8, {.fua = fua}), Data::out(buf)));
		EXPECT_EQ(reply.kcq(), medium_write) << reply;
		ASSERT_OK(sg.execute_good(cdb::write(16, 0, 8, {.fua = fua}), Data::out(buf)));
	}
	ASSERT_OK(lower.repair());
	ASSERT_OK(sg.execute(cdb::sync_cache(10)));
	EXPECT_OK(sg.execute_good(cdb::sync_cache(10)));
}

} // namespace
} // namespace lio::test
