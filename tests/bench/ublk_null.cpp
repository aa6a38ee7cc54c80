// SPDX-License-Identifier: GPL-2.0
// ublk-null: a ublk server that answers every request at once and touches no data: the yardstick
// beside TCMU's null handler. Prints the block device's name when it is there; ends by SIGTERM.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <liburing.h>
#include <linux/ublk_cmd.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {

struct Options {
	uint64_t bytes = 1ull << 30;
	uint32_t max_io = 1 << 20;
	uint16_t queues = 1;
	uint16_t depth = 64;
};

[[noreturn]] void fail(int error, const std::string &what)
{
	throw std::system_error(error, std::generic_category(), what);
}

class File {
	int fd_;

public:
	explicit File(const std::string &path) : fd_(open(path.c_str(), O_RDWR | O_CLOEXEC))
	{
		if (fd_ < 0)
			fail(errno, path);
	}
	File(const File &) = delete;
	~File() { close(fd_); }
	int get() const { return fd_; }
};

class Uring {
	io_uring ring_;

public:
	Uring(unsigned entries, unsigned flags)
	{
		if (int err = io_uring_queue_init(entries, &ring_, flags))
			fail(-err, "io_uring_queue_init");
	}
	Uring(const Uring &) = delete;
	~Uring() { io_uring_queue_exit(&ring_); }
	io_uring *operator&() { return &ring_; }
};

/// liburing 2.3 has no helper for the file's own commands.
template <class Command> Command *prepare(io_uring_sqe *sqe, int fd, unsigned op)
{
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, nullptr, 0, 0);
	sqe->cmd_op = op;
	return reinterpret_cast<Command *>(sqe->cmd);
}

/// /dev/ublk-control: one command at a time.
class Control {
	File file_{"/dev/ublk-control"};
	Uring ring_{4, IORING_SETUP_SQE128};

public:
	void command(unsigned op, uint32_t id, void *buffer, size_t length, uint64_t data = 0)
	{
		io_uring_sqe *sqe = io_uring_get_sqe(&ring_);
		memset(sqe, 0, 2 * sizeof(*sqe));
		auto *cmd = prepare<ublksrv_ctrl_cmd>(sqe, file_.get(), op);
		cmd->dev_id = id;
		cmd->queue_id = UINT16_MAX;
		cmd->addr = reinterpret_cast<uint64_t>(buffer);
		cmd->len = static_cast<uint16_t>(length);
		cmd->data[0] = data;
		io_uring_submit(&ring_);
		io_uring_cqe *cqe;
		int err = io_uring_wait_cqe(&ring_, &cqe);
		if (!err)
			err = cqe->res;
		if (err < 0)
			fail(-err, "ublk control command " + std::to_string(op));
		io_uring_cqe_seen(&ring_, cqe);
	}
};

/// One hardware queue, served by the thread that calls serve().
class Queue {
	int fd_;
	uint16_t id_, depth_;
	size_t map_bytes_;
	const ublksrv_io_desc *requests_;
	size_t buffer_bytes_;
	uint8_t *buffers_; ///< the driver copies to and from these
	std::unique_ptr<Uring> ring_;

public:
	Queue(int fd, uint16_t id, const Options &options)
		: fd_(fd), id_(id), depth_(options.depth),
		  map_bytes_((depth_ * sizeof(ublksrv_io_desc) + 4095) / 4096 * 4096), buffer_bytes_(options.max_io)
	{
		off_t at = UBLKSRV_CMD_BUF_OFFSET + id_ * UBLK_MAX_QUEUE_DEPTH * sizeof(ublksrv_io_desc);
		void *map = mmap(nullptr, map_bytes_, PROT_READ, MAP_SHARED | MAP_POPULATE, fd_, at);
		if (map == MAP_FAILED)
			fail(errno, "mmap of the request descriptors");
		requests_ = static_cast<const ublksrv_io_desc *>(map);
		map = mmap(nullptr, depth_ * buffer_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (map == MAP_FAILED)
			fail(errno, "mmap of the buffers");
		buffers_ = static_cast<uint8_t *>(map);
	}
	Queue(const Queue &) = delete;
	~Queue()
	{
		munmap(buffers_, depth_ * buffer_bytes_);
		munmap(const_cast<ublksrv_io_desc *>(requests_), map_bytes_);
	}

	/// Until the device is stopped: then every fetch comes back as aborted.
	void serve()
	{
		unsigned aborted = 0;

		ring_ = std::make_unique<Uring>(depth_, IORING_SETUP_COOP_TASKRUN);
		for (uint16_t tag = 0; tag < depth_; tag++)
			hand_in(UBLK_IO_FETCH_REQ, tag, 0);
		while (aborted < depth_) {
			io_uring_submit_and_wait(&*ring_, 1);
			aborted += reap();
		}
	}

private:
	unsigned reap()
	{
		unsigned head, seen = 0, aborted = 0;
		io_uring_cqe *cqe;

		io_uring_for_each_cqe(&*ring_, head, cqe) {
			auto tag = static_cast<uint16_t>(cqe->user_data);
			seen++;
			if (cqe->res == UBLK_IO_RES_OK)
				hand_in(UBLK_IO_COMMIT_AND_FETCH_REQ, tag, result(requests_[tag]));
			else
				aborted++;
		}
		io_uring_cq_advance(&*ring_, seen);
		return aborted;
	}

	static int32_t result(const ublksrv_io_desc &request)
	{
		switch (ublksrv_get_op(&request)) {
		case UBLK_IO_OP_READ:
		case UBLK_IO_OP_WRITE:
			return static_cast<int32_t>(request.nr_sectors << 9);
		case UBLK_IO_OP_FLUSH:
			return 0;
		default:
			return -EOPNOTSUPP;
		}
	}

	void hand_in(unsigned op, uint16_t tag, int32_t answer)
	{
		io_uring_sqe *sqe = io_uring_get_sqe(&*ring_);
		auto *cmd = prepare<ublksrv_io_cmd>(sqe, fd_, op);
		cmd->q_id = id_;
		cmd->tag = tag;
		cmd->result = answer;
		cmd->addr = reinterpret_cast<uint64_t>(buffers_ + tag * buffer_bytes_);
		io_uring_sqe_set_data64(sqe, tag);
	}
};

ublk_params parameters(const Options &options)
{
	ublk_params p = {};

	p.len = sizeof(p);
	p.types = UBLK_PARAM_TYPE_BASIC;
	p.basic.logical_bs_shift = 9;
	p.basic.physical_bs_shift = 12;
	p.basic.io_opt_shift = 12;
	p.basic.io_min_shift = 12;
	p.basic.max_sectors = options.max_io >> 9;
	p.basic.dev_sectors = options.bytes >> 9;
	return p;
}

ublksrv_ctrl_dev_info device_info(const Options &options)
{
	ublksrv_ctrl_dev_info info = {};

	info.nr_hw_queues = options.queues;
	info.queue_depth = options.depth;
	info.max_io_buf_bytes = options.max_io;
	info.dev_id = UINT32_MAX;
	info.ublksrv_pid = getpid();
	return info;
}

void wait_for_signal()
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigwait(&set, &sig);
}

/// Threads must inherit the blocked signals.
void block_signals()
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void run(const Options &options)
{
	Control control;
	ublksrv_ctrl_dev_info info = device_info(options);
	ublk_params params = parameters(options);
	std::vector<std::unique_ptr<Queue>> queues;
	std::vector<std::jthread> threads;

	block_signals();
	control.command(UBLK_CMD_ADD_DEV, info.dev_id, &info, sizeof(info));
	{
		File device("/dev/ublkc" + std::to_string(info.dev_id));

		control.command(UBLK_CMD_SET_PARAMS, info.dev_id, &params, sizeof(params));
		for (uint16_t n = 0; n < info.nr_hw_queues; n++) {
			queues.push_back(std::make_unique<Queue>(device.get(), n, options));
			threads.emplace_back([queue = queues.back().get()] { queue->serve(); });
		}
		control.command(UBLK_CMD_START_DEV, info.dev_id, nullptr, 0, static_cast<uint64_t>(getpid()));
		printf("/dev/ublkb%u\n", info.dev_id);
		fflush(stdout);
		wait_for_signal();
		control.command(UBLK_CMD_STOP_DEV, info.dev_id, nullptr, 0);
		threads.clear();
		queues.clear();
	}
	control.command(UBLK_CMD_DEL_DEV, info.dev_id, nullptr, 0);
}

} // namespace

int main(int argc, char **argv)
{
	CLI::App app{"ublk-null: serve a ublk device that discards writes and leaves what is read undefined"};
	Options options;

	app.add_option("--bytes", options.bytes, "size of the device")->capture_default_str();
	app.add_option("--max-io", options.max_io, "largest request in bytes")->capture_default_str();
	app.add_option("--queues", options.queues, "hardware queues")->check(CLI::Range(1, 64))->capture_default_str();
	app.add_option("--depth", options.depth, "requests in flight, per queue")
		->check(CLI::Range(1, 1024))
		->capture_default_str();
	CLI11_PARSE(app, argc, argv);
	try {
		run(options);
	} catch (const std::system_error &e) {
		fprintf(stderr, "ublk-null: %s\n", e.what());
		return 1;
	}
	return 0;
}
