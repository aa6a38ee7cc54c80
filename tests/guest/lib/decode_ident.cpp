// SPDX-License-Identifier: GPL-2.0
// Designation descriptors of VPD page 83h (SPC-4 7.8.6).
#include <algorithm>
#include <regex>

#include "decode.hpp"

namespace lio::test::decode {

namespace {

enum { LU = 0, PORT = 1, TARGET = 2 };
enum Protocol { FCP = 0, SBP = 3, SRP = 4, ISCSI = 5, SAS = 6 };

struct Descriptor {
	unsigned code_set, association, type, protocol;
	bool piv;
};

void t10(const Reader &r, const Descriptor &d, Facts &facts)
{
	r.check(d.code_set == 2 || d.code_set == 3, "CODE SET is not text");
	r.check(r.size() >= 8, "shorter than a vendor ID");
	r.ascii(0, std::min<size_t>(8, r.size()));
	r.ascii(std::min<size_t>(8, r.size()), r.size(), true);
	std::string id(r.bytes().begin(), r.bytes().end());
	facts.t10_ids.insert(id.substr(0, id.find('\0')));
}

void eui64(const Reader &r, const Descriptor &d, Facts &)
{
	r.check(d.code_set == 1, "CODE SET is not binary");
	r.check(r.size() == 8 || r.size() == 12 || r.size() == 16, "length is not 8, 12 or 16");
}

void naa(const Reader &r, const Descriptor &d, Facts &)
{
	unsigned type = r.bits(0, 7, 4);
	r.check(d.code_set == 1, "CODE SET is not binary");
	r.check(type == 2 || type == 3 || type == 5 || type == 6, "NAA is reserved");
	r.length(type == 6 ? 16 : 8);
	r.check(d.association == LU || type != 6, "NAA 6h names no port or device of these protocols");
}

/// Two reserved bytes and a number of 16 bits.
void number(const Reader &r, const Descriptor &d)
{
	r.check(d.code_set == 1, "CODE SET is not binary");
	r.length(4);
	r.only({0, 0, 0xff, 0xff});
}

void relative_port(const Reader &r, const Descriptor &d, Facts &facts)
{
	number(r, d);
	r.check(d.association == PORT, "ASSOCIATION is not the target port");
	r.check(r.be(2, 2), "relative target port 0 is reserved");
	facts.relative_port = unsigned(r.be(2, 2));
}

void port_group(const Reader &r, const Descriptor &d, Facts &)
{
	number(r, d);
	r.check(d.association == PORT, "ASSOCIATION is not the target port");
}

void unit_group(const Reader &r, const Descriptor &d, Facts &)
{
	number(r, d);
	r.check(d.association == LU, "ASSOCIATION is not the logical unit");
}

/// What names a port or a device of a protocol (the protocol standards' tables of names; SPC-4 7.8.6.11).
const std::regex &name_form(unsigned protocol, unsigned association)
{
	static const std::regex any("^(eui\\.([0-9A-F]{16}|[0-9A-F]{24}|[0-9A-F]{32})|naa\\.([0-9A-F]{16}|[0-9A-F]{32})|iqn\\..+)$");
	static const std::regex naa8("^naa\\.[0-9A-F]{16}$"), eui8("^eui\\.[0-9A-F]{16}$"), eui16("^eui\\.[0-9A-F]{32}$");
	static const std::regex iscsi("^(iqn\\.[a-z0-9:.-]+|eui\\.[0-9A-F]{16}|naa\\.([0-9A-F]{16}|[0-9A-F]{32}))$");
	static const std::regex iscsi_port("^(iqn\\.[a-z0-9:.-]+|eui\\.[0-9A-F]{16}|naa\\.([0-9A-F]{16}|[0-9A-F]{32})),t,0x[0-9A-F]{4}$");

	if (association == LU)
		return any;
	switch (protocol) {
	case FCP:
	case SAS:
		return naa8;
	case SBP:
		return eui8;
	case SRP:
		return eui16;
	case ISCSI:
		return association == PORT ? iscsi_port : iscsi;
	default:
		return any;
	}
}

void name_string(const Reader &r, const Descriptor &d, Facts &)
{
	r.check(d.code_set == 3, "CODE SET is not UTF-8");
	r.check(r.size() && r.size() % 4 == 0, "length is not a multiple of four");
	std::string text(r.bytes().begin(), r.bytes().end());
	size_t end = text.find('\0');
	r.check(end != std::string::npos, "does not end with a NUL");
	r.check(text.find_first_not_of('\0', std::min(end, text.size())) == std::string::npos, "something behind the NUL");
	r.check(end == std::string::npos || text.size() - end <= 4, "more NULs than the padding needs");
	text = text.substr(0, end);
	r.check(std::regex_match(text, name_form(d.protocol, d.association)), "'" + text + "' is no name of protocol " +
		std::to_string(d.protocol));
}

using Decoder = void (*)(const Reader &, const Descriptor &, Facts &);
const std::map<unsigned, std::pair<const char *, Decoder>> types = {
	{1, {"T10 vendor ID", t10}},
	{2, {"EUI-64", eui64}},
	{3, {"NAA", naa}},
	{4, {"relative target port", relative_port}},
	{5, {"target port group", port_group}},
	{6, {"logical unit group", unit_group}},
	{8, {"SCSI name string", name_string}},
};

void descriptor(const Reader &r, const Descriptor &d, size_t at, Facts &facts)
{
	auto it = types.find(d.type);
	Reader whole = r.part("descriptor at " + std::to_string(at), at, 4 + r.be(at + 3, 1));
	if (it == types.end())
		return whole.fail("DESIGNATOR TYPE is reserved or obsolete");
	Reader body = r.part(std::string(it->second.first) + " at " + std::to_string(at), at + 4, r.be(at + 3, 1));
	body.check(body.size() == r.be(at + 3, 1), "ends behind the page");
	body.check(d.code_set >= 1 && d.code_set <= 3, "CODE SET is reserved");
	body.check(d.association <= TARGET, "ASSOCIATION is reserved");
	body.check(!r.bit(at + 1, 6) && !r.be(at + 2, 1), "reserved bits of the header");
	body.check(d.piv || !d.protocol, "PROTOCOL IDENTIFIER without PIV");
	body.check(!d.piv || d.association == PORT || d.association == TARGET, "PIV of a logical unit's designator");
	if (d.piv) {
		body.check(!facts.protocol || *facts.protocol == d.protocol, "two protocols");
		facts.protocol = d.protocol;
	}
	it->second.second(body, d, facts);
}

} // namespace

void designators(const Reader &r, size_t from, size_t to, Facts &facts)
{
	std::multiset<std::pair<unsigned, unsigned>> seen; // association and type
	size_t at = from;
	for (; at + 4 <= to; at += 4 + r.be(at + 3, 1)) {
		Descriptor d{.code_set = r.bits(at, 3, 0),
			     .association = r.bits(at + 1, 5, 4),
			     .type = r.bits(at + 1, 3, 0),
			     .protocol = r.bits(at, 7, 4),
			     .piv = r.bit(at + 1, 7)};
		descriptor(r, d, at, facts);
		seen.emplace(d.association, d.type);
	}
	r.check(at == to, "the last descriptor does not end with the page");
	// 7.8.6.1 and 7.8.6.2: what identifies the unit, and the port when there is one
	r.check(seen.contains({LU, 1}) || seen.contains({LU, 2}) || seen.contains({LU, 3}) || seen.contains({LU, 8}),
		"nothing identifies the logical unit");
	for (unsigned type : {4u, 5u})
		r.check(seen.count({PORT, type}) <= 1, "more than one relative target port or port group");
	if (facts.protocol && *facts.protocol == SAS)
		r.check(seen.contains({PORT, 3}), "no NAA of the SAS target port (SPL: its SAS address)");
}

} // namespace lio::test::decode
