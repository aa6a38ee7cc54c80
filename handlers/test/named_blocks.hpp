// SPDX-License-Identifier: MIT
/** @file
 * Which blocks a command may change: a decoder for tests, made from the layout
 * that the CDBs of a length share (SPC-4 4.3.2, SBC-3 5), so that it has no
 * table in common with what it judges.
 */
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tcmu::test {

struct BlockRange {
	uint64_t first;
	uint64_t count;
};

/** Where LBA and TRANSFER LENGTH are, by the length of a CDB. */
struct BlockFields {
	uint8_t lba_at, lba_width, count_at, count_width;
};

inline uint64_t be_field(std::span<const uint8_t> bytes, size_t at, size_t width)
{
	uint64_t value = 0;

	for (size_t i = at; i < at + width; i++)
		value = value << 8 | (i < bytes.size() ? bytes[i] : 0);
	return value;
}

inline uint16_t service_action(std::span<const uint8_t> cdb)
{
	return static_cast<uint16_t>(cdb[0] == 0x7f ? be_field(cdb, 8, 2) : be_field(cdb, 1, 1) & 0x1f);
}

inline BlockFields block_fields(std::span<const uint8_t> cdb)
{
	constexpr uint8_t compare_and_write = 0x89, write_atomic = 0x9c;

	if (cdb[0] == 0x7f)
		return {12, 8, 28, 4};
	switch (cdb[0] >> 5) {
	case 0:
		return {1, 3, 4, 1};
	case 4:
		if (cdb[0] == compare_and_write)
			return {2, 8, 13, 1};
		if (cdb[0] == write_atomic)
			return {2, 8, 12, 2};
		return {2, 8, 10, 4};
	case 5:
		return {2, 4, 6, 4};
	default:
		return {2, 4, 7, 2};
	}
}

/** WRITE and all that is like it; UNMAP is not. */
inline bool writes_range(std::span<const uint8_t> cdb)
{
	/* WRITE, WRITE AND VERIFY, XDWRITEREAD, WRITE SAME, ORWRITE, WRITE LONG, WRITE ATOMIC … */
	static constexpr uint8_t codes[] = {0x0a, 0x2a, 0x8a, 0xaa, 0x2e, 0x8e, 0xae, 0x3f,
					    0x41, 0x53, 0x89, 0x8b, 0x93, 0x9a, 0x9c};
	static constexpr uint16_t actions_32[] = {0x07, 0x0b, 0x0c, 0x0d, 0x0e};
	constexpr uint8_t service_action_out_16 = 0x9f, write_long_16 = 0x11;

	if (cdb[0] == 0x7f)
		return std::ranges::count(actions_32, service_action(cdb)) != 0;
	if (cdb[0] == service_action_out_16)
		return service_action(cdb) == write_long_16;
	return std::ranges::count(codes, cdb[0]) != 0;
}

inline BlockRange clipped(uint64_t first, uint64_t count, uint64_t capacity)
{
	first = std::min(first, capacity);
	return {first, std::min(count, capacity - first)};
}

/** What the CDB's own fields name, read or written. */
inline BlockRange cdb_range(std::span<const uint8_t> cdb)
{
	BlockFields f = block_fields(cdb);
	uint64_t lba = be_field(cdb, f.lba_at, f.lba_width);
	uint64_t count = be_field(cdb, f.count_at, f.count_width);

	if (f.lba_width == 3)
		return {lba & 0x1fffff, count ? count : 256};
	return {lba, count};
}

/** Blocks below @p capacity that @p cdb with the data-out @p list may change. */
inline std::vector<BlockRange> named_blocks(std::span<const uint8_t> cdb, std::span<const uint8_t> list,
					    uint64_t capacity)
{
	constexpr uint8_t unmap = 0x42, write_same_10 = 0x41, write_same_16 = 0x93;
	constexpr uint16_t write_same_32 = 0x0d;
	std::vector<BlockRange> named;

	if (cdb.empty())
		return named;
	if (cdb[0] == unmap) {
		for (size_t at = 8; at + 16 <= list.size(); at += 16)
			named.push_back(clipped(be_field(list, at, 8), be_field(list, at + 8, 4), capacity));
		return named;
	}
	if (!writes_range(cdb))
		return named;
	bool same = cdb[0] == write_same_10 || cdb[0] == write_same_16 ||
		    (cdb[0] == 0x7f && service_action(cdb) == write_same_32);
	BlockRange range = cdb_range(cdb);
	/* 0 blocks of WRITE SAME are those to the medium's end. */
	if (same && range.count == 0)
		range.count = UINT64_MAX;
	named.push_back(clipped(range.first, range.count, capacity));
	return named;
}

} // namespace tcmu::test
