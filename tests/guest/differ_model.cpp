// SPDX-License-Identifier: GPL-2.0
#include "differ_model.hpp"

#include <algorithm>

#include "named_blocks.hpp"
#include "pattern.hpp"

namespace lio::test {

namespace {

const Expectation good = {{"GOOD"}, {}}, invalid_field = {{"5/24/00"}, {}}, out_of_range = {{"5/21/00"}, {}},
		  miscompare = {{"e/1d/00"}, {}}, wrong_length = {{"5/1a/00"}, {}}, invalid_list = {{"5/26/00"}, {}},
		  wrong_sequence = {{"5/2c/00"}, {}};

Expectation returns(std::vector<uint8_t> data)
{
	return {{"GOOD"}, std::move(data)};
}

enum Mode : uint8_t { mode_data = 0x02, mode_descriptor = 0x03, mode_echo = 0x0a, mode_echo_descriptor = 0x0b };

uint8_t bytchk_of(const DifferCommand &c)
{
	return c.cdb[1] >> 1 & 3;
}

} // namespace

/// A command of the model.
struct DifferModel::Op {
	enum class Size : uint8_t { none, in, out, in_blocks, blocks, two, bytchk };
	uint8_t opcode;
	int service_action;
	Size size;
	uint8_t at, width; ///< of the length, unless that is blocks
	uint8_t cached; ///< bits of byte 1 for devices with a cache
	uint8_t protect; ///< bits of byte 1 for devices with protection information
	Expectation (DifferModel::*execute)(const DifferCommand &);
};

const DifferModel::Op *DifferModel::find(const DifferCommand &c)
{
	using enum Op::Size;
	static const Op ops[] = {
		{0x1c, -1, in, 3, 2, 0, 0, &DifferModel::receive_diagnostic},
		{0x1d, -1, out, 3, 2, 0, 0, &DifferModel::send_diagnostic},
		{0x2b, -1, none, 0, 0, 0, 0, &DifferModel::nothing},
		{0x2e, -1, blocks, 0, 0, 0x10, 0xe0, &DifferModel::write_verify},
		{0x2f, -1, bytchk, 0, 0, 0x10, 0xe0, &DifferModel::verify},
		{0x34, -1, none, 0, 0, 0, 0, &DifferModel::nothing},
		{0x37, -1, in, 7, 2, 0, 0, &DifferModel::defects},
		{0x3b, -1, out, 6, 3, 0, 0, &DifferModel::write_buffer},
		{0x3c, -1, in, 6, 3, 0, 0, &DifferModel::read_buffer},
		{0x4d, -1, in, 7, 2, 0, 0, &DifferModel::log_sense},
		{0x7f, 0x09, in_blocks, 0, 0, 0x18, 0xe0, &DifferModel::read},
		{0x7f, 0x0b, blocks, 0, 0, 0x18, 0xe0, &DifferModel::write},
		{0x89, -1, two, 0, 0, 0x18, 0xe0, &DifferModel::compare_and_write},
		{0x8b, -1, blocks, 0, 0, 0x18, 0xe0, &DifferModel::or_write},
		{0x8e, -1, blocks, 0, 0, 0x10, 0xe0, &DifferModel::write_verify},
		{0x8f, -1, bytchk, 0, 0, 0x10, 0xe0, &DifferModel::verify},
		{0x90, -1, none, 0, 0, 0, 0, &DifferModel::nothing},
		{0x9c, -1, blocks, 0, 0, 0x18, 0xe0, &DifferModel::write},
		{0x9e, 0x12, in, 10, 4, 0, 0, &DifferModel::lba_status},
		{0xa3, 0x0d, in, 6, 4, 0, 0, &DifferModel::functions},
		{0xae, -1, blocks, 0, 0, 0x10, 0xe0, &DifferModel::write_verify},
		{0xaf, -1, bytchk, 0, 0, 0x10, 0xe0, &DifferModel::verify},
		{0xb7, -1, in, 6, 4, 0, 0, &DifferModel::defects},
	};
	auto op = std::ranges::find_if(ops, [&](const Op &o) {
		return o.opcode == c.cdb[0] &&
		       (o.service_action < 0 || o.service_action == tcmu::test::service_action(c.bytes()));
	});
	return op == std::end(ops) ? nullptr : op;
}

bool DifferModel::knows(const DifferCommand &c)
{
	return find(c);
}

std::vector<uint8_t> DifferModel::block(uint64_t lba) const
{
	auto b = blocks_.find(lba);
	return b != blocks_.end() ? b->second : pattern(geometry_.block_size, lba * geometry_.block_size);
}

std::vector<uint64_t> DifferModel::changed() const
{
	std::vector<uint64_t> lbas;
	for (const auto &[lba, bytes] : blocks_)
		if (bytes != pattern(geometry_.block_size, lba * geometry_.block_size))
			lbas.push_back(lba);
	return lbas;
}

/// A range of no blocks may begin behind the last one (SBC-4 5.1).
bool DifferModel::on_medium(const DifferCommand &c) const
{
	auto range = tcmu::test::cdb_range(c.bytes());
	return range.first <= geometry_.blocks && range.count <= geometry_.blocks - range.first;
}

void DifferModel::fit(DifferCommand &c) const
{
	const Op *op = find(c);
	uint64_t bytes = 0;
	if (!op)
		return;
	switch (op->size) {
	case Op::Size::none:
		break;
	case Op::Size::in:
	case Op::Size::out:
		bytes = std::min<uint64_t>(tcmu::test::be_field(c.bytes(), op->at, op->width), 64 << 10);
		break;
	default:
		bytes = std::min<uint64_t>(tcmu::test::cdb_range(c.bytes()).count, 128) * geometry_.block_size;
		if (op->size == Op::Size::two)
			bytes *= 2;
		if (op->size == Op::Size::bytchk && bytchk_of(c) != 1)
			bytes = bytchk_of(c) == 3 ? std::min<uint64_t>(bytes, geometry_.block_size) : 0;
		break;
	}
	c.length = uint32_t(bytes);
	bool in = op->size == Op::Size::in || op->size == Op::Size::in_blocks;
	c.direction = !bytes ? Data::Direction::none : in ? Data::Direction::in : Data::Direction::out;
	c.out.resize(c.direction == Data::Direction::out ? bytes : 0);
}

Expectation DifferModel::execute(const DifferCommand &c, std::span<const uint8_t> usage)
{
	const Op *op = find(c);
	uint8_t options = c.cdb[c.cdb[0] == 0x7f ? 10 : 1];
	if (!op || outside_usage(c.cdb, usage) || options & op->protect || (!cache_ && options & op->cached))
		return invalid_field;
	if (c.cdb[0] == 0x7f && c.cdb[7] != 24) // ADDITIONAL CDB LENGTH
		return invalid_field;
	// More than fit() gives: what is written or compared must all be there.
	if (op->size >= Op::Size::blocks && c.length < c.wants && on_medium(c))
		return {{"5/0e/03", "5/24/00"}, {}};
	return (this->*op->execute)(c);
}

/// PRE-FETCH and SEEK: no block is touched.
Expectation DifferModel::nothing(const DifferCommand &c)
{
	if (c.cdb[0] == 0x2b) // SEEK has no number of blocks
		return tcmu::test::cdb_range(c.bytes()).first <= geometry_.blocks ? good : out_of_range;
	return on_medium(c) ? good : out_of_range;
}

Expectation DifferModel::or_write(const DifferCommand &c)
{
	if (!on_medium(c))
		return out_of_range;
	auto range = tcmu::test::cdb_range(c.bytes());
	for (uint64_t i = 0; i < range.count; i++) {
		auto old = block(range.first + i);
		for (size_t at = 0; at < old.size(); at++)
			old[at] |= c.out[i * old.size() + at];
		blocks_[range.first + i] = std::move(old);
	}
	return good;
}

void DifferModel::put_blocks(uint64_t lba, std::span<const uint8_t> data)
{
	for (size_t at = 0; at < data.size(); at += geometry_.block_size, lba++) {
		auto block = data.subspan(at, geometry_.block_size);
		blocks_[lba].assign(block.begin(), block.end());
	}
}

bool DifferModel::holds(uint64_t lba, std::span<const uint8_t> data) const
{
	for (size_t at = 0; at < data.size(); at += geometry_.block_size, lba++)
		if (!std::ranges::equal(block(lba), data.subspan(at, geometry_.block_size)))
			return false;
	return true;
}

Expectation DifferModel::read(const DifferCommand &c)
{
	if (!on_medium(c))
		return out_of_range;
	auto range = tcmu::test::cdb_range(c.bytes());
	std::vector<uint8_t> data;
	for (uint64_t i = 0; i < range.count; i++)
		std::ranges::copy(block(range.first + i), std::back_inserter(data));
	return returns(std::move(data));
}

Expectation DifferModel::write(const DifferCommand &c)
{
	if (!on_medium(c))
		return out_of_range;
	put_blocks(tcmu::test::cdb_range(c.bytes()).first, c.out);
	return good;
}

Expectation DifferModel::write_verify(const DifferCommand &c)
{
	if (on_medium(c) && bytchk_of(c) > 1)
		return invalid_field;
	return write(c);
}

Expectation DifferModel::compare_and_write(const DifferCommand &c)
{
	if (!on_medium(c))
		return out_of_range;
	uint64_t lba = tcmu::test::cdb_range(c.bytes()).first;
	std::span<const uint8_t> data(c.out);
	if (!holds(lba, data.first(data.size() / 2)))
		return miscompare;
	put_blocks(lba, data.subspan(data.size() / 2));
	return good;
}

Expectation DifferModel::verify(const DifferCommand &c)
{
	if (!on_medium(c))
		return out_of_range;
	if (bytchk_of(c) == 2)
		return invalid_field;
	auto range = tcmu::test::cdb_range(c.bytes());
	if (bytchk_of(c) == 1)
		return holds(range.first, c.out) ? good : miscompare;
	for (uint64_t i = 0; bytchk_of(c) && i < range.count; i++)
		if (!holds(range.first + i, c.out))
			return miscompare;
	return good;
}

/// There is one page: that of the pages that there are.
Expectation DifferModel::log_sense(const DifferCommand &c)
{
	bool save = c.cdb[1] & 1;
	uint8_t page = c.cdb[2] & 0x3f, subpage = c.cdb[3];
	uint64_t pointer = tcmu::test::be_field(c.bytes(), 5, 2);
	if (save || page || pointer || (subpage && subpage != 0xff))
		return invalid_field;
	if (subpage)
		return returns({0x40, 0xff, 0, 4, 0, 0, 0, 0xff});
	return returns({0, 0, 0, 1, 0});
}

Expectation DifferModel::write_buffer(const DifferCommand &c)
{
	uint64_t offset = tcmu::test::be_field(c.bytes(), 3, 3), length = tcmu::test::be_field(c.bytes(), 6, 3);
	bool echo = c.cdb[1] == mode_echo;
	if (!echo && (c.cdb[1] != mode_data || c.cdb[2] || offset + length > buffer_.size()))
		return invalid_field;
	if (length > echo_.size())
		return invalid_field;
	std::copy_n(c.out.begin(), length, echo ? echo_.begin() : buffer_.begin() + long(offset));
	if (echo)
		echo_length_ = length;
	return good;
}

Expectation DifferModel::read_buffer(const DifferCommand &c)
{
	uint64_t offset = tcmu::test::be_field(c.bytes(), 3, 3);
	switch (c.cdb[1]) {
	case mode_data:
		if (c.cdb[2] || offset > buffer_.size())
			return invalid_field;
		return returns({buffer_.begin() + long(offset), buffer_.end()});
	case mode_descriptor:
		return returns(c.cdb[2] ? std::vector<uint8_t>{0, 0, 0, 0} : std::vector<uint8_t>{0, 0, 2, 0});
	case mode_echo:
		if (!echo_length_)
			return wrong_sequence;
		return returns({echo_.begin(), echo_.begin() + long(echo_length_)});
	case mode_echo_descriptor:
		return returns({0, 0, 2, 0});
	default:
		return invalid_field;
	}
}

/// The default self-test, or the page that asks for nothing.
Expectation DifferModel::send_diagnostic(const DifferCommand &c)
{
	bool self_test = c.cdb[1] & 0x04, page_format = c.cdb[1] & 0x10;
	if (c.cdb[1] & 0xe0 || (c.length && (self_test || !page_format)))
		return invalid_field;
	if (!c.length)
		return good;
	if (c.length < 4)
		return wrong_length;
	bool empty = std::all_of(c.out.begin(), c.out.begin() + 4, [](uint8_t b) { return !b; });
	return empty && c.length == 4 ? good : invalid_list;
}

Expectation DifferModel::receive_diagnostic(const DifferCommand &c)
{
	return c.cdb[2] ? invalid_field : returns({0, 0, 0, 1, 0});
}

/// No defects.
Expectation DifferModel::defects(const DifferCommand &c)
{
	std::vector<uint8_t> header(c.cdb[0] == 0x37 ? 4 : 8);
	header[1] = c.cdb[c.cdb[0] == 0x37 ? 2 : 1] & 0x1f;
	return returns(std::move(header));
}

Expectation DifferModel::lba_status(const DifferCommand &c)
{
	return tcmu::test::cdb_range(c.bytes()).first < geometry_.blocks ? good : out_of_range;
}

Expectation DifferModel::functions(const DifferCommand &)
{
	return good;
}

} // namespace lio::test
