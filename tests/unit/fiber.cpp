// SPDX-License-Identifier: GPL-2.0
#include "fiber.hpp"

#include "shim.h"

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#ifdef FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#else
// Only ASan needs to know that the stack changes.
static void __sanitizer_start_switch_fiber(void **, const void *, size_t) {}
static void __sanitizer_finish_switch_fiber(void *, const void **, size_t *) {}
#endif

namespace lio::unit {

namespace {

constexpr size_t stack_size = 64 << 10;
/// More turns than any set of tasks of a test needs.
constexpr int max_turns = 20000;

} // namespace

struct Scheduler::Task {
	ucontext_t context{};
	std::unique_ptr<char[]> stack{new char[stack_size]};
	void *fake_stack = nullptr;
	std::function<void()> body;
	bool ended = false;
};

Scheduler *Scheduler::current_;
std::vector<std::unique_ptr<Scheduler::Task>> Scheduler::idle_;
const void *Scheduler::main_stack_;
size_t Scheduler::main_stack_size_;

Scheduler::Scheduler()
{
	shim_assert(!current_);
	current_ = this;
	shim_switch = on_switch;
}

Scheduler::~Scheduler()
{
	shim_assert(parked_.empty());
	shim_switch = nullptr;
	current_ = nullptr;
}

void Scheduler::on_switch(bool blocked)
{
	Scheduler *s = current_;
	if (!s->running_) {
		// The test itself called, and there is nobody else to run meanwhile.
		shim_assert(!blocked);
		return;
	}
	if (blocked || (s->preempt && s->preempt()))
		s->park();
}

void Scheduler::park()
{
	Task *task = running_;
	__sanitizer_start_switch_fiber(&task->fake_stack, main_stack_, main_stack_size_);
	swapcontext(&task->context, &main_);
	__sanitizer_finish_switch_fiber(task->fake_stack, nullptr, nullptr);
}

void Scheduler::entry()
{
	__sanitizer_finish_switch_fiber(nullptr, &main_stack_, &main_stack_size_);
	for (;;) {
		// Of the scheduler that uses this stack now.
		Task *task = current_->running_;
		task->body();
		task->body = nullptr;
		task->ended = true;
		current_->park();
	}
}

// No object with a destructor lives beside getcontext(), which may return more than once.
void Scheduler::prepare(Task &task)
{
	getcontext(&task.context);
	task.context.uc_stack.ss_sp = task.stack.get();
	task.context.uc_stack.ss_size = stack_size;
	makecontext(&task.context, entry, 0);
}

void Scheduler::start(std::function<void()> body)
{
	std::unique_ptr<Task> task;
	if (idle_.empty()) {
		task = std::make_unique<Task>();
		prepare(*task);
	} else {
		task = std::move(idle_.back());
		idle_.pop_back();
		task->ended = false;
	}
	task->body = std::move(body);
	run(std::move(task));
}

void Scheduler::run(std::unique_ptr<Task> task)
{
	shim_assert(!running_);
	running_ = task.get();
	shim_set_task(running_);
	__sanitizer_start_switch_fiber(&main_fake_stack_, task->stack.get(), stack_size);
	swapcontext(&main_, &task->context);
	__sanitizer_finish_switch_fiber(main_fake_stack_, nullptr, nullptr);
	running_ = nullptr;
	shim_set_task(this);
	(task->ended ? idle_ : parked_).push_back(std::move(task));
}

void Scheduler::resume(size_t index)
{
	std::unique_ptr<Task> task = std::move(parked_[index]);
	parked_.erase(parked_.begin() + static_cast<ptrdiff_t>(index));
	run(std::move(task));
}

void Scheduler::finish()
{
	auto asked = std::move(preempt);
	preempt = nullptr;
	for (int turn = 0; !parked_.empty(); turn++) {
		if (turn == max_turns)
			shim_bug("tasks wait for each other for ever", __FILE__, __LINE__);
		resume(0);
	}
	preempt = std::move(asked);
}

} // namespace lio::unit
