// SPDX-License-Identifier: GPL-2.0
// SCSI commands through /dev/sgN (or a block device): one at a time, many at once, resets.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "cdb.hpp"
#include "clock.hpp"
#include "file.hpp"
#include "result.hpp"
#include "sense.hpp"

namespace lio::test {

// SAM status codes.
enum class ScsiStatus : uint8_t {
	good = 0x00,
	check_condition = 0x02,
	condition_met = 0x04,
	busy = 0x08,
	reservation_conflict = 0x18,
	task_set_full = 0x28,
	aca_active = 0x30,
	task_aborted = 0x40,
};

/// Where a command's data goes; the memory belongs to the caller.
struct Data {
	enum class Direction { none, in, out, both } direction = Direction::none;
	std::span<uint8_t> buffer;
	static Data none() { return {}; }
	static Data in(std::span<uint8_t> b) { return {Direction::in, b}; }
	static Data out(std::span<const uint8_t> b)
	{
		// SG_IO only reads it: the ioctl's structure has one pointer for both ways.
		return {Direction::out, {const_cast<uint8_t *>(b.data()), b.size()}};
	}
};

struct ScsiReply {
	ScsiStatus status = ScsiStatus::good;
	uint16_t host_status = 0; ///< DID_* of the midlayer
	uint16_t driver_status = 0; ///< DRIVER_*
	int32_t residual = 0; ///< bytes not moved (negative: overflow)
	uint32_t duration_ms = 0;
	std::optional<Sense> sense;
	std::vector<uint8_t> raw_sense;

	bool good() const { return status == ScsiStatus::good && !host_status && !(driver_status & ~0x08); }
	/// Key/ASC/ASCQ, 0 without sense.
	uint32_t kcq() const { return sense ? sense->kcq() : 0; }
	std::string str() const;
};

std::ostream &operator<<(std::ostream &os, const ScsiReply &r);

inline constexpr milliseconds sg_timeout = seconds(60);

class SgDevice {
	Fd fd_;
	std::string path_;

public:
	/// @flags as of open(2); O_RDWR is needed for everything but harmless commands.
	static Result<SgDevice> open(const std::string &path, int flags = 02 /* O_RDWR */);
	const std::string &path() const { return path_; }
	int fd() const { return fd_.get(); }

	/// Send and wait. An Error means that the ioctl failed; SCSI errors are in the reply.
	Result<ScsiReply> execute(const Cdb &cdb, Data data = {}, milliseconds timeout = sg_timeout);
	/// As execute(), where any unit attention is taken away first by repeating (at most 8 times).
	Result<ScsiReply> execute_past_ua(const Cdb &cdb, Data data = {}, milliseconds timeout = sg_timeout);
	/// As execute(), where anything but GOOD is an Error too.
	Status execute_good(const Cdb &cdb, Data data = {}, milliseconds timeout = sg_timeout);
	/// A data-in command of @alloc bytes that must be GOOD: what it returned, without the residual.
	Result<std::vector<uint8_t>> fetch(const Cdb &cdb, size_t alloc);

	enum class Reset { device = 1, bus = 2, host = 3, target = 4 };
	/// SG_SCSI_RESET; @escalate lets the midlayer try the next bigger one.
	Status reset(Reset what, bool escalate = false);

private:
	SgDevice(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
};

/// Commands in flight through sg's write/read interface. Replies come in any order.
/// (Destroying it with commands in flight is fine: sg drops their results.)
class SgQueue {
	struct Slot;
	Fd fd_;
	std::string path_;
	int next_id_ = 1;
	std::map<int, std::vector<uint8_t>> buffers_;
	std::map<int, Data> data_;

public:
	static Result<SgQueue> open(const std::string &path);
	/// Send without waiting; gives the id that the reply will carry. sg refuses more than 16
	/// commands per open file with EDOM: open several queues for more.
	Result<int> submit(const Cdb &cdb, Data data = {}, milliseconds timeout = sg_timeout);
	struct Done {
		int id;
		ScsiReply reply;
	};
	/// The next reply, or ETIMEDOUT.
	Result<Done> reap(milliseconds limit);
	size_t in_flight() const { return data_.size(); }

private:
	SgQueue(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
};

struct Capacity {
	uint64_t blocks = 0;
	uint32_t block_size = 0;
};
Result<Capacity> read_capacity(SgDevice &dev);

} // namespace lio::test
