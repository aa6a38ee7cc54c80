// SPDX-License-Identifier: GPL-2.0
// Filesystems that are written to with more than the guest's memory holds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "process.hpp"
#include "result.hpp"
#include "system.hpp"

namespace lio::test {

/// The @index-th disk that the guest was booted with (lab run --disk).
Result<std::string> scratch_disk(unsigned index);

/// All of the guest's memory.
Result<uint64_t> memory_bytes();

/// ext4 on @node, mounted on the new directory @dir.
Result<Mount> make_ext4(const std::string &node, const std::string &dir, const std::string &options = "");

/// Files of one size with a pattern in them, written through the page cache.
class PatternFiles {
	std::string dir_;
	uint64_t bytes_;
	int count_;

public:
	PatternFiles(std::string dir, int count, uint64_t bytes_each)
		: dir_(std::move(dir)), bytes_(bytes_each), count_(count)
	{}

	/// Starts a process a file, which writes and fsyncs it; each ends with status 0 if that went well.
	Result<std::vector<Process>> start_writers(uint64_t seed) const;
	/// They read back from the disk, not from memory.
	Status verify(uint64_t seed) const;

private:
	std::string path(int index) const { return dir_ + "/file" + std::to_string(index); }
};

} // namespace lio::test
