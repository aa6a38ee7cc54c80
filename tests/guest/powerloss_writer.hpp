// SPDX-License-Identifier: GPL-2.0
// Random commands that change a disk, several at a time, with a mark in the log at each moment.
#pragma once

#include <map>
#include <random>
#include <vector>

#include "durability.hpp"
#include "powerloss_stage.hpp"

namespace lio::test {

class PowerWriter {
	struct Flight {
		uint64_t generation;
		std::vector<uint8_t> data;
	};
	SgQueue queue_;
	LogMarker marker_;
	Workload &workload_;
	std::mt19937_64 random_;
	std::map<int, Flight> flights_;

public:
	static Result<PowerWriter> create(const PowerStage &stage, Workload &workload);
	/// Send @commands and wait for all answers.
	Status run(uint64_t commands);

private:
	PowerWriter(SgQueue queue, LogMarker marker, Workload &workload);
	DiskCommand draw();
	DiskCommand draw_range(DiskCommand::Kind kind);
	bool overlaps(const DiskCommand &command) const;
	Status send(const DiskCommand &command);
	Status reap();
	Status mark() const { return marker_.mark(mark_text_now()); }
	std::string mark_text_now() const;
	Cdb cdb_of(const DiskCommand &command);
};

/// Does it have a volatile cache (WCE of the caching mode page)?
Result<bool> has_write_cache(SgDevice &sg);

} // namespace lio::test
