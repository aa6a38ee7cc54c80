/* SPDX-License-Identifier: MIT */
/* The kernel's header, which only a C compiler reads, against the list. */
#include <linux/target_core_user.h>
#include <stddef.h>

#include "abi_numbers.h"

#define SAME(number, kernel, ours) _Static_assert((number) == (kernel), #kernel);

ABI_NUMBERS(SAME)
