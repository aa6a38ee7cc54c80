// SPDX-License-Identifier: GPL-2.0
#include "expect.hpp"

#include <algorithm>

#include "shim.h"

extern "C" {
#include <scsi/scsi_proto.h>
}

namespace lio::unit {

namespace {

/// SAM-5, table 43.
bool is_status(u8 status)
{
	static constexpr u8 known[] = {0x00, 0x02, 0x04, 0x08, 0x18, 0x28, 0x30, 0x40};
	return std::find(std::begin(known), std::end(known), status) != std::end(known);
}

} // namespace

void expect(Command &c, const Answer &a)
{
	Outcome must{.status = SAM_STAT_CHECK_CONDITION};
	c.expected_data = 0;
	bool has_length = (a.uflags & tcmu::abi::uflag_read_length) && c.spec.direction == DMA_FROM_DEVICE;
	if ((a.uflags & tcmu::abi::uflag_unknown_op) || !is_status(a.status)) {
		must.reason = TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE;
	} else {
		must.status = a.status;
		if (a.status == SAM_STAT_CHECK_CONDITION)
			must.sense_byte = a.sense_byte;
		if (has_length)
			must.length = std::min(a.read_len, c.spec.length);
		if (a.status == SAM_STAT_GOOD || has_length)
			c.expected_data = c.spec.bidi_length ? c.spec.bidi_length : must.length.value_or(c.spec.length);
		if (!c.spec.bidi_length && c.spec.direction != DMA_FROM_DEVICE)
			c.expected_data = 0;
	}
	c.expected = must;
}

namespace {

/* That much came and no more. */
void check_data(const Command &c, int64_t expected)
{
	int64_t incoming = c.incoming();
	shim_assert(incoming >= expected);
	/* The first byte that must be untouched may be one that the pattern has, too. */
	while (incoming > expected)
		shim_assert(pattern(c.id, u32(--incoming), true) == untouched);
}

} // namespace

void check_outcome(const Command &c, const Outcome &is)
{
	if (!c.expected) {
		/* A result is earned. */
		shim_assert(is.status != SAM_STAT_GOOD);
		check_data(c, 0);
		return;
	}
	shim_assert(is.status == c.expected->status);
	shim_assert(is.reason == c.expected->reason);
	shim_assert(is.length == c.expected->length);
	shim_assert(is.sense_byte == c.expected->sense_byte);
	check_data(c, c.expected_data);
}

} // namespace lio::unit
