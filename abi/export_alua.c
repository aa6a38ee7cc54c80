// SPDX-License-Identifier: GPL-2.0
/*
 * Symbol versions: what is exported here, and the headers and their order, are
 * the contract of abi/README.md; see there before anything is changed.
 */
#include <linux/fs.h>
#include <target/target_core_backend.h>
#include <target/target_core_fabric.h>
#include "../include/core_private.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
EXPORT_SYMBOL(core_alua_check_nonop_delay);
#endif
