// SPDX-License-Identifier: GPL-2.0
// The device with its tasks as threads, for TSan: submitters fill their entries side by side, a
// handler answers in any order, others take memory away, reset and abort.
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "expect.hpp"
#include "seed.hpp"
#include "shim.h"

extern "C" {
#include <scsi/scsi_proto.h>
}

namespace {

using namespace lio::unit;
using lio::test::count;

constexpr int nr_submitters = 3;

CommandSpec random_spec(std::mt19937_64 &rng)
{
	CommandSpec spec;
	u32 kind = rng() % 5;
	spec.direction = kind == 0 ? DMA_NONE : kind == 1 ? DMA_FROM_DEVICE : DMA_TO_DEVICE;
	if (kind)
		spec.length = 1 + rng() % (3 * PAGE_SIZE);
	if (kind == 4)
		spec.bidi_length = 1 + rng() % (2 * PAGE_SIZE);
	spec.pieces = 1 + rng() % 3;
	spec.cdb_length = min_cdb + rng() % (rng() % 8 ? 8 : max_cdb - min_cdb);
	return spec;
}

class Threads : public testing::Test {
protected:
	Device device{{.ring_size = 2040, .slots = 24}};
	std::atomic<u64> completed = 0, good = 0;
	std::atomic<bool> submitted = false;
	std::mutex handler_lock; // held while the handler runs
	Handler handler{device};

	void SetUp() override
	{
		device.on_completed = [this](Command &c, const Outcome &o) {
			if (!c.excused)
				check_outcome(c, o);
			completed++;
			good += o.status == SAM_STAT_GOOD;
		};
	}

	std::vector<std::thread> start_submitters(u64 each)
	{
		std::vector<std::thread> threads;
		for (int i = 0; i < nr_submitters; i++)
			threads.emplace_back([this, each, rng = lio::test::rng("submitter " + std::to_string(i))]() mutable {
				for (u64 n = 0; n < each; n++) {
					while (device.nr_live() > 40)
						std::this_thread::yield();
					device.submit(random_spec(rng));
				}
			});
		return threads;
	}

	/// One turn of an honest handler, which answers some of what it has.
	void serve(std::mt19937_64 &rng, bool all)
	{
		std::lock_guard guard(handler_lock);
		shim_assert(handler.take());
		bool moved = handler.skip();
		while (!handler.requests().empty() && (all || rng() % 4)) {
			size_t index = rng() % handler.requests().size();
			const Request &r = handler.requests()[index];
			shim_assert(handler.data_is_right(r));
			handler.fill_data(r);
			Answer answer;
			if (Command *c = device.posted(r.tag))
				expect(*c, answer);
			handler.answer(index, answer);
			moved = true;
		}
		if (moved)
			tcmu_drain(&device.dev);
	}

	std::thread start_handler()
	{
		return std::thread([this, rng = lio::test::rng("handler")]() mutable {
			while (!submitted || device.nr_live())
				serve(rng, submitted);
		});
	}

	void join(std::vector<std::thread> &threads)
	{
		for (auto &t : threads)
			t.join();
	}
};

TEST_F(Threads, EveryCommandIsAnsweredOnceWithItsData)
{
	const u64 each = count(600, 60000);
	auto submitters = start_submitters(each);
	auto server = start_handler();
	join(submitters);
	submitted = true;
	server.join();
	EXPECT_EQ(completed, nr_submitters * each);
	EXPECT_EQ(good, completed) << "nothing was wrong, and yet";
	device.audit(true);
	device.quiesce();
}

TEST_F(Threads, MemoryMayGoAtAnyTime)
{
	const u64 each = count(300, 30000);
	auto submitters = start_submitters(each);
	auto server = start_handler();
	std::thread shrinker([this] {
		while (!submitted)
			tcmu_data_shrink(&device.dev, 0);
	});
	join(submitters);
	submitted = true;
	shrinker.join();
	server.join();
	EXPECT_EQ(good, nr_submitters * each);
	device.audit(true);
	device.quiesce();
}

TEST_F(Threads, ResetsAbortsAndTimeoutsLoseNothing)
{
	const u64 each = count(300, 30000);
	device.dev.tmr_notification = true;
	device.dev.cmd_time_out = 2000;
	auto submitters = start_submitters(each);
	auto server = start_handler();
	std::thread aborter([this, rng = lio::test::rng("aborter")]() mutable {
		while (!submitted)
			device.abort(TMR_LUN_RESET, [&rng](const Command &) { return rng() % 8 == 0; });
	});
	std::thread resetter([this] {
		while (!submitted) {
			device.for_each_live([](Command &c) { c.excused = true; });
			device.pass(1);
			std::lock_guard guard(handler_lock); // the old handler is gone
			device.for_each_live([](Command &c) { c.excused = true; });
			tcmu_reset_ring(&device.dev, true);
			handler.restart();
		}
	});
	join(submitters);
	submitted = true;
	aborter.join();
	resetter.join();
	server.join();
	EXPECT_EQ(completed, nr_submitters * each);
	device.audit(true);
	device.quiesce();
}

} // namespace
