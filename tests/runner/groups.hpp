// SPDX-License-Identifier: GPL-2.0
// The table of test groups (tests/groups.json) and what a run makes of it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "result.hpp"

namespace lio::check {

using test::Error;
using test::Result;
using test::Status;

/// One entry of groups.json.
struct Group {
	std::string name;
	bool guest = false; ///< boots the lab; else runs on the host
	std::vector<std::string> command; ///< program and arguments
	std::string filter; ///< GoogleTest filter, guest groups only
	std::string ours = "all"; ///< the lab's --ours
	std::vector<std::string> kernels; ///< empty: once, on no kernel; in the debug tier 6.12-debug instead
	std::vector<std::string> long_kernels; ///< more of them, in the long tier
	std::vector<std::string> lab; ///< more options of `lab run`
	std::vector<std::string> tiers; ///< where it belongs; empty: everywhere
	std::vector<std::string> after; ///< groups whose results it reads
	std::map<std::string, unsigned> timeout; ///< seconds by tier
};

Result<std::vector<Group>> parse_groups(std::string_view json);

/// What the user asked for.
struct Selection {
	std::string tier = "check";
	std::vector<std::string> patterns; ///< globs of group names, "NAME:FILTER"; empty: all
	std::vector<std::string> kernels; ///< empty: all
};

/// A group on a kernel, with the results it waits for.
struct Job {
	const Group *group;
	std::string kernel; ///< empty for host groups without kernels
	std::string filter;
	std::vector<size_t> after; ///< indexes of jobs
	unsigned timeout = 0;
	std::string name() const { return group->name + (kernel.empty() ? "" : "@" + kernel); }
};

/// The jobs of a selection; groups named in `after` come along. ENOENT when nothing matches.
Result<std::vector<Job>> select_jobs(const std::vector<Group> &groups, const Selection &selection);

struct Counts {
	unsigned passed = 0, failed = 0, skipped = 0;
	bool found = false;
};

/// The last "N passed, N failed, N skipped" of a log, or ctest's closing line.
Counts find_counts(std::string_view log);

} // namespace lio::check
