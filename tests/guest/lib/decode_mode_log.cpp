// SPDX-License-Identifier: GPL-2.0
// Mode parameter lists (SPC-4 7.5, SBC-3 6.5) and log pages (SPC-4 7.3, SBC-3 6.4).
#include <algorithm>

#include "decode.hpp"

namespace lio::test::decode {

namespace {

/// The bits of a mode page that have a meaning; as long as the page.
const std::map<uint8_t, std::vector<uint8_t>> mode_forms = {
	// AWRE..DCR; READ RETRY; obsolete; LBPERE MWR restricted; WRITE RETRY; reserved; RECOVERY TIME LIMIT
	{0x01, {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0xe3, 0xff, 0, 0xff, 0xff}},
	// IC..RCD; priorities; transfer lengths; FSW LBCSS DRA VS SYNC_PROG NV_DIS; segments
	{0x08, {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}},
	// TST TMF_ONLY DPICZ D_SENSE GLTSD RLEC; QAM NUAR QERR; RAC UA_INTLCK SWP; ATO TAS ATMPE RWWP AUTOLOAD; times
	{0x0a, {0x7f, 0xff, 0xff, 0xfe, 0x78, 0xf7, 0, 0, 0xff, 0xff, 0xff, 0xff}},
	// PERF EBF EWASC DEXCPT TEST EBACKERR LOGERR; MRIE; INTERVAL TIMER; REPORT COUNT
	{0x1c, {0x7f, 0xff, 0xbf, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
};

void control_values(const Reader &r)
{
	r.check(r.bits(2, 7, 5) <= 1, "TST is reserved");
	r.check(r.bits(3, 7, 4) <= 1 || r.bits(3, 7, 4) >= 8, "QUEUE ALGORITHM MODIFIER is reserved");
	r.check(r.bits(3, 2, 1) != 2, "QERR is reserved");
	r.check(r.bits(4, 5, 4) != 1, "UA_INTLCK_CTRL is reserved");
	r.check(r.bits(5, 2, 0) <= 3, "AUTOLOAD MODE is reserved");
}

void exception_values(const Reader &r)
{
	r.check(r.bits(3, 3, 0) <= 6 || r.bits(3, 3, 0) >= 0xc, "MRIE is reserved");
	r.check(!r.bit(2, 3) || !r.bit(2, 2), "TEST with DEXCPT");
}

void mode_page(const Reader &r, unsigned pc, Facts &facts)
{
	uint8_t code = uint8_t(r.bits(0, 5, 0));
	auto form = mode_forms.find(code);
	r.check(!r.bit(0, 7), "PS of a page that cannot be saved");
	if (form == mode_forms.end())
		return r.fail("a page that the decoder does not know");
	r.length(form->second.size());
	r.only(form->second);
	if (pc != 1 && code == 0x0a)
		control_values(r);
	if (pc != 1 && code == 0x1c)
		exception_values(r);
	ModePage &page = facts.mode_pages[code];
	auto &values = pc == 0 ? page.current : pc == 1 ? page.changeable : page.defaults;
	values.assign(r.bytes().begin(), r.bytes().end());
}

void mode_pages(const Reader &r, const Cdb &cdb, size_t at, Facts &facts)
{
	unsigned wanted = cdb[2] & 0x3f;
	int last = -1;
	while (at + 2 <= r.size()) {
		bool sub = r.bit(at, 6);
		size_t len = sub ? r.be(at + 2, 2) + 4 : r.be(at + 1, 1) + 2;
		int code = int(r.bits(at, 5, 0));
		Reader page = r.part("page " + std::to_string(code), at, len);
		page.check(page.size() == len, "ends behind the list");
		page.check(wanted == 0x3f || int(wanted) == code, "was not asked for");
		page.check(code > last, "pages are not in ascending order");
		page.check(!sub, "a subpage that the decoder does not know");
		mode_page(page, cdb[2] >> 6, facts);
		last = code;
		at += len;
	}
	r.check(at == r.size(), "ends inside a page");
	r.check(last >= 0, "no page");
}

} // namespace

void mode_sense(Reader r, const Cdb &cdb, Facts &facts)
{
	bool ten = cdb[0] == 0x5a;
	size_t header = ten ? 8 : 4, alloc = ten ? get_be({cdb.data() + 7, 2}) : cdb[4];
	size_t whole = ten ? r.be(0, 2) + 2 : r.be(0, 1) + 1, specific = ten ? 3 : 2;
	if (r.size() >= (ten ? 2u : 1u))
		cut_at(r, whole, alloc);
	if (r.size() < header || r.size() < whole)
		return;
	r.part("header", 0, header)
		.only(ten ? std::vector<uint8_t>{0xff, 0xff, 0, 0x90, 0x01, 0, 0xff, 0xff} : std::vector<uint8_t>{0xff, 0, 0x90, 0xff});
	size_t descriptor = ten ? r.be(6, 2) : r.be(3, 1);
	bool longlba = ten && r.bit(4, 0), dbd = cdb[1] & 0x08;
	r.check(descriptor == 0 || (!dbd && descriptor == (longlba ? 16u : 8u)), "length of the block descriptor");
	facts.dpofua = r.bit(specific, 4);
	if (descriptor == 8)
		facts.descriptor_block = r.be(header + 4, 4);
	mode_pages(r, cdb, header + descriptor, facts);
}

namespace {

/// Logical block provisioning (SBC-3 6.4.5)
void log_provisioning(const Reader &r)
{
	int last = -1;
	size_t at = 4;
	for (; at + 4 <= r.size(); at += 4 + r.be(at + 3, 1)) {
		Reader parameter = r.part("parameter at " + std::to_string(at), at, 4 + r.be(at + 3, 1));
		uint64_t code = parameter.be(0, 2);
		parameter.length(12);
		parameter.only({0xff, 0xff, 0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03});
		parameter.check(code == 1 || code == 2 || (code >= 0x100 && code <= 0x102), "PARAMETER CODE is reserved");
		parameter.check(int(code) > last, "parameters are not in ascending order");
		parameter.check(parameter.bits(2, 1, 0) == 3, "FORMAT AND LINKING is not a binary list");
		parameter.check(parameter.bits(8, 1, 0) <= 2, "SCOPE is reserved");
		last = int(code);
	}
	r.check(at == r.size(), "ends inside a parameter");
}

/// Supported pages, or pairs of pages and subpages.
void log_supported(const Reader &r, bool pairs, Facts &facts)
{
	std::set<uint16_t> seen;
	size_t step = pairs ? 2 : 1;
	r.check((r.size() - 4) % step == 0, "half an entry");
	for (size_t at = 4; at + step <= r.size(); at += step) {
		uint16_t entry = uint16_t(r.be(at, step));
		r.check(!(r.be(at, 1) & 0xc0), "reserved bits of an entry");
		r.check(seen.empty() || *seen.rbegin() < entry, "entries are not in ascending order");
		seen.insert(entry);
	}
	r.check(seen.contains(0), "does not list itself");
	if (!pairs) {
		facts.log_pages.emplace();
		for (uint16_t page : seen)
			facts.log_pages->insert(uint8_t(page));
	}
}

} // namespace

void log_sense(Reader r, const Cdb &cdb, Facts &facts)
{
	unsigned page = cdb[2] & 0x3f, subpage = cdb[3];
	size_t whole = r.be(2, 2) + 4;
	if (!r.has(3))
		return;
	cut_at(r, whole, get_be({cdb.data() + 7, 2}));
	r.check(r.bits(0, 5, 0) == page && r.be(1, 1) == subpage, "page or subpage is another one");
	r.check(r.bit(0, 6) == (subpage != 0), "SPF does not fit the subpage");
	if (r.size() < whole)
		return;
	if (!facts.log_seen)
		facts.log_seen.emplace();
	facts.log_seen->insert(uint8_t(page));
	if (page == 0)
		log_supported(r, subpage == 0xff, facts);
	else if (page == 0x0c && !subpage)
		log_provisioning(r);
	else
		r.fail("a page that the decoder does not know");
}

} // namespace lio::test::decode
