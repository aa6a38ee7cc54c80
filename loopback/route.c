// SPDX-License-Identifier: GPL-2.0
/*
 * Which context may submit a command to the target core.
 *
 * queuecommand runs where the initiator's block layer is: with
 * current->bio_list or a plug in the middle of being flushed, inside another
 * filesystem's transaction, inside memory reclaim. Only what neither waits for
 * block I/O nor enters a filesystem is submitted there. Reads and writes of
 * the iblock backend do not wait either, but they hand bios to the block
 * layer: with bio_list set those are queued behind our own return, during a
 * flush they enter the very plug that is flushed, and they sleep until the
 * lower device has a free tag. They go to the LUN's workqueue, together.
 *
 * A device's submit_type is obeyed by the core in target_submit(): it can ask
 * for one hop more there, but not for less than this table does.
 */
#include <scsi/scsi_proto.h>
#include <target/target_core_backend.h>

#include "tcm_loop.h"

#define BE(name)	BIT(TCM_LOOP_BE_##name)

/* Backends by the name under which the core knows them. */
static const struct {
	const char		*name;
	enum tcm_loop_backend	backend;
} backends[] = {
	{ "rd_mcp",	TCM_LOOP_BE_RAMDISK },
	{ "user",	TCM_LOOP_BE_USER },
	{ "iblock",	TCM_LOOP_BE_IBLOCK },
};

/* READ and WRITE: for these backends, by operation code, they do not wait. */
#define MEDIUM_ACCESS	(BE(RAMDISK) | BE(USER) | BE(IBLOCK))

static const u8 medium_access[256] = {
	[READ_6]		= MEDIUM_ACCESS,
	[READ_10]		= MEDIUM_ACCESS,
	[READ_12]		= MEDIUM_ACCESS,
	[READ_16]		= MEDIUM_ACCESS,
	[WRITE_6]		= MEDIUM_ACCESS,
	[WRITE_10]		= MEDIUM_ACCESS,
	[WRITE_12]		= MEDIUM_ACCESS,
	[WRITE_16]		= MEDIUM_ACCESS,
};

/*
 * The userspace backend passes the rest on just as READ and WRITE, except
 * what the core answers itself, where it may write APTPL or ALUA metadata to
 * a file, or copy (EXTENDED COPY waits for its own reads and writes).
 */
static const u8 core_emulated[256] = {
	[PERSISTENT_RESERVE_IN]	 = BE(USER),
	[PERSISTENT_RESERVE_OUT] = BE(USER),
	[RESERVE]		 = BE(USER),
	[RELEASE]		 = BE(USER),
	[RESERVE_10]		 = BE(USER),
	[RELEASE_10]		 = BE(USER),
	[REPORT_LUNS]		 = BE(USER),
	[MAINTENANCE_IN]	 = BE(USER),
	[MAINTENANCE_OUT]	 = BE(USER),
	[EXTENDED_COPY]		 = BE(USER),
	[RECEIVE_COPY_RESULTS]	 = BE(USER),
};

/* Variable length CDBs tell by their service action (SBC-4, 5.16, 5.42). */
static bool is_rw_32(const struct scsi_cmnd *sc)
{
	u16 action;

	if (sc->cmnd[0] != VARIABLE_LENGTH_CMD || sc->cmd_len < 10)
		return false;
	action = get_unaligned_be16(&sc->cmnd[8]);
	return action == READ_32 || action == WRITE_32;
}

/**
 * tcm_loop_backend_of() - what serves a device
 * @dev:	the device
 *
 * Return: the backend, TCM_LOOP_BE_OTHER for those that may always wait.
 */
enum tcm_loop_backend tcm_loop_backend_of(const struct se_device *dev)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(backends); i++)
		if (!strcmp(dev->transport->name, backends[i].name))
			return backends[i].backend;
	return TCM_LOOP_BE_OTHER;
}

/**
 * tcm_loop_can_fence() - can commands be ended while the backend has them
 * @lun:	where they are
 *
 * Return: true if an aborted command comes back without the backend's help;
 * else an abort would only wait for it, and the answer when it comes is better.
 */
bool tcm_loop_can_fence(const struct tcm_loop_lun *lun)
{
	return lun->link && BIT(lun->link->backend) & (BE(USER) | BE(RAMDISK));
}

static bool never_waits(enum tcm_loop_backend backend, const struct scsi_cmnd *sc)
{
	u8 opcode = sc->cmnd[0];

	if (medium_access[opcode] & BIT(backend))
		return true;
	if (backend == TCM_LOOP_BE_USER)
		return !(core_emulated[opcode] & BE(USER));
	return backend != TCM_LOOP_BE_OTHER && is_rw_32(sc);
}

/**
 * tcm_loop_route() - pick the context that submits a command
 * @lun:	where it goes
 * @sc:		the command
 * @may_sleep:	the caller of queuecommand may sleep
 *
 * Return: the context.
 */
enum tcm_loop_route tcm_loop_route(const struct tcm_loop_lun *lun,
				   const struct scsi_cmnd *sc, bool may_sleep)
{
	const struct tcm_loop_link *link = lun->link;

	if (!link || !never_waits(link->backend, sc))
		return TCM_LOOP_ROUTE_WORK;
	if (!may_sleep || link->backend == TCM_LOOP_BE_IBLOCK)
		return TCM_LOOP_ROUTE_BATCH;
	return TCM_LOOP_ROUTE_DIRECT;
}
