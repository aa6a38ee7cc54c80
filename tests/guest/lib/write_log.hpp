// SPDX-License-Identifier: GPL-2.0
// The log of dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst): what reached a
// device, in the order in which it became permanent. A write is in the log once a flush that began
// after its end has ended, a write with FUA as soon as it ended.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "result.hpp"

namespace lio::test {

inline constexpr uint64_t log_sector_bytes = 512;

struct LogEntry {
	enum Flag : uint64_t { flush = 1, fua = 2, discard = 4, mark = 8 };
	uint64_t sector = 0, sectors = 0; ///< of 512 bytes
	uint64_t flags = 0;
	/// What was written; nothing for a discard, the text for a mark.
	std::span<const uint8_t> data{};

	bool is(Flag flag) const { return flags & flag; }
	std::string_view text() const { return {reinterpret_cast<const char *>(data.data()), data.size()}; }
};

/// Entries of the log in @bytes, which they point into. EPROTO for what is not a log.
Result<std::vector<LogEntry>> parse_write_log(std::span<const uint8_t> bytes);

} // namespace lio::test
