// SPDX-License-Identifier: GPL-2.0
// What surrounds every test: the judge of the kernel's log, the skip policy, the summary.
#pragma once

#include <string>

#include "dmesg_judge.hpp"
#include "gtest_result.hpp"

namespace lio::test {

/// Allow kernel log lines of level warning or worse that match @pattern in the running test.
/// With Need::required the test fails if none appears. Wide patterns fail at once.
void expect_dmesg(const std::string &pattern, Need need = Need::required);
/// Judge what was logged until now; for tests that go on to something with other expectations.
void check_dmesg_now();

/// Is the running test listed in tests/guest/skips.json for this kernel?
bool skip_is_reviewed();

/// Flags, listeners, seed, RUN_ALL_TESTS, summary: what main() of a test binary does.
int run_tests(int argc, char **argv);

} // namespace lio::test

/// Skip the running test for @reason, if skips.json lists it; else it fails.
#define LIO_SKIP(reason)                                                                       \
	do {                                                                                   \
		if (!::lio::test::skip_is_reviewed())                                          \
			FAIL() << "a skip that tests/guest/skips.json does not list: " << reason; \
		GTEST_SKIP() << reason;                                                        \
	} while (0)
