// SPDX-License-Identifier: GPL-2.0
#include "cdb.hpp"

#include <algorithm>
#include <cassert>
#include <cstdio>

namespace lio::test {

uint64_t get_be(std::span<const uint8_t> bytes)
{
	uint64_t v = 0;
	for (uint8_t b : bytes)
		v = v << 8 | b;
	return v;
}

void put_be(std::span<uint8_t> bytes, uint64_t value)
{
	for (size_t i = bytes.size(); i-- > 0; value >>= 8)
		bytes[i] = static_cast<uint8_t>(value);
}

Cdb::Cdb(std::initializer_list<uint8_t> raw) : len_(raw.size())
{
	assert(raw.size() <= bytes_.size());
	std::copy(raw.begin(), raw.end(), bytes_.begin());
}

Cdb &Cdb::be(size_t at, size_t width, uint64_t value)
{
	put_be(std::span(bytes_).subspan(at, width), value);
	return *this;
}

Cdb &Cdb::bits(size_t at, uint8_t or_mask)
{
	bytes_[at] = static_cast<uint8_t>(bytes_[at] | or_mask);
	return *this;
}

std::string Cdb::hex() const
{
	std::string s;
	char buf[4];
	for (size_t i = 0; i < len_; i++) {
		snprintf(buf, sizeof(buf), "%s%02x", i ? " " : "", bytes_[i]);
		s += buf;
	}
	return s;
}

namespace cdb {

namespace {

/// Opcodes of one operation in its five CDB lengths; 0 where SBC has none.
struct Forms {
	uint8_t op6, op10, op12, op16;
	uint16_t sa32;
};

constexpr Forms read_forms = {0x08, 0x28, 0xa8, 0x88, 0x0009};
constexpr Forms write_forms = {0x0a, 0x2a, 0xaa, 0x8a, 0x000b};
constexpr Forms verify_forms = {0, 0x2f, 0xaf, 0x8f, 0x000a};
constexpr Forms write_verify_forms = {0, 0x2e, 0xae, 0x8e, 0x000c};
constexpr Forms write_same_forms = {0, 0x41, 0, 0x93, 0x000d};
constexpr Forms sync_forms = {0, 0x35, 0, 0x91, 0};

/// Where opcode, flags, LBA and length lie is the same for all of them.
Cdb block_command(const Forms &f, int form, uint64_t lba, uint32_t blocks, uint8_t flags)
{
	switch (form) {
	case 6: {
		Cdb c(6);
		return c.bits(0, f.op6).be(1, 3, lba & 0x1fffff).be(4, 1, blocks);
	}
	case 10: {
		Cdb c(10);
		return c.bits(0, f.op10).bits(1, flags).be(2, 4, lba).be(7, 2, blocks);
	}
	case 12: {
		Cdb c(12);
		return c.bits(0, f.op12).bits(1, flags).be(2, 4, lba).be(6, 4, blocks);
	}
	case 16: {
		Cdb c(16);
		return c.bits(0, f.op16).bits(1, flags).be(2, 8, lba).be(10, 4, blocks);
	}
	case 32: {
		Cdb c(32);
		c.bits(0, 0x7f).bits(7, 0x18).be(8, 2, f.sa32).bits(10, flags).be(12, 8, lba);
		// EXPECTED INITIAL LOGICAL BLOCK REFERENCE TAG follows the LBA: type 1 wants it equal.
		return c.be(20, 4, lba & 0xffffffff).be(28, 4, blocks);
	}
	default:
		assert(!"CDB length is 6, 10, 12, 16 or 32");
		return {};
	}
}

uint8_t with_bytchk(RwFlags flags, uint8_t bytchk)
{
	return uint8_t(flags.byte() | bytchk << 1);
}

} // namespace

Cdb read(int form, uint64_t lba, uint32_t blocks, RwFlags flags)
{
	return block_command(read_forms, form, lba, blocks, flags.byte());
}

Cdb write(int form, uint64_t lba, uint32_t blocks, RwFlags flags)
{
	return block_command(write_forms, form, lba, blocks, flags.byte());
}

Cdb verify(int form, uint64_t lba, uint32_t blocks, uint8_t bytchk, RwFlags flags)
{
	return block_command(verify_forms, form, lba, blocks, with_bytchk(flags, bytchk));
}

Cdb write_and_verify(int form, uint64_t lba, uint32_t blocks, uint8_t bytchk, RwFlags flags)
{
	return block_command(write_verify_forms, form, lba, blocks, with_bytchk(flags, bytchk));
}

Cdb write_same(int form, uint64_t lba, uint32_t blocks, WriteSameFlags f)
{
	auto flags = uint8_t(f.protect << 5 | f.anchor << 4 | f.unmap << 3 | (form == 10 ? 0 : f.ndob));
	return block_command(write_same_forms, form, lba, blocks, flags);
}

Cdb compare_and_write(uint64_t lba, uint8_t blocks, RwFlags flags)
{
	Cdb c(16);
	return c.bits(0, 0x89).bits(1, flags.byte()).be(2, 8, lba).be(13, 1, blocks);
}

Cdb sync_cache(int form, uint64_t lba, uint32_t blocks, bool immed)
{
	return block_command(sync_forms, form, lba, blocks, immed ? 0x02 : 0);
}

Cdb unmap(uint16_t list_len, bool anchor)
{
	Cdb c(10);
	return c.bits(0, 0x42).bits(1, anchor).be(7, 2, list_len);
}

Cdb read_capacity10()
{
	return Cdb(10).bits(0, 0x25);
}

Cdb read_capacity16(uint32_t alloc)
{
	return Cdb(16).bits(0, 0x9e).bits(1, 0x10).be(10, 4, alloc);
}

Cdb get_lba_status(uint64_t lba, uint32_t alloc)
{
	return Cdb(16).bits(0, 0x9e).bits(1, 0x12).be(2, 8, lba).be(10, 4, alloc);
}

Cdb test_unit_ready()
{
	return Cdb(6);
}

Cdb inquiry(uint16_t alloc)
{
	return Cdb(6).bits(0, 0x12).be(3, 2, alloc);
}

Cdb inquiry_vpd(uint8_t page, uint16_t alloc)
{
	return inquiry(alloc).bits(1, 0x01).bits(2, page);
}

Cdb request_sense(uint8_t alloc, bool descriptor)
{
	return Cdb(6).bits(0, 0x03).bits(1, descriptor).bits(4, alloc);
}

Cdb mode_sense(int form, uint8_t page, uint8_t subpage, uint16_t alloc, uint8_t pc, bool dbd)
{
	Cdb c(form == 6 ? 6 : 10);
	c.bits(0, form == 6 ? 0x1a : 0x5a).bits(1, uint8_t(dbd << 3)).bits(2, uint8_t(pc << 6 | page));
	c.bits(3, subpage);
	return form == 6 ? c.be(4, 1, alloc) : c.be(7, 2, alloc);
}

Cdb mode_select(int form, uint16_t list_len, bool page_format, bool save)
{
	Cdb c(form == 6 ? 6 : 10);
	c.bits(0, form == 6 ? 0x15 : 0x55).bits(1, uint8_t(page_format << 4 | save));
	return form == 6 ? c.be(4, 1, list_len) : c.be(7, 2, list_len);
}

Cdb report_luns(uint32_t alloc, uint8_t select)
{
	return Cdb(12).bits(0, 0xa0).bits(2, select).be(6, 4, alloc);
}

Cdb rsoc(uint32_t alloc, bool rctd)
{
	return Cdb(12).bits(0, 0xa3).bits(1, 0x0c).bits(2, uint8_t(rctd << 7)).be(6, 4, alloc);
}

Cdb rsoc_one(uint8_t opcode, uint16_t service_action, uint8_t options, uint32_t alloc)
{
	return rsoc(alloc).bits(2, options).bits(3, opcode).be(4, 2, service_action);
}

Cdb rtpg(uint32_t alloc, bool extended)
{
	return Cdb(12).bits(0, 0xa3).bits(1, uint8_t(0x0a | extended << 5)).be(6, 4, alloc);
}

Cdb stpg(uint32_t list_len)
{
	return Cdb(12).bits(0, 0xa4).bits(1, 0x0a).be(6, 4, list_len);
}

Cdb pr_in(uint8_t service_action, uint16_t alloc)
{
	return Cdb(10).bits(0, 0x5e).bits(1, service_action).be(7, 2, alloc);
}

Cdb pr_out(uint8_t service_action, uint8_t type, uint32_t list_len, uint8_t scope)
{
	return Cdb(10)
		.bits(0, 0x5f)
		.bits(1, service_action)
		.bits(2, uint8_t(scope << 4 | type))
		.be(5, 4, list_len);
}

Cdb reserve6()
{
	return Cdb(6).bits(0, 0x16);
}

Cdb release6()
{
	return Cdb(6).bits(0, 0x17);
}

Cdb start_stop(bool start, bool immed)
{
	return Cdb(6).bits(0, 0x1b).bits(1, immed).bits(4, start);
}

} // namespace cdb

} // namespace lio::test
