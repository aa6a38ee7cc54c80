/* SPDX-License-Identifier: GPL-2.0 */
/* Types of the kernel and what its compiler headers define, for the host tests. */
#ifndef SHIM_LINUX_TYPES_H
#define SHIM_LINUX_TYPES_H

#include_next <linux/types.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "shim.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#define U32_MAX		((u32)~0U)
#define __user
#define __releases(lock)
#define __must_hold(lock)

#ifndef __cplusplus
#undef static_assert
#define static_assert(expr, ...) _Static_assert(expr, #expr)
#endif

struct list_head {
	struct list_head *next, *prev;
};

struct rcu_head {
	void *unused;
};

#endif /* SHIM_LINUX_TYPES_H */
