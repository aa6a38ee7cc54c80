// SPDX-License-Identifier: MIT
/** @file
 * The memory layout and the netlink numbers that kernel and handlers share.
 *
 * <linux/target_core_user.h> says the same, but is C: a C++ compiler refuses
 * its inline functions, and its struct iovec clashes with <sys/uio.h>. The unit
 * test abi_check.c holds every number here against that header.
 */
#pragma once

#include <cstdint>

namespace tcmu::abi {

inline constexpr uint16_t mailbox_version = 2;
inline constexpr unsigned sense_buffer_size = 96;
/** Entries begin at multiples of this. */
inline constexpr uint32_t entry_alignment = 8;

/** Mailbox flags. */
enum : uint16_t {
	cap_out_of_order = 1 << 0,
	cap_read_length = 1 << 1,
	cap_task_management = 1 << 2,
	cap_keep_buffer = 1 << 3,
};

/** At the start of the shared memory; cmd_tail is the handler's. */
struct Mailbox {
	uint16_t version;
	uint16_t flags;
	uint32_t cmdr_off;
	uint32_t cmdr_size;
	uint32_t cmd_head;
	uint8_t reserved[48];
	uint32_t cmd_tail;
	uint8_t reserved_tail[60];
};
static_assert(sizeof(Mailbox) == 128);

/** Low bits of len_op. */
enum : uint8_t { op_pad = 0, op_command = 1, op_task_management = 2 };
inline constexpr uint32_t op_mask = 0x7;

/** EntryHeader::uflags. */
enum : uint8_t { uflag_unknown_op = 0x1, uflag_read_length = 0x2, uflag_keep_buffer = 0x4 };

struct [[gnu::packed]] EntryHeader {
	uint32_t len_op;
	uint16_t cmd_id;
	uint8_t kflags;
	uint8_t uflags;
};

/** A command as the kernel writes it; iovecs with offsets follow. */
struct [[gnu::packed]] Request {
	EntryHeader header;
	uint32_t iov_cnt;
	uint32_t iov_bidi_cnt;
	uint32_t iov_dif_cnt;
	uint32_t padding;
	uint64_t cdb_off;
	uint64_t reserved[2];
};

/** The answer, over the request. */
struct [[gnu::packed]] Response {
	EntryHeader header;
	uint8_t scsi_status;
	uint8_t reserved[3];
	uint32_t read_len;
	uint8_t sense_buffer[sense_buffer_size];
};

/** A command entry is never shorter. */
inline constexpr uint32_t min_command_length = sizeof(Response);

/** Followed by cmd_cnt cmd_ids of 16 bits. */
struct [[gnu::packed]] TaskManagementEntry {
	EntryHeader header;
	uint8_t tmr_type;
	uint8_t reserved[3];
	uint32_t cmd_cnt;
	uint64_t reserved_tail[2];
};

/** TaskManagementEntry::tmr_type. */
enum : uint8_t {
	tmr_unknown = 0,
	tmr_abort_task = 1,
	tmr_abort_task_set = 2,
	tmr_clear_aca = 3,
	tmr_clear_task_set = 4,
	tmr_lun_reset = 5,
	tmr_target_warm_reset = 6,
	tmr_target_cold_reset = 7,
	/** A pseudo reset, for a PERSISTENT RESERVE OUT. */
	tmr_lun_reset_pro = 128,
};

/** Generic netlink commands. */
enum : uint8_t {
	cmd_added = 1,
	cmd_removed = 2,
	cmd_reconfigured = 3,
	cmd_added_done = 4,
	cmd_removed_done = 5,
	cmd_reconfigured_done = 6,
	cmd_set_features = 7,
};

/** Generic netlink attributes. */
enum : uint8_t {
	attr_device = 1,
	attr_minor = 2,
	attr_config = 4,
	attr_size = 5,
	attr_write_cache = 6,
	attr_status = 7,
	attr_device_id = 8,
	attr_kernel_waits = 9,
	attr_max = attr_kernel_waits,
};

} // namespace tcmu::abi
