// SPDX-License-Identifier: GPL-2.0
// Drives the fuzzer's target with random inputs, where there is no libFuzzer.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "seed.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	uint64_t runs = lio::test::count(5000, 1000000), first = 0;
	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t value = strtoull(argv[i + 1], nullptr, 0);
		if (!strcmp(argv[i], "--seed"))
			lio::test::set_seed(value);
		else if (!strcmp(argv[i], "--runs"))
			runs = value;
		else if (!strcmp(argv[i], "--first"))
			first = value;
		else
			argc = 0;
	}
	if (argc % 2 == 0) {
		fprintf(stderr, "usage: %s [--seed N] [--runs N] [--first N]\n", argv[0]);
		return 2;
	}
	printf("seed %" PRIu64 ", %" PRIu64 " runs\n", lio::test::seed(), runs);
	fflush(stdout); // an abort must not take the seed with it
	for (uint64_t run = first; run < first + runs; run++) {
		auto rng = lio::test::rng("run " + std::to_string(run));
		std::vector<uint8_t> input(rng() % 400);
		for (uint8_t &byte : input)
			byte = uint8_t(rng());
		// If one does not return: --seed S --first N --runs 100 repeats it.
		if (run % 100 == 0)
			fprintf(stderr, "\rrun %" PRIu64 " ", run);
		LLVMFuzzerTestOneInput(input.data(), input.size());
	}
	fprintf(stderr, "\n");
	printf("%" PRIu64 " runs, no complaint\n", runs);
	return 0;
}
