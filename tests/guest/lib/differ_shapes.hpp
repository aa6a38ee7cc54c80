// SPDX-License-Identifier: GPL-2.0
// What commands look like to an initiator that wants them to be accepted (SPC-4, SBC-4): the start
// of the differential test's variations.
#pragma once

#include <cstdint>
#include <span>

namespace lio::test {

enum class Payload : uint8_t {
	none,
	in_alloc, ///< up to the allocation length at @at
	in_fixed, ///< @at bytes
	in_blocks,
	out_blocks,
	out_two, ///< as many blocks again to compare with
	out_one, ///< one block whatever the number
	out_bytchk, ///< as BYTCHK says
	out_list, ///< of the length at @at
};

struct DifferShape {
	uint8_t opcode;
	int service_action; ///< negative: none
	uint8_t length;
	Payload payload;
	uint8_t at = 0, width = 0;
	uint8_t options = 0; ///< bits of byte 1 (10 of 32-byte CDBs) that may be set
	uint8_t weight = 1;
	bool range = false; ///< has LBA and number of blocks
};

std::span<const DifferShape> differ_shapes();
/// That of a CDB; nullptr: none.
const DifferShape *differ_shape_of(std::span<const uint8_t> cdb);
/// Bytes that @cdb transfers when it is accepted; @shape may be nullptr.
uint64_t differ_size_of(const DifferShape *shape, std::span<const uint8_t> cdb, uint64_t block_size);

} // namespace lio::test
