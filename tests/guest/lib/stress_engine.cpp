// SPDX-License-Identifier: GPL-2.0
#include "stress_engine.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include <sys/prctl.h>
#include <unistd.h>

#include "seed.hpp"
#include "task_stacks.hpp"

namespace lio::test {

void Tally::add(const Tally &other)
{
	done += other.done;
	refused += other.refused;
	idle += other.idle;
	slowest = std::max(slowest, other.slowest);
	for (const auto &[code, n] : other.codes)
		codes[code] += n;
}

ActionDraw::ActionDraw(std::vector<unsigned> weights, Random &random) : weights_(std::move(weights)), first_(weights_.size())
{
	std::iota(first_.begin(), first_.end(), 0);
	std::shuffle(first_.begin(), first_.end(), random);
}

size_t ActionDraw::next(Random &random)
{
	if (!first_.empty()) {
		size_t i = first_.back();
		first_.pop_back();
		return i;
	}
	return std::discrete_distribution<size_t>(weights_.begin(), weights_.end())(random);
}

struct StressEngine::Actor {
	std::string name;
	milliseconds pause;
	std::vector<StressAction> actions;
	Random random; ///< only its thread's
	std::thread thread;
	std::atomic<pid_t> tid{0};
	std::atomic<bool> resting{true};

	std::mutex lock; ///< protects what follows
	std::map<std::string, Tally> tallies;
	const StressAction *current = nullptr;
	Clock::time_point since;
	bool reported = false;
};

StressEngine::StressEngine(unsigned patience) : patience_(patience) {}

StressEngine::~StressEngine()
{
	released_ = true;
	bool stuck = std::any_of(actors_.begin(), actors_.end(), [](const auto &a) { return !a->resting; });
	if (stuck) {
		for (const auto &f : failures())
			printf("FAILED: %s\n", f.c_str());
		fflush(nullptr);
		std::_Exit(1);
	}
	for (auto &a : actors_)
		if (a->thread.joinable())
			a->thread.join();
}

void StressEngine::add(const std::string &name, milliseconds pause, std::vector<StressAction> actions)
{
	auto actor = std::make_unique<Actor>();
	actor->name = name;
	actor->pause = pause;
	actor->actions = std::move(actions);
	actor->random = rng("stress/" + name);
	for (auto &a : actor->actions) {
		a.deadline *= patience_;
		actor->tallies[a.kind];
	}
	actors_.push_back(std::move(actor));
}

void StressEngine::fail(const std::string &what)
{
	std::lock_guard guard(failures_lock_);
	failures_.push_back(what);
}

std::vector<std::string> StressEngine::failures() const
{
	std::lock_guard guard(failures_lock_);
	return failures_;
}

void StressEngine::perform(Actor &actor, const StressAction &action)
{
	Stopwatch watch;
	Status s = action.run(actor.random);
	std::lock_guard guard(actor.lock);
	Tally &tally = actor.tallies[action.kind];
	tally.slowest = std::max(tally.slowest, watch.seconds());
	actor.current = nullptr;
	if (s)
		tally.done++;
	else if (s.code() == idle_code)
		tally.idle++;
	else if (std::count(action.refusals.begin(), action.refusals.end(), s.code()))
		tally.refused++, tally.codes[s.code()]++;
	else
		fail(actor.name + ", " + action.kind + ": " + s.error().str());
}

/// Often none at all: what races needs to come at once.
static milliseconds draw_pause(milliseconds mean, Random &random)
{
	if (random() % 4 == 0)
		return milliseconds(0);
	double n = std::exponential_distribution<double>(1)(random) * 4 / 3 * double(mean.count());
	return milliseconds(static_cast<long>(std::min(n, 20.0 * double(mean.count()))));
}

void StressEngine::work(Actor &actor)
{
	actor.tid = gettid();
	prctl(PR_SET_NAME, actor.name.c_str());
	std::vector<unsigned> weights;
	for (const auto &a : actor.actions)
		weights.push_back(a.weight);
	ActionDraw draw(weights, actor.random);
	while (!stopping_) {
		const StressAction &action = actor.actions[draw.next(actor.random)];
		{
			std::lock_guard guard(actor.lock);
			actor.current = &action;
			actor.since = Clock::now();
			actor.reported = false;
		}
		perform(actor, action);
		for (Deadline d(draw_pause(actor.pause, actor.random)); !d.passed() && !stopping_;)
			std::this_thread::sleep_for(std::min(d.left() + milliseconds(1), milliseconds(50)));
	}
	actor.resting = true;
	while (!released_)
		std::this_thread::sleep_for(milliseconds(50));
}

void StressEngine::report_overdue(Actor &actor)
{
	std::string what;
	{
		std::lock_guard guard(actor.lock);
		if (!actor.current || actor.reported || Clock::now() - actor.since < actor.current->deadline)
			return;
		actor.reported = true;
		auto limit = std::chrono::duration_cast<seconds>(actor.current->deadline).count();
		what = actor.name + ", " + actor.current->kind + ": not done after " + std::to_string(limit) + " s";
	}
	printf("HANGS: %s\n%s%s", what.c_str(), task_stack(actor.tid).c_str(), blocked_stacks().c_str());
	fail(what);
}

bool StressEngine::wait_for_rest()
{
	milliseconds longest(0);
	for (const auto &a : actors_)
		for (const auto &action : a->actions)
			longest = std::max(longest, action.deadline);
	for (Deadline d(longest + seconds(10)); !d.passed(); std::this_thread::sleep_for(milliseconds(20))) {
		if (std::all_of(actors_.begin(), actors_.end(), [](const auto &a) { return a->resting.load(); }))
			return true;
		for (auto &a : actors_)
			report_overdue(*a);
	}
	return false;
}

void StressEngine::run(milliseconds duration, const std::function<bool()> &tick)
{
	for (auto &a : actors_) {
		a->resting = false;
		a->thread = std::thread([this, &a = *a] { work(a); });
	}
	unsigned turns = 0;
	for (Deadline d(duration); !d.passed() && failures().empty(); turns++) {
		std::this_thread::sleep_for(std::min(milliseconds(100), d.left()));
		for (auto &a : actors_)
			report_overdue(*a);
		if (turns % 10 == 9 && !tick())
			break;
	}
	stopping_ = true;
	if (!wait_for_rest())
		fail("actors did not come to rest");
}

std::map<std::string, Tally> StressEngine::tallies() const
{
	std::map<std::string, Tally> all;
	for (const auto &a : actors_) {
		std::lock_guard guard(a->lock);
		for (const auto &[kind, tally] : a->tallies)
			all[kind].add(tally);
	}
	return all;
}

std::vector<std::string> StressEngine::never_done(uint64_t tries) const
{
	std::vector<std::string> kinds;
	for (const auto &[kind, t] : tallies())
		if (!t.done && t.refused + t.idle >= tries)
			kinds.push_back(kind);
	return kinds;
}

std::vector<std::string> StressEngine::useless() const
{
	std::vector<std::string> names;
	for (const auto &a : actors_) {
		std::lock_guard guard(a->lock);
		if (std::all_of(a->tallies.begin(), a->tallies.end(), [](const auto &t) { return !t.second.done; }))
			names.push_back(a->name);
	}
	return names;
}

std::string StressEngine::progress() const
{
	std::string line;
	for (const auto &[kind, t] : tallies())
		line += (line.empty() ? "" : ", ") + kind + " " + std::to_string(t.done) + "/" + std::to_string(t.refused);
	return line;
}

std::string StressEngine::table() const
{
	std::string text = "action                        done  refused     idle  slowest  refused with\n";
	char buf[160];
	for (const auto &[kind, t] : tallies()) {
		snprintf(buf, sizeof(buf), "%-24s %9lu %8lu %8lu %7.1fs ", kind.c_str(), t.done, t.refused, t.idle, t.slowest);
		text += buf;
		for (const auto &[code, n] : t.codes) {
			const char *name = strerrorname_np(code);
			text += " " + (name ? std::string(name) : std::to_string(code)) + ":" + std::to_string(n);
		}
		text += "\n";
	}
	return text;
}

} // namespace lio::test
