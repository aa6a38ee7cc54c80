// SPDX-License-Identifier: GPL-2.0
// Which decoder an answer needs, and what the answers of one logical unit must agree about.
#include <algorithm>

#include "decode.hpp"

namespace lio::test::decode {

namespace {

uint64_t field(const Cdb &cdb, size_t at, size_t width)
{
	return get_be({cdb.data() + at, width});
}

struct Answer {
	uint8_t opcode;
	int service_action; ///< -1: none
	void (*decode)(const Reader &r, const Cdb &cdb, Facts &facts);
};

void any_inquiry(const Reader &r, const Cdb &cdb, Facts &facts)
{
	if (cdb[1] & 1)
		vpd(r, cdb[2], field(cdb, 3, 2), facts);
	else
		inquiry(r, field(cdb, 3, 2), facts);
}

const Answer answers[] = {
	{0x03, -1, [](const Reader &r, const Cdb &c, Facts &) { request_sense(r, c); }},
	{0x12, -1, any_inquiry},
	{0x1a, -1, [](const Reader &r, const Cdb &c, Facts &f) { mode_sense(r, c, f); }},
	{0x1c, -1, [](const Reader &r, const Cdb &c, Facts &) { diagnostic(r, field(c, 3, 2)); }},
	{0x25, -1, [](const Reader &r, const Cdb &, Facts &f) { read_capacity10(r, f); }},
	{0x37, -1, [](const Reader &r, const Cdb &c, Facts &) { defect_data(r, c); }},
	{0x3c, -1, [](const Reader &r, const Cdb &c, Facts &) { read_buffer(r, c); }},
	{0x4d, -1, [](const Reader &r, const Cdb &c, Facts &f) { log_sense(r, c, f); }},
	{0x5a, -1, [](const Reader &r, const Cdb &c, Facts &f) { mode_sense(r, c, f); }},
	{0x9e, 0x10, [](const Reader &r, const Cdb &c, Facts &f) { read_capacity16(r, field(c, 10, 4), f); }},
	{0x9e, 0x12, [](const Reader &r, const Cdb &c, Facts &f) { lba_status(r, c, f); }},
	{0xa0, -1, [](const Reader &r, const Cdb &c, Facts &) { report_luns(r, field(c, 6, 4)); }},
	{0xa3, 0x0c, [](const Reader &r, const Cdb &c, Facts &f) { report_opcodes(r, c, f); }},
	{0xa3, 0x0d, [](const Reader &r, const Cdb &c, Facts &) { report_tmfs(r, c); }},
	{0xb7, -1, [](const Reader &r, const Cdb &c, Facts &) { defect_data(r, c); }},
};

const Answer *find(const Cdb &cdb)
{
	auto it = std::find_if(std::begin(answers), std::end(answers), [&](const Answer &a) {
		return a.opcode == cdb[0] && (a.service_action < 0 || a.service_action == (cdb[1] & 0x1f));
	});
	return it == std::end(answers) ? nullptr : it;
}

} // namespace

bool known(const Cdb &cdb)
{
	return find(cdb);
}

bool answer(const Cdb &cdb, Bytes bytes, Facts &facts, Findings &out)
{
	const Answer *a = find(cdb);
	if (a)
		a->decode(Reader("[" + cdb.hex() + "]", bytes, out), cdb, facts);
	return a;
}

namespace {

using Check = void (*)(const Facts &facts, Findings &out);

void require(Findings &out, bool ok, const char *what)
{
	if (!ok)
		out.push_back(std::string("consistency: ") + what);
}

bool supported(const Facts &f, uint8_t opcode, int sa = -1)
{
	return f.opcodes && f.opcodes->contains({opcode, sa});
}

void identity(const Facts &f, Findings &out)
{
	if (f.vpd_pages && f.vpd_seen)
		require(out, *f.vpd_pages == *f.vpd_seen, "VPD pages that are listed and that are there");
	if (f.serial && !f.t10_ids.empty())
		require(out, std::any_of(f.t10_ids.begin(), f.t10_ids.end(), [&](const std::string &id) {
			return id.starts_with(f.vendor) && id.ends_with(*f.serial);
		}), "T10 vendor ID designator: vendor of INQUIRY, serial number of page 80h");
	static const std::map<unsigned, uint16_t> protocols = {{0, 0x0a40}, {3, 0x0980}, {4, 0x0940}, {5, 0x0960}, {6, 0x0c60}};
	auto claims = [&](uint16_t from, uint16_t to) {
		auto it = f.versions.lower_bound(from);
		return it != f.versions.end() && *it <= to;
	};
	if (f.versions.empty())
		return;
	require(out, claims(0x0040, 0x00df), "a SAM version descriptor");
	require(out, claims(0x0460, 0x047f), "SPC-4's version descriptor");
	require(out, !f.device_type || *f.device_type || claims(0x0180, 0x019f) || claims(0x04c0, 0x04df), "an SBC version descriptor");
	if (f.protocol && protocols.contains(*f.protocol))
		require(out, f.versions.contains(protocols.at(*f.protocol)), "the protocol's version descriptor");
}

void thin(const Facts &f, Findings &out)
{
	if (f.limits && f.opcodes) {
		const auto &l = *f.limits;
		require(out, supported(f, 0x42) == (l.max_unmap > 0), "UNMAP and its limits");
		require(out, supported(f, 0x89) == (l.max_caw > 0), "COMPARE AND WRITE and its limit");
		require(out, supported(f, 0x9c) == (l.max_atomic > 0), "WRITE ATOMIC and its limit");
		require(out, supported(f, 0x93) || !l.max_write_same, "WRITE SAME and its limit");
	}
	if (f.wabereq && f.opcodes)
		require(out, supported(f, 0x48, 0x02) == (*f.wabereq != 0), "SANITIZE's BLOCK ERASE and WABEREQ");
	if (!f.provisioning)
		return;
	const auto &p = *f.provisioning;
	if (f.opcodes)
		require(out, supported(f, 0x42) == p.lbpu, "UNMAP and LBPU");
	for (const auto &[opcode, unmap, sa] : {std::tuple(0x41, p.lbpws10, -1), {0x93, p.lbpws, -1}}) {
		auto usage = f.usage.find({uint8_t(opcode), sa});
		if (usage != f.usage.end())
			require(out, bool(usage->second[1] & 0x08) == unmap, "WRITE SAME's UNMAP bit and LBPWS, LBPWS10");
	}
	if (f.capacity) {
		require(out, f.capacity->lbpme == (p.lbpu || p.lbpws || p.lbpws10), "LBPME and LBPU, LBPWS");
		require(out, f.capacity->lbprz == p.lbprz, "LBPRZ of READ CAPACITY and of page B2h");
	}
	if (f.log_pages)
		require(out, f.log_pages->contains(0x0c) == (p.threshold != 0), "log page 0Ch and THRESHOLD EXPONENT");
}

void capacity(const Facts &f, Findings &out)
{
	if (f.capacity && f.capacity10) {
		uint32_t last = f.capacity->last > 0xfffffffe ? 0xffffffff : uint32_t(f.capacity->last);
		require(out, f.capacity10->first == last && f.capacity10->second == f.capacity->block,
			"READ CAPACITY (10) and (16)");
	}
	if (f.capacity && f.descriptor_block)
		require(out, *f.descriptor_block == f.capacity->block, "block length of the mode block descriptor");
	if (f.capacity)
		require(out, f.capacity->prot_en <= f.protect, "PROT_EN without PROTECT");
}

void modes(const Facts &f, Findings &out)
{
	auto caching = f.mode_pages.find(0x08);
	if (caching != f.mode_pages.end() && caching->second.current.size() > 2 && f.v_sup)
		require(out, bool(caching->second.current[2] & 0x04) <= *f.v_sup, "WCE of a unit without a volatile cache (V_SUP)");
	for (const auto &[code, page] : f.mode_pages) {
		bool same = page.current.size() == page.defaults.size() || page.defaults.empty();
		same &= page.current.size() == page.changeable.size() || page.changeable.empty();
		require(out, same, "lengths of a mode page's current, changeable and default values");
	}
	for (const auto &[command, usage] : f.usage)
		if (f.dpofua && (command.first == 0x28 || command.first == 0x2a || command.first == 0x88 || command.first == 0x8a))
			require(out, ((usage[1] & 0x18) == 0x18) == *f.dpofua, "DPOFUA and the usage of DPO and FUA");
}

void commands(const Facts &f, Findings &out)
{
	if (f.log_pages && f.log_seen)
		require(out, *f.log_pages == *f.log_seen, "log pages that are listed and that are there");
	if (!f.opcodes)
		return;
	// What SPC-4 and SBC-3 make mandatory, but FORMAT UNIT, which the administrator has to allow.
	for (Command c : {Command{0x00, -1}, {0x03, -1}, {0x12, -1}, {0x25, -1}, {0x28, -1}, {0x9e, 0x10}, {0xa0, -1}, {0x88, -1},
			  {0x2a, -1}, {0x8a, -1}, {0x35, -1}, {0x1d, -1}})
		require(out, f.opcodes->contains(c), ("mandatory " + str(c)).c_str());
	// What INQUIRY promises (SPC-4 6.6.2).
	require(out, !(f.tpgs & 1) || supported(f, 0xa3, 0x0a), "TPGS and REPORT TARGET PORT GROUPS");
	require(out, !(f.tpgs & 2) || (supported(f, 0xa3, 0x0a) && supported(f, 0xa4, 0x0a)), "TPGS and SET TARGET PORT GROUPS");
	auto copy = f.opcodes->lower_bound({0x83, -1});
	require(out, !f.third_party || (copy != f.opcodes->end() && copy->first.first == 0x83), "3PC and EXTENDED COPY");
	for (const auto &[command, length] : *f.opcodes) {
		auto usage = f.usage.find(command);
		require(out, usage == f.usage.end() || usage->second.size() == length, "CDB LENGTH of the list and of the one command");
		require(out, !f.unsupported.contains(command), "a listed command is not supported");
	}
	for (const auto &[command, usage] : f.usage)
		require(out, f.opcodes->contains(command), ("supported, not listed: " + str(command)).c_str());
}

} // namespace

void consistency(const Facts &facts, Findings &out)
{
	for (Check check : {identity, thin, capacity, modes, commands})
		check(facts, out);
}

} // namespace lio::test::decode
