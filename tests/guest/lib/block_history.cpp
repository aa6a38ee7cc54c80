// SPDX-License-Identifier: GPL-2.0
#include "block_history.hpp"

#include <algorithm>
#include <cstdio>

#include "pattern.hpp"

namespace lio::test {

BlockHistory::BlockHistory(uint64_t base, uint64_t blocks, uint64_t writer, bool exact)
	: base_(base), exact_(exact), next_(writer << 40 | 1), blocks_(blocks, {zeroes})
{
}

void BlockHistory::begin_write(uint64_t first, std::span<uint8_t> data)
{
	fill_pattern(data, offset(first), next_);
	for (uint64_t i = 0; i < data.size() / block_bytes; i++)
		blocks_[first + i].push_back(next_);
	next_++;
}

void BlockHistory::end_write(uint64_t first, uint64_t count, bool succeeded)
{
	if (!succeeded || !exact_)
		return;
	for (uint64_t i = first; i < first + count; i++)
		blocks_[i] = {blocks_[i].back()};
}

bool BlockHistory::fits(std::span<const uint8_t> sector, uint64_t offset, uint64_t generation) const
{
	if (generation == zeroes)
		return std::all_of(sector.begin(), sector.end(), [](uint8_t b) { return !b; });
	return !find_mismatch(sector, offset, generation);
}

bool BlockHistory::any_fits(std::span<const uint8_t> sector, uint64_t offset, const std::vector<uint64_t> &generations) const
{
	return std::any_of(generations.rbegin(), generations.rend(),
			   [&](uint64_t g) { return fits(sector, offset, g); });
}

Status BlockHistory::verify(uint64_t first, std::span<const uint8_t> data) const
{
	for (uint64_t at = 0; at < data.size(); at += sector_bytes) {
		auto sector = data.subspan(at, sector_bytes);
		const auto &generations = blocks_[first + at / block_bytes];
		if (any_fits(sector, offset(first) + at, generations))
			continue;
		char text[160];
		snprintf(text, sizeof(text),
			 "wrong data: sector at byte %#lx begins %02x%02x%02x%02x%02x%02x%02x%02x, newest of %zu possible writes %#lx, next %#lx;",
			 offset(first) + at, sector[0], sector[1], sector[2], sector[3], sector[4], sector[5],
			 sector[6], sector[7], generations.size(), generations.back(), next_);
		return Error{EILSEQ, {}, text};
	}
	return {};
}

} // namespace lio::test
