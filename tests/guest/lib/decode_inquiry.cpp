// SPDX-License-Identifier: GPL-2.0
// Standard INQUIRY data and VPD pages (SPC-4 6.6.2 and 7.8, SBC-3 6.6, SBC-4 6.6).
#include <algorithm>

#include "decode.hpp"

namespace lio::test::decode {

namespace {

void peripheral(const Reader &r, Facts &facts)
{
	unsigned qualifier = r.bits(0, 7, 5), type = r.bits(0, 4, 0);
	r.check(qualifier == 0 || qualifier == 1 || qualifier == 3, "PERIPHERAL QUALIFIER is reserved");
	r.check(qualifier != 3 || type == 0x1f, "qualifier 3 goes with device type 1Fh");
	if (facts.device_type)
		r.check(*facts.device_type == r.be(0, 1), "qualifier and type differ from those of other answers");
	facts.device_type = unsigned(r.be(0, 1));
}

} // namespace

void inquiry(Reader r, size_t alloc, Facts &facts)
{
	peripheral(r, facts);
	cut_at(r, r.has(4) ? r.be(4, 1) + 5 : 36, alloc);
	// RMB LU_CONG; version; NORMACA HISUP format; length; SCCS TPGS 3PC PROTECT; ENCSERV VS MULTIP; CMDQUE VS
	std::vector<uint8_t> meanings = {0xff, 0xc0, 0xff, 0x3f, 0xff, 0xb9, 0x70, 0x03};
	meanings.resize(56, 0xff); // identification, vendor specific
	meanings.insert(meanings.end(), {0, 0}); // CLOCKING, QAS, IUS: parallel SCSI only
	meanings.resize(74, 0xff); // version descriptors
	r.only(meanings);
	r.check(r.be(2, 1) == 6, "VERSION is not SPC-4's 06h");
	r.check(r.bits(3, 3, 0) == 2, "RESPONSE DATA FORMAT is not 2");
	r.ascii(8, 8);
	r.ascii(16, 16);
	r.ascii(32, 4);
	facts.tpgs = r.bits(5, 5, 4);
	facts.third_party = r.bit(5, 3);
	facts.protect = r.bit(5, 0);
	facts.multip = r.bit(6, 4);
	if (r.has(8, 8))
		facts.vendor.assign(r.bytes().begin() + 8, r.bytes().begin() + 16);
	std::set<uint16_t> versions;
	for (size_t at = 58; r.has(at, 2) && at < 74; at += 2)
		if (r.be(at, 2))
			r.check(versions.insert(uint16_t(r.be(at, 2))).second, "a version descriptor twice");
	if (r.has(73))
		facts.versions = versions;
}

namespace {

void supported_pages(const Reader &r, Facts &facts)
{
	std::set<uint8_t> pages;
	for (size_t at = 4; at < r.size(); at++) {
		r.check(pages.empty() || *pages.rbegin() < r.be(at, 1), "pages are not in ascending order");
		pages.insert(uint8_t(r.be(at, 1)));
	}
	r.check(pages.contains(0), "does not list itself");
	facts.vpd_pages = pages;
}

void unit_serial(const Reader &r, Facts &facts)
{
	r.check(r.size() > 4, "no serial number");
	r.ascii(4, r.size() - 4, true);
	std::string serial(r.bytes().begin() + 4, r.bytes().end());
	facts.serial = serial.substr(0, serial.find('\0'));
}

void extended(const Reader &r, Facts &facts)
{
	r.length(64);
	// ACTIVATE_MICROCODE SPT GRD APP REF; UASK GROUP PRIOR HEAD ORD SIMP; WU CRD NV V; P_I_I LUICLR; R CBCS;
	// nexus microcode; 2 of self-test minutes; POA HRA VSA; sense length
	r.only({0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0x0f, 0x11, 0x11, 0x0f, 0xff, 0xff, 0xe0, 0xff});
	r.check(facts.protect || !(r.be(4, 1) & 0x3f), "SPT or checks without PROTECT");
	r.check(r.bit(5, 0), "SIMPLE tasks are what every unit with CMDQUE has");
	facts.v_sup = r.bit(6, 0);
}

void limits(const Reader &r, Facts &facts)
{
	r.length(64);
	std::vector<uint8_t> meanings(64, 0xff);
	meanings[4] = 0x01; // WSNZ
	r.only(meanings);
	Facts::Limits l{.wsnz = r.bit(4, 0),
			.max_caw = unsigned(r.be(5, 1)),
			.granularity = r.be(6, 2),
			.max_transfer = r.be(8, 4),
			.optimal = r.be(12, 4),
			.max_prefetch = r.be(16, 4),
			.max_unmap = r.be(20, 4),
			.max_unmap_descs = r.be(24, 4),
			.unmap_granularity = r.be(28, 4),
			.unmap_alignment = r.be(32, 4),
			.max_write_same = r.be(36, 8),
			.max_atomic = r.be(44, 4)};
	r.check(!l.max_transfer || l.optimal <= l.max_transfer, "OPTIMAL above MAXIMUM TRANSFER LENGTH");
	r.check(!l.max_transfer || l.max_caw <= l.max_transfer, "COMPARE AND WRITE above MAXIMUM TRANSFER LENGTH");
	r.check(!l.max_unmap == !l.max_unmap_descs, "one of the UNMAP limits is 0");
	bool valid = l.unmap_alignment >> 31;
	r.check(valid || !l.unmap_alignment, "UNMAP GRANULARITY ALIGNMENT without UGAVALID");
	r.check(!valid || (l.unmap_alignment & 0x7fffffff) < l.unmap_granularity, "alignment not below the granularity");
	r.check(l.max_atomic || (!r.be(48, 8) && !r.be(56, 8)), "atomic limits without atomic writes");
	facts.limits = l;
}

void characteristics(const Reader &r, Facts &facts)
{
	r.length(64);
	// rotation rate; product type; WABEREQ WACEREQ FORM FACTOR; FUAB VBULS
	r.only({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03});
	uint64_t rate = r.be(4, 2);
	r.check(rate <= 1 || (rate >= 0x401 && rate <= 0xfffe), "MEDIUM ROTATION RATE is reserved");
	r.check(r.bits(7, 3, 0) <= 5, "NOMINAL FORM FACTOR is reserved");
	facts.wabereq = r.bits(7, 7, 6);
}

void provisioning(const Reader &r, Facts &facts)
{
	bool dp = r.bit(5, 0);
	r.check(dp ? r.size() > 8 : r.size() == 8, "PAGE LENGTH does not fit DP");
	if (!dp)
		r.only({0xff, 0xff, 0xff, 0xff, 0xff, 0xe7, 0x07, 0});
	Facts::Provisioning p{.threshold = unsigned(r.be(4, 1)),
			      .lbpu = r.bit(5, 7),
			      .lbpws = r.bit(5, 6),
			      .lbpws10 = r.bit(5, 5),
			      .lbprz = r.bit(5, 2),
			      .anc_sup = r.bit(5, 1),
			      .type = r.bits(6, 2, 0)};
	r.check(p.type <= 2, "PROVISIONING TYPE is reserved");
	r.check(p.lbpu || p.lbpws || !p.lbprz, "LBPRZ of a unit that unmaps nothing");
	facts.provisioning = p;
}

void referrals(const Reader &r, Facts &)
{
	r.length(16);
	r.only({0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
}

} // namespace

void vpd(Reader r, uint8_t page, size_t alloc, Facts &facts)
{
	peripheral(r, facts);
	r.check(r.be(1, 1) == page, "PAGE CODE is another one");
	size_t whole = r.be(2, 2) + 4;
	cut_at(r, whole, alloc);
	if (r.size() < whole)
		return;
	if (!facts.vpd_seen)
		facts.vpd_seen.emplace();
	facts.vpd_seen->insert(page);
	static const std::map<uint8_t, void (*)(const Reader &, Facts &)> pages = {
		{0x00, supported_pages},
		{0x80, unit_serial},
		{0x83, [](const Reader &p, Facts &f) { designators(p, 4, p.size(), f); }},
		{0x86, extended},
		{0xb0, limits},
		{0xb1, characteristics},
		{0xb2, provisioning},
		{0xb3, referrals},
	};
	auto it = pages.find(page);
	if (it == pages.end())
		r.fail("a page that the decoder does not know");
	else
		it->second(r, facts);
}

} // namespace lio::test::decode
