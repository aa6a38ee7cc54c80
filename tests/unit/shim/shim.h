/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a test can do to the kernel that the shim's headers pretend to be. C and
 * C++; implemented in shim.cpp.
 */
#ifndef SHIM_H
#define SHIM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Allocations: the @shim_fail_after-th from now fails, and the counter stops
 * at 0; negative: none fails. @shim_nr_allocs counts what is not freed.
 */
extern long shim_fail_after;
extern long shim_nr_allocs;
void *shim_alloc(size_t n, size_t size, bool zero);
void shim_free(const void *p);

/*
 * Where another task of the system could run: before a lock is taken, while
 * data is copied, memory allocated, a command completed. With @shim_switch all
 * tasks are one thread's: it may run others there and must if @blocked. NULL:
 * tasks are threads, and wait as threads do.
 */
extern void (*shim_switch)(bool blocked);
void shim_yield(void);

/*
 * Who runs: what a lock's owner is known by. Whoever switches between tasks of
 * one thread sets it. The default is the thread's own.
 */
void shim_set_task(const void *task);

/* How many spinlocks the running task holds. */
int shim_nr_spinlocks(void);

/* Ends the test program: the kernel's code did what it must not. */
__attribute__((noreturn)) void shim_bug(const char *what, const char *file, int line);
#define shim_assert(cond) \
	do { \
		if (!(cond)) \
			shim_bug(#cond, __FILE__, __LINE__); \
	} while (0)

#ifdef __cplusplus
}
#endif

#endif /* SHIM_H */
