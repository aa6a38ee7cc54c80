// SPDX-License-Identifier: GPL-2.0
// What a command ring must do, as a queue of entries with every byte of the ring accounted for.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

extern "C" {
#include "ring.h"
}

namespace lio::unit {

struct RingEntry {
	u32 pos;
	u32 len;
	u32 op;
	u32 seq;
	bool filled;

	/// Where the next one begins, in a ring of @size bytes.
	u32 end(u32 size) const { return (pos + len) % size; }
};

class RingModel {
	u32 size_;
	u32 capacity_;
	u32 head_ = 0, tail_ = 0;
	u32 next_seq_ = 0;
	size_t nr_published_ = 0;
	std::deque<RingEntry> entries_;
	std::vector<bool> busy_; // by 8 bytes

public:
	enum class Fit { yes, no, never };

	/// @capacity: the most entries that the ring promises to remember.
	RingModel(u32 size, u32 capacity) : size_(size), capacity_(capacity), busy_(size / 8) {}

	const std::deque<RingEntry> &entries() const { return entries_; }
	u32 head() const { return head_; }
	u32 tail() const { return tail_; }

	/// Entries that the handler may see.
	size_t nr_published() const { return nr_published_; }
	u32 published() const { return nr_published_ ? entries_[nr_published_ - 1].end(size_) : tail_; }

	u32 used() const
	{
		u32 n = 0;
		for (bool b : busy_)
			n += b ? 8 : 0;
		return n;
	}

	/// By looking at each byte, and leaving one gap so that a full ring is not an empty one.
	Fit fits(u32 len) const
	{
		if (2 * uint64_t(len) >= size_)
			return Fit::never;
		if (entries_.size() + 2 > capacity_)
			return Fit::no;
		u32 pos = start_of(len);
		if (pos != head_ && !range_is_free(head_, size_ - head_))
			return Fit::no;
		return range_is_free(pos, len) && end_of(pos, len) != tail_ ? Fit::yes : Fit::no;
	}

	/// Only after fits(). Returns the entry, preceded in entries() by its PAD if @padded.
	const RingEntry &reserve(u32 len, u32 op, bool &padded)
	{
		u32 pos = start_of(len);
		padded = pos != head_;
		if (padded)
			add({head_, size_ - head_, TCMU_OP_PAD, next_seq_++, true});
		add({pos, len, op, next_seq_++, false});
		return entries_.back();
	}

	/// Whoever fills an entry shows all that are filled in one piece from the oldest on.
	void fill(u32 seq)
	{
		for (RingEntry &e : entries_)
			if (e.seq == seq)
				e.filled = true;
		while (nr_published_ < entries_.size() && entries_[nr_published_].filled)
			nr_published_++;
	}

	/// How many entries end at or before @tail, -1 if it is no boundary of what is published.
	int boundary(u32 tail) const
	{
		if (tail == tail_)
			return 0;
		for (size_t i = 0; i < nr_published_; i++)
			if (entries_[i].end(size_) == tail)
				return static_cast<int>(i + 1);
		return -1;
	}

	RingEntry pop()
	{
		RingEntry e = entries_.front();
		entries_.pop_front();
		nr_published_--;
		mark(e, false);
		tail_ = e.end(size_);
		return e;
	}

	void reset() { *this = RingModel(size_, capacity_); }

private:
	u32 start_of(u32 len) const { return len > size_ - head_ ? 0 : head_; }
	u32 end_of(u32 pos, u32 len) const { return (pos + len) % size_; }

	bool range_is_free(u32 pos, u32 len) const
	{
		for (u32 i = pos / 8; i < (pos + len) / 8; i++)
			if (busy_[i])
				return false;
		return true;
	}

	void mark(const RingEntry &e, bool busy)
	{
		for (u32 i = e.pos / 8; i < (e.pos + e.len) / 8; i++)
			busy_[i] = busy;
	}

	void add(const RingEntry &e)
	{
		entries_.push_back(e);
		mark(e, true);
		head_ = e.end(size_);
	}
};

} // namespace lio::unit
