// SPDX-License-Identifier: GPL-2.0
// Commands of any contents: every operation code, with fields, parameter lists, lengths and
// directions that may or may not agree with each other.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "cdb.hpp"
#include "sg.hpp"

namespace lio::test {

struct FuzzCommand {
	Cdb cdb;
	Data::Direction direction = Data::Direction::none;
	std::vector<uint8_t> data;

	std::span<const uint8_t> cdb_bytes() const { return {cdb.data(), cdb.size()}; }
	/// What the target gets of the data, if it gets any.
	std::span<const uint8_t> list() const
	{
		return direction == Data::Direction::out ? std::span<const uint8_t>(data) : std::span<const uint8_t>();
	}
	std::string str() const;
};

class CdbMaker {
	std::mt19937_64 random_;
	uint64_t blocks_;
	uint32_t block_size_;
	unsigned next_ = 0; ///< operation code of the next command, so that each has its turn

public:
	CdbMaker(std::mt19937_64 random, uint64_t blocks, uint32_t block_size)
		: random_(std::move(random)), blocks_(blocks), block_size_(block_size) {}

	FuzzCommand make();

private:
	bool chance(unsigned one_in) { return random_() % one_in == 0; }
	uint8_t pick_opcode();
	Cdb make_cdb(uint8_t opcode);
	void shape_variable(Cdb &cdb);
	void shape_fields(Cdb &cdb);
	size_t pick_size(const Cdb &cdb);
	void fill(FuzzCommand &command);
	void shape_list(FuzzCommand &command);
};

} // namespace lio::test
