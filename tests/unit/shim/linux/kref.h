/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_KREF_H
#define SHIM_LINUX_KREF_H

#include <linux/kernel.h>

struct kref {
	int refs;
};

static inline void kref_init(struct kref *kref)
{
	kref->refs = 1;
}

static inline void kref_get(struct kref *kref)
{
	shim_assert(__atomic_fetch_add(&kref->refs, 1, __ATOMIC_RELAXED) > 0);
}

#endif /* SHIM_LINUX_KREF_H */
