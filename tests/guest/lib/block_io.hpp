// SPDX-License-Identifier: GPL-2.0
// Plain reads and writes of a block device, past the page cache.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "file.hpp"
#include "result.hpp"

namespace lio::test {

/// Memory that O_DIRECT takes.
class AlignedBuffer {
	struct Free {
		void operator()(uint8_t *p) const { std::free(p); }
	};
	std::unique_ptr<uint8_t[], Free> mem_;
	size_t len_;

public:
	explicit AlignedBuffer(size_t len)
		: mem_(static_cast<uint8_t *>(std::aligned_alloc(4096, (len + 4095) / 4096 * 4096))), len_(len) {}
	std::span<uint8_t> span() { return {mem_.get(), len_}; }
};

/// Fields of /sys/block/NAME/stat (Documentation/block/stat.rst).
struct DiskStat {
	uint64_t reads = 0, writes = 0, in_flight = 0;
};
Result<DiskStat> disk_stat(const std::string &node);

class BlockFile {
	Fd fd_;
	std::string path_;

public:
	static Result<BlockFile> open(const std::string &path, bool direct = true);
	int fd() const { return fd_.get(); }
	Status write_at(uint64_t offset, std::span<const uint8_t> data);
	Status read_at(uint64_t offset, std::span<uint8_t> data);
	Status sync();
	/// Fill with the pattern of [offset, offset + len) and flush.
	Status write_pattern(uint64_t offset, uint64_t len, uint64_t generation = 0);
	/// EILSEQ naming the first wrong byte.
	Status verify_pattern(uint64_t offset, uint64_t len, uint64_t generation = 0);

private:
	BlockFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
};

} // namespace lio::test
