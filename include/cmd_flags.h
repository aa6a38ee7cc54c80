/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What our fabrics tell our core and backstores about a command: bits of
 * se_cmd::se_cmd_flags that the public headers leave free, set by the fabric
 * after target_init_cmd() and before the command is submitted. Other cores and
 * backstores ignore them, other fabrics leave them zero.
 */
#ifndef LIO_CMD_FLAGS_H
#define LIO_CMD_FLAGS_H

#include <target/target_core_base.h>

/*
 * The fabric takes a response, and releases the command, in any context: in an
 * interrupt, under RCU. No hop to a thread then.
 */
#define LIO_SCF_RESPOND_ANYWHERE	(1U << 31)

/*
 * It is submitted by a worker that is the logical unit's own: what waits for
 * the medium may do so there.
 */
#define LIO_SCF_MAY_WAIT		(1U << 30)

/*
 * The core's own: a worker that other commands need has started it. What calls
 * the fabric, which may keep its caller waiting, goes to a work item of its own.
 */
#define LIO_SCF_SHARED_WORKER		(1U << 29)

/* Data to be written are there already: write_pending() would only start the command. */
#define LIO_SCF_DATA_HERE		(1U << 28)

static_assert(SCF_TREAT_READ_AS_NORMAL < LIO_SCF_DATA_HERE);

#endif /* LIO_CMD_FLAGS_H */
