// SPDX-License-Identifier: GPL-2.0
/*
 * Symbol versions: what is exported here, and the headers and their order, are
 * the contract of abi/README.md; see there before anything is changed.
 */
#include <linux/cdrom.h>
#include <net/tcp.h>
#include <target/target_core_backend.h>
#include <target/target_core_fabric.h>
#include "../include/core_private.h"

#define CREATE_TRACE_POINTS
#include <trace/events/target.h>

EXPORT_SYMBOL(__target_init_cmd);
EXPORT_SYMBOL(__transport_register_session);
EXPORT_SYMBOL_GPL(target_alloc_cmd_counter);
EXPORT_SYMBOL(target_alloc_sgl);
EXPORT_SYMBOL(target_cmd_init_cdb);
EXPORT_SYMBOL(target_cmd_parse_cdb);
EXPORT_SYMBOL(target_complete_cmd);
EXPORT_SYMBOL(target_complete_cmd_with_length);
EXPORT_SYMBOL(target_complete_cmd_with_sense);
EXPORT_SYMBOL(target_execute_cmd);
EXPORT_SYMBOL_GPL(target_free_cmd_counter);
EXPORT_SYMBOL(target_free_sgl);
EXPORT_SYMBOL(target_get_sess_cmd);
EXPORT_SYMBOL_GPL(target_init_cmd);
EXPORT_SYMBOL(target_put_nacl);
EXPORT_SYMBOL(target_put_sess_cmd);
EXPORT_SYMBOL(target_remove_session);
EXPORT_SYMBOL(target_send_busy);
EXPORT_SYMBOL(target_set_cmd_data_length);
EXPORT_SYMBOL(target_setup_session);
EXPORT_SYMBOL(target_show_cmd);
EXPORT_SYMBOL(target_show_dynamic_sessions);
EXPORT_SYMBOL_GPL(target_stop_cmd_counter);
EXPORT_SYMBOL(target_stop_session);
EXPORT_SYMBOL_GPL(target_submit);
EXPORT_SYMBOL(target_submit_cmd);
EXPORT_SYMBOL_GPL(target_submit_prep);
EXPORT_SYMBOL(target_submit_tmr);
EXPORT_SYMBOL_GPL(target_wait_for_cmds);
EXPORT_SYMBOL(target_wait_for_sess_cmds);
EXPORT_SYMBOL(transport_alloc_session);
EXPORT_SYMBOL(transport_alloc_session_tags);
EXPORT_SYMBOL(transport_copy_sense_to_cmd);
EXPORT_SYMBOL(transport_deregister_session);
EXPORT_SYMBOL(transport_deregister_session_configfs);
EXPORT_SYMBOL(transport_free_session);
EXPORT_SYMBOL(transport_generic_free_cmd);
EXPORT_SYMBOL(transport_generic_handle_tmr);
EXPORT_SYMBOL(transport_generic_new_cmd);
EXPORT_SYMBOL(transport_generic_request_failure);
EXPORT_SYMBOL(transport_init_session);
EXPORT_SYMBOL(transport_kmap_data_sg);
EXPORT_SYMBOL(transport_kunmap_data_sg);
EXPORT_SYMBOL(transport_register_session);
EXPORT_SYMBOL(transport_send_check_condition_and_sense);
EXPORT_SYMBOL(transport_set_vpd_assoc);
EXPORT_SYMBOL(transport_set_vpd_ident);
EXPORT_SYMBOL(transport_set_vpd_ident_type);
EXPORT_SYMBOL(transport_set_vpd_proto_id);
EXPORT_SYMBOL(transport_wait_for_tasks);

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
EXPORT_SYMBOL_GPL(target_queue_submission);
EXPORT_SYMBOL(transport_handle_cdb_direct);
#endif
