// SPDX-License-Identifier: GPL-2.0
// A handler that does not answer in time, and commands that find no room.
#include <future>

#include "block_io.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "ring_expect.hpp"
#include "scripted_handler.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint32_t communication_failure = 0x020800; // NOT READY, LOGICAL UNIT COMMUNICATION FAILURE

void expect_time_out_lines()
{
	expect_dmesg("^ring: the handler did not answer in time$", Need::optional);
	expect_dmesg("^scsi [\\d:]+ Power-on or device reset occurred$", Need::optional);
	expect_dmesg("^ABORT_TASK: ", Need::optional); // the midlayer's time may be over first
}

RingSpec spec_with(const std::string &cmd_time_out, const std::string &qfull_time_out = "-1")
{
	RingSpec spec;
	spec.control = {"max_data_area_mb=1"};
	spec.attribs = {{"cmd_time_out", cmd_time_out}, {"qfull_time_out", qfull_time_out}};
	return spec;
}

TEST(RingTimeout, LateAnswerChangesNothing)
{
	expect_time_out_lines();
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(spec_with("1")));
	AlignedBuffer buffer(64 << 10);
	std::fill(buffer.span().begin(), buffer.span().end(), 0xee);
	Stopwatch watch;
	auto sent = std::async(std::launch::async,
			       [&] { return l.execute_mapped(cdb::read(10, 0, 128), Data::in(buffer.span())); });
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	ASSERT_OK_AND_ASSIGN(ScsiReply r, sent.get());
	EXPECT_EQ(r.kcq(), communication_failure) << r;
	EXPECT_GT(watch.seconds(), 0.9);
	EXPECT_LT(watch.seconds(), 1 + 5.5);

	ASSERT_TRUE(l.handler->scatter(e.iov, pattern(buffer.span().size(), 0)));
	ASSERT_OK(l.handler->finish(e));
	// The device works on, and the buffer is as it was.
	std::vector<uint8_t> buf(4096);
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 0, 8), Data::in(buf)));
	ASSERT_OK_AND_ASSIGN(e, l.handler->next());
	ASSERT_TRUE(l.handler->scatter(e.iov, pattern(buf.size(), 0, 2)));
	ASSERT_OK(l.handler->finish(e));
	ASSERT_OK_AND_ASSIGN(r, l.reap(id));
	EXPECT_TRUE(r.good()) << r;
	EXPECT_FALSE(find_mismatch(buf, 0, 2));
	for (uint8_t byte : buffer.span())
		ASSERT_EQ(byte, 0xee);
}

/// What a timed-out command had is the handler's until its late answer, and comes back then.
TEST(RingTimeout, SlotsComeBackWithTheLateAnswer)
{
	expect_time_out_lines();
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(spec_with("1", "20")));
	std::vector<uint8_t> bufs[8];
	std::vector<int> ids;
	std::vector<RingEntry> late;
	for (auto &buf : bufs) {
		buf.resize(128 << 10);
		ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 0, 256), Data::in(buf)));
		ids.push_back(id);
		ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
		late.push_back(e);
	}
	for (int id : ids) {
		ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
		EXPECT_EQ(r.kcq(), communication_failure) << r;
	}
	ASSERT_OK_AND_ASSIGN(int waits, l.send(cdb::read(10, 0, 256), Data::in(bufs[0])));
	EXPECT_ERRNO(l.handler->next(milliseconds(300)), ETIMEDOUT);
	for (const auto &e : late)
		l.handler->answer(e, {.uflags = TCMU_UFLAG_READ_LEN, .read_len = 1});
	ASSERT_OK(l.handler->kick());
	for (int round = 0; round < 8; round++) {
		ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
		ASSERT_OK(l.handler->finish(e));
		ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(waits));
		EXPECT_TRUE(r.good()) << r;
		ASSERT_OK_AND_ASSIGN(waits, l.send(cdb::read(10, 0, 1024), Data::in(bufs[0])));
	}
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	ASSERT_OK(l.handler->finish(e));
	ASSERT_OK(l.reap(waits));
}

struct Full {
	RingLun l;
	std::vector<uint8_t> big = std::vector<uint8_t>(1 << 20), small = std::vector<uint8_t>(4096);
	int big_id = 0, small_id = 0;
	std::optional<RingEntry> big_entry{};
};

/// A READ of all of the data area that is not answered, and a small one behind it.
void fill_area(Full &f, milliseconds small_timeout)
{
	ASSERT_OK_AND_ASSIGN(f.big_id, f.l.send(cdb::read(16, 0, 2048), Data::in(f.big)));
	ASSERT_OK_AND_ASSIGN(f.big_entry, f.l.handler->next());
	ASSERT_OK_AND_ASSIGN(f.small_id, f.l.send(cdb::read(10, 8, 8), Data::in(f.small), small_timeout));
}

void finish_big(Full &f)
{
	ASSERT_OK(f.l.handler->finish(*f.big_entry));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, f.l.reap(f.big_id));
	EXPECT_TRUE(r.good()) << r;
}

TEST(RingQfull, WaitsForRoom)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(spec_with("30", "20")));
	Full f{std::move(l)};
	ASSERT_NO_FATAL_FAILURE(fill_area(f, seconds(30)));
	EXPECT_ERRNO(f.l.handler->next(milliseconds(300)), ETIMEDOUT);
	ASSERT_NO_FATAL_FAILURE(finish_big(f));
	ASSERT_OK_AND_ASSIGN(RingEntry e, f.l.handler->next());
	ASSERT_OK(f.l.handler->finish(e));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, f.l.reap(f.small_id));
	EXPECT_TRUE(r.good()) << r;
}

struct QfullCase {
	const char *cmd_time_out, *qfull_time_out;
	double at_least;
};

class RingQfullTimeOut : public testing::TestWithParam<QfullCase> {};

/// TASK SET FULL when the time is over. The midlayer repeats that, but not before the command that
/// has the area has ended, and not once the command's own time is over: then it is seen.
TEST_P(RingQfullTimeOut, TaskSetFull)
{
	expect_time_out_lines();
	expect_dmesg("^scsi [\\d:]+ tag#\\d+ timing out command, waited \\d+s$", Need::optional);
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(spec_with(GetParam().cmd_time_out, GetParam().qfull_time_out)));
	Full f{std::move(l)};
	Stopwatch watch;
	// Much longer than one wait for room, or a slow machine sees the midlayer's timeout instead.
	ASSERT_NO_FATAL_FAILURE(fill_area(f, seconds(5)));
	ASSERT_OK_AND_ASSIGN(ScsiReply small, f.l.reap(f.small_id));
	EXPECT_EQ(small.status, ScsiStatus::task_set_full) << small;
	EXPECT_GT(watch.seconds(), GetParam().at_least);
	EXPECT_LT(watch.seconds(), 12);
	EXPECT_ERRNO(f.l.handler->next(milliseconds(0)), ETIMEDOUT) << "it was in the ring";
	ASSERT_OK_AND_ASSIGN(ScsiReply big, f.l.reap(f.big_id));
	EXPECT_EQ(big.kcq(), communication_failure) << big;
	ASSERT_OK(f.l.handler->finish(*f.big_entry)); // late
}

INSTANTIATE_TEST_SUITE_P(Seconds, RingQfullTimeOut,
			 testing::Values(QfullCase{"2", "-1", 1.9}, QfullCase{"3", "0", 0}, QfullCase{"3", "1", 0.9}),
			 [](const auto &i) { return i.index == 0 ? "AsCmdTimeOut" : i.index == 1 ? "Zero" : "One"; });

/// 36 slots of 7 pages are 16 KiB short of 1 MiB.
TEST(RingQfull, TooBigForTheArea)
{
	expect_dmesg("^TCMU: Request of size \\d+ is too big for \\d+", Need::optional);
	RingSpec spec = spec_with("30");
	spec.control.push_back("data_pages_per_blk=7");
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(spec));
	std::vector<uint8_t> buf(1 << 20);
	Stopwatch watch;
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(16, 0, 2048), Data::in(buf)));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
	EXPECT_LT(watch.seconds(), 5);
	EXPECT_EQ(r.kcq(), 0x052400u) << r; // INVALID FIELD IN CDB
	// The most that fits.
	ASSERT_OK_AND_ASSIGN(id, l.send(cdb::read(16, 0, 2016), Data::in(std::span(buf).first(2016 * 512))));
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	EXPECT_EQ(e.data_len(), 2016u * 512);
	ASSERT_OK(l.handler->finish(e));
	ASSERT_OK_AND_ASSIGN(r, l.reap(id));
	EXPECT_TRUE(r.good()) << r;
}

// Task management, as the handler sees it.

RingSpec tmr_spec(const std::string &notify)
{
	RingSpec spec;
	spec.attribs = {{"cmd_time_out", "30"}, {"tmr_notification", notify}};
	return spec;
}

void expect_reset_lines()
{
	expect_dmesg("^scsi [\\d:]+ Power-on or device reset occurred$", Need::optional);
	expect_dmesg("^TMR(: | Opcode: )|^ABORT_TASK: |^LUN_RESET: |^TARGET_CORE", Need::optional);
}

TEST(RingTmr, AbortNamesTheCommand)
{
	expect_reset_lines();
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(tmr_spec("1")));
	std::vector<uint8_t> buf(4096);
	ASSERT_OK_AND_ASSIGN(int other, l.send(cdb::read(10, 0, 8), Data::in(buf), seconds(60)));
	ASSERT_OK_AND_ASSIGN(RingEntry stays, l.handler->next());
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 8, 8), Data::in(buf), seconds(1)));
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	ASSERT_OK_AND_ASSIGN(RingEntry tmr, l.handler->next());
	EXPECT_EQ(tmr.op, TCMU_OP_TMR);
	EXPECT_EQ(tmr.tmr_type, TCMU_TMR_ABORT_TASK);
	EXPECT_EQ(tmr.tmr_ids, std::vector<uint16_t>{e.id});
	EXPECT_EQ(tmr.len % TCMU_OP_ALIGN_SIZE, 0u);
	EXPECT_GE(tmr.len, sizeof(tcmu_tmr_entry) + 2);
	l.handler->answer(e, {.status = uint8_t(ScsiStatus::task_aborted)});
	ASSERT_OK(l.handler->finish(stays));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
	EXPECT_FALSE(r.good()) << r;
	ASSERT_OK_AND_ASSIGN(r, l.reap(other));
	EXPECT_TRUE(r.good()) << r;
	EXPECT_EQ(l.handler->held(), 0u);
}

/// Replies to whatever is owed, in order, until the reset ends.
void finish_reset(RingLun &l, std::future<Status> &reset, const std::vector<RingEntry> &entries)
{
	for (const auto &e : entries)
		l.handler->answer(e, {.status = uint8_t(ScsiStatus::task_aborted)});
	ASSERT_OK(l.handler->kick());
	for (Deadline deadline(seconds(30)); reset.wait_for(seconds(0)) != std::future_status::ready;) {
		ASSERT_FALSE(deadline.passed()) << "the reset does not end";
		ASSERT_OK(l.handler->serve_for(milliseconds(10)));
	}
	EXPECT_OK(reset.get());
}

class RingReset : public testing::TestWithParam<const char *> {};

TEST_P(RingReset, LunResetNamesAllCommands)
{
	bool notify = *GetParam() == '1';
	expect_reset_lines();
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(tmr_spec(GetParam())));
	std::vector<uint8_t> bufs[3];
	std::vector<int> ids;
	std::vector<uint16_t> ring_ids;
	std::vector<RingEntry> entries;
	for (auto &buf : bufs) {
		buf.resize(4096);
		ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 0, 8), Data::in(buf)));
		ids.push_back(id);
		ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
		entries.push_back(e);
		ring_ids.push_back(e.id);
	}
	ASSERT_OK_AND_ASSIGN(SgDevice sg, SgDevice::open(l.sg));
	auto reset = std::async(std::launch::async, [&] { return sg.reset(SgDevice::Reset::device); });
	auto tmr = l.handler->next(notify ? seconds(20) : seconds(1));
	if (notify) {
		ASSERT_OK(tmr);
		EXPECT_EQ(tmr->op, TCMU_OP_TMR);
		EXPECT_EQ(tmr->tmr_type, TCMU_TMR_LUN_RESET);
		std::sort(tmr->tmr_ids.begin(), tmr->tmr_ids.end());
		std::sort(ring_ids.begin(), ring_ids.end());
		EXPECT_EQ(tmr->tmr_ids, ring_ids);
	} else {
		EXPECT_ERRNO(tmr, ETIMEDOUT);
	}
	ASSERT_NO_FATAL_FAILURE(finish_reset(l, reset, entries));
	for (int id : ids) {
		ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
		// The distribution's tcm_loop says GOOD of what it aborted.
		EXPECT_TRUE(!r.good() || !module_is_ours("tcm_loop")) << r;
	}
	// The device works afterwards, and says that it was reset.
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 0, 8), Data::in(bufs[0])));
	auto e = l.handler->next(seconds(2));
	if (e) {
		ASSERT_OK(l.handler->finish(*e));
	}
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
	EXPECT_TRUE(r.good() || r.kcq() >> 8 == 0x0629) << r;
}

INSTANTIATE_TEST_SUITE_P(TmrNotification, RingReset, testing::Values("0", "1"));

} // namespace
} // namespace lio::test
