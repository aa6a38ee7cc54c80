// SPDX-License-Identifier: MIT
/** @file
 * A BlockStore in a raw file or a block device, through io_uring.
 */
#pragma once

#include <liburing.h>
#include <sys/stat.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <tcmu/block_store.hpp>

namespace tcmu {

/** How the file is opened. */
struct FileOptions {
	/** Through the page cache instead of O_DIRECT. */
	bool buffered = false;
	/** Create the file, or make it longer, when it is shorter than the device. */
	bool create = false;
	bool read_only = false;
	/** How long to wait until an earlier handler's I/O has ended. */
	unsigned lock_milliseconds = 30000;
};

/**
 * All I/O of one device goes through one io_uring, which is also what its
 * thread waits on. The file is locked (flock; block devices O_EXCL) for as long
 * as any request on it can be running: a killed handler's lock is released by
 * the kernel when the last of its requests has ended, so its successor begins
 * only when no stale write can overtake it.
 */
class FileStore : public BlockStore {
public:
	static Result<std::unique_ptr<FileStore>> open(const std::string &path,
						       const FileOptions &options);
	~FileStore() override;

	const StoreTraits &traits() const override { return traits_; }
	Status prepare(uint32_t depth, std::span<std::byte> buffers) override;
	bool start(StoreRequest &request) override;
	Status poll(Device &device, bool may_block) override;
	bool uses_notify() const override { return true; }
	Status resize(uint64_t bytes) override;
	StoreExtent extent(uint64_t offset, uint64_t length) override;

private:
	/** How a discard or zero is tried; the first that the file can do is kept. */
	enum class Method : uint8_t { punch, zero_range, write_zeroes, none };

	/** A request in the ring; index: its slot. */
	struct Operation {
		uint64_t done = 0;
		Method method = Method::none;
		/** Iovecs for what is left of a request that moved only a part. */
		std::array<iovec, 16> rest{};
	};

	FileStore(std::string path, FileDescriptor fd, const FileOptions &options)
		: path_(std::move(path)), fd_(std::move(fd)), options_(options)
	{
	}

	Status identify();
	Status learn_alignment(const struct stat &status);
	void learn_discard(const struct stat &status);
	Status set_up_ring(uint32_t depth);
	Status arm(int fd, uint64_t tag);
	io_uring_sqe *next_sqe();
	void queue(StoreRequest &request);
	void queue_transfer(StoreRequest &request, io_uring_sqe *sqe, bool write);
	void queue_fallocate(StoreRequest &request, io_uring_sqe *sqe);
	Method first_method(StoreRequest::Kind kind) const;
	bool next_method(Operation &operation);
	bool registered(const iovec &part) const;
	Status handle_event(Device &device, const io_uring_cqe &cqe);
	void complete(StoreRequest &request, int result);
	int note_flush(int error);

	std::string path_;
	FileDescriptor fd_;
	FileOptions options_;
	StoreTraits traits_{};
	bool block_device_ = false;
	bool sized_ = false;
	/** What the file was found unable to do. */
	bool no_punch_ = false;
	bool no_zero_range_ = false;
	/**
	 * The kernel reports a lost write to one fsync only. After that no flush
	 * can promise anything any more, until the file is opened anew.
	 */
	int flush_error_ = 0;

	io_uring ring_{};
	bool ring_made_ = false;
	bool armed_ = false;
	std::vector<Operation> operations_;
	std::span<std::byte> buffers_;
	bool buffers_registered_ = false;
	std::unique_ptr<std::byte[], void (*)(void *)> zeroes_{nullptr, nullptr};
};

} // namespace tcmu
