/* SPDX-License-Identifier: GPL-2.0 */
/* Whose mapping has the pages; the test learns what is unmapped. */
#ifndef SHIM_LINUX_PAGEMAP_H
#define SHIM_LINUX_PAGEMAP_H

#include <linux/mm.h>

struct address_space {
	u64 nr_unmapped;
};

struct inode {
	struct address_space *i_mapping;
};

static inline void unmap_mapping_range(struct address_space *mapping, loff_t start, loff_t len,
				       int even_cows)
{
	(void)even_cows;
	shim_assert(start % PAGE_SIZE == 0 && len == PAGE_SIZE);
	mapping->nr_unmapped++;
}

#endif /* SHIM_LINUX_PAGEMAP_H */
