// SPDX-License-Identifier: GPL-2.0
#include "seed.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "pattern.hpp"

namespace lio::test {

namespace {

uint64_t first_seed()
{
	if (const char *env = getenv("LIO_SEED"))
		return strtoull(env, nullptr, 0);
	std::random_device rd;
	return uint64_t(rd()) << 32 | rd();
}

uint64_t &seed_slot()
{
	static uint64_t value = first_seed();
	return value;
}

} // namespace

uint64_t seed()
{
	return seed_slot();
}

void set_seed(uint64_t value)
{
	seed_slot() = value;
}

std::mt19937_64 rng(std::string_view purpose)
{
	uint64_t h = seed();
	for (char c : purpose)
		h = mix64(h ^ static_cast<unsigned char>(c));
	return std::mt19937_64(h);
}

Tier tier()
{
	const char *env = getenv("LIO_TIER");
	if (env && !strcmp(env, "long"))
		return Tier::long_;
	return env && !strcmp(env, "debug") ? Tier::debug : Tier::check;
}

uint64_t count(uint64_t check, uint64_t full)
{
	switch (tier()) {
	case Tier::long_:
		return full;
	case Tier::debug:
		return std::max<uint64_t>(1, check / 4);
	case Tier::check:
		break;
	}
	return check;
}

} // namespace lio::test
