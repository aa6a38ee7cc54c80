/* SPDX-License-Identifier: GPL-2.0 */
/* Scatter lists: neighbouring pages are neighbours in an array. */
#ifndef SHIM_LINUX_SCATTERLIST_H
#define SHIM_LINUX_SCATTERLIST_H

#include <linux/mm.h>

struct scatterlist {
	struct page *page;
	unsigned int offset;
	unsigned int length;
};

#define sg_page(sg)		((sg)->page)
#define nth_page(page, n)	((page) + (n))
#define for_each_sg(sgl, sg, n, i) \
	for ((i) = 0, (sg) = (sgl); (i) < (n); (i)++, (sg)++)

#endif /* SHIM_LINUX_SCATTERLIST_H */
