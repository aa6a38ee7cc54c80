// SPDX-License-Identifier: GPL-2.0
// What is made of iscsi-test-cu's output: a skip is not a pass, and nothing unlisted is accepted.
#include <gtest/gtest.h>

#include "cunit_results.hpp"

namespace lio::test {
namespace {

TEST(CunitResults, Parse)
{
	CunitResults r = parse_cunit("Suite: A\n  Test: One ...passed\n  Test: Two ...    [SKIPPED] why\npassed\n"
				     "Suite: B\n  Test: One ...    [FAILED] what\n    [FAILED] more\nFAILED\n    1. x\n");
	EXPECT_EQ(r, (CunitResults{{"A.One", "pass"}, {"A.Two", "skip"}, {"B.One", "fail"}}));
}

TEST(CunitResults, WhatASuiteSaysBetweenItsTestsIsNoResult)
{
	CunitResults r = parse_cunit("Suite: A\n  Test: One ...passed\n    [SKIPPED] PRIN\nSuite: B\n    [SKIPPED] PRIN\n"
				     "  Test: Two ...FAILED\n    1. x\n    [SKIPPED] PRIN\n  Test: Three ...    [SKIPPED]\n");
	EXPECT_EQ(r, (CunitResults{{"A.One", "pass"}, {"B.Two", "fail"}, {"B.Three", "crash"}}));
}

TEST(CunitResults, WhatASuiteSaysBehindAVerdictIsNoResult)
{
	CunitResults r = parse_cunit("Suite: A\n  Test: One ...passed    [SKIPPED] PRIN\n    [SKIPPED] PRIN\nSuite: A\n"
				     "  Test: Two ...    [SKIPPED] why\npassed    [SKIPPED] PRIN\nSuite: A\n"
				     "  Test: Three ...    it passed\nFAILED    [SKIPPED] PRIN\n");
	EXPECT_EQ(r, (CunitResults{{"A.One", "pass"}, {"A.Two", "skip"}, {"A.Three", "fail"}}));
}

TEST(CunitResults, ExpectationsMustBeNarrow)
{
	auto entry = [](const std::string &test, const std::string &result, const std::string &reason) {
		return R"([{"test": ")" + test + R"(", "result": ")" + result +
		       R"(", "transport": "any", "backstore": "any", "kernel": "any", "reason": ")" + reason + "\"}]";
	};
	EXPECT_TRUE(parse_cunit_expectations(entry("A.One", "skip", "why")).ok());
	EXPECT_FALSE(parse_cunit_expectations(entry("A.*", "skip", "why")).ok());
	EXPECT_FALSE(parse_cunit_expectations(entry("A.One", "pass", "why")).ok());
	EXPECT_FALSE(parse_cunit_expectations(entry("A.One", "skip", "")).ok());
	EXPECT_FALSE(parse_cunit_expectations(R"([{"test": "A.One", "result": "skip", "reason": "why"}])").ok());
	EXPECT_FALSE(parse_cunit_expectations("{").ok());
}

TEST(CunitResults, Judge)
{
	const CunitRun run{"loop", "fileio", "6.12.1-x"};
	auto skip = [](const char *test, const char *transport, const char *kernel) {
		return CunitExpectation{test, "skip", transport, "any", kernel, "why"};
	};
	auto judge = [&](const CunitResults &r, std::vector<CunitExpectation> e) { return judge_cunit(r, e, run).size(); };
	EXPECT_EQ(judge({{"A.One", "pass"}}, {}), 0u);
	EXPECT_EQ(judge({{"A.One", "skip"}}, {}), 1u);
	EXPECT_EQ(judge({{"A.One", "skip"}}, {skip("A.One", "any", "any")}), 0u);
	EXPECT_EQ(judge({{"A.One", "skip"}}, {skip("A.One", "iscsi", "any")}), 1u);
	EXPECT_EQ(judge({{"A.One", "skip"}}, {skip("A.One", "loop", "6.1")}), 1u);
	EXPECT_EQ(judge({{"A.One", "skip"}}, {skip("A.One", "loop", "6.12"), skip("A.One", "any", "any")}), 1u);
	EXPECT_EQ(judge({{"A.One", "pass"}}, {skip("A.One", "any", "any")}), 1u) << "an entry that is no longer true";
	EXPECT_EQ(judge({{"A.One", "fail"}}, {skip("A.One", "any", "any")}), 1u);
	EXPECT_EQ(judge({}, {skip("A.One", "any", "any")}), 1u) << "an entry for a test that there is not";
}

TEST(CunitResults, ADeviceThatIsPassedThroughAnswersForItself)
{
	const CunitRun run{"iscsi", "pscsi", "6.12.1-x"};
	const CunitResults device{{"A.One", "fail"}, {"A.Two", "pass"}};
	auto judge = [&](const char *test, const char *transport, bool own) {
		return judge_device(device, {{test, "fail", transport, "pscsi", "any", "why", own}}, run).size();
	};
	EXPECT_EQ(judge("A.One", "any", true), 0u);
	EXPECT_EQ(judge("A.Two", "any", true), 1u);
	EXPECT_EQ(judge("A.Two", "any", false), 0u);
	EXPECT_EQ(judge("A.Two", "loop", true), 0u);
	EXPECT_EQ(judge("A.Three", "any", true), 1u) << "a test that there is not";
}

} // namespace
} // namespace lio::test
