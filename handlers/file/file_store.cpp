// SPDX-License-Identifier: MIT
#include "file_store.hpp"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <bit>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <tcmu/log.hpp>

namespace tcmu {

namespace {

/** user_data of what is not a request; requests have their address there. */
constexpr uint64_t uio_tag = 1, notify_tag = 2;
constexpr unsigned file_index = 0, buffer_index = 0;
/** The kernel's limit on iovecs a call. */
constexpr size_t max_iovecs = 1024;
constexpr size_t zeroes_size = 256 * 1024;
constexpr uint32_t page_size = 4096;

/** Repeat @p attempt while it fails with @p busy, for at most @p milliseconds. */
template <class Attempt> int patiently(int busy, unsigned milliseconds, Attempt &&attempt)
{
	constexpr unsigned pause = 20;

	for (unsigned waited = 0;; waited += pause) {
		int result = attempt();
		if (result >= 0 || errno != busy || waited >= milliseconds)
			return result;
		std::this_thread::sleep_for(std::chrono::milliseconds(pause));
	}
}

Result<FileDescriptor> open_file(const std::string &path, int flags, const FileOptions &options)
{
	int fd = patiently(EBUSY, options.lock_milliseconds,
			   [&] { return ::open(path.c_str(), flags, 0600); });

	if (fd >= 0)
		return FileDescriptor(fd);
	Error failed = errno_error("open " + path);
	if (failed.code == EINVAL && flags & O_DIRECT)
		failed.where += " with O_DIRECT (its file system may need --buffered)";
	return failed;
}

} // namespace

Result<std::unique_ptr<FileStore>> FileStore::open(const std::string &path,
						   const FileOptions &options)
{
	struct stat before;

	if (path.empty() || path[0] != '/')
		return Error{EINVAL, "\"" + path + "\" is not an absolute path"};
	bool there = ::stat(path.c_str(), &before) == 0;
	int flags = O_CLOEXEC | (options.buffered ? 0 : O_DIRECT) |
		    (options.create && !options.read_only ? O_CREAT : 0);
	/* On a block device this keeps out mounts and every other O_EXCL. */
	if (there && S_ISBLK(before.st_mode))
		flags |= O_EXCL;
	bool read_only = options.read_only;
	Result<FileDescriptor> fd = open_file(path, flags | (read_only ? O_RDONLY : O_RDWR), options);
	if (!fd && !read_only && (fd.error().code == EROFS || fd.error().code == EACCES)) {
		log(LogLevel::warning, path + ": cannot be written to, serving it read-only");
		read_only = true;
		fd = open_file(path, (flags & ~O_CREAT) | O_RDONLY, options);
	}
	if (!fd)
		return fd.error();
	std::unique_ptr<FileStore> store(new FileStore(path, std::move(*fd), options));
	store->traits_.read_only = read_only;
	if (Status known = store->identify(); !known)
		return known.error();
	return store;
}

FileStore::~FileStore()
{
	if (ring_made_)
		io_uring_queue_exit(&ring_);
}

/** Find out what the file is and needs, and make sure that nobody else uses it. */
Status FileStore::identify()
{
	struct stat status;

	if (fstat(fd_.get(), &status))
		return errno_error("stat " + path_);
	block_device_ = S_ISBLK(status.st_mode);
	if (!block_device_ && !S_ISREG(status.st_mode))
		return Error{EINVAL, path_ + " is neither a regular file nor a block device"};
	int mode = traits_.read_only ? LOCK_SH : LOCK_EX;
	if (patiently(EWOULDBLOCK, options_.lock_milliseconds,
		      [&] { return flock(fd_.get(), mode | LOCK_NB); }))
		return Error{EBUSY, path_ + " is locked by another program"};
	if (Status known = learn_alignment(status); !known)
		return known;
	learn_discard(status);
	return {};
}

Status FileStore::learn_alignment(const struct stat &status)
{
	if (options_.buffered)
		return {};
	if (block_device_) {
		int sector = 0;
		if (ioctl(fd_.get(), BLKSSZGET, &sector))
			return errno_error("BLKSSZGET " + path_);
		traits_.block_alignment = static_cast<uint32_t>(sector);
		traits_.memory_alignment = static_cast<uint32_t>(sector);
		return {};
	}
	struct statx more {};
	if (statx(fd_.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &more) == 0 &&
	    more.stx_mask & STATX_DIOALIGN && more.stx_dio_offset_align) {
		traits_.block_alignment = more.stx_dio_offset_align;
		traits_.memory_alignment = std::max(more.stx_dio_mem_align, 1u);
		return {};
	}
	/* A file system that does not tell: what every one of them takes. */
	(void)status;
	traits_.block_alignment = traits_.memory_alignment = 512;
	return {};
}

void FileStore::learn_discard(const struct stat &status)
{
	if (traits_.read_only)
		return;
	if (!block_device_) {
		/* Behind the end and without changing it: asks, and does nothing. */
		off_t end = (status.st_size + page_size - 1) / page_size * page_size;
		traits_.discards = fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					     end, page_size) == 0;
		return;
	}
	std::string device = "/sys/dev/block/" + std::to_string(major(status.st_rdev)) + ":" +
			     std::to_string(minor(status.st_rdev));
	/* A partition's queue is its disk's. */
	for (const char *queue : {"/queue/discard_max_bytes", "/../queue/discard_max_bytes"}) {
		uint64_t bytes = 0;
		if (std::ifstream(device + queue) >> bytes)
			traits_.discards = bytes > 0;
	}
}

Status FileStore::resize(uint64_t bytes)
{
	uint64_t have = 0;
	struct stat status;
	bool grow = options_.create || sized_;

	if (block_device_) {
		if (ioctl(fd_.get(), BLKGETSIZE64, &have))
			return errno_error("BLKGETSIZE64 " + path_);
	} else {
		if (fstat(fd_.get(), &status))
			return errno_error("stat " + path_);
		have = static_cast<uint64_t>(status.st_size);
	}
	if (have < bytes && !block_device_ && grow && !traits_.read_only) {
		if (ftruncate(fd_.get(), static_cast<off_t>(bytes)))
			return errno_error("extend " + path_);
		have = bytes;
	}
	if (have < bytes)
		return Error{ENOSPC, path_ + " has " + std::to_string(have) + " bytes, the device " +
					     std::to_string(bytes) +
					     (block_device_ ? "" : " (--create makes it longer)")};
	sized_ = true;
	return {};
}

StoreExtent FileStore::extent(uint64_t offset, uint64_t length)
{
	if (block_device_)
		return {length, true};
	auto position = static_cast<off_t>(offset);
	off_t data = lseek(fd_.get(), position, SEEK_DATA);
	if (data < 0)
		return {length, errno != ENXIO};
	if (data > position)
		return {std::min<uint64_t>(length, static_cast<uint64_t>(data - position)), false};
	off_t hole = lseek(fd_.get(), position, SEEK_HOLE);
	if (hole <= position)
		return {length, true};
	return {std::min<uint64_t>(length, static_cast<uint64_t>(hole - position)), true};
}

Status FileStore::set_up_ring(uint32_t depth)
{
	/* Room for every request, both polls, and polls that are armed again. */
	unsigned entries = std::bit_ceil(depth + 8);
	io_uring_params parameters{};

	/*
	 * Only the device's thread submits, and completions are worked on when it
	 * asks: fewer interruptions. Enabled there, at the first poll().
	 */
	parameters.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
			   IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
	int error = io_uring_queue_init_params(entries, &ring_, &parameters);
	if (error)
		return Error{-error, "io_uring_setup"};
	ring_made_ = true;
	int fd = fd_.get();
	error = io_uring_register_files(&ring_, &fd, 1);
	if (error)
		return Error{-error, "io_uring: register " + path_};
	iovec buffers{buffers_.data(), buffers_.size()};
	/* Without it, e.g. for lack of RLIMIT_MEMLOCK, things are only slower. */
	buffers_registered_ = io_uring_register_buffers(&ring_, &buffers, 1) == 0;
	return {};
}

Status FileStore::prepare(uint32_t depth, std::span<std::byte> buffers)
{
	buffers_ = buffers;
	operations_.resize(depth);
	zeroes_ = {static_cast<std::byte *>(std::aligned_alloc(page_size, zeroes_size)), std::free};
	if (!zeroes_)
		return Error{ENOMEM, "buffer"};
	std::fill_n(zeroes_.get(), zeroes_size, std::byte{0});
	return set_up_ring(depth);
}

bool FileStore::registered(const iovec &part) const
{
	auto *byte = static_cast<const std::byte *>(part.iov_base);

	return buffers_registered_ && byte >= buffers_.data() &&
	       byte + part.iov_len <= buffers_.data() + buffers_.size();
}

/** The ring has an entry for every request, so there is one. */
io_uring_sqe *FileStore::next_sqe()
{
	io_uring_sqe *sqe = io_uring_get_sqe(&ring_);

	if (!sqe) {
		io_uring_submit(&ring_);
		sqe = io_uring_get_sqe(&ring_);
	}
	return sqe;
}

FileStore::Method FileStore::first_method(StoreRequest::Kind kind) const
{
	if (kind == StoreRequest::Kind::discard && !no_punch_)
		return Method::punch;
	if (!no_zero_range_)
		return Method::zero_range;
	/* A hole reads as zeroes, too; a device's need not be cheaper than writing. */
	return no_punch_ || block_device_ ? Method::write_zeroes : Method::punch;
}

/** After EOPNOTSUPP: remember it, and name another way. */
bool FileStore::next_method(Operation &operation)
{
	switch (operation.method) {
	case Method::punch:
		no_punch_ = true;
		break;
	case Method::zero_range:
		no_zero_range_ = true;
		break;
	default:
		return false;
	}
	operation.method = first_method(StoreRequest::Kind::zero);
	return true;
}

bool FileStore::start(StoreRequest &request)
{
	bool durable = request.kind == StoreRequest::Kind::flush || request.durable;

	request.error = durable ? flush_error_ : 0;
	if (request.error)
		return true;
	Operation &operation = operations_[request.slot];
	operation.done = 0;
	operation.method = Method::none;
	if (request.kind == StoreRequest::Kind::discard || request.kind == StoreRequest::Kind::zero)
		operation.method = first_method(request.kind);
	queue(request);
	return false;
}

/** Put what is left of @p request into the ring. */
void FileStore::queue(StoreRequest &request)
{
	io_uring_sqe *sqe = next_sqe();

	switch (request.kind) {
	case StoreRequest::Kind::read:
	case StoreRequest::Kind::write:
		queue_transfer(request, sqe, request.kind == StoreRequest::Kind::write);
		break;
	case StoreRequest::Kind::flush:
		io_uring_prep_fsync(sqe, file_index, IORING_FSYNC_DATASYNC);
		break;
	case StoreRequest::Kind::discard:
	case StoreRequest::Kind::zero:
		queue_fallocate(request, sqe);
		break;
	}
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data(sqe, &request);
}

void FileStore::queue_transfer(StoreRequest &request, io_uring_sqe *sqe, bool write)
{
	Operation &operation = operations_[request.slot];
	std::span<const iovec> list = request.data.list();
	uint64_t offset = request.offset + operation.done;
	bool whole = operation.done == 0 && request.data_offset == 0 &&
		     request.length == request.data.size() && list.size() <= max_iovecs;

	if (!whole) {
		Segments::Window window =
			request.data.window(request.data_offset + operation.done,
					    request.length - operation.done, operation.rest);
		list = std::span(operation.rest).first(window.count);
	}
	auto count = static_cast<unsigned>(list.size());
	auto length = count == 1 ? static_cast<unsigned>(list[0].iov_len) : 0;
	if (count == 1 && registered(list[0])) {
		if (write)
			io_uring_prep_write_fixed(sqe, file_index, list[0].iov_base, length, offset,
						  buffer_index);
		else
			io_uring_prep_read_fixed(sqe, file_index, list[0].iov_base, length, offset,
						 buffer_index);
	} else if (count == 1) {
		if (write)
			io_uring_prep_write(sqe, file_index, list[0].iov_base, length, offset);
		else
			io_uring_prep_read(sqe, file_index, list[0].iov_base, length, offset);
	} else if (write) {
		io_uring_prep_writev(sqe, file_index, list.data(), count, offset);
	} else {
		io_uring_prep_readv(sqe, file_index, list.data(), count, offset);
	}
	if (write && request.durable)
		sqe->rw_flags |= RWF_DSYNC;
}

void FileStore::queue_fallocate(StoreRequest &request, io_uring_sqe *sqe)
{
	const Operation &operation = operations_[request.slot];
	uint64_t offset = request.offset + operation.done;
	uint64_t length = request.length - operation.done;

	if (operation.method == Method::write_zeroes) {
		auto piece = static_cast<unsigned>(std::min<uint64_t>(length, zeroes_size));
		io_uring_prep_write(sqe, file_index, zeroes_.get(), piece, offset);
		return;
	}
	int mode = operation.method == Method::punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
	io_uring_prep_fallocate(sqe, file_index, mode | FALLOC_FL_KEEP_SIZE,
				static_cast<off_t>(offset), static_cast<off_t>(length));
}

/** A flush that failed has lost writes; keep it in mind. */
int FileStore::note_flush(int error)
{
	if (error && !flush_error_) {
		flush_error_ = error;
		log(LogLevel::error,
		    Error{error, path_ + ": flush failed, every later one will"}.text());
	}
	return error;
}

void FileStore::complete(StoreRequest &request, int result)
{
	Operation &operation = operations_[request.slot];
	bool moves = request.kind == StoreRequest::Kind::read ||
		     request.kind == StoreRequest::Kind::write ||
		     operation.method == Method::write_zeroes;

	if (result == -EINTR || result == -EAGAIN)
		return queue(request);
	if (result == -EOPNOTSUPP && next_method(operation))
		return queue(request);
	if (result < 0) {
		request.error = request.kind == StoreRequest::Kind::flush ? note_flush(-result)
									  : -result;
		return finished(request);
	}
	if (moves) {
		operation.done += static_cast<uint64_t>(result);
		if (result > 0 && operation.done < request.length)
			return queue(request);
		/* The file ended early: somebody else has cut it. */
		request.error = operation.done < request.length ? EIO : 0;
	}
	finished(request);
}

Status FileStore::arm(int fd, uint64_t tag)
{
	io_uring_sqe *sqe = next_sqe();

	if (!sqe)
		return Error{EBUSY, "io_uring is full"};
	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, tag);
	return {};
}

/** The kernel's event or our own interrupt. */
Status FileStore::handle_event(Device &device, const io_uring_cqe &cqe)
{
	bool from_kernel = cqe.user_data == uio_tag;
	int fd = from_kernel ? device.uio().fd() : device.notify_fd();

	if (cqe.res < 0)
		return Error{-cqe.res, "poll"};
	if (from_kernel) {
		Result<bool> seen = device.uio().wait();
		if (!seen)
			return seen.error();
	} else {
		device.clear_notify();
	}
	return cqe.flags & IORING_CQE_F_MORE ? Status() : arm(fd, cqe.user_data);
}

Status FileStore::poll(Device &device, bool may_block)
{
	if (!armed_) {
		/* liburing 2.3 has io_uring_enable_rings(), its shared library does not. */
		if (syscall(SYS_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS,
			    nullptr, 0))
			return errno_error("enable io_uring");
		/*
		 * A multishot poll posts an event again while an earlier one is not yet
		 * read: taking it must not wait when there is none left, or answers that
		 * are not yet published wait with it.
		 */
		int flags = fcntl(device.uio().fd(), F_GETFL);
		if (flags < 0 || fcntl(device.uio().fd(), F_SETFL, flags | O_NONBLOCK))
			return errno_error("make uio non-blocking");
		Status done = arm(device.uio().fd(), uio_tag);
		if (done)
			done = arm(device.notify_fd(), notify_tag);
		if (!done)
			return done;
		armed_ = true;
	}
	int submitted = io_uring_submit_and_wait(&ring_, may_block ? 1 : 0);
	if (submitted < 0 && submitted != -EINTR && submitted != -EAGAIN && submitted != -EBUSY)
		return Error{-submitted, "io_uring_enter"};
	io_uring_cqe *cqe;
	while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
		io_uring_cqe done = *cqe;
		io_uring_cqe_seen(&ring_, cqe);
		if (done.user_data == uio_tag || done.user_data == notify_tag) {
			if (Status handled = handle_event(device, done); !handled)
				return handled;
			continue;
		}
		complete(*reinterpret_cast<StoreRequest *>(done.user_data), done.res);
	}
	return {};
}

} // namespace tcmu
