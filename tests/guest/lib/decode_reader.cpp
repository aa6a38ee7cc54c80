// SPDX-License-Identifier: GPL-2.0
#include "decode.hpp"

#include <algorithm>
#include <cstdio>

namespace lio::test::decode {

namespace {

std::string hex(unsigned value)
{
	char text[12];
	snprintf(text, sizeof(text), "%02xh", value);
	return text;
}

} // namespace

std::string str(const Command &command)
{
	return hex(command.first) + (command.second < 0 ? "" : "/" + hex(unsigned(command.second)));
}

void Reader::only(const std::vector<uint8_t> &meanings) const
{
	for (size_t i = 0; i < size(); i++) {
		unsigned bad = bytes_[i] & ~(i < meanings.size() ? meanings[i] : 0);
		if (bad)
			fail("byte " + std::to_string(i) + ": reserved bits " + hex(bad));
	}
}

void Reader::length(size_t want) const
{
	check(size() == want, std::to_string(size()) + " bytes where the standard has " + std::to_string(want));
}

void Reader::ascii(size_t at, size_t width, bool nul_end) const
{
	size_t end = std::min(at + width, size());
	while (nul_end && end > at && !bytes_[end - 1])
		end--;
	for (size_t i = at; i < end; i++)
		if (bytes_[i] < 0x20 || bytes_[i] > 0x7e)
			fail("byte " + std::to_string(i) + ": " + hex(bytes_[i]) + " is not printable");
	if (!nul_end && end - at > 1 && at < size() && bytes_[at] == ' ')
		check(std::all_of(bytes_.begin() + long(at), bytes_.begin() + long(end), [](uint8_t c) { return c == ' '; }),
		      "byte " + std::to_string(at) + ": not left-aligned");
}

Reader Reader::part(const std::string &name, size_t at, size_t len) const
{
	at = std::min(at, size());
	return Reader(name_ + ", " + name, bytes_.subspan(at, std::min(len, size() - at)), out_);
}

void cut_at(const Reader &r, size_t whole, size_t alloc)
{
	r.check(r.size() == std::min(whole, alloc),
		std::to_string(r.size()) + " bytes came of " + std::to_string(whole) + " with room for " + std::to_string(alloc));
}

} // namespace lio::test::decode
