// SPDX-License-Identifier: GPL-2.0
// The tables that people read.
#pragma once

#include <vector>

#include "figures.hpp"

namespace lio::bench {

void print_run(const Measured &run);
/// One line a verdict; the number of those that are not met.
int print_verdicts(const char *title, const std::vector<Verdict> &verdicts);

} // namespace lio::bench
