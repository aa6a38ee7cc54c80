// SPDX-License-Identifier: GPL-2.0
// What the boots measured, and the judgement of it: pure, no guest needed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "result.hpp"

namespace lio::bench {

using lio::test::Result;

/// The repeats of one case; the median stands for them.
struct Figure {
	std::vector<double> samples;

	double median() const;
	/// (largest - smallest) / median
	double spread() const;
};

/// "tcmu/4k-qd1" and the like.
using Figures = std::map<std::string, Figure>;

/// One boot's /out/bench.json.
struct BootResult {
	std::string release;
	Figures figures;
	/// Name and I/Os a sample, in the order they were measured.
	std::vector<std::pair<std::string, double>> order{};

	static Result<BootResult> parse(const std::string &text, const std::string &path);
};

/// All that one run of lio-bench learns.
struct Measured {
	BootResult stock, ours; ///< one processor, icount
	BootResult stock_two, ours_two; ///< two processors, icount
	std::optional<BootResult> stock_wall, ours_wall; ///< two processors, thread=multi: nanoseconds
};

/// The committed results: our median of every judged case, and the release they hold for.
struct Committed {
	std::string release;
	std::map<std::string, double> ours;

	static Result<Committed> parse(const std::string &text, const std::string &path);
};

/// A judged figure: @value must not exceed @aim.
struct Verdict {
	std::string name;
	double value, aim;
	std::string of; ///< what the value is a multiple of
	bool met() const { return value <= aim; }
};

/// The cases that have an aim beside stock.
std::vector<std::string> judged_cases();
/// Ours against stock, and two jobs against one.
std::vector<Verdict> judge_aims(const Measured &run);
/// Ours against the committed results. Empty when they are of another kernel release.
std::vector<Verdict> judge_regressions(const Measured &run, const Committed &committed);

/// What is committed: every sample's median, ours beside stock.
nlohmann::json to_json(const Measured &run);

} // namespace lio::bench
