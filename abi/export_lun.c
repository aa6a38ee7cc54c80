// SPDX-License-Identifier: GPL-2.0
/*
 * Symbol versions: what is exported here, and the headers and their order, are
 * the contract of abi/README.md; see there before anything is changed.
 */
#include <linux/t10-pi.h>
#include <net/tcp.h>
#include <target/target_core_backend.h>
#include <target/target_core_fabric.h>
#include "../include/core_private.h"

/* Declared in no public header. */
struct se_dev_entry *target_nacl_find_deve(struct se_node_acl *nacl, u64 mapped_lun);

EXPORT_SYMBOL(transport_lookup_cmd_lun);
EXPORT_SYMBOL(transport_lookup_tmr_lun);
EXPORT_SYMBOL(target_lun_is_rdonly);
EXPORT_SYMBOL(target_nacl_find_deve);
EXPORT_SYMBOL(target_configure_unmap_from_queue);
EXPORT_SYMBOL(target_to_linux_sector);
EXPORT_SYMBOL(passthrough_parse_cdb);
