// SPDX-License-Identifier: MIT
#include <tcmu/device.hpp>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include <tcmu/log.hpp>

namespace tcmu {

FileDescriptor &FileDescriptor::operator=(FileDescriptor &&other) noexcept
{
	if (this != &other) {
		reset();
		fd_ = other.release();
	}
	return *this;
}

int FileDescriptor::release()
{
	return std::exchange(fd_, -1);
}

void FileDescriptor::reset()
{
	if (fd_ >= 0)
		::close(fd_);
	fd_ = -1;
}

Result<UioMapping> UioMapping::open(const SystemPaths &paths, uint32_t minor)
{
	std::string path = paths.dev + "/uio" + std::to_string(minor);
	Result<uint64_t> size = map_size(paths, minor);

	if (!size)
		return size.error();
	FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
	if (!fd)
		return errno_error("open " + path);
	/*
	 * With MCL_FUTURE, mmap() reads every page in, MCL_ONFAULT or not: the
	 * driver's VM_DONTEXPAND makes the kernel forget both. Most of the data
	 * area has no page yet, and the driver would complain. Without access
	 * nothing can be read in, and mprotect() does not try.
	 */
	void *at = mmap(nullptr, *size, PROT_NONE, MAP_SHARED, fd.get(), 0);
	if (at == MAP_FAILED)
		return errno_error("mmap " + path);
	if (mprotect(at, *size, PROT_READ | PROT_WRITE)) {
		Error failed = errno_error("mprotect " + path);
		munmap(at, *size);
		return failed;
	}
	return UioMapping(std::move(fd), {static_cast<std::byte *>(at), *size});
}

UioMapping::UioMapping(UioMapping &&other) noexcept
	: fd_(std::move(other.fd_)), bytes_(std::exchange(other.bytes_, {}))
{
}

void UioMapping::unmap()
{
	if (!bytes_.empty())
		munmap(bytes_.data(), bytes_.size());
	bytes_ = {};
}

Status UioMapping::doorbell() const
{
	uint32_t value = 0;

	if (::write(fd_.get(), &value, sizeof(value)) != sizeof(value))
		return errno_error("write to uio (doorbell)");
	return {};
}

Result<bool> UioMapping::wait() const
{
	uint32_t events;

	if (::read(fd_.get(), &events, sizeof(events)) == sizeof(events))
		return true;
	if (errno == EINTR || errno == EAGAIN)
		return false;
	return errno_error("read from uio");
}

namespace {

/** Open, waiting a while for a predecessor that holds the device. */
Result<UioMapping> open_patiently(const DeviceInfo &info, const Device::Options &options)
{
	constexpr unsigned pause = 20;

	for (unsigned waited = 0;; waited += pause) {
		Result<UioMapping> uio = UioMapping::open(options.paths, info.minor);

		if (uio || uio.error().code != EBUSY || waited >= options.busy_milliseconds)
			return uio;
		std::this_thread::sleep_for(std::chrono::milliseconds(pause));
	}
}

} // namespace

Result<std::unique_ptr<Device>> Device::open(const DeviceInfo &info, const Options &options)
{
	Result<UioMapping> uio = open_patiently(info, options);

	if (!uio)
		return uio.error();
	FileDescriptor notify(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (!notify)
		return errno_error("eventfd");
	return std::unique_ptr<Device>(
		new Device(info, options, std::move(*uio), std::move(notify)));
}

Device::Device(const DeviceInfo &info, const Options &options, UioMapping uio,
	       FileDescriptor notify)
	: info_(info), options_(options), configfs_(options.paths, info.name), uio_(std::move(uio)),
	  notify_(std::move(notify)), posted_(options.ring.depth)
{
}

Status Device::take_over()
{
	Result<std::unique_ptr<Ring>> ring = Ring::attach(uio_.bytes(), options_.ring);

	if (options_.recovery == Recovery::reset && !(ring && (*ring)->empty())) {
		log(LogLevel::info, info_.name.path() + ": an earlier handler left the ring " +
					    (ring ? "filled" : "broken") + ", resetting it");
		if (Status done = configfs_.recover_ring(); !done)
			return done;
		ring = Ring::attach(uio_.bytes(), options_.ring);
	}
	if (!ring)
		return ring.error();
	ring_ = std::move(*ring);
	return {};
}

Status Device::flush()
{
	if (!ring_->publish())
		return {};
	return uio_.doorbell();
}

void Device::post(Command &command, const Reply &reply)
{
	Posted &mine = posted_[command.slot()];
	uint32_t me = command.slot() + 1;
	uint32_t head = posted_head_.load(std::memory_order_relaxed);

	mine.reply = reply;
	do {
		mine.next = head;
	} while (!posted_head_.compare_exchange_weak(head, me, std::memory_order_release,
						     std::memory_order_relaxed));
	/* Who finds the stack empty wakes; later ones ride along. */
	if (head == 0)
		interrupt();
}

bool Device::complete_posted()
{
	uint32_t at = posted_head_.exchange(0, std::memory_order_acquire);
	bool any = at != 0;

	while (at) {
		Posted &done = posted_[at - 1];
		Command &command = ring_->slot(at - 1);

		at = done.next;
		command.complete(done.reply);
	}
	return any;
}

void Device::interrupt()
{
	uint64_t one = 1;

	/* EAGAIN: the counter is full, so it is readable. */
	[[maybe_unused]] ssize_t written = ::write(notify_.get(), &one, sizeof(one));
}

void Device::clear_notify()
{
	uint64_t count;

	/* EAGAIN: nothing to clear. */
	[[maybe_unused]] ssize_t length = ::read(notify_.get(), &count, sizeof(count));
}

Status Device::free_kept_buffer(uint16_t id) const
{
	return configfs_.write("action/free_kept_buf", std::to_string(id));
}

} // namespace tcmu
