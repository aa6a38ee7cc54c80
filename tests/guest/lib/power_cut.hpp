// SPDX-License-Identifier: GPL-2.0
// The device as a loss of power leaves it: everything that its log had as permanent, and of the rest
// what chance wants. Pure logic.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "durability.hpp"
#include "write_log.hpp"

namespace lio::test {

class PowerCut {
	const std::vector<LogEntry> &log_;
	const Workload &workload_;
	/// Blocks of the disk are those of the device, so that a write can be made at any time after
	/// its command was sent. (A file system may first have to free its place.)
	bool direct_;
	std::vector<uint8_t> permanent_;
	size_t position_ = 0;
	uint64_t moments_ = 0;
	std::vector<size_t> cached_; ///< entries before the position that no flush has covered

public:
	/// @device: what was there before the log; its marks are those of mark_text().
	PowerCut(std::vector<uint8_t> device, const std::vector<LogEntry> &log, const Workload &workload, bool direct)
		: log_(log), workload_(workload), direct_(direct), permanent_(std::move(device)) {}
	/// Go on to the time when the first @position entries were in the log.
	void advance(size_t position);
	/// Moments of the workload that were over by then.
	uint64_t moments() const { return moments_; }
	/// For a message: everything in the log that is about one block of the disk, and the flushes between.
	std::string story(uint64_t lba) const;
	/// Lose power: writes that no flush has covered are there as a whole, in part or not at all.
	std::vector<uint8_t> device(std::mt19937_64 &random) const;

private:
	std::set<uint64_t> places(uint64_t lba) const;
	void take(const LogEntry &entry, size_t index);
	bool began(const LogEntry &entry) const;
	bool may_be_early(const std::vector<uint8_t> &device, const LogEntry &entry) const;
	std::vector<size_t> possible(const std::vector<uint8_t> &device) const;
};

/// The mark that says that moment @n of the workload is over, and the way back.
std::string mark_text(uint64_t n);
std::optional<uint64_t> marked_moment(const LogEntry &entry);

} // namespace lio::test
