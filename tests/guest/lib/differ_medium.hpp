// SPDX-License-Identifier: GPL-2.0
// The medium under the differential test: what changed since it was last as it should be, and back.
#pragma once

#include <map>
#include <vector>

#include "block_io.hpp"
#include "differ_record.hpp"

namespace lio::test {

class DifferMedium {
	/// Chunks [first, end).
	struct Chunks {
		uint64_t first, end;
	};
	BlockFile file_;
	DifferGeometry geometry_;
	AlignedBuffer now_, want_; ///< what was read; what all of the medium should be
	std::vector<Chunks> named_; ///< by the commands since the last look

public:
	/// How much of it is looked at. Emulation copies slowly: all of it after each batch would take far longer than
	/// the commands do. What no command may change is found when all of it is looked at.
	enum class Extent : uint8_t {
		named, ///< what commands named
		windows, ///< and the places that commands name on purpose
		all,
	};

	/// All of it becomes the pattern.
	static Result<DifferMedium> create(BlockFile file, const DifferGeometry &geometry);

	/// What @c may have changed is to be looked at. @good: its status was.
	void name(const DifferCommand &c, bool good);
	/// The chunks that are not the pattern, with their contents; they are it again afterwards.
	Result<std::map<uint64_t, std::vector<uint8_t>>> take_changes(Extent extent);

private:
	DifferMedium(BlockFile file, const DifferGeometry &geometry);
	uint64_t chunk_bytes() const { return uint64_t(differ_chunk) * geometry_.block_size; }
	std::vector<Chunks> to_look_at(Extent extent);
	Status look(Chunks part, std::map<uint64_t, std::vector<uint8_t>> &changes);
};

} // namespace lio::test
