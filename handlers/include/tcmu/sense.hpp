// SPDX-License-Identifier: MIT
/** @file
 * SCSI status and sense data (SAM-5 5.3, SPC-4 4.5).
 */
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tcmu {

/** SAM-5 table 42. */
enum class ScsiStatus : uint8_t {
	good = 0x00,
	check_condition = 0x02,
	condition_met = 0x04,
	busy = 0x08,
	reservation_conflict = 0x18,
	task_set_full = 0x28,
	task_aborted = 0x40,
};

/** SPC-4 table 44. */
enum class SenseKey : uint8_t {
	no_sense = 0x0,
	not_ready = 0x2,
	medium_error = 0x3,
	hardware_error = 0x4,
	illegal_request = 0x5,
	unit_attention = 0x6,
	data_protect = 0x7,
	aborted_command = 0xb,
	miscompare = 0xe,
};

/** One condition: sense key, additional sense code and qualifier. */
struct Sense {
	SenseKey key;
	uint8_t asc;
	uint8_t ascq;
	/** INFORMATION field, e.g. the offset of a miscompare; see has_information. */
	uint32_t information = 0;
	bool has_information = false;

	constexpr Sense with_information(uint32_t value) const
	{
		return {key, asc, ascq, value, true};
	}
	constexpr bool operator==(const Sense &) const = default;
};

/** The conditions a block device's handler reports. */
namespace sense {
inline constexpr Sense none{SenseKey::no_sense, 0x00, 0x00};
inline constexpr Sense communication_failure{SenseKey::not_ready, 0x08, 0x00};
inline constexpr Sense write_error{SenseKey::medium_error, 0x0c, 0x00};
inline constexpr Sense read_error{SenseKey::medium_error, 0x11, 0x00};
inline constexpr Sense internal_failure{SenseKey::hardware_error, 0x44, 0x00};
inline constexpr Sense parameter_list_length{SenseKey::illegal_request, 0x1a, 0x00};
inline constexpr Sense invalid_opcode{SenseKey::illegal_request, 0x20, 0x00};
inline constexpr Sense lba_out_of_range{SenseKey::illegal_request, 0x21, 0x00};
inline constexpr Sense invalid_field_in_cdb{SenseKey::illegal_request, 0x24, 0x00};
inline constexpr Sense invalid_field_in_parameters{SenseKey::illegal_request, 0x26, 0x00};
inline constexpr Sense saving_not_supported{SenseKey::illegal_request, 0x39, 0x00};
inline constexpr Sense write_protected{SenseKey::data_protect, 0x27, 0x00};
inline constexpr Sense space_allocation_failed{SenseKey::data_protect, 0x27, 0x07};
inline constexpr Sense insufficient_resources{SenseKey::aborted_command, 0x55, 0x03};
inline constexpr Sense miscompare{SenseKey::miscompare, 0x1d, 0x00};
} // namespace sense

/** Length of fixed-format sense data (SPC-4 4.5.3). */
inline constexpr size_t fixed_sense_length = 18;
/** Length of descriptor-format sense data without descriptors (SPC-4 4.5.2). */
inline constexpr size_t descriptor_sense_length = 8;

/** Write fixed-format sense data; returns its length. */
size_t encode_fixed_sense(const Sense &sense, std::span<uint8_t, fixed_sense_length> out);

/** Write descriptor-format sense data; returns its length. */
size_t encode_descriptor_sense(const Sense &sense,
			       std::span<uint8_t, descriptor_sense_length> out);

/** Read the condition out of sense data of either format. */
Sense decode_sense(std::span<const uint8_t> data);

} // namespace tcmu
