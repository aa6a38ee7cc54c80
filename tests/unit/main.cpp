// SPDX-License-Identifier: GPL-2.0
// main() of the host unit tests: prints the seed, takes --seed N.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>

#include "seed.hpp"

int main(int argc, char **argv)
{
	testing::InitGoogleTest(&argc, argv);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
			lio::test::set_seed(strtoull(argv[++i], nullptr, 0));
		} else {
			fprintf(stderr, "usage: %s [--seed N] [--gtest_...]\n", argv[0]);
			return 2;
		}
	}
	printf("seed %" PRIu64 "\n", lio::test::seed());
	return RUN_ALL_TESTS();
}
