// SPDX-License-Identifier: MIT
/** @file
 * Storage for the scatter lists of the commands in flight.
 */
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tcmu {

/**
 * A buddy allocator of iovec arrays. All memory is there from construction
 * on, touched and so locked: handing out a list allocates nothing. One thread
 * uses it.
 */
class IovArena {
public:
	/** Room for at least @p capacity iovecs, rounded up to a power of two. */
	explicit IovArena(size_t capacity);

	/** Iovecs in the longest list that can ever be had. */
	size_t capacity() const { return storage_.size(); }

	/** A list of @p count iovecs, or nullptr when there is no room now. */
	iovec *allocate(size_t count);
	/** Give back what allocate(@p count) returned. */
	void release(iovec *list, size_t count);

private:
	/** The smallest block, in iovecs: four cache lines. */
	static constexpr size_t unit = 16;
	static constexpr uint32_t none = UINT32_MAX;
	static constexpr uint8_t in_use = UINT8_MAX;

	/** State of a unit that begins a block. */
	struct Unit {
		uint32_t next = none;
		uint32_t previous = none;
		uint8_t free_order = in_use;
	};

	static unsigned order_for(size_t count);
	void push(uint32_t at, unsigned order);
	void unlink(uint32_t at);

	std::vector<iovec> storage_;
	std::vector<Unit> units_;
	/** First free block of each order. */
	std::vector<uint32_t> free_;
};

} // namespace tcmu
