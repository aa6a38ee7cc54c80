// SPDX-License-Identifier: MIT
/** @file
 * What the block device emulation stores its blocks in.
 */
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include <tcmu/device.hpp>
#include <tcmu/result.hpp>
#include <tcmu/segments.hpp>

namespace tcmu {

/** One operation on a store. Offsets and lengths are in bytes, of whole blocks. */
struct StoreRequest {
	enum class Kind : uint8_t {
		read,
		write,
		/** Make every write that has finished durable. */
		flush,
		/** Give the space back; the range reads as zeroes afterwards. */
		discard,
		/** Make the range read as zeroes. */
		zero,
	};
	Kind kind = Kind::read;
	/** A write is finished only when it is durable. */
	bool durable = false;
	/** Number of the request, below the depth given to prepare(). */
	uint32_t slot = 0;
	uint64_t offset = 0;
	uint64_t length = 0;
	/** read, write: where the data is; length bytes from data_offset on. */
	Segments data;
	size_t data_offset = 0;
	/** Result: 0 or an errno. */
	int error = 0;
};

/** What a store can do. */
struct StoreTraits {
	bool read_only = false;
	/** discard is supported, and cheaper than zero. */
	bool discards = false;
	/** Alignment that read and write want of memory and lengths; a power of two. */
	uint32_t memory_alignment = 1;
	/** Alignment of offsets; the LUN's block size must be a multiple. */
	uint32_t block_alignment = 1;
};

/** A stretch of a store in one provisioning state. */
struct StoreExtent {
	uint64_t length;
	bool mapped;
};

/** Blocks somewhere. All methods but the constructor run on the device's thread. */
class BlockStore {
public:
	virtual ~BlockStore() = default;

	virtual const StoreTraits &traits() const = 0;
	/**
	 * Called once, before any request: requests' slots are below @p depth;
	 * @p buffers is memory that many requests will use, for registration.
	 */
	virtual Status prepare(uint32_t depth, std::span<std::byte> buffers);
	/**
	 * Begin @p request. True: it has finished, request.error says how. False:
	 * finished() will be called with it, from poll().
	 */
	virtual bool start(StoreRequest &request) = 0;
	/** See DeviceHandler::poll(). The default: for stores that never wait. */
	virtual Status poll(Device &device, bool may_block);
	/** Whether poll() watches the device's notify_fd(). */
	virtual bool uses_notify() const { return false; }
	/** Provide @p bytes; the first time and for every later change. */
	virtual Status resize(uint64_t bytes) = 0;
	/** State of the blocks at @p offset, for at most @p length bytes. */
	virtual StoreExtent extent(uint64_t offset, uint64_t length);

	/** Who is told of requests that start() left pending. */
	void on_finished(std::function<void(StoreRequest &)> listener)
	{
		finished = std::move(listener);
	}

protected:
	std::function<void(StoreRequest &)> finished;
};

} // namespace tcmu
