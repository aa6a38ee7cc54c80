// SPDX-License-Identifier: GPL-2.0
// The length that a CDB asks for and the one that the initiator expects differ: residuals (SAM-5 5.4.3;
// RFC 7143 11.4.5 and FCP-4 9.5.8 to 9.5.11 as the fabrics' rules), and no stale byte.
#include <algorithm>

#include "gtest_result.hpp"
#include "pattern.hpp"
#include "tcmtest_stage.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

struct Case {
	const char *name;
	Cdb cdb;
	Data::Direction direction;
	uint32_t expected; ///< by the initiator, bytes
	uint32_t kcq; ///< 0: GOOD
	int64_t residual; ///< positive: underflow; negative: overflow
	uint32_t moved; ///< bytes of data-in
	uint32_t flags = 0;
};

constexpr auto in = Data::Direction::in, out = Data::Direction::out, none = Data::Direction::none;


Result<TestReply> run(TestStage &s, const Case &c, std::vector<uint8_t> &buf)
{
	Data data = c.direction == in ? Data::in(buf) : c.direction == out ? Data::out(buf) : Data::none();
	return s.io.execute_past_ua(s.a, {.cdb = c.cdb, .data = data, .flags = c.flags});
}

void check(TestStage &s, const Case &c)
{
	SCOPED_TRACE(c.name);
	std::vector<uint8_t> buf(c.expected, 0xa5);
	ASSERT_OK_AND_ASSIGN(TestReply r, run(s, c, buf));
	EXPECT_EQ(r.kcq(), c.kcq) << r;
	EXPECT_EQ(r.good(), !c.kcq) << r;
	EXPECT_EQ(r.data_len, c.direction == in ? c.moved : 0) << r;
	if (c.kcq)
		return; // with nothing moved the initiator has no use for a residual
	EXPECT_EQ(r.signed_residual(), c.residual) << r;
	EXPECT_EQ(r.overflow, c.residual < 0) << r;
	EXPECT_EQ(r.underflow, c.residual > 0) << r;
}

/// Runs each with memory of the core's and of the fabric's.
void check_all(TestStage &s, const std::vector<Case> &cases)
{
	for (Case c : cases) {
		check(s, c);
		c.flags |= TCMT_OWN_PAGES;
		check(s, c);
	}
}

TEST(TcmtestResidual, Reads)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	check_all(s, {
		{"equal", cdb::read(10, 0, 8), in, 4096, 0, 0, 4096},
		{"underflow", cdb::read(10, 0, 8), in, 8192, 0, 4096, 4096},
		{"overflow", cdb::read(10, 0, 8), in, 2048, 0, -2048, 2048},
		{"no blocks", cdb::read(10, 0, 0), in, 512, 0, 512, 0},
		{"16 byte CDB", cdb::read(16, 0, 8), in, 8192, 0, 4096, 4096},
		{"6 byte CDB", cdb::read(6, 0, 8), in, 2048, 0, -2048, 2048},
	});
}

TEST(TcmtestResidual, ReadsOfPartOfABlock)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	std::vector<uint8_t> data = pattern(1 << 20, 0, 9);
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute_past_ua(s.a, {.cdb = cdb::write(10, 0, 2048), .data = Data::out(data)}));
	ASSERT_TRUE(r.good()) << r;
	// More than a job reads at once, and less than a block.
	for (uint32_t expected : {1u, 200u, 1000u, 700001u}) {
		check(s, {"with memory of the core's", cdb::read(10, 0, 2048), in, expected, 0,
			  static_cast<int64_t>(expected) - (1 << 20), expected});
		std::vector<uint8_t> got(expected);
		ASSERT_OK_AND_ASSIGN(r, s.io.execute(s.a, {.cdb = cdb::read(10, 0, 2048), .data = Data::in(got)}));
		EXPECT_TRUE(std::equal(got.begin(), got.end(), data.begin())) << expected;
		check(s, {"with the fabric's own", cdb::read(10, 0, 2048), in, expected, 0x052400, 0, 0, TCMT_OWN_PAGES});
	}
}

TEST(TcmtestResidual, WritesOfBlocksMustAgree)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	check_all(s, {
		{"equal", cdb::write(10, 0, 8), out, 4096, 0, 0, 0},
		{"no blocks, no data", cdb::write(10, 0, 0), none, 0, 0, 0, 0},
	});
	for (uint32_t expected : {512u, 2048u, 8192u}) {
		std::vector<uint8_t> data = pattern(expected, 0, 7), back(8192);
		ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.a, {.cdb = cdb::write(10, 100, 8),
								       .data = Data::out(data)}));
		EXPECT_FALSE(r.good()) << r;
		EXPECT_EQ(r.kcq() & 0xffff, 0x0e03u) << r;
		ASSERT_OK_AND_ASSIGN(r, s.io.execute(s.a, {.cdb = cdb::read(10, 100, 16), .data = Data::in(back)}));
		EXPECT_EQ(back, std::vector<uint8_t>(8192)) << "part of what was refused is on the medium";
	}
}

TEST(TcmtestResidual, ParameterDataIn)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	check_all(s, {
		{"INQUIRY", cdb::inquiry(36), in, 36, 0, 0, 36},
		{"INQUIRY, more expected than allocated", cdb::inquiry(36), in, 255, 0, 219, 36},
		{"INQUIRY, less expected than allocated", cdb::inquiry(36), in, 20, 0, -16, 20},
		{"INQUIRY, nothing allocated", cdb::inquiry(0), in, 36, 0, 36, 0},
		{"READ CAPACITY (10)", cdb::read_capacity10(), in, 8, 0, 0, 8},
		{"READ CAPACITY (10), more expected", cdb::read_capacity10(), in, 96, 0, 88, 8},
		{"READ CAPACITY (10), less expected", cdb::read_capacity10(), in, 4, 0, -4, 4},
		{"READ CAPACITY (16)", cdb::read_capacity16(32), in, 64, 0, 32, 32},
		{"REPORT LUNS", cdb::report_luns(16), in, 16, 0, 0, 16},
		{"REPORT LUNS, shorter than allocated", cdb::report_luns(256), in, 256, 0, 240, 16},
		{"REPORT LUNS, more expected and allocated", cdb::report_luns(256), in, 512, 0, 496, 16},
		{"TEST UNIT READY with data expected", cdb::test_unit_ready(), in, 512, 0, 512, 0},
		{"TEST UNIT READY", cdb::test_unit_ready(), none, 0, 0, 0, 0},
	});
}

TEST(TcmtestResidual, ParameterDataOut)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	check_all(s, {
		{"MODE SELECT without parameters", cdb::mode_select(6, 0), none, 0, 0, 0, 0},
		{"TEST UNIT READY with data to send", cdb::test_unit_ready(), out, 512, 0, 512, 0},
	});
}

TEST(TcmtestResidual, TheCdbsLengthCountsWhereTheFabricKnowsNone)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	check(s, {"READ", cdb::read(10, 0, 2), in, 4096, 0, 0, 1024, TCMT_UNKNOWN_SIZE});
	check(s, {"INQUIRY", cdb::inquiry(36), in, 4096, 0, 0, 36, TCMT_UNKNOWN_SIZE});
}

TEST(TcmtestResidual, NothingBehindTheDataIsWritten)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	for (uint32_t flags : {0u, uint32_t(TCMT_OWN_PAGES)}) {
		std::vector<uint8_t> buf(4096, 0xa5);
		ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.a, {.cdb = cdb::report_luns(4096),
								       .data = Data::in(buf), .flags = flags}));
		ASSERT_TRUE(r.good()) << r;
		ASSERT_EQ(r.data_len, 16u);
		EXPECT_TRUE(std::all_of(buf.begin() + 16, buf.end(), [](uint8_t c) { return c == 0xa5; }));
	}
}

TEST(TcmtestResidual, BlocksOf4096)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create({{"block_size", "4096"}}));
	check_all(s, {
		{"equal", cdb::read(10, 0, 2), in, 8192, 0, 0, 8192},
		{"underflow", cdb::read(10, 0, 2), in, 16384, 0, 8192, 8192},
		{"overflow", cdb::read(10, 0, 2), in, 4096, 0, -4096, 4096},
		{"INQUIRY, more expected than allocated", cdb::inquiry(36), in, 255, 0, 219, 36},
	});
}

TEST(TcmtestResidual, AFailedReadMovesNothing)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	std::vector<uint8_t> buf(4096, 0xa5);
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.a, {.cdb = cdb::read(10, TestStage::bytes / 512, 8),
							       .data = Data::in(buf)}));
	EXPECT_EQ(r.kcq(), 0x052100u) << r;
	EXPECT_EQ(r.data_len, 0u);
	EXPECT_EQ(buf, std::vector<uint8_t>(4096, 0xa5));
}

} // namespace
} // namespace lio::test
