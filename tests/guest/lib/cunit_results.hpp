// SPDX-License-Identifier: GPL-2.0
// What iscsi-test-cu printed, test by test, and the reviewed list of what need not pass. Pure logic.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "result.hpp"

namespace lio::test {

/// "Suite.Name" is "pass", "skip", "fail" or, when the tool died in it, "crash".
using CunitResults = std::map<std::string, std::string>;

/// CUnit itself counts a skipped test as passed, so its per-test lines are read. What comes between a
/// test's verdict and the next test belongs to no test.
CunitResults parse_cunit(const std::string &log);

/// Where a run took place.
struct CunitRun {
	std::string transport; ///< "loop" or "iscsi"
	std::string backstore; ///< "ramdisk", "fileio", "iblock" or "pscsi"
	std::string kernel; ///< release: "6.12.57+deb13-amd64"
};

/// A result other than "pass" that was looked at.
struct CunitExpectation {
	std::string test, result;
	std::string transport, backstore, kernel; ///< one, or "any"
	std::string reason;
	bool device = false; ///< a device that is passed through answers the same without a target

	bool applies(const CunitRun &run) const;
};

/// Every entry must name one test, one of the results that need a reason, and give one.
Result<std::vector<CunitExpectation>> parse_cunit_expectations(std::string_view json);

/// What is wrong with @results, one line each: an unlisted result that is no pass, a listed one that
/// was not seen, a test listed twice for one run.
std::vector<std::string> judge_cunit(const CunitResults &results,
				     const std::vector<CunitExpectation> &expected, const CunitRun &run);

/// What is said of a device that is passed through and is not true: what it answers by itself is in @device.
std::vector<std::string> judge_device(const CunitResults &device, const std::vector<CunitExpectation> &expected,
				      const CunitRun &run);

size_t count_cunit(const CunitResults &results, const std::string &result);

} // namespace lio::test
