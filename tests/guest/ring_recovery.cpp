// SPDX-License-Identifier: GPL-2.0
// What brings a device back: block_dev, reset_ring and a new handler.
#include <future>

#include "pattern.hpp"
#include "ring_expect.hpp"
#include "scripted_handler.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

RingSpec small_area()
{
	RingSpec spec;
	spec.control = {"max_data_area_mb=1"};
	return spec;
}

/// A READ that is answered goes well.
void check_works(RingLun &l)
{
	std::vector<uint8_t> buf(4096);
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 0, 8), Data::in(buf)));
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	ASSERT_TRUE(l.handler->scatter(e.iov, pattern(buf.size(), 0, 7)));
	ASSERT_OK(l.handler->finish(e));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
	EXPECT_TRUE(r.good()) << r;
	EXPECT_FALSE(find_mismatch(buf, 0, 7));
}

/// Else the midlayer reports that a repeated command's time is over.
void expect_midlayer_lines()
{
	expect_dmesg("^scsi [\\d:]+ tag#\\d+ timing out command, waited \\d+s$", Need::optional);
}

// The midlayer repeats what is BUSY, once no other command of the LUN is under way, until the
// command's own time is over.

TEST(RingBlock, NewCommandsAreBusy)
{
	expect_midlayer_lines();
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	std::vector<uint8_t> buf(4096);
	ASSERT_OK(l.backstore.action("block_dev", "1"));
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 8, 8), Data::in(buf), seconds(1)));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
	EXPECT_EQ(r.status, ScsiStatus::busy) << r;
	EXPECT_ERRNO(l.handler->next(milliseconds(0)), ETIMEDOUT);
	// One that comes while blocked goes through after that.
	ASSERT_OK_AND_ASSIGN(id, l.send(cdb::read(10, 8, 8), Data::in(buf)));
	EXPECT_FALSE(l.ends(id, milliseconds(200)));
	ASSERT_OK(l.backstore.action("block_dev", "0"));
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	ASSERT_OK(l.handler->finish(e));
	ASSERT_OK_AND_ASSIGN(r, l.reap(id));
	EXPECT_TRUE(r.good()) << r;
}

TEST(RingBlock, OldCommandsAreAnsweredWaitingOnesAreBusy)
{
	expect_midlayer_lines();
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(small_area()));
	std::vector<uint8_t> big(1 << 20), buf(4096);
	ASSERT_OK_AND_ASSIGN(int has, l.send(cdb::read(16, 0, 2048), Data::in(big)));
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	ASSERT_OK_AND_ASSIGN(int waits, l.send(cdb::read(10, 8, 8), Data::in(buf), seconds(2)));
	EXPECT_FALSE(l.ends(waits, milliseconds(200)));
	ASSERT_OK(l.backstore.action("block_dev", "1"));
	// There is room now, but not for one that waited when it was blocked.
	ASSERT_OK(l.handler->finish(e));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(has));
	EXPECT_TRUE(r.good()) << r;
	ASSERT_OK_AND_ASSIGN(r, l.reap(waits));
	EXPECT_EQ(r.status, ScsiStatus::busy) << r;
	EXPECT_ERRNO(l.handler->next(milliseconds(0)), ETIMEDOUT);
	ASSERT_OK(l.backstore.action("block_dev", "0"));
	check_works(l);
}

TEST(RingBlock, Values)
{
	expect_dmesg("^Invalid block value|^Invalid reset ring value|: reset_ring takes 1", Need::optional);
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	for (const char *wrong : {"2", "-1", "x", "256"})
		EXPECT_NE(l.backstore.action("block_dev", wrong).code(), 0) << wrong;
	for (const char *wrong : {"0", "3", "x"})
		EXPECT_NE(l.backstore.action("reset_ring", wrong).code(), 0) << wrong;
	EXPECT_OK(l.backstore.action("block_dev", "0"));
	check_works(l);
}

/// 1: BUSY, so that the initiator sends it again; 2: an error.
TEST(RingResetRing, RetryableAndNot)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	std::vector<uint8_t> buf(4096);
	check_works(l); // so that the ring is not at its start
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 0x55, 8), Data::in(buf)));
	ASSERT_OK_AND_ASSIGN(RingEntry first, l.handler->next());
	EXPECT_NE(first.pos, 0u);
	ASSERT_OK(l.backstore.action("reset_ring", "1"));
	l.handler->restart();
	ASSERT_OK_AND_ASSIGN(RingEntry again, l.handler->next());
	EXPECT_EQ(again.pos, 0u);
	EXPECT_EQ(again.cdb, first.cdb);

	ASSERT_OK(l.backstore.action("reset_ring", "2"));
	EXPECT_EQ(l.handler->head(), 0u);
	EXPECT_EQ(+l.handler->mailbox().cmd_tail, 0u);
	l.handler->restart();
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
	EXPECT_EQ(r.status, ScsiStatus::check_condition) << r;
	EXPECT_EQ(r.kcq(), 0x020800u) << r; // LOGICAL UNIT COMMUNICATION FAILURE
	check_works(l);
}

TEST(RingResetRing, WaitingCommandsGetTheRoom)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(small_area()));
	std::vector<uint8_t> big(1 << 20), bufs[3];
	ASSERT_OK_AND_ASSIGN(int has, l.send(cdb::read(16, 0, 2048), Data::in(big)));
	ASSERT_OK(l.handler->next());
	std::vector<int> waiting;
	for (auto &buf : bufs) {
		buf.resize(4096);
		ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, waiting.size(), 8), Data::in(buf)));
		waiting.push_back(id);
	}
	EXPECT_FALSE(l.ends(waiting[0], milliseconds(200)));
	ASSERT_OK(l.backstore.action("reset_ring", "2"));
	l.handler->restart();
	ASSERT_TRUE(l.ends(has, seconds(5)));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(has));
	EXPECT_FALSE(r.good()) << r;
	for (size_t i = 0; i < waiting.size(); i++) {
		ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
		ASSERT_TRUE(l.handler->scatter(e.iov, pattern(4096, e.cdb[5] * 4096u)));
		ASSERT_OK(l.handler->finish(e));
	}
	for (size_t i = 0; i < waiting.size(); i++) {
		ASSERT_OK_AND_ASSIGN(r, l.reap(waiting[i]));
		EXPECT_TRUE(r.good()) << r;
		EXPECT_FALSE(find_mismatch(bufs[i], i * 4096));
	}
}

/// A handler that died, and the next one: no command is lost.
TEST(RingResetRing, NewHandler)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	std::vector<uint8_t> bufs[4];
	std::vector<int> ids;
	for (auto &buf : bufs) {
		buf.resize(4096);
		ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, ids.size() * 8, 8), Data::in(buf)));
		ids.push_back(id);
	}
	ASSERT_OK(l.handler->next());
	l.handler.reset();
	ASSERT_OK(l.backstore.action("block_dev", "1"));
	ASSERT_OK(l.backstore.action("reset_ring", "1"));
	ASSERT_OK_AND_ASSIGN(l.handler, ScriptedHandler::open("ring"));
	ASSERT_OK(l.backstore.action("block_dev", "0"));
	for (size_t i = 0; i < ids.size(); i++) {
		ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
		uint64_t lba = get_be(std::span(e.cdb).subspan(2, 4));
		ASSERT_TRUE(l.handler->scatter(e.iov, pattern(4096, lba * 512)));
		ASSERT_OK(l.handler->finish(e));
	}
	for (size_t i = 0; i < ids.size(); i++) {
		ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(ids[i]));
		EXPECT_TRUE(r.good()) << r;
		EXPECT_FALSE(find_mismatch(bufs[i], i * 4096));
	}
}

/// Without a reset the next handler goes on where the tail is.
TEST(RingResetRing, NewHandlerWithoutReset)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	check_works(l);
	std::vector<uint8_t> buf(4096);
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 0, 8), Data::in(buf)));
	ASSERT_OK_AND_ASSIGN(RingEntry seen, l.handler->next());
	l.handler.reset();
	ASSERT_OK_AND_ASSIGN(l.handler, ScriptedHandler::open("ring"));
	ASSERT_OK_AND_ASSIGN(RingEntry again, l.handler->next());
	EXPECT_EQ(again.pos, seen.pos);
	EXPECT_EQ(again.id, seen.id);
	ASSERT_OK(l.handler->finish(again));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
	EXPECT_TRUE(r.good()) << r;
}

// Rings that the handler broke. The distribution's module takes some of it for good.

struct Break {
	const char *name;
	void (*act)(ScriptedHandler &h, const RingEntry &one, const RingEntry &two);
};

const Break breaks[] = {
	{"TailOffABoundary", [](ScriptedHandler &h, const RingEntry &one, const RingEntry &) { h.set_tail(one.pos + 8); }},
	{"TailUnaligned", [](ScriptedHandler &h, const RingEntry &one, const RingEntry &) { h.set_tail(one.pos + 3); }},
	{"TailBeyondHead", [](ScriptedHandler &h, const RingEntry &, const RingEntry &) { h.set_tail(h.head() + 128); }},
	{"TailBeforeTail", [](ScriptedHandler &h, const RingEntry &, const RingEntry &) { h.set_tail(0); }},
	{"TailOutside", [](ScriptedHandler &h, const RingEntry &, const RingEntry &) { h.set_tail(0xffffffff); }},
	{"UnknownId", [](ScriptedHandler &h, const RingEntry &, const RingEntry &) { h.answer_as(0xfff0); }},
	{"IdTwice",
	 [](ScriptedHandler &h, const RingEntry &one, const RingEntry &) {
		 h.answer_as(one.id, {.status = 0x02, .sense = fixed_sense(SenseKey::not_ready, 0x08, 0)});
		 h.answer_as(one.id);
	 }},
	{"LongerEntry",
	 [](ScriptedHandler &h, const RingEntry &one, const RingEntry &two) {
		 h.entry_at(one.pos)->hdr.len_op = (one.len + two.len) | TCMU_OP_CMD;
		 h.set_tail(two.pos + two.len);
	 }},
	{"ShorterEntry",
	 [](ScriptedHandler &h, const RingEntry &one, const RingEntry &two) {
		 h.entry_at(one.pos)->hdr.len_op = 8 | TCMU_OP_CMD;
		 h.set_tail(two.pos);
	 }},
	{"EmptyEntry",
	 [](ScriptedHandler &h, const RingEntry &one, const RingEntry &two) {
		 h.entry_at(one.pos)->hdr.len_op = 0;
		 h.set_tail(two.pos);
	 }},
	{"OtherOpcode",
	 [](ScriptedHandler &h, const RingEntry &one, const RingEntry &two) {
		 h.entry_at(one.pos)->hdr.len_op = one.len | TCMU_OP_PAD;
		 h.set_tail(two.pos);
	 }},
};

class RingOursBroken : public testing::Test {
protected:
	static void break_and_mend(RingLun &l, RingLun &other, const Break &how);
};

void RingOursBroken::break_and_mend(RingLun &l, RingLun &other, const Break &how)
{
	check_works(l); // so that the tail is not at 0
	std::vector<uint8_t> buf(4096);
	ASSERT_OK_AND_ASSIGN(int a, l.send(cdb::read(10, 0, 8), Data::in(buf)));
	ASSERT_OK_AND_ASSIGN(int b, l.send(cdb::read(10, 8, 8), Data::in(buf)));
	ASSERT_OK_AND_ASSIGN(RingEntry one, l.handler->next());
	ASSERT_OK_AND_ASSIGN(RingEntry two, l.handler->next());
	Stopwatch watch;
	how.act(*l.handler, one, two);
	ASSERT_OK(l.handler->kick());
	ASSERT_OK_AND_ASSIGN(int c, l.send(cdb::read(10, 16, 8), Data::in(buf)));
	for (int id : {a, b, c}) {
		ASSERT_TRUE(l.ends(id, seconds(5))) << "command " << id - a;
		ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
		EXPECT_EQ(r.kcq(), 0x020800u) << r; // LOGICAL UNIT COMMUNICATION FAILURE
	}
	EXPECT_LT(watch.seconds(), 5);
	check_works(other);
	// More nonsense does not matter, and only a reset mends it.
	l.handler->set_tail(0x12345);
	ASSERT_OK(l.handler->kick());
	ASSERT_OK(l.backstore.action("reset_ring", "2"));
	l.handler->restart();
	check_works(l);
}

TEST_F(RingOursBroken, DeviceFailsAndComesBack)
{
	expect_dmesg("^ring: the handler broke the command ring; write 1 or 2 to reset_ring$", Need::required);
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	RingSpec spec;
	spec.name = "other";
	ASSERT_OK_AND_ASSIGN(RingLun other, RingLun::create(spec));
	for (const Break &how : breaks) {
		SCOPED_TRACE(how.name);
		ASSERT_NO_FATAL_FAILURE(break_and_mend(l, other, how));
	}
}

/// A head that the handler wrote means nothing.
TEST_F(RingOursBroken, HeadIsNotBelieved)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	check_works(l);
	auto *word = reinterpret_cast<uint32_t *>(l.handler->map() + offsetof(tcmu_mailbox, cmd_head));
	uint32_t head = l.handler->head();
	__atomic_store_n(word, 0x7ffffff8, __ATOMIC_RELEASE);
	ASSERT_OK(l.handler->kick());
	__atomic_store_n(word, head, __ATOMIC_RELEASE);
	check_works(l);
	EXPECT_GT(l.handler->head(), head);
}

} // namespace
} // namespace lio::test
