// SPDX-License-Identifier: GPL-2.0
// Executed lines of our kernel code, added up over boots, and the judgement of those that never ran. Pure logic.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "result.hpp"

namespace lio::coverage {

using test::Error;
using test::Result;
using test::Status;

struct Line {
	uint64_t count = 0;
	std::string function;
};

/// Lines that have code, by number, by file (relative to our tree: "user/ring.c").
using Lines = std::map<std::string, std::map<unsigned, Line>>;

/// Adds one JSON document of `gcov --json-format`. Files outside of drivers/target are not ours. EINVAL when
/// it is no such document.
Status add_gcov(Lines &lines, std::string_view json);

struct Row {
	std::string name; ///< file or module
	unsigned lines = 0, executed = 0;
	double percent() const { return lines ? 100.0 * executed / lines : 0; }
};

/// The module a file of our tree belongs to; empty for a file of no module of ours.
std::string module_of(std::string_view file);

std::vector<Row> by_file(const Lines &lines);
std::vector<Row> by_module(const Lines &lines);

/// An entry of judged.json: code that the suites need not reach, and why.
struct Judged {
	std::string file, function;
	std::string code; ///< the line's text without its indentation; empty: all of the function
	std::string why;
	auto operator<=>(const Judged &) const = default;
};

Result<std::vector<Judged>> parse_judged(std::string_view json);

/// A line that never ran.
struct Uncovered {
	std::string file, function, code;
	unsigned line = 0;
	std::string why; ///< of the entry that judges it; empty: none does
};

struct Judgement {
	std::vector<Uncovered> uncovered; ///< in the order of files and lines
	std::vector<std::string> unreached; ///< functions ("file: function") that never ran and that nobody judged
	std::vector<Judged> stale; ///< entries about code that is not there
};

/// @sources has the text of each file, by the names of @lines.
Judgement judge(const Lines &lines, const std::map<std::string, std::string> &sources,
		const std::vector<Judged> &judged);

} // namespace lio::coverage
