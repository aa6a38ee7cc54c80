// SPDX-License-Identifier: GPL-2.0
// Sense data, fixed and descriptor format (SPC-5 4.5).
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <span>
#include <string>

namespace lio::test {

enum class SenseKey : uint8_t {
	no_sense = 0x0,
	recovered = 0x1,
	not_ready = 0x2,
	medium_error = 0x3,
	hardware_error = 0x4,
	illegal_request = 0x5,
	unit_attention = 0x6,
	data_protect = 0x7,
	blank_check = 0x8,
	copy_aborted = 0xa,
	aborted_command = 0xb,
	volume_overflow = 0xd,
	miscompare = 0xe,
	completed = 0xf,
};

struct Sense {
	bool descriptor = false; ///< format the data came in
	bool deferred = false;
	SenseKey key = SenseKey::no_sense;
	uint8_t asc = 0, ascq = 0;
	std::optional<uint64_t> information; ///< set when the VALID bit is
	std::optional<uint16_t> field_pointer; ///< set when SKSV is, for ILLEGAL REQUEST
	bool field_in_cdb = false;

	/// Key and code in one comparable value: 0x052400 is ILLEGAL REQUEST, INVALID FIELD IN CDB.
	uint32_t kcq() const { return uint32_t(key) << 16 | uint32_t(asc) << 8 | ascq; }
	std::string str() const;
};

std::ostream &operator<<(std::ostream &os, const Sense &s);

/// Nothing when @raw holds no sense data at all (response code not 70h..73h or too short).
std::optional<Sense> decode_sense(std::span<const uint8_t> raw);

} // namespace lio::test
