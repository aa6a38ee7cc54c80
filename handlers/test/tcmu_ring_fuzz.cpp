// SPDX-License-Identifier: MIT
/** @file
 * Ring against a mailbox and a ring that anybody may have written to: nothing
 * outside the mapping is touched, a slot is given out once, and cmd_tail stays
 * on a place where an entry may begin.
 */
#include <ctime>

#include <tcmu/ring.hpp>

#include "fake_ring.hpp"
#include "fuzz_check.hpp"
#include "fuzz_input.hpp"

/** After a reset the ring waits a little; here nobody is waited for. */
extern "C" int nanosleep(const timespec *, timespec *)
{
	return 0;
}

namespace tcmu::test {
namespace {

using fuzz::Input;

constexpr uint32_t depth = 6;
constexpr uint32_t area = 8192;

class Game {
	Input in_;
	FakeRing fake_;
	std::unique_ptr<Ring> ring_;
	uint32_t size_;
	std::vector<Command *> held_;
	bool broken_ = false;

	using Operation = void (Game::*)();
	static const Operation operations[13];

public:
	explicit Game(Input in) : in_(in), fake_(4096, area, read_flags(in_)), size_(4096)
	{
		for (unsigned n = in_.byte() % 4; n; n--)
			scribble(sizeof(abi::Mailbox));
		/* More than the area has pages: it is the smaller of the two. */
		auto attached = Ring::attach(fake_.bytes(), {.depth = depth, .list_capacity = 64});
		if (!attached)
			return;
		ring_ = std::move(*attached);
		size_ = fake_.mailbox().cmdr_size;
	}

	void play()
	{
		if (!ring_)
			return;
		for (unsigned n = 0; n < 200 && !in_.empty(); n++)
			(this->*operations[in_.byte() % std::size(operations)])();
		while (!held_.empty())
			complete_one(0);
		FUZZ_CHECK(ring_->in_flight() == 0);
		publish();
	}

private:
	static uint16_t read_flags(Input &in) { return in.byte() & 15; }

	/** Where the layout that FakeRing made is still true. */
	bool plain() const
	{
		abi::Mailbox &m = const_cast<FakeRing &>(fake_).mailbox();
		return m.cmdr_off == FakeRing::ring_offset && m.cmdr_size == 4096 && size_ == 4096 &&
		       m.cmd_head < 4096 && m.cmd_head % 8 == 0;
	}

	void scribble(size_t limit)
	{
		size_t at = in_.half() % limit;
		for (uint8_t byte : in_.bytes(1 + in_.byte() % 8))
			if (at < limit)
				fake_.bytes()[at++] = std::byte(byte);
	}
	void scribble_anywhere() { scribble(fake_.bytes().size()); }
	void scribble_mailbox() { scribble(sizeof(abi::Mailbox)); }

	void post()
	{
		uint8_t cdb[48] = {};
		uint16_t id = in_.byte();
		uint8_t how = in_.byte();
		auto bytes = in_.bytes(how % 48u);
		std::copy(bytes.begin(), bytes.end(), cdb);
		std::vector<iovec> list;
		for (unsigned n = how / 48u * 2; n; n--) {
			uint64_t at = how & 1 ? in_.word() : fake_.data_offset(in_.half() % area);
			list.push_back({reinterpret_cast<void *>(at), in_.half() % area});
		}
		if (plain())
			fake_.post(id, std::span(cdb, std::max<size_t>(bytes.size(), 6)), list,
				   list.empty() ? 0u : static_cast<uint32_t>(how % (list.size() + 1)));
	}

	void post_raw()
	{
		uint32_t length = (in_.byte() % 40 + 1) * 8u;
		uint8_t op = in_.byte() & 7;
		if (plain())
			fake_.post_raw(op, length, in_.byte());
	}

	void post_abort()
	{
		uint8_t type = in_.byte();
		if (plain())
			fake_.post_abort(type, {in_.byte(), in_.byte(), in_.byte()});
	}

	void move_head() { fake_.mailbox().cmd_head = in_.byte() & 1 ? in_.word() : in_.half() % size_ & ~7u; }
	void kernel_reset() { fake_.mailbox().cmd_head = fake_.mailbox().cmd_tail = in_.half() % size_ & ~7u; }

	void fetch()
	{
		Fetched found = ring_->fetch();
		FUZZ_CHECK(!broken_ || found.kind == Fetched::Kind::broken);
		switch (found.kind) {
		case Fetched::Kind::command:
			check(*found.command);
			held_.push_back(found.command);
			break;
		case Fetched::Kind::task_management:
			FUZZ_CHECK(found.task_management.ids.size() <= size_ / 2);
			break;
		case Fetched::Kind::broken:
			FUZZ_CHECK(found.reason);
			broken_ = true;
			break;
		case Fetched::Kind::none:
		case Fetched::Kind::no_room:
			break;
		}
		FUZZ_CHECK(ring_->in_flight() <= depth && ring_->in_flight() >= held_.size());
	}
	void fetch_all()
	{
		for (unsigned n = 0; n < depth + 1; n++)
			fetch();
	}

	void check(const Command &command) const
	{
		for (const Command *other : held_)
			FUZZ_CHECK(other != &command);
		FUZZ_CHECK(command.slot() < depth);
		FUZZ_CHECK(command.cdb().size() >= 6 && command.cdb().size() <= max_cdb_length);
		for (const Segments &s : {command.data(), command.bidi()}) {
			size_t sum = 0;
			for (const iovec &part : s.list()) {
				auto *at = static_cast<const std::byte *>(part.iov_base);
				std::span<std::byte> map = const_cast<FakeRing &>(fake_).bytes();
				FUZZ_CHECK(at >= map.data() && at <= map.data() + map.size());
				FUZZ_CHECK(part.iov_len <= static_cast<size_t>(map.data() + map.size() - at));
				sum += part.iov_len;
			}
			FUZZ_CHECK(sum == s.size());
		}
	}

	void complete_one(uint8_t choice)
	{
		Command *command = held_[choice % held_.size()];
		std::erase(held_, command);
		/* A read and a write of all that is theirs. */
		uint8_t bytes[64];
		command->data().gather(choice, bytes);
		command->data().scatter(command->data().size() / 2, bytes);
		command->bidi().zero(0, command->bidi().size());
		Reply reply = choice & 1 ? Reply::check_condition(sense::invalid_opcode) : Reply::good();
		if (choice & 2)
			reply.read_length = choice;
		reply.keep_buffer = choice & 4;
		command->complete(reply);
	}
	void complete()
	{
		uint8_t choice = in_.byte();
		if (!held_.empty())
			complete_one(choice);
	}

	void publish()
	{
		if (!ring_->publish())
			return;
		uint32_t tail = fake_.tail();
		FUZZ_CHECK(tail < size_ && tail % abi::entry_alignment == 0);
	}
};

const Game::Operation Game::operations[] = {
	&Game::post,	 &Game::post,	  &Game::fetch,	   &Game::fetch_all,	    &Game::complete,	     &Game::complete,
	&Game::publish,	 &Game::post_raw, &Game::post_abort, &Game::scribble_anywhere, &Game::scribble_mailbox, &Game::move_head,
	&Game::kernel_reset,
};

} // namespace
} // namespace tcmu::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tcmu::test::Game(fuzz::Input(data, size)).play();
	return 0;
}
