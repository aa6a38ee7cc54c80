// SPDX-License-Identifier: GPL-2.0
// loopback/route.c against a decoder that shares no table with it: the structure of operation codes
// (SPC-4, 4.3.2) tells what is a READ or a WRITE, and SPC-4 what the target itself must answer.
#include <cstddef>
#include <cstring>

#include "fuzz_input.hpp"
#include "shim.h"

extern "C" {
#include "tcm_loop_route.h"
}

namespace {

/// READ and WRITE of blocks: command codes 08h and 0Ah of the groups with 6, 10, 12 and 16 byte
/// CDBs, and their variable length forms.
bool is_medium_access(const scsi_cmnd &sc)
{
	constexpr unsigned fixed_groups = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 5;
	unsigned group = sc.cmnd[0] >> 5, code = sc.cmnd[0] & 0x1f;
	if (fixed_groups >> group & 1)
		return code == 0x08 || code == 0x0a;
	return sc.cmnd[0] == 0x7f && sc.cmd_len >= 10 && !sc.cmnd[8] && (sc.cmnd[9] == 0x09 || sc.cmnd[9] == 0x0b);
}

/// What SPC-4 has on reservations, on target port groups, on the target's LUNs and on third-party
/// copies: never a handler's.
bool is_for_the_core(u8 opcode)
{
	switch (opcode) {
	case 0x16: case 0x17: case 0x56: case 0x57: // RESERVE, RELEASE
	case 0x5e: case 0x5f:			    // PERSISTENT RESERVE IN, OUT
	case 0xa0:				    // REPORT LUNS
	case 0xa3: case 0xa4:			    // MAINTENANCE IN, OUT
	case 0x83: case 0x84:			    // third-party copy OUT, IN
		return true;
	}
	return false;
}

bool may_wait(tcm_loop_backend backend, const scsi_cmnd &sc)
{
	if (backend == TCM_LOOP_BE_OTHER)
		return true;
	if (backend == TCM_LOOP_BE_USER)
		return is_for_the_core(sc.cmnd[0]);
	return !is_medium_access(sc);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz::Input in(data, size);
	u8 flags = in.byte();
	tcm_loop_link link{tcm_loop_backend(flags & 3)};
	tcm_loop_lun lun{flags & 4 ? nullptr : &link};
	bool may_sleep = flags & 8;
	scsi_cmnd sc{};
	auto cdb = in.bytes(sizeof(sc.cmnd));
	sc.cmd_len = static_cast<unsigned short>(std::max<size_t>(cdb.size(), 6));
	std::copy(cdb.begin(), cdb.end(), sc.cmnd);

	auto route = tcm_loop_route(&lun, &sc, may_sleep);
	bool waits = !lun.link || may_wait(link.backend, sc);
	shim_assert((route == TCM_LOOP_ROUTE_WORK) == waits);
	if (!waits)
		shim_assert((route == TCM_LOOP_ROUTE_DIRECT) == (may_sleep && link.backend != TCM_LOOP_BE_IBLOCK));
	shim_assert(tcm_loop_can_fence(&lun) ==
		    (lun.link && (link.backend == TCM_LOOP_BE_USER || link.backend == TCM_LOOP_BE_RAMDISK)));
	// What is behind the CDB's end is an earlier command's.
	memset(sc.cmnd + sc.cmd_len, in.byte(), sizeof(sc.cmnd) - sc.cmd_len);
	shim_assert(tcm_loop_route(&lun, &sc, may_sleep) == route);
	return 0;
}
