// SPDX-License-Identifier: MIT
#include "emulator.hpp"

namespace tcmu {

namespace {

constexpr uint8_t report_timeouts = 0x80;
/** NACA is not supported, so no bit of CONTROL is looked at. */
constexpr uint8_t control = 0x00;

} // namespace

/**
 * Every opcode that the device knows. Usage data begins with the opcode; the
 * rest of a row is zero, which is also what the bits not looked at are.
 */
std::span<const BlockEmulator::Opcode> BlockEmulator::opcodes()
{
	using E = BlockEmulator;
	constexpr uint16_t no_sa = Opcode::no_service_action;
	constexpr uint8_t ff = 0xff;
	constexpr auto w = Opcode::writes, t = Opcode::thin, n = Opcode::none;
	constexpr uint8_t wt = w | t;

	/* clang-format off */
	static constexpr Opcode table[] = {
		/* code, service action, length, LBA, count, flags, protect, run, usage */
		{0x00, no_sa, 6, {}, {}, n, 0, &E::test_unit_ready, {0x00, 0, 0, 0, 0, control}},
		{0x03, no_sa, 6, {}, {}, n, 0, &E::request_sense, {0x03, 0x01, 0, 0, ff, control}},
		{0x08, no_sa, 6, {1, 3}, {4, 1}, n, 0, &E::read, {0x08, 0x1f, ff, ff, ff, control}},
		{0x0a, no_sa, 6, {1, 3}, {4, 1}, w, 0, &E::write, {0x0a, 0x1f, ff, ff, ff, control}},
		{0x12, no_sa, 6, {}, {}, n, 0, &E::inquiry, {0x12, 0x01, ff, ff, ff, control}},
		{0x15, no_sa, 6, {}, {}, n, 0, &E::mode_select, {0x15, 0x11, 0, 0, ff, control}},
		{0x1a, no_sa, 6, {}, {}, n, 0, &E::mode_sense, {0x1a, 0x08, ff, ff, ff, control}},
		{0x1b, no_sa, 6, {}, {}, n, 0, &E::start_stop, {0x1b, 0x01, 0, 0x0f, 0xf7, control}},
		{0x25, no_sa, 10, {2, 4}, {}, n, 0, &E::read_capacity_10, {0x25, 0, ff, ff, ff, ff, 0, 0, 0x01, control}},
		{0x28, no_sa, 10, {2, 4}, {7, 2}, n, 1, &E::read, {0x28, 0xf8, ff, ff, ff, ff, 0, ff, ff, control}},
		{0x2a, no_sa, 10, {2, 4}, {7, 2}, w, 1, &E::write, {0x2a, 0xf8, ff, ff, ff, ff, 0, ff, ff, control}},
		{0x2e, no_sa, 10, {2, 4}, {7, 2}, w, 1, &E::write_and_verify, {0x2e, 0xf6, ff, ff, ff, ff, 0, ff, ff, control}},
		{0x2f, no_sa, 10, {2, 4}, {7, 2}, n, 1, &E::verify, {0x2f, 0xf6, ff, ff, ff, ff, 0, ff, ff, control}},
		{0x35, no_sa, 10, {2, 4}, {7, 2}, n, 0, &E::synchronize_cache, {0x35, 0x02, ff, ff, ff, ff, 0, ff, ff, control}},
		{0x41, no_sa, 10, {2, 4}, {7, 2}, w, 1, &E::write_same, {0x41, 0xf8, ff, ff, ff, ff, 0, ff, ff, control}},
		{0x42, no_sa, 10, {}, {}, wt, 0, &E::unmap, {0x42, 0x01, 0, 0, 0, 0, 0, ff, ff, control}},
		{0x55, no_sa, 10, {}, {}, n, 0, &E::mode_select, {0x55, 0x11, 0, 0, 0, 0, 0, ff, ff, control}},
		{0x5a, no_sa, 10, {}, {}, n, 0, &E::mode_sense, {0x5a, 0x18, ff, ff, 0, 0, 0, ff, ff, control}},
		{0x7f, 0x09, 32, {12, 8}, {28, 4}, n, 10, &E::read,
			{0x7f, control, 0, 0, 0, 0, 0, 0x18, 0x00, 0x09, 0xf8, 0, ff, ff, ff, ff, ff, ff, ff, ff, 0, 0, 0, 0, 0, 0, 0, 0, ff, ff, ff, ff}},
		{0x7f, 0x0b, 32, {12, 8}, {28, 4}, w, 10, &E::write,
			{0x7f, control, 0, 0, 0, 0, 0, 0x18, 0x00, 0x0b, 0xf8, 0, ff, ff, ff, ff, ff, ff, ff, ff, 0, 0, 0, 0, 0, 0, 0, 0, ff, ff, ff, ff}},
		{0x88, no_sa, 16, {2, 8}, {10, 4}, n, 1, &E::read, {0x88, 0xf8, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, 0, control}},
		{0x89, no_sa, 16, {2, 8}, {13, 1}, w, 1, &E::compare_and_write, {0x89, 0xf8, ff, ff, ff, ff, ff, ff, ff, ff, 0, 0, 0, ff, 0, control}},
		{0x8a, no_sa, 16, {2, 8}, {10, 4}, w, 1, &E::write, {0x8a, 0xf8, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, 0, control}},
		{0x8e, no_sa, 16, {2, 8}, {10, 4}, w, 1, &E::write_and_verify, {0x8e, 0xf6, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, 0, control}},
		{0x8f, no_sa, 16, {2, 8}, {10, 4}, n, 1, &E::verify, {0x8f, 0xf6, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, 0, control}},
		{0x91, no_sa, 16, {2, 8}, {10, 4}, n, 0, &E::synchronize_cache, {0x91, 0x02, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, 0, control}},
		{0x93, no_sa, 16, {2, 8}, {10, 4}, w, 1, &E::write_same, {0x93, 0xf9, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, 0, control}},
		{0x9e, 0x10, 16, {}, {}, n, 0, &E::read_capacity_16, {0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, ff, ff, ff, ff, 0, control}},
		{0x9e, 0x12, 16, {2, 8}, {}, n, 0, &E::get_lba_status, {0x9e, 0x12, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, 0, control}},
		{0xa3, 0x0c, 12, {}, {}, n, 0, &E::report_opcodes, {0xa3, 0x0c, 0x87, ff, ff, ff, ff, ff, ff, ff, 0, control}},
		{0xa8, no_sa, 12, {2, 4}, {6, 4}, n, 1, &E::read, {0xa8, 0xf8, ff, ff, ff, ff, ff, ff, ff, ff, 0, control}},
		{0xaa, no_sa, 12, {2, 4}, {6, 4}, w, 1, &E::write, {0xaa, 0xf8, ff, ff, ff, ff, ff, ff, ff, ff, 0, control}},
		{0xae, no_sa, 12, {2, 4}, {6, 4}, w, 1, &E::write_and_verify, {0xae, 0xf6, ff, ff, ff, ff, ff, ff, ff, ff, 0, control}},
		{0xaf, no_sa, 12, {2, 4}, {6, 4}, n, 1, &E::verify, {0xaf, 0xf6, ff, ff, ff, ff, ff, ff, ff, ff, 0, control}},
	};
	/* clang-format on */
	return table;
}

/** The row for an opcode and service action; @p code_known without regard to the latter. */
const BlockEmulator::Opcode *BlockEmulator::find(uint8_t code, uint16_t service_action,
						 bool &code_known)
{
	static constexpr uint8_t absent = UINT8_MAX;
	/** First row of each opcode; the rows are in order of opcodes. */
	static const std::array<uint8_t, 256> first = [] {
		std::array<uint8_t, 256> made;
		made.fill(absent);
		std::span<const Opcode> rows = opcodes();
		for (size_t i = rows.size(); i-- > 0;)
			made[rows[i].code] = static_cast<uint8_t>(i);
		return made;
	}();

	code_known = first[code] != absent;
	if (!code_known)
		return nullptr;
	for (const Opcode &row : opcodes().subspan(first[code])) {
		if (row.code != code)
			break;
		if (row.service_action == Opcode::no_service_action ||
		    row.service_action == service_action)
			return &row;
	}
	return nullptr;
}

const BlockEmulator::Opcode *BlockEmulator::find(const Cdb &cdb)
{
	bool code_known;
	/* Variable length CDBs have it in two bytes (SPC-4 4.3.3), others in five bits. */
	uint64_t service_action = cdb.opcode() == 0x7f ? cdb.be(8, 2) : cdb.u8(1) & 0x1f;
	const Opcode *row = find(cdb.opcode(), static_cast<uint16_t>(service_action), code_known);

	return row && row->length == cdb.size() ? row : nullptr;
}

bool BlockEmulator::enabled(const Opcode &opcode) const
{
	return !(opcode.flags & Opcode::thin) || store_->traits().discards;
}

void BlockEmulator::decode(Job &job) const
{
	const Opcode &row = *job.opcode;

	job.lba = job.cdb.be(row.lba.at, row.lba.width);
	job.blocks = job.cdb.be(row.count.at, row.count.width);
	if (row.length == 6) {
		/* READ(6), WRITE(6): 21 bits of LBA, and 0 stands for 256 blocks. */
		job.lba &= 0x1fffff;
		if (job.blocks == 0 && row.count.width)
			job.blocks = 256;
	}
	job.length = job.blocks * config_.block_size;
}

/** REPORT SUPPORTED OPERATION CODES (SPC-4 6.35). */
void BlockEmulator::report_opcodes(Job &job)
{
	unsigned option = job.cdb.u8(2) & 0x07;
	bool timeouts = job.cdb.u8(2) & report_timeouts;

	if (option == 0)
		report_all(job, timeouts);
	else if (option <= 3)
		report_one(job, option, timeouts);
	else
		fail(job, sense::invalid_field_in_cdb);
}

namespace {

/** Command timeouts descriptor (SPC-4 6.35.4): none recommended. */
template <class Data> void put_timeouts(Data &data)
{
	data.put(0x000a, 2);
	data.zeroes(10);
}

} // namespace

void BlockEmulator::report_all(Job &job, bool timeouts)
{
	DataIn data;

	data.put(0, 4);
	for (const Opcode &row : opcodes()) {
		bool action = row.service_action != Opcode::no_service_action;

		if (!enabled(row))
			continue;
		data.put(row.code, 1);
		data.zeroes(1);
		data.put(action ? row.service_action : 0, 2);
		data.zeroes(1);
		data.put((timeouts ? 0x02 : 0) | (action ? 0x01 : 0), 1);
		data.put(row.length, 2);
		if (timeouts)
			put_timeouts(data);
	}
	data.set(0, data.size() - 4, 4);
	finish_data_in(job, data, job.cdb.be(6, 4));
}

void BlockEmulator::report_one(Job &job, unsigned option, bool timeouts)
{
	auto code = job.cdb.u8(3);
	auto action = static_cast<uint16_t>(job.cdb.be(4, 2));
	bool code_known;
	const Opcode *row = find(code, action, code_known);
	const Opcode *any = row;
	DataIn data;

	for (const Opcode &other : opcodes())
		if (!any && other.code == code)
			any = &other;
	bool has_actions = any && any->service_action != Opcode::no_service_action;
	/* 1: the opcode alone; 2: with a service action; 3: either, as it is. */
	if (any && ((option == 1 && has_actions) || (option == 2 && !has_actions)))
		return fail(job, sense::invalid_field_in_cdb);
	if (row && option == 3 && !has_actions && action != 0)
		row = nullptr;
	bool supported = row && enabled(*row);
	data.zeroes(1);
	data.put((timeouts && supported ? 0x80 : 0) | (supported ? 0x03 : 0x01), 1);
	data.put(supported ? row->length : 0, 2);
	if (supported) {
		data.append(std::span(row->usage).first(row->length));
		if (timeouts)
			put_timeouts(data);
	}
	finish_data_in(job, data, job.cdb.be(6, 4));
}

} // namespace tcmu
