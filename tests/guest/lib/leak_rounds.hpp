// SPDX-License-Identifier: GPL-2.0
// The same again and again: memory and names are back where they were.
#pragma once

#include <cstdint>
#include <functional>

namespace lio::test {

/// Runs @round @warm_up times, until every cache that the rest of the kernel keeps is there, and then twice @half
/// times with a snapshot before, between and after: a test failure for every name that differs and for what grew both
/// times. Stops at a round that failed.
void expect_no_growth(unsigned warm_up, uint64_t half, const std::function<void()> &round);

} // namespace lio::test
