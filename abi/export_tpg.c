// SPDX-License-Identifier: GPL-2.0
/*
 * Symbol versions: what is exported here, and the headers and their order, are
 * the contract of abi/README.md; see there before anything is changed.
 */
#include <net/tcp.h>
#include <target/target_core_backend.h>
#include <target/target_core_fabric.h>
#include "../include/core_private.h"

EXPORT_SYMBOL(core_tpg_get_initiator_node_acl);
EXPORT_SYMBOL(core_allocate_nexus_loss_ua);
EXPORT_SYMBOL(target_tpg_has_node_acl);
EXPORT_SYMBOL(core_tpg_check_initiator_node_acl);
EXPORT_SYMBOL(core_tpg_set_initiator_node_queue_depth);
EXPORT_SYMBOL(core_tpg_set_initiator_node_tag);
EXPORT_SYMBOL(core_tpg_register);
EXPORT_SYMBOL(core_tpg_deregister);
