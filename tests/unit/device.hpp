// SPDX-License-Identifier: GPL-2.0
// A TCMU device on the host: the module's own files, with the target core around them played by
// this one. The core frees a command and its buffers as soon as it is completed, so that ASan
// finds whoever touches them later.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_set>
#include <vector>

#include <tcmu/abi.hpp>

extern "C" {
#include "tcmu.h"

#include <linux/pagemap.h>
}

namespace lio::unit {

class Device;

struct CommandSpec {
	dma_data_direction direction = DMA_NONE;
	u32 length = 0;      // of the data buffer
	u32 bidi_length = 0; // of the second, incoming one
	u32 pieces = 1;      // scatter list entries of each
	u32 cdb_length = 32; // at least min_cdb: all of the above is written into the CDB
};

/// CDBs are vendor specific ones of variable length that describe themselves.
inline constexpr u32 min_cdb = 28;
inline constexpr u32 max_cdb = 260;

/// What a handler can know of a command.
struct CdbView {
	u64 id;
	u32 length;
	u32 bidi_length;
	u8 direction;

	/// Nothing if @cdb of @size bytes is not one that describes itself.
	static std::optional<CdbView> parse(const u8 *cdb, size_t size);
};

/// The byte at @offset of the data of command @id; the two directions have different ones.
u8 pattern(u64 id, u32 offset, bool to_initiator);

/// What incoming buffers are full of before.
inline constexpr u8 untouched = 0xee;

/// How the core was told of a command's end.
struct Outcome {
	u8 status = 0;
	sense_reason_t reason = TCM_NO_SENSE;
	std::optional<u32> length = {};
	std::optional<u8> sense_byte = {}; // all bytes of the handler's sense data
};

class Command {
public:
	se_cmd se{};
	Device &device;
	u64 id;
	CommandSpec spec;
	std::optional<u8> sense_byte;
	/// Any end is right: time passed, or the handler cheated.
	std::atomic<bool> excused = false;
	/// What the end must be, if not excused.
	std::optional<Outcome> expected;
	u32 expected_data = 0; // bytes of the incoming buffer that must be the pattern
	/// References: a task management function has its own. Under the device's mutex.
	u32 refs = 1;

	Command(Device &device, u64 id, const CommandSpec &spec);
	Command(const Command &) = delete;

	/// Bytes at the start of the incoming buffer that are the pattern; the rest must be
	/// untouched. -1 if it is neither.
	int64_t incoming() const;
	void free_buffers();

private:
	std::unique_ptr<u8[]> cdb_;
	std::vector<std::unique_ptr<page[]>> pages_;
	std::vector<scatterlist> sg_, bidi_sg_;

	std::vector<scatterlist> make_buffer(u32 length, bool incoming);
	void write_cdb();
};

struct DeviceConfig {
	u32 ring_size = 1024;
	u32 slots = 32; // of the data area
	u32 slot_pages = 1;
	u32 tags = 64; // a multiple of 64
};

class Device {
public:
	tcmu_dev dev{};
	/// Told of each command's end, before it is freed.
	std::function<void(Command &, const Outcome &)> on_completed;
	std::atomic<u64> nr_doorbells = 0;

	explicit Device(const DeviceConfig &config);
	/// All commands have ended, all kept buffers are freed.
	~Device();
	Device(const Device &) = delete;

	/// From the core: parse and execute; the command ends now or later.
	void submit(const CommandSpec &spec);
	/// A task management function on those of the live commands for which @aborts says so.
	void abort(tcm_tmreq_table function, const std::function<bool(const Command &)> &aborts);
	/// Time passes; the scan runs if it is due.
	void pass(unsigned long seconds);
	/// Ends all commands and gives back all that can be kept. The device stays usable.
	void quiesce();

	size_t nr_live();
	void for_each_live(const std::function<void(Command &)> &f);
	/// The live command with this tag if the handler owes it an answer, else nullptr.
	Command *posted(u16 tag) const;

	/// The shared memory as the handler has it mapped.
	tcmu::abi::Mailbox *mailbox() { return reinterpret_cast<tcmu::abi::Mailbox *>(shared_.get()); }
	u8 *ring_at(u32 pos) { return shared_.get() + sizeof(tcmu::abi::Mailbox) + pos; }
	u8 *shared() { return shared_.get(); }
	u32 shared_size() const { return config_.ring_size + u32(sizeof(tcmu::abi::Mailbox)); }
	/// The data area at an offset in the shared memory, up to the page's end; empty if it faults.
	std::span<u8> data_at(u64 offset);

	/// Nothing is in two places. @quiet: nobody is in the middle of anything, so that nothing is
	/// nowhere, either.
	void audit(bool quiet) const;
	/// The handler sleeps until the doorbell: it must have rung after the last change.
	void check_doorbell();

	void completed(Command &command, const Outcome &outcome); // for the core's functions
	void rang();						  // likewise

private:
	struct Free {
		void operator()(u8 *p) const { free(p); }
	};

	DeviceConfig config_;
	std::unique_ptr<u8, Free> shared_;
	address_space mapping_{};
	inode inode_{&mapping_};
	std::atomic<u64> next_id_ = 1;
	std::mutex mutex_; // the members below: tasks may be threads
	std::unordered_set<Command *> live_;
	u32 head_at_doorbell_ = 0;

	void put(Command *command);
	void audit_ring(bool quiet) const;
	void audit_tags(bool quiet) const;
	void audit_slots(bool quiet) const;
	void audit_live(bool quiet) const;
};

/// Pages of all devices: how many there are, may be, and whether reclaim was asked for.
struct Memory {
	static inline std::atomic<int64_t> charged;
	static inline std::atomic<int64_t> limit;
	static inline std::atomic<bool> reclaim_wanted;
};

} // namespace lio::unit
