// SPDX-License-Identifier: GPL-2.0
#include "leak_rounds.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "gtest_result.hpp"
#include "leak_probe.hpp"

namespace lio::test {

namespace {

/// Where a growth would be.
void print_memory(const Snapshot &s)
{
	for (const char *name : {"MemFree", "AnonPages", "Cached", "Buffers", "Slab", "SReclaimable", "Percpu", "VmallocUsed",
				 "KernelStack", "PageTables"})
		printf("%s %lu kB  ", name, s.meminfo.count(name) ? s.meminfo.at(name) : 0);
	printf("processors' free pages %lu kB\n", s.processors_free_kb);
}

void look(std::vector<Snapshot> &snapshots)
{
	ASSERT_OK_AND_ASSIGN(Snapshot now, take_snapshot());
	print_memory(now);
	snapshots.push_back(std::move(now));
	for (const auto &change : changed_names(snapshots.front(), snapshots.back()))
		ADD_FAILURE() << change;
}

} // namespace

void expect_no_growth(unsigned warm_up, uint64_t half, const std::function<void()> &round)
{
	std::vector<Snapshot> snapshots;
	for (uint64_t i = 0; i <= warm_up + 2 * half; i++) {
		SCOPED_TRACE(i);
		if (i >= warm_up && (i - warm_up) % half == 0) {
			ASSERT_NO_FATAL_FAILURE(look(snapshots));
		}
		if (i < warm_up + 2 * half) {
			ASSERT_NO_FATAL_FAILURE(round());
		}
	}
	LeakLimits limits;
	limits.slab_objects = std::max<uint64_t>(limits.slab_objects, half / 2);
	for (const auto &growth : find_growth(snapshots[0], snapshots[1], snapshots[2], limits))
		ADD_FAILURE() << growth;
}

} // namespace lio::test
