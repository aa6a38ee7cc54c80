// SPDX-License-Identifier: GPL-2.0
#include "groups.hpp"

#include "gtest_result.hpp"

namespace lio::check {
namespace {

constexpr char table[] = R"([
	{"name": "unit", "command": ["ctest"], "timeout": 60},
	{"name": "stock", "guest": true, "command": ["w"], "ours": "none", "kernels": ["6.12", "6.1"],
	 "filter": "A.*", "timeout": {"check": 100, "long": 900}},
	{"name": "compare", "command": ["c", "{kernel}"], "kernels": ["6.12", "6.1"], "after": ["stock"],
	 "tiers": ["long"], "timeout": 10}])";

TEST(Groups, CheckTierOnEveryKernel)
{
	ASSERT_OK_AND_ASSIGN(auto groups, parse_groups(table));
	ASSERT_OK_AND_ASSIGN(auto jobs, select_jobs(groups, {}));
	ASSERT_EQ(jobs.size(), 3u);
	EXPECT_EQ(jobs[0].name(), "unit");
	EXPECT_EQ(jobs[1].name(), "stock@6.12");
	EXPECT_EQ(jobs[2].name(), "stock@6.1");
	EXPECT_EQ(jobs[1].filter, "A.*");
	EXPECT_EQ(jobs[1].timeout, 100u);
}

TEST(Groups, DebugTierOnTheSanitizerKernel)
{
	ASSERT_OK_AND_ASSIGN(auto groups, parse_groups(table));
	Selection s;
	s.tier = "debug";
	ASSERT_OK_AND_ASSIGN(auto jobs, select_jobs(groups, s));
	ASSERT_EQ(jobs.size(), 2u);
	EXPECT_EQ(jobs[0].name(), "unit");
	EXPECT_EQ(jobs[1].name(), "stock@6.12-debug");
	EXPECT_EQ(jobs[1].timeout, 400u);
	s.patterns = {"sleepy"};
	ASSERT_OK_AND_ASSIGN(groups, parse_groups(R"([{"name": "sleepy", "command": ["x"], "timeout": {"long": 9}}])"));
	EXPECT_ERRNO(select_jobs(groups, s), EINVAL);
}

TEST(Groups, DependenciesComeAlongAndFirst)
{
	ASSERT_OK_AND_ASSIGN(auto groups, parse_groups(table));
	Selection s;
	s.patterns = {"comp*"};
	s.kernels = {"6.1"};
	s.tier = "long";
	ASSERT_OK_AND_ASSIGN(auto jobs, select_jobs(groups, s));
	ASSERT_EQ(jobs.size(), 2u);
	EXPECT_EQ(jobs[0].name(), "stock@6.1");
	EXPECT_EQ(jobs[0].timeout, 900u);
	EXPECT_EQ(jobs[1].after, std::vector<size_t>{0});
}

TEST(Groups, MoreKernelsInTheLongTier)
{
	ASSERT_OK_AND_ASSIGN(auto groups, parse_groups(R"([{"name": "a", "guest": true, "command": ["x"],
		"kernels": ["6.12"], "long_kernels": ["6.12-rt"], "timeout": 1}])"));
	Selection s;
	ASSERT_OK_AND_ASSIGN(auto jobs, select_jobs(groups, s));
	EXPECT_EQ(jobs.size(), 1u);
	s.tier = "long";
	ASSERT_OK_AND_ASSIGN(jobs, select_jobs(groups, s));
	ASSERT_EQ(jobs.size(), 2u);
	EXPECT_EQ(jobs[1].name(), "a@6.12-rt");
}

TEST(Groups, FilterFromTheCommandLine)
{
	ASSERT_OK_AND_ASSIGN(auto groups, parse_groups(table));
	Selection s;
	s.patterns = {"stock:B.c"};
	ASSERT_OK_AND_ASSIGN(auto jobs, select_jobs(groups, s));
	EXPECT_EQ(jobs[0].filter, "B.c");
	s.patterns = {"nothing"};
	EXPECT_ERRNO(select_jobs(groups, s), ENOENT);
}

TEST(Groups, MistakesInTheTableAreErrors)
{
	EXPECT_ERRNO(parse_groups("[{}]"), EINVAL);
	EXPECT_ERRNO(parse_groups(R"([{"name": "a", "command": ["x"], "timeout": 1, "fliter": "B"}])"), EINVAL);
	EXPECT_ERRNO(parse_groups(R"([{"name": "a", "guest": true, "command": ["x"], "timeout": 1}])"), EINVAL);
	ASSERT_OK_AND_ASSIGN(auto groups,
			     parse_groups(R"([{"name": "a", "command": ["x"], "timeout": 1, "after": ["a"]}])"));
	EXPECT_ERRNO(select_jobs(groups, {}), EINVAL);
}

TEST(Counts, LastSummaryLineCounts)
{
	Counts c = find_counts("1 passed, 2 failed, 3 skipped\nnoise\n40 passed, 0 failed, 1 skipped\n");
	EXPECT_TRUE(c.found);
	EXPECT_EQ(c.passed, 40u);
	EXPECT_EQ(c.failed, 0u);
	EXPECT_EQ(c.skipped, 1u);
	c = find_counts("67% tests passed, 1 tests failed out of 3\n");
	EXPECT_EQ(c.passed, 2u);
	EXPECT_EQ(c.failed, 1u);
	EXPECT_FALSE(find_counts("all is well").found);
}

} // namespace
} // namespace lio::check
