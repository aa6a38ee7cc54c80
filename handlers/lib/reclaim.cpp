// SPDX-License-Identifier: MIT
#include <tcmu/reclaim.hpp>

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

namespace tcmu {

namespace {

Status set_io_flusher()
{
	/* glibc 2.36 has no name for it; the number is ABI since Linux 5.6. */
	constexpr int pr_set_io_flusher = 57;

	if (prctl(pr_set_io_flusher, 1, 0, 0, 0))
		return errno_error("prctl(PR_SET_IO_FLUSHER) (needs CAP_SYS_RESOURCE)");
	return {};
}

Status lock_memory()
{
	/*
	 * Freed memory stays: given back, it would have to be had again. One
	 * arena: a thread that first allocates under pressure needs no new one.
	 */
	mallopt(M_TRIM_THRESHOLD, -1);
	mallopt(M_ARENA_MAX, 1);
	if (mlockall(MCL_CURRENT))
		return errno_error("mlockall(MCL_CURRENT) (needs CAP_IPC_LOCK)");
	if (mlockall(MCL_FUTURE | MCL_ONFAULT))
		return errno_error("mlockall(MCL_FUTURE | MCL_ONFAULT)");
	return {};
}

Status protect_from_oom()
{
	static const char path[] = "/proc/self/oom_score_adj";
	static const char value[] = "-1000";
	FILE *file = std::fopen(path, "we");

	if (!file)
		return errno_error(path);
	bool written = std::fputs(value, file) >= 0;
	if (std::fclose(file) || !written)
		return errno_error(std::string("write to ") + path);
	return {};
}

} // namespace

Status protect_from_reclaim(const ReclaimOptions &options)
{
	Status done;

	if (options.io_flusher)
		done = set_io_flusher();
	if (done && options.lock_memory)
		done = lock_memory();
	if (done && options.protect_from_oom)
		done = protect_from_oom();
	return done;
}

void touch_stack()
{
	volatile uint8_t room[touched_stack_size];

	for (size_t at = 0; at < sizeof(room); at += 1024)
		room[at] = 0;
}

} // namespace tcmu
