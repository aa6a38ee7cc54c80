// SPDX-License-Identifier: GPL-2.0
// The kernel log as it grows.
#pragma once

#include <vector>

#include "dmesg_judge.hpp"
#include "file.hpp"

namespace lio::test {

class KmsgReader {
	Fd fd_;

public:
	/// Reads what is logged from now on.
	static Result<KmsgReader> open();
	/// The new lines, without waiting. Lines that were overwritten unread are an Error.
	Result<std::vector<LogLine>> read_new();

private:
	explicit KmsgReader(Fd fd) : fd_(std::move(fd)) {}
};

} // namespace lio::test
