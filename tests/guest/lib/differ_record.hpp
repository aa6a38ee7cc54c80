// SPDX-License-Identifier: GPL-2.0
// What a target answered to the commands of a seed, small enough for a million of them. Pure logic
// but for the files.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "differ_maker.hpp"
#include "result.hpp"

namespace lio::test {

/// Commands between two looks at the medium.
inline constexpr unsigned differ_batch = 32;
/// Blocks that are hashed together.
inline constexpr unsigned differ_chunk = 8;

enum AnswerFlags : uint8_t {
	answer_compared = 1, ///< it went to both targets
	answer_sense = 2, ///< key, asc and ascq are there
	answer_information = 4,
	answer_refused = 8, ///< by the midlayer: @residual is the error number
};

/// Of one command. The file has it as it lies in memory.
struct Answer {
	uint8_t flags = 0, status = 0, key = 0, asc = 0, ascq = 0, host = 0;
	uint16_t unused = 0;
	int32_t residual = 0;
	uint32_t information = 0;
	uint64_t data = 0; ///< hash of what was returned

	std::string str() const; ///< "GOOD", "5/24/00", "BUSY" …
	bool good() const { return !(flags & answer_refused) && !status && !host; }
	bool operator==(const Answer &) const = default;
};

struct DifferHeader {
	uint64_t seed = 0, count = 0;
	DifferGeometry geometry;
	uint64_t rules = 0; ///< hash of the data file
	bool operator==(const DifferHeader &) const = default;
};

uint64_t hash_bytes(std::span<const uint8_t> bytes);

/// A chunk of the medium that was not as it was written before the batch.
struct ChunkHash {
	uint64_t batch = 0, chunk = 0, hash = 0;
	auto operator<=>(const ChunkHash &) const = default;
};

struct DifferRecord {
	DifferHeader header;
	std::vector<Answer> answers;
	std::vector<ChunkHash> chunks; ///< sorted
	/// What was returned, by hash; not blocks of the medium.
	std::map<uint64_t, std::vector<uint8_t>> contents;

	Status save(const std::string &path) const;
	static Result<DifferRecord> load(const std::string &path);
};

} // namespace lio::test
