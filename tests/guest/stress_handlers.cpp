// SPDX-License-Identifier: GPL-2.0
// Handlers that are killed, that are slow, that answer in any order, that leave, that talk nonsense.
#include "pattern.hpp"
#include "scripted_handler.hpp"
#include "stress_stage.hpp"
#include "tcmu_netlink.hpp"

namespace lio::test {

namespace {

void nap(Random &random, unsigned longest_ms)
{
	std::this_thread::sleep_for(milliseconds(random() % longest_ms));
}

Status kill_and_restart(StressDisk &disk, Random &random, bool term)
{
	LIO_CHECK(term ? disk.handler->stop() : disk.handler->kill9());
	nap(random, 1500);
	LIO_CHECK(disk.handler->start());
	return disk.handler->wait_owns(seconds(90));
}

/// As an administrator brings back a device: block, reset, new handler, go.
Status kill_and_recover(StressDisk &disk, Random &random)
{
	LIO_CHECK(disk.store->action("block_dev", "1"));
	LIO_CHECK(disk.handler->kill9());
	LIO_CHECK(disk.store->action("reset_ring", random() % 2 ? "1" : "2"));
	nap(random, 500);
	Status started = disk.handler->start();
	LIO_CHECK(disk.store->action("block_dev", "0"));
	LIO_CHECK(started);
	return disk.handler->wait_owns(seconds(90));
}

/// One scripted disk's handler; used by one thread.
class Script {
	StressDisk &disk_;
	std::optional<ScriptedHandler> handler_;

public:
	explicit Script(StressDisk &disk) : disk_(disk) {}

	Status serve(Random &random);
	Status in_any_order(Random &random);
	Status slowly(Random &random);
	Status leave(Random &random);
	Status nonsense(Random &random);
	Status blocked(Random &random);
	/// Only here: a handler that another resets under its feet reads what is no longer mapped.
	Status reset(Random &random);

private:
	Status open();
	Status answer(const RingEntry &entry);
	Status serve_for(milliseconds limit);
};

Status Script::open()
{
	if (handler_)
		return {};
	// A child that another thread has just forked may have it until it execs.
	for (Deadline d(seconds(30));; std::this_thread::sleep_for(milliseconds(20))) {
		auto h = ScriptedHandler::open(disk_.name);
		if (!h && h.code() == EBUSY && !d.passed())
			continue;
		if (!h)
			return h.error();
		handler_.emplace(std::move(*h));
		return {};
	}
}

Status Script::answer(const RingEntry &entry)
{
	if (entry.op != TCMU_OP_CMD)
		return {};
	uint64_t at = get_be(std::span(entry.cdb).subspan(2, 4)) * 512;
	if (entry.opcode() == 0x28) {
		auto data = pattern(entry.data_len(), at, scripted_generation);
		if (!handler_->scatter(entry.iov, data))
			return Error{EILSEQ, disk_.name, "iovecs outside the data area of"};
		return handler_->finish(entry);
	}
	if (entry.opcode() == 0x2a) {
		auto data = handler_->gather(entry.iov);
		if (!data || find_mismatch(*data, at, scripted_generation))
			return Error{EILSEQ, disk_.name, "wrong data in a WRITE to"};
		return handler_->finish(entry);
	}
	return handler_->finish(entry, {0x02, fixed_sense(SenseKey::illegal_request, 0x20, 0)});
}

Status Script::serve_for(milliseconds limit)
{
	LIO_CHECK(open());
	for (Deadline d(limit);;) {
		auto entry = handler_->next(d.left());
		if (!entry)
			return entry.code() == ETIMEDOUT ? Status() : Status(entry.error());
		LIO_CHECK(answer(*entry));
	}
}

Status Script::serve(Random &random)
{
	return serve_for(milliseconds(50 + random() % 1000));
}

Status Script::in_any_order(Random &random)
{
	LIO_CHECK(open());
	std::vector<RingEntry> held;
	for (Deadline d(milliseconds(200)); held.size() < 8 && !d.passed();)
		if (auto entry = handler_->fetch(d.left()); entry && entry->op == TCMU_OP_CMD)
			held.push_back(*entry);
	std::shuffle(held.begin(), held.end(), random);
	for (const auto &entry : held) {
		bool io = entry.opcode() == 0x28 || entry.opcode() == 0x2a;
		// What a midlayer asks is refused here: it asks again.
		LIO_CHECK(io ? answer(entry)
			     : handler_->finish(entry, {0x02, fixed_sense(SenseKey::illegal_request, 0x20, 0)}));
	}
	return held.empty() ? Status(idle()) : Status();
}

Status Script::slowly(Random &random)
{
	LIO_CHECK(open());
	auto entry = handler_->next(milliseconds(200));
	if (!entry)
		return entry.code() == ETIMEDOUT ? Status(idle()) : Status(entry.error());
	nap(random, 2000);
	return answer(*entry);
}

/// What it had stays unanswered; the next one goes on at the tail.
Status Script::leave(Random &random)
{
	LIO_CHECK(open());
	for (uint64_t n = random() % 3; n; n--)
		(void)handler_->fetch(milliseconds(20));
	handler_.reset();
	nap(random, 1000);
	return {};
}

Status Script::nonsense(Random &random)
{
	LIO_CHECK(open());
	if (!handler_->fetch(seconds(1)))
		return idle();
	handler_->answer_as(0xfff0, {.status = static_cast<uint8_t>(random())});
	LIO_CHECK(handler_->kick());
	nap(random, 100);
	return reset(random);
}

Status Script::blocked(Random &random)
{
	LIO_CHECK(disk_.store->action("block_dev", "1"));
	Status served = serve_for(milliseconds(random() % 300));
	if (served && random() % 2)
		served = reset(random);
	LIO_CHECK(disk_.store->action("block_dev", "0"));
	return served;
}

Status Script::reset(Random &random)
{
	LIO_CHECK(open());
	LIO_CHECK(disk_.store->action("reset_ring", random() % 2 ? "1" : "2"));
	handler_->restart();
	return {};
}

void add_script(StressEngine &engine, StressDisk &disk)
{
	auto s = std::make_shared<Script>(disk);
	engine.add(disk.name, milliseconds(5),
		   {{"script-serve", 30, {}, [s](Random &r) { return s->serve(r); }},
		    {"script-any-order", 6, {}, [s](Random &r) { return s->in_any_order(r); }},
		    {"script-slowly", 4, {}, [s](Random &r) { return s->slowly(r); }},
		    {"script-leave", 3, {}, [s](Random &r) { return s->leave(r); }},
		    {"script-nonsense", 2, {}, [s](Random &r) { return s->nonsense(r); }},
		    {"script-blocked", 2, {}, [s](Random &r) { return s->blocked(r); }},
		    {"script-reset", 2, {}, [s](Random &r) { return s->reset(r); }}});
}

/// The daemon of the devices that come and go: sometimes it asks for being waited for, sometimes it
/// answers, sometimes with an error, and what it leaves unanswered it has the kernel give up.
class Daemon {
	NlDaemon nl_;

public:
	explicit Daemon(NlDaemon nl) : nl_(std::move(nl)) {}

	Status toggle(Random &random) { return nl_.set_features(random() % 2); }
	Status answer(Random &random)
	{
		uint64_t answered = 0;
		for (Deadline d(milliseconds(300)); !d.passed();) {
			auto event = nl_.next(milliseconds(50));
			if (!event || event->device.value_or("").find("/churn/") == std::string::npos)
				continue;
			nap(random, 20);
			int32_t status = random() % 4 ? 0 : random() % 2 ? -EIO : 12345;
			if (nl_.done(*event, status))
				answered++;
		}
		return answered ? Status() : Status(idle());
	}
	/// About devices that it does not know, or that do not wait.
	Status nonsense(Random &random)
	{
		const int commands[] = {TCMU_CMD_ADDED_DEVICE_DONE, TCMU_CMD_REMOVED_DEVICE_DONE, TCMU_CMD_RECONFIG_DEVICE_DONE};
		Status s = nl_.done_raw(pick(commands, random), static_cast<uint32_t>(random() % 30), -1);
		return s.code() == ENODEV ? Status() : s;
	}
};

} // namespace

void add_handler_actors(StressEngine &engine, StressStage &stage)
{
	StressDisk &killed = stage.disk(disk_killed), &runner = stage.disk(disk_runner);
	// None of these may be refused: whatever goes on, a handler can be brought back.
	engine.add("file-killer", seconds(2),
		   {{"file-kill9", 3, {}, [&](Random &r) { return kill_and_restart(killed, r, false); }},
		    {"file-stop", 1, {}, [&](Random &r) { return kill_and_restart(killed, r, true); }},
		    {"file-recover", 2, {}, [&](Random &r) { return kill_and_recover(killed, r); }, seconds(120)}});
	engine.add("runner-killer", seconds(12),
		   {{"runner-kill9", 2, {}, [&](Random &r) { return kill_and_restart(runner, r, false); }, seconds(120)},
		    {"runner-stop", 1, {}, [&](Random &r) { return kill_and_restart(runner, r, true); }, seconds(120)}});
	add_script(engine, stage.disk(disk_script0));
	add_script(engine, stage.disk(disk_script1));

	auto nl = NlDaemon::start();
	if (!nl) {
		engine.fail(nl.error().str());
		return;
	}
	auto daemon = std::make_shared<Daemon>(std::move(*nl));
	const std::string reset = "/sys/module/target_core_user/parameters/reset_netlink";
	engine.add("netlink", milliseconds(300),
		   {{"nl-supported", 2, {}, [daemon](Random &r) { return daemon->toggle(r); }},
		    {"nl-answer", 6, {}, [daemon](Random &r) { return daemon->answer(r); }},
		    {"nl-nonsense", 1, {EINVAL}, [daemon](Random &r) { return daemon->nonsense(r); }},
		    {"nl-reset", 2, {}, [reset](Random &) { return write_value(reset, "1"); }}});
}

} // namespace lio::test
