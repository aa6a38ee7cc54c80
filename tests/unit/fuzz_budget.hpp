// SPDX-License-Identifier: GPL-2.0
// How long a fuzzer runs: a number of inputs in the tiers check and long, which takes seconds and
// hours, and a time in debug.
#pragma once

#include <cstdint>

#include "seed.hpp"

namespace lio::fuzz {

struct Budget {
	uint64_t runs; ///< 0: as many as there is time for
	unsigned seconds; ///< 0: as long as it takes
};

inline Budget budget()
{
	if (test::tier() == test::Tier::debug)
		return {0, 60};
	return {test::count(FUZZ_CHECK_RUNS, FUZZ_LONG_RUNS), 0};
}

} // namespace lio::fuzz
