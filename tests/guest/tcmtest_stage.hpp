// SPDX-License-Identifier: GPL-2.0
// A LUN that two initiators see: what most tests with the test fabric share.
#pragma once

#include <string>
#include <vector>

#include "tcm_test.hpp"

namespace lio::test {

inline const std::string initiator_a = "iqn.2026-01.org.x:a", initiator_b = "iqn.2026-01.org.x:b";

/// A fresh name of a target.
std::string fresh_wwn();

/// Members are undone from the last to the first: nexuses, port, backstore.
struct TestStage {
	Backstore store;
	TestPort port;
	TestInitiator io;
	uint32_t a, b; ///< nexuses of both initiators, without unit attentions

	static constexpr uint64_t bytes = 8 << 20;
	/// A ramdisk as LUN 0 of a port with an ACL for each.
	static Result<TestStage> create(std::vector<std::pair<std::string, std::string>> attribs = {});
	/// Whatever happens, all that was submitted has been released, once each.
	Status logout();
};

/// The values of attrib/submit_type that there are, as attributes for create(): direct and, where
/// the kernel has a choice, through the core's queue.
std::vector<std::vector<std::pair<std::string, std::string>>> submit_types();

/// From now on this thread submits on one processor: the core's queues are one each, in order.
void stay_on_one_cpu();

bool core_is_ours();

} // namespace lio::test
