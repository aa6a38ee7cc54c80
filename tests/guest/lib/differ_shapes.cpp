// SPDX-License-Identifier: GPL-2.0
#include "differ_shapes.hpp"

#include <algorithm>

#include "named_blocks.hpp"

namespace lio::test {

namespace {

using enum Payload;

constexpr uint8_t rw_options = 0x18, verify_options = 0x16, same_options = 0x09;

/// Commands with LBA and number of blocks.
constexpr DifferShape range(uint8_t opcode, uint8_t length, Payload payload, uint8_t options, uint8_t weight,
			    int service_action = -1)
{
	return {opcode, service_action, length, payload, 0, 0, options, weight, true};
}

constexpr DifferShape sized(uint8_t opcode, uint8_t length, Payload payload, uint8_t at, uint8_t width,
			    uint8_t options, uint8_t weight = 2, int service_action = -1)
{
	return {opcode, service_action, length, payload, at, width, options, weight, false};
}

constexpr DifferShape plain(uint8_t opcode, uint8_t length, uint8_t options = 0, uint8_t weight = 1)
{
	return {opcode, -1, length, none, 0, 0, options, weight, false};
}

constexpr DifferShape shapes[] = {
	plain(0x00, 6),
	plain(0x01, 6),
	sized(0x03, 6, in_alloc, 4, 1, 0x01),
	plain(0x04, 6, 0xf8),
	range(0x08, 6, in_blocks, 0, 4),
	range(0x0a, 6, out_blocks, 0, 4),
	sized(0x12, 6, in_alloc, 3, 2, 0x01, 6),
	sized(0x15, 6, out_list, 4, 1, 0x11, 4),
	plain(0x16, 6),
	plain(0x17, 6),
	sized(0x1a, 6, in_alloc, 4, 1, 0x08, 5),
	plain(0x1b, 6, 0x01, 2),
	sized(0x1c, 6, in_alloc, 3, 2, 0x01, 1),
	sized(0x1d, 6, out_list, 3, 2, 0xf7, 1),
	plain(0x1e, 6),
	sized(0x25, 10, in_fixed, 8, 0, 0),
	range(0x28, 10, in_blocks, rw_options, 6),
	range(0x2a, 10, out_blocks, rw_options, 6),
	range(0x2b, 10, none, 0, 1),
	range(0x2e, 10, out_blocks, verify_options, 3),
	range(0x2f, 10, out_bytchk, verify_options, 3),
	range(0x34, 10, none, 0x02, 1),
	range(0x35, 10, none, 0x02, 2),
	sized(0x37, 10, in_alloc, 7, 2, 0, 1),
	sized(0x3b, 10, out_list, 6, 3, 0x1f, 2),
	sized(0x3c, 10, in_alloc, 6, 3, 0x1f, 2),
	range(0x41, 10, out_one, same_options, 3),
	sized(0x42, 10, out_list, 7, 2, 0x01, 3),
	plain(0x48, 10, 0x1f),
	sized(0x4d, 10, in_alloc, 7, 2, 0x01, 2),
	range(0x53, 10, out_blocks, rw_options, 1),
	sized(0x55, 10, out_list, 7, 2, 0x11, 4),
	plain(0x56, 10),
	plain(0x57, 10),
	sized(0x5a, 10, in_alloc, 7, 2, 0x18, 5),
	sized(0x5e, 10, in_alloc, 7, 2, 0x03, 1),
	sized(0x5f, 10, out_list, 5, 4, 0x07, 1),
	range(0x7f, 32, in_blocks, rw_options, 4, 0x09),
	range(0x7f, 32, out_blocks, rw_options, 4, 0x0b),
	range(0x7f, 32, out_one, same_options, 2, 0x0d),
	sized(0x83, 16, out_list, 10, 4, 0x1f, 1),
	sized(0x84, 16, in_alloc, 10, 4, 0x1f, 1),
	range(0x88, 16, in_blocks, rw_options, 6),
	range(0x89, 16, out_two, rw_options, 5),
	range(0x8a, 16, out_blocks, rw_options, 6),
	range(0x8b, 16, out_blocks, rw_options, 2),
	range(0x8e, 16, out_blocks, verify_options, 3),
	range(0x8f, 16, out_bytchk, verify_options, 3),
	range(0x90, 16, none, 0x02, 1),
	range(0x91, 16, none, 0x02, 2),
	range(0x93, 16, out_one, same_options, 3),
	range(0x9c, 16, out_blocks, rw_options, 1),
	sized(0x9e, 16, in_alloc, 10, 4, 0, 2, 0x10),
	{0x9e, 0x12, 16, in_alloc, 10, 4, 0, 2, true},
	sized(0xa0, 12, in_alloc, 6, 4, 0, 3),
	sized(0xa3, 12, in_alloc, 6, 4, 0xe0, 1, 0x0a),
	sized(0xa3, 12, in_alloc, 6, 4, 0, 2, 0x0c),
	sized(0xa3, 12, in_alloc, 6, 4, 0, 1, 0x0d),
	sized(0xa4, 12, out_list, 6, 4, 0, 1, 0x0a),
	range(0xa8, 12, in_blocks, rw_options, 4),
	range(0xaa, 12, out_blocks, rw_options, 4),
	range(0xae, 12, out_blocks, verify_options, 1),
	range(0xaf, 12, out_bytchk, verify_options, 1),
	sized(0xb7, 12, in_alloc, 6, 4, 0, 1),
};

} // namespace

std::span<const DifferShape> differ_shapes()
{
	return shapes;
}

const DifferShape *differ_shape_of(std::span<const uint8_t> cdb)
{
	int action = tcmu::test::service_action(cdb);
	auto s = std::ranges::find_if(shapes, [&](const DifferShape &shape) {
		return shape.opcode == cdb[0] && (shape.service_action < 0 || shape.service_action == action);
	});
	return s == std::end(shapes) ? nullptr : &*s;
}

uint64_t differ_size_of(const DifferShape *shape, std::span<const uint8_t> cdb, uint64_t block_size)
{
	uint64_t count = tcmu::test::cdb_range(cdb).count;
	uint8_t bytchk = uint8_t(tcmu::test::be_field(cdb, 1, 1) >> 1 & 3);
	switch (shape ? shape->payload : none) {
	case none:
		return 0;
	case in_fixed:
		return shape->at;
	case in_alloc:
	case out_list:
		return tcmu::test::be_field(cdb, shape->at, shape->width);
	case out_one:
		return tcmu::test::be_field(cdb, cdb[0] == 0x7f ? 10 : 1, 1) & 1 ? 0 : block_size;
	case out_bytchk:
		return (bytchk == 0 ? 0 : bytchk == 3 ? std::min<uint64_t>(count, 1) : count) * block_size;
	case out_two:
		return 2 * count * block_size;
	default:
		return count * block_size;
	}
}

} // namespace lio::test
