// SPDX-License-Identifier: GPL-2.0
#include "fuzz_watch.hpp"

#include <sys/mman.h>

#include <cstring>

namespace lio::test {

namespace {

constexpr milliseconds look_every{200};

int64_t now_ms()
{
	return std::chrono::duration_cast<milliseconds>(Clock::now().time_since_epoch()).count();
}

} // namespace

void Progress::Unmap::operator()(Page *p) const
{
	munmap(p, sizeof(*p));
}

Result<Progress> Progress::create()
{
	void *at = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return sys_error("shared memory", "mmap");
	Progress p;
	p.page_.reset(new (at) Page{});
	return p;
}

void Progress::begin(std::string_view what)
{
	size_t n = what.copy(page_->what, sizeof(page_->what) - 1);
	page_->what[n] = '\0';
	page_->since = now_ms();
}

void Progress::end()
{
	page_->since = 0;
	page_->steps++;
}

milliseconds Progress::age() const
{
	int64_t since = page_->since;
	return milliseconds(since ? now_ms() - since : 0);
}

Result<std::string> run_watched(const std::string &name, Progress &progress, milliseconds each,
				const std::function<int()> &body, const std::function<void()> &meanwhile)
{
	LIO_TRY(Process child, Process::fork_body(name, body));
	while (child.running()) {
		std::this_thread::sleep_for(look_every);
		if (progress.age() > each)
			return Error{ETIMEDOUT, progress.what(), "step " + std::to_string(progress.steps()) + " of " + name + ":"};
		meanwhile();
	}
	LIO_TRY(int status, child.wait(seconds(1)));
	if (status)
		return Error{ECHILD, name, "status " + std::to_string(status) + " after \"" + progress.what() + "\" (" +
						   child.output() + "):"};
	return child.output();
}

} // namespace lio::test
