// SPDX-License-Identifier: GPL-2.0
// Reads what the guests brought back.
#pragma once

#include <string>

#include "coverage.hpp"

namespace lio::coverage {

/// Runs gcov over the counts (*.gcda) in each RESULTS/*/gcov, with the notes (*.gcno) of the build in @notes, and
/// adds all up. ENOENT when there are none.
Result<Lines> collect(const std::string &results, const std::string &notes);

} // namespace lio::coverage
