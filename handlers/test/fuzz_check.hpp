// SPDX-License-Identifier: MIT
/** @file
 * What a fuzzer's target does when something is wrong.
 */
#pragma once

#include <cstdio>
#include <cstdlib>

#define FUZZ_CHECK(condition)                                                                    \
	do {                                                                                     \
		if (!(condition)) {                                                              \
			std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			std::abort();                                                            \
		}                                                                                \
	} while (0)
