// SPDX-License-Identifier: GPL-2.0
// cdb-compare: judges two records of guest-differ against the reviewed differences.
#include <cstdio>
#include <numeric>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cdb_diff.hpp"
#include "file.hpp"
#include "seed.hpp"

namespace {

using namespace lio::check;
using lio::test::DifferRecord;
using lio::test::DifferRules;

int fail(const lio::test::Error &e)
{
	fprintf(stderr, "cdb-compare: %s\n", e.str().c_str());
	return 2;
}

uint64_t sum(const std::vector<uint64_t> &n)
{
	return std::accumulate(n.begin(), n.end(), uint64_t(0));
}

void print(const CdbVerdict &v, const DifferRecord &record)
{
	for (const auto &f : v.unexplained)
		printf("unexplained: %s [%s] stock: %s, ours: %s; %lu times, as %s\n", f.command.c_str(), f.what.field.c_str(),
		       f.what.stock.c_str(), f.what.ours.c_str(), f.count, f.example.c_str());
	printf("seed %lu, %lu commands, blocks of %lu bytes: %lu answers and blocks compared, %lu commands judged apart, "
	       "%lu behind a difference, %lu times a recorded one\n",
	       record.header.seed, record.header.count, record.header.geometry.block_size, v.compared, v.apart, v.behind,
	       sum(v.used));
}

/// As GoogleTest writes results: lio-check keeps those of the long tier.
nlohmann::json result_of(const CdbVerdict &v, const DifferRecord &record)
{
	const std::pair<const char *, uint64_t> numbers[] = {
		{"seed", record.header.seed}, {"commands", record.header.count}, {"compared", v.compared},
		{"judged_apart", v.apart}, {"behind_a_difference", v.behind}, {"recorded_differences", sum(v.used)},
		{"unexplained", v.unexplained.size()}};
	nlohmann::json test = {{"name", std::to_string(record.header.geometry.block_size)}, {"status", "RUN"}, {"result", "COMPLETED"}, {"time", "0s"}};
	if (!v.unexplained.empty())
		test["failures"] = nlohmann::json::array({"unexplained"});
	for (const auto &[name, number] : numbers)
		test[name] = std::to_string(number);
	return test;
}

/// The same commands on both sides.
lio::test::Result<CdbVerdict> judge(const std::string &stock_file, const std::string &ours_file, const DifferRules &rules,
				    const DifferRules &recorded_with, const std::string &kernel, nlohmann::json &results)
{
	LIO_TRY(DifferRecord stock, DifferRecord::load(stock_file));
	LIO_TRY(DifferRecord ours, DifferRecord::load(ours_file));
	lio::test::set_seed(stock.header.seed);
	LIO_TRY(CdbVerdict verdict, compare_records(stock, ours, rules, recorded_with, kernel));
	print(verdict, stock);
	results.push_back(result_of(verdict, stock));
	return verdict;
}

} // namespace

int main(int argc, char **argv)
{
	CLI::App app{"Compares what the distribution's target and ours answered to the same commands."};
	std::string stock_dir, ours_dir, conformance, recorded, kernel, json_file;
	std::vector<std::string> names;
	app.add_option("--kernel", kernel, "6.12 or 6.1");
	app.add_option("--conformance", conformance, "directory tests/conformance with the reviewed differences")->required();
	app.add_option("--recorded-with", recorded, "the same as the guests had it, if it was another");
	app.add_option("--record", names, "file in both directories")->required();
	app.add_option("--json", json_file, "file for the numbers, as GoogleTest writes results");
	app.add_option("stock", stock_dir, "records of the distribution's modules")->required();
	app.add_option("ours", ours_dir, "records of our modules")->required();
	CLI11_PARSE(app, argc, argv);

	auto rules = lio::test::load_differ_rules(conformance);
	if (!rules)
		return fail(rules.error());
	auto recorded_with = lio::test::load_differ_rules(recorded.empty() ? conformance : recorded);
	if (!recorded_with)
		return fail(recorded_with.error());
	CdbVerdict all(*rules);
	nlohmann::json results = nlohmann::json::array();
	for (const auto &name : names) {
		auto verdict = judge(stock_dir + "/" + name, ours_dir + "/" + name, *rules, *recorded_with, kernel, results);
		if (!verdict)
			return fail(verdict.error());
		all += std::move(*verdict);
	}
	nlohmann::json suite = {{"name", "CdbCompare"}, {"testsuite", results}};
	if (!json_file.empty())
		if (auto s = lio::test::write_file(json_file, nlohmann::json{{"testsuites", {suite}}}.dump(1, '\t')); !s)
			return fail(s.error());
	auto unused = unused_entries(all, *rules, kernel);
	for (const auto &u : unused)
		printf("unused: %s\n", u.c_str());
	printf("%zu recorded differences between answers, met %lu times; %zu recorded kinds of commands judged apart, "
	       "met %lu times\n",
	       rules->differences.size(), sum(all.used), rules->routes.size(), sum(all.routed));
	uint64_t looked = all.compared + all.apart, failed = all.unexplained.size() + unused.size();
	printf("%lu passed, %lu failed, 0 skipped\n", looked - std::min(looked, failed), failed);
	return failed ? 1 : 0;
}
