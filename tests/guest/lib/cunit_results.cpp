// SPDX-License-Identifier: GPL-2.0
#include "cunit_results.hpp"

#include <algorithm>
#include <regex>
#include <sstream>

#include <nlohmann/json.hpp>

namespace lio::test {

CunitResults parse_cunit(const std::string &log)
{
	static const std::regex suite_line("^Suite: (\\S+)"), test_line("^  Test: (\\S+) \\.\\.\\.");
	// At the begin of a line or after the name; what the end of a suite says may follow on the same line.
	static const std::regex verdict("^(?:  Test: \\S+ \\.\\.\\.)?(passed|FAILED)(?:\\s|$)");
	CunitResults results;
	std::string suite, test;
	bool skipped = false;
	std::istringstream lines(log);
	for (std::string line; std::getline(lines, line);) {
		std::smatch m;
		if (std::regex_search(line, m, suite_line)) {
			suite = m[1];
			test.clear();
			continue;
		}
		if (std::regex_search(line, m, test_line)) {
			results[test = suite + "." + m[1].str()] = "crash";
			skipped = false;
		}
		if (test.empty())
			continue;
		if (std::regex_search(line, m, verdict)) {
			results[test] = m[1] == "FAILED" ? "fail" : skipped ? "skip" : "pass";
			test.clear();
		} else {
			skipped |= line.find("[SKIPPED]") != std::string::npos;
		}
	}
	return results;
}

namespace {

bool is_or_any(const std::string &allowed, const std::string &value)
{
	return allowed == "any" || allowed == value;
}

} // namespace

bool CunitExpectation::applies(const CunitRun &run) const
{
	return is_or_any(transport, run.transport) && is_or_any(backstore, run.backstore) &&
	       (kernel == "any" || run.kernel.starts_with(kernel + "."));
}

Result<std::vector<CunitExpectation>> parse_cunit_expectations(std::string_view json)
{
	static const std::regex one_test("^\\w+\\.[\\w-]+$"), results("^(skip|fail|crash)$");
	std::vector<CunitExpectation> all;
	auto parsed = nlohmann::json::parse(json, nullptr, false);
	if (!parsed.is_array())
		return Error{EINVAL, "expected.json", "not a list:"};
	for (const auto &entry : parsed) {
		auto text = [&](const char *key) { return entry.value(key, std::string()); };
		CunitExpectation e{text("test"),      text("result"), text("transport"),
				   text("backstore"), text("kernel"), text("reason"),
				   entry.value("device", false)};
		if (!std::regex_match(e.test, one_test) || !std::regex_match(e.result, results) || e.reason.empty() ||
		    e.transport.empty() || e.backstore.empty() || e.kernel.empty())
			return Error{EINVAL, "expected.json", "entry " + entry.dump() + " is not complete:"};
		all.push_back(std::move(e));
	}
	return all;
}

std::vector<std::string> judge_cunit(const CunitResults &results,
				     const std::vector<CunitExpectation> &expected, const CunitRun &run)
{
	std::vector<std::string> wrong;
	std::map<std::string, std::string> listed;
	for (const auto &e : expected)
		if (e.applies(run) && !listed.emplace(e.test, e.result).second)
			wrong.push_back(e.test + ": listed twice for this run");
	for (const auto &[test, result] : results) {
		auto it = listed.find(test);
		std::string want = it == listed.end() ? "pass" : it->second;
		if (result != want)
			wrong.push_back(test + ": " + result + ", expected " + want);
	}
	for (const auto &[test, result] : listed)
		if (!results.contains(test))
			wrong.push_back(test + ": listed, but there is no such test");
	return wrong;
}

std::vector<std::string> judge_device(const CunitResults &device, const std::vector<CunitExpectation> &expected,
				      const CunitRun &run)
{
	std::vector<std::string> wrong;
	for (const auto &e : expected) {
		auto it = device.find(e.test);
		std::string own = it == device.end() ? "nothing" : it->second;
		if (e.device && e.applies(run) && own != e.result)
			wrong.push_back(e.test + ": " + e.result + " is said to be the device's own; that is " + own);
	}
	return wrong;
}

size_t count_cunit(const CunitResults &results, const std::string &result)
{
	return static_cast<size_t>(
		std::count_if(results.begin(), results.end(), [&](const auto &r) { return r.second == result; }));
}

} // namespace lio::test
