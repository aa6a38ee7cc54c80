// SPDX-License-Identifier: GPL-2.0
// What a range of a disk may hold after writes of which some failed. Pure logic.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "result.hpp"

namespace lio::test {

/// One writer's range of a disk, in blocks of 4 KiB. A block holds what one of the writes that may
/// have reached it wrote, every sector for itself.
class BlockHistory {
	uint64_t base_;
	bool exact_;
	uint64_t next_;
	std::vector<std::vector<uint64_t>> blocks_; ///< generations, the likeliest last

public:
	static constexpr uint64_t block_bytes = 4096, sector_bytes = 512;
	/// Nothing was written: zeroes.
	static constexpr uint64_t zeroes = 0;

	/// @base: byte offset on the disk; @writer tells its patterns from all others'. @exact: a
	/// write that failed is over, so that the next one that succeeds settles what is there; else
	/// an earlier one may still come to pass.
	BlockHistory(uint64_t base, uint64_t blocks, uint64_t writer, bool exact);

	uint64_t size() const { return blocks_.size(); }
	uint64_t offset(uint64_t first) const { return base_ + first * block_bytes; }
	/// The data of a write that begins now.
	void begin_write(uint64_t first, std::span<uint8_t> data);
	void end_write(uint64_t first, uint64_t count, bool succeeded);
	/// EILSEQ and what is there instead.
	Status verify(uint64_t first, std::span<const uint8_t> data) const;

private:
	bool fits(std::span<const uint8_t> sector, uint64_t offset, uint64_t generation) const;
	bool any_fits(std::span<const uint8_t> sector, uint64_t offset, const std::vector<uint64_t> &generations) const;
};

} // namespace lio::test
