// SPDX-License-Identifier: GPL-2.0
// Fabrics that cannot take a response or ask for data yet, never deliver one, or lose the initiator.
#include "gtest_result.hpp"
#include "pattern.hpp"
#include "tcmtest_stage.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

class TcmtestResponse : public testing::Test {
protected:
	std::vector<uint8_t> data_ = pattern(512, 0, 5), buf_ = std::vector<uint8_t>(512);

	TestCommand write(uint32_t flags = 0)
	{
		return {.cdb = cdb::write(10, 0, 1), .data = Data::out(data_), .flags = flags};
	}
	static TestCommand of_lun_1(TestCommand command)
	{
		command.lun = 1;
		return command;
	}
	TestCommand read(uint32_t flags = 0, TaskAttribute attribute = TaskAttribute::simple)
	{
		return {.cdb = cdb::read(10, 0, 1), .data = Data::in(buf_), .flags = flags, .attribute = attribute};
	}
};

TEST_F(TcmtestResponse, ARefusedResponseIsOfferedAgain)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(TestReply w, s.io.execute(s.a, write()));
	ASSERT_TRUE(w.good()) << w;
	for (int error : {EAGAIN, ENOMEM}) {
		for (uint32_t flags : {0u, uint32_t(TCMT_ACK)}) {
			TestCommand command = read(flags);
			command.response_full = 3;
			command.full_errno = error;
			std::fill(buf_.begin(), buf_.end(), 0);
			ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.a, command));
			EXPECT_TRUE(r.good()) << r;
			EXPECT_EQ(buf_, data_);
			// Status without data, and sense data.
			command = {.cdb = cdb::test_unit_ready(), .flags = flags, .response_full = 2, .full_errno = error};
			ASSERT_OK_AND_ASSIGN(r, s.io.execute(s.a, command));
			EXPECT_TRUE(r.good()) << r;
			command.cdb[0] = 0xff;
			ASSERT_OK_AND_ASSIGN(r, s.io.execute(s.a, command));
			EXPECT_EQ(r.kcq(), 0x052000u) << r;
		}
	}
	EXPECT_TRUE(s.io.pending().empty()) << "a response more than there were commands";
}

TEST_F(TcmtestResponse, ARefusedRequestForDataIsMadeAgain)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	for (int error : {EAGAIN, ENOMEM}) {
		TestCommand command = write();
		command.data_full = 3;
		command.response_full = 1;
		command.full_errno = error;
		ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.a, command));
		EXPECT_TRUE(r.good()) << r;
		ASSERT_OK_AND_ASSIGN(r, s.io.execute(s.a, read()));
		EXPECT_EQ(buf_, data_);
	}
}

TEST_F(TcmtestResponse, ManyAreRefusedAtATime)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	std::vector<uint64_t> tags;
	std::vector<std::vector<uint8_t>> bufs(64, std::vector<uint8_t>(512));
	for (auto &buf : bufs) {
		ASSERT_OK_AND_ASSIGN(uint64_t tag, s.io.submit(s.a, {.cdb = cdb::read(10, 0, 1), .data = Data::in(buf),
								     .response_full = 2}));
		tags.push_back(tag);
	}
	for (uint64_t tag : tags) {
		ASSERT_OK_AND_ASSIGN(TestReply r, s.io.wait_reply(tag));
		EXPECT_TRUE(r.good()) << r;
		ASSERT_OK(s.io.wait(tag, TCMT_RELEASED));
	}
	EXPECT_TRUE(s.io.pending().empty());
}

/// All that can be under way when an initiator goes.
TEST_F(TcmtestResponse, ANexusEndsWithCommandsInEveryState)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	std::vector<uint64_t> tags;
	auto send = [&](const TestCommand &command, std::optional<tcmt_event_type> until) -> Status {
		LIO_TRY(uint64_t tag, s.io.submit(s.a, command));
		tags.push_back(tag);
		if (until)
			LIO_CHECK(s.io.wait(tag, *until));
		return {};
	};
	ASSERT_OK(send(write(TCMT_HOLD_DATA), TCMT_DATA_WANTED));
	ASSERT_OK(send(write(TCMT_HOLD_DATA | TCMT_ACK), TCMT_DATA_WANTED));
	ASSERT_OK(send(read(TCMT_HOLD_RESPONSE), TCMT_RESPONSE_HELD));
	ASSERT_OK(send(write(TCMT_DROP_RESPONSE), {}));
	ASSERT_OK(send(read(TCMT_DROP_RESPONSE), {}));
	ASSERT_OK(send(read(TCMT_HANG_RESPONSE), TCMT_RESPONSE_HELD));
	TestCommand full = read();
	full.response_full = 5;
	ASSERT_OK(send(full, {}));
	ASSERT_OK(send(read(0, TaskAttribute::ordered), {}));
	ASSERT_OK(send(read(), {}));
	ASSERT_OK(s.io.logout(s.a));
	for (uint64_t tag : tags)
		EXPECT_OK(s.io.wait(tag, TCMT_RELEASED));
	for (size_t i : {2, 3, 4})
		EXPECT_FALSE(s.io.has(tags[i], TCMT_RESPONSE)) << "command " << i;
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.b, read(0, TaskAttribute::ordered)));
	EXPECT_TRUE(r.good()) << r;
	EXPECT_EQ(buf_, data_) << "the write that was dropped afterwards was executed";
}

TEST_F(TcmtestResponse, ANexusEndsWithFunctionsUnderWay)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	for (Tmf function : {Tmf::abort_task, Tmf::lun_reset}) {
		ASSERT_OK_AND_ASSIGN(uint32_t nexus, s.io.login(s.port, initiator_a, 7));
		ASSERT_OK(s.io.settle(nexus, 0));
		ASSERT_OK_AND_ASSIGN(uint64_t held, s.io.submit(nexus, write(TCMT_HOLD_DATA | TCMT_ACK)));
		ASSERT_OK(s.io.wait(held, TCMT_DATA_WANTED));
		ASSERT_OK_AND_ASSIGN(uint64_t tmf, s.io.tmf(nexus, function, 0, held));
		ASSERT_OK(s.io.logout(nexus));
		EXPECT_OK(s.io.wait(held, TCMT_RELEASED));
		EXPECT_OK(s.io.wait(tmf, TCMT_RELEASED));
	}
}

TEST_F(TcmtestResponse, AResponseOnItsWayDoesNotHoldItsLun)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(TestPort port, TestPort::create(fresh_wwn(), 2, true));
	ASSERT_OK(port.add_lun(1, s.store));
	ASSERT_OK_AND_ASSIGN(uint32_t nexus, s.io.login(port, initiator_b));
	ASSERT_OK(s.io.settle(nexus, 1));
	ASSERT_OK_AND_ASSIGN(uint64_t held, s.io.submit(nexus, of_lun_1(read(TCMT_HOLD_RESPONSE))));
	ASSERT_OK(s.io.wait(held, TCMT_RESPONSE_HELD));
	ASSERT_OK(unlink_within(port.path() + "/lun/lun_1/link", seconds(25)));
	port.release();
	ASSERT_OK(remove_dir_within(port.path() + "/lun/lun_1", seconds(25)));
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(nexus, of_lun_1(read())));
	EXPECT_EQ(r.kcq(), 0x052500u) << r;
	// The TPG goes, and takes its nexus and what is held along.
	ASSERT_OK(remove_dir_within(port.path(), seconds(25)));
	ASSERT_OK(s.io.wait(held, TCMT_RELEASED));
	EXPECT_FALSE(s.io.has(held, TCMT_RESPONSE));
	ASSERT_OK(remove_dir_within(target_root + "/tcmtest/" + port.wwn(), seconds(25)));
}

} // namespace
} // namespace lio::test
