// SPDX-License-Identifier: GPL-2.0
#include "run_jobs.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "file.hpp"
#include "process.hpp"

namespace lio::check {

namespace {

using test::Deadline;
using test::Process;
using test::Stopwatch;
using test::milliseconds;
using test::seconds;

/// Beyond its own timeout a job may boot and be taken down.
constexpr unsigned boot_allowance = 240;
constexpr unsigned heartbeat_seconds = 30;

struct Running {
	size_t index;
	Process process;
	Stopwatch watch;
	Deadline deadline;
	double said = 0;
};

std::string job_dir(const Job &job, const Settings &s)
{
	return s.results + "/" + job.name();
}

/// {results}, {kernel} and {tree} in the words of a command or of the lab's options.
std::string expand(std::string word, const Job &job, const Settings &s)
{
	const std::pair<std::string, std::string> names[] = {
		{"{results}", s.results}, {"{kernel}", job.kernel}, {"{tree}", s.tree}};
	for (const auto &[from, to] : names)
		for (size_t at; (at = word.find(from)) != std::string::npos;)
			word.replace(at, from.size(), to);
	return word;
}

std::vector<std::string> environment(const Settings &s)
{
	std::vector<std::string> v = {"env", "LIO_TIER=" + s.tier};
	if (!s.seed.empty())
		v.push_back("LIO_SEED=" + s.seed);
	return v;
}

/// The sanitizers are for our modules: what the distribution's leak or overrun is not ours to mend.
std::string ours_of(const Group &g, const Settings &s)
{
	return s.tier == "debug" ? "all" : g.ours;
}

std::vector<std::string> command_of(const Job &job, const Settings &s)
{
	const Group &g = *job.group;
	std::vector<std::string> v;
	if (g.guest) {
		v = {s.tree + "/tests/lab/lab", "run", "--kernel", job.kernel, "--ours", ours_of(g, s),
		     "--timeout", std::to_string(job.timeout), "--out", job_dir(job, s)};
		for (const auto &word : g.lab)
			v.push_back(expand(word, job, s));
		v.push_back("--");
	}
	auto env = environment(s);
	v.insert(v.end(), env.begin(), env.end());
	for (const auto &word : g.command)
		v.push_back(expand(word, job, s));
	if (g.guest && !job.filter.empty())
		v.push_back("--gtest_filter=" + job.filter);
	return v;
}

std::string last_line(const std::string &text)
{
	size_t end = text.find_last_not_of(" \r\n");
	if (end == std::string::npos)
		return {};
	size_t begin = text.rfind('\n', end);
	return text.substr(begin + 1, std::min<size_t>(end - begin, 100));
}

std::string tail(const std::string &text, size_t lines)
{
	size_t at = text.size();
	for (size_t n = 0; n <= lines && at != std::string::npos && at > 0; n++)
		at = text.rfind('\n', at - 1);
	return at == std::string::npos ? text : text.substr(at + 1);
}

class Scheduler {
	const std::vector<Job> &jobs_;
	const Settings &settings_;
	std::vector<Outcome> outcomes_;
	std::vector<bool> started_, ended_;
	std::vector<Running> running_;
	Stopwatch watch_;

public:
	Scheduler(const std::vector<Job> &jobs, const Settings &settings)
		: jobs_(jobs), settings_(settings), outcomes_(jobs.size()), started_(jobs.size()),
		  ended_(jobs.size()) {}

	Result<std::vector<Outcome>> run()
	{
		while (!all_ended()) {
			while (running_.size() < settings_.parallel) {
				auto next = runnable();
				if (!next)
					break;
				LIO_CHECK(start(*next));
			}
			std::this_thread::sleep_for(milliseconds(100));
			look();
		}
		return std::move(outcomes_);
	}

private:
	bool all_ended() const
	{
		return std::find(ended_.begin(), ended_.end(), false) == ended_.end();
	}

	std::optional<size_t> runnable() const
	{
		for (size_t i = 0; i < jobs_.size(); i++) {
			bool ready = !started_[i];
			for (size_t dep : jobs_[i].after)
				ready = ready && ended_[dep];
			if (ready)
				return i;
		}
		return {};
	}

	void say(const std::string &text) const
	{
		printf("[%5.0f s] %s\n", watch_.seconds(), text.c_str());
	}

	Status start(size_t i)
	{
		const Job &job = jobs_[i];
		started_[i] = true;
		for (size_t dep : job.after)
			if (!outcomes_[dep].good())
				return give_up(i, jobs_[dep].name() + " failed");
		LIO_CHECK(test::make_dirs(job_dir(job, settings_)));
		test::SpawnOptions opts;
		opts.log_file = job_dir(job, settings_) + "/log";
		LIO_TRY(Process p, Process::spawn(command_of(job, settings_), opts));
		say("start  " + job.name());
		running_.push_back({i, std::move(p), {}, Deadline(seconds(job.timeout + boot_allowance)), 0});
		return {};
	}

	Status give_up(size_t i, const std::string &why)
	{
		outcomes_[i].note = why;
		ended_[i] = true;
		say("skip   " + jobs_[i].name() + ": " + why);
		return {};
	}

	void look()
	{
		for (size_t n = 0; n < running_.size();) {
			Running &r = running_[n];
			if (!r.process.running() || r.deadline.passed()) {
				finish(r);
				running_.erase(running_.begin() + static_cast<ptrdiff_t>(n));
				continue;
			}
			if (r.watch.seconds() >= r.said + heartbeat_seconds) {
				r.said = r.watch.seconds();
				say("       " + jobs_[r.index].name() + ": " + last_line(r.process.output()));
			}
			n++;
		}
	}

	void finish(Running &r)
	{
		Outcome &o = outcomes_[r.index];
		bool late = r.process.running();
		if (late)
			(void)r.process.stop();
		o.ran = true;
		o.seconds = r.watch.seconds();
		o.status = r.process.wait(seconds(30)).value_or(-1);
		std::string log = r.process.output();
		o.counts = find_counts(log);
		ended_[r.index] = true;
		if (late)
			o.note = "did not end";
		else if (o.status == 124 || o.status == 125)
			o.note = o.status == 124 ? "timeout" : "kernel complaint or lab failure";
		else if (!o.counts.found)
			o.note = "no summary line";
		if (!o.good() && o.counts.failed == 0)
			o.counts.failed = 1; // whatever it was, it is not a success
		say(std::string(o.good() ? "ok     " : "FAILED ") + jobs_[r.index].name() + " in " +
		    std::to_string(static_cast<int>(o.seconds)) + " s" + (o.note.empty() ? "" : ": " + o.note));
		if (!o.good())
			printf("%s(whole log: %s/log)\n", tail(log, 60).c_str(),
			       job_dir(jobs_[r.index], settings_).c_str());
	}
};

} // namespace

Result<std::vector<Outcome>> run_jobs(const std::vector<Job> &jobs, const Settings &settings)
{
	return Scheduler(jobs, settings).run();
}

bool print_summary(const std::vector<Job> &jobs, const std::vector<Outcome> &outcomes)
{
	unsigned passed = 0, failed = 0, skipped = 0;
	printf("\n%-32s %7s %7s %8s %7s\n", "group", "passed", "failed", "skipped", "s");
	for (size_t i = 0; i < jobs.size(); i++) {
		const Outcome &o = outcomes[i];
		unsigned bad = o.good() ? 0 : std::max(o.counts.failed, 1u);
		printf("%-32s %7u %7u %8u %7.0f%s%s\n", jobs[i].name().c_str(), o.counts.passed, bad,
		       o.counts.skipped, o.seconds, o.good() ? "" : "  FAILED ", o.note.c_str());
		passed += o.counts.passed;
		failed += bad;
		skipped += o.counts.skipped;
	}
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed == 0;
}

} // namespace lio::check
