// SPDX-License-Identifier: GPL-2.0
// What a peer can make the core keep, allocate or wait for has a bound.
#include "gtest_result.hpp"
#include "pattern.hpp"
#include "seed.hpp"
#include "tcmtest_stage.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

class TcmtestBound : public testing::Test {
protected:
	std::vector<uint8_t> data_ = pattern(512, 0, 9), buf_ = std::vector<uint8_t>(512);

	TestCommand read(uint32_t flags = 0, TaskAttribute attribute = TaskAttribute::simple)
	{
		return {.cdb = cdb::read(10, 0, 1), .data = Data::in(buf_), .flags = flags, .attribute = attribute};
	}
};

/// An allocation length of many megabytes is no reason to have that many (SPC-4 4.2.5.6).
TEST_F(TcmtestBound, ParameterDataOfAnyAllocationLength)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	std::vector<uint8_t> buf(TCMT_MAX_DATA, 0xa5);
	Cdb report_luns(12);
	report_luns[0] = 0xa0;
	report_luns.be(6, 4, buf.size());
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute_past_ua(s.a, {.cdb = report_luns, .data = Data::in(buf)}));
	ASSERT_TRUE(r.good()) << r;
	EXPECT_EQ(r.data_len, 16u) << r;
	EXPECT_TRUE(r.underflow && !r.overflow) << r;
	EXPECT_EQ(r.residual, buf.size() - 16) << r;
	EXPECT_EQ(std::vector<uint8_t>(buf.begin(), buf.begin() + 8), (std::vector<uint8_t>{0, 0, 0, 8, 0, 0, 0, 0}));
}

TEST_F(TcmtestBound, ARefusedResponseThatHasNoLun)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	for (uint32_t flags : {0u, uint32_t(TCMT_ACK)}) {
		ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.a, {.cdb = cdb::test_unit_ready(), .lun = 9, .flags = flags,
								     .response_full = 3}));
		EXPECT_EQ(r.kcq(), 0x052500u) << r;
	}
}

/// The ORDERED command that others wait for is another port's, and nobody knows when it ends.
TEST_F(TcmtestBound, WhatWaitsForAnOrderedCommandEndsWithItsLun)
{
	if (!core_is_ours())
		return;
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(TestPort port, TestPort::create(fresh_wwn(), 2, true));
	ASSERT_OK(port.add_lun(0, s.store));
	ASSERT_OK_AND_ASSIGN(uint32_t nexus, s.io.login(port, initiator_b));
	ASSERT_OK(s.io.settle(nexus, 0));
	ASSERT_OK_AND_ASSIGN(uint64_t running, s.io.submit(s.a, read(TCMT_HANG_RESPONSE, TaskAttribute::ordered)));
	ASSERT_OK(s.io.wait(running, TCMT_RESPONSE_HELD));
	ASSERT_OK_AND_ASSIGN(uint64_t behind, s.io.submit(nexus, read()));
	Stopwatch watch;
	ASSERT_OK(unlink_within(port.path() + "/lun/lun_0/link", seconds(25)));
	EXPECT_LT(watch.seconds(), 20) << "as long as it waits for commands";
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.wait_reply(behind));
	EXPECT_EQ(r.kcq(), 0x052500u) << r;
	EXPECT_FALSE(s.io.has(running, TCMT_RESPONSE));
	ASSERT_OK(s.io.release(s.a, running));
	ASSERT_OK_AND_ASSIGN(r, s.io.wait_reply(running));
	EXPECT_TRUE(r.good()) << r;
	port.release();
	ASSERT_OK(remove_dir_within(port.path() + "/lun/lun_0", seconds(25)));
	ASSERT_OK(remove_dir_within(port.path(), seconds(25)));
	ASSERT_OK(remove_dir_within(target_root + "/tcmtest/" + port.wwn(), seconds(25)));
}

/// A fabric that never asks for the data, and one that never takes the response.
TEST_F(TcmtestBound, WhatAFabricNeverTakesEndsByTheDeadline)
{
	// The distribution's core tries for ever; 30 s are long for the check tier.
	if (!core_is_ours() || tier() == Tier::check)
		return;
	expect_dmesg("does not take a response", Need::optional);
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	TestCommand write{.cdb = cdb::write(10, 0, 1), .data = Data::out(data_), .data_full = UINT32_MAX};
	ASSERT_OK_AND_ASSIGN(uint64_t unasked, s.io.submit(s.a, write));
	TestCommand untaken = read(TCMT_ACK);
	untaken.response_full = UINT32_MAX;
	ASSERT_OK_AND_ASSIGN(uint64_t lost, s.io.submit(s.b, untaken));
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.wait_reply(unasked, seconds(60)));
	EXPECT_EQ(r.kcq(), 0x020800u) << r;
	ASSERT_OK_AND_ASSIGN(tcmt_event event, s.io.wait(lost, TCMT_RELEASED, seconds(60)));
	EXPECT_TRUE(event.flags & TCMT_ABORTED);
	EXPECT_FALSE(s.io.has(lost, TCMT_RESPONSE));
	// The nexus goes on, and nothing was written.
	buf_.assign(512, 0xff);
	ASSERT_OK_AND_ASSIGN(r, s.io.execute(s.b, read()));
	EXPECT_TRUE(r.good()) << r;
	EXPECT_EQ(buf_, std::vector<uint8_t>(512));
}

} // namespace
} // namespace lio::test
