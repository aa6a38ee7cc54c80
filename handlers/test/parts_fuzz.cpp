// SPDX-License-Identifier: MIT
/** @file
 * The library's small parts against what is said of them: scatter list storage
 * is given out once, range locks keep their order and lose nobody, sense data
 * comes back as it went, a CDB's length is what its group says.
 */
#include <algorithm>
#include <vector>

#include <tcmu/cdb.hpp>
#include <tcmu/iov_arena.hpp>
#include <tcmu/range_lock.hpp>
#include <tcmu/sense.hpp>

#include "fuzz_check.hpp"
#include "fuzz_input.hpp"

namespace tcmu::test {
namespace {

using fuzz::Input;

struct List {
	iovec *at;
	size_t count;
};

void fuzz_arena(Input &in)
{
	IovArena arena(in.half() % 2048 + 1);
	std::vector<List> held;
	auto give_back = [&](size_t choice) {
		std::swap(held[choice % held.size()], held.back());
		arena.release(held.back().at, held.back().count);
		held.pop_back();
	};

	while (!in.empty()) {
		uint8_t b = in.byte();
		size_t count = b & 1 ? in.byte() : in.half() % 4096;
		if (b & 2 && !held.empty()) {
			give_back(b / 4);
			continue;
		}
		iovec *at = arena.allocate(count);
		FUZZ_CHECK(count <= arena.capacity() || !at);
		FUZZ_CHECK(at || !held.empty() || count > arena.capacity());
		if (!at)
			continue;
		for (const List &other : held)
			FUZZ_CHECK(at + count <= other.at || other.at + other.count <= at);
		std::fill_n(at, count, iovec{});
		held.push_back({at, count});
	}
	while (!held.empty())
		give_back(0);
	/* What was split is whole again. */
	FUZZ_CHECK(arena.allocate(arena.capacity()));
}

class Locks {
	RangeLocks locks_;
	std::vector<RangeLocks::Range> ranges_{12};
	/** In the order of asking; held says whether granted. */
	std::vector<RangeLocks::Range *> asked_;

	static bool conflict(const RangeLocks::Range &a, const RangeLocks::Range &b)
	{
		return (a.exclusive || b.exclusive) && a.begin < b.end && b.begin < a.end;
	}

public:
	void ask(RangeLocks::Range &range)
	{
		bool free = std::ranges::none_of(asked_, [&](auto *other) { return conflict(*other, range); });
		asked_.push_back(&range);
		FUZZ_CHECK(locks_.acquire(range) == free);
		FUZZ_CHECK(range.held == free);
	}

	void give(RangeLocks::Range &range)
	{
		std::erase(asked_, &range);
		locks_.release(range, [](RangeLocks::Range &granted) { FUZZ_CHECK(granted.held); });
		/* Held is exactly who has no conflict with anybody that asked before. */
		for (size_t i = 0; i < asked_.size(); i++) {
			bool free = std::none_of(asked_.begin(), asked_.begin() + static_cast<long>(i),
						 [&](auto *other) { return conflict(*other, *asked_[i]); });
			FUZZ_CHECK(asked_[i]->held == free);
		}
	}

	void play(Input &in)
	{
		while (!in.empty()) {
			RangeLocks::Range &range = ranges_[in.byte() % ranges_.size()];
			if (range.held) {
				give(range);
			} else if (std::ranges::count(asked_, &range) == 0) {
				uint8_t b = in.byte();
				range.begin = b & 31;
				range.end = range.begin + (b >> 5) + 1;
				range.exclusive = in.byte() & 1;
				ask(range);
			}
		}
		/* Nobody waits for ever: while there are any, one is held. */
		while (!asked_.empty()) {
			auto held = std::ranges::find_if(asked_, [](auto *r) { return r->held; });
			FUZZ_CHECK(held != asked_.end());
			give(**held);
		}
	}
};

void fuzz_sense(Input &in)
{
	Sense sense{SenseKey(in.byte() & 15), in.byte(), in.byte()};
	if (in.byte() & 1)
		sense = sense.with_information(in.word());
	std::array<uint8_t, fixed_sense_length> fixed;
	std::array<uint8_t, descriptor_sense_length> descriptor;
	FUZZ_CHECK(encode_fixed_sense(sense, fixed) == fixed.size());
	FUZZ_CHECK(decode_sense(fixed) == sense);
	FUZZ_CHECK(encode_descriptor_sense(sense, descriptor) == descriptor.size());
	Sense plain{sense.key, sense.asc, sense.ascq};
	FUZZ_CHECK(decode_sense(descriptor) == plain);
	std::vector<uint8_t> any;
	while (!in.empty())
		any.push_back(in.byte());
	decode_sense(any);
}

void fuzz_cdb(Input &in)
{
	std::vector<uint8_t> bytes;
	uint8_t at = in.byte(), width = in.byte();
	while (!in.empty())
		bytes.push_back(in.byte());
	size_t length = cdb_length(bytes);
	FUZZ_CHECK(length <= bytes.size() && length <= max_cdb_length);
	if (length && bytes[0] >> 5 != 3)
		FUZZ_CHECK(length == (bytes[0] < 0x20 ? 6u : bytes[0] < 0x60 ? 10u : bytes[0] >> 5 == 5 ? 12u : 16u));
	Cdb cdb(bytes);
	if (width <= 8 && at + width <= bytes.size()) {
		uint64_t value = 0;
		for (unsigned i = 0; i < width; i++)
			value = value << 8 | bytes[at + i];
		FUZZ_CHECK(cdb.be(at, width) == value);
	} else {
		FUZZ_CHECK(cdb.be(at, width) == 0);
	}
}

} // namespace
} // namespace tcmu::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	using namespace tcmu::test;
	fuzz::Input in(data, size);

	switch (in.byte() % 4) {
	case 0:
		fuzz_arena(in);
		break;
	case 1:
		Locks().play(in);
		break;
	case 2:
		fuzz_sense(in);
		break;
	case 3:
		fuzz_cdb(in);
		break;
	}
	return 0;
}
