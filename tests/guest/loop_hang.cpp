// SPDX-License-Identifier: GPL-2.0
// Backends that never answer: everything ends by its deadline, nobody touches returned pages, and
// the LUN comes back with its backend.
#include <signal.h>
#include <sys/mman.h>

#include <thread>

#include "loopback.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "process.hpp"
#include "system.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint64_t disk_bytes = 16 << 20;
constexpr double deadline = 30; // of a reset, an abort, an unlink (DESIGN section 3)
constexpr double patience = 3; // what the slow guest may add
constexpr uint32_t not_ready = 0x020400;

/// A dm device under iblock that can be suspended, beside a ramdisk on the same host.
struct Stage {
	TempDir tmp;
	LoopDevice loop;
	DmDevice dm;
	LoopDisk disk;
	Backstore other;
	LoopLun neighbour;
};

Result<Stage> make_stage()
{
	expect_dmesg("Duplicate IMA measurements", Need::optional); // when device-mapper is loaded
	expect_dmesg("^scsi_io_completion_action: \\d+ callbacks suppressed", Need::optional);
	LIO_TRY(TempDir tmp, TempDir::create("/var/tmp"));
	LIO_TRY(std::string file, make_sparse_file(tmp / "image", disk_bytes));
	LIO_TRY(LoopDevice loop, LoopDevice::create(file));
	LIO_TRY(DmDevice dm, DmDevice::linear("hang", loop.node()));
	LIO_TRY(LoopDisk disk, LoopDisk::create(iblock_spec("b", dm.node())));
	LIO_TRY(Backstore other, Backstore::create(ramdisk_spec("other", disk_bytes)));
	LIO_TRY(LoopLun neighbour, disk.target.add_lun(1, other));
	LIO_CHECK(neighbour.block_node());
	return Stage{std::move(tmp), std::move(loop), std::move(dm), std::move(disk), std::move(other),
		     std::move(neighbour)};
}

/// Other LUNs of the host do not notice.
void expect_neighbour_alive(const LoopLun &lun)
{
	ASSERT_OK_AND_ASSIGN(SgDevice sg, lun.open_sg());
	std::vector<uint8_t> buf(4096);
	Stopwatch watch;
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute_past_ua(cdb::read(10, 0, 8), Data::in(buf)));
	EXPECT_TRUE(reply.good()) << reply;
	EXPECT_LT(watch.seconds(), 2);
}

Status wait_for_reply(SgDevice &sg, uint32_t kcq, milliseconds limit)
{
	return wait_until(Deadline(limit), "sense " + std::to_string(kcq), [&] {
		auto reply = sg.execute(cdb::test_unit_ready());
		return reply && reply->kcq() == kcq;
	}, milliseconds(200));
}

std::string lingering()
{
	return read_value(module_param_path("tcm_loop", "lingering")).value_or("?");
}

void expect_failed_and_back()
{
	expect_dmesg("logical unit is not ready until it does");
	expect_dmesg("logical unit is ready again");
	expect_dmesg("LUN assignments on this target have changed", Need::optional);
}

TEST(LoopHang, CommandIsKeptUntilTheBackendAnswers)
{
	expect_failed_and_back();
	ASSERT_OK_AND_ASSIGN(Stage s, make_stage());
	ASSERT_OK_AND_ASSIGN(SgDevice sg, s.disk.lun.open_sg());
	ASSERT_OK_AND_ASSIGN(SgQueue queue, SgQueue::open(sg.path()));
	auto data = pattern(4096, 0);
	ASSERT_OK(sg.execute_past_ua(cdb::write(10, 0, 8), Data::out(data)));
	ASSERT_OK(s.dm.suspend());

	std::vector<uint8_t> buf(4096);
	Stopwatch watch;
	ASSERT_OK(queue.submit(cdb::read(10, 0, 8), Data::in(buf), seconds(2)));
	expect_neighbour_alive(s.neighbour);
	// The timer fires at 2 s; from then the deadline runs, then new commands are not ready.
	ASSERT_OK(wait_for_reply(sg, not_ready, seconds(40)));
	EXPECT_LT(watch.seconds(), 2 + deadline + patience);
	expect_neighbour_alive(s.neighbour);
	EXPECT_ERRNO(queue.reap(milliseconds(100)), ETIMEDOUT) << "the pages came back too early";

	ASSERT_OK(s.dm.resume());
	ASSERT_OK_AND_ASSIGN(SgQueue::Done done, queue.reap(seconds(10)));
	EXPECT_TRUE(done.reply.good()) << done.reply;
	EXPECT_FALSE(find_mismatch(buf, 0));
	EXPECT_OK(sg.execute_good(cdb::read(10, 0, 8), Data::in(buf)));
}

/// A stage whose disk does not answer the command that it has.
struct Stuck {
	Stage s;
	SgDevice sg;
	SgQueue queue;
	std::vector<uint8_t> buf;
};

Result<Stuck> make_stuck()
{
	LIO_TRY(Stage s, make_stage());
	LIO_TRY(SgDevice sg, s.disk.lun.open_sg());
	LIO_TRY(SgQueue queue, SgQueue::open(sg.path()));
	LIO_CHECK(sg.execute_past_ua(cdb::test_unit_ready()));
	LIO_CHECK(s.dm.suspend());
	std::vector<uint8_t> buf(4096);
	LIO_CHECK(queue.submit(cdb::read(10, 0, 8), Data::in(buf), seconds(60)));
	std::this_thread::sleep_for(milliseconds(200));
	return Stuck{std::move(s), std::move(sg), std::move(queue), std::move(buf)};
}

TEST(LoopHang, ResetFailsByTheDeadline)
{
	expect_failed_and_back();
	expect_dmesg("Power-on or device reset occurred", Need::optional);
	ASSERT_OK_AND_ASSIGN(Stuck stuck, make_stuck());
	auto &[s, sg, queue, buf] = stuck;

	Stopwatch watch;
	EXPECT_ERRNO(sg.reset(SgDevice::Reset::device), EIO);
	EXPECT_LT(watch.seconds(), deadline + patience);
	EXPECT_GT(watch.seconds(), 20);
	ASSERT_OK(wait_for_reply(sg, not_ready, seconds(2)));
	// On top of one that is overdue there is nothing to wait for.
	Stopwatch again;
	EXPECT_ERRNO(sg.reset(SgDevice::Reset::target), EIO);
	EXPECT_LT(again.seconds(), 10);
	expect_neighbour_alive(s.neighbour);

	ASSERT_OK(s.dm.resume());
	ASSERT_OK(queue.reap(seconds(10)));
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute_past_ua(cdb::test_unit_ready()));
	EXPECT_TRUE(reply.good()) << reply;
	EXPECT_OK(sg.reset(SgDevice::Reset::device));
}

// The module's part of an unlink ends by the deadline. On the distribution's core the core's part
// waits for the command without one, so that the unlink as a whole ends with the resume.
TEST(LoopHang, UnlinkedLunLingers)
{
	expect_dmesg("is gone but lives on until its last command returns");
	expect_dmesg("LUN assignments on this target have changed", Need::optional);
	ASSERT_OK_AND_ASSIGN(Stuck stuck, make_stuck());
	auto &[s, sg, queue, buf] = stuck;

	Stopwatch watch;
	const std::string dir = s.disk.lun.path();
	ASSERT_OK_AND_ASSIGN(Process unlink, Process::fork_body("unlink", [&] {
		return s.disk.lun.unlink(seconds(120)) ? 0 : 1;
	}));
	ASSERT_OK(wait_until(Deadline(seconds(40)), "the LUN to linger", [] { return !lingering().empty(); }));
	EXPECT_LT(watch.seconds(), deadline + patience);
	EXPECT_NE(lingering().find("/lun/lun_0"), std::string::npos) << lingering();
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(cdb::test_unit_ready()));
	EXPECT_NE(reply.host_status, 0) << reply;
	expect_neighbour_alive(s.neighbour);

	ASSERT_OK(s.dm.resume());
	ASSERT_OK_AND_ASSIGN(SgQueue::Done done, queue.reap(seconds(10)));
	EXPECT_TRUE(done.reply.good()) << done.reply;
	ASSERT_OK_AND_ASSIGN(int status, unlink.wait(seconds(20)));
	EXPECT_EQ(status, 0);
	EXPECT_OK(wait_until(Deadline(seconds(5)), "nothing to linger", [] { return lingering().empty(); }));
	s.disk.lun.release();
	EXPECT_OK(remove_dir_within(dir, seconds(10)));
}

// A userspace device without a handler: commands end when its timeout has passed.
TEST(LoopHang, NoHandler)
{
	expect_dmesg("ABORT_TASK", Need::optional);
	expect_dmesg("LUN assignments on this target have changed", Need::optional);
	expect_dmesg("^u: the handler did not answer in time$", Need::optional); // our target_core_user says so
	BackstoreSpec spec = user_spec("u", "none/x", 1 << 20);
	spec.control.push_back("nl_reply_supported=-1");
	spec.attribs.emplace_back("cmd_time_out", "5");
	ASSERT_OK_AND_ASSIGN(Backstore user, Backstore::create(spec));
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create());
	Stopwatch watch;
	ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(0, user));
	EXPECT_LT(watch.seconds(), deadline + patience);
	Stopwatch removal;
	EXPECT_OK(lun.destroy());
	EXPECT_LT(removal.seconds(), deadline + patience);
}

// The same without a timeout: the link returns by the deadline though the scan goes on, and
// reset_ring ends what hangs.
TEST(LoopHang, NoHandlerAndNoTimeout)
{
	expect_dmesg("ABORT_TASK", Need::optional);
	expect_dmesg("backend does not answer, the SCSI device comes when it does");
	expect_dmesg("logical unit is (not ready until it does|ready again)", Need::optional);
	BackstoreSpec spec = user_spec("u", "none/x", 1 << 20);
	spec.control.push_back("nl_reply_supported=-1");
	spec.attribs.emplace_back("cmd_time_out", "0");
	ASSERT_OK_AND_ASSIGN(Backstore user, Backstore::create(spec));
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create());
	Stopwatch watch;
	ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(0, user));
	EXPECT_LT(watch.seconds(), deadline + patience);
	EXPECT_GT(watch.seconds(), 20);
	ASSERT_OK(user.action("block_dev", "1"));
	ASSERT_OK(user.action("reset_ring", "2"));
	Stopwatch removal;
	EXPECT_OK(lun.destroy());
	EXPECT_LT(removal.seconds(), 10);
	ASSERT_OK(user.action("block_dev", "0"));
}

} // namespace
} // namespace lio::test
