// SPDX-License-Identifier: GPL-2.0
// Runs the jobs, some side by side, and tells how it goes.
#pragma once

#include <string>
#include <vector>

#include "groups.hpp"

namespace lio::check {

struct Settings {
	std::string tree; ///< root of the source tree
	std::string results; ///< directory below which every job has one of its own
	std::string tier = "check";
	std::string seed; ///< empty: every binary draws its own
	unsigned parallel = 2;
};

struct Outcome {
	bool ran = false;
	int status = -1;
	Counts counts;
	double seconds = 0;
	std::string note; ///< why, when it is not plain
	bool good() const { return ran && status == 0 && counts.found && counts.failed == 0; }
};

/// One outcome per job, in their order.
Result<std::vector<Outcome>> run_jobs(const std::vector<Job> &jobs, const Settings &settings);

/// The table and the closing line; true when everything is well.
bool print_summary(const std::vector<Job> &jobs, const std::vector<Outcome> &outcomes);

} // namespace lio::check
