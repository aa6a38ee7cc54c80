// SPDX-License-Identifier: GPL-2.0
// Task attributes (SAM-5 8.6). A command is made to run for as long as a test likes by a fabric whose
// queue_data_in does not return. Only the order of events decides.
#include <algorithm>

#include "gtest_result.hpp"
#include "pattern.hpp"
#include "tcmtest_stage.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

class TcmtestOrder : public testing::Test {
protected:
	std::vector<uint8_t> buf_ = std::vector<uint8_t>(512);

	TestCommand read(TaskAttribute attribute, uint32_t flags = 0)
	{
		return {.cdb = cdb::read(10, 0, 1), .data = Data::in(buf_), .flags = flags, .attribute = attribute};
	}

	/// A command of nexus @nexus that runs until it is released.
	Result<uint64_t> start_hanging(TestStage &s, uint32_t nexus, TaskAttribute attribute)
	{
		LIO_TRY(uint64_t tag, s.io.submit(nexus, read(attribute, TCMT_HANG_RESPONSE)));
		LIO_CHECK(s.io.wait(tag, TCMT_RESPONSE_HELD));
		return tag;
	}

	/// The tags of responses as they come, until @n are there.
	Result<std::vector<uint64_t>> responses(TestStage &s, size_t n)
	{
		std::vector<uint64_t> tags;
		while (tags.size() < n) {
			LIO_TRY(tcmt_event event, s.io.next());
			if (event.type == TCMT_RESPONSE)
				tags.push_back(event.tag);
		}
		return tags;
	}
};

TEST_F(TcmtestOrder, AnOrderedCommandWaitsAndHeadOfQueueDoesNot)
{
	for (const auto &type : submit_types()) {
		ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
		ASSERT_OK_AND_ASSIGN(uint64_t running, start_hanging(s, s.a, TaskAttribute::simple));
		stay_on_one_cpu();
		for (const auto &[name, value] : type) // now: it would hang in the queue that the others go through
			ASSERT_OK(s.store.set(name, value));
		ASSERT_OK_AND_ASSIGN(uint64_t ordered, s.io.submit(s.a, read(TaskAttribute::ordered)));
		ASSERT_OK_AND_ASSIGN(uint64_t behind, s.io.submit(s.b, read(TaskAttribute::simple)));
		ASSERT_OK_AND_ASSIGN(uint64_t head, s.io.submit(s.b, read(TaskAttribute::head_of_queue)));
		ASSERT_OK_AND_ASSIGN(auto first, responses(s, 1));
		EXPECT_EQ(first, (std::vector<uint64_t>{head}));
		ASSERT_OK(s.io.release(s.a, running));
		ASSERT_OK_AND_ASSIGN(auto rest, responses(s, 3));
		EXPECT_EQ(rest, (std::vector<uint64_t>{running, ordered, behind}));
	}
}

TEST_F(TcmtestOrder, NothingPassesARunningOrderedCommand)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(uint64_t ordered, start_hanging(s, s.a, TaskAttribute::ordered));
	std::vector<uint64_t> behind;
	for (uint32_t nexus : {s.a, s.b, s.a, s.b}) {
		ASSERT_OK_AND_ASSIGN(uint64_t tag, s.io.submit(nexus, read(TaskAttribute::simple)));
		behind.push_back(tag);
	}
	ASSERT_OK_AND_ASSIGN(TestReply head, s.io.execute(s.b, read(TaskAttribute::head_of_queue)));
	EXPECT_TRUE(head.good()) << head;
	ASSERT_OK(s.io.release(s.a, ordered));
	ASSERT_OK_AND_ASSIGN(auto tags, responses(s, 5));
	EXPECT_EQ(tags.front(), ordered);
	std::sort(tags.begin() + 1, tags.end());
	EXPECT_EQ(std::vector<uint64_t>(tags.begin() + 1, tags.end()), behind);
}

TEST_F(TcmtestOrder, OrderedCommandsRunOneAfterTheOther)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(uint64_t first, start_hanging(s, s.a, TaskAttribute::ordered));
	std::vector<uint64_t> expected{first};
	for (int i = 0; i < 16; i++) {
		ASSERT_OK_AND_ASSIGN(uint64_t tag, s.io.submit(i % 2 ? s.a : s.b, read(TaskAttribute::ordered)));
		expected.push_back(tag);
	}
	ASSERT_OK(s.io.release(s.a, first));
	ASSERT_OK_AND_ASSIGN(auto tags, responses(s, expected.size()));
	EXPECT_EQ(tags, expected);
}

/// An acknowledgement that comes while the core still tidies up must not count the command out twice:
/// an ORDERED command would overtake a SIMPLE one from then on.
TEST_F(TcmtestOrder, EarlyAcknowledgementsDoNotUpsetTheCount)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	for (int i = 0; i < 400; i++) {
		const uint32_t nexus = i % 2 ? s.a : s.b;
		ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(nexus, read(TaskAttribute::simple, TCMT_ACK)));
		ASSERT_TRUE(r.good()) << r;
	}
	ASSERT_OK_AND_ASSIGN(uint64_t running, start_hanging(s, s.a, TaskAttribute::simple));
	ASSERT_OK_AND_ASSIGN(uint64_t ordered, s.io.submit(s.a, read(TaskAttribute::ordered)));
	ASSERT_OK_AND_ASSIGN(TestReply head, s.io.execute(s.b, read(TaskAttribute::head_of_queue)));
	EXPECT_TRUE(head.good()) << head;
	ASSERT_OK(s.io.release(s.a, running));
	ASSERT_OK_AND_ASSIGN(auto tags, responses(s, 2));
	EXPECT_EQ(tags, (std::vector<uint64_t>{running, ordered}));
}

TEST_F(TcmtestOrder, AWriteWhoseDataAreAwaitedHoldsUpNobody)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	std::vector<uint8_t> data = pattern(512, 0);
	ASSERT_OK_AND_ASSIGN(uint64_t write, s.io.submit(s.a, {.cdb = cdb::write(10, 0, 1), .data = Data::out(data),
							       .flags = TCMT_HOLD_DATA}));
	ASSERT_OK(s.io.wait(write, TCMT_DATA_WANTED));
	for (auto attribute : {TaskAttribute::simple, TaskAttribute::head_of_queue, TaskAttribute::ordered}) {
		ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.b, read(attribute)));
		EXPECT_TRUE(r.good()) << r;
	}
	ASSERT_OK(s.io.release(s.a, write));
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.wait_reply(write));
	EXPECT_TRUE(r.good()) << r;
	ASSERT_OK_AND_ASSIGN(r, s.io.execute(s.b, read(TaskAttribute::ordered)));
	EXPECT_EQ(buf_, data);
}

TEST_F(TcmtestOrder, AcaIsRefused)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.a, read(TaskAttribute::aca)));
	EXPECT_EQ(r.kcq(), 0x052400u) << r;
}

} // namespace
} // namespace lio::test
