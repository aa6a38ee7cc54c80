// SPDX-License-Identifier: MIT
/** @file
 * Types that the parts of BlockEmulator share.
 */
#pragma once

#include <tcmu/emulation.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace tcmu {

/** Sizes of the memory for passes; also the limit of COMPARE AND WRITE. */
inline constexpr size_t pass_buffer_size = 256 * 1024;
inline constexpr size_t pass_buffer_count = 4;
inline constexpr size_t pass_buffer_alignment = 4096;

/** Limits that the block limits page reports and the commands enforce. */
inline constexpr uint32_t max_unmap_descriptors = 64;
inline constexpr uint32_t max_unmap_blocks = 1 << 22;
inline constexpr uint32_t max_write_same_blocks = 1 << 16;

/** One row of the opcode table. */
struct BlockEmulator::Opcode {
	struct Field {
		uint8_t at;
		uint8_t width;
	};
	enum Flags : uint8_t {
		none = 0,
		/** Refused on a write-protected device. */
		writes = 1,
		/** There only when the store can give space back. */
		thin = 2,
	};
	static constexpr uint16_t no_service_action = UINT16_MAX;

	uint8_t code;
	uint16_t service_action;
	uint8_t length;
	Field lba;
	Field count;
	uint8_t flags;
	/** Byte and bits (RDPROTECT, WRPROTECT, VRPROTECT) that must be zero. */
	uint8_t protect_at;
	Step run;
	/** CDB usage data (SPC-4 6.35.3): the bits of the CDB that are looked at. */
	std::array<uint8_t, 32> usage;
};

/** A command being worked on, and the range it holds. Index: the command's slot. */
struct BlockEmulator::Job : RangeLocks::Range {
	StoreRequest request{};
	Command *command = nullptr;
	const Opcode *opcode = nullptr;
	/** What drive() runs next, and whether it may already. */
	Step next = nullptr;
	bool ready = false;

	/** Decoded from the CDB. */
	Cdb cdb{};
	uint64_t lba = 0;
	uint64_t blocks = 0;
	/** Bytes the CDB asks to move, and those the data buffer has room for. */
	uint64_t length = 0;

	/** A pass over the range: what, how far, how long, and what follows. */
	Pass pass = Pass::read_only;
	uint64_t done = 0;
	uint64_t pass_length = 0;
	/** Where the pass began in the store and in the data buffer. */
	uint64_t pass_offset = 0;
	size_t source_offset = 0;
	size_t piece = 0;
	Step after_pass = nullptr;
	/** Index of the pass buffer held; -1: none. */
	int buffer = -1;
	iovec buffer_list{};
	/** UNMAP: next descriptor, and how many there are. */
	uint32_t unmap_next = 0;
	uint32_t unmap_count = 0;

	/** Link of a Queue. */
	Job *link = nullptr;
};

/** Builds data-in; what exceeds the capacity is dropped. */
class BlockEmulator::DataIn {
public:
	void put(uint64_t value, unsigned width)
	{
		if (size_ + width <= bytes_.size())
			put_be(&bytes_[size_], value, width);
		size_ = std::min(size_ + width, bytes_.size());
	}
	void zeroes(size_t count) { size_ = std::min(size_ + count, bytes_.size()); }
	/** @p text, cut or filled with blanks to @p width. */
	void text(std::string_view text, size_t width)
	{
		for (size_t i = 0; i < width; i++)
			put(i < text.size() ? static_cast<uint8_t>(text[i]) : ' ', 1);
	}
	void append(std::span<const uint8_t> more)
	{
		for (uint8_t byte : more)
			put(byte, 1);
	}
	/** Overwrite what is already there. */
	void set(size_t at, uint64_t value, unsigned width)
	{
		if (at + width <= size_)
			put_be(&bytes_[at], value, width);
	}
	size_t size() const { return size_; }
	std::span<const uint8_t> bytes() const { return {bytes_.data(), size_}; }

private:
	std::array<uint8_t, 2048> bytes_{};
	size_t size_ = 0;
};

} // namespace tcmu
