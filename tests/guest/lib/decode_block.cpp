// SPDX-License-Identifier: GPL-2.0
// The short answers: capacity, LBA status, LUNs, sense data, buffers, defects, diagnostic pages.
#include <algorithm>

#include "decode.hpp"

namespace lio::test::decode {

void read_capacity10(Reader r, Facts &facts)
{
	r.length(8);
	facts.capacity10 = {uint32_t(r.be(0, 4)), uint32_t(r.be(4, 4))};
}

void read_capacity16(Reader r, size_t alloc, Facts &facts)
{
	cut_at(r, 32, alloc);
	// last block, length; RC_BASIS P_TYPE PROT_EN; P_I_EXPONENT LBPPBE; LBPME LBPRZ LOWEST ALIGNED
	r.only({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff, 0xff});
	r.check(r.bit(12, 0) || !r.bits(12, 3, 1), "P_TYPE without PROT_EN");
	r.check(r.bits(12, 3, 1) <= 2, "P_TYPE is reserved");
	r.check(r.bit(14, 7) || !r.bit(14, 6), "LBPRZ without LBPME");
	r.check((r.be(14, 2) & 0x3fff) < 1u << r.bits(13, 3, 0), "LOWEST ALIGNED LBA behind the first physical block");
	if (r.size() < 32)
		return;
	facts.capacity = Facts::Capacity{.last = r.be(0, 8),
					 .block = uint32_t(r.be(8, 4)),
					 .lbpme = r.bit(14, 7),
					 .lbprz = r.bit(14, 6),
					 .prot_en = r.bit(12, 0)};
}

void lba_status(Reader r, const Cdb &cdb, const Facts &facts)
{
	size_t whole = r.be(0, 4) + 4;
	if (r.size() < 8)
		return;
	r.check((whole - 8) % 16 == 0 && whole > 8, "PARAMETER DATA LENGTH holds no whole descriptors");
	r.check(r.size() <= whole && r.size() <= get_be({cdb.data() + 10, 4}), "longer than it says");
	r.part("header", 0, 8).only({0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0x01});
	uint64_t next = get_be({cdb.data() + 2, 8});
	for (size_t at = 8; at + 16 <= r.size(); at += 16) {
		Reader d = r.part("descriptor at " + std::to_string(at), at, 16);
		std::vector<uint8_t> meanings(12, 0xff);
		meanings.push_back(0x0f);
		d.only(meanings);
		d.check(d.be(0, 8) == next, "does not begin where the one before ends");
		d.check(d.be(8, 4), "covers no block");
		d.check(d.bits(12, 3, 0) <= 2, "PROVISIONING STATUS is reserved");
		next = d.be(0, 8) + d.be(8, 4);
	}
	r.check(!facts.capacity || next <= facts.capacity->last + 1, "goes on behind the last block");
}

void report_luns(Reader r, size_t alloc)
{
	if (!r.has(7))
		return;
	size_t whole = r.be(0, 4) + 8;
	cut_at(r, whole, alloc);
	r.check(whole % 8 == 0, "LUN LIST LENGTH is not a multiple of eight");
	r.check(!r.be(4, 4), "reserved bytes");
	std::set<uint64_t> luns;
	for (size_t at = 8; r.has(at, 8); at += 8) {
		uint64_t lun = r.be(at, 8);
		unsigned method = r.bits(at, 7, 6);
		r.check(luns.insert(lun).second, "a LUN twice");
		// Single level: peripheral with bus 0, or flat (SAM-5 4.7.7)
		r.check(!(lun & 0xffffffffffffULL), "LUN of more than one level");
		r.check((method == 0 && !r.bits(at, 5, 0)) || method == 1, "addressing method of a LUN");
	}
}

void request_sense(Reader r, const Cdb &cdb)
{
	bool descriptor = cdb[1] & 1;
	unsigned code = r.bits(0, 6, 0);
	if (!r.has(7))
		return;
	r.check(code == (descriptor ? 0x72 : 0x70), "RESPONSE CODE is not the format that was asked for");
	cut_at(r, 8 + r.be(7, 1), cdb[4]);
	if (descriptor)
		return r.part("header", 0, 8).only({0x7f, 0x0f, 0xff, 0xff, 0x80, 0, 0, 0xff});
	r.check(r.be(7, 1) == 10, "fixed format has 18 bytes");
	std::vector<uint8_t> meanings(18, 0xff);
	meanings[1] = 0; // obsolete
	meanings[2] = 0xff & ~0x10;
	r.only(meanings);
	r.check(r.bit(0, 7) || !r.be(3, 4), "INFORMATION without VALID");
}

void read_buffer(Reader r, const Cdb &cdb)
{
	unsigned mode = cdb[1] & 0x1f;
	size_t alloc = get_be({cdb.data() + 6, 3});
	if (mode == 0x03) {
		cut_at(r, 4, alloc);
		r.check(r.be(0, 1) == 0xff || r.be(0, 1) < 64, "OFFSET BOUNDARY");
	} else if (mode == 0x0b) {
		cut_at(r, 4, alloc);
		r.only({0x01, 0, 0x1f, 0xff});
	} else {
		r.check(r.size() <= alloc, "more than was asked for");
	}
}

void defect_data(Reader r, const Cdb &cdb)
{
	bool twelve = cdb[0] == 0xb7;
	size_t header = twelve ? 8 : 4;
	unsigned asked = cdb[twelve ? 1 : 2];
	if (r.size() < header)
		return;
	cut_at(r, header + (twelve ? r.be(4, 4) : r.be(2, 2)), twelve ? get_be({cdb.data() + 6, 4}) : get_be({cdb.data() + 7, 2}));
	r.check(!r.be(0, 1) && !r.bits(1, 7, 5), "reserved bits");
	r.check((r.be(1, 1) & 0x18) == (asked & 0x18), "PLISTV and GLISTV are not as asked for");
	r.check(r.bits(1, 2, 0) == (asked & 7) || r.bits(1, 2, 0) != 7, "DEFECT LIST FORMAT is reserved");
}

void diagnostic(Reader r, size_t alloc)
{
	if (!r.has(3))
		return;
	cut_at(r, r.be(2, 2) + 4, alloc);
	r.check(!r.be(0, 1), "not the page of supported pages");
	for (size_t at = 5; at < r.size(); at++)
		r.check(r.be(at, 1) > r.be(at - 1, 1), "pages are not in ascending order");
	r.check(!r.has(4) || !r.be(4, 1), "does not list itself");
}

} // namespace lio::test::decode
