// SPDX-License-Identifier: GPL-2.0
#include "figures.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lio::bench {

using lio::test::Error;
using nlohmann::json;

namespace {

/// Issue 4, 5.5: ours may cost so much of what stock costs. Reads and writes alike.
struct Aim {
	const char *name;
	double of_stock;
	double noise; ///< how far a figure moves between runs of the same code
};

constexpr Aim aims[] = {
	{"ramdisk/4k-qd1", 0.60, 0.02},	 {"ramdisk/4k-qd1-write", 0.60, 0.02},
	{"ramdisk/4k-qd32", 0.80, 0.04}, {"ramdisk/4k-qd32-write", 0.80, 0.04},
	{"tcmu/4k-qd1", 0.55, 0.02},	 {"tcmu/4k-qd1-write", 0.55, 0.02},
	{"tcmu/4k-qd32", 0.70, 0.04},	 {"tcmu/4k-qd32-write", 0.70, 0.04},
	{"tcmu/1m-qd1", 0.80, 0.02},	 {"tcmu/1m-qd1-write", 0.80, 0.02},
	{"fileio/4k-qd32", 0.90, 0.04},	 {"fileio/4k-qd32-write", 0.90, 0.04},
	{"iblock/4k-qd32", 0.90, 0.04},	 {"iblock/4k-qd32-write", 0.90, 0.04},
};

/// Two jobs on two processors may cost so much more per I/O than one.
constexpr double two_jobs_aim = 1.10;
constexpr const char *two_jobs[] = {"tcmu/4k-qd1", "tcmu/4k-qd32"};

Error malformed(const std::string &path, const std::string &why)
{
	return Error{EINVAL, path, why};
}

/// A missing figure is a failure of the run, not an aim that is met.
double median_of(const Figures &figures, const std::string &name)
{
	auto it = figures.find(name);
	return it == figures.end() ? std::numeric_limits<double>::quiet_NaN() : it->second.median();
}

json medians(const BootResult &boot)
{
	json out = json::object();
	for (const auto &[name, figure] : boot.figures)
		out[name] = std::llround(figure.median());
	return out;
}

} // namespace

double Figure::median() const
{
	std::vector<double> sorted = samples;
	std::sort(sorted.begin(), sorted.end());
	size_t n = sorted.size();
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

double Figure::spread() const
{
	auto [low, high] = std::minmax_element(samples.begin(), samples.end());
	return (*high - *low) / median();
}

Result<BootResult> BootResult::parse(const std::string &text, const std::string &path)
{
	BootResult result;
	try {
		json all = json::parse(text);
		result.release = all.at("release");
		for (const auto &r : all.at("results")) {
			Figure figure{r.at("samples").get<std::vector<double>>()};
			if (figure.samples.empty() || figure.median() <= 0)
				return malformed(path, "a case without samples");
			std::string name = r.at("target").get<std::string>() + "/" + r.at("case").get<std::string>();
			result.figures[name] = figure;
			result.order.emplace_back(name, r.at("ios").get<double>());
		}
	} catch (const json::exception &e) {
		return malformed(path, e.what());
	}
	return result;
}

Result<Committed> Committed::parse(const std::string &text, const std::string &path)
{
	Committed committed;
	try {
		json all = json::parse(text);
		committed.release = all.at("release");
		committed.ours = all.at("ours").get<std::map<std::string, double>>();
	} catch (const json::exception &e) {
		return malformed(path, e.what());
	}
	return committed;
}

std::vector<std::string> judged_cases()
{
	std::vector<std::string> names;
	for (const Aim &aim : aims)
		names.emplace_back(aim.name);
	return names;
}

std::vector<Verdict> judge_aims(const Measured &run)
{
	std::vector<Verdict> verdicts;
	for (const Aim &aim : aims)
		verdicts.push_back({aim.name,
				    median_of(run.ours.figures, aim.name) / median_of(run.stock.figures, aim.name),
				    aim.of_stock, "stock"});
	for (std::string name : two_jobs)
		verdicts.push_back({name + "-two",
				    median_of(run.ours_two.figures, name + "-two") /
					    median_of(run.ours_two.figures, name),
				    two_jobs_aim, "one job"});
	return verdicts;
}

std::vector<Verdict> judge_regressions(const Measured &run, const Committed &committed)
{
	std::vector<Verdict> verdicts;
	if (committed.release != run.ours.release)
		return verdicts;
	for (const Aim &aim : aims) {
		auto it = committed.ours.find(aim.name);
		double before = it == committed.ours.end() ? std::numeric_limits<double>::quiet_NaN() : it->second;
		verdicts.push_back({aim.name, median_of(run.ours.figures, aim.name) / before, 1 + aim.noise,
				    "committed"});
	}
	return verdicts;
}

json to_json(const Measured &run)
{
	return json{{"release", run.ours.release},
		    {"unit", "instructions per I/O of the whole guest, median"},
		    {"stock", medians(run.stock)},
		    {"ours", medians(run.ours)},
		    {"stock, two processors", medians(run.stock_two)},
		    {"ours, two processors", medians(run.ours_two)}};
}

} // namespace lio::bench
