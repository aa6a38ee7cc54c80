// SPDX-License-Identifier: MIT
/** @file
 * The kernel's side of a ring, in plain memory.
 */
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include <tcmu/abi.hpp>

namespace tcmu::test {

/** Plays target_core_user: posts entries and reads answers, with checks of its own. */
class FakeRing {
public:
	static constexpr uint32_t ring_offset = 128;
	static constexpr uint16_t all_flags = abi::cap_out_of_order | abi::cap_read_length |
					      abi::cap_task_management | abi::cap_keep_buffer;

	/** An answer as it stands in the ring. */
	struct Answer {
		uint16_t id;
		uint8_t status;
		uint8_t uflags;
		uint32_t read_length;
		std::vector<uint8_t> sense;
	};

	explicit FakeRing(uint32_t ring_size = 8192, uint32_t data_size = 1 << 20,
			  uint16_t flags = all_flags)
		: size_(ring_size), data_(ring_offset + ring_size),
		  owned_((data_ + data_size + 7) / 8),
		  bytes_(reinterpret_cast<std::byte *>(owned_.data()), owned_.size() * 8)
	{
		initialize(ring_size, flags);
	}
	/** In memory that another mapping shows as well. */
	FakeRing(std::span<std::byte> memory, uint32_t ring_size)
		: size_(ring_size), data_(ring_offset + ring_size), bytes_(memory)
	{
		initialize(ring_size, all_flags);
	}

	std::span<std::byte> bytes() { return bytes_; }
	abi::Mailbox &mailbox() { return *reinterpret_cast<abi::Mailbox *>(bytes_.data()); }
	/** Offset in the mapping of byte @p at of the data area. */
	uint64_t data_offset(uint64_t at) const { return data_ + at; }
	uint8_t *data(uint64_t at = 0) { return reinterpret_cast<uint8_t *>(bytes().data()) + data_ + at; }
	std::byte *entry(uint32_t position) { return bytes().data() + ring_offset + position; }

	/** Post a command; iov_base of @p list are offsets in the mapping. */
	uint32_t post(uint16_t id, std::span<const uint8_t> cdb, std::span<const iovec> list = {},
		      uint32_t bidi = 0)
	{
		uint32_t used = static_cast<uint32_t>(sizeof(abi::Request) + list.size() * sizeof(iovec) +
						      cdb.size());
		uint32_t length = std::max<uint32_t>((used + 7) & ~7u, (abi::min_command_length + 7) & ~7u);
		uint32_t at = reserve(length);
		abi::Request request{};

		request.header = {length | abi::op_command, id, 0, 0};
		request.iov_cnt = static_cast<uint32_t>(list.size()) - bidi;
		request.iov_bidi_cnt = bidi;
		request.cdb_off = ring_offset + at + sizeof(request) + list.size() * sizeof(iovec);
		std::memcpy(entry(at), &request, sizeof(request));
		if (!list.empty())
			std::memcpy(entry(at) + sizeof(request), list.data(), list.size_bytes());
		std::memcpy(bytes().data() + request.cdb_off, cdb.data(), cdb.size());
		publish(length);
		return at;
	}

	/** Post an entry of any kind: @p op, and @p length with its low bits. */
	uint32_t post_raw(uint8_t op, uint32_t length, uint16_t id = 0)
	{
		uint32_t at = reserve(length);
		abi::EntryHeader header{length | op, id, 0, 0};

		std::memcpy(entry(at), &header, sizeof(header));
		publish(length);
		return at;
	}

	uint32_t post_abort(uint8_t type, std::initializer_list<uint16_t> ids)
	{
		auto length = static_cast<uint32_t>(sizeof(abi::TaskManagementEntry) + ids.size() * 2 + 7) & ~7u;
		uint32_t at = reserve(length);
		abi::TaskManagementEntry made{};

		made.header = {length | abi::op_task_management, 0, 0, 0};
		made.tmr_type = type;
		made.cmd_cnt = static_cast<uint32_t>(ids.size());
		std::memcpy(entry(at), &made, sizeof(made));
		std::memcpy(entry(at) + sizeof(made), ids.begin(), ids.size() * 2);
		publish(length);
		return at;
	}

	/** Answers up to cmd_tail, as the kernel would walk them. */
	std::vector<Answer> collect()
	{
		std::vector<Answer> answers;

		while (cleaned_ != tail()) {
			abi::Response response;
			std::memcpy(&response, entry(cleaned_), sizeof(response.header));
			uint32_t length = response.header.len_op & ~abi::op_mask;
			if ((response.header.len_op & abi::op_mask) == abi::op_command) {
				std::memcpy(&response, entry(cleaned_), sizeof(response));
				answers.push_back({response.header.cmd_id, response.scsi_status,
						   response.header.uflags, response.read_len,
						   {response.sense_buffer,
						    response.sense_buffer + abi::sense_buffer_size}});
			}
			cleaned_ = (cleaned_ + length) % size_;
		}
		return answers;
	}
	/** What cmd_tail is now; everything before it may be read. */
	uint32_t tail()
	{
		return std::atomic_ref(mailbox().cmd_tail).load(std::memory_order_acquire);
	}

	/** What action/reset_ring does. */
	void reset()
	{
		mailbox().cmd_head = mailbox().cmd_tail = 0;
		cleaned_ = 0;
	}

private:
	void initialize(uint32_t ring_size, uint16_t flags)
	{
		mailbox().version = abi::mailbox_version;
		mailbox().flags = flags;
		mailbox().cmdr_off = ring_offset;
		mailbox().cmdr_size = ring_size;
	}
	/** Pad to the end of the ring when @p length does not fit there. */
	uint32_t reserve(uint32_t length)
	{
		uint32_t head = mailbox().cmd_head;
		uint32_t rest = size_ - head;

		if (length > rest) {
			abi::EntryHeader pad{rest | abi::op_pad, 0, 0, 0};
			std::memcpy(entry(head), &pad, sizeof(pad));
			publish(rest);
		}
		return mailbox().cmd_head;
	}
	void publish(uint32_t length)
	{
		uint32_t head = (mailbox().cmd_head + length) % size_;
		std::atomic_ref(mailbox().cmd_head).store(head, std::memory_order_release);
	}

	uint32_t size_;
	uint32_t data_;
	uint32_t cleaned_ = 0;
	std::vector<uint64_t> owned_;
	std::span<std::byte> bytes_;
};

} // namespace tcmu::test
