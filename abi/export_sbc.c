// SPDX-License-Identifier: GPL-2.0
/*
 * Symbol versions: what is exported here, and the headers and their order, are
 * the contract of abi/README.md; see there before anything is changed.
 */
#include <scsi/scsi_tcq.h>
#include <target/target_core_backend.h>
#include <target/target_core_fabric.h>
#include "../include/core_private.h"

EXPORT_SYMBOL(sbc_get_write_same_sectors);
EXPORT_SYMBOL(sbc_parse_cdb);
EXPORT_SYMBOL(sbc_get_device_type);
EXPORT_SYMBOL(sbc_dif_copy_prot);
EXPORT_SYMBOL(sbc_dif_verify);
