// SPDX-License-Identifier: GPL-2.0
// The parts of the power loss group that need no guest.
#include <cstring>
#include <set>

#include "durability.hpp"
#include "gtest_result.hpp"
#include "power_cut.hpp"

namespace lio::test {
namespace {

using Kind = DiskCommand::Kind;
using Bytes = std::vector<uint8_t>;

constexpr uint64_t blocks = 64;

Bytes stamped(uint64_t generation, uint64_t lba, uint64_t count)
{
	Bytes data(count * stamped_bytes);
	for (uint64_t i = 0; i < count; i++)
		put_stamp(std::span(data).subspan(i * stamped_bytes, stamped_bytes), {generation, lba + i, 1});
	return data;
}

void put(Bytes &disk, uint64_t lba, const Bytes &data)
{
	std::copy(data.begin(), data.end(), disk.begin() + static_cast<ptrdiff_t>(lba * stamped_bytes));
}

/// A log as dm-log-writes writes it.
class LogMaker {
	Bytes bytes_ = Bytes(log_sector_bytes);
	uint64_t entries_ = 0;

public:
	LogMaker &add(uint64_t sector, uint64_t sectors, uint64_t flags, const Bytes &data = {})
	{
		uint64_t head[4] = {sector, sectors, flags, flags & LogEntry::mark ? data.size() : 0};
		Bytes block(log_sector_bytes);
		memcpy(block.data(), head, sizeof(head));
		if (flags & LogEntry::mark)
			std::copy(data.begin(), data.end(), block.begin() + sizeof(head));
		bytes_.insert(bytes_.end(), block.begin(), block.end());
		if (!(flags & LogEntry::mark))
			bytes_.insert(bytes_.end(), data.begin(), data.end());
		entries_++;
		return *this;
	}
	LogMaker &write(uint64_t generation, uint64_t lba, uint64_t count, uint64_t flags = 0)
	{
		return add(lba, count, flags, stamped(generation, lba, count));
	}
	LogMaker &flush() { return add(0, 0, LogEntry::flush); }
	LogMaker &moment(uint64_t n)
	{
		std::string text = mark_text(n);
		return add(0, 0, LogEntry::mark, Bytes(text.begin(), text.end()));
	}
	Bytes &bytes()
	{
		uint64_t super[3] = {0x6a736677736872, 1, entries_};
		uint32_t unit = log_sector_bytes;
		memcpy(bytes_.data(), super, sizeof(super));
		memcpy(bytes_.data() + sizeof(super), &unit, sizeof(unit));
		return bytes_;
	}
};

TEST(WriteLog, IsParsed)
{
	LogMaker maker;
	maker.write(1, 8, 2, LogEntry::fua).moment(3).flush().add(40, 8, LogEntry::discard);
	ASSERT_OK_AND_ASSIGN(auto log, parse_write_log(maker.bytes()));
	ASSERT_EQ(log.size(), 4u);
	EXPECT_EQ(log[0].sector, 8u);
	EXPECT_EQ(Bytes(log[0].data.begin(), log[0].data.end()), stamped(1, 8, 2));
	EXPECT_EQ(marked_moment(log[1]), 3u);
	EXPECT_TRUE(log[2].is(LogEntry::flush));
	EXPECT_TRUE(log[3].is(LogEntry::discard) && log[3].data.empty());
}

TEST(WriteLog, WhatIsNotALogIsRefused)
{
	LogMaker maker;
	Bytes good = maker.write(1, 8, 2).moment(1).bytes();
	EXPECT_OK(parse_write_log(good));
	EXPECT_ERRNO(parse_write_log(std::span(good).first(20)), EPROTO);
	EXPECT_ERRNO(parse_write_log(std::span(good).first(good.size() - 1)), EPROTO);
	struct {
		size_t at;
		uint8_t value;
	} wrong[] = {{0, 1}, {8, 2}, {24, 3}, {16, 9}, {log_sector_bytes + 9, 0xff}, {512 * 4 + 29, 0xff}};
	for (auto w : wrong) {
		Bytes bad = good;
		bad[w.at] = w.value;
		EXPECT_ERRNO(parse_write_log(bad), EPROTO) << w.at;
	}
}

TEST(BlockStamp, TellsWholeBlocks)
{
	Bytes block = stamped(7, 9, 1);
	EXPECT_EQ(read_stamp(block), (BlockStamp{7, 9, 1}));
	block[300] ^= 1;
	EXPECT_FALSE(read_stamp(block));
	EXPECT_TRUE(peek_stamp(block));
	EXPECT_FALSE(peek_stamp(Bytes(stamped_bytes)));
	EXPECT_TRUE((BlockStamp{1, 8, 4}).same_place({2, 11, 1}));
	EXPECT_FALSE((BlockStamp{1, 8, 4}).same_place({2, 12, 1}));
}

struct PromiseOfCache : testing::Test {
	Workload workload{blocks, true};
	Bytes disk = Bytes(blocks * stamped_bytes);
	bool holds_after(size_t moments)
	{
		Promise promise(workload);
		promise.advance(moments);
		return !promise.broken(disk);
	}
	uint64_t done(const DiskCommand &c, bool good = true)
	{
		uint64_t generation = workload.send(c);
		workload.answer(generation, good);
		return generation;
	}
};

TEST_F(PromiseOfCache, FuaIsThereOnceAnswered)
{
	uint64_t g = done({Kind::write, 4, 4, true});
	EXPECT_TRUE(holds_after(0));
	EXPECT_TRUE(holds_after(1));
	EXPECT_FALSE(holds_after(2));
	put(disk, 4, stamped(g, 4, 4));
	EXPECT_TRUE(holds_after(2));
	EXPECT_FALSE(holds_after(0)) << "from the future";
	std::swap_ranges(disk.begin() + 4 * 512, disk.begin() + 5 * 512, disk.begin() + 5 * 512);
	EXPECT_FALSE(holds_after(2)) << "at a wrong place";
}

TEST_F(PromiseOfCache, SynchronizeCovers)
{
	done({Kind::write, 0, 4});
	uint64_t late = workload.send({Kind::write, 8, 4});
	uint64_t sync = workload.send({Kind::sync});
	workload.answer(late, true);
	workload.answer(sync, true);
	EXPECT_TRUE(holds_after(5)) << "not yet answered";
	EXPECT_FALSE(holds_after(6));
	put(disk, 0, stamped(1, 0, 4));
	EXPECT_TRUE(holds_after(6)) << "the second write came after the command was sent";
	done({Kind::sync, 9, 1});
	EXPECT_FALSE(holds_after(8));
	put(disk, 9, stamped(late, 9, 1));
	EXPECT_TRUE(holds_after(8)) << "of a range";
	Promise promise(workload);
	promise.advance(8);
	EXPECT_EQ(promise.kept(), 1u);
}

TEST_F(PromiseOfCache, ALaterWriteMayBeThereInParts)
{
	done({Kind::write, 0, 4, true});
	put(disk, 0, stamped(1, 0, 4));
	workload.send({Kind::write, 2, 4});
	EXPECT_TRUE(holds_after(3));
	put(disk, 3, stamped(2, 3, 2));
	EXPECT_TRUE(holds_after(3));
	disk[3 * 512 + 200] ^= 1;
	EXPECT_FALSE(holds_after(3)) << "half a block";
}

TEST_F(PromiseOfCache, WhatFailedMayBeThere)
{
	done({Kind::write, 0, 4, true}, false);
	EXPECT_TRUE(holds_after(2));
	put(disk, 0, stamped(1, 0, 2));
	EXPECT_TRUE(holds_after(2));
}

TEST_F(PromiseOfCache, UnmapAndWriteSame)
{
	done({Kind::write, 0, 8, true});
	done({Kind::unmap, 0, 4});
	done({Kind::same, 4, 4});
	done({Kind::sync});
	for (uint64_t lba = 4; lba < 8; lba++)
		put_stamp(std::span(disk).subspan(lba * 512, 512), {3, 4, 4});
	EXPECT_TRUE(holds_after(8));
	put(disk, 0, stamped(1, 0, 1));
	EXPECT_FALSE(holds_after(8));
	EXPECT_TRUE(holds_after(2) == false) << "blocks of the future";
}

TEST(Promise, WithoutACacheEveryAnswerPromises)
{
	Workload workload(blocks, false);
	workload.answer(workload.send({Kind::write, 4, 4}), true);
	Promise promise(workload);
	promise.advance(2);
	EXPECT_EQ(promise.kept(), 1u);
	EXPECT_TRUE(promise.broken(Bytes(blocks * stamped_bytes)));
}

struct PowerCutTest : testing::Test {
	Workload workload{blocks, true};
	LogMaker maker;
	std::vector<LogEntry> log;
	std::mt19937_64 random{1};

	/// What is found of block @lba in 200 losses of power at @position: generations, 0 for none.
	std::set<uint64_t> seen(size_t position, uint64_t lba, bool direct = true)
	{
		auto parsed = parse_write_log(maker.bytes());
		EXPECT_OK(parsed);
		log = *parsed;
		PowerCut cut(Bytes(blocks * stamped_bytes), log, workload, direct);
		cut.advance(position);
		std::set<uint64_t> found;
		for (int i = 0; i < 200; i++) {
			Bytes device = cut.device(random);
			auto stamp = read_stamp(std::span(device).subspan(lba * 512, 512));
			found.insert(stamp ? stamp->generation : 0);
		}
		return found;
	}
};

using Set = std::set<uint64_t>;

TEST_F(PowerCutTest, OnlyAFlushMakesPermanent)
{
	workload.send({Kind::write, 0, 8});
	maker.moment(0).write(1, 0, 8).flush();
	EXPECT_EQ(seen(0, 0), Set{0}) << "it had not been sent";
	EXPECT_EQ(seen(1, 0), (Set{0, 1}));
	EXPECT_EQ(seen(1, 0, false), Set{0}) << "a file system puts it somewhere else";
	EXPECT_EQ(seen(2, 0), (Set{0, 1}));
	EXPECT_EQ(seen(3, 0), Set{1});
}

TEST_F(PowerCutTest, FuaIsPermanentAtOnceAndNotUndone)
{
	workload.send({Kind::write, 0, 8});
	workload.send({Kind::write, 0, 8, true});
	maker.moment(0).moment(1).write(2, 0, 8, LogEntry::fua).write(1, 0, 8).flush();
	EXPECT_EQ(seen(2, 0), (Set{0, 1, 2}));
	EXPECT_EQ(seen(3, 0), Set{2});
	EXPECT_EQ(seen(5, 0), Set{2}) << "the older write is logged later";
}

TEST_F(PowerCutTest, DiscardsAreFlushedToo)
{
	workload.send({Kind::write, 0, 8, true});
	maker.moment(0).write(1, 0, 8, LogEntry::fua).add(0, 8, LogEntry::discard).flush();
	EXPECT_EQ(seen(2, 7), Set{1});
	EXPECT_EQ(seen(3, 7), (Set{0, 1}));
	EXPECT_EQ(seen(4, 7), Set{0});
}

} // namespace
} // namespace lio::test
