// SPDX-License-Identifier: GPL-2.0
// Where tasks are in the kernel: what a report of a hang needs.
#pragma once

#include <string>

#include <sys/types.h>

namespace lio::test {

/// Name, state and kernel stack of one task of this process.
std::string task_stack(pid_t tid);
/// The same of every task of the machine that waits uninterruptibly (state D).
std::string blocked_stacks();

} // namespace lio::test
