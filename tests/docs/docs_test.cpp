// SPDX-License-Identifier: GPL-2.0
#include "docs.hpp"

#include "gtest_result.hpp"

namespace lio::docs {
namespace {

TEST(Docs, TableOfDifferences)
{
	ASSERT_OK_AND_ASSIGN(std::string table, difference_table(R"([{"what": "a|b", "stock": "1", "ours": "x\ny"},
								      {"what": "c", "stock": 2, "ours": ""}])"));
	EXPECT_EQ(table, "| what | stock | ours |\n| --- | --- | --- |\n| a\\|b | 1 | x y |\n| c | 2 |  |\n");
	ASSERT_OK_AND_ASSIGN(std::string none, difference_table("[]"));
	EXPECT_EQ(none, "None.\n");
	EXPECT_ERRNO(difference_table("{}"), EINVAL);
	EXPECT_ERRNO(difference_table(R"([{"what": "a"}, {"other": "b"}])"), EINVAL);
}

TEST(Docs, RelativeLinksOnly)
{
	EXPECT_EQ(relative_links("[a](x.md) [b](https://e.org/) [c](#here) [d](../y.md#there)"),
		  (std::vector<std::string>{"x.md", "../y.md"}));
}

TEST(Docs, FencedBlocks)
{
	using Blocks = std::vector<std::string>;
	EXPECT_EQ(fenced_blocks("t\n```sh\nls\n```\n\n```cpp\nint a;\nint b;\n```\n```cpp\nc\n```\n", "```cpp"),
		  (Blocks{"int a;\nint b;\n", "c\n"}));
	EXPECT_EQ(fenced_blocks("no block", "```cpp"), Blocks());
	EXPECT_EQ(fenced_blocks("\n```cpp\nnever closed", "```cpp"), Blocks());
	EXPECT_EQ(fenced_blocks("\n```sh guest\nls\n```\n", "```sh"), Blocks());
}

} // namespace
} // namespace lio::docs
