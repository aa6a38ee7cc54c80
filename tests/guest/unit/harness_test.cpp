// SPDX-License-Identifier: GPL-2.0
// The harness's parts that need no guest: files, processes, patterns, skips, seeds.
#include <csignal>

#include <sys/stat.h>

#include "file.hpp"
#include "gtest_result.hpp"
#include "pattern.hpp"
#include "process.hpp"
#include "seed.hpp"
#include "skips.hpp"

namespace lio::test {
namespace {

Result<int> half(int n)
{
	if (n % 2)
		return Error{EDOM, "n", "halve"};
	return n / 2;
}

Result<int> quarter(int n)
{
	LIO_TRY(int h, half(n));
	return half(h);
}

TEST(Result, PropagatesTheFirstError)
{
	ASSERT_OK_AND_ASSIGN(int q, quarter(8));
	EXPECT_EQ(q, 2);
	EXPECT_ERRNO(quarter(6), EDOM);
	EXPECT_EQ(quarter(6).error().str(), "halve n: Numerical argument out of domain (errno 33)");
}

TEST(File, GuardsRemoveWhatTheyMade)
{
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create());
	{
		ASSERT_OK_AND_ASSIGN(Removal dir, make_dir_guard(tmp / "d"));
		ASSERT_OK_AND_ASSIGN(Removal link, make_link_guard("/", tmp / "d/l"));
		EXPECT_TRUE(exists(tmp / "d/l"));
		EXPECT_ERRNO(make_dir_guard(tmp / "d"), EEXIST);
	}
	EXPECT_FALSE(exists(tmp / "d"));
}

TEST(File, RemovalTellsErrno)
{
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create());
	ASSERT_OK_AND_ASSIGN(Removal dir, make_dir_guard(tmp / "d"));
	ASSERT_OK(write_file(tmp / "d/f", "x"));
	EXPECT_ERRNO(dir.remove(), ENOTEMPTY);
	EXPECT_FALSE(dir.armed());
	EXPECT_ERRNO(remove_dir_within(tmp / "none", seconds(1)), ENOENT);
}

TEST(File, WriteWithinGivesUp)
{
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create());
	ASSERT_EQ(mkfifo((tmp / "fifo").c_str(), 0600), 0); // opening it waits for a reader
	Stopwatch watch;
	EXPECT_ERRNO(write_value_within(tmp / "fifo", "x", milliseconds(200)), ETIMEDOUT);
	EXPECT_LT(watch.seconds(), 5);
	ASSERT_OK(write_file(tmp / "f", ""));
	EXPECT_OK(write_value_within(tmp / "f", "hello", seconds(5)));
	EXPECT_EQ(read_value(tmp / "f").value_or(""), "hello");
}

TEST(File, AttrGuardRestores)
{
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create());
	ASSERT_OK(write_file(tmp / "a", "1\n"));
	{
		ASSERT_OK_AND_ASSIGN(AttrGuard g, AttrGuard::set(tmp / "a", "2"));
		EXPECT_EQ(read_value(tmp / "a").value_or(""), "2");
	}
	EXPECT_EQ(read_value(tmp / "a").value_or(""), "1");
}

TEST(Process, KeepsOutputAndStatus)
{
	ASSERT_OK_AND_ASSIGN(Exit e, run({"sh", "-c", "cat; echo err >&2; exit 3"}, seconds(10), {.input = "in\n"}));
	EXPECT_EQ(e.status, 3);
	EXPECT_EQ(e.output, "in\nerr\n");
	EXPECT_ERRNO(run_ok({"false"}), EIO);
	ASSERT_OK_AND_ASSIGN(Exit none, run({"/no/such/program"}));
	EXPECT_EQ(none.status, 127);
}

TEST(Process, DeadlineAndKill)
{
	ASSERT_OK_AND_ASSIGN(Process p, Process::spawn({"sleep", "100"}));
	EXPECT_TRUE(p.running());
	EXPECT_ERRNO(p.wait(milliseconds(100)), ETIMEDOUT);
	ASSERT_OK(p.kill(SIGKILL));
	ASSERT_OK_AND_ASSIGN(int status, p.wait(seconds(10)));
	EXPECT_EQ(status, 128 + SIGKILL);
	EXPECT_ERRNO(p.kill(SIGKILL), ESRCH);
	EXPECT_ERRNO(run({"sleep", "100"}, milliseconds(100)), ETIMEDOUT);
}

TEST(Process, ForkedBody)
{
	ASSERT_OK_AND_ASSIGN(Process p, Process::fork_body("body", [] {
		puts("from the body");
		return 7;
	}));
	ASSERT_OK_AND_ASSIGN(int status, p.wait(seconds(10)));
	EXPECT_EQ(status, 7);
	EXPECT_EQ(p.output(), "from the body\n");
}

TEST(Pattern, EveryWrongByteIsFound)
{
	auto p = pattern(4096, 512);
	EXPECT_FALSE(find_mismatch(p, 512));
	EXPECT_TRUE(find_mismatch(p, 1024));
	EXPECT_TRUE(find_mismatch(p, 512, 1));
	for (size_t at : {0u, 7u, 8u, 4095u}) {
		p[at] ^= 1;
		EXPECT_EQ(find_mismatch(p, 512), at);
		p[at] ^= 1;
	}
}

TEST(Pattern, Crc32cIsTheStandardOne)
{
	const char *s = "123456789";
	EXPECT_EQ(crc32c({reinterpret_cast<const uint8_t *>(s), 9}), 0xe3069283u);
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create());
	ASSERT_OK_AND_ASSIGN(uint32_t wrote, write_pattern_file(tmp / "f", 3000000));
	ASSERT_OK_AND_ASSIGN(uint32_t read, file_crc32c(tmp / "f"));
	EXPECT_EQ(wrote, read);
}

TEST(Skips, ExactTestAndKernel)
{
	ASSERT_OK_AND_ASSIGN(auto skips, parse_skips(R"([
		{"test": "A.B", "kernel": "6.1", "reason": "no X there"},
		{"test": "A.C", "kernel": "any", "reason": "never"}])"));
	EXPECT_TRUE(find_skip(skips, "A.B", "6.1.0-56-amd64"));
	EXPECT_FALSE(find_skip(skips, "A.B", "6.12.117+deb12-amd64"));
	EXPECT_FALSE(find_skip(skips, "A.BB", "6.1.0"));
	EXPECT_TRUE(find_skip(skips, "A.C", "6.12"));
}

TEST(Skips, IncompleteEntriesAreRefused)
{
	EXPECT_ERRNO(parse_skips("{}"), EINVAL);
	EXPECT_ERRNO(parse_skips("nonsense"), EINVAL);
	EXPECT_ERRNO(parse_skips(R"([{"test": "A.B", "kernel": "6.1"}])"), EINVAL);
	EXPECT_ERRNO(parse_skips(R"([{"test": "A.*", "kernel": "6.1", "reason": "all"}])"), EINVAL);
	EXPECT_ERRNO(parse_skips(R"([{"test": "A.B", "reason": "all"}])"), EINVAL);
}

TEST(Seed, PurposesAreIndependentAndRepeatable)
{
	EXPECT_EQ(rng("a")(), rng("a")());
	EXPECT_NE(rng("a")(), rng("b")());
	uint64_t old = seed(), drawn = rng("a")();
	set_seed(old + 1);
	EXPECT_NE(rng("a")(), drawn);
	set_seed(old);
}

} // namespace
} // namespace lio::test
