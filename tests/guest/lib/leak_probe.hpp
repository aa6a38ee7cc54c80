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
	std::map<std::string, uint64_t> meminfo; ///< kB, after sync and drop_caches
	uint64_t processors_free_kb; ///< free pages in the processors' own lists
	std::map<std::string, uint64_t> slabs; ///< active objects by cache
	std::set<std::string> names; ///< paths in configfs's target tree, uio, /dev, SCSI hosts, modules
};

/// Syncs, drops caches and looks.
Result<Snapshot> take_snapshot();

/// A snapshot's names alone, which is quick.
std::set<std::string> take_names();

/// Growth between two snapshots that is not called growth.
struct LeakLimits {
	uint64_t slab_objects = 60;
	uint64_t kernel_kb = 2048;
};

/// Names that were not there before, or no longer are.
std::vector<std::string> changed_names(const Snapshot &before, const Snapshot &after);

/// What grew beyond @limits between the first and the second snapshot and again between the
/// second and the third: a leak goes on growing, a cache that fills does not.
std::vector<std::string> find_growth(const Snapshot &first, const Snapshot &second, const Snapshot &third,
				     const LeakLimits &limits);

} // namespace lio::test
