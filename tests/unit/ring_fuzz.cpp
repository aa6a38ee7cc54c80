// SPDX-License-Identifier: GPL-2.0
// A hostile handler: each input is a device and what happens to it, first by a handler that may
// be honest for a while and then scribbles over everything it has mapped. All tasks of the kernel
// take turns as the input says. Whatever happens: every command ends once, nothing is given away
// twice or lost, and nobody waits for ever.
#include <cstddef>
#include <cstring>

#include "device.hpp"
#include "expect.hpp"
#include "fiber.hpp"
#include "fuzz_input.hpp"
#include "handler.hpp"
#include "shim.h"

extern "C" {
#include <scsi/scsi_proto.h>
}

namespace {

using namespace lio::unit;
using fuzz::Input;

constexpr u32 max_ops = 400;
constexpr u32 max_live = 48;
constexpr size_t max_parked = 6;

/// The schedule: reproducible, and independent of the operations.
class Dice {
	u64 state_;
	u32 odds_;

public:
	Dice(u32 seed, u32 odds) : state_(seed * 2 + 1), odds_(odds) {}

	bool roll()
	{
		state_ = state_ * 6364136223846793005 + 1442695040888963407;
		return odds_ && (state_ >> 40) % 256 < odds_;
	}
};

DeviceConfig read_config(Input &in)
{
	DeviceConfig c;
	c.ring_size = 256 + in.byte() % 160 * 8;
	u8 b = in.byte();
	c.slots = 1 + b % 64;
	c.slot_pages = 1 + b / 64;
	c.tags = 64;
	return c;
}

class Game {
	Input in_;
	Device device_;
	Handler handler_;
	Dice dice_;
	Scheduler scheduler_;
	bool honest_;	     // this input has no cheating
	bool cheated_ = false; // since the last reset began
	bool stale_ = false;   // before it: what was scribbled is there until the reset is through
	int resets_ = 0;     // in progress
	se_dev_plug *plug_ = nullptr;

	using Operation = void (Game::*)();
	static const Operation operations[];

public:
	explicit Game(Input in)
		: in_(in), device_(read_config(in_)), handler_(device_), dice_(in_.word(), in_.byte() % 128)
	{
		u8 b = in_.byte();
		honest_ = b & 1;
		device_.dev.tmr_notification = b & 2;
		device_.dev.cmd_time_out = b & 4 ? 3000 : 0;
		device_.dev.qfull_time_out = b & 8 ? 1000 : b & 16 ? 0 : -1;
		scheduler_.preempt = [this] { return scheduler_.nr_parked() < max_parked && dice_.roll(); };
		device_.on_completed = [this](Command &c, const Outcome &o) {
			if (!c.excused && !cheated_ && !stale_)
				check_outcome(c, o);
		};
	}

	void play();

private:
	void end();
	void check(bool all);
	void excuse_all()
	{
		device_.for_each_live([](Command &c) { c.excused = true; });
	}

	bool cheat()
	{
		if (honest_)
			return false;
		cheated_ = true;
		excuse_all();
		return true;
	}

	void submit(dma_data_direction direction, bool bidi)
	{
		CommandSpec spec;
		spec.direction = direction;
		u8 b = in_.byte();
		u32 unit = device_.dev.data.slot_size;
		if (direction != DMA_NONE)
			spec.length = b % 8 * unit + b / 8;
		if (bidi)
			spec.bidi_length = 1 + in_.byte() % (2 * unit);
		b = in_.byte();
		spec.pieces = 1 + b % 4;
		spec.cdb_length = min_cdb + (b / 4 % 4 == 3 ? b * 3u % (max_cdb - min_cdb) : b % 16);
		if (device_.nr_live() < max_live)
			scheduler_.start([this, spec] { device_.submit(spec); });
	}

	void submit_write() { submit(DMA_TO_DEVICE, false); }
	void submit_read() { submit(DMA_FROM_DEVICE, false); }
	void submit_bidi() { submit(DMA_TO_DEVICE, true); }
	void submit_none() { submit(DMA_NONE, false); }

	void take();
	void answer(u8 choice, u8 flags);
	void answer_some();
	void answer_all();
	void ring_bell()
	{
		scheduler_.start([this] { tcmu_drain(&device_.dev); });
	}
	void resume()
	{
		u8 b = in_.byte();
		if (scheduler_.nr_parked())
			scheduler_.resume(b % scheduler_.nr_parked());
	}

	void scribble();
	void move_tail();
	void forge_tag();
	void scribble_data();
	void fault();

	void reset();
	void pass();
	void block();
	void abort();
	void shrink()
	{
		u8 keep = in_.byte() % 16;
		scheduler_.start([this, keep] { tcmu_data_shrink(&device_.dev, keep); });
	}
	void free_kept()
	{
		u32 tag = in_.byte();
		tag = tag < 240 ? tag % 80 : tag << 24 | tag;
		scheduler_.start([this, tag] { tcmu_free_kept(&device_.dev, tag); });
	}
	void plug();
	void unplug();
	void fail_allocation() { shim_fail_after = in_.byte() % 16 - 4; }
	void limit_memory()
	{
		u8 b = in_.byte();
		Memory::limit = b & 1 ? INT32_MAX : Memory::charged + b / 8;
	}
};

const Game::Operation Game::operations[] = {
	&Game::submit_write, &Game::submit_read,  &Game::submit_bidi,	  &Game::submit_none, &Game::submit_write,
	&Game::submit_read,  &Game::take,	  &Game::answer_some,	  &Game::answer_some, &Game::answer_all,
	&Game::ring_bell,    &Game::ring_bell,	  &Game::resume,	  &Game::resume,      &Game::scribble,
	&Game::move_tail,    &Game::forge_tag,	  &Game::scribble_data,	  &Game::fault,	      &Game::reset,
	&Game::pass,	     &Game::block,	  &Game::abort,		  &Game::shrink,      &Game::free_kept,
	&Game::plug,	     &Game::fail_allocation, &Game::limit_memory,
};

void Game::play()
{
	for (u32 n = 0; n < max_ops && !in_.empty(); n++) {
		(this->*operations[in_.byte() % std::size(operations)])();
		check(n % 8 == 0);
	}
	end();
}

void Game::check(bool all)
{
	bool quiet = !scheduler_.nr_parked();
	if (!cheated_ && !resets_)
		shim_assert(!test_bit(TCMU_DEV_BROKEN, &device_.dev.flags));
	if (quiet && !resets_ && !cheated_)
		device_.check_doorbell();
	if (all)
		device_.audit(quiet);
}

void Game::end()
{
	shim_fail_after = -1;
	scheduler_.finish();
	if (plug_)
		unplug();
	check(true);
	Memory::limit = INT32_MAX;
	device_.quiesce();
	device_.audit(true);
	tcmu_data_shrink(&device_.dev, 0);
	shim_assert(Memory::charged == 0);
	shim_assert(device_.dev.tags.nr_ready == device_.dev.tags.fresh);
}

void Game::take()
{
	if (resets_)
		return;
	size_t before = handler_.requests().size();
	bool makes_sense = handler_.take();
	if (cheated_)
		return;
	shim_assert(makes_sense);
	for (size_t i = before; i < handler_.requests().size(); i++) {
		const Request &r = handler_.requests()[i];
		shim_assert(handler_.data_is_right(r));
		if (Command *c = device_.posted(r.tag))
			shim_assert(c->id == r.cdb.id);
	}
}

void Game::answer(u8 choice, u8 flags)
{
	static constexpr u8 statuses[] = {SAM_STAT_GOOD, SAM_STAT_CHECK_CONDITION, SAM_STAT_BUSY, 0x77};
	if (resets_ || handler_.requests().empty())
		return;
	size_t index = choice % handler_.requests().size();
	const Request &r = handler_.requests()[index];
	Answer a;
	a.uflags = flags & 7;
	if ((a.uflags & tcmu::abi::uflag_unknown_op) && flags & 128)
		a.uflags &= ~tcmu::abi::uflag_unknown_op;
	a.status = statuses[flags >> 3 & 3];
	a.read_len = flags & 32 ? r.cdb.length : flags & 64 ? choice : ~0u;
	a.sense_byte = choice;
	handler_.fill_data(r);
	if (Command *c = device_.posted(r.tag); c && !cheated_)
		expect(*c, a);
	handler_.answer(index, a);
}

void Game::answer_some()
{
	for (int n = 1 + in_.byte() % 3; n; n--) {
		u8 choice = in_.byte();
		answer(choice, in_.byte());
	}
}

/// The whole of an honest handler's turn.
void Game::answer_all()
{
	take();
	while (!resets_ && !handler_.requests().empty())
		answer(0, 0);
	if (!resets_)
		handler_.skip();
	ring_bell();
}

void Game::scribble()
{
	u32 at = in_.word() % device_.shared_size();
	u32 n = std::min<u32>(1 + in_.byte() % 32, device_.shared_size() - at);
	u8 b = in_.byte();
	if (!cheat())
		return;
	for (u32 i = 0; i < n; i++)
		device_.shared()[at + i] = b & 1 ? in_.byte() : b;
}

void Game::move_tail()
{
	u32 w = in_.word();
	const tcmu_ring &ring = device_.dev.ring;
	u32 tails[] = {w, w % ring.size & ~7u, ring.head, ring.size, ring.published + 8, ring.tail - 8};
	if (cheat())
		device_.mailbox()->cmd_tail = tails[(w >> 24) % std::size(tails)];
}

/// Answers something else than what is owed, in entries that are otherwise right.
void Game::forge_tag()
{
	u8 tag = in_.byte();
	const tcmu_ring &ring = device_.dev.ring;
	u32 last = tag & 128 ? ring.seq_published : std::min(ring.seq_tail + 1, ring.seq_published);
	if (!cheat())
		return;
	u32 pos = ring.tail;
	for (u32 seq = ring.seq_tail; seq < last; seq++) {
		auto *header = reinterpret_cast<tcmu::abi::EntryHeader *>(device_.ring_at(pos));
		header->cmd_id = tag & 64 ? u16(tag << 8) : (tag >> seq % 3) % 8;
		pos = (pos + (ring.posted[seq & ring.mask] & ~7u)) % ring.size;
	}
	device_.mailbox()->cmd_tail = pos;
}

void Game::scribble_data()
{
	u32 at = in_.word();
	auto where = device_.data_at(device_.dev.data.offset + at % (device_.dev.data.slot_size * 64));
	u8 b = in_.byte();
	if (!where.empty() && cheat())
		memset(where.data(), b, where.size());
}

/// Touches what may have no page.
void Game::fault()
{
	u64 at = in_.word();
	(void)device_.data_at(at << (in_.byte() % 16));
}

void Game::reset()
{
	bool retryable = in_.byte() & 1;
	excuse_all();
	if (!resets_++) {
		stale_ = cheated_;
		cheated_ = false;
	}
	scheduler_.start([this, retryable] {
		tcmu_reset_ring(&device_.dev, retryable);
		if (--resets_)
			return;
		/* Commands posted since then may have been answered by what was scribbled, and that be on its way. */
		if (stale_)
			excuse_all();
		stale_ = false;
		handler_.restart();
	});
}

void Game::pass()
{
	u8 seconds = in_.byte() % 40;
	excuse_all();
	scheduler_.start([this, seconds] { device_.pass(seconds); });
}

void Game::block()
{
	bool block = in_.byte() & 1;
	scheduler_.start([this, block] { tcmu_block(&device_.dev, block); });
}

void Game::abort()
{
	u8 b = in_.byte();
	auto function = tcm_tmreq_table(b % 10);
	u8 mask = in_.byte();
	scheduler_.start([this, function, mask] {
		device_.abort(function, [mask](const Command &c) { return mask >> c.id % 8 & 1; });
	});
}

void Game::plug()
{
	if (plug_)
		unplug();
	else
		plug_ = tcmu_plug_device(&device_.dev.se_dev);
}

void Game::unplug()
{
	shim_assert(!tcmu_plug_device(&device_.dev.se_dev));
	tcmu_unplug_device(plug_);
	plug_ = nullptr;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	long allocs = shim_nr_allocs;
	{
		Game game(Input(data, size));
		game.play();
	}
	shim_assert(shim_nr_allocs == allocs);
	return 0;
}
