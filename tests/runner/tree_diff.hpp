// SPDX-License-Identifier: GPL-2.0
// Compares two records of an attribute tree against the reviewed differences.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tree_record.hpp"

namespace lio::check {

/// One entry of tests/conformance/configfs/differences.json: exactly one field of one path.
struct Difference {
	std::string attribute; ///< path as in the record, no wildcards
	std::string field;
	std::string kernel; ///< "6.12", "6.1" or "any"
	std::string stock, ours; ///< "(none)" where a side has no such field
	std::string reason; ///< clause or bug
	std::string client; ///< which client was checked to live with it
	bool operator==(const Difference &o) const
	{
		return attribute == o.attribute && field == o.field && stock == o.stock && ours == o.ours;
	}
};

test::Result<std::vector<Difference>> parse_differences(std::string_view json);

struct Verdict {
	size_t same = 0; ///< fields that are equal
	size_t explained = 0; ///< fields that differ as an entry says
	std::vector<Difference> unexplained; ///< without reason and client
	std::vector<Difference> unused; ///< entries that matched nothing
};

Verdict compare(const test::TreeRecord &stock, const test::TreeRecord &ours,
		const std::vector<Difference> &differences, const std::string &kernel);

} // namespace lio::check
