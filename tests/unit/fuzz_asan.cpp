// SPDX-License-Identifier: GPL-2.0
/// Faster by far: memory that is freed is used again soon anyway, and stays the process's.
extern "C" const char *__asan_default_options()
{
	return "quarantine_size_mb=4:malloc_context_size=4:allocator_release_to_os_interval_ms=-1";
}
