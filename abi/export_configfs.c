// SPDX-License-Identifier: GPL-2.0
/*
 * Symbol versions: what is exported here, and the headers and their order, are
 * the contract of abi/README.md; see there before anything is changed.
 */
#include <linux/utsname.h>
#include <linux/syscalls.h>
#include <target/target_core_backend.h>
#include <target/target_core_fabric.h>
#include "../include/core_private.h"

EXPORT_SYMBOL(target_depend_item);
EXPORT_SYMBOL(target_undepend_item);
EXPORT_SYMBOL(target_register_template);
EXPORT_SYMBOL(target_unregister_template);
EXPORT_SYMBOL(sbc_attrib_attrs);
EXPORT_SYMBOL(passthrough_attrib_attrs);
EXPORT_SYMBOL(passthrough_pr_attrib_attrs);
