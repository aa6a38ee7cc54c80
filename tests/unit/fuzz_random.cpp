// SPDX-License-Identifier: GPL-2.0
// Drives a fuzzer's target with random inputs, where there is no libFuzzer; after those of its corpus.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "clock.hpp"
#include "fuzz_budget.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace {

struct Options {
	uint64_t runs = lio::fuzz::budget().runs, first = 0;
	const char *corpus = nullptr;
	bool usable = true;
};

Options parse(int argc, char **argv)
{
	Options o;
	for (int i = 1; i < argc; i++) {
		uint64_t value = i + 1 < argc ? strtoull(argv[i + 1], nullptr, 0) : 0;
		if (argv[i][0] != '-')
			o.corpus = argv[i];
		else if (++i == argc)
			o.usable = false;
		else if (!strcmp(argv[i - 1], "--seed"))
			lio::test::set_seed(value);
		else if (!strcmp(argv[i - 1], "--runs"))
			o.runs = value;
		else if (!strcmp(argv[i - 1], "--first"))
			o.first = value;
		else
			o.usable = false;
	}
	return o;
}

void run_corpus(const char *directory)
{
	for (const auto &entry : std::filesystem::directory_iterator(directory)) {
		std::ifstream file(entry.path(), std::ios::binary);
		std::vector<char> input{std::istreambuf_iterator<char>(file), {}};
		printf("%s\n", entry.path().c_str());
		LLVMFuzzerTestOneInput(reinterpret_cast<uint8_t *>(input.data()), input.size());
	}
}

void run_random(uint64_t run)
{
	auto rng = lio::test::rng("run " + std::to_string(run));
	std::vector<uint8_t> input(rng() % FUZZ_MAX_LEN);
	for (uint8_t &byte : input)
		byte = uint8_t(rng());
	// If one does not return: --seed S --first N --runs 100 repeats it.
	if (run % 100 == 0)
		fprintf(stderr, "\rrun %" PRIu64 " ", run);
	LLVMFuzzerTestOneInput(input.data(), input.size());
}

} // namespace

int main(int argc, char **argv)
{
	const Options o = parse(argc, argv);
	if (!o.usable) {
		fprintf(stderr, "usage: %s [--seed N] [--runs N] [--first N] [CORPUS]\n", argv[0]);
		return 2;
	}
	printf("seed %" PRIu64 ", %" PRIu64 " runs\n", lio::test::seed(), o.runs);
	fflush(stdout); // an abort must not take the seed with it
	if (o.corpus)
		run_corpus(o.corpus);
	lio::test::Deadline deadline{std::chrono::seconds(lio::fuzz::budget().seconds)};
	uint64_t run = o.first;
	while (o.runs ? run < o.first + o.runs : !deadline.passed())
		run_random(run++);
	fprintf(stderr, "\n");
	printf("%" PRIu64 " runs, no complaint\n", run - o.first);
	return 0;
}
