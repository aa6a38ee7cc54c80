/* SPDX-License-Identifier: GPL-2.0 */
/* malloc() in the kernel's clothes, with failures on demand: see shim.h. */
#ifndef SHIM_LINUX_SLAB_H
#define SHIM_LINUX_SLAB_H

#include <linux/types.h>

/* None of them matters here. */
enum {
	GFP_KERNEL = 1,
	GFP_NOIO = 2,
	__GFP_ZERO = 4,
	__GFP_NORETRY = 8,
	__GFP_NOWARN = 16,
	__GFP_NOMEMALLOC = 32,
};

static inline void *shim_kalloc(size_t n, size_t size, int gfp, bool zero)
{
	(void)gfp;
	shim_assert(!shim_nr_spinlocks());
	shim_yield();
	return shim_alloc(n, size, zero);
}

#define kmalloc(size, gfp)	shim_kalloc(1, size, gfp, false)
#define kzalloc(size, gfp)	shim_kalloc(1, size, gfp, true)
#define kcalloc(n, size, gfp)	shim_kalloc(n, size, gfp, true)
#define kvcalloc(n, size, gfp)	shim_kalloc(n, size, gfp, true)
#define kfree(p)		shim_free(p)
#define kvfree(p)		shim_free(p)

#endif /* SHIM_LINUX_SLAB_H */
