// SPDX-License-Identifier: GPL-2.0
#include "kmemleak.hpp"

#include <gtest/gtest.h>

namespace lio::test {
namespace {

constexpr char report[] = R"(unreferenced object 0xffff888003f1c000 (size 96):
  comm "guest-loop", pid 120, jiffies 4294940000
  hex dump (first 32 bytes):
    00 01 00 00 00 00 ad de 22 01 00 00 00 00 ad de  ........".......
  backtrace (crc 1a2b3c4d):
    __kmalloc_cache_noprof+0x123/0x456
    0xffffffffc0001234
    configfs_mkdir+0x10/0x20
unreferenced object 0xffff888003f1d000 (size 8):
  comm "rmmod", pid 121, jiffies 4294940500
  backtrace (crc 0):
    0xffffffffc0001001
)";

TEST(Kmemleak, EachObjectWithItsTime)
{
	auto leaks = parse_kmemleak(report);
	ASSERT_EQ(leaks.size(), 2u);
	EXPECT_EQ(leaks[0].size, 96u);
	EXPECT_EQ(leaks[0].jiffies, 4294940000u);
	EXPECT_NE(leaks[0].text.find("configfs_mkdir"), std::string::npos);
	EXPECT_EQ(leaks[1].size, 8u);
	EXPECT_EQ(leaks[1].jiffies, 4294940500u);
	EXPECT_TRUE(parse_kmemleak("nothing\nof interest\n").empty());
}

TEST(Kmemleak, AddressesOfAModuleThatIsGoneGetTheirNames)
{
	SymbolTable symbols = SymbolTable::parse("ffffffff81000000 T _text\n"
						 "ffffffffc0001000 t make_tpg\t[tcm_loop]\n"
						 "ffffffffc0001200 t make_lun\t[tcm_loop]\n"
						 "ffffffffc0002000 d a_table\t[tcm_loop]\n");
	std::string text = symbols.resolve(report);
	EXPECT_NE(text.find("    make_lun+0x34 [tcm_loop]\n"), std::string::npos) << text;
	EXPECT_NE(text.find("    make_tpg+0x1 [tcm_loop]\n"), std::string::npos) << text;
	EXPECT_NE(text.find("    configfs_mkdir+0x10/0x20\n"), std::string::npos) << text;
	EXPECT_EQ(SymbolTable().resolve("    0xffffffffc0001234\n"), "    0xffffffffc0001234\n");
}

TEST(Kmemleak, TheTestThatRanThen)
{
	TestTimes times;
	EXPECT_EQ(times.at(5), "");
	times.begin(100, "A.one");
	times.begin(200, "A.two");
	EXPECT_EQ(times.at(99), "");
	EXPECT_EQ(times.at(100), "A.one");
	EXPECT_EQ(times.at(199), "A.one");
	EXPECT_EQ(times.at(1000), "A.two");
}

} // namespace
} // namespace lio::test
