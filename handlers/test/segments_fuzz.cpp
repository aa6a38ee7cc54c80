// SPDX-License-Identifier: MIT
/** @file
 * Segments against a plain array of bytes: what is in the list changes as it
 * should, what is between its pieces does not.
 */
#include <cstring>
#include <vector>

#include <tcmu/segments.hpp>

#include "fuzz_check.hpp"
#include "fuzz_input.hpp"

namespace tcmu::test {
namespace {

using Bytes = std::vector<uint8_t>;
using fuzz::Input;

class Game {
	Input in_;
	/** Each piece has memory of its own, so that its ends are watched. */
	std::vector<Bytes> pieces_;
	std::vector<iovec> list_;
	Bytes flat_;
	Segments segments_;

	using Operation = void (Game::*)();
	static const Operation operations[5];

public:
	explicit Game(Input in) : in_(in)
	{
		for (unsigned n = in_.byte() % 12; n; n--)
			pieces_.emplace_back(in_.byte() % 70, in_.byte());
		for (Bytes &piece : pieces_) {
			list_.push_back({piece.data(), piece.size()});
			flat_.insert(flat_.end(), piece.begin(), piece.end());
		}
		segments_ = Segments(list_);
		FUZZ_CHECK(segments_.size() == flat_.size());
	}

	void play()
	{
		while (!in_.empty()) {
			(this->*operations[in_.byte() % std::size(operations)])();
			FUZZ_CHECK(now() == flat_);
		}
	}

private:
	Bytes now() const
	{
		Bytes all;
		for (const Bytes &piece : pieces_)
			all.insert(all.end(), piece.begin(), piece.end());
		return all;
	}
	/** Near the ends, or anywhere. */
	size_t number()
	{
		uint8_t how = in_.byte();
		return how < 250 ? how * 4u : how < 253 ? flat_.size() + how - 251 : SIZE_MAX - how % 2;
	}
	size_t in_list(size_t offset, size_t length) const
	{
		return offset >= flat_.size() ? 0 : std::min(length, flat_.size() - offset);
	}

	void gather()
	{
		size_t offset = number();
		Bytes to(in_.byte(), 0xee);
		size_t moved = segments_.gather(offset, to);
		FUZZ_CHECK(moved == in_list(offset, to.size()));
		for (size_t i = 0; i < to.size(); i++)
			FUZZ_CHECK(to[i] == (i < moved ? flat_[offset + i] : 0xee));
	}

	void scatter()
	{
		size_t offset = number();
		Bytes from(in_.byte(), in_.byte());
		size_t moved = segments_.scatter(offset, from);
		FUZZ_CHECK(moved == in_list(offset, from.size()));
		std::copy_n(from.begin(), moved, flat_.begin() + static_cast<long>(std::min(offset, flat_.size())));
	}

	void zero()
	{
		size_t offset = number(), length = number();
		size_t done = segments_.zero(offset, length);
		FUZZ_CHECK(done == in_list(offset, length));
		std::fill_n(flat_.begin() + static_cast<long>(std::min(offset, flat_.size())), done, 0);
	}

	void mismatch()
	{
		size_t offset = number(), differs = in_.byte();
		Bytes with(in_.byte());
		for (size_t i = 0; i < with.size() && i < in_list(offset, with.size()); i++)
			with[i] = static_cast<uint8_t>(flat_[offset + i] + (i == differs));
		size_t inside = in_list(offset, with.size());
		std::optional<size_t> expected;
		if (differs < inside)
			expected = differs;
		else if (inside < with.size())
			expected = inside;
		FUZZ_CHECK(segments_.mismatch(offset, with) == expected);
	}

	void window()
	{
		size_t offset = number(), length = number();
		std::vector<iovec> out(in_.byte() % 14);
		auto [count, bytes] = segments_.window(offset, length, out);
		FUZZ_CHECK(count <= out.size() && bytes <= in_list(offset, length));
		FUZZ_CHECK(count == out.size() || bytes == in_list(offset, length));
		size_t seen = 0;
		for (const iovec &part : std::span(out).first(count)) {
			auto *at = static_cast<const uint8_t *>(part.iov_base);
			FUZZ_CHECK(std::equal(at, at + part.iov_len, flat_.begin() + static_cast<long>(offset + seen)));
			seen += part.iov_len;
		}
		FUZZ_CHECK(seen == bytes);
	}
};

const Game::Operation Game::operations[] = {&Game::gather, &Game::scatter, &Game::zero, &Game::mismatch, &Game::window};

} // namespace
} // namespace tcmu::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tcmu::test::Game(fuzz::Input(data, size)).play();
	return 0;
}
