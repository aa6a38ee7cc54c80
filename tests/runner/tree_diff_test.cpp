// SPDX-License-Identifier: GPL-2.0
#include "tree_diff.hpp"

#include "gtest_result.hpp"

namespace lio::check {
namespace {

const test::TreeRecord stock = {{"a", {{"mode", "0644"}, {"value", "1"}}}, {"b", {{"mode", "0444"}}}};

TEST(TreeDiff, EqualTreesAreFine)
{
	Verdict v = compare(stock, stock, {}, "6.12");
	EXPECT_EQ(v.same, 3u);
	EXPECT_TRUE(v.unexplained.empty());
	EXPECT_TRUE(v.unused.empty());
}

TEST(TreeDiff, ValueMissingAndAdditionalAreDifferences)
{
	test::TreeRecord ours = {{"a", {{"mode", "0644"}, {"value", "2"}}}, {"c", {{"mode", "0444"}}}};
	Verdict v = compare(stock, ours, {}, "6.12");
	ASSERT_EQ(v.unexplained.size(), 3u);
	EXPECT_EQ(v.unexplained[0].field, "value");
	EXPECT_EQ(v.unexplained[1].ours, "(none)");
	EXPECT_EQ(v.unexplained[2].stock, "(none)");
}

TEST(TreeDiff, AnEntryExplainsExactlyOneField)
{
	test::TreeRecord ours = stock;
	ours["a"]["value"] = "2";
	Difference d{"a", "value", "any", "1", "2", "bug", "rtslib"};
	EXPECT_EQ(compare(stock, ours, {d}, "6.1").explained, 1u);
	ours["a"]["value"] = "3"; // not what the entry says
	Verdict v = compare(stock, ours, {d}, "6.1");
	EXPECT_EQ(v.unexplained.size(), 1u);
	EXPECT_EQ(v.unused.size(), 1u);
	d.kernel = "6.12"; // an entry of the other kernel is neither used nor unused
	EXPECT_TRUE(compare(stock, stock, {d}, "6.1").unused.empty());
	EXPECT_EQ(compare(stock, stock, {d}, "6.12").unused.size(), 1u);
}

TEST(TreeDiff, EntriesAreExactAndReviewed)
{
	EXPECT_ERRNO(parse_differences("[{}]"), EINVAL);
	std::string entry = R"([{"attribute": "a*", "field": "value", "kernel": "any", "stock": "1", "ours": "2",
		"reason": "r", "client": "c"}])";
	EXPECT_ERRNO(parse_differences(entry), EINVAL);
	entry.replace(entry.find("a*"), 2, "ab");
	ASSERT_OK_AND_ASSIGN(auto list, parse_differences(entry));
	EXPECT_EQ(list.size(), 1u);
	entry.replace(entry.find("\"r\""), 3, "\"\"");
	EXPECT_ERRNO(parse_differences(entry), EINVAL);
}

} // namespace
} // namespace lio::check
