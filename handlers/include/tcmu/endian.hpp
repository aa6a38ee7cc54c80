// SPDX-License-Identifier: MIT
/** @file
 * Big-endian fields, as every SCSI structure has them.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace tcmu {

/** Read @p width (1–8) bytes, most significant first. */
constexpr uint64_t get_be(const uint8_t *from, unsigned width)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < width; i++)
		value = value << 8 | from[i];
	return value;
}

/** Write @p width (1–8) bytes, most significant first. */
constexpr void put_be(uint8_t *to, uint64_t value, unsigned width)
{
	for (unsigned i = width; i-- > 0; value >>= 8)
		to[i] = static_cast<uint8_t>(value);
}

} // namespace tcmu
