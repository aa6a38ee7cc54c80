// SPDX-License-Identifier: GPL-2.0
// The load: a fixed number of random I/Os of one size, a fixed number in flight. As little code of
// its own as can be, since in the guest its instructions are counted with the rest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "result.hpp"

namespace lio::bench {

struct Job {
	std::string device; ///< block device, opened O_DIRECT
	uint32_t block = 4096; ///< bytes of an I/O
	unsigned depth = 1; ///< 1: pread/pwrite, more: io_uring
	bool write = false;
	uint64_t ios = 0;
	int cpu = -1; ///< where the job's thread runs; -1: anywhere
};

/// Run @jobs side by side, one thread each, all starting together. Guest nanoseconds from the start
/// until the last one is done, of which @warm_up I/Os of each job come before the clock starts.
lio::test::Result<uint64_t> run_jobs(const std::vector<Job> &jobs, uint64_t warm_up);

/// Marks seen by the profiling plugin (profile_plugin.cpp); plain no-operations otherwise.
void mark_start();
void mark_stop();

} // namespace lio::bench
