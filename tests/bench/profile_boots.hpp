// SPDX-License-Identifier: GPL-2.0
// Boots with the profiling plugin, and their tables.
#pragma once

#include "boots.hpp"

namespace lio::bench {

/// Profile @cases of stock and ours; writes the tables below settings.results. Gives 0.
Result<int> profile_both(const Settings &settings, const std::vector<std::string> &cases);

} // namespace lio::bench
