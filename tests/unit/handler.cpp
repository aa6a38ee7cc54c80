// SPDX-License-Identifier: GPL-2.0
#include "handler.hpp"

#include <algorithm>
#include <cstring>

namespace lio::unit {

namespace abi = tcmu::abi;

namespace {

/// More iovecs than the data areas of tests have slots.
constexpr u32 max_iovs = 4096;

template <typename T> T read(const u8 *at)
{
	T value;
	memcpy(&value, at, sizeof(value));
	return value;
}

} // namespace

void Handler::restart()
{
	tail_ = next_ = 0;
	passed_.clear();
	requests_.clear();
}

bool Handler::take()
{
	u32 head = __atomic_load_n(&device_.mailbox()->cmd_head, __ATOMIC_ACQUIRE);
	u32 size = device_.dev.ring.size, walked = 0;
	while (next_ != head) {
		/* More than all of it: the head was scribbled over, and is at no entry's end. */
		if (next_ > size - sizeof(abi::EntryHeader) || walked > size)
			return false;
		auto header = read<abi::EntryHeader>(device_.ring_at(next_));
		u32 len = header.len_op & ~abi::op_mask, op = header.len_op & abi::op_mask;
		if (len < sizeof(header) || len > size - next_ || op > abi::op_task_management)
			return false;
		if (op == abi::op_command) {
			auto request = parse(next_, len);
			if (!request)
				return false;
			requests_.push_back(std::move(*request));
		}
		nr_tmrs_ += op == abi::op_task_management;
		passed_.push_back({next_, len, op == abi::op_command});
		next_ = (next_ + len) % size;
		walked += len;
	}
	return true;
}

std::optional<Request> Handler::parse(u32 pos, u32 len)
{
	const u8 *entry = device_.ring_at(pos);
	if (len < abi::min_command_length)
		return {};
	auto request = read<abi::Request>(entry);
	u64 nr_iovs = u64(request.iov_cnt) + request.iov_bidi_cnt;
	u64 cdb_off = request.cdb_off - sizeof(abi::Mailbox) - pos;
	if (nr_iovs > max_iovs || sizeof(abi::Request) + nr_iovs * sizeof(IovecView) > cdb_off ||
	    cdb_off < abi::min_command_length || cdb_off > len || request.header.kflags || request.header.uflags)
		return {};
	auto cdb = CdbView::parse(entry + cdb_off, len - cdb_off);
	if (!cdb)
		return {};
	Request r{request.header.cmd_id, *cdb, {}, request.iov_cnt};
	for (u64 i = 0; i < nr_iovs; i++)
		r.iovs.push_back(read<IovecView>(entry + sizeof(abi::Request) + i * sizeof(IovecView)));
	return r;
}

void Handler::answer(size_t index, const Answer &answer)
{
	skip();
	abi::Response response{};
	u8 *entry = device_.ring_at(passed_.front().pos);
	memcpy(&response.header, entry, sizeof(response.header));
	response.header.cmd_id = requests_[index].tag;
	response.header.uflags = answer.uflags;
	response.scsi_status = answer.status;
	response.read_len = answer.read_len;
	memset(response.sense_buffer, answer.sense_byte, sizeof(response.sense_buffer));
	memcpy(entry, &response, sizeof(response));
	requests_.erase(requests_.begin() + static_cast<ptrdiff_t>(index));
	move_tail();
	skip();
}

bool Handler::skip()
{
	bool moved = false;
	while (!passed_.empty() && !passed_.front().is_command) {
		move_tail();
		moved = true;
	}
	return moved;
}

void Handler::move_tail()
{
	tail_ = (tail_ + passed_.front().len) % device_.dev.ring.size;
	passed_.pop_front();
	__atomic_store_n(&device_.mailbox()->cmd_tail, tail_, __ATOMIC_RELEASE);
}

template <typename F> bool Handler::for_each_byte(const Request &r, bool bidi, u32 length, F f)
{
	u32 done = 0;
	size_t i = bidi ? r.nr_data_iovs : 0, end = bidi ? r.iovs.size() : r.nr_data_iovs;
	for (; i < end; i++)
		for (u64 at = 0; at < r.iovs[i].length;) {
			auto here = device_.data_at(r.iovs[i].offset + at);
			here = here.first(std::min<u64>(here.size(), r.iovs[i].length - at));
			if (here.empty() || here.size() > length - done)
				return false;
			for (u8 &byte : here)
				if (!f(byte, done++))
					return false;
			at += here.size();
		}
	return done == length;
}

bool Handler::data_is_right(const Request &r)
{
	bool outgoing = r.cdb.direction == DMA_TO_DEVICE;
	return for_each_byte(r, false, r.cdb.length, [&](u8 &byte, u32 offset) {
		return !outgoing || byte == pattern(r.cdb.id, offset, false);
	});
}

void Handler::fill_data(const Request &r)
{
	bool bidi = r.cdb.bidi_length;
	if (!bidi && r.cdb.direction != DMA_FROM_DEVICE)
		return;
	for_each_byte(r, bidi, bidi ? r.cdb.bidi_length : r.cdb.length, [&](u8 &byte, u32 offset) {
		byte = pattern(r.cdb.id, offset, true);
		return true;
	});
}

} // namespace lio::unit
