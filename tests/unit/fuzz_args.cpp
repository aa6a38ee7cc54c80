// SPDX-License-Identifier: GPL-2.0
// libFuzzer's arguments from what every test here obeys: LIO_SEED, LIO_TIER. Given ones win.
#include <cinttypes>
#include <cstdio>
#include <string>
#include <vector>

#include "fuzz_budget.hpp"

extern "C" int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const lio::fuzz::Budget budget = lio::fuzz::budget();
	static std::vector<std::string> defaults = {
		"-seed=" + std::to_string(1 + lio::test::seed() % UINT32_MAX),
		"-runs=" + (budget.runs ? std::to_string(budget.runs) : "-1"),
		"-max_total_time=" + std::to_string(budget.seconds),
		"-max_len=" + std::to_string(FUZZ_MAX_LEN),
		"-len_control=0",
		"-timeout=120", // one input, on a machine that has other work
		"-print_final_stats=1",
		"-verbosity=0",
	};
	static std::vector<char *> args = {(*argv)[0]};
	for (auto &arg : defaults)
		args.push_back(arg.data());
	args.insert(args.end(), *argv + 1, *argv + *argc);
	*argc = int(args.size());
	args.push_back(nullptr);
	*argv = args.data();
	printf("seed %" PRIu64 ": %s %s %s\n", lio::test::seed(), args[1], args[2], args[3]);
	fflush(stdout);
	return 0;
}
