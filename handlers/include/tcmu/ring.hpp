// SPDX-License-Identifier: MIT
/** @file
 * The command ring of a TCMU device (abi.hpp).
 */
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <tcmu/abi.hpp>
#include <tcmu/cdb.hpp>
#include <tcmu/iov_arena.hpp>
#include <tcmu/reply.hpp>
#include <tcmu/result.hpp>
#include <tcmu/segments.hpp>

namespace tcmu {

class Ring;

/**
 * A SCSI command taken from the ring. It lives in a slot that exists for as
 * long as the ring does; the handler owns it from Ring::fetch() until it calls
 * complete(), once. CDB and scatter list are private copies: with out-of-order
 * completion the answers of other commands overwrite this one's ring entry.
 */
class Command {
public:
	Cdb cdb() const { return Cdb({cdb_.data(), cdb_length_}); }
	/** The data buffer: data-out or data-in, as the CDB has it. */
	Segments data() const { return {{list_, data_count_}, data_bytes_}; }
	/** The data-in buffer of a bidirectional command. */
	Segments bidi() const { return {{list_ + data_count_, bidi_count_}, bidi_bytes_}; }
	/** The kernel's cmd_id, as task management entries name it. */
	uint16_t id() const { return id_; }
	/** Index in [0, Ring::depth()), for per-command state of the handler. */
	uint32_t slot() const { return slot_; }

	/**
	 * Answer. Only on the thread that serves the ring; other threads use
	 * Device::post(). The command must not be used afterwards.
	 */
	void complete(const Reply &reply);

private:
	friend class Ring;

	Ring *ring_ = nullptr;
	iovec *list_ = nullptr;
	uint32_t slot_ = 0;
	uint32_t data_count_ = 0;
	uint32_t bidi_count_ = 0;
	uint32_t generation_ = 0;
	size_t data_bytes_ = 0;
	size_t bidi_bytes_ = 0;
	uint16_t id_ = 0;
	uint16_t cdb_length_ = 0;
	/** In-order rings only: answered, waiting for its turn. */
	bool answered_ = false;
	Reply reply_;
	/** Most lists fit here and need nothing from the arena. */
	std::array<iovec, 4> inline_list_{};
	std::array<uint8_t, max_cdb_length> cdb_{};
};

/** A task management notification: these commands were aborted. */
struct TaskManagement {
	/** abi::tmr_… */
	uint8_t type = 0;
	/** Their cmd_ids; valid until the next Ring::fetch(). */
	std::span<const uint16_t> ids;
};

/** What Ring::fetch() found. */
struct Fetched {
	enum class Kind {
		/** The ring is empty: publish, then wait for the kernel. */
		none,
		command,
		task_management,
		/** There is more, but no slot or list storage until a command completes. */
		no_room,
		/** The ring makes no sense; nothing more can be read from it. */
		broken,
	};
	Kind kind = Kind::none;
	Command *command = nullptr;
	TaskManagement task_management{};
	/** Why the ring is broken. */
	const char *reason = nullptr;
};

/** Counters of a ring, for logs and tests. */
struct RingCounters {
	uint64_t commands = 0;
	uint64_t pads = 0;
	uint64_t task_management = 0;
	uint64_t unknown_entries = 0;
	/** Entries whose scatter list or CDB lay outside; answered with sense. */
	uint64_t malformed = 0;
	/** Times the kernel reset the ring below us. */
	uint64_t resets = 0;
};

/**
 * Walks the command ring and writes the answers. Not thread safe: one thread
 * serves a ring. The kernel is trusted to mean well, yet every offset and
 * length is read once and checked before it is used, so that a second process
 * on the same device, or a kernel bug, ends in an error and not in a wild
 * access.
 *
 * Positions: the kernel adds at cmd_head. fetch() moves a private cursor
 * towards it. Answers are written into the entry at the private tail, which
 * the cursor has passed, and become visible to the kernel when publish()
 * stores the tail to cmd_tail.
 */
class Ring {
public:
	/** How much storage the ring gets. */
	struct Options {
		/** Commands the handler holds at a time; more stay in the ring. */
		uint32_t depth = 256;
		/** Iovecs of all these commands together. */
		size_t list_capacity = 65536;
	};

	/** Take over the ring in @p map, beginning at its cmd_tail. */
	static Result<std::unique_ptr<Ring>> attach(std::span<std::byte> map, const Options &options);

	Ring(const Ring &) = delete;
	Ring &operator=(const Ring &) = delete;

	/** The next entry that is of interest to a handler. */
	Fetched fetch();
	/** See Command::complete(). */
	void complete(Command &command, const Reply &reply);
	/**
	 * Let the kernel see the answers given since the last call. True when
	 * there were any: the doorbell must be rung.
	 */
	bool publish();

	/** Mailbox flags, abi::cap_…. */
	bool has(uint16_t flag) const { return flags_ & flag; }
	uint32_t depth() const { return static_cast<uint32_t>(slots_.size()); }
	/** The command in slot @p index. */
	Command &slot(uint32_t index) { return slots_[index]; }
	/** Commands that were fetched and not yet completed. */
	uint32_t in_flight() const { return in_flight_; }
	/** Whether the kernel's head is where fetch() has already been. */
	bool empty();
	const RingCounters &counters() const { return counters_; }

private:
	/** An entry's header, read once and checked against the ring. */
	struct Entry {
		std::byte *at;
		uint32_t length;
		uint8_t op;
		uint16_t id;
	};
	enum class Take { taken, answered, no_room, duplicate };

	Ring(std::span<std::byte> map, const abi::Mailbox &seen, const Options &options);

	uint32_t load(const uint32_t *field) const;
	bool refresh_head(Fetched &result);
	void resync(uint32_t tail);
	bool entry_at(uint32_t position, uint32_t limit, Entry &entry) const;
	uint32_t after(uint32_t position, uint32_t length) const;
	Take take(const Entry &entry, Command *&taken);
	bool copy_list(const Entry &entry, Command &command, uint32_t count);
	bool copy_cdb(const Entry &entry, Command &command);
	bool reserve_list(Command &command, uint32_t count);
	bool read_task_management(const Entry &entry, TaskManagement &out);
	void free_slot(Command &command);
	void answer(Command &command, const Reply &reply);
	void write_answer(const Command &command, const Reply &reply);
	bool skip_to_command(Entry &entry);

	std::span<std::byte> map_;
	abi::Mailbox *mailbox_;
	std::byte *ring_;
	uint32_t size_;
	uint16_t flags_;
	/** Next entry to fetch, next entry to answer, and the last cmd_tail stored. */
	uint32_t cursor_ = 0;
	uint32_t tail_ = 0;
	uint32_t published_ = 0;
	/** cmd_head as last read. */
	uint32_t head_ = 0;
	uint32_t in_flight_ = 0;
	uint32_t generation_ = 0;
	bool broken_ = false;

	std::vector<Command> slots_;
	std::vector<uint32_t> free_slots_;
	IovArena arena_;
	/** Which cmd_ids are in flight. */
	std::vector<bool> ids_;
	std::vector<uint16_t> aborted_;
	/** In-order rings: slots in ring order, a circular queue. */
	std::vector<uint32_t> order_;
	uint32_t order_head_ = 0;
	uint32_t order_count_ = 0;
	RingCounters counters_;
};

} // namespace tcmu
