// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <tcmu/abi.hpp>
#include <tcmu/cdb.hpp>
#include <tcmu/discovery.hpp>
#include <tcmu/iov_arena.hpp>
#include <tcmu/log.hpp>
#include <tcmu/range_lock.hpp>
#include <tcmu/segments.hpp>
#include <tcmu/sense.hpp>

#include "abi_numbers.h"

namespace tcmu {

namespace abi {
#define SAME(number, kernel, ours) static_assert((number) == (ours), #ours);
ABI_NUMBERS(SAME)
} // namespace abi

namespace {

TEST(Cdb, FieldsBeyondTheEndAreZero)
{
	uint8_t bytes[] = {0x28, 0x01, 0x02, 0x03};
	Cdb cdb(bytes);

	EXPECT_EQ(cdb.be(0, 4), 0x28010203u);
	EXPECT_EQ(cdb.be(1, 4), 0u);
	EXPECT_EQ(cdb.be(SIZE_MAX, 2), 0u);
	EXPECT_EQ(cdb.be(0, 9), 0u);
	EXPECT_EQ(cdb.u8(4), 0u);
	EXPECT_TRUE(cdb.bit(1, 0));
	EXPECT_FALSE(cdb.bit(9, 0));
}

TEST(Sense, FixedAndDescriptorFormatsDecodeToWhatWasEncoded)
{
	uint8_t fixed[fixed_sense_length], descriptor[descriptor_sense_length];
	Sense with = sense::miscompare.with_information(0x01020304);

	EXPECT_EQ(encode_fixed_sense(with, fixed), 18u);
	EXPECT_EQ(fixed[0], 0xf0);
	EXPECT_EQ(fixed[2], 0x0e);
	EXPECT_EQ(fixed[3], 0x01);
	EXPECT_EQ(fixed[7], 10);
	EXPECT_EQ(fixed[12], 0x1d);
	EXPECT_EQ(decode_sense(fixed), with);
	encode_fixed_sense(sense::space_allocation_failed, fixed);
	EXPECT_EQ(fixed[0], 0x70);
	EXPECT_EQ(fixed[13], 0x07);
	EXPECT_EQ(encode_descriptor_sense(sense::invalid_opcode, descriptor), 8u);
	EXPECT_EQ(descriptor[0], 0x72);
	EXPECT_EQ(decode_sense(descriptor), sense::invalid_opcode);
	EXPECT_EQ(decode_sense({}), sense::none);
}

class SegmentsTest : public testing::Test {
protected:
	std::vector<uint8_t> a = {1, 2, 3}, b = {4}, c = {5, 6, 7, 8};
	iovec list[4] = {{a.data(), 3}, {b.data(), 1}, {nullptr, 0}, {c.data(), 4}};
	Segments segments{list};
};

TEST_F(SegmentsTest, GatherAndScatterStayInside)
{
	std::vector<uint8_t> out(20, 0xee);

	EXPECT_EQ(segments.size(), 8u);
	EXPECT_EQ(segments.gather(2, std::span(out).first(4)), 4u);
	EXPECT_EQ((std::vector<uint8_t>(out.begin(), out.begin() + 5)),
		  (std::vector<uint8_t>{3, 4, 5, 6, 0xee}));
	EXPECT_EQ(segments.gather(6, out), 2u);
	EXPECT_EQ(segments.gather(8, out), 0u);
	EXPECT_EQ(segments.gather(SIZE_MAX, out), 0u);
	std::vector<uint8_t> in(10, 9);
	EXPECT_EQ(segments.scatter(3, in), 5u);
	EXPECT_EQ(a[2], 3);
	EXPECT_EQ(b[0], 9);
	EXPECT_EQ(c[3], 9);
	EXPECT_EQ(segments.zero(7, 100), 1u);
	EXPECT_EQ(c[3], 0);
	EXPECT_EQ(c[2], 9);
}

TEST_F(SegmentsTest, MismatchFindsTheByteOrTheEnd)
{
	uint8_t same[] = {2, 3, 4, 5}, other[] = {2, 3, 4, 7}, longer[] = {7, 8, 9};

	EXPECT_FALSE(segments.mismatch(1, same));
	EXPECT_EQ(segments.mismatch(1, other), 3u);
	EXPECT_EQ(segments.mismatch(6, longer), 2u);
	EXPECT_FALSE(segments.mismatch(99, {}));
}

TEST_F(SegmentsTest, WindowsCoverEverythingInPieces)
{
	iovec two[2];
	auto window = segments.window(1, 100, two);

	EXPECT_EQ(window.count, 2u);
	EXPECT_EQ(window.bytes, 3u);
	EXPECT_EQ(two[0].iov_base, &a[1]);
	window = segments.window(4, 3, two);
	EXPECT_EQ(window.count, 1u);
	EXPECT_EQ(two[0].iov_len, 3u);
	EXPECT_EQ(segments.window(8, 1, two).count, 0u);
}

TEST(IovArena, NeverHandsOutTheSameTwice)
{
	IovArena arena(1000);
	std::mt19937 random(5);
	std::map<iovec *, size_t> held;
	size_t refused = 0;

	EXPECT_EQ(arena.capacity(), 1024u);
	EXPECT_EQ(arena.allocate(1025), nullptr);
	for (unsigned i = 0; i < 100000; i++) {
		size_t count = size_t{1} << (random() % 9);
		count += random() % count;
		iovec *list = arena.allocate(count);
		if (list) {
			auto after = held.lower_bound(list);
			if (after != held.end()) {
				ASSERT_LE(list + count, after->first);
			}
			if (after != held.begin()) {
				auto before = std::prev(after);
				ASSERT_LE(before->first + before->second, list);
			}
			held[list] = count;
		} else {
			refused++;
		}
		while (!list && !held.empty()) {
			auto victim = std::next(held.begin(), random() % held.size());
			arena.release(victim->first, victim->second);
			held.erase(victim);
			if (random() % 2)
				break;
		}
	}
	EXPECT_GT(refused, 100u);
	for (auto [list, count] : held)
		arena.release(list, count);
	/* All of it has come together again. */
	EXPECT_NE(arena.allocate(1024), nullptr);
}

TEST(RangeLocks, ExclusiveWaitsForOverlapsInOrder)
{
	RangeLocks locks;
	auto range = [](uint64_t begin, uint64_t end, bool exclusive = false) {
		RangeLocks::Range made;
		made.begin = begin;
		made.end = end;
		made.exclusive = exclusive;
		return made;
	};
	auto write = range(0, 10), other = range(20, 30), compare = range(5, 15, true),
	     late = range(8, 9), apart = range(40, 50);
	std::vector<RangeLocks::Range *> granted;
	auto note = [&](RangeLocks::Range &next) { granted.push_back(&next); };

	EXPECT_TRUE(locks.acquire(write));
	EXPECT_TRUE(locks.acquire(other));
	EXPECT_FALSE(locks.acquire(compare));
	/* Overlaps the one that waits: behind it, or it would starve. */
	EXPECT_FALSE(locks.acquire(late));
	EXPECT_TRUE(locks.acquire(apart));
	locks.release(other, note);
	EXPECT_TRUE(granted.empty());
	locks.release(write, note);
	EXPECT_EQ(granted, (std::vector<RangeLocks::Range *>{&compare}));
	EXPECT_FALSE(late.held);
	locks.release(compare, note);
	EXPECT_EQ(granted.back(), &late);
	locks.release(late, note);
	locks.release(apart, note);
	EXPECT_EQ(granted.size(), 2u);
}

/** Against a model: no two conflicting holders, and everybody gets a turn. */
TEST(RangeLocks, RandomTraffic)
{
	RangeLocks locks;
	std::mt19937 random(7);
	std::vector<RangeLocks::Range> ranges(24);
	std::vector<bool> waiting(ranges.size());
	size_t grants = 0;

	for (unsigned step = 0; step < 200000; step++) {
		size_t i = random() % ranges.size();
		auto &range = ranges[i];
		if (range.held) {
			locks.release(range, [&](RangeLocks::Range &next) {
				waiting[static_cast<size_t>(&next - ranges.data())] = false;
				grants++;
			});
		} else if (!waiting[i]) {
			range.begin = random() % 64;
			range.end = range.begin + random() % 16 + 1;
			range.exclusive = random() % 4 == 0;
			waiting[i] = !locks.acquire(range);
		}
		for (auto &a : ranges)
			for (auto &b : ranges)
				if (&a != &b && a.held && b.held && (a.exclusive || b.exclusive)) {
					ASSERT_TRUE(a.end <= b.begin || b.end <= a.begin);
				}
	}
	EXPECT_GT(grants, 1000u);
}

TEST(DeviceName, IsParsedAsUioNamesIt)
{
	auto name = parse_device_name("tcm-user/3/disk/file//var/lib/x.img");

	ASSERT_TRUE(name);
	EXPECT_EQ(name->hba, 3u);
	EXPECT_EQ(name->name, "disk");
	EXPECT_EQ(name->subtype(), "file");
	EXPECT_EQ(name->cfgstring(), "/var/lib/x.img");
	EXPECT_EQ(name->path(), "user_3/disk");
	name = parse_device_name("tcm-user/0/d/null");
	ASSERT_TRUE(name);
	EXPECT_EQ(name->subtype(), "null");
	EXPECT_EQ(name->cfgstring(), "");
	EXPECT_TRUE(parse_device_name("tcm-user/0/d"));
	for (const char *bad : {"", "uio_pci", "tcm-user", "tcm-user/", "tcm-user/x/d/null",
				"tcm-user/0", "tcm-user/0/", "tcm-user/0//null", "tcm-user/0/../null",
				"tcm-user/99999999999/d/null"})
		EXPECT_FALSE(parse_device_name(bad)) << bad;
}

TEST(LogLimit, LetsABurstThroughAndNoMore)
{
	LogLimit limit;
	unsigned allowed = 0;

	for (unsigned i = 0; i < 10000; i++)
		allowed += limit.allow();
	EXPECT_GE(allowed, 10u);
	EXPECT_LE(allowed, 20u);
}

} // namespace
} // namespace tcmu
