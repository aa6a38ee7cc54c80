// SPDX-License-Identifier: GPL-2.0
// lio-bench: `make bench`. Boots the distribution's modules and ours one after the other, measures
// both with the same programs, and judges the figures.
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "boots.hpp"
#include "file.hpp"
#include "profile_boots.hpp"
#include "report.hpp"

namespace {

using namespace lio::bench;
using namespace lio::test;

const std::vector<std::string> beside = {"ramdisk/1m-qd1", "fileio/4k-qd1", "iblock/4k-qd1",
					 "ublk/4k-qd1",	   "ublk/4k-qd32",  "ublk/1m-qd1"};
const std::vector<std::string> two_cases = {"tcmu/4k-qd1", "tcmu/4k-qd32", "tcmu/4k-qd1-two", "tcmu/4k-qd32-two"};

struct Options {
	Settings settings;
	bool update = false;
	bool wall = true;
	bool profile = false;
	std::vector<std::string> profiled = judged_cases();
};

std::string committed_file(const Settings &settings)
{
	return settings.tree + "/tests/bench/results-" + settings.kernel + ".json";
}

std::vector<std::string> single_cases()
{
	std::vector<std::string> all = judged_cases();
	all.insert(all.end(), beside.begin(), beside.end());
	return all;
}

/// A boot whose figures are only printed: the others do not suffer when it fails.
std::optional<BootResult> measure_unjudged(const Boot &boot, const Settings &settings)
{
	auto result = boot_and_measure(boot, settings);
	if (result)
		return std::move(*result);
	fmt::print("{}: not measured: {}\n", boot.title, result.error().str());
	return std::nullopt;
}

Result<Measured> measure(const Options &options)
{
	const Settings &s = options.settings;
	Measured run;
	LIO_TRY(run.stock, boot_and_measure({"stock", "stock, one processor", false, 1, true, single_cases()}, s));
	LIO_TRY(run.ours, boot_and_measure({"ours", "ours, one processor", true, 1, true, single_cases()}, s));
	LIO_TRY(run.stock_two, boot_and_measure({"stock-two", "stock, two processors", false, 2, true, two_cases}, s));
	LIO_TRY(run.ours_two, boot_and_measure({"ours-two", "ours, two processors", true, 2, true, two_cases}, s));
	if (options.wall) {
		run.stock_wall = measure_unjudged({"stock-wall", "stock, wall-clock", false, 2, false, two_cases}, s);
		run.ours_wall = measure_unjudged({"ours-wall", "ours, wall-clock", true, 2, false, two_cases}, s);
	}
	return run;
}

/// Against what is committed. No file yet is said, not failed: --update makes it.
Result<int> judge_committed(const Measured &run, const Settings &settings)
{
	std::string path = committed_file(settings);
	if (!exists(path)) {
		fmt::print("\nno {}: nothing to compare with (--update)\n", path);
		return 0;
	}
	LIO_TRY(std::string text, read_file(path));
	LIO_TRY(Committed committed, Committed::parse(text, path));
	auto verdicts = judge_regressions(run, committed);
	if (verdicts.empty()) {
		fmt::print("\n{} holds for {}, this is {}: not compared (--update)\n", path, committed.release,
			   run.ours.release);
		return 0;
	}
	return print_verdicts("Against the committed results", verdicts);
}

Result<int> bench(const Options &options)
{
	LIO_TRY(Measured run, measure(options));
	print_run(run);
	int missed = print_verdicts("Aims", judge_aims(run));
	if (options.update) {
		std::string path = committed_file(options.settings);
		LIO_CHECK(write_file(path, to_json(run).dump(1, '\t') + "\n"));
		fmt::print("\nwrote {}\n", path);
		return missed;
	}
	LIO_TRY(int worse, judge_committed(run, options.settings));
	return missed + worse;
}

} // namespace

int main(int argc, char **argv)
{
	CLI::App app{"Instructions per I/O of ours beside stock, over loopback, with a handler that does nothing.\n"
		     "Exit status: 0 all aims met, 1 one missed or a result worse than committed, 2 not measured."};
	Options options;
	Settings &settings = options.settings;
	settings.tree = LIO_TREE; // where it was built
	bool no_wall = false;
	app.add_option("--kernel", settings.kernel, "the guest's kernel")->capture_default_str();
	app.add_option("--repeat", settings.repeat, "samples a case")->check(CLI::Range(1u, 99u))->capture_default_str();
	app.add_option("--results", settings.results, "where the boots' files go (default: build/results/bench)");
	app.add_flag("--no-wall", no_wall, "leave out the wall-clock boots");
	app.add_flag("--update", options.update, "write tests/bench/results-KERNEL.json instead of comparing with it");
	app.add_flag("--profile", options.profile, "instead of all this: profiles of both, by symbol, beside the files");
	app.add_option("--cases", options.profiled, "which to profile, comma separated (default: all judged)")
		->delimiter(',');
	app.add_option("--lab", settings.lab, "the words that boot a guest (default: tests/lab/lab run)")->delimiter(' ');
	CLI11_PARSE(app, argc, argv);
	options.wall = !no_wall;
	if (settings.lab.empty())
		settings.lab = {settings.tree + "/tests/lab/lab", "run"};
	if (settings.results.empty())
		settings.results = settings.tree + "/build/results/bench";
	setvbuf(stdout, nullptr, _IOLBF, 0);

	Result<int> missed = options.profile ? profile_both(settings, options.profiled) : bench(options);
	if (!missed) {
		fprintf(stderr, "lio-bench: %s\n", missed.error().str().c_str());
		return 2;
	}
	return *missed ? 1 : 0;
}
