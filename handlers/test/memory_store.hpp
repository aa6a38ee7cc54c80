// SPDX-License-Identifier: MIT
/** @file
 * A store in memory that can finish late, out of order, and with errors.
 */
#pragma once

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

#include <tcmu/block_store.hpp>

namespace tcmu::test {

class MemoryStore : public BlockStore {
public:
	explicit MemoryStore(uint32_t alignment = 1)
	{
		traits_.discards = true;
		traits_.memory_alignment = alignment;
	}

	const StoreTraits &traits() const override { return traits_; }
	StoreTraits &change_traits() { return traits_; }
	Status resize(uint64_t bytes) override
	{
		if (bytes > limit)
			return Error{ENOSPC, "memory store"};
		bytes_.resize(bytes);
		return {};
	}
	StoreExtent extent(uint64_t offset, uint64_t length) override
	{
		/* Mapped where it is not zero, by pieces of 4096. */
		auto mapped = [&](uint64_t at) {
			return std::any_of(&bytes_[at], &bytes_[at] + 4096, [](uint8_t b) { return b; });
		};
		uint64_t end = offset + 4096;
		while (end < offset + length && mapped(end) == mapped(offset))
			end += 4096;
		return {std::min(end - offset, length), mapped(offset)};
	}

	bool start(StoreRequest &request) override
	{
		started.push_back(request.kind);
		durable.push_back(request.durable);
		request.error = 0;
		if (late) {
			pending_.push_back(&request);
			return false;
		}
		perform(request);
		return true;
	}

	/** Whether finish_one() has something to finish. */
	bool waits() const { return !pending_.empty(); }
	/** Finish one of the requests that wait; false when there is none. */
	bool finish_one(std::mt19937 &random)
	{
		if (pending_.empty())
			return false;
		auto chosen = pending_.begin() + static_cast<long>(random() % pending_.size());
		StoreRequest *request = *chosen;
		pending_.erase(chosen);
		perform(*request);
		finished(*request);
		return true;
	}

	std::vector<uint8_t> &bytes() { return bytes_; }

	/** Leave requests to finish_one(). */
	bool late = false;
	/** Fail the next request of this kind so. */
	int error = 0;
	StoreRequest::Kind error_kind = StoreRequest::Kind::read;
	uint64_t limit = 64 << 20;
	std::vector<StoreRequest::Kind> started;
	std::vector<bool> durable;

private:
	void perform(StoreRequest &request)
	{
		if (error && request.kind == error_kind) {
			request.error = std::exchange(error, 0);
			return;
		}
		if (request.offset > bytes_.size() || request.length > bytes_.size() - request.offset) {
			request.error = EFAULT;
			return;
		}
		std::span<uint8_t> range(bytes_.data() + request.offset, request.length);
		size_t moved = request.length;
		switch (request.kind) {
		case StoreRequest::Kind::read:
			moved = request.data.scatter(request.data_offset, range);
			break;
		case StoreRequest::Kind::write:
			moved = request.data.gather(request.data_offset, range);
			break;
		case StoreRequest::Kind::discard:
		case StoreRequest::Kind::zero:
			std::ranges::fill(range, 0);
			break;
		case StoreRequest::Kind::flush:
			break;
		}
		if (moved != request.length)
			request.error = EFAULT;
	}

	StoreTraits traits_;
	std::vector<uint8_t> bytes_;
	std::deque<StoreRequest *> pending_;
};

} // namespace tcmu::test
