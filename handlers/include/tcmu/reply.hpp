// SPDX-License-Identifier: MIT
/** @file
 * The answer to a command.
 */
#pragma once

#include <cstdint>
#include <optional>

#include <tcmu/sense.hpp>

namespace tcmu {

/**
 * SCSI status, sense data and what else the ring lets a handler say. Build one
 * with the named constructors:
 *
 *     command.complete(Reply::good());
 *     command.complete(Reply::good_with_length(36));
 *     command.complete(Reply::check_condition(sense::invalid_opcode));
 */
struct Reply {
	ScsiStatus status = ScsiStatus::good;
	/** Sent as fixed-format sense data when status is CHECK CONDITION. */
	Sense sense = sense::none;
	/**
	 * Bytes of the data-in buffer that are valid; the kernel turns the rest
	 * into a residual. Ignored by kernels without READ_LEN.
	 */
	std::optional<uint32_t> read_length = std::nullopt;
	/**
	 * Leave data buffer and command id to the handler after the answer, until
	 * Device::free_kept_buffer(). Ignored by kernels without KEEP_BUF.
	 */
	bool keep_buffer = false;

	static Reply good() { return {}; }
	static Reply good_with_length(uint32_t bytes)
	{
		return {.read_length = bytes};
	}
	static Reply check_condition(const Sense &sense)
	{
		return {.status = ScsiStatus::check_condition, .sense = sense};
	}
	static Reply busy() { return {.status = ScsiStatus::busy}; }
	static Reply with_status(ScsiStatus status) { return {.status = status}; }
};

} // namespace tcmu
