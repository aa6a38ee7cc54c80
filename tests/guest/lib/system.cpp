// SPDX-License-Identifier: GPL-2.0
#include "system.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "module.hpp"
#include "process.hpp"

namespace lio::test {

namespace {

/// For destructors: a clean-up that fails is a failure of the test.
void must(const Status &s)
{
	if (!s)
		ADD_FAILURE() << "clean-up: " << s.error();
}

/// run_ok() where only success counts.
Status command(std::vector<std::string> argv, milliseconds limit = seconds(60), std::string input = {})
{
	SpawnOptions opts;
	opts.input = std::move(input);
	LIO_CHECK(run_ok(std::move(argv), limit, opts));
	return {};
}

} // namespace

Result<Mount> Mount::create(const std::string &source, const std::string &dir, const std::string &type,
			    const std::string &options)
{
	LIO_CHECK(make_dirs(dir));
	std::vector<std::string> argv = {"mount", "-t", type, source, dir};
	if (!options.empty())
		argv.insert(argv.end(), {"-o", options});
	LIO_CHECK(command(std::move(argv)));
	return Mount(dir);
}

Status Mount::unmount(milliseconds limit)
{
	std::string dir = std::exchange(dir_, {});
	return dir.empty() ? Status() : command({"umount", dir}, limit);
}

Mount::~Mount()
{
	must(unmount());
}

Result<LoopDevice> LoopDevice::create(const std::string &file, bool direct_io)
{
	LIO_CHECK(load_module("loop"));
	LIO_TRY(Fd control, open_fd("/dev/loop-control", O_RDWR));
	LIO_TRY(Fd backing, open_fd(file, O_RDWR | (direct_io ? O_DIRECT : 0)));
	int n = ioctl(control.get(), LOOP_CTL_GET_FREE);
	if (n < 0)
		return sys_error("/dev/loop-control", "LOOP_CTL_GET_FREE on");
	std::string node = "/dev/loop" + std::to_string(n);
	LIO_TRY(Fd loop, open_fd(node, O_RDWR));
	loop_config cfg = {};
	cfg.fd = static_cast<unsigned>(backing.get());
	cfg.info.lo_flags = direct_io ? LO_FLAGS_DIRECT_IO : 0;
	if (ioctl(loop.get(), LOOP_CONFIGURE, &cfg))
		return sys_error(node, "LOOP_CONFIGURE of");
	return LoopDevice(std::move(node));
}

LoopDevice::~LoopDevice()
{
	if (node_.empty())
		return;
	auto fd = open_fd(node_, O_RDWR);
	if (!fd || ioctl(fd->get(), LOOP_CLR_FD))
		ADD_FAILURE() << "clean-up: " << sys_error(node_, "LOOP_CLR_FD of");
}

Result<DmDevice> DmDevice::create(const std::string &name, const std::string &table)
{
	LIO_CHECK(load_module("dm_mod"));
	LIO_CHECK(command({"dmsetup", "create", "--noudevsync", name}, seconds(30), table));
	LIO_CHECK(command({"dmsetup", "mknodes", name}));
	return DmDevice(name);
}

Result<DmDevice> DmDevice::linear(const std::string &name, const std::string &device)
{
	LIO_TRY(uint64_t bytes, block_device_bytes(device));
	return create(name, "0 " + std::to_string(bytes / 512) + " linear " + device + " 0");
}

Status DmDevice::suspend() const
{
	return command({"dmsetup", "suspend", "--noudevsync", "--noflush", "--nolockfs", name_});
}

Status DmDevice::resume() const
{
	return command({"dmsetup", "resume", "--noudevsync", name_});
}

Status DmDevice::replace(const std::string &table) const
{
	LIO_CHECK(suspend());
	LIO_CHECK(command({"dmsetup", "load", name_}, seconds(30), table));
	return resume();
}

DmDevice::~DmDevice()
{
	if (name_.empty())
		return;
	must(resume()); // so that nothing waits for it any more
	must(command({"dmsetup", "remove", "--noudevsync", "--retry", name_}));
}

Result<uint64_t> block_device_bytes(const std::string &node)
{
	LIO_TRY(Fd fd, open_fd(node, O_RDONLY));
	uint64_t bytes;
	if (ioctl(fd.get(), BLKGETSIZE64, &bytes))
		return sys_error(node, "BLKGETSIZE64 of");
	return bytes;
}

Result<NetNamespace> NetNamespace::create(unsigned index, const std::string &outer, const std::string &inner)
{
	std::string n = std::to_string(index), name = "lio" + n, out = "vo" + n, in = "vi" + n;
	LIO_CHECK(load_module("veth"));
	LIO_CHECK(command({"ip", "netns", "add", name}));
	NetNamespace ns(name);
	const std::vector<std::vector<std::string>> steps = {
		{"ip", "link", "add", out, "type", "veth", "peer", "name", in, "netns", name},
		{"ip", "addr", "add", outer, "dev", out},
		{"ip", "link", "set", out, "up"},
		{"ip", "-n", name, "addr", "add", inner, "dev", in},
		{"ip", "-n", name, "link", "set", in, "up"},
		{"ip", "-n", name, "link", "set", "lo", "up"},
	};
	for (const auto &step : steps)
		LIO_CHECK(command(step));
	return ns;
}

NetNamespace::~NetNamespace()
{
	if (!name_.empty())
		must(command({"ip", "netns", "del", name_}));
}

} // namespace lio::test
