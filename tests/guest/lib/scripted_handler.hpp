// SPDX-License-Identifier: GPL-2.0
// A TCMU handler that does exactly what a test tells it, and the LUN it serves. Written on
// <linux/target_core_user.h> alone, so that it shares no misunderstanding with handlers/.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backstore.hpp"
#include "loopback.hpp"
#include "sg.hpp"
#include "tcmu_uapi.hpp"

namespace lio::test {

/// An entry of the command ring as it was when it was fetched.
struct RingEntry {
	uint32_t pos = 0, len = 0;
	tcmu_opcode op = TCMU_OP_PAD;
	uint16_t id = 0;
	uint8_t kflags = 0, uflags = 0;
	uint64_t cdb_off = 0;
	uint32_t dif_cnt = 0;
	std::vector<iovec> iov, bidi; ///< iov_base is an offset into the shared memory
	std::vector<uint8_t> cdb;
	uint8_t tmr_type = 0;
	std::vector<uint16_t> tmr_ids;

	uint8_t opcode() const { return cdb.empty() ? 0xff : cdb[0]; }
	uint64_t data_len() const;
};

struct RingAnswer {
	uint8_t status = 0; ///< SAM status, or any other byte
	std::vector<uint8_t> sense{}; ///< at most TCMU_SENSE_BUFFERSIZE; the rest is zeroed
	uint8_t uflags = 0;
	uint32_t read_len = 0;
};

/// Fixed format sense data (SPC-5 4.5.3).
std::vector<uint8_t> fixed_sense(SenseKey key, uint8_t asc, uint8_t ascq);

class ScriptedHandler {
	std::string node_;
	Fd fd_;
	uint8_t *map_ = nullptr;
	size_t size_ = 0;
	uint32_t next_ = 0; ///< where the next entry to be fetched lies
	std::deque<RingEntry> held_; ///< fetched, tail not moved over them
	unsigned pads_ = 0;

public:
	/// Opens and maps the UIO device of a backstore; goes on where its tail is.
	static Result<ScriptedHandler> open(const std::string &backstore_name);
	static Result<ScriptedHandler> open_node(const std::string &node);
	ScriptedHandler(ScriptedHandler &&o) noexcept;
	ScriptedHandler &operator=(ScriptedHandler &&o) noexcept;
	~ScriptedHandler() { close(); }

	const std::string &node() const { return node_; }
	int fd() const { return fd_.get(); }
	std::string sysfs() const { return "/sys/class/uio/" + node_.substr(node_.rfind('/') + 1); }
	size_t size() const { return size_; }
	uint8_t *map() const { return map_; }
	volatile tcmu_mailbox &mailbox() const { return *reinterpret_cast<tcmu_mailbox *>(map_); }
	uint32_t head() const;
	void set_tail(uint32_t tail) const;
	unsigned pads() const { return pads_; }
	size_t held() const { return held_.size(); }

	/// The next entry but PADs; waits for the kernel's doorbell. ETIMEDOUT after @limit.
	Result<RingEntry> fetch(milliseconds limit = seconds(20));
	/// The same, but answers by itself what a SCSI midlayer asks a device when it looks for it
	/// and while it recovers it (INQUIRY, TEST UNIT READY, REQUEST SENSE).
	Result<RingEntry> next(milliseconds limit = seconds(20));
	/// Answer housekeeping for as long as @limit says; what else comes is returned by next() later.
	Status serve_for(milliseconds limit);

	/// Write an answer where the oldest entry lies that was not passed, and pass it. Any fetched
	/// command may be answered: answers go out of order when that is not the oldest.
	void answer(const RingEntry &entry, const RingAnswer &answer = {});
	/// Tell the kernel.
	Status kick();
	Status finish(const RingEntry &entry, const RingAnswer &a = {})
	{
		answer(entry, a);
		return kick();
	}
	/// The oldest entry's answer with a cmd_id of the test's choice.
	void answer_as(uint16_t id, const RingAnswer &answer = {});
	/// Pass TMR and PAD entries at the tail.
	void pass_notices();
	/// reset_ring was called: forget what was fetched.
	void restart();

	/// The bytes that a command's iovecs name; nothing when they lie outside the data area.
	std::optional<std::vector<uint8_t>> gather(const std::vector<iovec> &iov) const;
	bool scatter(const std::vector<iovec> &iov, std::span<const uint8_t> data) const;

	tcmu_cmd_entry *entry_at(uint32_t pos) const;
	void unmap();
	void close();

private:
	ScriptedHandler(std::string node, Fd fd, uint8_t *map, size_t size)
		: node_(std::move(node)), fd_(std::move(fd)), map_(map), size_(size) {}
	RingEntry copy_entry(uint32_t pos) const;
	void pass_oldest();
	bool is_housekeeping(const RingEntry &entry) const;
	Status keep_house(const RingEntry &entry);
	std::optional<std::vector<uint8_t>> house_data(const RingEntry &entry) const;
	std::deque<RingEntry> postponed_; ///< by serve_for(), for next()
};

/// Settings of a scripted LUN.
struct RingSpec {
	std::string name = "ring";
	uint64_t bytes = 64 << 20;
	std::vector<std::string> control{};
	std::vector<std::pair<std::string, std::string>> attribs{{"cmd_time_out", "30"}};
};
BackstoreSpec ring_backstore(const RingSpec &spec);

/// A user backstore with a scripted handler, on LUN 0 of a loopback target. It says that it is a
/// processor device, so that no sd driver sends commands of its own.
struct RingLun {
	Backstore backstore;
	LoopTarget target;
	std::optional<LoopLun> lun;
	std::optional<ScriptedHandler> handler;
	std::string sg;

	static Result<RingLun> create(const RingSpec &spec = {});
	/// Attach the LUN while the handler answers the midlayer's scan.
	Status attach();
	Status detach();

	/// Send without waiting; the answers are reaped by id over as many sg files as it takes.
	Result<int> send(const Cdb &cdb, Data data = {}, milliseconds timeout = sg_timeout);
	/// The reply to one that was sent. While it is waited for the handler keeps house.
	Result<ScsiReply> reap(int id, milliseconds limit = seconds(20));
	/// Send through /dev/bsg and wait. It maps the caller's pages: the scatter list has an entry a
	/// page, and whoever writes to the command's pages afterwards writes to the caller's buffer.
	Result<ScsiReply> execute_mapped(const Cdb &cdb, Data data, milliseconds timeout = sg_timeout) const;
	/// True if the reply to @id comes within @limit.
	bool ends(int id, milliseconds limit);

private:
	RingLun(Backstore b, LoopTarget t, ScriptedHandler h)
		: backstore(std::move(b)), target(std::move(t)), handler(std::move(h)) {}
	struct Sent {
		size_t queue;
		int id;
	};
	std::vector<SgQueue> queues_;
	std::map<int, Sent> sent_;
	std::map<int, ScsiReply> replies_;
	int last_ = 0;
	Status poll_replies();
};

} // namespace lio::test
