// SPDX-License-Identifier: MIT
/** @file
 * An opened TCMU device: UIO file, shared mapping, ring.
 */
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <tcmu/discovery.hpp>
#include <tcmu/result.hpp>
#include <tcmu/ring.hpp>

namespace tcmu {

/** A file descriptor that is closed with its owner. */
class FileDescriptor {
public:
	FileDescriptor() = default;
	explicit FileDescriptor(int fd) : fd_(fd) {}
	FileDescriptor(FileDescriptor &&other) noexcept : fd_(other.release()) {}
	FileDescriptor &operator=(FileDescriptor &&other) noexcept;
	~FileDescriptor() { reset(); }

	int get() const { return fd_; }
	explicit operator bool() const { return fd_ >= 0; }
	int release();
	void reset();

private:
	int fd_ = -1;
};

/** The UIO file and the shared memory behind it, and nothing of what is in it. */
class UioMapping {
public:
	/**
	 * Open /dev/uioN and map it. The kernel lets one process at a time have
	 * a device open: EBUSY is another handler, or one that is just dying.
	 */
	static Result<UioMapping> open(const SystemPaths &paths, uint32_t minor);

	UioMapping(UioMapping &&other) noexcept;
	UioMapping &operator=(UioMapping &&) = delete;
	~UioMapping() { unmap(); }

	int fd() const { return fd_.get(); }
	std::span<std::byte> bytes() const { return bytes_; }
	/** Tell the kernel that there are answers. */
	Status doorbell() const;
	/**
	 * Wait for the kernel's next event, or take note of one that has
	 * happened. False when a signal came first.
	 */
	Result<bool> wait() const;
	/** Give up the mapping early; the file stays open. */
	void unmap();
	/** Give up the file early; the mapping stays. */
	void close() { fd_.reset(); }

private:
	UioMapping(FileDescriptor fd, std::span<std::byte> bytes)
		: fd_(std::move(fd)), bytes_(bytes)
	{
	}

	FileDescriptor fd_;
	std::span<std::byte> bytes_;
};

/** What to do with commands that an earlier handler left in the ring. */
enum class Recovery : uint8_t {
	/**
	 * End them with action/reset_ring, so that their initiators repeat
	 * them. The only safe way after a crash: with out-of-order completion
	 * any entry behind cmd_tail may hold half an answer of another command.
	 */
	reset,
	/**
	 * Serve them. Only when it is known that no handler has begun to answer
	 * them, e.g. for a device that has never had one.
	 */
	serve,
};

/** A device with its ring, ready to be served by one thread. */
class Device {
public:
	struct Options {
		SystemPaths paths{};
		Ring::Options ring{};
		Recovery recovery = Recovery::reset;
		/** How long to wait for a predecessor that still has it open. */
		unsigned busy_milliseconds = 5000;
	};

	/** Open and map the device; its ring is not touched yet. */
	static Result<std::unique_ptr<Device>> open(const DeviceInfo &info, const Options &options);

	/**
	 * Attach to the ring, and recover it if an earlier handler left something
	 * in it. Only when nothing of that handler's can still be running: a read
	 * that a killed handler had begun may yet write to the data area, which
	 * the reset gives to other commands. A store's lock on its file tells.
	 */
	Status take_over();

	Device(const Device &) = delete;
	Device &operator=(const Device &) = delete;

	const DeviceInfo &info() const { return info_; }
	const ConfigfsDevice &configfs() const { return configfs_; }
	const UioMapping &uio() const { return uio_; }
	/** The ring; there after take_over(). */
	Ring &ring() { return *ring_; }
	/** Commands the ring will hand out at a time. */
	uint32_t depth() const { return options_.ring.depth; }

	/** Publish the answers given so far and ring the doorbell, once. */
	Status flush();

	/**
	 * Answer a command from another thread than the one that serves the
	 * ring. Allocates nothing and does not block. The serving thread sees it
	 * through notify_fd().
	 */
	void post(Command &command, const Reply &reply);
	/** Serving thread: complete what was posted. True when there was any. */
	bool complete_posted();
	/** An eventfd, readable when something was posted or interrupt() called. */
	int notify_fd() const { return notify_.get(); }
	/** Make notify_fd() readable. */
	void interrupt();
	/** Serving thread: make notify_fd() unreadable again. */
	void clear_notify();

	/** Give back a buffer kept with Reply::keep_buffer. */
	Status free_kept_buffer(uint16_t id) const;

private:
	/** A posted answer; the slot's own, so that posting needs no memory. */
	struct Posted {
		Reply reply;
		uint32_t next = 0;
	};

	Device(const DeviceInfo &info, const Options &options, UioMapping uio, FileDescriptor notify);

	DeviceInfo info_;
	Options options_;
	ConfigfsDevice configfs_;
	UioMapping uio_;
	std::unique_ptr<Ring> ring_;
	FileDescriptor notify_;
	std::vector<Posted> posted_;
	/** Slot + 1 of the last posted answer, the head of a stack; 0 is empty. */
	std::atomic<uint32_t> posted_head_{0};
};

} // namespace tcmu
