// SPDX-License-Identifier: GPL-2.0
// lio-check: runs test groups of tests/groups.json, on the host and in the lab's guest.
#include <cstdio>
#include <filesystem>
#include <random>

#include <CLI/CLI.hpp>

#include "file.hpp"
#include "record.hpp"
#include "run_jobs.hpp"

namespace {

using namespace lio::check;

/// The tree this program was built in: build/user/bin lies below it.
std::string find_tree()
{
	auto self = std::filesystem::read_symlink("/proc/self/exe");
	for (auto dir = self.parent_path(); dir != dir.root_path(); dir = dir.parent_path())
		if (std::filesystem::exists(dir / "tests/groups.json"))
			return dir;
	return std::filesystem::current_path();
}

std::vector<std::string> split(const std::string &text)
{
	std::vector<std::string> words;
	for (size_t at = 0; at < text.size();) {
		size_t end = text.find_first_of(", ", at);
		if (end != at)
			words.push_back(text.substr(at, end - at));
		at = end == std::string::npos ? text.size() : end + 1;
	}
	return words;
}

/// For all groups: some of them compare what two guests did with the same draws.
std::string fresh_seed()
{
	std::random_device rd;
	return std::to_string(uint64_t(rd()) << 32 | rd());
}

void list_groups(const std::vector<Group> &groups)
{
	for (const Group &g : groups) {
		std::string tiers, kernels;
		for (const auto &t : g.tiers)
			tiers += " " + t;
		for (const auto &k : g.kernels)
			kernels += " " + k;
		printf("%-24s %s%s;%s\n", g.name.c_str(), g.guest ? "guest" : "host", kernels.c_str(), tiers.c_str());
	}
}

int fail(const lio::test::Error &e)
{
	fprintf(stderr, "lio-check: %s\n", e.str().c_str());
	return 2;
}

} // namespace

int main(int argc, char **argv)
{
	CLI::App app{"Runs the test groups of tests/groups.json.\n"
		     "Exit status: 0 all well, 1 something failed, 2 it could not be run."};
	Settings settings;
	Selection selection;
	std::string patterns, kernels, record;
	bool list = false;
	settings.tree = find_tree();
	app.add_option("groups", patterns, "globs of group names, comma separated, each NAME or NAME:GTEST-FILTER");
	app.add_option("--tier", selection.tier, "check, debug or long")
		->check(CLI::IsMember({"check", "debug", "long"}));
	app.add_option("--kernel", kernels, "only these kernels, comma separated");
	app.add_option("--jobs,-j", settings.parallel, "boots side by side")->check(CLI::Range(1u, 16u));
	app.add_option("--seed", settings.seed, "seed for every test binary");
	app.add_option("--results", settings.results, "where logs and files go (default: build/results)");
	app.add_option("--record", record, "put the results into this file afterwards");
	app.add_flag("--list", list, "only list the groups");
	CLI11_PARSE(app, argc, argv);

	setvbuf(stdout, nullptr, _IOLBF, 0);
	if (settings.results.empty())
		settings.results = settings.tree + "/build/results";
	settings.tier = selection.tier;
	selection.patterns = split(patterns);
	selection.kernels = split(kernels);
	auto text = lio::test::read_file(settings.tree + "/tests/groups.json");
	if (!text)
		return fail(text.error());
	auto groups = parse_groups(*text);
	if (!groups)
		return fail(groups.error());
	if (list) {
		list_groups(*groups);
		return 0;
	}
	auto jobs = select_jobs(*groups, selection);
	if (!jobs)
		return fail(jobs.error());
	if (settings.seed.empty())
		settings.seed = fresh_seed();
	printf("seed %s\n", settings.seed.c_str());
	auto outcomes = run_jobs(*jobs, settings);
	if (!outcomes)
		return fail(outcomes.error());
	bool good = print_summary(*jobs, *outcomes);
	if (!record.empty())
		if (auto kept = update_record(settings.results, record); !kept)
			return fail(kept.error());
	return good ? 0 : 1;
}
