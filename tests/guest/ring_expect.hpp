// SPDX-License-Identifier: GPL-2.0
// What target_core_user of the distribution does otherwise than ours, by name.
#pragma once

#include <string>

namespace lio::test {

/// Is the running target_core_user ours?
bool tcmu_is_ours();

/// Compare @got with what tests/conformance/tcmu/differences.json says of @what for the module
/// that runs. Without an entry, or with one whose sides are equal, the test fails.
void expect_here(const std::string &what, const std::string &got);

} // namespace lio::test
