// SPDX-License-Identifier: GPL-2.0
// A userspace handler as a test plays it: everything it knows comes from the shared memory. It
// never believes what it reads further than it can see, since another may have scribbled there.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "device.hpp"

namespace lio::unit {

struct Answer {
	u8 status = 0;
	u8 uflags = 0;
	u32 read_len = 0;
	u8 sense_byte = 0x70; // all bytes of the sense data
};

/// Of the shared memory: offsets instead of addresses.
struct IovecView {
	u64 offset;
	u64 length;
};

/// A command that the handler has taken off the ring and not answered.
struct Request {
	u16 tag;
	CdbView cdb;
	std::vector<IovecView> iovs; // the data buffer's, then the bidirectional one's
	u32 nr_data_iovs;
};

class Handler {
public:
	explicit Handler(Device &device) : device_(device) {}

	/// A new handler after reset_ring.
	void restart();
	/// Takes all new entries off the ring. False if one makes no sense.
	bool take();
	const std::deque<Request> &requests() const { return requests_; }
	size_t nr_tmrs() const { return nr_tmrs_; }

	/// Answers the @index-th request in the oldest entry that has none, whichever that is, and
	/// moves the tail behind it. The doorbell is the caller's.
	void answer(size_t index, const Answer &answer);
	/// Moves the tail behind entries that want no answer. True if it moved.
	bool skip();

	/// Is the outgoing data of the request its pattern?
	bool data_is_right(const Request &request);
	/// Writes the pattern to all of the incoming buffer.
	void fill_data(const Request &request);

private:
	struct Passed {
		u32 pos;
		u32 len;
		bool is_command;
	};

	Device &device_;
	u32 tail_ = 0;	   // of the mailbox
	u32 next_ = 0;	   // first entry not taken yet
	size_t nr_tmrs_ = 0;
	std::deque<Passed> passed_; // between tail_ and next_
	std::deque<Request> requests_;

	std::optional<Request> parse(u32 pos, u32 len);
	void move_tail();
	/// Calls @f(byte, offset) for each byte of a buffer; false if one faults or there are too few.
	template <typename F> bool for_each_byte(const Request &r, bool bidi, u32 length, F f);
};

} // namespace lio::unit
