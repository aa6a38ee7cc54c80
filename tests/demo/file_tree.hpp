// SPDX-License-Identifier: GPL-2.0
// What is in a directory tree, with a checksum of every file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "result.hpp"

namespace lio::demo {

using test::Result;

struct TreeEntry {
	char type = '-'; ///< as ls shows it: - d l
	uint64_t bytes = 0;
	uint32_t crc32c = 0;
	std::string target; ///< of a symlink
	bool operator==(const TreeEntry &) const = default;
};

/// By path below the top.
struct FileTree {
	std::map<std::string, TreeEntry> entries;
	uint64_t files = 0;
	uint64_t bytes = 0;
};

/// Reads every file below @top.
Result<FileTree> read_tree(const std::string &top);

/// What is missing, added or different in @b, in words; empty when the trees are the same.
std::vector<std::string> differing_paths(const FileTree &a, const FileTree &b);

} // namespace lio::demo
