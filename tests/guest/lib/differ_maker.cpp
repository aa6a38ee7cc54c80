// SPDX-License-Identifier: GPL-2.0
#include "differ_maker.hpp"

#include <algorithm>

#include "differ_shapes.hpp"
#include "named_blocks.hpp"
#include "pattern.hpp"

namespace lio::test {

namespace {

/// No command of these moves more.
constexpr uint64_t most_data = 128 << 10;

/// Numbers for one command: no library's distribution, so that every machine draws the same.
class Draw {
	uint64_t state_;

public:
	explicit Draw(uint64_t seed) : state_(seed) {}
	uint64_t next() { return mix64(state_++ * 0x9e3779b97f4a7c15); }
	uint64_t below(uint64_t n) { return next() % n; }
	bool chance(unsigned one_in) { return below(one_in) == 0; }
	uint8_t byte() { return uint8_t(next() >> 24); }
	template <class T, size_t n> T of(const T (&from)[n]) { return from[below(n)]; }
};

const DifferShape &draw_shape(Draw &draw)
{
	static const unsigned total = [] {
		unsigned sum = 0;
		for (const DifferShape &s : differ_shapes())
			sum += s.weight;
		return sum;
	}();
	uint64_t at = draw.below(total);
	for (const DifferShape &s : differ_shapes()) {
		if (at < s.weight)
			return s;
		at -= s.weight;
	}
	return differ_shapes().front();
}

/// One command in the making.
class Shaping {
	Draw draw_;
	const DifferGeometry &geometry_;
	const DifferShape *shape_ = nullptr;
	DifferCommand c_;

public:
	Shaping(uint64_t seed, const DifferGeometry &geometry) : draw_(seed), geometry_(geometry) {}

	DifferCommand make();

private:
	void make_random();
	void make_shaped();
	void set_range();
	uint64_t draw_lba(uint64_t count);
	uint64_t draw_count();
	void set_selectors();
	void set_size();
	void set_options();
	void mutate();
	void set_direction();
	void set_data();
	void shape_list();
	void shape_unmap();
	void shape_mode_select();
};

Cdb make_cdb(std::span<const uint8_t> bytes)
{
	Cdb cdb(bytes.size());
	for (size_t i = 0; i < bytes.size(); i++)
		cdb[i] = bytes[i];
	return cdb;
}

/// By the GROUP CODE (SPC-4 4.2.5.1); vendors' as long as any.
size_t length_of(uint8_t opcode)
{
	constexpr size_t by_group[8] = {6, 10, 10, 32, 16, 12, 16, 10};
	return by_group[opcode >> 5];
}

void Shaping::make_random()
{
	uint8_t opcode = draw_.byte();
	c_.cdb = Cdb(draw_.chance(4) ? 6 + draw_.below(27) : length_of(opcode));
	bool sparse = !draw_.chance(3);
	for (size_t i = 1; i < c_.cdb.size(); i++)
		c_.cdb[i] = !sparse || draw_.chance(12) ? draw_.byte() : 0;
	c_.cdb[0] = opcode;
	if (opcode == 0x7f && c_.cdb.size() == 32 && !draw_.chance(4))
		c_.cdb.be(7, 3, 24 << 16 | draw_.below(16));
}

uint64_t Shaping::draw_count()
{
	if (draw_.chance(16))
		return draw_.below(2) ? 0 : draw_.next() >> draw_.below(64);
	return draw_.chance(8) ? draw_.below(24) : 1 + draw_.below(4);
}

uint64_t Shaping::draw_lba(uint64_t count)
{
	uint64_t room = std::min(count, geometry_.window_blocks());
	switch (draw_.below(16)) {
	case 0: // around the end
		return geometry_.blocks - room - 1 + draw_.below(3);
	case 1:
		return geometry_.blocks - draw_.below(2);
	case 2: // far off
		return draw_.chance(2) ? draw_.next() : draw_.next() >> 32;
	default:
		return geometry_.windows()[draw_.below(3)] + draw_.below(geometry_.window_blocks() - room + 1);
	}
}

void Shaping::set_range()
{
	auto f = tcmu::test::block_fields(c_.bytes());
	uint64_t count = draw_count();
	c_.cdb.be(f.lba_at, f.lba_width, draw_lba(count));
	if (f.lba_width == 3) // LBA of 21 bits
		c_.cdb[1] &= 0x1f;
	if (!shape_->width) // else the allocation length is there
		c_.cdb.be(f.count_at, f.count_width, count);
}

/// Pages, modes and reporting options: what a command asks for.
void Shaping::set_selectors()
{
	static constexpr uint8_t vpd[] = {0x00, 0x80, 0x83, 0x86, 0xb0, 0xb1, 0xb2, 0xb3, 0x00};
	static constexpr uint8_t modes[] = {0x01, 0x08, 0x0a, 0x1c, 0x3f, 0x3f, 0x08, 0x0a};
	static constexpr uint8_t buffers[] = {0x02, 0x03, 0x0a, 0x0b, 0x02, 0x0a, 0x00};
	uint8_t random = draw_.byte();

	switch (shape_->opcode) {
	case 0x12:
		c_.cdb[1] = draw_.chance(3) ? 0 : 1;
		c_.cdb[2] = c_.cdb[1] ? draw_.of(vpd) : 0;
		break;
	case 0x1a:
	case 0x5a:
		c_.cdb[2] = uint8_t(draw_.of(modes) | (draw_.chance(2) ? 0 : random & 0xc0));
		c_.cdb[3] = draw_.chance(12) ? (draw_.chance(2) ? 0xff : random) : 0;
		break;
	case 0x1b:
		c_.cdb[4] = draw_.chance(3) ? random & 0xf7 : random & 1;
		break;
	case 0x3b:
	case 0x3c:
		c_.cdb[1] = draw_.of(buffers);
		break;
	case 0x4d:
		c_.cdb[2] = uint8_t(draw_.of({uint8_t(0x40), uint8_t(0x4c), uint8_t(0x00), uint8_t(0x0d)}));
		c_.cdb[3] = draw_.chance(4) ? 0xff : 0;
		break;
	case 0xa0:
		c_.cdb[2] = draw_.chance(8) ? random : random % 3;
		break;
	case 0xa3:
		if (shape_->service_action == 0x0c) {
			c_.cdb[2] = uint8_t(random & 0x80) | uint8_t(draw_.below(5));
			c_.cdb[3] = draw_shape(draw_).opcode;
			c_.cdb[5] = uint8_t(draw_.of({0, 0x09, 0x0b, 0x0d, 0x10, 0x12, 0x0c}));
		} else {
			c_.cdb[2] = random & 0x80;
		}
		break;
	}
}

/// Allocation or parameter list length.
void Shaping::set_size()
{
	static constexpr uint64_t usual[] = {4, 8, 12, 24, 32, 36, 40, 64, 96, 252, 254, 255, 512};
	uint64_t size = draw_.of(usual);
	if (draw_.chance(6))
		size = draw_.chance(3) ? draw_.next() >> draw_.below(64) : draw_.below(64);
	if (shape_->payload == Payload::out_list)
		size = std::min<uint64_t>(size, 4096);
	if (shape_->width == 1)
		size = std::min<uint64_t>(size, 255);
	c_.cdb.be(shape_->at, shape_->width, size);
}

void Shaping::set_options()
{
	uint8_t &byte = c_.cdb[c_.cdb[0] == 0x7f ? 10 : 1];
	bool selected = c_.cdb[0] == 0x12 || c_.cdb[0] == 0x3b || c_.cdb[0] == 0x3c;
	if (!selected && !draw_.chance(3))
		byte |= draw_.byte() & shape_->options;
}

/// A bit or two that should not be there.
void Shaping::mutate()
{
	if (draw_.chance(40))
		c_.cdb[c_.cdb[0] == 0x7f ? 1 : c_.cdb.size() - 1] |= draw_.byte(); // CONTROL
	if (!draw_.chance(10))
		return;
	for (uint64_t n = 1 + draw_.below(2); n; n--)
		c_.cdb[1 + draw_.below(c_.cdb.size() - 1)] ^= uint8_t(1 << draw_.below(8));
}

void Shaping::make_shaped()
{
	shape_ = &draw_shape(draw_);
	c_.cdb = Cdb(shape_->length);
	c_.cdb[0] = shape_->opcode;
	if (shape_->opcode == 0x7f)
		c_.cdb.be(7, 3, uint64_t(shape_->length - 8) << 16 | uint64_t(shape_->service_action));
	else if (shape_->service_action >= 0)
		c_.cdb[1] = uint8_t(shape_->service_action);
	if (shape_->range)
		set_range();
	if (shape_->width)
		set_size();
	set_selectors();
	set_options();
	mutate();
}

void Shaping::set_direction()
{
	using enum Data::Direction;
	static constexpr Data::Direction ways[] = {none, in, out};
	uint64_t size = differ_size_of(shape_, c_.bytes(), geometry_.block_size);
	bool sends = shape_ && shape_->payload >= Payload::out_blocks;
	if (size > most_data)
		size = draw_.chance(2) ? 512 : geometry_.block_size;
	if (draw_.chance(12) || !shape_)
		size = draw_.chance(4) ? 0 : draw_.chance(2) ? draw_.below(8) * geometry_.block_size : draw_.below(600);
	else if (draw_.chance(16))
		size += draw_.chance(2) ? geometry_.block_size : draw_.below(32);
	c_.direction = !shape_ || draw_.chance(32) ? draw_.of(ways) : sends ? out : in;
	if (!size || c_.direction == none) {
		size = 0;
		c_.direction = none;
	}
	c_.length = uint32_t(size);
}

/// What is on the medium, for the commands that compare, or anything.
void Shaping::set_data()
{
	if (c_.direction != Data::Direction::out)
		return;
	c_.out.resize(c_.length);
	auto range = tcmu::test::cdb_range(c_.bytes());
	bool compares = shape_ && (shape_->payload == Payload::out_two || shape_->payload == Payload::out_bytchk);
	if (compares && range.first < geometry_.blocks && !draw_.chance(4)) {
		fill_pattern(c_.out, range.first * geometry_.block_size);
		if (draw_.chance(4))
			c_.out[draw_.below(c_.out.size())] ^= uint8_t(1 << draw_.below(8));
	} else if (draw_.chance(4)) {
		std::ranges::fill(c_.out, draw_.chance(2) ? uint8_t(0) : draw_.byte());
	} else {
		fill_pattern(c_.out, draw_.next() & ~7ull, 1);
	}
	if (shape_ && shape_->payload == Payload::out_list && !draw_.chance(6))
		shape_list();
}

void Shaping::shape_unmap()
{
	std::span<uint8_t> list(c_.out);
	if (list.size() < 8)
		return;
	put_be(list.subspan(0, 2), list.size() - 2);
	put_be(list.subspan(2, 2), (list.size() - 8) / 16 * 16);
	for (size_t at = 8; at + 16 <= list.size(); at += 16) {
		uint64_t count = draw_.below(6);
		put_be(list.subspan(at, 8), draw_lba(count));
		put_be(list.subspan(at + 8, 4), count);
	}
}

/// A header, perhaps a block descriptor, and a page that may be just what is there.
void Shaping::shape_mode_select()
{
	static constexpr uint8_t caching[20] = {0x08, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20};
	static constexpr uint8_t control[12] = {0x0a, 0x0a, 0x02, 0x10, 0, 0x40, 0, 0, 0xff, 0xff, 0, 30};
	bool ten = c_.cdb[0] == 0x55;
	std::vector<uint8_t> list(ten ? 8 : 4);
	if (draw_.chance(3)) {
		list[ten ? 7 : 3] = 8;
		std::vector<uint8_t> descriptor(8);
		put_be(std::span(descriptor).subspan(4, 4), draw_.chance(4) ? draw_.below(8192) : geometry_.block_size);
		list.insert(list.end(), descriptor.begin(), descriptor.end());
	}
	bool cache = draw_.chance(2);
	std::vector<uint8_t> page = cache ? std::vector<uint8_t>(std::begin(caching), std::end(caching))
					  : std::vector<uint8_t>(std::begin(control), std::end(control));
	if (draw_.chance(3))
		page[draw_.below(page.size())] ^= uint8_t(1 << draw_.below(8));
	list.insert(list.end(), page.begin(), page.end());
	if (draw_.chance(2)) {
		c_.out = list;
		c_.length = uint32_t(list.size());
		c_.cdb.be(ten ? 7 : 4, ten ? 2 : 1, list.size());
	} else {
		std::copy_n(list.begin(), std::min(list.size(), c_.out.size()), c_.out.begin());
	}
}

/// Parameter lists that are nearly right get further than others.
void Shaping::shape_list()
{
	switch (shape_->opcode) {
	case 0x15:
	case 0x55:
		shape_mode_select();
		break;
	case 0x42:
		shape_unmap();
		break;
	}
}

DifferCommand Shaping::make()
{
	if (draw_.chance(12))
		make_random();
	else
		make_shaped();
	if (draw_.chance(64) && c_.cdb.size() > 6)
		c_.cdb = make_cdb(c_.bytes().first(6 + draw_.below(c_.cdb.size() - 6)));
	set_direction();
	set_data();
	c_.cdb = make_cdb(c_.bytes()); // fields may have been written behind the end of a cut one
	return std::move(c_);
}

DifferCommand from_example(const DifferExample &e)
{
	DifferCommand c;
	c.cdb = make_cdb(e.cdb);
	c.direction = e.direction;
	c.length = e.length;
	if (e.direction == Data::Direction::out) {
		c.out = e.out;
		c.out.resize(e.length);
	}
	return c;
}

} // namespace

std::array<uint64_t, 3> DifferGeometry::windows() const
{
	return {0, blocks / 2, blocks - window_blocks()};
}

bool DifferGeometry::in_window(uint64_t lba) const
{
	return std::ranges::any_of(windows(), [&](uint64_t first) { return lba >= first && lba - first < window_blocks(); });
}

const char *direction_name(Data::Direction d)
{
	static constexpr const char *names[] = {"none", "in", "out", "both"};
	return names[int(d)];
}

std::string DifferCommand::str() const
{
	return "[" + cdb.hex() + "] " + direction_name(direction) + " " + std::to_string(length);
}

DifferCommand DifferMaker::make(uint64_t index) const
{
	DifferCommand c = index < examples_.size() ? from_example(examples_[index]) :
						     Shaping(mix64(seed_ ^ mix64(index)), geometry_).make();
	c.wants = differ_size_of(differ_shape_of(c.bytes()), c.bytes(), geometry_.block_size);
	c.blocks_bytes = tcmu::test::cdb_range(c.bytes()).count * geometry_.block_size;
	return c;
}

} // namespace lio::test
