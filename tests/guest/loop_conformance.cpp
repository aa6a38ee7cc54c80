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

// What the distribution's core logs of commands that are wrong on purpose: more than its default
// buffer holds, so boot with log_buf_len=32M.
const char *const told_by_the_core[] = {
	"^WRITE_SAME sectors: \\d+ exceeds max_write_same_len",
	"^WSNZ=1, WRITE_SAME w/sectors=0 not supported",
	"^COMPARE_AND_WRITE contains NoLB: \\d+ greater than 1",
	"^cmd exceeds last lba \\d+ ",
	"^Detected MISCOMPARE at offset \\d+",
	"^Unknown PERSISTENT_RESERVE_IN service action: ",
	"^TARGET_CORE\\[loopback\\]: Expected Transfer Length: \\d+ does not match SCSI CDB Length: \\d+ for SAM Opcode",
	"^target_cmd_size_check: \\d+ callbacks suppressed",
	"^target_xcopy_do_work: rc: -?\\d+, sense: \\d+, XCOPY operation failed",
	"^XCOPY (parameter|target|unsupported|supports|segment|descriptor)",
	"^Receive Copy Results with non zero list identifier not supported",
	"^Unsupported SA: ",
	"^SPC-3 PR REGISTER: Received res_key: ",
	"^INQUIRY with EVPD==0 but PAGE CODE=",
	"^CDB contains protect bit, but device \\+ fabric does not advertise",
	"^Got CDB: 0x\\w+ with (DPO|FUA) bit set, but device does not advertise",
	"^sd \\S+ \\[\\w+\\] Optimal transfer size ",
	"^hrtimer: interrupt took", // a busy host
	"^(scsi_io_completion_action|blk_print_req_error): \\d+ callbacks suppressed",
};

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
	for (const char *line : told_by_the_core)
		expect_dmesg(line, Need::optional);
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create());
	ASSERT_OK_AND_ASSIGN(Process tool, Process::spawn({"iscsi-test-cu", "--dataloss", "--test=ALL", node},
							  {.log_file = tmp / "log"}));
	ASSERT_OK(wait_until(Deadline(seconds(300)), "iscsi-test-cu", [&] {
		check_dmesg_now();
		return !tool.running();
	}, milliseconds(100)));
	Results got = parse_cunit(tool.output());
	ASSERT_OK(write_file("/out/iscsi-test-cu-results.json", nlohmann::json(got).dump(1, '\t') + "\n"));

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
