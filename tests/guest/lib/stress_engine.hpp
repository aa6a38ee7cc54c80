// SPDX-License-Identifier: GPL-2.0
// Actors that do random things side by side, each a thread with a generator of its own, and the
// watchdog that names what hangs.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "clock.hpp"
#include "result.hpp"

namespace lio::test {

using Random = std::mt19937_64;

/// The code of an action that found nothing to act on: neither done nor refused.
inline constexpr int idle_code = -1;
inline Error idle()
{
	return {idle_code, {}, "find something to act on"};
}

struct StressAction {
	std::string kind;
	unsigned weight;
	/// The errno values that do not fail the run, because what the action wants may be gone,
	/// busy or refused. Any other error ends it.
	std::vector<int> refusals;
	std::function<Status(Random &)> run;
	milliseconds deadline = seconds(60);
};

/// What became of the actions of one kind.
struct Tally {
	uint64_t done = 0, refused = 0, idle = 0;
	double slowest = 0; ///< seconds
	std::map<int, uint64_t> codes; ///< of the refusals
	void add(const Tally &other);
};

/// Which action comes next: first all of them in random order, so that a short run tries each,
/// then by weight.
class ActionDraw {
	std::vector<unsigned> weights_;
	std::vector<size_t> first_;

public:
	ActionDraw(std::vector<unsigned> weights, Random &random);
	size_t next(Random &random);
};

class StressEngine {
	struct Actor;
	std::vector<std::unique_ptr<Actor>> actors_;
	const unsigned patience_;
	std::atomic<bool> stopping_{false}, released_{false};
	mutable std::mutex failures_lock_; ///< protects failures_
	std::vector<std::string> failures_;

public:
	/// @patience: by how much deadlines are longer, on a slow kernel.
	explicit StressEngine(unsigned patience = 1);
	/// Threads that have not come to rest cannot be joined: then the process ends here, with the
	/// failures printed.
	~StressEngine();
	StressEngine(const StressEngine &) = delete;

	/// @pause is the mean of the pauses between two actions, which vary from none to many times that.
	void add(const std::string &name, milliseconds pause, std::vector<StressAction> actions);
	/// Lets the actors go until @duration has passed, something failed or @tick, called about
	/// once a second, says false. Then they rest: their threads live on, since a child process
	/// dies with the thread that made it.
	void run(milliseconds duration, const std::function<bool()> &tick);

	void fail(const std::string &what);
	std::vector<std::string> failures() const;
	/// By kind, actors added up.
	std::map<std::string, Tally> tallies() const;
	/// Kinds that never succeeded although they were tried @tries times; with 0, all of them.
	std::vector<std::string> never_done(uint64_t tries = 0) const;
	/// Actors of whose actions none succeeded.
	std::vector<std::string> useless() const;
	std::string progress() const; ///< one line
	std::string table() const;

private:
	void work(Actor &actor);
	void perform(Actor &actor, const StressAction &action);
	void report_overdue(Actor &actor);
	bool wait_for_rest();
};

} // namespace lio::test
