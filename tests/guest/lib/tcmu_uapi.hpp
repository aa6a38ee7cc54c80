// SPDX-License-Identifier: GPL-2.0
// <linux/target_core_user.h> as shipped, for C++ and beside the C library.
#pragma once

#include <sys/uio.h>

// Both define struct iovec, the same.
#ifndef __LINUX_UIO_H
#define __LINUX_UIO_H
#endif
// Its definition of this returns a number as an enum, which C++ does not do: here is another,
// and the header's body becomes that of tcmu_hdr_raw_op().
#define tcmu_hdr_get_op(arg)                                                 \
	tcmu_hdr_get_op(arg) { return tcmu_opcode(len_op & TCMU_OP_MASK); } \
	static __inline__ __u32 tcmu_hdr_raw_op(arg)
#include <linux/target_core_user.h>
#undef tcmu_hdr_get_op
