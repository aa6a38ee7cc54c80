// SPDX-License-Identifier: GPL-2.0
#include "test_env.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "kmemleak.hpp"
#include "kmsg.hpp"
#include "module.hpp"
#include "seed.hpp"
#include "skips.hpp"
#include "skips_json.hpp" // made by CMake from skips.json

namespace lio::test {

namespace {

struct Log {
	std::optional<KmsgReader> reader;
	DmesgJudge judge;
};

Log &kernel_log()
{
	static Log log;
	return log;
}

/// New lines against the running test's expectations.
std::vector<std::string> judge_new_lines()
{
	Log &log = kernel_log();
	if (!log.reader)
		return {};
	auto lines = log.reader->read_new();
	if (!lines)
		return {lines.error().str()};
	return log.judge.judge(*lines);
}

void fail_with(const std::vector<std::string> &wrong, const char *when)
{
	for (const auto &w : wrong)
		ADD_FAILURE() << "dmesg " << when << ": " << w;
}

const std::vector<SkipEntry> &reviewed_skips()
{
	static const std::vector<SkipEntry> skips = [] {
		auto parsed = parse_skips(skips_json);
		if (!parsed) {
			fprintf(stderr, "%s\n", parsed.error().str().c_str());
			exit(2);
		}
		return *parsed;
	}();
	return skips;
}

std::string full_name(const testing::TestInfo &info)
{
	return std::string(info.test_suite_name()) + "." + info.name();
}

TestTimes &test_times()
{
	static TestTimes times;
	return times;
}

/// On a kernel that looks for leaks: whose they are is told by their time.
void note_start(const testing::TestInfo &info)
{
	if (!have_kmemleak())
		return;
	if (auto now = jiffies_now())
		test_times().begin(*now, full_name(info));
	else
		ADD_FAILURE() << now.error();
}

/// Brackets every test with the judgement of the kernel's log.
class LogListener : public testing::EmptyTestEventListener {
	void OnTestStart(const testing::TestInfo &info) override
	{
		note_start(info);
		// What suite set-ups and stragglers logged has nobody's leave.
		kernel_log().judge.clear();
		fail_with(judge_new_lines(), "before the test");
	}

	void OnTestEnd(const testing::TestInfo &) override
	{
		fail_with(judge_new_lines(), "of the test");
		fail_with(kernel_log().judge.unmet(), "of the test");
		kernel_log().judge.clear();
	}
};

struct Totals {
	int passed = 0, failed = 0, skipped = 0;
	std::vector<std::string> complaints;
};

void add_suite(Totals &t, const testing::TestSuite &suite)
{
	int ran = 0;
	for (int i = 0; i < suite.total_test_count(); i++) {
		const testing::TestInfo *info = suite.GetTestInfo(i);
		if (!info->should_run())
			continue;
		const testing::TestResult *r = info->result();
		if (r->Skipped() && !find_skip(reviewed_skips(), full_name(*info), kernel_release())) {
			t.complaints.push_back(full_name(*info) + " skipped without review");
			t.failed++;
		} else if (r->Skipped()) {
			t.skipped++;
		} else {
			ran++;
			r->Passed() ? t.passed++ : t.failed++;
		}
	}
	bool counts = suite.should_run() || suite.disabled_test_count() == suite.total_test_count();
	if (counts && ran == 0)
		t.complaints.push_back(std::string("suite ") + suite.name() + " ran no test");
	if (suite.ad_hoc_test_result().Failed())
		t.complaints.push_back(std::string("set-up or tear-down of suite ") + suite.name() + " failed");
}

Totals add_up()
{
	Totals t;
	const testing::UnitTest &all = *testing::UnitTest::GetInstance();
	for (int i = 0; i < all.total_test_suite_count(); i++)
		add_suite(t, *all.GetTestSuite(i));
	if (all.ad_hoc_test_result().Failed())
		t.complaints.push_back("a failure outside of tests");
	if (t.passed + t.failed + t.skipped == 0)
		t.complaints.push_back("no test ran");
	if (have_kmemleak())
		for (const auto &leak : find_leaks(test_times()))
			t.complaints.push_back(leak);
	for (const auto &line : judge_new_lines())
		t.complaints.push_back("dmesg after the tests: " + line);
	return t;
}

int summary(const Totals &t)
{
	for (const auto &c : t.complaints)
		printf("FAILED: %s\n", c.c_str());
	// A complaint that belongs to no test counts as a failure of its own.
	size_t failed = std::max<size_t>(static_cast<size_t>(t.failed), t.complaints.empty() ? 0 : 1);
	printf("%d passed, %zu failed, %d skipped\n", t.passed, failed, t.skipped);
	return failed ? 1 : 0;
}

void take_own_flags(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], "--seed=", 7))
			set_seed(strtoull(argv[i] + 7, nullptr, 0));
}

} // namespace

void expect_dmesg(const std::string &pattern, Need need)
{
	if (Status s = kernel_log().judge.expect(pattern, need); !s)
		ADD_FAILURE() << s.error();
}

void check_dmesg_now()
{
	fail_with(judge_new_lines(), "so far");
}

bool skip_is_reviewed()
{
	const testing::TestInfo *info = testing::UnitTest::GetInstance()->current_test_info();
	return info && find_skip(reviewed_skips(), full_name(*info), kernel_release());
}

int run_tests(int argc, char **argv)
{
	testing::InitGoogleTest(&argc, argv);
	setvbuf(stdout, nullptr, _IOLBF, 0);
	take_own_flags(argc, argv);
	printf("kernel %s, seed %#llx\n", kernel_release().c_str(), static_cast<unsigned long long>(seed()));
	if (testing::GTEST_FLAG(list_tests))
		return RUN_ALL_TESTS();
	auto reader = KmsgReader::open();
	if (!reader) {
		fprintf(stderr, "%s\n", reader.error().str().c_str());
		return 2;
	}
	kernel_log().reader = std::move(*reader);
	testing::UnitTest::GetInstance()->listeners().Append(new LogListener);
	int status = RUN_ALL_TESTS();
	int judged = summary(add_up());
	return status ? status : judged;
}

} // namespace lio::test
