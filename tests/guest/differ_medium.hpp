// SPDX-License-Identifier: GPL-2.0
// The medium under the differential test: what changed since it was last as it should be, and back.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "block_io.hpp"
#include "differ_record.hpp"

namespace lio::test {

class DifferMedium {
	BlockFile file_;
	DifferGeometry geometry_;
	AlignedBuffer now_, want_;
	std::set<uint64_t> strays_; ///< chunks outside the windows that a command named
	bool all_ = false; ///< so many that all of the medium is to be looked at

public:
	/// All of it becomes the pattern.
	static Result<DifferMedium> create(BlockFile file, const DifferGeometry &geometry);

	/// What @c may change is to be looked at.
	void name(const DifferCommand &c);
	/// The chunks that are not the pattern, with their contents; they are it again afterwards.
	Result<std::map<uint64_t, std::vector<uint8_t>>> take_changes();
	/// All of it is the pattern.
	Status verify();

private:
	DifferMedium(BlockFile file, const DifferGeometry &geometry);
	uint64_t chunk_bytes() const { return uint64_t(differ_chunk) * geometry_.block_size; }
	Status look(uint64_t first_chunk, uint64_t chunks, std::map<uint64_t, std::vector<uint8_t>> &changes);
};

} // namespace lio::test
