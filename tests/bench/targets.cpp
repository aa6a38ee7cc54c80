// SPDX-License-Identifier: GPL-2.0
#include "targets.hpp"

#include <algorithm>
#include <csignal>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "block_io.hpp"
#include "file.hpp"
#include "module.hpp"

namespace lio::bench {

using namespace lio::test;

namespace {

constexpr uint64_t kernel_bytes = 64 << 20; ///< of disks whose size is memory

/// Members go in the reverse order: the LUN, then its backstore, then the handler.
class TcmuTarget : public Target {
	Process handler_;
	LoopDisk disk_;

public:
	TcmuTarget(Process handler, LoopDisk disk, std::string device)
		: handler_(std::move(handler)), disk_(std::move(disk))
	{
		device_ = std::move(device);
	}
	pid_t server() const override { return handler_.pid(); }
	~TcmuTarget() override
	{
		// The device goes while its handler still answers.
		if (disk_.lun.destroy() && disk_.target.destroy() && disk_.backstore.destroy())
			(void)handler_.stop();
	}
};

/// A LUN in the kernel and what is below it, which goes last.
template <typename Below> class KernelTarget : public Target {
	Below below_;
	LoopDisk disk_;

public:
	KernelTarget(Below below, LoopDisk disk, std::string device)
		: below_(std::move(below)), disk_(std::move(disk))
	{
		device_ = std::move(device);
	}
};

struct Nothing {};

template <typename Below> Result<std::unique_ptr<Target>> kernel_target(Below below, const BackstoreSpec &spec)
{
	LIO_TRY(LoopDisk disk, LoopDisk::create(spec));
	LIO_TRY(std::string node, disk.lun.block_node());
	return std::unique_ptr<Target>(new KernelTarget<Below>(std::move(below), std::move(disk), node));
}

/// A null_blk of its own, made in configfs.
class NullBlock {
	Removal dir_;
	std::string node_;

public:
	static Result<NullBlock> create(const std::string &name, bool memory_backed);
	NullBlock(Removal dir, std::string node) : dir_(std::move(dir)), node_(std::move(node)) {}
	NullBlock(NullBlock &&) noexcept = default;
	const std::string &node() const { return node_; }
};

Result<NullBlock> NullBlock::create(const std::string &name, bool memory_backed)
{
	LIO_CHECK(load_module("null_blk", {"nr_devices=0"}));
	LIO_TRY(Removal dir, make_dir_guard("/sys/kernel/config/nullb/" + name));
	for (auto [attr, value] : {std::pair{"size", "64"}, {"blocksize", "512"},
				   {"memory_backed", memory_backed ? "1" : "0"}, {"power", "1"}})
		LIO_CHECK(write_value(dir.path() + "/" + attr, value));
	return NullBlock(std::move(dir), "/dev/" + name);
}

class UblkTarget : public Target {
	Process server_;

public:
	UblkTarget(Process server, std::string device) : server_(std::move(server)) { device_ = std::move(device); }
	pid_t server() const override { return server_.pid(); }
	~UblkTarget() override { (void)server_.stop(); }
};

/// Every block of it is there: a hole would be read from one page of zeroes.
Status fill_file(const std::string &path, uint64_t bytes)
{
	LIO_TRY(Fd file, open_fd(path, O_WRONLY | O_CREAT | O_EXCL));
	std::vector<uint8_t> part(1 << 20, 0x5a);
	for (uint64_t at = 0; at < bytes; at += part.size())
		if (pwrite(file.get(), part.data(), part.size(), static_cast<off_t>(at)) !=
		    static_cast<ssize_t>(part.size()))
			return sys_error(path, "write");
	return {};
}

std::string sysfs(const std::string &device)
{
	return "/sys/block/" + device.substr(device.rfind('/') + 1);
}

} // namespace

Result<std::unique_ptr<Target>> make_tcmu_null(bool touch_data)
{
	LIO_CHECK(ensure_target_core());
	LIO_CHECK(load_module("target_core_user"));
	std::vector<std::string> argv{"tcmu-null", "--quiet", "--ready-fd", "1"};
	if (!touch_data)
		argv.push_back("--no-data");
	LIO_TRY(Process handler, Process::spawn(argv));
	// Nobody else would answer the announcement for which the kernel waits once a handler has asked it to.
	LIO_CHECK(wait_until(Deadline(seconds(60)), "tcmu-null", [&] {
		return handler.output().find("ready") != std::string::npos || !handler.running();
	}));
	BackstoreSpec spec = user_spec("null", "null/bench", disk_bytes);
	// Without this a LUN takes 64 KiB at a time, and 1 MiB is sixteen commands.
	spec.control.push_back("hw_max_sectors=2048");
	LIO_TRY(LoopDisk disk, LoopDisk::create(spec));
	LIO_TRY(std::string node, disk.lun.block_node());
	return std::unique_ptr<Target>(new TcmuTarget(std::move(handler), std::move(disk), node));
}

Result<std::unique_ptr<Target>> make_ramdisk_null()
{
	// rd_nullio allocates its pages all the same.
	return kernel_target(Nothing(), ramdisk_spec("rdnull", kernel_bytes, true));
}

Result<std::unique_ptr<Target>> make_ramdisk()
{
	return kernel_target(Nothing(), ramdisk_spec("rd", 16 << 20, false));
}

Result<std::unique_ptr<Target>> make_fileio()
{
	LIO_TRY(TempDir dir, TempDir::create());
	std::string path = dir / "image";
	LIO_CHECK(fill_file(path, kernel_bytes));
	return kernel_target(std::move(dir), fileio_spec("file", path, kernel_bytes));
}

Result<std::unique_ptr<Target>> make_iblock(bool memory_backed)
{
	LIO_TRY(NullBlock below, NullBlock::create(memory_backed ? "nullmem" : "nullnone", memory_backed));
	std::string node = below.node();
	return kernel_target(std::move(below), iblock_spec("block", node));
}

Result<std::unique_ptr<Target>> make_ublk_null()
{
	LIO_CHECK(load_module("ublk_drv"));
	LIO_CHECK(wait_until(Deadline(seconds(20)), "/dev/ublk-control", [] { return exists("/dev/ublk-control"); }));
	unsigned queues = std::max(1u, std::thread::hardware_concurrency());
	LIO_TRY(Process server, Process::spawn({"ublk-null", "--bytes", std::to_string(disk_bytes), "--queues",
						std::to_string(queues)}));
	LIO_CHECK(wait_until(Deadline(seconds(30)), "ublk-null", [&] {
		return server.output().find('\n') != std::string::npos || !server.running();
	}));
	std::string device = server.output();
	if (device.rfind("/dev/ublkb", 0) != 0)
		return Error{EIO, "ublk-null", device};
	device.erase(device.find('\n'));
	return std::unique_ptr<Target>(new UblkTarget(std::move(server), device));
}

Status verify_zeroes(const std::string &device)
{
	LIO_TRY(BlockFile file, BlockFile::open(device));
	LIO_TRY(uint64_t sectors, read_number(sysfs(device) + "/size"));
	uint64_t bytes = sectors * 512;
	for (uint64_t size : {4096ul, 65536ul, 1048576ul}) {
		AlignedBuffer buffer(size);
		for (uint64_t at : {0ul, (bytes / 2) & ~4095ul, bytes - size}) {
			std::fill(buffer.span().begin(), buffer.span().end(), 0xff);
			LIO_CHECK(file.read_at(at, buffer.span()));
			if (std::any_of(buffer.span().begin(), buffer.span().end(), [](uint8_t b) { return b; }))
				return Error{EILSEQ, device, "not zero what was read at " + std::to_string(at)};
		}
	}
	return {};
}

Status verify_storage(const std::string &device)
{
	LIO_TRY(BlockFile file, BlockFile::open(device));
	uint64_t at = 0, generation = 0;
	for (uint64_t size : {512ul, 4096ul, 65536ul, 1048576ul}) {
		at += size;
		LIO_CHECK(file.write_pattern(at, size, ++generation));
		LIO_CHECK(file.verify_pattern(at, size, generation));
	}
	return {};
}

Status settle_queue(const std::string &device)
{
	std::string queue = sysfs(device) + "/queue/";
	LIO_CHECK(write_value(queue + "scheduler", "none"));
	LIO_CHECK(write_value(queue + "nomerges", "2"));
	LIO_CHECK(write_value(queue + "add_random", "0"));
	return write_value(queue + "max_sectors_kb", "1024");
}

Result<uint64_t> completed_requests(const std::string &device)
{
	LIO_TRY(std::string stat, read_value(sysfs(device) + "/stat"));
	std::istringstream in(stat);
	uint64_t field, sum = 0;
	for (int n = 0; n < 5 && in >> field; n++)
		if (n == 0 || n == 4) // reads and writes completed
			sum += field;
	return sum;
}

} // namespace lio::bench
