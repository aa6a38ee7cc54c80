// SPDX-License-Identifier: GPL-2.0
// REPORT SUPPORTED OPERATION CODES and TASK MANAGEMENT FUNCTIONS (SPC-4 6.35, 6.36).
#include "decode.hpp"

namespace lio::test::decode {

namespace {

/// The length that an operation code's group has (SPC-4 4.2.5.1), 0 where it tells nothing.
unsigned group_length(uint8_t opcode)
{
	static const unsigned lengths[] = {6, 10, 10, 0, 16, 12, 0, 0};
	return opcode == 0x7f ? 32 : lengths[opcode >> 5];
}

void timeouts(const Reader &r)
{
	r.length(12);
	r.only({0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
	r.check(r.be(0, 2) == 10, "length of the timeouts descriptor");
	r.check(!r.be(4, 4) || !r.be(8, 4) || r.be(8, 4) >= r.be(4, 4), "RECOMMENDED below NOMINAL timeout");
}

void all_commands(const Reader &r, bool rctd, size_t alloc, Facts &facts)
{
	size_t whole = r.be(0, 4) + 4, step = rctd ? 20 : 8;
	cut_at(r, whole, alloc);
	if (r.size() < whole)
		return;
	r.check((whole - 4) % step == 0, "half a descriptor");
	std::map<Command, unsigned> found;
	for (size_t at = 4; at + step <= whole; at += step) {
		Reader d = r.part("descriptor at " + std::to_string(at), at, step);
		d.part("head", 0, 8).only({0xff, 0, 0xff, 0xff, 0, 0x03, 0xff, 0xff});
		uint8_t opcode = uint8_t(d.be(0, 1));
		bool has_sa = d.bit(5, 0);
		d.check(has_sa || !d.be(2, 2), "SERVICE ACTION without SERVACTV");
		d.check(d.bit(5, 1) == rctd, "CTDP does not say what was asked for");
		d.check(!group_length(opcode) || d.be(6, 2) == group_length(opcode), "CDB LENGTH is not that of the group");
		Command command{opcode, has_sa ? int(d.be(2, 2)) : -1};
		d.check(found.empty() || found.rbegin()->first < command, str(command) + " twice or out of order");
		found[command] = unsigned(d.be(6, 2));
		if (rctd)
			timeouts(d.part("timeouts", 8, 12));
	}
	if (facts.opcodes)
		r.check(*facts.opcodes == found, "the commands are others than before");
	facts.opcodes = found;
}

/// Are the bits of the operation code and the service action as the standard wants them?
void check_usage(const Reader &usage, const Command &command)
{
	usage.check(usage.be(0, 1) == command.first, "the first byte is not the operation code");
	if (command.second < 0)
		return;
	if (command.first == 0x7f)
		usage.check(usage.be(8, 2) == unsigned(command.second), "bytes 8 and 9 are not the service action");
	else
		usage.check(usage.bits(1, 4, 0) == unsigned(command.second), "byte 1 is not the service action");
}

void one_command(const Reader &r, const Cdb &cdb, Facts &facts)
{
	bool with_sa = (cdb[2] & 7) == 2 || ((cdb[2] & 7) == 3 && get_be({cdb.data() + 4, 2}));
	Command command{cdb[3], with_sa ? int(get_be({cdb.data() + 4, 2})) : -1};
	unsigned support = r.bits(1, 2, 0);
	bool ctdp = r.bit(1, 7);
	r.part("head", 0, 4).only({0, 0x87, 0xff, 0xff});
	r.check(support == 1 || support == 3 || support == 5, "SUPPORT is reserved, or not known yet");
	if (support == 1) {
		facts.unsupported.insert(command);
		cut_at(r, 4, get_be({cdb.data() + 6, 4}));
		return r.check(!ctdp && !r.be(2, 2), "data of a command that is not supported");
	}
	size_t size = r.be(2, 2), whole = 4 + size + (ctdp ? 12 : 0);
	cut_at(r, whole, get_be({cdb.data() + 6, 4}));
	if (r.size() < whole)
		return;
	Reader usage = r.part(str(command), 4, size);
	if (command.second < 0 && facts.opcodes && !facts.opcodes->contains(command))
		command.second = usage.bits(1, 4, 0); // option 3, service action 0
	check_usage(usage, command);
	facts.usage[command].assign(usage.bytes().begin(), usage.bytes().end());
	r.check(ctdp == bool(cdb[2] & 0x80), "CTDP does not say what was asked for");
	if (ctdp)
		timeouts(r.part("timeouts", 4 + size, 12));
}

} // namespace

void report_opcodes(Reader r, const Cdb &cdb, Facts &facts)
{
	if (!r.has(3))
		return;
	if (cdb[2] & 7)
		one_command(r, cdb, facts);
	else
		all_commands(r, cdb[2] & 0x80, get_be({cdb.data() + 6, 4}), facts);
}

void report_tmfs(Reader r, const Cdb &cdb)
{
	bool extended = cdb[2] & 0x80;
	cut_at(r, extended ? 16 : 4, get_be({cdb.data() + 6, 4}));
	// ATS ATSS CACAS CTSS LURS QTS TRS WAKES; QAES QTSS ITNRS; ADDITIONAL LENGTH; TMFTMOV; which have a timeout; timeouts
	r.only({0xff, 0x07, 0, 0xff, 0x01, 0, 0xff, 0x07, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
	r.check(r.bit(0, 7) && r.bit(0, 3), "ABORT TASK and LOGICAL UNIT RESET are mandatory (SAM-5 7)");
	if (r.has(3))
		r.check(r.be(3, 1) == (extended ? 12 : 0), "ADDITIONAL LENGTH");
}

void request(const Cdb &cdb, const Facts &facts, Findings &out)
{
	Reader r("request [" + cdb.hex() + "]", {cdb.data(), cdb.size()}, out);
	auto usage = facts.usage.find({cdb[0], -1});
	if (usage == facts.usage.end())
		usage = facts.usage.find({cdb[0], cdb[0] == 0x7f ? int(r.be(8, 2)) : int(cdb[1] & 0x1f)});
	if (usage == facts.usage.end())
		return r.fail("is not reported as supported");
	r.check(usage->second.size() == cdb.size(), "has another length than reported");
	for (size_t i = 1; i < cdb.size() && i < usage->second.size(); i++)
		r.check(!(cdb[i] & ~usage->second[i]), "byte " + std::to_string(i) + " has bits that are not used");
}

} // namespace lio::test::decode
