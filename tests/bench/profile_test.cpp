// SPDX-License-Identifier: GPL-2.0
#include "profile.hpp"

#include <gtest/gtest.h>

namespace lio::bench {
namespace {

const char symbols[] = "ffffffff81000000 T kernel_one\n"
		       "ffffffff81000100 t kernel_two\n"
		       "ffffffff81000180 D some_data\n"
		       "ffffffffc0000000 t drain\t[target_core_user]\n";

SymbolTable kernel_table()
{
	SymbolTable table;
	table.add_kallsyms(symbols);
	return table;
}

TEST(Symbols, FindByAddress)
{
	SymbolTable table = kernel_table();
	EXPECT_EQ(table.find(0xffffffff81000000).name, "kernel_one");
	EXPECT_TRUE(table.find(0xffffffff81000100).start);
	// Data symbols do not end a function's reach.
	EXPECT_EQ(table.find(0xffffffff81000190).name, "kernel_two");
	EXPECT_FALSE(table.find(0xffffffff81000190).start);
	EXPECT_EQ(table.find(0xffffffffc0000010).name, "drain [target_core_user]");
	EXPECT_EQ(table.find(0xffffffff80000000).name, "[unknown]");
	EXPECT_EQ(table.find(0x7f0000000000).module, "[user]");
}

TEST(Symbols, FindInPrograms)
{
	SymbolTable table;
	table.add_maps("5000000-5001000 r--p 00000000 fe:00 1 /opt/lio/bin/tcmu-null\n"
		       "5001000-5003000 r-xp 00001000 fe:00 1 /opt/lio/bin/tcmu-null\n"
		       "7000000-7001000 r-xp 00000000 fe:00 2 /lib/libc.so.6\n");
	table.add_program("tcmu-null", "0000000000001100 T tcmu::Ring::fetch(unsigned int, int)\n                 U read\n");
	EXPECT_EQ(table.find(0x5001100).name, "tcmu::Ring::fetch(unsigned int, int) [tcmu-null]");
	EXPECT_TRUE(table.find(0x5001100).start);
	EXPECT_EQ(table.find(0x5001104).module, "tcmu-null");
	EXPECT_EQ(table.find(0x5001000).name, "tcmu-null");
	EXPECT_EQ(table.find(0x7000010).name, "libc.so.6");
	EXPECT_EQ(table.find(0x5000800).name, "[user]");
}

TEST(Profile, SumsInstructionsAndCalls)
{
	auto costs = sum_profile("ffffffffc0000000 5 10\nffffffffc0000020 3 20\nffffffff81000000 1 7\n",
				 kernel_table());
	ASSERT_TRUE(costs.ok());
	ASSERT_EQ(costs->size(), 2u);
	EXPECT_EQ((*costs)[0].name, "drain [target_core_user]");
	EXPECT_DOUBLE_EQ((*costs)[0].instructions, 110);
	EXPECT_DOUBLE_EQ((*costs)[0].calls, 10);
	EXPECT_NE(profile_table("t", *costs, 10).find("drain [target_core_user]"), std::string::npos);
	EXPECT_EQ(sum_profile("nonsense\n", kernel_table()).code(), EINVAL);
}

TEST(Profile, DifferenceHasWhatOnlyOneHas)
{
	std::vector<SymbolCost> stock{{"gone", "[kernel]", 1000, 10}, {"same", "[kernel]", 500, 10}};
	std::vector<SymbolCost> ours{{"same", "[kernel]", 500, 10}, {"new", "[kernel]", 300, 10}};
	std::string text = profile_difference(stock, ours, 10);
	EXPECT_NE(text.find("gone"), std::string::npos);
	EXPECT_NE(text.find("new"), std::string::npos);
	EXPECT_EQ(text.find("same"), std::string::npos);
}

} // namespace
} // namespace lio::bench
