// SPDX-License-Identifier: GPL-2.0
#include "write_log.hpp"

#include <cstring>
#include <string>

namespace lio::test {

namespace {

constexpr uint64_t log_magic = 0x6a736677736872, log_version = 1;

// Little-endian on the medium, as everything that the harness runs on.
struct LogSuper {
	uint64_t magic, version, entries;
	uint32_t sector_bytes;
};

struct LogHeader {
	uint64_t sector, sectors, flags, data_bytes;
};

template <class T> T take(std::span<const uint8_t> bytes)
{
	T value;
	memcpy(&value, bytes.data(), sizeof(value));
	return value;
}

Error bad_log(const std::string &what)
{
	return Error{EPROTO, "the log of writes", what + " in"};
}

/// Reads one entry after the other.
class LogReader {
	std::span<const uint8_t> rest_;
	uint64_t unit_;

public:
	LogReader(std::span<const uint8_t> entries, uint64_t unit) : rest_(entries), unit_(unit) {}

	Result<LogEntry> next()
	{
		if (rest_.size() < unit_)
			return bad_log("an entry behind the end");
		auto head = take<LogHeader>(rest_);
		LogEntry entry{head.sector * (unit_ / log_sector_bytes), head.sectors * (unit_ / log_sector_bytes),
			       head.flags};
		std::span<const uint8_t> block = rest_.first(unit_);
		rest_ = rest_.subspan(unit_);
		if (entry.is(LogEntry::mark)) {
			if (head.data_bytes > unit_ - sizeof(head))
				return bad_log("a mark that is too long");
			entry.data = block.subspan(sizeof(head), head.data_bytes);
		} else if (!entry.is(LogEntry::discard)) {
			if (head.sectors > rest_.size() / unit_)
				return bad_log("a write behind the end");
			entry.data = rest_.first(head.sectors * unit_);
			rest_ = rest_.subspan(entry.data.size());
		}
		return entry;
	}
};

} // namespace

Result<std::vector<LogEntry>> parse_write_log(std::span<const uint8_t> bytes)
{
	if (bytes.size() < sizeof(LogSuper))
		return bad_log("no superblock");
	auto super = take<LogSuper>(bytes);
	uint64_t unit = super.sector_bytes;
	if (super.magic != log_magic || super.version != log_version)
		return bad_log("a magic number or version that is not dm-log-writes'");
	if (unit < log_sector_bytes || unit % log_sector_bytes || unit > bytes.size())
		return bad_log("a sector size of " + std::to_string(unit));
	LogReader reader(bytes.subspan(unit), unit);
	std::vector<LogEntry> entries;
	for (uint64_t i = 0; i < super.entries; i++) {
		LIO_TRY(LogEntry entry, reader.next());
		entries.push_back(entry);
	}
	return entries;
}

} // namespace lio::test
