// SPDX-License-Identifier: MIT
/** @file
 * Staying out of memory reclaim's way.
 *
 * A handler that serves a LUN of the host it runs on is part of that host's
 * write-out path: when memory is short, the kernel writes dirty pages to the
 * LUN and waits for the handler. If the handler then waits for memory, both
 * wait for ever. So:
 *
 *  - PR_SET_IO_FLUSHER: the kernel's own allocations on the handler's behalf
 *    never start I/O, and it is not throttled for the pages it dirties;
 *  - mlockall(): none of its pages has to be read back;
 *  - oom_score_adj -1000: killing it frees no memory, it makes the rest of
 *    memory unfreeable;
 *  - the library allocates nothing per command.
 */
#pragma once

#include <cstddef>

#include <tcmu/result.hpp>

namespace tcmu {

struct ReclaimOptions {
	bool io_flusher = true;
	bool lock_memory = true;
	bool protect_from_oom = true;
};

/**
 * Apply @p options to this process. Call it before devices are opened and
 * threads are started: both inherit. What is mapped now is read in and locked.
 * Later mappings are locked page by page as they are touched (MCL_ONFAULT):
 * the shared area of a device is up to gigabytes large and most of it has no
 * page behind it until a command needs one, touching it all would fault.
 * Memory of the library's own is touched when it is made.
 */
Status protect_from_reclaim(const ReclaimOptions &options);

/** Bytes of stack a serving thread has, and those it touches before it serves. */
inline constexpr size_t thread_stack_size = 1024 * 1024;
inline constexpr size_t touched_stack_size = 192 * 1024;

/** Touch the upper part of the calling thread's stack: present, so locked. */
void touch_stack();

} // namespace tcmu
