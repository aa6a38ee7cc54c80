// SPDX-License-Identifier: GPL-2.0
// Task management functions (SAM-5 clause 7): each is answered when nothing it is about can still complete.
#include <algorithm>

#include "gtest_result.hpp"
#include "pattern.hpp"
#include "seed.hpp"
#include "tcmtest_stage.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

class TcmtestFunction : public testing::Test {
protected:
	std::vector<uint8_t> data_ = pattern(512, 0, 3), buf_ = std::vector<uint8_t>(512);

	TestCommand write(uint32_t flags = 0, uint64_t lba = 0)
	{
		return {.cdb = cdb::write(10, lba, 1), .data = Data::out(data_), .flags = flags};
	}
	TestCommand read(uint32_t flags = 0, TaskAttribute attribute = TaskAttribute::simple)
	{
		return {.cdb = cdb::read(10, 0, 1), .data = Data::in(buf_), .flags = flags, .attribute = attribute};
	}
	/// A write for whose data the core waits.
	Result<uint64_t> pending_write(TestStage &s, uint32_t nexus, uint32_t flags = 0, uint64_t lba = 0)
	{
		LIO_TRY(uint64_t tag, s.io.submit(nexus, write(flags | TCMT_HOLD_DATA, lba)));
		LIO_CHECK(s.io.wait(tag, TCMT_DATA_WANTED));
		return tag;
	}
	/// The next event that is neither a unit attention's nor a release of a function.
	Result<tcmt_event> next_about(TestStage &s, std::initializer_list<uint64_t> tags)
	{
		for (;;) {
			LIO_TRY(tcmt_event event, s.io.next());
			if (std::find(tags.begin(), tags.end(), event.tag) != tags.end())
				return event;
		}
	}
	void expect_complete(TestStage &s, uint64_t tmf)
	{
		ASSERT_OK_AND_ASSIGN(TmfResponse answer, s.io.wait_tmf(tmf));
		EXPECT_EQ(answer, TmfResponse::complete) << answer;
	}
	void expect_not_executed(TestStage &s)
	{
		ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute_past_ua(s.a, read()));
		EXPECT_TRUE(r.good()) << r;
		EXPECT_EQ(buf_, std::vector<uint8_t>(512)) << "an aborted write was executed";
	}
	/// Nothing may come for @tag while another command goes its way.
	void expect_silence(TestStage &s, uint64_t tag, tcmt_event_type type)
	{
		const Data data = Data::in(std::span(buf_).first(36));
		ASSERT_OK(s.io.execute_past_ua(s.b, {.cdb = cdb::inquiry(36), .data = data}));
		EXPECT_FALSE(s.io.has(tag, type));
	}
};

TEST_F(TcmtestFunction, AbortOfAWriteThatWaitsForDataIsAnsweredWhenTheyAreIn)
{
	for (const auto &type : submit_types()) {
		for (uint32_t flags : {0u, uint32_t(TCMT_ACK), uint32_t(TCMT_OWN_PAGES)}) {
			ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create(type));
			ASSERT_OK_AND_ASSIGN(uint64_t victim, pending_write(s, s.a, flags));
			ASSERT_OK_AND_ASSIGN(uint64_t tmf, s.io.tmf(s.a, Tmf::abort_task, 0, victim));
			ASSERT_OK(s.io.wait_claimed(s.a, victim));
			ASSERT_NO_FATAL_FAILURE(expect_silence(s, tmf, TCMT_TMF_RESPONSE));
			ASSERT_OK(s.io.release(s.a, victim));
			ASSERT_OK_AND_ASSIGN(tcmt_event first, next_about(s, {victim, tmf}));
			EXPECT_EQ(first.tag, victim);
			EXPECT_EQ(first.type, TCMT_RELEASED) << "an aborted command has no response";
			EXPECT_TRUE(first.flags & TCMT_ABORTED);
			ASSERT_OK_AND_ASSIGN(TmfResponse answer, s.io.wait_tmf(tmf));
			EXPECT_EQ(answer, TmfResponse::complete) << answer;
			ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.a, read()));
			EXPECT_TRUE(r.good()) << r;
			EXPECT_EQ(buf_, std::vector<uint8_t>(512)) << "an aborted write was executed";
		}
	}
}

TEST_F(TcmtestFunction, AbortOfAWriteWhoseDataFail)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(uint64_t victim, pending_write(s, s.a, TCMT_ACK));
	ASSERT_OK_AND_ASSIGN(uint64_t tmf, s.io.tmf(s.a, Tmf::abort_task, 0, victim));
	ASSERT_OK(s.io.wait_claimed(s.a, victim));
	ASSERT_NO_FATAL_FAILURE(expect_silence(s, tmf, TCMT_TMF_RESPONSE));
	ASSERT_OK(s.io.release(s.a, victim, TCMT_FAIL));
	ASSERT_OK_AND_ASSIGN(tcmt_event first, next_about(s, {victim, tmf}));
	EXPECT_EQ(first.type, TCMT_RELEASED);
	ASSERT_OK_AND_ASSIGN(TmfResponse answer, s.io.wait_tmf(tmf));
	EXPECT_EQ(answer, TmfResponse::complete) << answer;
}

TEST_F(TcmtestFunction, DataThatFailEndTheirCommandWithSense)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(uint64_t tag, pending_write(s, s.a));
	ASSERT_OK(s.io.release(s.a, tag, TCMT_FAIL));
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.wait_reply(tag));
	EXPECT_EQ(r.kcq() >> 16, uint32_t(SenseKey::aborted_command)) << r;
	ASSERT_OK(s.io.wait(tag, TCMT_RELEASED));
}

TEST_F(TcmtestFunction, ACommandWithAResponseOnItsWayIsNoTaskAnyMore)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(uint64_t held, s.io.submit(s.a, read(TCMT_HOLD_RESPONSE)));
	ASSERT_OK(s.io.wait(held, TCMT_RESPONSE_HELD));
	ASSERT_OK_AND_ASSIGN(uint64_t tmf, s.io.tmf(s.a, Tmf::abort_task, 0, held));
	ASSERT_OK_AND_ASSIGN(TmfResponse answer, s.io.wait_tmf(tmf));
	EXPECT_EQ(answer, TmfResponse::no_task) << answer;
	ASSERT_OK(s.io.release(s.a, held));
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.wait_reply(held));
	EXPECT_TRUE(r.good()) << r;
	ASSERT_OK_AND_ASSIGN(tcmt_event released, s.io.wait(held, TCMT_RELEASED));
	EXPECT_FALSE(released.flags & TCMT_ABORTED);
}

TEST_F(TcmtestFunction, AResetLeavesResponsesThatAreOnTheirWay)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(uint64_t held, s.io.submit(s.a, read(TCMT_HOLD_RESPONSE)));
	ASSERT_OK(s.io.wait(held, TCMT_RESPONSE_HELD));
	ASSERT_OK_AND_ASSIGN(uint64_t tmf, s.io.tmf(s.b, Tmf::lun_reset, 0));
	ASSERT_OK_AND_ASSIGN(TmfResponse answer, s.io.wait_tmf(tmf));
	EXPECT_EQ(answer, TmfResponse::complete) << answer;
	ASSERT_OK(s.io.release(s.a, held));
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.wait_reply(held));
	EXPECT_TRUE(r.good()) << r;
}

/// Two commands that wait behind one that runs; one of them is aborted.
TEST_F(TcmtestFunction, AbortOfACommandBehindAnOrderedOne)
{
	for (const auto &type : submit_types()) {
		ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
		ASSERT_OK_AND_ASSIGN(uint64_t running, s.io.submit(s.a, read(TCMT_HANG_RESPONSE)));
		ASSERT_OK(s.io.wait(running, TCMT_RESPONSE_HELD));
		stay_on_one_cpu();
		for (const auto &[name, value] : type) // now: it would hang in the queue that the others go through
			ASSERT_OK(s.store.set(name, value));
		ASSERT_OK_AND_ASSIGN(uint64_t ordered, s.io.submit(s.a, read(0, TaskAttribute::ordered)));
		ASSERT_OK_AND_ASSIGN(uint64_t behind, s.io.submit(s.a, read()));
		ASSERT_OK_AND_ASSIGN(uint64_t tmf, s.io.tmf(s.a, Tmf::abort_task, 0, ordered));
		if (core_is_ours()) {
			// Nothing below has it: it need not wait for what runs.
			ASSERT_OK_AND_ASSIGN(TmfResponse answer, s.io.wait_tmf(tmf));
			EXPECT_EQ(answer, TmfResponse::complete) << answer;
			EXPECT_FALSE(s.io.has(running, TCMT_RESPONSE));
			EXPECT_TRUE(s.io.has(ordered, TCMT_RELEASED));
		}
		ASSERT_OK(s.io.release(s.a, running));
		ASSERT_OK_AND_ASSIGN(tcmt_event event, s.io.wait(ordered, TCMT_RELEASED));
		EXPECT_TRUE(event.flags & TCMT_ABORTED);
		EXPECT_FALSE(s.io.has(ordered, TCMT_RESPONSE));
		ASSERT_OK_AND_ASSIGN(TestReply r, s.io.wait_reply(running));
		EXPECT_TRUE(r.good()) << r;
		ASSERT_OK_AND_ASSIGN(r, s.io.wait_reply(behind));
		EXPECT_TRUE(r.good()) << r;
	}
}

TEST_F(TcmtestFunction, AResetTellsTheOthersWhenTasIsSet)
{
	for (const char *tas : {"1", "0"}) {
		ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create({{"emulate_tas", tas}}));
		ASSERT_OK_AND_ASSIGN(uint64_t of_a, pending_write(s, s.a, TCMT_ACK));
		ASSERT_OK_AND_ASSIGN(uint64_t of_b, pending_write(s, s.b, TCMT_ACK, 1));
		ASSERT_OK_AND_ASSIGN(uint64_t tmf, s.io.tmf(s.b, Tmf::lun_reset, 0));
		ASSERT_OK(s.io.wait_claimed(s.a, of_a));
		ASSERT_OK(s.io.wait_claimed(s.b, of_b));
		ASSERT_NO_FATAL_FAILURE(expect_silence(s, tmf, TCMT_TMF_RESPONSE));
		ASSERT_OK(s.io.release(s.b, of_b));
		ASSERT_OK(s.io.wait(of_b, TCMT_RELEASED));
		EXPECT_FALSE(s.io.has(of_b, TCMT_RESPONSE)) << "its own initiator knows";
		EXPECT_FALSE(s.io.has(tmf, TCMT_TMF_RESPONSE)) << "the other one's command is still there";
		ASSERT_OK(s.io.release(s.a, of_a));
		ASSERT_OK(s.io.wait(of_a, TCMT_RELEASED));
		ASSERT_NO_FATAL_FAILURE(expect_complete(s, tmf));
		EXPECT_EQ(s.io.has(of_a, TCMT_RESPONSE), *tas == '1');
		if (*tas == '1') {
			ASSERT_OK_AND_ASSIGN(TestReply r, s.io.wait_reply(of_a));
			EXPECT_EQ(r.status, ScsiStatus::task_aborted) << r;
		}
		ASSERT_NO_FATAL_FAILURE(expect_not_executed(s));
	}
}

TEST_F(TcmtestFunction, TwoInitiatorsResetAtOnce)
{
	for (const auto &type : submit_types()) {
		ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create(type));
		ASSERT_OK_AND_ASSIGN(uint64_t victim, pending_write(s, s.a));
		ASSERT_OK_AND_ASSIGN(uint64_t by_a, s.io.tmf(s.a, Tmf::lun_reset, 0));
		ASSERT_OK_AND_ASSIGN(uint64_t by_b, s.io.tmf(s.b, Tmf::lun_reset, 0));
		ASSERT_OK(s.io.wait_claimed(s.a, victim));
		EXPECT_FALSE(s.io.has(by_a, TCMT_TMF_RESPONSE));
		EXPECT_FALSE(s.io.has(by_b, TCMT_TMF_RESPONSE));
		ASSERT_OK(s.io.release(s.a, victim));
		for (uint64_t tag : {by_a, by_b})
			ASSERT_NO_FATAL_FAILURE(expect_complete(s, tag));
		ASSERT_OK(s.io.wait(victim, TCMT_RELEASED));
		ASSERT_NO_FATAL_FAILURE(expect_not_executed(s));
	}
}

TEST_F(TcmtestFunction, AnAbortAndAResetOfTheSameCommand)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(uint64_t victim, pending_write(s, s.a));
	ASSERT_OK_AND_ASSIGN(uint64_t reset, s.io.tmf(s.b, Tmf::lun_reset, 0));
	ASSERT_OK_AND_ASSIGN(uint64_t abort, s.io.tmf(s.a, Tmf::abort_task, 0, victim));
	ASSERT_OK(s.io.wait_claimed(s.a, victim));
	ASSERT_OK(s.io.release(s.a, victim));
	ASSERT_OK(s.io.wait(victim, TCMT_RELEASED));
	ASSERT_OK(s.io.wait_tmf(abort));
	ASSERT_NO_FATAL_FAILURE(expect_complete(s, reset));
	ASSERT_NO_FATAL_FAILURE(expect_not_executed(s));
}

TEST_F(TcmtestFunction, WhatThereIsNot)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	struct {
		Tmf function;
		uint64_t lun;
		TmfResponse answer;
	} cases[] = {
		{Tmf::abort_task, 0, TmfResponse::no_task},
		{Tmf::abort_task, 9, TmfResponse::no_lun},
		{Tmf::lun_reset, 9, TmfResponse::no_lun},
		{Tmf::clear_aca, 0, TmfResponse::not_supported},
		{Tmf::unknown, 0, TmfResponse::rejected},
	};
	for (const auto &c : cases) {
		ASSERT_OK_AND_ASSIGN(uint64_t tmf, s.io.tmf(s.a, c.function, c.lun, 0x1234));
		ASSERT_OK_AND_ASSIGN(TmfResponse answer, s.io.wait_tmf(tmf));
		EXPECT_EQ(answer, c.answer) << "function " << unsigned(c.function) << ": " << answer;
		ASSERT_OK(s.io.wait(tmf, TCMT_RELEASED));
	}
}

/// REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-4 6.36) says what is answered with NOT SUPPORTED.
TEST_F(TcmtestFunction, WhatIsReportedIsWhatWorks)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	Cdb report(12);
	report[0] = 0xa3;
	report[1] = 0x0d;
	report.be(6, 4, 16);
	const Data data = Data::in(std::span(buf_).first(16));
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.a, {.cdb = report, .data = data}));
	ASSERT_TRUE(r.good()) << r;
	const struct {
		Tmf function;
		uint8_t bit;
	} bits[] = {{Tmf::abort_task, 0x80}, {Tmf::abort_task_set, 0x40}, {Tmf::clear_aca, 0x20},
		    {Tmf::clear_task_set, 0x10}, {Tmf::lun_reset, 0x08}};
	for (const auto &b : bits) {
		ASSERT_OK_AND_ASSIGN(uint64_t tmf, s.io.tmf(s.a, b.function, 0, 0x1234));
		ASSERT_OK_AND_ASSIGN(TmfResponse answer, s.io.wait_tmf(tmf));
		EXPECT_EQ(bool(buf_[0] & b.bit), answer != TmfResponse::not_supported)
			<< "function " << unsigned(b.function) << ": " << answer;
	}
}

/// Random commands, held up in random places, and functions among them: each command ends once, and
/// none after the function that is about it.
TEST_F(TcmtestFunction, RandomAbortsAndResets)
{
	auto random = rng("functions");
	for (const auto &type : submit_types()) {
		ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create(type));
		const uint64_t rounds = count(60, 3000);
		for (uint64_t i = 0; i < rounds; i++) {
			SCOPED_TRACE(i);
			static constexpr uint32_t ways[] = {0, TCMT_ACK, TCMT_OWN_PAGES, TCMT_HOLD_DATA,
							    TCMT_HOLD_DATA | TCMT_ACK};
			std::vector<std::pair<uint32_t, uint64_t>> sent;
			for (int n = 0; n < 8; n++) {
				const uint32_t nexus = random() % 2 ? s.a : s.b, way = ways[random() % std::size(ways)];
				TestCommand command = random() % 2 ? write(way, random() % 100) :
								     read(way & ~TCMT_HOLD_DATA);
				command.attribute = TaskAttribute(0x20 + random() % 3);
				ASSERT_OK_AND_ASSIGN(uint64_t tag, s.io.submit(nexus, command));
				sent.emplace_back(nexus, tag);
			}
			const auto &[nexus, victim] = sent[random() % sent.size()];
			const Tmf function = random() % 4 ? Tmf::abort_task : Tmf::lun_reset;
			ASSERT_OK_AND_ASSIGN(uint64_t tmf, s.io.tmf(nexus, function, 0, victim));
			// Data in the order in which they are asked for; they may be asked for later than this.
			size_t ended = 0;
			bool answered = false;
			while (ended < sent.size() || !answered) {
				ASSERT_OK_AND_ASSIGN(tcmt_event event, s.io.next());
				if (event.type == TCMT_DATA_WANTED) {
					ASSERT_OK(s.io.release(event.nexus, event.tag));
				} else if (event.type == TCMT_TMF_RESPONSE) {
					answered = true;
					EXPECT_NE(TmfResponse(event.status), TmfResponse::failed);
				} else if (event.type == TCMT_RELEASED && event.tag != tmf) {
					ended++;
					EXPECT_FALSE(answered && event.flags & TCMT_ABORTED) << "aborted after the answer";
				}
			}
		}
	}
}

/// The initiator's data never come: the answer does, by the deadline (DESIGN section 3); others may go on.
TEST_F(TcmtestFunction, TheDeadlineOfAFunction)
{
	// The distribution's waits for ever; 30 s are long for the check tier.
	if (!core_is_ours() || tier() == Tier::check)
		return;
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(uint64_t victim, pending_write(s, s.a));
	ASSERT_OK_AND_ASSIGN(uint64_t abort, s.io.tmf(s.a, Tmf::abort_task, 0, victim));
	ASSERT_OK(s.io.wait_claimed(s.a, victim));
	ASSERT_OK_AND_ASSIGN(uint64_t reset, s.io.tmf(s.b, Tmf::lun_reset, 0));
	ASSERT_OK_AND_ASSIGN(TmfResponse answer, s.io.wait_tmf(abort, seconds(60)));
	EXPECT_EQ(answer, TmfResponse::failed) << answer;
	ASSERT_OK(s.io.wait_tmf(reset, seconds(60)));
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute_past_ua(s.b, read()));
	EXPECT_TRUE(r.good()) << r;
	ASSERT_OK(s.io.release(s.a, victim));
	ASSERT_OK(s.io.wait(victim, TCMT_RELEASED));
	ASSERT_NO_FATAL_FAILURE(expect_not_executed(s));
}

} // namespace
} // namespace lio::test
