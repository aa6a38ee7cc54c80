// SPDX-License-Identifier: GPL-2.0
// What is said beforehand about failing allocations, from tests/guest/fault_sites.json: which imports
// allocate, what else than ENOMEM may come of a failure, which sites no test can reach. Pure logic.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fault_trace.hpp"
#include "result.hpp"

namespace lio::test {

/// Outcome of a scenario in which an allocation failed: "good" or the name of an errno.
std::string outcome_name(const Status &s);

class FaultPolicy {
	struct Outcome {
		std::string module, function, callee, scenario, reason;
		std::set<std::string> allowed, seen;
		bool deep; ///< only seen with stacks of full depth
		bool sometimes; ///< it need not be seen in each run
	};
	struct Unhit {
		std::string module, function, callee, reason;
		unsigned sites = 1, used = 0;
	};
	struct Fallback {
		std::string function, reason;
		bool sometimes; ///< it need not be seen in each run
		bool seen = false;
	};
	std::set<std::string> allocators_, others_, walked_in_part_;
	std::vector<Fallback> fallbacks_;
	std::vector<Outcome> outcomes_;
	std::vector<Unhit> unhit_;

public:
	static Result<FaultPolicy> parse(std::string_view json);

	const std::set<std::string> &allocators() const { return allocators_; }
	/// Imports that look like allocators and are none.
	const std::set<std::string> &others() const { return others_; }
	/// Of which not every site has a scenario: its table is printed, not judged.
	bool walked_in_part(const std::string &module) const { return walked_in_part_.count(module); }
	/// Did it fail below a function of the kernel that does without the memory?
	bool falls_back(const std::vector<Frame> &stack);
	/// Is that what may come of a failure there? ENOMEM may always.
	bool allows(const std::string &module, const std::string &scenario, const Hit &hit, const std::string &outcome);
	/// Is the site listed as unreachable? Each entry is for as many sites as it says.
	bool excuses(const std::string &module, const CallSite &site);
	/// Entries that nothing has matched, with or without those of deep stacks.
	std::vector<std::string> unused(bool deep) const;
};

} // namespace lio::test
