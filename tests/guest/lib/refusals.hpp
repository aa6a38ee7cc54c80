// SPDX-License-Identifier: GPL-2.0
// What the core's log says of commands that it refuses.
#pragma once

namespace lio::test {

/// Allow it in the running test, for tests that send what is to be refused.
void expect_refusals_in_dmesg();

} // namespace lio::test
