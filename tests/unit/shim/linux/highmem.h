/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_HIGHMEM_H
#define SHIM_LINUX_HIGHMEM_H

#include <linux/mm.h>

/* Data is never copied under a spinlock. */
static inline void memcpy_page(struct page *to, size_t to_offset, struct page *from,
			       size_t from_offset, size_t len)
{
	shim_assert(to_offset + len <= PAGE_SIZE && from_offset + len <= PAGE_SIZE);
	shim_assert(!shim_nr_spinlocks());
	shim_yield();
	memcpy(to->data + to_offset, from->data + from_offset, len);
}

#define flush_dcache_page(page)	do { } while (0)

#endif /* SHIM_LINUX_HIGHMEM_H */
