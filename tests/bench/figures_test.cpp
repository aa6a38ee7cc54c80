// SPDX-License-Identifier: GPL-2.0
#include "figures.hpp"

#include <gtest/gtest.h>

namespace lio::bench {
namespace {

BootResult boot_of(double value)
{
	BootResult boot{"6.12-test", {}, {}};
	for (const std::string &name : judged_cases())
		boot.figures[name] = {{value}};
	return boot;
}

Measured run_of(double stock, double ours, double one, double two)
{
	Measured run{boot_of(stock), boot_of(ours), {}, {}, {}, {}};
	run.ours_two.figures = {{"tcmu/4k-qd1", {{one}}},
				{"tcmu/4k-qd32", {{one}}},
				{"tcmu/4k-qd1-two", {{two}}},
				{"tcmu/4k-qd32-two", {{two}}}};
	return run;
}

int missed(const std::vector<Verdict> &verdicts)
{
	int n = 0;
	for (const Verdict &v : verdicts)
		n += !v.met();
	return n;
}

TEST(Figure, MedianAndSpread)
{
	EXPECT_DOUBLE_EQ((Figure{{3, 1, 2}}.median()), 2);
	EXPECT_DOUBLE_EQ((Figure{{4, 1, 2, 3}}.median()), 2.5);
	EXPECT_DOUBLE_EQ((Figure{{90, 100, 110}}.spread()), 0.2);
}

TEST(Judge, MeetsAndMissesAims)
{
	EXPECT_EQ(judge_aims(run_of(1000, 550, 100, 110)).size(), 16u);
	EXPECT_EQ(missed(judge_aims(run_of(1000, 550, 100, 110))), 0);
	// One after the other: TCMU 4 KiB QD1, ramdisk QD1, TCMU QD32, ramdisk QD32 and 1 MiB, the rest.
	EXPECT_EQ(missed(judge_aims(run_of(1000, 560, 100, 100))), 2);
	EXPECT_EQ(missed(judge_aims(run_of(1000, 610, 100, 100))), 4);
	EXPECT_EQ(missed(judge_aims(run_of(1000, 710, 100, 100))), 6);
	EXPECT_EQ(missed(judge_aims(run_of(1000, 810, 100, 100))), 10);
	EXPECT_EQ(missed(judge_aims(run_of(1000, 910, 100, 100))), 14);
	EXPECT_EQ(missed(judge_aims(run_of(1000, 550, 100, 111))), 2);
}

TEST(Judge, MissingFigureIsMissedAim)
{
	Measured run = run_of(1000, 550, 100, 100);
	run.ours.figures.erase("tcmu/4k-qd1");
	run.ours_two.figures.erase("tcmu/4k-qd32");
	EXPECT_EQ(missed(judge_aims(run)), 2);
}

TEST(Judge, Regressions)
{
	Measured run = run_of(1000, 1030, 100, 100);
	Committed committed{"6.12-test", {}};
	for (const std::string &name : judged_cases())
		committed.ours[name] = 1000;
	// 3 % more: within the noise with many in flight, not with one.
	EXPECT_EQ(missed(judge_regressions(run, committed)), 6);
	committed.ours.erase("tcmu/4k-qd32");
	EXPECT_EQ(missed(judge_regressions(run, committed)), 7);
	committed.release = "another";
	EXPECT_TRUE(judge_regressions(run, committed).empty());
}

TEST(Json, GuestResultsAndCommittedFileRoundTrip)
{
	auto boot = BootResult::parse(
		R"({"release":"r","results":[{"target":"tcmu","case":"4k-qd1","ios":7,"samples":[3.0,1.0,2.0]}]})", "x");
	ASSERT_TRUE(boot.ok());
	EXPECT_DOUBLE_EQ(boot->figures.at("tcmu/4k-qd1").median(), 2);
	ASSERT_EQ(boot->order.size(), 1u);
	EXPECT_DOUBLE_EQ(boot->order[0].second, 7);
	auto committed = Committed::parse(to_json({*boot, *boot, {}, {}, {}, {}}).dump(), "x");
	ASSERT_TRUE(committed.ok());
	EXPECT_EQ(committed->release, "r");
	EXPECT_DOUBLE_EQ(committed->ours.at("tcmu/4k-qd1"), 2);
}

TEST(Json, MalformedIsAnError)
{
	EXPECT_EQ(BootResult::parse("{", "x").code(), EINVAL);
	EXPECT_EQ(BootResult::parse(R"({"release":"r"})", "x").code(), EINVAL);
	EXPECT_EQ(BootResult::parse(R"({"release":"r","results":[{"target":"t","case":"c","ios":7,"samples":[]}]})", "x").code(),
		  EINVAL);
	EXPECT_EQ(Committed::parse("[]", "x").code(), EINVAL);
}

} // namespace
} // namespace lio::bench
