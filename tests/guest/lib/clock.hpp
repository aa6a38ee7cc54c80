// SPDX-License-Identifier: GPL-2.0
// Deadlines: nothing in the harness waits for ever.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "result.hpp"

namespace lio::test {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Deadline {
	Clock::time_point at_;

public:
	template <class Rep, class Period>
	explicit Deadline(std::chrono::duration<Rep, Period> in) : at_(Clock::now() + in) {}
	bool passed() const { return Clock::now() >= at_; }
	/// Time left, never negative: fits poll() and friends.
	milliseconds left() const
	{
		auto d = std::chrono::duration_cast<milliseconds>(at_ - Clock::now());
		return d.count() > 0 ? d : milliseconds(0);
	}
};

/// Poll @pred until it holds, or return ETIMEDOUT naming @what.
template <class Pred>
Status wait_until(Deadline deadline, std::string what, Pred pred,
		  milliseconds step = milliseconds(10))
{
	for (;;) {
		if (pred())
			return {};
		if (deadline.passed())
			return Error{ETIMEDOUT, {}, "waiting for " + what};
		std::this_thread::sleep_for(std::min(step, deadline.left() + milliseconds(1)));
	}
}

class Stopwatch {
	Clock::time_point start_ = Clock::now();

public:
	double seconds() const
	{
		return std::chrono::duration<double>(Clock::now() - start_).count();
	}
};

} // namespace lio::test
