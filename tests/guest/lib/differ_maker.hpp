// SPDX-License-Identifier: GPL-2.0
// The commands of the differential test: the n-th of a seed is always the same one, whoever asks.
// Pure logic.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cdb.hpp"
#include "sg.hpp"

namespace lio::test {

/// The medium, and the few places of it that commands name on purpose: looking at all of it after
/// some commands would take longer than they do.
struct DifferGeometry {
	uint64_t blocks = 0;
	uint64_t block_size = 512;

	uint64_t window_blocks() const { return block_size < 4096 ? 128 : 64; }
	/// First blocks of the windows: at the medium's start, in it and at its end.
	std::array<uint64_t, 3> windows() const;
	bool in_window(uint64_t lba) const;
	bool operator==(const DifferGeometry &) const = default;
};

struct DifferCommand {
	Cdb cdb;
	Data::Direction direction = Data::Direction::none;
	uint32_t length = 0; ///< of the initiator's buffer
	std::vector<uint8_t> out; ///< with Direction::out, @length bytes
	uint64_t wants = 0; ///< bytes that the CDB transfers, as the standard has it
	uint64_t blocks_bytes = 0; ///< of the blocks that it names, transferred or not

	std::span<const uint8_t> bytes() const { return {cdb.data(), cdb.size()}; }
	std::string str() const;
};

/// Names of the directions in files and messages: "none", "in", "out".
const char *direction_name(Data::Direction d);

/// A command that a data file asks for, as it has it.
struct DifferExample {
	std::vector<uint8_t> cdb;
	Data::Direction direction = Data::Direction::none;
	uint32_t length = 0;
	std::vector<uint8_t> out; ///< begins the data; zeroes follow
};

class DifferMaker {
	uint64_t seed_;
	DifferGeometry geometry_;
	std::vector<DifferExample> examples_;

public:
	/// @examples come first, one a command.
	DifferMaker(uint64_t seed, const DifferGeometry &geometry, std::vector<DifferExample> examples)
		: seed_(seed), geometry_(geometry), examples_(std::move(examples)) {}

	DifferCommand make(uint64_t index) const;
	const DifferGeometry &geometry() const { return geometry_; }
};

} // namespace lio::test
