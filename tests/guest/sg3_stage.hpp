// SPDX-License-Identifier: GPL-2.0
// A small logical unit on a ramdisk, and all that it answers.
#pragma once

#include "decode.hpp"
#include "loopback.hpp"
#include "sg.hpp"

namespace lio::test {

inline constexpr uint64_t sg3_bytes = 8 << 20;

struct Sg3Unit {
	Backstore backstore;
	LoopTarget target;
	LoopLun lun;
	SgDevice sg;
	/// @thin: with everything switched on that can be.
	static Result<Sg3Unit> create(const std::string &wwn, bool thin);
};

/// Sends @cdb and decodes what comes; a refusal is an Error.
Status decode_reply(SgDevice &sg, const Cdb &cdb, decode::Facts &facts, decode::Findings &out);

/// As decode_reply(), where INVALID FIELD IN CDB is an answer, too.
Status decode_if_there(SgDevice &sg, const Cdb &cdb, decode::Facts &facts, decode::Findings &out);

/// Every answer that there is: all pages, all commands, in all forms.
Status survey(SgDevice &sg, decode::Facts &facts, decode::Findings &out);

/// The data of the conformance test of sg3-utils, in the guest.
inline constexpr const char *sg3_data = "/opt/lio/share/conformance/sg3/";

/// Of survey()'s @findings those that findings.json does not explain, and what it lists that was not found.
Result<decode::Findings> unexplained(const decode::Findings &findings);

} // namespace lio::test
