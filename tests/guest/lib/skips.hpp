// SPDX-License-Identifier: GPL-2.0
// The reviewed list of tests that may skip. Pure logic.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "result.hpp"

namespace lio::test {

struct SkipEntry {
	std::string test; ///< Suite.Name, exact
	std::string kernel; ///< "6.1", "6.12" or "any"
	std::string reason;
};

/// tests/guest/skips.json; every entry must name one test and give a one-line reason.
Result<std::vector<SkipEntry>> parse_skips(std::string_view json);
/// The entry for @test on a kernel with this release, or nullptr.
const SkipEntry *find_skip(const std::vector<SkipEntry> &skips, const std::string &test,
			   const std::string &release);

} // namespace lio::test
