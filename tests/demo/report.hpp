// SPDX-License-Identifier: GPL-2.0
// What the demo tells: progress as it goes, a summary at the end.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "clock.hpp"
#include "kmsg.hpp"

namespace lio::demo {

/// Progress lines, each with the time since the start.
class Progress {
	test::Stopwatch watch_;

public:
	void say(const std::string &text) const;
	double seconds() const { return watch_.seconds(); }
};

/// Lines "name: value" for the end.
class Summary {
	std::vector<std::pair<std::string, std::string>> lines_;

public:
	void add(const std::string &name, const std::string &value) { lines_.emplace_back(name, value); }
	void print() const;
};

/// "ours (/lib/modules/.../updates/x.ko)" or "the distribution's (...)".
std::string module_origin(const std::string &module);

/// "25.0 MiB in 1020 files, 12.1 s, 2.1 MiB/s"
std::string rate(uint64_t bytes, double seconds);

/// The kernel's log of the demo, judged as after every test.
class LogVerdict {
	test::KmsgReader reader_;
	explicit LogVerdict(test::KmsgReader reader) : reader_(std::move(reader)) {}

public:
	static test::Result<LogVerdict> begin();
	/// What has no business in the log.
	test::Result<std::vector<std::string>> complaints();
};

} // namespace lio::demo
