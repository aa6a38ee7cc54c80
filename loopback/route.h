/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may submit a command where. Pure logic: also compiled into the host tests.
 */
#ifndef TCM_LOOP_ROUTE_H
#define TCM_LOOP_ROUTE_H

struct scsi_cmnd;
struct se_device;
struct tcm_loop_lun;

/* What serves a LUN: decides who may submit to it (route.c). */
enum tcm_loop_backend {
	TCM_LOOP_BE_OTHER,
	TCM_LOOP_BE_RAMDISK,
	TCM_LOOP_BE_USER,
	TCM_LOOP_BE_IBLOCK,
};

enum tcm_loop_route {
	TCM_LOOP_ROUTE_DIRECT,	/* in the caller's context */
	TCM_LOOP_ROUTE_BATCH,	/* with others, one after the other */
	TCM_LOOP_ROUTE_WORK,	/* in a work item of its own: it may wait */
};

enum tcm_loop_backend tcm_loop_backend_of(const struct se_device *dev);
bool tcm_loop_can_fence(const struct tcm_loop_lun *lun);
enum tcm_loop_route tcm_loop_route(const struct tcm_loop_lun *lun,
				   const struct scsi_cmnd *sc, bool may_sleep);

#endif /* TCM_LOOP_ROUTE_H */
