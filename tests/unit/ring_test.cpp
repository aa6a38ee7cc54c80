// SPDX-License-Identifier: GPL-2.0
// user/ring.c against ring_model.hpp.
#include <gtest/gtest.h>

#include "ring_model.hpp"
#include "seed.hpp"
#include "shim.h"

namespace {

using lio::test::count;
using lio::unit::RingEntry;
using lio::unit::RingModel;

constexpr u32 cmd_min = 112; // sizeof(struct tcmu_cmd_entry)

struct Visit {
	u32 pos;
	u32 len_op;
	bool operator==(const Visit &) const = default;
};

struct Visitor {
	std::vector<Visit> seen;
	size_t fail_at = SIZE_MAX;
};

extern "C" int record_visit(u32 pos, u32 len_op, void *ctx)
{
	auto *visitor = static_cast<Visitor *>(ctx);
	if (visitor->seen.size() == visitor->fail_at)
		return -EIO;
	visitor->seen.push_back({pos, len_op});
	return 0;
}

class Ring : public testing::Test {
protected:
	tcmu_ring ring{};
	long allocs_before = shim_nr_allocs;

	void TearDown() override
	{
		tcmu_ring_destroy(&ring);
		tcmu_ring_destroy(&ring); // may be twice
		EXPECT_EQ(shim_nr_allocs, allocs_before) << "the ring leaks";
	}

	void init(u32 size)
	{
		tcmu_ring_destroy(&ring);
		ASSERT_EQ(tcmu_ring_init(&ring, size), 0);
	}

	tcmu_spot reserve(u32 len, tcmu_opcode op = TCMU_OP_CMD)
	{
		tcmu_spot spot{};
		EXPECT_EQ(tcmu_ring_reserve(&ring, len, op, &spot), 0);
		return spot;
	}

	tcmu_spot post(u32 len)
	{
		tcmu_spot spot = reserve(len);
		EXPECT_TRUE(tcmu_ring_publish(&ring, spot.seq));
		return spot;
	}

	std::vector<Visit> drain(u32 tail)
	{
		Visitor visitor;
		EXPECT_EQ(tcmu_ring_drain(&ring, tail, record_visit, &visitor), 0);
		return visitor.seen;
	}
};

bool same(const tcmu_ring &a, const tcmu_ring &b)
{
	auto key = [](const tcmu_ring &r) {
		return std::tuple(r.size, r.head, r.published, r.tail, r.used, r.mask, r.posted, r.seq_head,
				  r.seq_published, r.seq_tail);
	};
	return key(a) == key(b);
}

TEST_F(Ring, RefusesSizesThatAreNone)
{
	for (u32 size : {0u, 1u, 7u, 9u, 4092u, (1u << 30) + 8, ~0u, ~7u})
		EXPECT_EQ(tcmu_ring_init(&ring, size), -EINVAL) << size;
	EXPECT_EQ(ring.posted, nullptr);
	for (u32 size : {8u, 16u, 128u, (8u << 20) - 128, 1u << 30}) {
		EXPECT_EQ(tcmu_ring_init(&ring, size), 0) << size;
		EXPECT_TRUE(tcmu_ring_empty(&ring));
		tcmu_ring_destroy(&ring);
	}
}

TEST_F(Ring, SaysThatMemoryIsShort)
{
	shim_fail_after = 0;
	EXPECT_EQ(tcmu_ring_init(&ring, 4096), -ENOMEM);
	shim_fail_after = -1;
}

TEST_F(Ring, LongEntriesNeverFitShorterOnesAlwaysFitAnEmptyRing)
{
	for (u32 size : {64u, 72u, 1024u, 1032u}) {
		for (u32 start = 0; start < size; start += 8) {
			init(size);
			ring.head = ring.tail = ring.published = start;
			for (u32 len = 8; len < 2 * size; len += 8) {
				tcmu_ring before = ring;
				tcmu_spot spot;
				int err = tcmu_ring_reserve(&ring, len, TCMU_OP_CMD, &spot);
				ASSERT_EQ(err, len >= size / 2 ? -EMSGSIZE : 0) << size << " " << start << " " << len;
				if (err) {
					ASSERT_TRUE(same(ring, before)) << "changed by a refusal";
				}
				ring = before;
			}
		}
	}
	tcmu_spot spot;
	for (u32 len : {~7u, 1u << 31, 1u << 30})
		EXPECT_EQ(tcmu_ring_reserve(&ring, len, TCMU_OP_CMD, &spot), -EMSGSIZE);
}

TEST_F(Ring, FullIsNotEmpty)
{
	for (u32 size : {1024u, 1032u, 7 * cmd_min, 7 * cmd_min + 8}) {
		init(size);
		tcmu_spot spot;
		u32 posted = 0;
		while (!tcmu_ring_reserve(&ring, cmd_min, TCMU_OP_CMD, &spot)) {
			tcmu_ring_publish(&ring, spot.seq);
			posted++;
			ASSERT_NE(ring.head, ring.tail);
			ASSERT_FALSE(tcmu_ring_empty(&ring));
		}
		EXPECT_EQ(posted, (size - 8) / cmd_min) << "room was left unused, or used twice";
		EXPECT_EQ(tcmu_ring_reserve(&ring, cmd_min, TCMU_OP_CMD, &spot), -ENOSPC);
		EXPECT_EQ(drain(ring.published).size(), posted);
		EXPECT_TRUE(tcmu_ring_empty(&ring));
		EXPECT_EQ(ring.used, 0u);
	}
}

TEST_F(Ring, PadsToTheEnd)
{
	init(1024);
	for (int i = 0; i < 5; i++)
		post(200);
	drain(ring.published);
	ASSERT_EQ(ring.head, 1000u);
	tcmu_spot spot = post(112);
	EXPECT_EQ(spot.pad_pos, 1000u);
	EXPECT_EQ(spot.pad_len, 24u);
	EXPECT_EQ(spot.pos, 0u);
	EXPECT_EQ(ring.used, 136u);
	EXPECT_EQ(ring.published, 112u);
	/* The handler may stop between the two. */
	EXPECT_TRUE(drain(0).empty()) << "the caller need not know of PADs";
	EXPECT_EQ(drain(112), (std::vector<Visit>{{0, 112 | TCMU_OP_CMD}}));

	/* What just fits needs none. */
	init(1024);
	for (int i = 0; i < 4; i++)
		post(200);
	drain(ring.published);
	spot = post(224);
	EXPECT_EQ(spot.pad_len, 0u);
	EXPECT_EQ(spot.pos, 800u);
	EXPECT_EQ(ring.head, 0u);
}

TEST_F(Ring, PublishesInOrderOfReservation)
{
	init(4096);
	tcmu_spot a = reserve(112), b = reserve(120), c = reserve(128);
	EXPECT_FALSE(tcmu_ring_publish(&ring, c.seq));
	EXPECT_FALSE(tcmu_ring_publish(&ring, b.seq));
	EXPECT_EQ(ring.published, 0u);
	EXPECT_FALSE(tcmu_ring_is_boundary(&ring, 112)) << "the handler cannot have seen it";
	EXPECT_TRUE(tcmu_ring_publish(&ring, a.seq));
	EXPECT_EQ(ring.published, 112u + 120 + 128);
	EXPECT_EQ(drain(360), (std::vector<Visit>{{0, 112 | 1}, {112, 120 | 1}, {232, 128 | 1}}));
}

TEST_F(Ring, VisitsTellLengthAndOpcode)
{
	init(4096);
	tcmu_spot a = reserve(112, TCMU_OP_CMD), b = reserve(40, TCMU_OP_TMR);
	tcmu_ring_publish(&ring, a.seq);
	tcmu_ring_publish(&ring, b.seq);
	EXPECT_EQ(drain(152), (std::vector<Visit>{{0, 112 | TCMU_OP_CMD}, {112, 40 | TCMU_OP_TMR}}));
}

TEST_F(Ring, AVisitsErrorEndsTheWalkBeforeTheEntry)
{
	init(4096);
	for (int i = 0; i < 5; i++)
		post(112);
	Visitor visitor;
	visitor.fail_at = 3;
	EXPECT_EQ(tcmu_ring_drain(&ring, 5 * 112, record_visit, &visitor), -EIO);
	EXPECT_EQ(visitor.seen.size(), 3u);
	EXPECT_EQ(ring.tail, 3u * 112);
	EXPECT_EQ(ring.used, 2u * 112);
	EXPECT_EQ(drain(5 * 112).size(), 2u);
}

TEST_F(Ring, ResetForgetsEverything)
{
	init(1024);
	post(200);
	reserve(120);
	tcmu_ring_reset(&ring);
	EXPECT_TRUE(tcmu_ring_empty(&ring));
	EXPECT_EQ(ring.used, 0u);
	EXPECT_EQ(ring.published, 0u);
	tcmu_spot spot = reserve(112);
	EXPECT_EQ(spot.pos, 0u);
	EXPECT_EQ(ring.published, 0u) << "an old entry's mark was taken for the new one's";
	EXPECT_FALSE(tcmu_ring_is_boundary(&ring, 112));
	EXPECT_TRUE(tcmu_ring_publish(&ring, spot.seq));
	EXPECT_EQ(drain(112).size(), 1u);
}

TEST_F(Ring, SequenceNumbersMayWrapAround)
{
	init(1024);
	ring.seq_head = ring.seq_published = ring.seq_tail = ~0U - 20;
	for (int i = 0; i < 100; i++) {
		post(112);
		post(200);
		ASSERT_EQ(drain(ring.published).size(), 2u);
		ASSERT_TRUE(tcmu_ring_empty(&ring));
	}
}

/// Random operations on a ring and on its model, with the ring's memory painted.
class RingWalk {
	tcmu_ring *ring_;
	RingModel model_;
	std::mt19937_64 rng_;
	std::vector<u32> unfilled_;
	std::vector<u32> paint_; // seq + 1 of who wrote these 8 bytes
	u32 min_len_;

public:
	RingWalk(tcmu_ring *ring, u32 min_len, std::mt19937_64 rng)
		: ring_(ring), model_(ring->size, ring->mask + 1), rng_(std::move(rng)), paint_(ring->size / 8),
		  min_len_(min_len)
	{
	}

	void step()
	{
		switch (rng_() % 16) {
		default: reserve(); break;
		case 7:
		case 8:
		case 9:
		case 10:
		case 11: publish(); break;
		case 12:
		case 13: drain(); break;
		case 14: garbage(); break;
		case 15:
			if (rng_() % 64 == 0)
				reset();
			break;
		}
		compare();
	}

	/// Every position of the ring, and some that are none.
	void check_boundaries()
	{
		for (u32 tail = 0; tail <= ring_->size + 64; tail += 8)
			ASSERT_EQ(tcmu_ring_is_boundary(ring_, tail), model_.boundary(tail) >= 0) << "at " << tail;
		for (u32 odd : {1u, 4u, ring_->size - 4, ring_->size + 1, ~0u, 1u << 31})
			ASSERT_FALSE(tcmu_ring_is_boundary(ring_, odd)) << "at " << odd;
	}

private:
	u32 random_len()
	{
		u32 most = std::max(ring_->size / 2 + 16, min_len_ + 8);
		if (rng_() % 4) // mostly short ones, or the ring is always full
			most = std::min(most, min_len_ + 64);
		return (min_len_ + rng_() % (most - min_len_)) & ~7U;
	}

	void reserve()
	{
		u32 len = random_len();
		auto op = rng_() % 8 ? TCMU_OP_CMD : TCMU_OP_TMR;
		auto fit = model_.fits(len);
		tcmu_spot spot{};
		tcmu_ring before = *ring_;
		int err = tcmu_ring_reserve(ring_, len, op, &spot);
		int expected = fit == RingModel::Fit::yes ? 0 : fit == RingModel::Fit::no ? -ENOSPC : -EMSGSIZE;
		ASSERT_EQ(err, expected) << "size " << ring_->size << " head " << model_.head() << " tail "
					 << model_.tail() << " len " << len;
		if (err) {
			ASSERT_TRUE(same(*ring_, before));
			return;
		}
		bool padded;
		const RingEntry &entry = model_.reserve(len, op, padded);
		ASSERT_EQ(spot.pos, entry.pos);
		ASSERT_EQ(spot.pad_len != 0, padded);
		if (padded) {
			const RingEntry &pad = *(model_.entries().end() - 2);
			ASSERT_EQ(spot.pad_pos, pad.pos);
			ASSERT_EQ(spot.pad_len, pad.len);
			paint(pad.pos, pad.len, 0, pad.seq + 1);
		}
		paint(spot.pos, len, 0, entry.seq + 1);
		unfilled_.push_back(entry.seq);
		ASSERT_EQ(spot.seq, ring_->seq_head - 1);
	}

	void publish()
	{
		if (unfilled_.empty())
			return;
		size_t i = rng_() % unfilled_.size();
		u32 seq = unfilled_[i];
		unfilled_.erase(unfilled_.begin() + static_cast<ptrdiff_t>(i));
		u32 before = model_.published();
		model_.fill(seq);
		ASSERT_EQ(tcmu_ring_publish(ring_, seq), model_.published() != before);
	}

	void drain()
	{
		size_t n = model_.nr_published();
		n = n ? rng_() % (n + 1) : 0;
		u32 tail = n ? model_.entries()[n - 1].end(ring_->size) : model_.tail();
		Visitor visitor, expected;
		ASSERT_EQ(tcmu_ring_drain(ring_, tail, record_visit, &visitor), 0);
		while (n--) {
			RingEntry e = model_.pop();
			paint(e.pos, e.len, e.seq + 1, 0);
			if (e.op != TCMU_OP_PAD)
				expected.seen.push_back({e.pos, e.len | e.op});
		}
		ASSERT_EQ(visitor.seen, expected.seen);
	}

	void garbage()
	{
		u32 tail = rng_() % 2 ? u32(rng_()) : u32(rng_() % (ring_->size + 16)) & ~7U;
		if (model_.boundary(tail) >= 0)
			return;
		tcmu_ring before = *ring_;
		Visitor visitor;
		ASSERT_EQ(tcmu_ring_drain(ring_, tail, record_visit, &visitor), -EBADMSG);
		ASSERT_TRUE(visitor.seen.empty());
		ASSERT_TRUE(same(*ring_, before));
	}

	void reset()
	{
		tcmu_ring_reset(ring_);
		model_.reset();
		unfilled_.clear();
		std::fill(paint_.begin(), paint_.end(), 0);
	}

	/// Entries overlap if these bytes are not @from's.
	void paint(u32 pos, u32 len, u32 from, u32 to)
	{
		ASSERT_LE(pos + len, ring_->size);
		for (u32 i = pos / 8; i < (pos + len) / 8; i++) {
			ASSERT_EQ(paint_[i], from) << "entries overlap at " << i * 8;
			paint_[i] = to;
		}
	}

	void compare()
	{
		ASSERT_EQ(ring_->head, model_.head());
		ASSERT_EQ(ring_->tail, model_.tail());
		ASSERT_EQ(ring_->published, model_.published());
		ASSERT_EQ(ring_->used, model_.used());
		ASSERT_EQ(tcmu_ring_empty(ring_), model_.entries().empty());
		ASSERT_EQ(ring_->head == ring_->tail, model_.entries().empty());
	}
};

void walk(tcmu_ring *ring, u32 min_len, u64 steps, std::mt19937_64 &rng)
{
	RingWalk walk(ring, min_len, std::mt19937_64(rng()));
	for (u64 i = 0; i < steps && !testing::Test::HasFatalFailure(); i++) {
		walk.step();
		if (i % 16 == 0)
			walk.check_boundaries();
	}
}

TEST_F(Ring, DoesAsItsModelInEverySmallSize)
{
	auto rng = lio::test::rng("small rings");
	for (u32 size = 32; size <= 520 && !HasFatalFailure(); size += 8) {
		init(size);
		SCOPED_TRACE(size);
		walk(&ring, 8, count(600, 20000), rng);
	}
}

TEST_F(Ring, DoesAsItsModelInOddSizes)
{
	auto rng = lio::test::rng("odd rings");
	for (u32 size : {1000u, 1016u, 8 * 251u, 4096u - 128, 8 * 1021u}) {
		init(size);
		SCOPED_TRACE(size);
		walk(&ring, cmd_min, count(4000, 200000), rng);
		if (HasFatalFailure())
			return;
	}
}

TEST_F(Ring, RemembersAsManyCommandsAsFit)
{
	/* Only entries shorter than a command's may exhaust the record before the bytes. */
	for (u32 size = 256; size < 16384; size += 8) {
		init(size);
		EXPECT_GE(ring.mask + 1, size / cmd_min + 2);
		EXPECT_EQ(ring.mask & (ring.mask + 1), 0u);
	}
}

} // namespace
