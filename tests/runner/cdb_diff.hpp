// SPDX-License-Identifier: GPL-2.0
// Compares what two targets answered to the same commands with the reviewed differences.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "differ_record.hpp"
#include "differ_rules.hpp"

namespace lio::check {

/// One field of one command that is not the same.
struct CdbDifference {
	std::string field, stock, ours;
	/// All names of the same two.
	std::vector<std::string> stock_names, ours_names;

	/// Is it the one that @e allows?
	bool is(const test::DifferEntry &e) const;
};

/// Differences that no entry explains, together where they are alike.
struct CdbFinding {
	std::string command; ///< operation code and service action
	CdbDifference what;
	uint64_t count = 0;
	std::string example;
};

struct CdbVerdict {
	uint64_t compared = 0; ///< commands that both got, and blocks that both have
	uint64_t apart = 0; ///< commands that only one target has, or that only one may get
	/// Commands that look at blocks that a recorded difference has made different.
	uint64_t behind = 0;
	std::vector<uint64_t> used; ///< how often each entry of the differences was
	std::vector<uint64_t> routed; ///< commands of each route that show why it is there
	std::vector<CdbFinding> unexplained;

	explicit CdbVerdict(const test::DifferRules &rules)
		: used(rules.differences.size()), routed(rules.routes.size()) {}
	/// With what other records of the same rules showed.
	CdbVerdict &operator+=(CdbVerdict &&o);
};

/// Entries and routes that nothing needed.
std::vector<std::string> unused_entries(const CdbVerdict &v, const test::DifferRules &rules, const std::string &kernel);

/// @recorded_with: the rules that the commands were made with. EINVAL when the records are not of the
/// same commands.
test::Result<CdbVerdict> compare_records(const test::DifferRecord &stock, const test::DifferRecord &ours,
					 const test::DifferRules &rules, const test::DifferRules &recorded_with,
					 const std::string &kernel);

/// The fields of one command's answers that differ. Pure.
std::vector<CdbDifference> differing_fields(const test::DifferCommand &c, const test::DifferRecord &stock,
					    const test::DifferRecord &ours, uint64_t index, bool free_data);

} // namespace lio::check
