// SPDX-License-Identifier: GPL-2.0
// Tasks that take turns on one thread, so that a test decides who runs when.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <ucontext.h>

namespace lio::unit {

/// Runs tasks until each parks itself or ends. One at a time in a program.
class Scheduler {
public:
	Scheduler();
	~Scheduler();
	Scheduler(const Scheduler &) = delete;

	/// Asked wherever the running task could be interrupted: should it be?
	std::function<bool()> preempt;

	/// Runs @body as a new task until it parks or ends.
	void start(std::function<void()> body);
	/// Lets the @index-th of the parked tasks go on.
	void resume(size_t index);
	/// Runs all tasks to their end. If that takes too long, they wait for each other: a bug.
	void finish();

	size_t nr_parked() const { return parked_.size(); }

private:
	struct Task;

	static Scheduler *current_;
	static void on_switch(bool blocked);
	static void entry();
	static void prepare(Task &task);
	void run(std::unique_ptr<Task> task);
	void park();

	ucontext_t main_{};
	void *main_fake_stack_ = nullptr;
	static const void *main_stack_;
	static size_t main_stack_size_;
	Task *running_ = nullptr;
	std::vector<std::unique_ptr<Task>> parked_;
	/// Their stacks are used again, by later schedulers as well.
	static std::vector<std::unique_ptr<Task>> idle_;
};

} // namespace lio::unit
