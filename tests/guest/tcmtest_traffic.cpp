// SPDX-License-Identifier: GPL-2.0
#include "tcmtest_traffic.hpp"

#include <algorithm>

#include "pattern.hpp"
#include "seed.hpp"

namespace lio::test {

TestTraffic::TestTraffic(const std::string &wwn, const std::string &initiator, unsigned number)
	: wwn_(wwn), initiator_(initiator), base_(uint64_t(number) * range * blocks),
	  random_(rng("traffic" + std::to_string(number))), slots_(depth), thread_([this] { work(); })
{
}

void TestTraffic::stop()
{
	stop_ = true;
	if (thread_.joinable())
		thread_.join();
}

void TestTraffic::fail(const std::string &what)
{
	std::lock_guard guard(lock_);
	if (failure_.empty())
		failure_ = initiator_ + ": " + what;
}

std::string TestTraffic::failure()
{
	std::lock_guard guard(lock_);
	return failure_;
}

void TestTraffic::work()
{
	auto io = TestInitiator::open();
	if (!io)
		return fail(io.error().str());
	while (!stop_) {
		auto nexus = io->login(wwn_, 1, initiator_);
		if (nexus) {
			logins_++;
			session(*io, *nexus);
			(void)io->logout(*nexus); // it may have gone by itself
			io->forget_pending();
		} else if (nexus.code() == ENOENT || nexus.code() == EACCES) {
			std::this_thread::sleep_for(milliseconds(2)); // no port or no ACL just now
		} else {
			return fail(nexus.error().str());
		}
	}
}

bool TestTraffic::submit(TestInitiator &io, uint32_t nexus, Slot &slot)
{
	static constexpr uint32_t ways[] = {0, 0, 0, TCMT_ACK, TCMT_OWN_PAGES, TCMT_HOLD_RESPONSE, TCMT_HOLD_DATA,
					    TCMT_HOLD_DATA | TCMT_ACK};
	slot.is_read = random_() % 2;
	slot.lba = base_ + random_() % range * blocks;
	slot.buf = slot.is_read ? std::vector<uint8_t>(blocks * 512) : pattern(blocks * 512, slot.lba * 512);
	TestCommand command{.cdb = slot.is_read ? cdb::read(10, slot.lba, blocks) : cdb::write(10, slot.lba, blocks),
			    .lun = random_() % luns,
			    .data = slot.is_read ? Data::in(slot.buf) : Data::out(slot.buf),
			    .flags = ways[random_() % std::size(ways)],
			    .attribute = random_() % 32 ? TaskAttribute::simple : TaskAttribute::ordered};
	if (random_() % 64 == 0)
		command.response_full = 1;
	auto tag = io.submit(nexus, command);
	if (tag)
		slot.tag = *tag;
	else if (tag.code() != ESHUTDOWN)
		fail(tag.error().str());
	return tag.ok();
}

/// Blocks are as written or have never been written; errors may be, wrong data never.
void TestTraffic::check(const Slot &slot, const tcmt_event &event)
{
	const TestReply reply = decode_reply(event);
	if (!reply.good())
		return;
	good_++;
	if (!slot.is_read)
		return;
	if (reply.data_len != slot.buf.size())
		return fail("a short read");
	const bool zeroes = std::all_of(slot.buf.begin(), slot.buf.end(), [](uint8_t c) { return !c; });
	if (!zeroes && find_mismatch(slot.buf, slot.lba * 512))
		fail("wrong data at block " + std::to_string(slot.lba));
}

bool TestTraffic::take(TestInitiator &io, const tcmt_event &event)
{
	auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const Slot &s) { return s.tag == event.tag; });
	switch (event.type) {
	case TCMT_NEXUS_GONE:
		return false;
	case TCMT_DATA_WANTED:
	case TCMT_RESPONSE_HELD:
		// ESRCH: a nexus that ends has given it up.
		if (Status s = io.release(event.nexus, event.tag); !s && s.code() != ESRCH && s.code() != ENOENT)
			fail(s.error().str());
		break;
	case TCMT_RESPONSE:
		check(*slot, event);
		break;
	case TCMT_RELEASED:
		slot->tag = 0;
		break;
	default:
		fail("an event of type " + std::to_string(event.type));
	}
	return true;
}

void TestTraffic::session(TestInitiator &io, uint32_t nexus)
{
	bool alive = true;
	for (;;) {
		size_t busy = 0;
		for (Slot &slot : slots_) {
			if (!slot.tag && alive && !stop_)
				alive = submit(io, nexus, slot);
			busy += slot.tag != 0;
		}
		if (!busy && (!alive || stop_))
			return;
		if (!busy)
			continue;
		auto event = io.next(seconds(75));
		if (!event)
			return fail("no event for 75 s with " + std::to_string(busy) + " commands under way");
		alive &= take(io, *event);
	}
}

} // namespace lio::test
