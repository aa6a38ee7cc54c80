// SPDX-License-Identifier: GPL-2.0
/*
 * Symbol versions: what is exported here, and the headers and their order, are
 * the contract of abi/README.md; see there before anything is changed.
 */
#include <scsi/scsi_tcq.h>
#include <target/target_core_backend.h>
#include <target/target_core_fabric.h>
#include "../include/core_private.h"

EXPORT_SYMBOL(spc_emulate_inquiry_std);
EXPORT_SYMBOL(spc_emulate_evpd_83);
EXPORT_SYMBOL(spc_emulate_report_luns);
EXPORT_SYMBOL(spc_parse_cdb);
