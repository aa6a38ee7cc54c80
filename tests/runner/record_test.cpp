// SPDX-License-Identifier: GPL-2.0
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "gtest_result.hpp"
#include "file.hpp"
#include "record.hpp"

using namespace lio::test;
using namespace lio::check;

namespace {

const char *const gtest_file = R"({"tests": 2, "testsuites": [{"name": "Kill", "testsuite": [
	{"name": "Runs", "file": "x.cpp", "line": 7, "status": "RUN", "result": "COMPLETED", "timestamp": "t",
	 "time": "12.6s", "classname": "Kill", "kills": "30"},
	{"name": "Fails", "status": "RUN", "result": "COMPLETED", "time": "1s", "classname": "Kill",
	 "failures": [{"failure": "no"}]},
	{"name": "Filtered", "status": "NOTRUN", "result": "SUPPRESSED", "time": "0s", "classname": "Kill"}]}]})";

TEST(Record, KeepsWhatTestsSay)
{
	ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::create());
	std::string job = dir / "results/kill@6.12", file = dir / "record.json";
	ASSERT_OK(make_dirs(job));
	ASSERT_OK(make_dirs(dir / "results/compare@6.12"));
	ASSERT_OK(write_file(job + "/kill.json", gtest_file));
	ASSERT_OK(write_file(job + "/tree.json", "{\"some\": {\"tree\": 1}}"));
	ASSERT_OK(write_file(job + "/log", "kernel 6.12.1, seed 0x12\nand more\n"));
	ASSERT_OK(write_file(file, "{\"kill@6.12\": 1, \"other@6.1\": 2}"));
	ASSERT_OK(update_record(dir / "results", file));
	ASSERT_OK_AND_ASSIGN(std::string text, read_file(file));
	EXPECT_EQ(nlohmann::json::parse(text), nlohmann::json::parse(R"({"other@6.1": 2, "kill@6.12": {
		"release": "6.12.1", "seed": "0x12", "tests": {
			"Kill.Runs": {"result": "COMPLETED", "seconds": 13, "kills": "30"},
			"Kill.Fails": {"result": "FAILED", "seconds": 1}}}})"));
}

TEST(Record, NothingToKeep)
{
	ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::create());
	EXPECT_ERRNO(job_record(dir.path()), ENOENT);
	ASSERT_OK(write_file(dir / "record.json", "[1]"));
	EXPECT_ERRNO(update_record(dir.path(), dir / "record.json"), EINVAL);
}

} // namespace
