// SPDX-License-Identifier: GPL-2.0
// What a disk promised to keep: the commands of a workload, when each was sent and answered, and what
// every block may hold after any of these moments. Pure logic.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lio::test {

/// Who wrote a block of 512 bytes: the command, and which blocks it wrote with the same data.
struct BlockStamp {
	uint64_t generation = 0, lba = 0, blocks = 1;

	bool operator==(const BlockStamp &) const = default;
	/// Both were written to one block of the disk, wherever that is on the medium.
	bool same_place(const BlockStamp &o) const { return lba < o.lba + o.blocks && o.lba < lba + blocks; }
};

inline constexpr size_t stamped_bytes = 512;
/// Fill a block with what only this stamp has, in every 8 bytes of it.
void put_stamp(std::span<uint8_t> block, const BlockStamp &stamp);
/// The stamp at the block's head, whatever follows.
std::optional<BlockStamp> peek_stamp(std::span<const uint8_t> block);
/// The stamp of a block that is whole.
std::optional<BlockStamp> read_stamp(std::span<const uint8_t> block);

struct DiskCommand {
	enum class Kind { write, same, unmap, sync } kind = Kind::write;
	uint64_t lba = 0;
	uint64_t blocks = 0; ///< of a sync 0: all
	bool fua = false;
};

/// Commands and their moments. Commands that are in flight together do not overlap, so that each block
/// sees its commands in the order in which they were sent.
class Workload {
public:
	static constexpr uint64_t never = UINT64_MAX;
	struct Record {
		DiskCommand command;
		uint64_t sent, answered = never; ///< numbers of moments
		bool good = false;
	};
	struct Moment {
		uint64_t generation;
		bool answer;
	};

	/// @cached: the disk has a volatile cache, so that only FUA and SYNCHRONIZE CACHE promise.
	Workload(uint64_t blocks, bool cached) : blocks_(blocks), cached_(cached) {}
	/// The generation of the command that is sent now.
	uint64_t send(const DiskCommand &command);
	void answer(uint64_t generation, bool good);

	uint64_t blocks() const { return blocks_; }
	bool cached() const { return cached_; }
	const Record &of(uint64_t generation) const { return records_[generation - 1]; }
	const std::vector<Moment> &moments() const { return moments_; }
	/// It had been sent when the first @moments were over.
	bool sent_by(uint64_t generation, uint64_t moments) const;
	size_t failed() const;

private:
	uint64_t blocks_;
	bool cached_;
	std::vector<Record> records_;
	std::vector<Moment> moments_;
};

/// What each block may hold after the first moments of a workload.
class Promise {
	const Workload &workload_;
	size_t moments_ = 0;
	/// Generations, 0 for the zeroes of the beginning; what is promised at least comes first.
	std::vector<std::vector<uint64_t>> may_hold_;
	std::vector<uint64_t> unkept_; ///< writes answered with GOOD and not promised
	uint64_t kept_ = 0;

public:
	explicit Promise(const Workload &workload) : workload_(workload), may_hold_(workload.blocks(), {0}) {}
	/// Go on to the time after @moments.
	void advance(size_t moments);
	/// Writes that are promised by now.
	uint64_t kept() const { return kept_; }
	struct Broken {
		uint64_t lba;
		std::string what;
	};
	/// What is wrong with the first block of @disk that is, if any.
	std::optional<Broken> broken(std::span<const uint8_t> disk) const;

private:
	void sent(uint64_t generation);
	void answered(uint64_t generation);
	void synchronized(const Workload::Record &sync);
	void settle(uint64_t lba, uint64_t generation);
	void keep_range(const DiskCommand &range, uint64_t before);
	bool holds(uint64_t lba, std::span<const uint8_t> block, uint64_t generation) const;
	std::string describe(uint64_t lba, std::span<const uint8_t> block) const;
};

} // namespace lio::test
