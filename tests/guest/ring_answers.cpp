// SPDX-License-Identifier: GPL-2.0
// What a handler may answer: order, lengths, statuses, sense, buffers that it keeps.
#include "pattern.hpp"
#include "ring_expect.hpp"
#include "scripted_handler.hpp"
#include "seed.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr size_t len4k = 4096;

/// Send a READ of 4 KiB, answer it with the pattern of @generation and @a.
Result<ScsiReply> answered_read(RingLun &l, std::vector<uint8_t> &buf, const RingAnswer &a, uint64_t generation = 1)
{
	LIO_TRY(int id, l.send(cdb::read(10, 0, uint32_t(buf.size() / 512)), Data::in(buf), seconds(5)));
	LIO_TRY(RingEntry e, l.handler->next());
	l.handler->scatter(e.iov, pattern(buf.size(), 0, generation));
	LIO_CHECK(l.handler->finish(e, a));
	return l.reap(id);
}

TEST(RingAnswer, OutOfOrderInBatches)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	constexpr size_t n = 24;
	std::vector<std::vector<uint8_t>> bufs(n, std::vector<uint8_t>(len4k));
	std::vector<int> ids;
	std::vector<RingEntry> entries;
	for (size_t i = 0; i < n; i++) {
		ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, i * 8, 8), Data::in(bufs[i])));
		ids.push_back(id);
		ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
		for (const auto &other : entries)
			EXPECT_NE(other.id, e.id);
		entries.push_back(e);
	}
	std::shuffle(entries.begin(), entries.end(), rng("answers"));
	for (size_t i = 0; i < n; i++) {
		uint64_t lba = get_be(std::span(entries[i].cdb).subspan(2, 4));
		ASSERT_TRUE(l.handler->scatter(entries[i].iov, pattern(len4k, lba * 512, 3)));
		l.handler->answer(entries[i]);
		if (i % 8 == 7) {
			ASSERT_OK(l.handler->kick());
		}
	}
	for (size_t i = 0; i < n; i++) {
		ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(ids[i]));
		EXPECT_TRUE(r.good()) << r;
		EXPECT_FALSE(find_mismatch(bufs[i], i * len4k, 3)) << i;
	}
}

TEST(RingAnswer, ReadLen)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	struct {
		uint32_t said;
		int32_t residual;
	} cases[] = {{4096, 0}, {1000, 3096}, {512, 3584}, {1, 4095}, {4097, 0}, {1 << 20, 0}, {UINT32_MAX, 0}};
	for (auto [said, residual] : cases) {
		SCOPED_TRACE(said);
		std::vector<uint8_t> buf(len4k, 0xee);
		ASSERT_OK_AND_ASSIGN(ScsiReply r, answered_read(l, buf, {.uflags = TCMU_UFLAG_READ_LEN, .read_len = said}));
		EXPECT_TRUE(r.good()) << r;
		EXPECT_EQ(r.residual, residual);
		std::vector<uint8_t> want = pattern(len4k, 0, 1);
		size_t got = std::min<size_t>(said, len4k);
		EXPECT_TRUE(std::equal(want.begin(), want.begin() + got, buf.begin()));
	}
	std::vector<uint8_t> none(len4k, 0xee);
	ASSERT_OK_AND_ASSIGN(ScsiReply nothing, answered_read(l, none, {.uflags = TCMU_UFLAG_READ_LEN, .read_len = 0}));
	EXPECT_TRUE(nothing.good()) << nothing;
	expect_here("READ_LEN 0", nothing.residual == 4096 ? "no data" : find_mismatch(none, 0, 1) ? "garbage" : "all data");
	// Without the flag the number says nothing.
	std::vector<uint8_t> buf(len4k);
	ASSERT_OK_AND_ASSIGN(ScsiReply r, answered_read(l, buf, {.read_len = 7}));
	EXPECT_TRUE(r.good()) << r;
	EXPECT_EQ(r.residual, 0);
	EXPECT_FALSE(find_mismatch(buf, 0, 1));
}

TEST(RingAnswer, ReadLenOfAWrite)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	std::vector<uint8_t> buf = pattern(len4k, 0);
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::write(10, 0, 8), Data::out(buf)));
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	ASSERT_OK(l.handler->finish(e, {.uflags = TCMU_UFLAG_READ_LEN, .read_len = 100}));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
	EXPECT_TRUE(r.good()) << r;
	EXPECT_EQ(r.residual, 0);
}

/// The handler does not know the entry's opcode: nothing that the initiator did wrong.
TEST(RingAnswer, UnknownOp)
{
	expect_dmesg("UNKNOWN_OP", Need::optional);
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	std::vector<uint8_t> buf(len4k);
	ASSERT_OK_AND_ASSIGN(ScsiReply r, answered_read(l, buf, {.uflags = TCMU_UFLAG_UNKNOWN_OP}));
	EXPECT_EQ(r.status, ScsiStatus::check_condition) << r;
	EXPECT_EQ(r.kcq(), 0x020800u) << r; // LOGICAL UNIT COMMUNICATION FAILURE
}

TEST(RingAnswer, StatusesReachTheInitiator)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	std::vector<uint8_t> buf(len4k);
	for (ScsiStatus status : {ScsiStatus::good, ScsiStatus::condition_met, ScsiStatus::reservation_conflict,
				  ScsiStatus::aca_active, ScsiStatus::task_aborted}) {
		ASSERT_OK_AND_ASSIGN(ScsiReply r, answered_read(l, buf, {.status = uint8_t(status)}));
		EXPECT_EQ(r.status, status) << r;
	}
	// These the midlayer repeats by itself: the handler sees the command again.
	for (ScsiStatus status : {ScsiStatus::busy, ScsiStatus::task_set_full}) {
		ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 0, 8), Data::in(buf)));
		ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
		ASSERT_OK(l.handler->finish(e, {.status = uint8_t(status)}));
		ASSERT_OK_AND_ASSIGN(RingEntry again, l.handler->next());
		EXPECT_EQ(again.cdb, e.cdb);
		ASSERT_OK(l.handler->finish(again));
		ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
		EXPECT_TRUE(r.good()) << r;
	}
}

TEST(RingAnswer, SensePassesThrough)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	std::vector<uint8_t> medium = fixed_sense(SenseKey::medium_error, 0x11, 0x00);
	medium[0] |= 0x80; // VALID: INFORMATION has the LBA
	medium[6] = 0x2a;
	std::vector<uint8_t> descriptor = {0x72, 0x03, 0x11, 0x00, 0, 0, 0, 12, 0x00, 0x0a, 0x80, 0,
					   0,	 0,    0,    0,	   0, 0, 0, 0x2a};
	std::vector<uint8_t> longest = fixed_sense(SenseKey::illegal_request, 0x24, 0x00);
	longest[7] = TCMU_SENSE_BUFFERSIZE - 8;
	for (size_t i = 18; i < TCMU_SENSE_BUFFERSIZE; i++)
		longest.push_back(uint8_t(i));
	for (const auto &sense : {medium, descriptor, longest}) {
		std::vector<uint8_t> buf(len4k, 0xee);
		ASSERT_OK_AND_ASSIGN(ScsiReply r, answered_read(l, buf, {.status = 0x02, .sense = sense}));
		EXPECT_EQ(r.status, ScsiStatus::check_condition) << r;
		ASSERT_GE(r.raw_sense.size(), sense.size());
		EXPECT_TRUE(std::equal(sense.begin(), sense.end(), r.raw_sense.begin())) << r;
	}
}

/// Data beside the sense, as a recovered error has it.
TEST(RingAnswer, CheckConditionWithData)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	std::vector<uint8_t> buf(len4k, 0xee);
	RingAnswer a{0x02, fixed_sense(SenseKey::recovered, 0x17, 0x01), TCMU_UFLAG_READ_LEN, 2048};
	ASSERT_OK_AND_ASSIGN(ScsiReply r, answered_read(l, buf, a));
	EXPECT_TRUE(r.sense && r.sense->key == SenseKey::recovered) << r;
	EXPECT_EQ(r.residual, 2048) << r;
	std::vector<uint8_t> want = pattern(len4k, 0, 1);
	EXPECT_TRUE(std::equal(want.begin(), want.begin() + 2048, buf.begin()));
}

/// Sense data that says nothing: the initiator learns of the failure all the same, and soon.
TEST(RingAnswer, CheckConditionWithoutSense)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	std::vector<uint8_t> buf(len4k, 0xee);
	for (const auto &sense : {std::vector<uint8_t>(), std::vector<uint8_t>(96, 0xff), std::vector<uint8_t>{0x00, 0x05}}) {
		ASSERT_OK_AND_ASSIGN(ScsiReply r, answered_read(l, buf, {.status = 0x02, .sense = sense}));
		EXPECT_FALSE(r.good()) << r;
	}
	ASSERT_OK_AND_ASSIGN(ScsiReply r, answered_read(l, buf, {}));
	EXPECT_TRUE(r.good()) << r;
}

/// Bytes that are no SAM status.
TEST(RingAnswer, InvalidStatus)
{
	// The midlayer's recovery, where the byte reaches it.
	expect_dmesg("^scsi [\\d:]+ Power-on or device reset occurred$", Need::optional);
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	for (uint8_t status : {0xff, 0x01, 0x10, 0x7e}) {
		SCOPED_TRACE(unsigned(status));
		std::vector<uint8_t> buf(len4k, 0xee);
		ASSERT_OK_AND_ASSIGN(ScsiReply r, answered_read(l, buf, {.status = status}));
		expect_here("invalid status " + std::to_string(status), r.str());
	}
	std::vector<uint8_t> buf(len4k);
	ASSERT_OK_AND_ASSIGN(ScsiReply r, answered_read(l, buf, {}));
	EXPECT_TRUE(r.good()) << r;
}

// Buffers that outlive their commands.

RingSpec small_area()
{
	RingSpec spec;
	spec.control = {"max_data_area_mb=1"};
	return spec;
}

/// A READ of half the data area answered with KEEP_BUF; gives its id in the ring.
Result<RingEntry> keep_half(RingLun &l, std::vector<uint8_t> &buf)
{
	buf.resize(512 << 10);
	LIO_TRY(int id, l.send(cdb::read(10, 0, 1024), Data::in(buf)));
	LIO_TRY(RingEntry e, l.handler->next());
	l.handler->scatter(e.iov, pattern(buf.size(), 0, e.id));
	LIO_CHECK(l.handler->finish(e, {.uflags = TCMU_UFLAG_KEEP_BUF}));
	LIO_TRY(ScsiReply r, l.reap(id));
	if (!r.good() || find_mismatch(buf, 0, e.id))
		return Error{EIO, l.sg, r.str() + " from"};
	return e;
}

TEST(RingKeepBuf, SlotsStayAndComeBack)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(small_area()));
	std::vector<uint8_t> buf;
	for (int round = 0; round < 20; round++) {
		ASSERT_OK_AND_ASSIGN(RingEntry one, keep_half(l, buf));
		ASSERT_OK_AND_ASSIGN(RingEntry two, keep_half(l, buf));
		EXPECT_NE(one.id, two.id);
		// Nothing is left: the next one waits until a buffer is freed.
		ASSERT_OK_AND_ASSIGN(int third, l.send(cdb::read(10, 0, 1024), Data::in(buf)));
		EXPECT_ERRNO(l.handler->next(milliseconds(round ? 20 : 500)), ETIMEDOUT);
		// What was kept is still what was written.
		auto kept = l.handler->gather(one.iov);
		ASSERT_TRUE(kept);
		EXPECT_FALSE(find_mismatch(*kept, 0, one.id));
		ASSERT_OK(l.backstore.action("free_kept_buf", std::to_string(one.id)));
		ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
		EXPECT_NE(e.id, two.id) << "the id of a kept buffer is in use";
		ASSERT_OK(l.handler->finish(e));
		ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(third));
		EXPECT_TRUE(r.good()) << r;
		ASSERT_OK(l.backstore.action("free_kept_buf", std::to_string(two.id)));
	}
}

TEST(RingKeepBuf, WrongIds)
{
	expect_dmesg("^free_kept_buf: cmd_id \\d+ (not found|was not completed with KEEP_BUF)$", Need::optional);
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(small_area()));
	std::vector<uint8_t> buf, other(len4k);
	ASSERT_OK_AND_ASSIGN(RingEntry kept, keep_half(l, buf));
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 0, 8), Data::in(other)));
	ASSERT_OK_AND_ASSIGN(RingEntry busy, l.handler->next());
	auto free_kept = [&](const std::string &text) {
		return std::to_string(l.backstore.action("free_kept_buf", text).code());
	};
	EXPECT_EQ(free_kept(std::to_string(busy.id)), std::to_string(EINVAL)); // not answered
	EXPECT_EQ(free_kept("60000"), std::to_string(EINVAL));
	EXPECT_EQ(free_kept("65536"), std::to_string(ERANGE));
	EXPECT_EQ(free_kept("-1"), std::to_string(EINVAL));
	EXPECT_EQ(free_kept("x"), std::to_string(EINVAL));
	EXPECT_EQ(free_kept(std::to_string(kept.id)), "0"); // while the ring is busy
	EXPECT_EQ(free_kept(std::to_string(kept.id)), std::to_string(EINVAL));
	ASSERT_TRUE(l.handler->scatter(busy.iov, pattern(len4k, 0, 5)));
	ASSERT_OK(l.handler->finish(busy));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
	EXPECT_TRUE(r.good()) << r;
	EXPECT_FALSE(find_mismatch(other, 0, 5));
	// All slots are there.
	ASSERT_OK_AND_ASSIGN(RingEntry a, keep_half(l, buf));
	ASSERT_OK_AND_ASSIGN(RingEntry b, keep_half(l, buf));
	EXPECT_OK(l.backstore.action("free_kept_buf", std::to_string(a.id)));
	EXPECT_OK(l.backstore.action("free_kept_buf", std::to_string(b.id)));
}

/// A device goes with a buffer kept.
TEST(RingKeepBuf, RemovedWhileKept)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(small_area()));
	std::vector<uint8_t> buf;
	ASSERT_OK(keep_half(l, buf));
	EXPECT_OK(l.detach());
}

} // namespace
} // namespace lio::test
