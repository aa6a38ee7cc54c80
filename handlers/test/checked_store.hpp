// SPDX-License-Identifier: MIT
/** @file
 * A store in memory that does not believe the emulator.
 */
#pragma once

#include "fuzz_check.hpp"
#include "memory_store.hpp"

namespace tcmu::test {

class CheckedStore : public MemoryStore {
public:
	CheckedStore(uint32_t memory_alignment, uint32_t block_size)
		: MemoryStore(memory_alignment), block_size_(block_size)
	{
	}

	/** Every request is in the medium, of whole blocks, and within its data. */
	bool start(StoreRequest &request) override
	{
		FUZZ_CHECK(request.offset <= bytes().size());
		FUZZ_CHECK(request.length <= bytes().size() - request.offset);
		bool moves = request.kind == StoreRequest::Kind::read || request.kind == StoreRequest::Kind::write;
		if (request.kind != StoreRequest::Kind::flush)
			FUZZ_CHECK(request.offset % block_size_ == 0 && request.length % block_size_ == 0);
		if (moves) {
			FUZZ_CHECK(request.data_offset <= request.data.size());
			FUZZ_CHECK(request.length <= request.data.size() - request.data_offset);
		}
		bool changes = request.kind != StoreRequest::Kind::read && request.kind != StoreRequest::Kind::flush;
		FUZZ_CHECK(!changes || !traits().read_only);
		FUZZ_CHECK(request.kind != StoreRequest::Kind::discard || traits().discards);
		return MemoryStore::start(request);
	}

	/** A block is mapped when it is not zero. */
	StoreExtent extent(uint64_t offset, uint64_t length) override
	{
		FUZZ_CHECK(length && offset < bytes().size() && length <= bytes().size() - offset);
		auto mapped = [this](uint64_t at) {
			return std::any_of(&bytes()[at], &bytes()[at] + block_size_, [](uint8_t b) { return b; });
		};
		uint64_t end = offset + block_size_;
		while (end < offset + length && mapped(end) == mapped(offset))
			end += block_size_;
		return {end - offset, mapped(offset)};
	}

private:
	uint32_t block_size_;
};

} // namespace tcmu::test
