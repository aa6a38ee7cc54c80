// SPDX-License-Identifier: GPL-2.0
// A child process that says what it is about to do, and a parent who does not let any of it take
// longer than a limit.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "clock.hpp"
#include "process.hpp"
#include "result.hpp"

namespace lio::test {

/// Shared by both.
class Progress {
	struct Page {
		std::atomic<int64_t> since; ///< when the step began, milliseconds of Clock; 0: none is under way
		std::atomic<uint64_t> steps;
		char what[1000];
	};
	struct Unmap {
		void operator()(Page *p) const;
	};
	std::unique_ptr<Page, Unmap> page_;

public:
	static Result<Progress> create();
	/// The child: from now on @what is being done.
	void begin(std::string_view what);
	void end();
	uint64_t steps() const { return page_->steps; }
	std::string what() const { return page_->what; }
	/// How long the step under way has taken.
	milliseconds age() const;
};

/// Runs @body in a child until it ends; its output. ETIMEDOUT, with what it was doing, when a step
/// takes longer than @each. @meanwhile is called now and then.
Result<std::string> run_watched(const std::string &name, Progress &progress, milliseconds each,
				const std::function<int()> &body, const std::function<void()> &meanwhile);

} // namespace lio::test
