// SPDX-License-Identifier: GPL-2.0
// One driver for all scenarios: the n-th allocation of a module fails, for n = 1, 2, 3 … until a
// scenario ends without a fault.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fault_injection.hpp"
#include "leak_probe.hpp"
#include "result.hpp"

namespace lio::test {

inline Status nothing_to_do()
{
	return {};
}

struct Scenario {
	std::string name;
	std::string module; ///< whose allocations fail
	/// What is tested. Its Error, if a fault was injected, is judged by fault_sites.json.
	std::function<Status()> act;
	/// Before and after each; no allocation fails here, so nothing else may either.
	std::function<Status()> prepare = nothing_to_do;
	std::function<Status()> restore = nothing_to_do;
	std::vector<FaultKind> kinds = {FaultKind::slab, FaultKind::page};
	/// Frames, from the failing allocation outwards, among which the module's must be.
	unsigned depth = 8;
	/// A function of the kernel whose allocations do not fail, because it has a defect there.
	std::string spared{};
	/// act() loads @module.
	bool loads = false;
	/// The same site @run times in a row is one of a loop: from there on the steps grow.
	unsigned run = 4;
};

void walk(const Scenario &scenario);

/// The modules are loaded; what a test leaves behind in configfs, sysfs or /dev fails it.
class FaultTest : public testing::Test {
	Snapshot before_;

protected:
	/// What a suite's tests need besides, before the look at what is there.
	virtual Status begin() { return {}; }
	void SetUp() override;
	void TearDown() override;
};

} // namespace lio::test
