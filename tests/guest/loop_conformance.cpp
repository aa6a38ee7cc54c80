// SPDX-License-Identifier: GPL-2.0
// iscsi-test-cu on the /dev/sgN of a loopback LUN, test by test against recorded results: those
// of the distribution's tcm_loop on the same core and backstore.
#include <map>
#include <regex>
#include <sstream>

#include <nlohmann/json.hpp>

#include "loopback.hpp"
#include "module.hpp"
#include "process.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

using Results = std::map<std::string, std::string>;

/// One entry a test: "Suite.Name" is "pass", "skip" or "fail". CUnit itself counts a skipped test
/// as passed, so its per-test lines are read.
Results parse_cunit(const std::string &log)
{
	static const std::regex suite_line("^Suite: (\\S+)"), test_line("^  Test: (\\S+) \\.\\.\\.");
	static const std::regex verdict("(passed|FAILED)\\s*$");
	Results results;
	std::string suite, test;
	std::istringstream lines(log);
	for (std::string line; std::getline(lines, line);) {
		std::smatch m;
		if (std::regex_search(line, m, suite_line)) {
			suite = m[1];
			continue;
		}
		if (std::regex_search(line, m, test_line))
			results[test = suite + "." + m[1].str()] = "";
		if (test.empty())
			continue;
		std::string &result = results[test];
		if (line.find("[SKIPPED]") != std::string::npos)
			result = "skip";
		else if (std::regex_search(line, m, verdict) && (m[1] == "FAILED" || result.empty()))
			result = m[1] == "FAILED" ? "fail" : "pass";
	}
	return results;
}

const std::string data = "/opt/lio/share/conformance/iscsi-test-cu/";

TEST(LoopConformance, ParserOfResults)
{
	Results r = parse_cunit("Suite: A\n  Test: One ...passed\n  Test: Two ...    [SKIPPED] why\npassed\n"
				"Suite: B\n  Test: One ...    [FAILED] what\n    [FAILED] more\nFAILED\n    1. x\n");
	EXPECT_EQ(r, (Results{{"A.One", "pass"}, {"A.Two", "skip"}, {"B.One", "fail"}}));
}

TEST(LoopConformance, IscsiTestCu)
{
	// Where the core keeps persistent reservations, by its version and what it finds.
	ASSERT_OK(make_dirs("/etc/target/pr"));
	ASSERT_OK(make_dirs("/var/target/pr"));
	BackstoreSpec spec = ramdisk_spec("rd", 64 << 20);
	spec.serial = "60014054c8f9d49d";
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(spec));
	ASSERT_OK_AND_ASSIGN(std::string node, disk.lun.sg_node());
	// What the distribution's core tells of commands that are wrong on purpose. There is more of
	// it than the kernel's log holds, so it is read meanwhile.
	expect_dmesg("^cmd exceeds last lba \\d+ ", Need::optional);
	expect_dmesg("^CDB contains protect bit, but device \\+ fabric does not advertise", Need::optional);
	expect_dmesg("^Got CDB: 0x\\w+ with DPO bit set, but device does not advertise", Need::optional);
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create());
	ASSERT_OK_AND_ASSIGN(Process tool, Process::spawn({"iscsi-test-cu", "--dataloss", "--test=ALL", node},
							  {.log_file = tmp / "log"}));
	ASSERT_OK(wait_until(Deadline(seconds(300)), "iscsi-test-cu", [&] {
		check_dmesg_now();
		return !tool.running();
	}, milliseconds(100)));
	Results got = parse_cunit(tool.output());
	ASSERT_OK(write_file("/out/iscsi-test-cu.json", nlohmann::json(got).dump(1, '\t') + "\n"));

	std::string release = kernel_release();
	std::string version = release.substr(0, release.find('.', release.find('.') + 1));
	ASSERT_OK_AND_ASSIGN(std::string text, read_file(data + "loopback-ramdisk-" + version + ".json"));
	auto expected = nlohmann::json::parse(text).get<Results>();
	for (const auto &[name, result] : expected)
		EXPECT_EQ(got[name], result) << name;
	EXPECT_EQ(got.size(), expected.size());
}

} // namespace
} // namespace lio::test
