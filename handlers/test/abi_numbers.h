/* SPDX-License-Identifier: MIT */
/*
 * Every number of the TCMU ABI with its name in the kernel's header and in
 * abi.hpp. abi_check.c (C) and parts_test.cpp (C++) each assert their side.
 */
#define ABI_NUMBERS(N)                                                                   \
	N(2, TCMU_MAILBOX_VERSION, mailbox_version)                                      \
	N(96, TCMU_SENSE_BUFFERSIZE, sense_buffer_size)                                  \
	N(8, TCMU_OP_ALIGN_SIZE, entry_alignment)                                        \
	N(1, TCMU_MAILBOX_FLAG_CAP_OOOC, cap_out_of_order)                               \
	N(2, TCMU_MAILBOX_FLAG_CAP_READ_LEN, cap_read_length)                            \
	N(4, TCMU_MAILBOX_FLAG_CAP_TMR, cap_task_management)                             \
	N(8, TCMU_MAILBOX_FLAG_CAP_KEEP_BUF, cap_keep_buffer)                            \
	N(0, TCMU_OP_PAD, op_pad)                                                        \
	N(1, TCMU_OP_CMD, op_command)                                                    \
	N(2, TCMU_OP_TMR, op_task_management)                                            \
	N(7, TCMU_OP_MASK, op_mask)                                                      \
	N(1, TCMU_UFLAG_UNKNOWN_OP, uflag_unknown_op)                                    \
	N(2, TCMU_UFLAG_READ_LEN, uflag_read_length)                                     \
	N(4, TCMU_UFLAG_KEEP_BUF, uflag_keep_buffer)                                     \
	N(1, TCMU_TMR_ABORT_TASK, tmr_abort_task)                                        \
	N(5, TCMU_TMR_LUN_RESET, tmr_lun_reset)                                          \
	N(128, TCMU_TMR_LUN_RESET_PRO, tmr_lun_reset_pro)                                \
	N(1, TCMU_CMD_ADDED_DEVICE, cmd_added)                                           \
	N(2, TCMU_CMD_REMOVED_DEVICE, cmd_removed)                                       \
	N(3, TCMU_CMD_RECONFIG_DEVICE, cmd_reconfigured)                                 \
	N(4, TCMU_CMD_ADDED_DEVICE_DONE, cmd_added_done)                                 \
	N(5, TCMU_CMD_REMOVED_DEVICE_DONE, cmd_removed_done)                             \
	N(6, TCMU_CMD_RECONFIG_DEVICE_DONE, cmd_reconfigured_done)                       \
	N(7, TCMU_CMD_SET_FEATURES, cmd_set_features)                                    \
	N(1, TCMU_ATTR_DEVICE, attr_device)                                              \
	N(2, TCMU_ATTR_MINOR, attr_minor)                                                \
	N(4, TCMU_ATTR_DEV_CFG, attr_config)                                             \
	N(5, TCMU_ATTR_DEV_SIZE, attr_size)                                              \
	N(6, TCMU_ATTR_WRITECACHE, attr_write_cache)                                     \
	N(7, TCMU_ATTR_CMD_STATUS, attr_status)                                          \
	N(8, TCMU_ATTR_DEVICE_ID, attr_device_id)                                        \
	N(9, TCMU_ATTR_SUPP_KERN_CMD_REPLY, attr_kernel_waits)                           \
	N(128, sizeof(struct tcmu_mailbox), sizeof(Mailbox))                             \
	N(4, offsetof(struct tcmu_mailbox, cmdr_off), offsetof(Mailbox, cmdr_off))       \
	N(8, offsetof(struct tcmu_mailbox, cmdr_size), offsetof(Mailbox, cmdr_size))     \
	N(12, offsetof(struct tcmu_mailbox, cmd_head), offsetof(Mailbox, cmd_head))      \
	N(64, offsetof(struct tcmu_mailbox, cmd_tail), offsetof(Mailbox, cmd_tail))      \
	N(4, offsetof(struct tcmu_cmd_entry_hdr, cmd_id), offsetof(EntryHeader, cmd_id)) \
	N(7, offsetof(struct tcmu_cmd_entry_hdr, uflags), offsetof(EntryHeader, uflags)) \
	N(112, sizeof(struct tcmu_cmd_entry), min_command_length)                        \
	N(8, offsetof(struct tcmu_cmd_entry, req.iov_cnt), offsetof(Request, iov_cnt))   \
	N(12, offsetof(struct tcmu_cmd_entry, req.iov_bidi_cnt),                         \
	  offsetof(Request, iov_bidi_cnt))                                               \
	N(24, offsetof(struct tcmu_cmd_entry, req.cdb_off), offsetof(Request, cdb_off))  \
	N(48, offsetof(struct tcmu_cmd_entry, req.iov), sizeof(Request))                 \
	N(8, offsetof(struct tcmu_cmd_entry, rsp.scsi_status),                           \
	  offsetof(Response, scsi_status))                                               \
	N(12, offsetof(struct tcmu_cmd_entry, rsp.read_len), offsetof(Response, read_len)) \
	N(16, offsetof(struct tcmu_cmd_entry, rsp.sense_buffer),                         \
	  offsetof(Response, sense_buffer))                                              \
	N(8, offsetof(struct tcmu_tmr_entry, tmr_type),                                  \
	  offsetof(TaskManagementEntry, tmr_type))                                       \
	N(12, offsetof(struct tcmu_tmr_entry, cmd_cnt),                                  \
	  offsetof(TaskManagementEntry, cmd_cnt))                                        \
	N(32, offsetof(struct tcmu_tmr_entry, cmd_ids), sizeof(TaskManagementEntry))
