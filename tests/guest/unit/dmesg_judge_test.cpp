// SPDX-License-Identifier: GPL-2.0
#include "dmesg_judge.hpp"

#include <gtest/gtest.h>

namespace lio::test {
namespace {

std::vector<LogLine> lines(std::initializer_list<LogLine> l)
{
	return l;
}

TEST(ParseKmsg, TakesLevelSequenceAndText)
{
	auto l = parse_kmsg("12,345,678,-;tcm_loop: hello; world\n SUBSYSTEM=scsi\n");
	ASSERT_TRUE(l);
	EXPECT_EQ(l->level, 4); // 12 is facility 1, level 4
	EXPECT_EQ(l->sequence, 345u);
	EXPECT_EQ(l->text, "tcm_loop: hello; world");
}

TEST(ParseKmsg, RefusesWhatIsNoRecord)
{
	EXPECT_FALSE(parse_kmsg(""));
	EXPECT_FALSE(parse_kmsg("4,5,6,- no semicolon"));
	EXPECT_FALSE(parse_kmsg("x;text"));
	EXPECT_FALSE(parse_kmsg("4;text"));
}

TEST(DmesgJudge, LetsInformationPassAndStopsWarnings)
{
	DmesgJudge j;
	EXPECT_TRUE(j.judge(lines({{6, 1, "sd 0:0:0:0: [sda] Attached SCSI disk"}})).empty());
	EXPECT_EQ(j.judge(lines({{4, 2, "tcmu: device is busy"}})).size(), 1u);
	EXPECT_EQ(j.judge(lines({{3, 3, "I/O error"}, {0, 4, "emergency"}})).size(), 2u);
}

TEST(DmesgJudge, ExpectationExcusesItsLinesOnly)
{
	DmesgJudge j;
	ASSERT_TRUE(j.expect("device .* timed out"));
	EXPECT_TRUE(j.judge(lines({{4, 1, "device disk1 timed out"}})).empty());
	EXPECT_EQ(j.judge(lines({{4, 2, "device disk1 fell over"}})).size(), 1u);
	EXPECT_TRUE(j.unmet().empty());
}

TEST(DmesgJudge, RequiredExpectationMustMatch)
{
	DmesgJudge j;
	ASSERT_TRUE(j.expect("first message"));
	ASSERT_TRUE(j.expect("second message", Need::optional));
	EXPECT_EQ(j.unmet().size(), 1u);
	j.judge(lines({{6, 1, "the first message, as information"}}));
	EXPECT_TRUE(j.unmet().empty());
	j.clear();
	EXPECT_EQ(j.judge(lines({{4, 2, "first message"}})).size(), 1u);
}

TEST(DmesgJudge, AllowsTaintNotices)
{
	DmesgJudge j;
	EXPECT_TRUE(j.judge(lines({
				    {4, 1, "tcm_loop: loading out-of-tree module taints kernel."},
				    {4, 2, "Disabling lock debugging due to kernel taint"},
				    {4, 3, "tcm_loop: module verification failed: signature and/or required "
					   "key missing - tainting kernel"},
			    }))
			    .empty());
	EXPECT_EQ(j.judge(lines({{4, 4, "tcm_loop: module is broken"}})).size(), 1u);
}

TEST(DmesgJudge, DefectsCannotBeExcusedAtAnyLevel)
{
	const char *reports[] = {
		"BUG: KASAN: slab-use-after-free in f+0x1/0x2",
		"INFO: task fio:123 blocked for more than 10 seconds.",
		"WARNING: CPU: 0 PID: 12 at x.c:100 f+0x1/0x2",
		"rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
		"refcount_t: addition on 0; use-after-free.",
		"watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [kworker/1:1:33]",
		"Call Trace:",
	};
	for (const char *r : reports) {
		EXPECT_TRUE(is_defect(r)) << r;
		DmesgJudge j;
		// Narrow enough to be taken, yet the line still is a defect.
		EXPECT_EQ(j.judge(lines({{6, 1, r}})).size(), 1u) << r;
	}
}

TEST(DmesgJudge, RefusesExpectationsThatWouldExcuseDefects)
{
	DmesgJudge j;
	for (const char *wide : {".*", "", "task", "blocked", "CPU", "INFO:", "^.", "refcount_t", "Trace"})
		EXPECT_EQ(j.expect(wide).code(), EINVAL) << wide;
	EXPECT_EQ(j.expect("([").code(), EINVAL);
	EXPECT_TRUE(j.expect("sd .* Synchronize Cache.* failed"));
}

} // namespace
} // namespace lio::test
