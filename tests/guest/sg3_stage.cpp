// SPDX-License-Identifier: GPL-2.0
#include "sg3_stage.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace lio::test {

Result<Sg3Unit> Sg3Unit::create(const std::string &wwn, bool thin)
{
	BackstoreSpec spec = ramdisk_spec("rd", sg3_bytes);
	spec.serial = "0123456789abcdef0123456789abcdef";
	LIO_TRY(Backstore backstore, Backstore::create(spec));
	for (const char *attrib : {"emulate_tpu", "emulate_tpws", "emulate_format"})
		LIO_CHECK(backstore.set(attrib, thin ? "1" : "0"));
	LoopSpec port;
	port.wwn = wwn;
	LIO_TRY(LoopTarget target, LoopTarget::create(port));
	LIO_TRY(LoopLun lun, target.add_lun(0, backstore));
	LIO_CHECK(lun.block_node(seconds(60)));
	LIO_TRY(SgDevice sg, lun.open_sg());
	LIO_CHECK(sg.execute_past_ua(cdb::test_unit_ready()));
	return Sg3Unit{std::move(backstore), std::move(target), std::move(lun), std::move(sg)};
}

Status decode_reply(SgDevice &sg, const Cdb &cdb, decode::Facts &facts, decode::Findings &out)
{
	LIO_TRY(std::vector<uint8_t> bytes, sg.fetch(cdb, 65536));
	if (!decode::answer(cdb, bytes, facts, out))
		return Error{EPROTO, sg.path(), "no decoder for the answer to [" + cdb.hex() + "] from"};
	return {};
}

Status decode_if_there(SgDevice &sg, const Cdb &cdb, decode::Facts &facts, decode::Findings &out)
{
	constexpr uint32_t invalid_field = 0x052400;
	std::vector<uint8_t> room(65536);
	LIO_TRY(ScsiReply reply, sg.execute_past_ua(cdb, Data::in(room)));
	return reply.kcq() == invalid_field ? Status() : decode_reply(sg, cdb, facts, out);
}

namespace {

Cdb log_sense(uint8_t page, uint8_t subpage)
{
	return {0x4d, 0, uint8_t(0x40 | page), subpage, 0, 0, 0, 0x40, 0, 0};
}

Status survey_pages(SgDevice &sg, decode::Facts &facts, decode::Findings &out)
{
	for (uint16_t alloc : {36, 96, 255})
		LIO_CHECK(decode_reply(sg, cdb::inquiry(alloc), facts, out));
	for (unsigned page = 0; page < 256; page++)
		LIO_CHECK(decode_if_there(sg, cdb::inquiry_vpd(uint8_t(page), 4096), facts, out));
	for (unsigned page = 0; page < 0x40; page++)
		LIO_CHECK(decode_if_there(sg, log_sense(uint8_t(page), 0), facts, out));
	LIO_CHECK(decode_reply(sg, log_sense(0, 0xff), facts, out));
	for (int form : {6, 10})
		for (uint8_t pc : {0, 1, 2})
			for (bool dbd : {false, true})
				LIO_CHECK(decode_reply(sg, cdb::mode_sense(form, 0x3f, 0, 255, pc, dbd), facts, out));
	for (const auto &[page, values] : decode::Facts(facts).mode_pages)
		for (uint16_t alloc : {4, 20, 255})
			LIO_CHECK(decode_reply(sg, cdb::mode_sense(6, page, 0, alloc), facts, out));
	return {};
}

Status survey_commands(SgDevice &sg, decode::Facts &facts, decode::Findings &out)
{
	for (bool rctd : {false, true})
		LIO_CHECK(decode_reply(sg, cdb::rsoc(16384, rctd), facts, out));
	for (const auto &[command, length] : *facts.opcodes) {
		uint8_t option = command.second < 0 ? 1 : 2;
		uint16_t action = uint16_t(command.second < 0 ? 0 : command.second);
		LIO_CHECK(decode_reply(sg, cdb::rsoc_one(command.first, action, uint8_t(option | 0x80)), facts, out));
		LIO_CHECK(decode_reply(sg, cdb::rsoc_one(command.first, action, 3), facts, out));
	}
	for (unsigned opcode = 0; opcode < 256; opcode++)
		if (facts.opcodes->lower_bound({uint8_t(opcode), -1}) == facts.opcodes->lower_bound({uint8_t(opcode), 0x10000}))
			LIO_CHECK(decode_reply(sg, cdb::rsoc_one(uint8_t(opcode), 0, 1), facts, out));
	for (uint8_t repd : {0, 0x80})
		LIO_CHECK(decode_reply(sg, Cdb{0xa3, 0x0d, repd, 0, 0, 0, 0, 0, 0, 255, 0, 0}, facts, out));
	return {};
}

Status survey_rest(SgDevice &sg, decode::Facts &facts, decode::Findings &out)
{
	const Cdb all[] = {
		cdb::read_capacity10(),
		cdb::read_capacity16(12),
		cdb::read_capacity16(),
		cdb::report_luns(16),
		cdb::report_luns(4096, 1),
		cdb::report_luns(4096, 2),
		cdb::request_sense(),
		cdb::request_sense(252, true),
		cdb::get_lba_status(0, 24),
		cdb::get_lba_status(5, 4096),
		Cdb{0x3c, 0x03, 0, 0, 0, 0, 0, 0, 4, 0},
		Cdb{0x3c, 0x0b, 0, 0, 0, 0, 0, 0, 4, 0},
		Cdb{0x37, 0, 0x0d, 0, 0, 0, 0, 0, 255, 0},
		Cdb{0xb7, 0x1d, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0},
		Cdb{0x1c, 1, 0, 0, 255, 0},
	};
	for (const Cdb &cdb : all)
		LIO_CHECK(decode_reply(sg, cdb, facts, out));
	return {};
}

} // namespace

Status survey(SgDevice &sg, decode::Facts &facts, decode::Findings &out)
{
	LIO_CHECK(survey_pages(sg, facts, out));
	LIO_CHECK(survey_commands(sg, facts, out));
	LIO_CHECK(survey_rest(sg, facts, out));
	decode::consistency(facts, out);
	return {};
}

Result<decode::Findings> unexplained(const decode::Findings &findings)
{
	LIO_TRY(std::string text, read_file(std::string(sg3_data) + "findings.json"));
	nlohmann::json known = nlohmann::json::parse(text);
	decode::Findings out;
	for (const std::string &line : findings)
		if (std::none_of(known.begin(), known.end(), [&](const auto &entry) { return entry["finding"] == line; }))
			out.push_back(line);
	for (const auto &entry : known)
		if (std::count(findings.begin(), findings.end(), entry["finding"].template get<std::string>()) == 0)
			out.push_back("not found, but listed: " + entry["finding"].get<std::string>());
	return out;
}

} // namespace lio::test
