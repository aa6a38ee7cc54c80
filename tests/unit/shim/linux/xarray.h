/* SPDX-License-Identifier: GPL-2.0 */
/* Only ever empty: what fills it is not among the unit tests' sources. */
#ifndef SHIM_LINUX_XARRAY_H
#define SHIM_LINUX_XARRAY_H

#include <linux/kernel.h>

struct xarray {
	void *head;
};

static inline bool xa_empty(const struct xarray *xa)
{
	return !READ_ONCE(xa->head);
}

#endif /* SHIM_LINUX_XARRAY_H */
