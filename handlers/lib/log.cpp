// SPDX-License-Identifier: MIT
#include <tcmu/log.hpp>

#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace tcmu {

namespace {
std::atomic<LogLevel> limit{LogLevel::info};

iovec part(std::string_view text)
{
	return {const_cast<char *>(text.data()), text.size()};
}
} // namespace

void set_log_level(LogLevel level)
{
	limit = level;
}

void log(LogLevel level, std::string_view message)
{
	static constexpr std::string_view names[] = {"error: ", "warning: ", "", "debug: "};

	if (level > limit.load(std::memory_order_relaxed))
		return;
	iovec line[] = {part(program_invocation_short_name), part(": "),
			part(names[static_cast<unsigned>(level)]), part(message), part("\n")};
	/* Nobody is left to tell when standard error cannot be written. */
	[[maybe_unused]] ssize_t written = writev(STDERR_FILENO, line, std::size(line));
}

bool LogLimit::allow()
{
	timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (in_window_ == 0 || now.tv_sec - window_start_ >= window_seconds) {
		window_start_ = now.tv_sec;
		in_window_ = 0;
	}
	return in_window_++ < burst;
}

} // namespace tcmu
