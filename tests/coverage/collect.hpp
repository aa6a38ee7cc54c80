// SPDX-License-Identifier: GPL-2.0
// Reads what the guests brought back.
#pragma once

#include <string>

#include "coverage.hpp"

namespace lio::coverage {

/// Runs gcov over the counts (*.gcda) and the compiler's notes beside them (*.gcno) in each RESULTS/*/gcov, and
/// adds all up. ENOENT when there are none.
Result<Lines> collect(const std::string &results);

} // namespace lio::coverage
