// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>

#include <tcmu/ring.hpp>

#include "fake_ring.hpp"

namespace tcmu::test {
namespace {

constexpr uint8_t tur[6] = {0x00};

iovec part(uint64_t offset, size_t length)
{
	return {reinterpret_cast<void *>(offset), length};
}

std::unique_ptr<Ring> attach(FakeRing &fake, uint32_t depth = 16)
{
	auto ring = Ring::attach(fake.bytes(), {.depth = depth});

	EXPECT_TRUE(ring) << ring.error().text();
	return std::move(*ring);
}

TEST(RingAttach, TakesASaneMailbox)
{
	FakeRing fake;
	auto ring = attach(fake);

	EXPECT_TRUE(ring->empty());
	EXPECT_TRUE(ring->has(abi::cap_keep_buffer));
	EXPECT_EQ(ring->depth(), 16u);
}

TEST(RingAttach, RefusesEveryInsaneField)
{
	using Break = void (*)(abi::Mailbox &);
	static constexpr Break breaks[] = {
		[](abi::Mailbox &m) { m.version = 1; },
		[](abi::Mailbox &m) { m.cmdr_off = 64; },
		[](abi::Mailbox &m) { m.cmdr_off = 132; },
		[](abi::Mailbox &m) { m.cmdr_off = UINT32_MAX & ~7u; },
		[](abi::Mailbox &m) { m.cmdr_size = 0; },
		[](abi::Mailbox &m) { m.cmdr_size = 8196; },
		[](abi::Mailbox &m) { m.cmdr_size = UINT32_MAX & ~7u; },
		[](abi::Mailbox &m) { m.cmd_head = 8192; },
		[](abi::Mailbox &m) { m.cmd_head = 4; },
		[](abi::Mailbox &m) { m.cmd_tail = UINT32_MAX; },
		[](abi::Mailbox &m) { m.cmd_tail = 9; },
	};

	for (Break broken : breaks) {
		FakeRing fake;
		broken(fake.mailbox());
		EXPECT_FALSE(Ring::attach(fake.bytes(), {})) << (&broken - breaks);
	}
	FakeRing fake;
	EXPECT_FALSE(Ring::attach(fake.bytes().first(100), {}));
	EXPECT_FALSE(Ring::attach(fake.bytes(), {.depth = 0}));
	EXPECT_FALSE(Ring::attach(fake.bytes(), {.depth = 65537}));
}

TEST(Ring, HandsOutCdbAndLists)
{
	FakeRing fake;
	auto ring = attach(fake);
	uint8_t read10[10] = {0x28, 0, 0, 0, 0, 9, 0, 0, 8, 0};
	iovec list[] = {part(fake.data_offset(4096), 4096), part(fake.data_offset(0), 100),
			part(fake.data_offset(8192), 7)};

	fake.post(7, read10, list, 1);
	Fetched found = ring->fetch();
	ASSERT_EQ(found.kind, Fetched::Kind::command);
	EXPECT_EQ(found.command->id(), 7);
	EXPECT_EQ(found.command->cdb().size(), 10u);
	EXPECT_EQ(found.command->cdb().be(2, 4), 9u);
	EXPECT_EQ(found.command->data().size(), 4196u);
	EXPECT_EQ(found.command->bidi().size(), 7u);
	EXPECT_EQ(found.command->data().list()[0].iov_base, fake.data(4096));
	EXPECT_EQ(ring->fetch().kind, Fetched::Kind::none);
	EXPECT_FALSE(ring->publish());

	found.command->complete(Reply::good());
	EXPECT_TRUE(ring->publish());
	auto answers = fake.collect();
	ASSERT_EQ(answers.size(), 1u);
	EXPECT_EQ(answers[0].id, 7);
	EXPECT_EQ(answers[0].status, 0);
	EXPECT_EQ(answers[0].uflags, 0);
	EXPECT_EQ(ring->in_flight(), 0u);
}

TEST(Ring, LongListsComeFromTheArenaAndGoBack)
{
	FakeRing fake(65536, 4 << 20);
	auto ring = attach(fake);

	for (unsigned round = 0; round < 200; round++) {
		std::vector<iovec> list;
		for (unsigned i = 0; i < 300; i++)
			list.push_back(part(fake.data_offset(i * 4096), 4096));
		fake.post(static_cast<uint16_t>(round), tur, list);
		Fetched found = ring->fetch();
		ASSERT_EQ(found.kind, Fetched::Kind::command);
		EXPECT_EQ(found.command->data().size(), 300u * 4096);
		found.command->complete(Reply::good());
		ASSERT_TRUE(ring->publish());
		ASSERT_EQ(fake.collect().size(), 1u);
	}
}

TEST(Ring, AnswersOutOfOrder)
{
	FakeRing fake;
	auto ring = attach(fake);
	std::vector<Command *> taken;

	for (uint16_t id = 1; id <= 4; id++)
		fake.post(id, tur);
	for (int i = 0; i < 4; i++)
		taken.push_back(ring->fetch().command);
	taken[2]->complete(Reply::good_with_length(5));
	EXPECT_TRUE(ring->publish());
	auto answers = fake.collect();
	ASSERT_EQ(answers.size(), 1u);
	EXPECT_EQ(answers[0].id, 3);
	EXPECT_EQ(answers[0].uflags, abi::uflag_read_length);
	EXPECT_EQ(answers[0].read_length, 5u);
	/* The answer went over the first entry; its command is intact. */
	EXPECT_EQ(taken[0]->cdb().opcode(), 0);
	EXPECT_EQ(taken[0]->id(), 1);
	taken[3]->complete(Reply::busy());
	taken[0]->complete(Reply::check_condition(sense::write_error));
	taken[1]->complete({.keep_buffer = true});
	EXPECT_TRUE(ring->publish());
	answers = fake.collect();
	ASSERT_EQ(answers.size(), 3u);
	EXPECT_EQ(answers[0].id, 4);
	EXPECT_EQ(answers[0].status, 8);
	EXPECT_EQ(answers[1].id, 1);
	EXPECT_EQ(answers[1].status, 2);
	EXPECT_EQ(decode_sense(answers[1].sense), sense::write_error);
	EXPECT_EQ(answers[2].uflags, abi::uflag_keep_buffer);
}

TEST(Ring, AnswersInOrderWithoutTheCapability)
{
	FakeRing fake(8192, 1 << 20, 0);
	auto ring = attach(fake);
	std::vector<Command *> taken;

	for (uint16_t id = 1; id <= 3; id++)
		fake.post(id, tur);
	for (int i = 0; i < 3; i++)
		taken.push_back(ring->fetch().command);
	taken[2]->complete(Reply::good_with_length(5));
	taken[1]->complete(Reply::busy());
	EXPECT_FALSE(ring->publish());
	taken[0]->complete({.keep_buffer = true});
	EXPECT_TRUE(ring->publish());
	auto answers = fake.collect();
	ASSERT_EQ(answers.size(), 3u);
	for (uint16_t id = 1; id <= 3; id++)
		EXPECT_EQ(answers[id - 1u].id, id);
	EXPECT_EQ(answers[1].status, 8);
	/* What the kernel cannot do is not asked of it. */
	EXPECT_EQ(answers[0].uflags, 0);
	EXPECT_EQ(answers[2].uflags, 0);
}

TEST(Ring, AResetFreesAnswersThatWaitForTheirTurn)
{
	FakeRing fake(8192, 1 << 20, 0);
	auto ring = attach(fake);

	fake.post(1, tur);
	fake.post(2, tur);
	Command *first = ring->fetch().command, *second = ring->fetch().command;
	second->complete(Reply::good());
	EXPECT_EQ(ring->in_flight(), 2u);
	fake.reset();
	EXPECT_EQ(ring->fetch().kind, Fetched::Kind::none);
	EXPECT_EQ(ring->in_flight(), 1u);
	first->complete(Reply::good());
	EXPECT_EQ(ring->in_flight(), 0u);
	EXPECT_FALSE(ring->publish());
}

TEST(Ring, WaitsWhenSlotsOrListsRunOut)
{
	FakeRing fake;
	auto ring = attach(fake, 2);

	for (uint16_t id = 1; id <= 3; id++)
		fake.post(id, tur);
	Command *first = ring->fetch().command;
	ring->fetch();
	EXPECT_EQ(ring->fetch().kind, Fetched::Kind::no_room);
	first->complete(Reply::good());
	EXPECT_EQ(ring->fetch().kind, Fetched::Kind::command);

	FakeRing other(65536, 64 * 4096);
	auto narrow = attach(other);
	std::vector<iovec> list(40, part(other.data_offset(0), 512));
	for (uint16_t id = 1; id <= 2; id++)
		other.post(id, tur, list);
	first = narrow->fetch().command;
	EXPECT_EQ(narrow->fetch().kind, Fetched::Kind::no_room);
	first->complete(Reply::good());
	EXPECT_EQ(narrow->fetch().kind, Fetched::Kind::command);
}

TEST(Ring, SkipsPadsAndUnknownEntriesAndDeliversAborts)
{
	FakeRing fake;
	auto ring = attach(fake);

	uint32_t odd = fake.post_raw(5, 64);
	fake.post_raw(abi::op_pad, 8);
	fake.post(1, tur);
	fake.post_abort(abi::tmr_lun_reset, {1, 9});
	fake.post_raw(abi::op_pad, 8);

	Fetched found = ring->fetch();
	ASSERT_EQ(found.kind, Fetched::Kind::command);
	EXPECT_EQ(static_cast<uint8_t>(fake.entry(odd)[7]), abi::uflag_unknown_op);
	Command *command = found.command;
	found = ring->fetch();
	ASSERT_EQ(found.kind, Fetched::Kind::task_management);
	EXPECT_EQ(found.task_management.type, abi::tmr_lun_reset);
	ASSERT_EQ(found.task_management.ids.size(), 2u);
	EXPECT_EQ(found.task_management.ids[1], 9);
	EXPECT_EQ(ring->fetch().kind, Fetched::Kind::none);
	/* The tail may pass what needs no answer, not the command. */
	EXPECT_TRUE(ring->publish());
	EXPECT_EQ(fake.mailbox().cmd_tail, 72u);
	command->complete(Reply::good());
	EXPECT_TRUE(ring->publish());
	EXPECT_EQ(fake.mailbox().cmd_tail, fake.mailbox().cmd_head);
	EXPECT_EQ(fake.collect().size(), 1u);
	EXPECT_EQ(ring->counters().unknown_entries, 1u);
	EXPECT_EQ(ring->counters().pads, 2u);
}

TEST(Ring, AnswersEntriesThatMakeNoSense)
{
	FakeRing fake;
	auto ring = attach(fake);
	iovec outside[] = {part(fake.bytes().size() - 10, 11)};
	iovec huge[] = {part(8, SIZE_MAX)};

	fake.post(1, tur, outside);
	fake.post(2, tur, huge);
	uint32_t at = fake.post(3, tur);
	uint64_t far = UINT64_MAX - 3;
	std::memcpy(fake.entry(at) + offsetof(abi::Request, cdb_off), &far, 8);
	at = fake.post(4, tur);
	uint32_t many = UINT32_MAX;
	std::memcpy(fake.entry(at) + offsetof(abi::Request, iov_cnt), &many, 4);
	std::memcpy(fake.entry(at) + offsetof(abi::Request, iov_bidi_cnt), &many, 4);
	fake.post(5, tur);

	Fetched found = ring->fetch();
	ASSERT_EQ(found.kind, Fetched::Kind::command);
	EXPECT_EQ(found.command->id(), 5);
	found.command->complete(Reply::good());
	EXPECT_TRUE(ring->publish());
	auto answers = fake.collect();
	ASSERT_EQ(answers.size(), 5u);
	for (unsigned i = 0; i < 4; i++)
		EXPECT_EQ(decode_sense(answers[i].sense), sense::internal_failure) << i;
	EXPECT_EQ(ring->counters().malformed, 4u);
	EXPECT_EQ(ring->in_flight(), 0u);
}

TEST(Ring, GivesUpOnLengthsThatLeadNowhere)
{
	for (uint32_t len_op : {0u, 1u, 4u | 1, 8u | 1, 104u | 1, 8192u | 1, 0xfffffff8u, 120u | 2}) {
		FakeRing fake;
		auto ring = attach(fake);
		uint32_t at = fake.post(1, tur);

		std::memcpy(fake.entry(at), &len_op, 4);
		bool pad_like = (len_op & abi::op_mask) == abi::op_pad && len_op == 112;
		EXPECT_FALSE(pad_like);
		EXPECT_EQ(ring->fetch().kind, Fetched::Kind::broken) << len_op;
		/* And stays so. */
		EXPECT_EQ(ring->fetch().kind, Fetched::Kind::broken) << len_op;
	}
}

TEST(Ring, GivesUpOnAnIdThatIsInFlight)
{
	FakeRing fake;
	auto ring = attach(fake);

	fake.post(1, tur);
	fake.post(1, tur);
	EXPECT_EQ(ring->fetch().kind, Fetched::Kind::command);
	EXPECT_EQ(ring->fetch().kind, Fetched::Kind::broken);
}

TEST(Ring, GivesUpOnAHeadOutside)
{
	FakeRing fake;
	auto ring = attach(fake);

	fake.mailbox().cmd_head = 8192;
	EXPECT_EQ(ring->fetch().kind, Fetched::Kind::broken);
}

TEST(Ring, NoticesAReset)
{
	FakeRing fake;
	auto ring = attach(fake);

	for (uint16_t id = 1; id <= 3; id++)
		fake.post(id, tur);
	Command *old = ring->fetch().command;
	ring->fetch().command->complete(Reply::good());
	EXPECT_TRUE(ring->publish());
	fake.reset();
	fake.post(1, tur);
	/* Fetches what was known of the old ring, then sees the new one. */
	Fetched found = ring->fetch();
	while (found.kind == Fetched::Kind::command && ring->counters().resets == 0) {
		found.command->complete(Reply::good());
		found = ring->fetch();
	}
	EXPECT_EQ(ring->counters().resets, 1u);
	ASSERT_EQ(found.kind, Fetched::Kind::command);
	EXPECT_EQ(found.command->id(), 1);
	/* A command of the old ring only gives its slot back. */
	old->complete(Reply::busy());
	EXPECT_FALSE(ring->publish());
	found.command->complete(Reply::good());
	EXPECT_TRUE(ring->publish());
	EXPECT_EQ(ring->in_flight(), 0u);
	ASSERT_EQ(fake.collect().size(), 1u);
}

/** Random traffic against a model: every id is answered once, wraps included. */
TEST(Ring, RandomTrafficIsAnsweredExactlyOnce)
{
	for (uint16_t flags : {FakeRing::all_flags, uint16_t{0}}) {
		FakeRing fake(4096, 1 << 20, flags);
		auto ring = attach(fake, 64);
		std::mt19937 random(1234);
		std::vector<Command *> held;
		std::set<uint16_t> open;
		uint16_t next_id = 0;

		for (unsigned step = 0; step < 200000; step++) {
			if (random() % 2 && open.size() < 20) {
				iovec list[] = {part(fake.data_offset(0), 512),
						part(fake.data_offset(512), 512)};
				while (!open.insert(++next_id).second)
					;
				fake.post(next_id, tur, std::span(list).first(random() % 3));
			}
			if (random() % 3 == 0) {
				Fetched found = ring->fetch();
				ASSERT_NE(found.kind, Fetched::Kind::broken) << found.reason;
				if (found.kind == Fetched::Kind::command)
					held.push_back(found.command);
			}
			if (random() % 3 == 0 && !held.empty()) {
				std::swap(held[random() % held.size()], held.back());
				held.back()->complete(Reply::good());
				held.pop_back();
			}
			if (random() % 4 == 0 && ring->publish()) {
				for (const auto &answer : fake.collect())
					ASSERT_EQ(open.erase(answer.id), 1u);
			}
		}
		EXPECT_GT(ring->counters().pads, 100u);
	}
}

/** Scribble over everything: whatever happens stays inside the mapping (ASan). */
TEST(Ring, SurvivesHostileMemory)
{
	std::mt19937_64 random(99);
	unsigned broken = 0, commands = 0;

	for (unsigned round = 0; round < 20000; round++) {
		FakeRing fake(4096, 16384);
		uint8_t cdb[16] = {static_cast<uint8_t>(random())};
		iovec list[] = {part(fake.data_offset(0), 4096), part(fake.data_offset(4096), 4096)};
		auto ring = attach(fake, 8);
		for (uint16_t id = 1; id <= 6; id++)
			fake.post(id, cdb, std::span(list).first(random() % 3));
		auto bytes = fake.bytes();
		for (unsigned i = random() % 8 + 1; i-- > 0;) {
			uint64_t value = random() >> (random() % 64);
			size_t width = size_t{1} << (random() % 4);
			size_t limit = random() % 4 ? 128 + 1024 : bytes.size();
			std::memcpy(bytes.data() + random() % (limit - 8), &value, width);
		}
		for (unsigned i = 0; i < 64; i++) {
			Fetched found = ring->fetch();
			if (found.kind == Fetched::Kind::broken)
				broken++;
			if (found.kind != Fetched::Kind::command &&
			    found.kind != Fetched::Kind::task_management)
				break;
			if (!found.command)
				continue;
			commands++;
			uint8_t byte = 0;
			for (const iovec &piece : found.command->data().list())
				for (size_t at = 0; at < piece.iov_len; at += 512)
					byte ^= static_cast<uint8_t *>(piece.iov_base)[at];
			found.command->complete(Reply::good_with_length(byte));
		}
		ring->publish();
	}
	EXPECT_GT(broken, 100u);
	EXPECT_GT(commands, 10000u);
}

TEST(CdbLength, FollowsTheGroupCode)
{
	uint8_t bytes[300] = {};
	auto length = [&](uint8_t opcode, size_t available = sizeof(bytes)) {
		bytes[0] = opcode;
		return cdb_length({bytes, available});
	};

	EXPECT_EQ(length(0x12), 6u);
	EXPECT_EQ(length(0x28), 10u);
	EXPECT_EQ(length(0x5a), 10u);
	EXPECT_EQ(length(0x88), 16u);
	EXPECT_EQ(length(0xa8), 12u);
	bytes[7] = 0x18;
	EXPECT_EQ(length(0x7f), 32u);
	EXPECT_EQ(length(0x7f, 31), 0u);
	bytes[7] = 0xff;
	EXPECT_EQ(length(0x7f), 0u);
	EXPECT_EQ(length(0x88, 15), 0u);
	EXPECT_EQ(cdb_length({}), 0u);
}

} // namespace
} // namespace tcmu::test
