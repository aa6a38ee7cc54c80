// SPDX-License-Identifier: GPL-2.0
// Randomness that can be repeated, and counts that follow the tier.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>

namespace lio::test {

/// The run's seed: LIO_SEED or --seed, else fresh. main() prints it.
uint64_t seed();
void set_seed(uint64_t value);
/// A generator of its own for each purpose, so that one test's draws do not move another's.
std::mt19937_64 rng(std::string_view purpose);

enum class Tier { debug, check, long_ };
/// LIO_TIER: check (default), debug (slow sanitizer kernel) or long (the full figures).
Tier tier();
/// @check in the check tier, @full in the long one, a quarter of @check (at least 1) in debug.
uint64_t count(uint64_t check, uint64_t full);

} // namespace lio::test
