/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages: each is a heap block of its own, so that ASan knows its bounds and its
 * life. A test may have smaller ones than the machine.
 */
#ifndef SHIM_LINUX_MM_H
#define SHIM_LINUX_MM_H

#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/slab.h>

#ifndef SHIM_PAGE_SHIFT
#define SHIM_PAGE_SHIFT		12
#endif
#define PAGE_SHIFT		SHIM_PAGE_SHIFT
#define PAGE_SIZE		(1UL << PAGE_SHIFT)
#define offset_in_page(p)	((unsigned long)(p) & (PAGE_SIZE - 1))

struct page {
	struct list_head lru;
	int refs;
	bool locked;
	u8 data[1UL << SHIM_PAGE_SHIFT];
};

struct page *alloc_page(int gfp);
void get_page(struct page *page);
void put_page(struct page *page);
#define __free_page(page)	put_page(page)

static inline void lock_page(struct page *page)
{
	shim_assert(!page->locked);
	page->locked = true;
}

static inline void unlock_page(struct page *page)
{
	shim_assert(page->locked);
	page->locked = false;
}

#endif /* SHIM_LINUX_MM_H */
