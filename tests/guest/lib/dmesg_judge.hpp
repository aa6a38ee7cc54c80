// SPDX-License-Identifier: GPL-2.0
// Which kernel log lines a test may cause (DESIGN section 6). Pure logic: no kernel needed.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "result.hpp"

namespace lio::test {

struct LogLine {
	int level = 0; ///< 0 emerg … 4 warning … 7 debug
	uint64_t sequence = 0;
	std::string text;
};

/// One record of /dev/kmsg: "prio,seq,usec,flags[,…];text\n key=value…".
std::optional<LogLine> parse_kmsg(std::string_view record);

/// Does the text report a kernel defect (oops, WARN, BUG, sanitizer, lockdep, hang)? No
/// expectation can excuse such a line, at whatever level it was logged.
bool is_defect(const std::string &text);

enum class Need { required, optional };

class DmesgJudge {
	struct Expectation {
		std::string pattern;
		std::regex regex;
		Need need;
		unsigned matches = 0;
	};
	/// Of a line's text.
	struct Opinion {
		bool defect = false, allowed = false;
		std::vector<size_t> matches; ///< of expected_
	};
	std::vector<Expectation> expected_;
	std::unordered_map<std::string, Opinion> opinions_; ///< with the expectations there are

	Opinion opinion_of(const std::string &text) const;
	const Opinion &remember(const std::string &text);

public:
	/// Lines matching @pattern (ECMAScript, searched for) are allowed from now on. A pattern so
	/// wide that it matches any known defect report is refused (EINVAL).
	Status expect(const std::string &pattern, Need need = Need::required);
	/// What is wrong with @lines: one message each, empty when they are fine.
	std::vector<std::string> judge(const std::vector<LogLine> &lines);
	/// Required expectations that matched nothing.
	std::vector<std::string> unmet() const;
	/// Forget the expectations: the next test begins.
	void clear()
	{
		expected_.clear();
		opinions_.clear();
	}
};

} // namespace lio::test
