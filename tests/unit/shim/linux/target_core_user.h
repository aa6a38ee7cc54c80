/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's own copy (linux-libc-dev) for C. A C++ compiler refuses that one
 * for an implicit conversion; the C++ side of the tests has the layouts from
 * <tcmu/abi.hpp>, and needs this much for the module's own headers.
 */
#ifndef SHIM_LINUX_TARGET_CORE_USER_H
#define SHIM_LINUX_TARGET_CORE_USER_H

#ifndef __cplusplus
#include_next <linux/target_core_user.h>
#else
#include <linux/types.h>

enum tcmu_opcode { TCMU_OP_PAD, TCMU_OP_CMD, TCMU_OP_TMR };
#define TCMU_OP_ALIGN_SIZE	sizeof(__u64)
#define TCMU_SENSE_BUFFERSIZE	96
struct tcmu_mailbox;
#endif

#endif /* SHIM_LINUX_TARGET_CORE_USER_H */
