// SPDX-License-Identifier: GPL-2.0
// What is there now, to be compared with what was there before.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "result.hpp"

namespace lio::test {

struct Snapshot {
	uint64_t free_pages = 0; ///< after sync and drop_caches
	std::map<std::string, uint64_t> slabs; ///< active objects by cache
	std::set<std::string> names; ///< paths in configfs's target tree, uio, /dev, SCSI hosts, modules
};

/// Syncs, drops caches and looks.
Result<Snapshot> take_snapshot();

struct LeakLimits {
	/// Growth that single allocations elsewhere explain; all growth per cycle is judged by the
	/// caller, who lets enough cycles pass for a leak to be bigger than this.
	uint64_t slab_objects = 400;
	uint64_t pages = 1024;
};

/// What @after has more than @before beyond @limits, one line each; names must be the same.
std::vector<std::string> find_leaks(const Snapshot &before, const Snapshot &after, const LeakLimits &limits);

} // namespace lio::test
