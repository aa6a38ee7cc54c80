// SPDX-License-Identifier: GPL-2.0
#include "cdb.hpp"
#include "sense.hpp"

#include <gtest/gtest.h>

namespace lio::test {
namespace {

TEST(Cdb, ReadsAndWritesOfEveryLength)
{
	EXPECT_EQ(cdb::read(6, 0x12345, 8).hex(), "08 01 23 45 08 00");
	EXPECT_EQ(cdb::read(10, 0x01020304, 0x506).hex(), "28 00 01 02 03 04 00 05 06 00");
	EXPECT_EQ(cdb::write(12, 1, 2, {.fua = true}).hex(), "aa 08 00 00 00 01 00 00 00 02 00 00");
	EXPECT_EQ(cdb::write(16, 0x0102030405060708, 9, {.dpo = true, .protect = 1}).hex(),
		  "8a 30 01 02 03 04 05 06 07 08 00 00 00 09 00 00");
	EXPECT_EQ(cdb::read(32, 7, 3, {.protect = 1}).hex(),
		  "7f 00 00 00 00 00 00 18 00 09 20 00 00 00 00 00 00 00 00 07 00 00 00 07 "
		  "00 00 00 00 00 00 00 03");
}

TEST(Cdb, BlockCommands)
{
	EXPECT_EQ(cdb::verify(10, 1, 2, 1).hex(), "2f 02 00 00 00 01 00 00 02 00");
	EXPECT_EQ(cdb::write_same(16, 1, 2, {.unmap = true, .ndob = true}).hex(),
		  "93 09 00 00 00 00 00 00 00 01 00 00 00 02 00 00");
	EXPECT_EQ(cdb::compare_and_write(5, 1).hex(), "89 00 00 00 00 00 00 00 00 05 00 00 00 01 00 00");
	EXPECT_EQ(cdb::sync_cache(10, 0, 0, true).hex(), "35 02 00 00 00 00 00 00 00 00");
	EXPECT_EQ(cdb::unmap(24).hex(), "42 00 00 00 00 00 00 00 18 00");
	EXPECT_EQ(cdb::read_capacity16().hex(), "9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00");
}

TEST(Cdb, PrimaryCommands)
{
	EXPECT_EQ(cdb::inquiry_vpd(0x83, 0x100).hex(), "12 01 83 01 00 00");
	EXPECT_EQ(cdb::mode_sense(10, 0x0a, 0, 0x1ff, 1, true).hex(), "5a 08 4a 00 00 00 00 01 ff 00");
	EXPECT_EQ(cdb::mode_select(6, 24).hex(), "15 10 00 00 18 00");
	EXPECT_EQ(cdb::report_luns(16).hex(), "a0 00 00 00 00 00 00 00 00 10 00 00");
	EXPECT_EQ(cdb::rsoc_one(0x88, 0, 1, 64).hex(), "a3 0c 01 88 00 00 00 00 00 40 00 00");
	EXPECT_EQ(cdb::pr_out(1, 5).hex(), "5f 01 05 00 00 00 00 00 18 00");
	EXPECT_EQ(cdb::pr_in(0, 8).hex(), "5e 00 00 00 00 00 00 00 08 00");
	EXPECT_EQ(cdb::rtpg(512, true).hex(), "a3 2a 00 00 00 00 00 00 02 00 00 00");
}

TEST(Sense, Fixed)
{
	std::vector<uint8_t> raw = {0xf0, 0, 0x05, 0, 0, 1, 2, 10, 0, 0, 0, 0, 0x24, 0x00, 0, 0xcf, 0x00, 0x02};
	auto s = decode_sense(raw);
	ASSERT_TRUE(s);
	EXPECT_EQ(s->kcq(), 0x052400u);
	EXPECT_EQ(s->information, 0x102u);
	EXPECT_EQ(s->field_pointer, 2u);
	EXPECT_TRUE(s->field_in_cdb);
	EXPECT_FALSE(s->descriptor);
}

TEST(Sense, Descriptor)
{
	std::vector<uint8_t> raw = {0x72, 0x0e, 0x1d, 0x00, 0, 0, 0, 12, 0x00, 0x0a, 0x80, 0, 0, 0, 0, 0, 0, 0, 2, 0};
	auto s = decode_sense(raw);
	ASSERT_TRUE(s);
	EXPECT_EQ(s->kcq(), 0x0e1d00u);
	EXPECT_EQ(s->information, 512u);
	EXPECT_TRUE(s->descriptor);
}

TEST(Sense, BoundsAreTheDatasOwn)
{
	EXPECT_FALSE(decode_sense({}));
	EXPECT_FALSE(decode_sense(std::vector<uint8_t>{0x00, 1, 2, 3}));
	EXPECT_FALSE(decode_sense(std::vector<uint8_t>{0x70, 0}));
	// A descriptor that claims to be longer than the data is not read.
	std::vector<uint8_t> raw = {0x72, 0x05, 0x24, 0x00, 0, 0, 0, 250, 0x00, 0xf0, 0x80};
	auto s = decode_sense(raw);
	ASSERT_TRUE(s);
	EXPECT_FALSE(s->information);
	// ADDITIONAL SENSE LENGTH 0: no ASC to be read.
	std::vector<uint8_t> fixed = {0x70, 0, 0x06, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x29, 0x00};
	EXPECT_EQ(decode_sense(fixed)->kcq(), 0x060000u);
}

TEST(BigEndian, RoundTrip)
{
	uint8_t b[5];
	put_be(b, 0x1234567890);
	EXPECT_EQ(b[0], 0x12);
	EXPECT_EQ(get_be(b), 0x1234567890u);
}

} // namespace
} // namespace lio::test
