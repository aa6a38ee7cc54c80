// SPDX-License-Identifier: MIT
/** @file
 * A command descriptor block and bounds-checked access to its fields.
 */
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <tcmu/endian.hpp>

namespace tcmu {

/** Longest CDB that SPC-4 allows (variable length, 4.3.3). */
inline constexpr size_t max_cdb_length = 260;

/**
 * The length a CDB must have, told by its first bytes (SPC-4 4.2.5.1: GROUP
 * CODE; 4.3.3: ADDITIONAL CDB LENGTH). The ring carries no length. Vendor
 * groups (6, 7) are taken as 16 bytes, what the kernel always copies at least
 * room for. 0 when @p available is too short to tell or to hold it.
 */
constexpr size_t cdb_length(std::span<const uint8_t> available)
{
	constexpr uint8_t by_group[8] = {6, 10, 10, 0, 16, 12, 16, 16};

	if (available.empty())
		return 0;
	size_t length = by_group[available[0] >> 5];
	if (length == 0) {
		if (available.size() < 8)
			return 0;
		/* Only 7Fh and 7Eh of group 3 are variable; the rest is reserved. */
		length = available[0] >= 0x7e ? 8u + available[7] : 16;
	}
	return length <= available.size() && length <= max_cdb_length ? length : 0;
}

/** View of a CDB. A field beyond its end reads as zero. */
class Cdb {
public:
	constexpr Cdb() = default;
	constexpr explicit Cdb(std::span<const uint8_t> bytes) : bytes_(bytes) {}

	constexpr size_t size() const { return bytes_.size(); }
	constexpr std::span<const uint8_t> bytes() const { return bytes_; }
	constexpr uint8_t opcode() const { return u8(0); }

	constexpr uint8_t u8(size_t at) const
	{
		return at < bytes_.size() ? bytes_[at] : 0;
	}
	/** Big-endian field of @p width (0–8) bytes at @p at. */
	constexpr uint64_t be(size_t at, unsigned width) const
	{
		if (at > bytes_.size() || width > 8 || width > bytes_.size() - at)
			return 0;
		return get_be(bytes_.data() + at, width);
	}
	constexpr bool bit(size_t at, unsigned number) const
	{
		return u8(at) >> number & 1;
	}

private:
	std::span<const uint8_t> bytes_;
};

} // namespace tcmu
