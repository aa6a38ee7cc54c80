// SPDX-License-Identifier: GPL-2.0
#include "coverage.hpp"

#include "gtest_result.hpp"

namespace lio::coverage {
namespace {

constexpr char boot[] = R"({"files": [
	{"file": "drivers/target/user/ring.c", "lines": [
		{"line_number": 1, "count": 3, "function_name": "ring_a"},
		{"line_number": 2, "count": 0, "function_name": "ring_a"},
		{"line_number": 4, "count": 0, "function_name": "ring_b"}]},
	{"file": "drivers/target/user/../target_core_user.c", "lines": [
		{"line_number": 1, "count": 1, "function_name": "init"}]},
	{"file": "./include/linux/list.h", "lines": [{"line_number": 9, "count": 7, "function_name": "list_add"}]}]})";

const std::map<std::string, std::string> sources = {
	{"user/ring.c", "{\n\treturn -ENOMEM;\n\n\treturn b;\n"}, {"target_core_user.c", "init\n"}};

Lines one_boot()
{
	Lines lines;
	EXPECT_OK(add_gcov(lines, boot));
	return lines;
}

TEST(Coverage, OursByFileAndModule)
{
	Lines lines = one_boot();
	ASSERT_EQ(lines.size(), 2u);
	EXPECT_EQ(lines.at("user/ring.c").at(1).count, 3u);
	EXPECT_TRUE(lines.contains("target_core_user.c"));
	auto modules = by_module(lines);
	ASSERT_EQ(modules.size(), 1u);
	EXPECT_EQ(modules[0].name, "target_core_user");
	EXPECT_EQ(modules[0].lines, 4u);
	EXPECT_EQ(modules[0].executed, 2u);
	EXPECT_EQ(by_file(lines).size(), 2u);
}

TEST(Coverage, BootsAddUp)
{
	Lines lines = one_boot();
	EXPECT_OK(add_gcov(lines, R"({"files": [{"file": "drivers/target/user/ring.c", "lines": [
		{"line_number": 2, "count": 1, "function_name": "ring_a"}]}]})"));
	EXPECT_EQ(lines.at("user/ring.c").at(2).count, 1u);
	EXPECT_ERRNO(add_gcov(lines, "{}"), EINVAL);
}

TEST(Coverage, WhatNeverRanIsJudgedOrNot)
{
	Lines lines = one_boot();
	Judgement j = judge(lines, sources, {});
	ASSERT_EQ(j.uncovered.size(), 2u);
	EXPECT_EQ(j.uncovered[0].code, "return -ENOMEM;");
	EXPECT_EQ(j.unreached, std::vector<std::string>{"user/ring.c: ring_b"});

	j = judge(lines, sources, {{"user/ring.c", "ring_a", "return -ENOMEM;", "w"}, {"user/ring.c", "ring_b", "", "v"}});
	EXPECT_EQ(j.uncovered[0].why, "w");
	EXPECT_EQ(j.uncovered[1].why, "v");
	EXPECT_TRUE(j.unreached.empty());
	EXPECT_TRUE(j.stale.empty());

	j = judge(lines, sources, {{"user/ring.c", "ring_a", "return -EIO;", "w"}, {"user/gone.c", "f", "", "w"}});
	EXPECT_EQ(j.stale.size(), 2u);
}

TEST(Coverage, EntriesNeedAReason)
{
	EXPECT_OK(parse_judged(R"([{"file": "a", "function": "f", "why": "w"}])"));
	EXPECT_ERRNO(parse_judged(R"([{"file": "a", "function": "f", "why": ""}])"), EINVAL);
	EXPECT_ERRNO(parse_judged(R"([{"file": "a", "why": "w"}])"), EINVAL);
}

} // namespace
} // namespace lio::coverage
