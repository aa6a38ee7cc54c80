// SPDX-License-Identifier: GPL-2.0
// Single behaviours of the I/O path of target_core_user, one command or a few at a time.
#include <gtest/gtest.h>

#include "expect.hpp"
#include "fiber.hpp"
#include "seed.hpp"
#include "shim.h"

extern "C" {
#include <scsi/scsi_proto.h>
}

namespace {

using namespace lio::unit;
namespace abi = tcmu::abi;

constexpr u32 page_size = PAGE_SIZE;

struct Ended {
	u64 id;
	Outcome outcome;
	int64_t incoming;
};

class IoPath : public testing::Test {
public:
	std::unique_ptr<Device> owned = make({});
	Device &device = *owned;
	Handler handler{device};
	std::vector<Ended> ended;
	long allocs_before = 0;

	std::unique_ptr<Device> make(const DeviceConfig &config)
	{
		allocs_before = shim_nr_allocs;
		return std::make_unique<Device>(config);
	}

	void SetUp() override
	{
		device.on_completed = [this](Command &c, const Outcome &o) {
			ended.push_back({c.id, o, c.incoming()});
		};
	}

	void TearDown() override
	{
		shim_fail_after = -1;
		device.audit(true);
		device.quiesce();
		device.audit(true);
		owned.reset();
		EXPECT_EQ(shim_nr_allocs, allocs_before) << "the device leaks";
	}

	void drain() { tcmu_drain(&device.dev); }
	bool broken() const { return test_bit(TCMU_DEV_BROKEN, &device.dev.flags); }

	void submit(dma_data_direction direction = DMA_NONE, u32 length = 0, u32 bidi_length = 0)
	{
		device.submit({.direction = direction, .length = length, .bidi_length = bidi_length, .pieces = 3});
	}

	/// The oldest request is answered; returns how its command ended.
	Ended answer(const Answer &a = {}, size_t index = 0)
	{
		EXPECT_TRUE(handler.take());
		size_t before = ended.size();
		if (handler.requests().size() <= index) {
			ADD_FAILURE() << "nothing to answer";
			return {};
		}
		handler.fill_data(handler.requests()[index]);
		handler.answer(index, a);
		drain();
		EXPECT_EQ(ended.size(), before + 1);
		return ended.size() > before ? ended.back() : Ended{};
	}

	void reset()
	{
		tcmu_reset_ring(&device.dev, false);
		handler.restart();
	}

	/// The device does a command as if nothing had ever happened.
	void works()
	{
		ended.clear();
		submit(DMA_FROM_DEVICE, 100);
		Ended e = answer();
		EXPECT_EQ(e.outcome.status, SAM_STAT_GOOD);
		EXPECT_EQ(e.incoming, 100);
		EXPECT_FALSE(broken());
	}

	abi::EntryHeader *entry(u32 pos) { return reinterpret_cast<abi::EntryHeader *>(device.ring_at(pos)); }
	u32 length_at(u32 pos) { return entry(pos)->len_op & ~7u; }
};

bool is_failure(const Outcome &o)
{
	return o.status == SAM_STAT_CHECK_CONDITION && o.reason == TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE;
}

TEST_F(IoPath, DataGoesBothWays)
{
	for (u32 length : {1u, 511u, page_size, page_size + 1, 5 * page_size - 7}) {
		submit(DMA_TO_DEVICE, length);
		ASSERT_TRUE(handler.take());
		EXPECT_TRUE(handler.data_is_right(handler.requests()[0])) << length;
		EXPECT_EQ(answer().outcome.status, SAM_STAT_GOOD);
		submit(DMA_FROM_DEVICE, length);
		EXPECT_EQ(answer().incoming, length);
		submit(DMA_TO_DEVICE, length, 2 * length);
		ASSERT_TRUE(handler.take());
		EXPECT_TRUE(handler.data_is_right(handler.requests()[0])) << length;
		EXPECT_EQ(answer().incoming, 2 * length);
	}
	submit();
	EXPECT_EQ(answer().outcome.status, SAM_STAT_GOOD);
}

TEST_F(IoPath, AnswersMayComeInAnyOrder)
{
	for (int i = 0; i < 4; i++)
		submit(DMA_FROM_DEVICE, 64);
	for (size_t index : {2u, 0u, 1u, 0u})
		answer({}, index);
	std::vector<u64> ids;
	for (const Ended &e : ended) {
		ids.push_back(e.id);
		EXPECT_EQ(e.incoming, 64);
	}
	EXPECT_EQ(ids, (std::vector<u64>{3, 1, 4, 2}));
}

TEST_F(IoPath, AnAnswerMeansWhatItSays)
{
	static const Answer answers[] = {
		{.uflags = abi::uflag_unknown_op},
		{.status = 0x77},
		{.status = 0x01},
		{.status = SAM_STAT_CHECK_CONDITION, .sense_byte = 0x42},
		{.status = SAM_STAT_BUSY},
		{.status = SAM_STAT_TASK_SET_FULL},
		{.uflags = abi::uflag_read_length, .read_len = 10},
		{.uflags = abi::uflag_read_length, .read_len = 0},
		{.uflags = abi::uflag_read_length, .read_len = ~0u},
		{.status = SAM_STAT_CHECK_CONDITION, .uflags = abi::uflag_read_length, .read_len = 33},
	};
	device.on_completed = [this](Command &c, const Outcome &o) {
		check_outcome(c, o);
		ended.push_back({c.id, o, c.incoming()});
	};
	for (auto direction : {DMA_NONE, DMA_TO_DEVICE, DMA_FROM_DEVICE})
		for (const Answer &a : answers) {
			submit(direction, direction == DMA_NONE ? 0 : 100);
			ASSERT_TRUE(handler.take());
			expect(*device.posted(handler.requests()[0].tag), a);
			answer(a);
		}
	EXPECT_EQ(ended.size(), 3 * std::size(answers));
}

TEST_F(IoPath, WhatIsNotAnsweredInTimeFails)
{
	device.dev.cmd_time_out = 5000;
	submit(DMA_FROM_DEVICE, 100);
	ASSERT_TRUE(handler.take());
	for (int i = 0; i < 4; i++)
		device.pass(1);
	EXPECT_TRUE(ended.empty());
	for (int i = 0; i < 3; i++)
		device.pass(1);
	ASSERT_EQ(ended.size(), 1u);
	EXPECT_TRUE(is_failure(ended[0].outcome));
	device.audit(true);

	/* The late answer changes nothing, but gives back what it held. */
	handler.fill_data(handler.requests()[0]);
	handler.answer(0, {});
	drain();
	EXPECT_EQ(ended.size(), 1u);
	EXPECT_FALSE(broken());
	works();
}

TEST_F(IoPath, NoTimeoutMeansNone)
{
	device.dev.cmd_time_out = 0;
	submit();
	for (int i = 0; i < 50; i++)
		device.pass(3600);
	EXPECT_TRUE(ended.empty());
	EXPECT_EQ(answer().outcome.status, SAM_STAT_GOOD);
}

TEST_F(IoPath, ABrokenRingCostsItsCommandsAndResetMendsIt)
{
	using Cheat = std::function<void(IoPath &)>;
	auto tail = [](u32 value) {
		return [value](IoPath &t) { t.device.mailbox()->cmd_tail = value; };
	};
	auto forge = [](auto change) {
		return [change](IoPath &t) {
			change(t.entry(0));
			t.device.mailbox()->cmd_tail = t.length_at(t.device.dev.ring.tail);
		};
	};
	const std::pair<const char *, Cheat> cheats[] = {
		{"tail in an entry", tail(8)},
		{"tail unaligned", tail(3)},
		{"tail at the ring's end", tail(device.dev.ring.size)},
		{"tail beyond the ring", tail(1 << 20)},
		{"tail negative", tail(~7u)},
		{"tail past the head", [](IoPath &t) { t.device.mailbox()->cmd_tail = t.device.dev.ring.head + 8; }},
		{"unknown tag", forge([](abi::EntryHeader *h) { h->cmd_id = 0xffff; })},
		{"free tag", forge([](abi::EntryHeader *h) { h->cmd_id = 63; })},
		{"other operation", forge([](abi::EntryHeader *h) { h->len_op ^= 3; })},
		{"no operation", forge([](abi::EntryHeader *h) { h->len_op &= ~7u; })},
		{"longer", forge([](abi::EntryHeader *h) { h->len_op += 8; })},
		{"doubled", [](IoPath &t) {
			 t.entry(t.length_at(0))->cmd_id = t.entry(0)->cmd_id;
			 t.device.mailbox()->cmd_tail = t.device.dev.ring.head;
		 }},
	};
	for (const auto &[name, cheat] : cheats) {
		SCOPED_TRACE(name);
		for (int i = 0; i < 2; i++)
			submit(DMA_TO_DEVICE, 50);
		ended.clear();
		cheat(*this);
		drain();
		EXPECT_TRUE(broken());
		EXPECT_EQ(ended.size(), 2u);
		EXPECT_TRUE(is_failure(ended.back().outcome));
		submit();
		EXPECT_TRUE(is_failure(ended.back().outcome)) << "a new command on a broken device";
		device.audit(true);
		reset();
		works();
		reset();
	}
}

TEST_F(IoPath, ResetWritesTheMailboxAnew)
{
	const abi::Mailbox fresh = *device.mailbox();
	memset(device.mailbox(), 0xff, sizeof(fresh));
	drain();
	EXPECT_TRUE(broken());
	reset();
	EXPECT_EQ(device.mailbox()->version, fresh.version);
	EXPECT_EQ(device.mailbox()->flags, fresh.flags);
	EXPECT_EQ(device.mailbox()->cmdr_off, fresh.cmdr_off);
	EXPECT_EQ(device.mailbox()->cmdr_size, device.dev.ring.size);
	works();
}

TEST_F(IoPath, ResetAnswersAsItIsTold)
{
	for (bool retryable : {true, false}) {
		submit();
		tcmu_reset_ring(&device.dev, retryable);
		handler.restart();
		ASSERT_FALSE(ended.empty());
		if (retryable)
			EXPECT_EQ(ended.back().outcome.status, SAM_STAT_BUSY);
		else
			EXPECT_TRUE(is_failure(ended.back().outcome));
		works();
	}
}

TEST_F(IoPath, KeptBuffersStayUntilTheyAreFreed)
{
	submit(DMA_TO_DEVICE, 3 * page_size);
	ASSERT_TRUE(handler.take());
	u16 tag = handler.requests()[0].tag;
	EXPECT_EQ(tcmu_free_kept(&device.dev, tag), -EINVAL);
	Request kept = handler.requests()[0];
	EXPECT_EQ(answer({.uflags = abi::uflag_keep_buffer}).outcome.status, SAM_STAT_GOOD);
	works();
	reset();
	works();
	EXPECT_TRUE(handler.data_is_right(kept)) << "somebody else got the buffer";
	tcmu_data_shrink(&device.dev, 0);
	EXPECT_TRUE(handler.data_is_right(kept)) << "its pages were taken";
	EXPECT_EQ(tcmu_free_kept(&device.dev, tag), 0);
	EXPECT_EQ(tcmu_free_kept(&device.dev, tag), -EINVAL);
	EXPECT_EQ(tcmu_free_kept(&device.dev, 0xffff), -EINVAL);
	EXPECT_EQ(tcmu_free_kept(&device.dev, ~0u), -EINVAL);
	tcmu_data_shrink(&device.dev, 0);
	EXPECT_FALSE(handler.data_is_right(kept)) << "the pages are still there";
}

TEST_F(IoPath, WhatFindsNoRoomWaitsItsTurn)
{
	std::vector<u64> ids;
	for (int i = 0; i < 20; i++)
		submit(DMA_FROM_DEVICE, page_size);
	EXPECT_FALSE(list_empty(&device.dev.waiting)) << "the ring had room for all";
	EXPECT_TRUE(ended.empty());
	device.audit(true);
	for (u64 i = 1; i <= 20; i++)
		EXPECT_EQ(answer().id, i) << "out of order";
	EXPECT_TRUE(list_empty(&device.dev.waiting));
}

TEST_F(IoPath, WaitingHasAnEnd)
{
	device.dev.cmd_time_out = 0;
	device.dev.qfull_time_out = 2000;
	for (int i = 0; i < 20; i++)
		submit();
	size_t waiting = list_count_nodes(&device.dev.waiting);
	ASSERT_GT(waiting, 0u);
	for (int i = 0; i < 5; i++)
		device.pass(1);
	ASSERT_EQ(ended.size(), waiting);
	for (const Ended &e : ended)
		EXPECT_EQ(e.outcome.status, SAM_STAT_TASK_SET_FULL);

	device.dev.qfull_time_out = 0;
	ended.clear();
	submit();
	ASSERT_EQ(ended.size(), 1u);
	EXPECT_EQ(ended[0].outcome.reason, TCM_OUT_OF_RESOURCES);
}

TEST_F(IoPath, ABlockedDeviceIsBusy)
{
	tcmu_block(&device.dev, true);
	submit();
	ASSERT_EQ(ended.size(), 1u);
	EXPECT_EQ(ended[0].outcome.reason, TCM_LUN_BUSY);
	tcmu_block(&device.dev, false);
	works();
}

TEST_F(IoPath, TooLargeCommandsAreRefused)
{
	submit(DMA_TO_DEVICE, 33 * page_size);
	ASSERT_EQ(ended.size(), 1u);
	EXPECT_EQ(ended[0].outcome.reason, TCM_INVALID_CDB_FIELD);
	works();
}

TEST_F(IoPath, AnAbortEndsWhatWaitsAndHurriesTheRest)
{
	device.dev.cmd_time_out = 0;
	device.dev.tmr_notification = true;
	for (int i = 0; i < 20; i++)
		submit();
	size_t waiting = list_count_nodes(&device.dev.waiting);
	device.abort(TMR_LUN_RESET, [](const Command &) { return true; });
	EXPECT_EQ(ended.size(), waiting);
	for (const Ended &e : ended)
		EXPECT_EQ(e.outcome.status, SAM_STAT_TASK_ABORTED);
	/* Room for the notification comes with the first answer. */
	answer();
	ASSERT_TRUE(handler.take());
	EXPECT_EQ(handler.nr_tmrs(), 1u);
	size_t owed = device.nr_live();
	EXPECT_GT(owed, 0u);
	for (int i = 0; i < 30; i++)
		device.pass(1);
	EXPECT_EQ(device.nr_live(), 0u) << "an abort waits for a handler that never answers";
}

TEST_F(IoPath, MemoryIsBoundedForAllDevices)
{
	Memory::limit = 3;
	submit(DMA_TO_DEVICE, 3 * page_size);
	submit(DMA_TO_DEVICE, page_size);
	EXPECT_TRUE(Memory::reclaim_wanted) << "others were not asked";
	EXPECT_EQ(Memory::charged, 3);
	EXPECT_TRUE(ended.empty());
	answer();
	answer();
	EXPECT_EQ(tcmu_data_shrink(&device.dev, 1), 2u);
	EXPECT_EQ(Memory::charged, 1);
}

TEST_F(IoPath, AnAllocationThatFailsFailsNothing)
{
	for (long nth = 0; nth < 12; nth++) {
		SCOPED_TRACE(nth);
		Device d({});
		Handler h(d);
		u64 good = 0;
		d.on_completed = [&good](Command &, const Outcome &o) { good += o.status == SAM_STAT_GOOD; };
		shim_fail_after = nth;
		d.submit({.direction = DMA_TO_DEVICE, .length = 5 * page_size});
		d.submit({.direction = DMA_FROM_DEVICE, .length = 2 * page_size});
		shim_fail_after = -1;
		d.audit(true);
		d.pass(2);
		for (int i = 0; i < 2; i++) {
			ASSERT_TRUE(h.take());
			ASSERT_FALSE(h.requests().empty());
			EXPECT_TRUE(h.data_is_right(h.requests()[0]));
			h.answer(0, {});
			tcmu_drain(&d.dev);
		}
		EXPECT_EQ(good, 2u);
	}
}

TEST_F(IoPath, TheDoorbellRingsOnceABatch)
{
	submit();
	EXPECT_EQ(device.nr_doorbells, 1u);
	se_dev_plug *plug = tcmu_plug_device(&device.dev.se_dev);
	ASSERT_NE(plug, nullptr);
	EXPECT_EQ(tcmu_plug_device(&device.dev.se_dev), nullptr);
	for (int i = 0; i < 3; i++)
		submit();
	EXPECT_EQ(device.nr_doorbells, 1u);
	tcmu_unplug_device(plug);
	EXPECT_EQ(device.nr_doorbells, 2u);
	device.check_doorbell();
	submit();
	EXPECT_EQ(device.nr_doorbells, 3u);
}

/// However the first submitters of a device get into each other's way: one of them is posted, so
/// that its answer will wake those that wait.
TEST(Submitters, NotAllOfThemWait)
{
	const CommandSpec spec{.direction = DMA_TO_DEVICE, .length = PAGE_SIZE};
	for (u64 round = 0; round < lio::test::count(500, 50000); round++) {
		SCOPED_TRACE(round);
		auto rng = lio::test::rng("submitters " + std::to_string(round));
		Device device{{.ring_size = 2040, .slots = 24}};
		Scheduler scheduler;
		scheduler.preempt = [&rng] { return rng() % 2; };
		for (int i = 0; i < 3; i++)
			scheduler.start([&] { device.submit(spec); });
		while (scheduler.nr_parked())
			scheduler.resume(rng() % scheduler.nr_parked());
		ASSERT_GT(device.dev.ring.used, 0u) << "they wait for nobody";
		while (device.nr_live())
			tcmu_reset_ring(&device.dev, true);
	}
}

TEST_F(IoPath, ResetWaitsForWhoIsWritingToTheRing)
{
	Scheduler scheduler;
	bool stop = true;
	scheduler.preempt = [&stop] { return stop; };
	scheduler.start([this] { submit(DMA_TO_DEVICE, 10); });
	while (!device.dev.nr_filling) {
		ASSERT_EQ(scheduler.nr_parked(), 1u);
		scheduler.resume(0);
	}
	stop = false;
	bool was_reset = false;
	scheduler.start([&] {
		tcmu_reset_ring(&device.dev, true);
		was_reset = true;
	});
	EXPECT_FALSE(was_reset) << "under the hands of a submitter";
	scheduler.finish();
	EXPECT_TRUE(was_reset);
	ASSERT_EQ(ended.size(), 1u);
	EXPECT_EQ(ended[0].outcome.status, SAM_STAT_BUSY);
	works();
}

/// While one entry is being written, the one before it is published together with the PAD between.
TEST_F(IoPath, APadIsThereBeforeAnybodyCanSeeIt)
{
	/* Old entries all over the ring, and the head so that the next but one needs a PAD. */
	for (int i = 0; i < 12; i++) {
		submit(DMA_TO_DEVICE, 10);
		answer();
	}
	Scheduler scheduler;
	bool stop = true;
	scheduler.preempt = [&stop] { return stop; };
	auto start_filling = [&] {
		u32 before = device.dev.nr_filling;
		scheduler.start([this] { submit(DMA_TO_DEVICE, 10); });
		for (size_t n = scheduler.nr_parked(); device.dev.nr_filling == before; n = scheduler.nr_parked()) {
			ASSERT_TRUE(n) << "it found no room";
			scheduler.resume(n - 1);
		}
	};
	int parked = 0;
	u32 pad = 0;
	while (!pad && parked++ < 8) {
		u32 head = device.dev.ring.head;
		start_filling();
		if (device.dev.ring.head < head)
			pad = head;
	}
	ASSERT_TRUE(pad) << "no PAD was needed";
	ASSERT_GT(parked, 1);
	stop = false;
	while (scheduler.nr_parked() > 1)
		scheduler.resume(0);
	EXPECT_EQ(device.dev.nr_filling, 1u);
	EXPECT_EQ(device.mailbox()->cmd_head, 0u) << "published as far as it can be";
	EXPECT_EQ(entry(pad)->len_op, (device.dev.ring.size - pad) | abi::op_pad);
	EXPECT_TRUE(handler.take());
	scheduler.finish();
	while (device.nr_live())
		answer();
}

} // namespace
