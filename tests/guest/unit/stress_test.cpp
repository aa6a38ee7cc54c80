// SPDX-License-Identifier: GPL-2.0
// The parts of the stress group that need no guest.
#include <set>

#include "block_history.hpp"
#include "gtest_result.hpp"
#include "pattern.hpp"
#include "stress_engine.hpp"

namespace lio::test {
namespace {

constexpr uint64_t block = BlockHistory::block_bytes;

std::vector<uint8_t> begin(BlockHistory &h, uint64_t first, uint64_t count)
{
	std::vector<uint8_t> data(count * block);
	h.begin_write(first, data);
	return data;
}

TEST(BlockHistory, OnlyTheLastWriteThatSucceeded)
{
	BlockHistory h(1 << 20, 8, 3, true);
	EXPECT_OK(h.verify(2, std::vector<uint8_t>(2 * block)));
	auto old = begin(h, 2, 2);
	h.end_write(2, 2, true);
	EXPECT_OK(h.verify(2, old));
	EXPECT_ERRNO(h.verify(3, std::span(old).first(block)), EILSEQ) << "right write, wrong place";
	EXPECT_ERRNO(h.verify(2, std::vector<uint8_t>(block)), EILSEQ);
	auto now = begin(h, 2, 2);
	h.end_write(2, 2, true);
	EXPECT_ERRNO(h.verify(2, old), EILSEQ);
	EXPECT_OK(h.verify(2, now));
	now[block + 1000] ^= 1;
	EXPECT_ERRNO(h.verify(2, now), EILSEQ);
}

TEST(BlockHistory, AFailedWriteMayHaveReachedAnySector)
{
	BlockHistory h(0, 8, 3, true);
	auto old = begin(h, 0, 1);
	h.end_write(0, 1, true);
	auto failed = begin(h, 0, 1);
	h.end_write(0, 1, false);
	EXPECT_OK(h.verify(0, old));
	EXPECT_OK(h.verify(0, failed));
	std::copy_n(failed.begin(), 512, old.begin());
	EXPECT_OK(h.verify(0, old));
	std::copy_n(failed.begin(), 100, old.begin() + 1024);
	EXPECT_ERRNO(h.verify(0, old), EILSEQ) << "half a sector";
	auto now = begin(h, 0, 1);
	h.end_write(0, 1, true);
	EXPECT_ERRNO(h.verify(0, failed), EILSEQ);
	EXPECT_OK(h.verify(0, now));
}

TEST(BlockHistory, ALateWriteIsAllowedWhereTheHandlerMayDoThat)
{
	BlockHistory h(0, 8, 3, false);
	auto late = begin(h, 0, 1);
	h.end_write(0, 1, false);
	begin(h, 0, 1);
	h.end_write(0, 1, true);
	EXPECT_OK(h.verify(0, late));
	EXPECT_ERRNO(h.verify(0, pattern(block, 0, 77)), EILSEQ);
}

TEST(ActionDraw, EachOnceAndThenByWeight)
{
	Random random(1);
	ActionDraw draw({0, 1, 9}, random);
	std::set<size_t> first{draw.next(random), draw.next(random), draw.next(random)};
	EXPECT_EQ(first.size(), 3u);
	unsigned counts[3] = {};
	for (int i = 0; i < 10000; i++)
		counts[draw.next(random)]++;
	EXPECT_EQ(counts[0], 0u);
	EXPECT_NEAR(counts[1], 1000, 200);
}

TEST(StressEngine, CountsWhatIsDoneRefusedAndIdle)
{
	StressEngine e;
	int n = 0;
	e.add("one", milliseconds(0), {{"count", 1, {EBUSY}, [&](Random &) -> Status {
						switch (n++ % 3) {
						case 0:
							return {};
						case 1:
							return Error{EBUSY, "x", "take"};
						default:
							return idle();
						}
					}}});
	e.add("two", milliseconds(1), {{"never", 1, {EBUSY}, [](Random &) -> Status { return Error{EBUSY, "x", "take"}; }}});
	unsigned ticks = 0;
	e.run(seconds(5), [&] { return ++ticks < 2; });
	EXPECT_TRUE(e.failures().empty());
	Tally t = e.tallies()["count"];
	EXPECT_GT(t.done, 0u);
	EXPECT_NEAR(double(t.refused), double(t.done), 1);
	EXPECT_NEAR(double(t.idle), double(t.done), 1);
	EXPECT_EQ(t.codes[EBUSY], t.refused);
	EXPECT_EQ(e.never_done(), std::vector<std::string>{"never"});
	EXPECT_EQ(e.never_done(2), std::vector<std::string>{"never"});
	EXPECT_TRUE(e.never_done(1 << 30).empty());
	EXPECT_EQ(e.useless(), std::vector<std::string>{"two"});
	EXPECT_NE(e.table().find("EBUSY"), std::string::npos);
}

TEST(StressEngine, AnErrorThatIsNotListedEndsTheRun)
{
	StressEngine e;
	e.add("one", milliseconds(0), {{"bad", 1, {EBUSY}, [](Random &) -> Status { return Error{EIO, "x", "take"}; }}});
	Stopwatch watch;
	e.run(seconds(60), [] { return true; });
	EXPECT_LT(watch.seconds(), 30);
	ASSERT_FALSE(e.failures().empty());
	EXPECT_EQ(e.failures()[0].find("one, bad: take x"), 0u) << e.failures()[0];
}

TEST(StressEngine, TheWatchdogNamesWhatTakesTooLong)
{
	StressEngine e;
	e.add("slow", milliseconds(0), {{"sleep", 1, {}, [](Random &) -> Status {
						 std::this_thread::sleep_for(seconds(2));
						 return {};
					 }, milliseconds(300)}});
	testing::internal::CaptureStdout();
	e.run(seconds(60), [] { return true; });
	std::string said = testing::internal::GetCapturedStdout();
	ASSERT_EQ(e.failures().size(), 1u);
	EXPECT_EQ(e.failures()[0].find("slow, sleep: not done after"), 0u) << e.failures()[0];
	EXPECT_NE(said.find("/proc/self/task/"), std::string::npos) << said;
}

/// A thread that cannot be joined must not let the test pass.
TEST(StressEngineDeathTest, ActorsThatNeverRestEndTheProcess)
{
	EXPECT_EXIT({
		StressEngine e;
		e.add("stuck", milliseconds(0), {{"sleep", 1, {}, [](Random &) -> Status {
							  std::this_thread::sleep_for(seconds(600));
							  return {};
						  }, milliseconds(100)}});
		e.run(seconds(1), [] { return true; });
	}, testing::ExitedWithCode(1), "");
}

} // namespace
} // namespace lio::test
