// SPDX-License-Identifier: GPL-2.0
#include "fuzz_cdb_maker.hpp"

#include <algorithm>

#include "named_blocks.hpp"

namespace lio::test {

namespace {

constexpr size_t most_data = 64 << 10;

/// What a target of today has: they come more often than the others.
constexpr uint8_t known_codes[] = {
	0x00, 0x03, 0x08, 0x0a, 0x12, 0x15, 0x16, 0x17, 0x1a, 0x1b, 0x1d, 0x25, 0x28, 0x2a, 0x2e, 0x2f, 0x34, 0x35, 0x3b,
	0x3c, 0x41, 0x42, 0x53, 0x55, 0x56, 0x57, 0x5a, 0x5e, 0x5f, 0x7f, 0x7f, 0x83, 0x84, 0x88, 0x89, 0x8a, 0x8b, 0x8e,
	0x8f, 0x91, 0x93, 0x93, 0x9c, 0x9e, 0x9f, 0xa0, 0xa3, 0xa4, 0xa8, 0xaa, 0xae, 0xaf, 0x42, 0x41,
};

/// By the GROUP CODE (SPC-4 4.2.5.1); vendors' as long as any.
size_t length_of(uint8_t opcode)
{
	constexpr size_t by_group[8] = {6, 10, 10, 32, 16, 12, 16, 10};
	return by_group[opcode >> 5];
}

/// Which way data goes, as SPC-4 and SBC-3 have it for what writes; anything else reads.
bool sends_data(const Cdb &cdb)
{
	constexpr uint8_t lists[] = {0x04, 0x07, 0x15, 0x1d, 0x3b, 0x42, 0x4c, 0x55, 0x5f, 0x2f, 0x8f, 0xaf, 0x83, 0xa4};
	std::span<const uint8_t> bytes(cdb.data(), cdb.size());
	return tcmu::test::writes_range(bytes) || std::ranges::count(lists, cdb[0]);
}

} // namespace

std::string FuzzCommand::str() const
{
	static constexpr const char *ways[] = {"no data", "in", "out", "both"};
	return "[" + cdb.hex() + "] " + ways[int(direction)] + " " + std::to_string(data.size());
}

/// Each in turn, every second time; else one that is likely to be there.
uint8_t CdbMaker::pick_opcode()
{
	if (next_++ & 1)
		return known_codes[random_() % std::size(known_codes)];
	return uint8_t(next_ / 2);
}

/// The service action and the additional length of variable length CDBs.
void CdbMaker::shape_variable(Cdb &cdb)
{
	cdb[7] = chance(8) ? uint8_t(random_()) : 24;
	if (!chance(4))
		cdb.be(8, 2, random_() % 16);
}

/// LBA and length so that they are in the medium, or around its end.
void CdbMaker::shape_fields(Cdb &cdb)
{
	auto f = tcmu::test::block_fields({cdb.data(), cdb.size()});
	if (cdb.size() < size_t(f.count_at + f.count_width))
		return;
	if (!chance(6)) {
		uint64_t lba = chance(8) ? blocks_ - random_() % 4 : random_() % blocks_;
		cdb.be(f.lba_at, f.lba_width, lba);
	}
	if (!chance(6))
		cdb.be(f.count_at, f.count_width, random_() % 20);
}

Cdb CdbMaker::make_cdb(uint8_t opcode)
{
	size_t length = chance(16) ? 6 + random_() % 27 : length_of(opcode);
	Cdb cdb(length);
	bool sparse = !chance(4);
	cdb[0] = opcode;
	for (size_t i = 1; i < length; i++)
		cdb[i] = !sparse || chance(24) ? uint8_t(random_()) : 0;
	if (opcode == 0x7f && length >= 10)
		shape_variable(cdb);
	else if (!chance(4))
		cdb[1] &= 0x1f; // no protection information
	if (!chance(3))
		shape_fields(cdb);
	return cdb;
}

size_t CdbMaker::pick_size(const Cdb &cdb)
{
	std::span<const uint8_t> bytes(cdb.data(), cdb.size());
	uint64_t size = tcmu::test::cdb_range(bytes).count;
	if (chance(5))
		size = random_() >> (48 + random_() % 16);
	else if (cdb[0] == 0x41 || cdb[0] == 0x93)
		size = block_size_;
	else if (tcmu::test::writes_range(bytes) || (cdb[0] & 0x1f) == 0x08 || (cdb[0] & 0x1f) == 0x0f)
		size *= block_size_ * (cdb[0] == 0x89 ? 2 : 1);
	else
		size = random_() % 512;
	return std::min<uint64_t>(size, most_data);
}

/// Parameter lists that are nearly right get further than others.
void CdbMaker::shape_list(FuzzCommand &c)
{
	constexpr uint8_t unmap = 0x42, mode_select_6 = 0x15, mode_select_10 = 0x55, pr_out = 0x5f, stpg = 0xa4;
	std::span<uint8_t> list(c.data);
	uint8_t opcode = c.cdb[0];

	if (opcode == unmap && list.size() >= 24) {
		put_be(list.subspan(0, 2), list.size() - 2);
		put_be(list.subspan(2, 2), (list.size() - 8) / 16 * 16);
		for (size_t at = 8; at + 16 <= list.size(); at += 16) {
			put_be(list.subspan(at, 8), random_() % (blocks_ + (chance(16) ? 8 : 0)));
			put_be(list.subspan(at + 8, 4), random_() % 8);
		}
	}
	if ((opcode == mode_select_6 || opcode == mode_select_10) && list.size() > 24) {
		std::fill_n(list.begin(), 8, uint8_t(0));
		size_t page = opcode == mode_select_6 ? 4 : 8;
		list[page] = chance(2) ? 0x08 : 0x0a;
		list[page + 1] = list[page] == 0x08 ? 0x12 : 0x0a;
	}
	if (opcode == pr_out && list.size() >= 24)
		for (size_t at : {0, 8})
			put_be(list.subspan(at, 8), random_() % 3);
	if (opcode == stpg && list.size() >= 8)
		put_be(list.subspan(4, 4), random_() % 16 << 24);
	if ((opcode == unmap || opcode == mode_select_10) && c.cdb.size() >= 10 && !chance(4))
		c.cdb.be(7, 2, list.size());
	if (opcode == mode_select_6 && !chance(4))
		c.cdb[4] = uint8_t(list.size());
	if (opcode == pr_out && c.cdb.size() >= 10 && !chance(4))
		c.cdb.be(5, 4, list.size());
	if (opcode == stpg && c.cdb.size() >= 12 && !chance(4))
		c.cdb.be(6, 4, list.size());
}

void CdbMaker::fill(FuzzCommand &c)
{
	switch (random_() % 4) {
	case 0: // zeroes: an UNMAP, for some
		break;
	case 1:
		std::ranges::fill(c.data, uint8_t(random_()));
		break;
	default:
		for (uint8_t &byte : c.data)
			byte = uint8_t(random_());
	}
	if (!chance(4))
		shape_list(c);
}

FuzzCommand CdbMaker::make()
{
	using Direction = Data::Direction;
	// sg of 6.12 refuses both ways with ENOMEM.
	static constexpr Direction ways[] = {Direction::none, Direction::in, Direction::out};
	FuzzCommand c;
	c.cdb = make_cdb(pick_opcode());
	c.data.resize(pick_size(c.cdb));
	c.direction = chance(6) ? ways[random_() % 3] : sends_data(c.cdb) ? Direction::out : Direction::in;
	if (c.data.empty() || c.direction == Direction::none) {
		c.data.clear();
		c.direction = Direction::none;
	}
	fill(c);
	return c;
}

} // namespace lio::test
