// SPDX-License-Identifier: MIT
// A fuzzer's input, taken byte by byte: zeroes when it is at its end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace fuzz {

class Input {
	const uint8_t *at_, *end_;

public:
	Input(const uint8_t *data, size_t size) : at_(data), end_(data + size) {}

	bool empty() const { return at_ == end_; }
	uint8_t byte() { return at_ == end_ ? 0 : *at_++; }
	uint16_t half() { return uint16_t(byte() | byte() << 8); }
	uint32_t word() { return half() | uint32_t(half()) << 16; }
	uint64_t quad() { return word() | uint64_t(word()) << 32; }
	/// At most @n bytes.
	std::span<const uint8_t> bytes(size_t n)
	{
		n = std::min<size_t>(n, size_t(end_ - at_));
		at_ += n;
		return {at_ - n, n};
	}
};

} // namespace fuzz
