// SPDX-License-Identifier: GPL-2.0
// What a LUN has to go through: file system, files, the handler's death, and back.
#pragma once

#include <string>

#include "file_tree.hpp"
#include "handler.hpp"
#include "report.hpp"

namespace lio::demo {

struct Exercise {
	std::string backstore; ///< its configfs name
	std::string node; ///< the disk
	std::string source; ///< tree to copy
	const FileTree &files; ///< what is in it
};

struct Figures {
	double copy_seconds = 0; ///< with sync
	double recovery_seconds = 0; ///< from the kill to a device with a handler
	double read_seconds = 0; ///< of both copies, from the handler
	uint64_t bytes_checked = 0;
	uint64_t files_checked = 0;
};

/// mkfs, copy, kill -9 the handler under a second copy, restart it, read both back and compare.
Result<Figures> run_exercise(const Exercise &exercise, Handler &handler, const Progress &progress);

} // namespace lio::demo
