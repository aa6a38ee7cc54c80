// SPDX-License-Identifier: GPL-2.0
#include "record.hpp"

#include <cmath>
#include <regex>

#include <nlohmann/json.hpp>

#include "file.hpp"

namespace lio::check {

namespace {

using test::Error;
using nlohmann::json;

/// Of every test; what else a test has, it has recorded.
bool is_googletests_own(const std::string &key)
{
	static const char *const own[] = {"name",	"file",	    "line",   "status", "result", "timestamp", "time",
					  "classname", "type_param", "value_param", "failures", "skipped"};
	return std::find(std::begin(own), std::end(own), key) != std::end(own);
}

json test_record(const json &test)
{
	std::string result = test.value("result", "?");
	json record = {{"result", test.contains("failures") ? "FAILED" : result},
		       {"seconds", std::lround(std::stod(test.value("time", "0s")))}};
	for (const auto &[key, value] : test.items())
		if (!is_googletests_own(key))
			record[key] = value;
	return record;
}

/// Adds all tests of a GoogleTest result file that ran.
void add_tests(const json &file, json &tests)
{
	for (const json &suite : file.value("testsuites", json::array()))
		for (const json &test : suite.value("testsuite", json::array()))
			if (test.value("status", "") == "RUN")
				tests[suite.value("name", "") + "." + test.value("name", "")] = test_record(test);
}

/// "kernel R, seed S", a binary's first line.
void add_release_and_seed(const std::string &log, json &record)
{
	std::smatch m;
	if (std::regex_search(log, m, std::regex("kernel (\\S+), seed (\\S+)"))) {
		record["release"] = m[1];
		record["seed"] = m[2];
	}
}

} // namespace

Result<std::string> job_record(const std::string &dir)
{
	json record, tests = json::object();
	LIO_TRY(auto names, test::list_dir(dir));
	for (const auto &name : names) {
		if (!name.ends_with(".json"))
			continue;
		LIO_TRY(std::string text, test::read_file(dir + "/" + name));
		json file = json::parse(text, nullptr, false);
		if (file.is_object())
			add_tests(file, tests);
	}
	if (tests.empty())
		return Error{ENOENT, dir, "results of tests in"};
	add_release_and_seed(test::read_file(dir + "/log").value_or(""), record);
	record["tests"] = tests;
	return record.dump();
}

Status update_record(const std::string &results, const std::string &file)
{
	json all = json::parse(test::read_file(file).value_or("{}"), nullptr, false);
	if (!all.is_object())
		return Error{EINVAL, file, "JSON object in"};
	LIO_TRY(auto jobs, test::list_dir(results));
	for (const auto &job : jobs)
		if (auto record = job_record(results + "/" + job))
			all[job] = json::parse(*record);
	return test::write_file(file, all.dump(1, '\t') + "\n");
}

} // namespace lio::check
