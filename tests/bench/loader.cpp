// SPDX-License-Identifier: GPL-2.0
#include "loader.hpp"

#include <barrier>
#include <memory>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <liburing.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "block_io.hpp"

namespace lio::bench {

using namespace lio::test;

namespace {

uint64_t now_ns()
{
	timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return static_cast<uint64_t>(ts.tv_sec) * 1000000000 + static_cast<uint64_t>(ts.tv_nsec);
}

/// Offsets from a full-period generator: the same sequence in every run, no run of neighbours that
/// the block layer would merge.
class Offsets {
	uint64_t blocks_, size_, state_;

public:
	Offsets(uint64_t bytes, uint32_t size, uint64_t seed)
		: blocks_(bytes / size), size_(size), state_(seed) {}
	uint64_t next()
	{
		state_ = state_ * 6364136223846793005u + 1442695040888963407u;
		return (state_ >> 33) % blocks_ * size_;
	}
};

/// An io_uring that is given back at the end of the scope.
class Uring {
	io_uring ring_{};
	bool there_ = false;

public:
	Status setup(unsigned depth)
	{
		int err = io_uring_queue_init(depth, &ring_, 0);
		if (err)
			return Error{-err, "io_uring", "set up"};
		there_ = true;
		return {};
	}
	~Uring()
	{
		if (there_)
			io_uring_queue_exit(&ring_);
	}
	io_uring *operator&() { return &ring_; }
};

/// One job's thread: what it needs is made before the clock starts.
class Worker {
	const Job &job_;
	Fd fd_;
	std::optional<Offsets> offsets_;
	std::vector<std::unique_ptr<AlignedBuffer>> buffers_;
	std::vector<unsigned> idle_; ///< slots with nothing in flight
	Uring ring_;

public:
	explicit Worker(const Job &job) : job_(job) {}
	Status prepare(uint64_t seed);
	Status pin() const;
	Status run(uint64_t ios) { return job_.depth == 1 ? run_sync(ios) : run_queued(ios); }

private:
	Status run_sync(uint64_t ios);
	Status run_queued(uint64_t ios);
	void submit_one();
	Status reap();
};

Status Worker::prepare(uint64_t seed)
{
	LIO_TRY(fd_, open_fd(job_.device, O_RDWR | O_DIRECT));
	uint64_t bytes = 0;
	if (ioctl(fd_.get(), BLKGETSIZE64, &bytes))
		return sys_error(job_.device, "size of");
	if (bytes < job_.block)
		return Error{EINVAL, job_.device, "smaller than one I/O:"};
	offsets_.emplace(bytes, job_.block, seed);
	for (unsigned slot = 0; slot < job_.depth; slot++) {
		buffers_.push_back(std::make_unique<AlignedBuffer>(job_.block));
		std::fill(buffers_[slot]->span().begin(), buffers_[slot]->span().end(), 0);
		idle_.push_back(slot);
	}
	return job_.depth > 1 ? ring_.setup(job_.depth) : Status();
}

Status Worker::pin() const
{
	if (job_.cpu < 0)
		return {};
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(job_.cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? sys_error("sched_setaffinity", "call") : Status();
}

Status Worker::run_sync(uint64_t ios)
{
	uint8_t *data = buffers_[0]->span().data();
	for (uint64_t n = 0; n < ios; n++) {
		auto at = static_cast<off_t>(offsets_->next());
		ssize_t done = job_.write ? pwrite(fd_.get(), data, job_.block, at)
					  : pread(fd_.get(), data, job_.block, at);
		if (done != static_cast<ssize_t>(job_.block))
			return sys_error(job_.device, job_.write ? "write" : "read");
	}
	return {};
}

void Worker::submit_one()
{
	unsigned slot = idle_.back();
	uint8_t *data = buffers_[slot]->span().data();
	io_uring_sqe *sqe = io_uring_get_sqe(&ring_);

	idle_.pop_back();
	if (job_.write)
		io_uring_prep_write(sqe, fd_.get(), data, job_.block, offsets_->next());
	else
		io_uring_prep_read(sqe, fd_.get(), data, job_.block, offsets_->next());
	io_uring_sqe_set_data64(sqe, slot);
}

/// Every answer that is there.
Status Worker::reap()
{
	io_uring_cqe *cqe;
	unsigned head, seen = 0;
	int bad = 0;

	io_uring_for_each_cqe(&ring_, head, cqe) {
		if (cqe->res != static_cast<int>(job_.block))
			bad = cqe->res < 0 ? -cqe->res : EIO;
		idle_.push_back(static_cast<unsigned>(cqe->user_data));
		seen++;
	}
	io_uring_cq_advance(&ring_, seen);
	return bad ? Status(Error{bad, job_.device, job_.write ? "write" : "read"}) : Status();
}

Status Worker::run_queued(uint64_t ios)
{
	uint64_t left = ios;

	while (left || idle_.size() < job_.depth) {
		for (; left && !idle_.empty(); left--)
			submit_one();
		int err = io_uring_submit_and_wait(&ring_, 1);
		if (err < 0)
			return Error{-err, job_.device, "io_uring_enter on"};
		LIO_CHECK(reap());
	}
	return {};
}

} // namespace

Result<uint64_t> run_jobs(const std::vector<Job> &jobs, uint64_t warm_up)
{
	std::vector<std::unique_ptr<Worker>> workers;
	for (const Job &job : jobs) {
		workers.push_back(std::make_unique<Worker>(job));
		LIO_CHECK(workers.back()->prepare(workers.size()));
	}
	uint64_t start = 0, end = 0;
	std::vector<Status> results(jobs.size());
	std::vector<std::thread> threads;
	std::barrier warm(static_cast<ptrdiff_t>(jobs.size()), [&]() noexcept { mark_start(); start = now_ns(); });
	std::barrier done(static_cast<ptrdiff_t>(jobs.size()), [&]() noexcept { end = now_ns(); mark_stop(); });
	for (size_t n = 0; n < jobs.size(); n++)
		threads.emplace_back([&, n] {
			results[n] = workers[n]->pin();
			if (results[n])
				results[n] = workers[n]->run(warm_up);
			warm.arrive_and_wait();
			if (results[n])
				results[n] = workers[n]->run(jobs[n].ios);
			done.arrive_and_wait();
		});
	for (auto &t : threads)
		t.join();
	for (const Status &s : results)
		LIO_CHECK(s);
	return end - start;
}

// Long no-operations with a displacement that nothing else uses: "LIO" and the mark.
void mark_start()
{
	asm volatile(".byte 0x0f, 0x1f, 0x80, 0x4c, 0x49, 0x4f, 0x01" ::: "memory");
}

void mark_stop()
{
	asm volatile(".byte 0x0f, 0x1f, 0x80, 0x4c, 0x49, 0x4f, 0x02" ::: "memory");
}

} // namespace lio::bench
