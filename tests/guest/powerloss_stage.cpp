// SPDX-License-Identifier: GPL-2.0
#include "powerloss_stage.hpp"

#include <cstring>

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "module.hpp"
#include "pattern.hpp"
#include "process.hpp"
#include "test_env.hpp"

namespace lio::test {

namespace {

constexpr uint64_t log_bytes = 512 << 20;
const std::string logged_name = "powerlog", top_name = "powertop", handler_store = "lower";

using Store = PowerCase::Store;

Status make_filesystem(const std::string &node)
{
	LIO_CHECK(run_ok({"mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-J", "size=4", "-E",
			  "lazy_itable_init=0,lazy_journal_init=0", node}));
	return {};
}

Result<std::string> queue_attribute(const std::string &node, const char *name)
{
	struct stat st;
	if (stat(node.c_str(), &st))
		return sys_error(node, "stat");
	return "/sys/dev/block/" + std::to_string(major(st.st_rdev)) + ":" + std::to_string(minor(st.st_rdev)) +
	       "/queue/" + name;
}

BackstoreSpec power_spec(const PowerCase &c, const std::string &lower)
{
	switch (c.store) {
	case Store::block:
		return lower_spec(Lower::block, lower, power_lun_bytes);
	case Store::handler:
		return user_spec(handler_store, "file/" + lower, power_lun_bytes);
	case Store::async_file:
		return lower_spec(Lower::async_file, lower, power_lun_bytes);
	case Store::buffered_file:
		return lower_spec(Lower::buffered_file, lower, power_lun_bytes);
	case Store::file:
		break;
	}
	return lower_spec(Lower::file, lower, power_lun_bytes);
}

} // namespace

std::ostream &operator<<(std::ostream &os, const PowerCase &c)
{
	static const char *const names[] = {"file", "buffered_file", "async_file", "iblock", "tcmu_file"};
	return os << names[static_cast<size_t>(c.store)] << (c.filesystem ? "_on_ext4" : "");
}

Result<MappedFile> MappedFile::open(const std::string &path)
{
	LIO_TRY(Fd fd, open_fd(path, O_RDONLY));
	struct stat st;
	if (fstat(fd.get(), &st))
		return sys_error(path, "stat");
	auto size = static_cast<size_t>(st.st_size);
	void *bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
	if (bytes == MAP_FAILED)
		return sys_error(path, "mmap");
	return MappedFile({static_cast<uint8_t *>(bytes), size});
}

MappedFile::~MappedFile()
{
	if (!bytes_.empty())
		munmap(bytes_.data(), bytes_.size());
}

Result<LogMarker> LogMarker::open(const std::string &dm_name)
{
	LIO_TRY(Fd fd, open_fd("/dev/mapper/control", O_RDWR));
	return LogMarker(std::move(fd), dm_name);
}

Status LogMarker::mark(const std::string &text) const
{
	std::string message = "mark " + text;
	std::vector<uint8_t> buf(sizeof(dm_ioctl) + sizeof(dm_target_msg) + message.size() + 1);
	dm_ioctl head = {};
	head.version[0] = DM_VERSION_MAJOR;
	head.data_size = static_cast<uint32_t>(buf.size());
	head.data_start = sizeof(head);
	strncpy(head.name, name_.c_str(), sizeof(head.name) - 1);
	memcpy(buf.data(), &head, sizeof(head));
	memcpy(buf.data() + sizeof(head) + sizeof(dm_target_msg), message.c_str(), message.size() + 1);
	if (ioctl(control_.get(), DM_TARGET_MSG, buf.data()))
		return sys_error("/dev/mapper/" + name_, "the message '" + message + "' to");
	return {};
}

Result<LoggedDevice> LoggedDevice::create(bool filesystem)
{
	expect_dmesg("^device-mapper: core: CONFIG_IMA_DISABLE_HTABLE is disabled", Need::optional);
	// What hundreds of loop devices and mounts make the kernel say.
	expect_dmesg("^set_capacity_and_notify: \\d+ callbacks suppressed$", Need::optional);
	expect_dmesg("^EXT4-fs (un)?mount: \\d+ callbacks suppressed$", Need::optional);
	LIO_CHECK(load_module("dm_log_writes"));
	LIO_CHECK(load_module("dm_delay"));
	LIO_TRY(LowerDevice data, LowerDevice::create(true, 512, power_device_bytes));
	LIO_TRY(LowerDevice log, LowerDevice::create(true, 512, log_bytes));
	LoggedDevice device(std::move(data), std::move(log));
	if (filesystem)
		LIO_CHECK(make_filesystem(device.data_.loop->node()));
	LIO_TRY(MappedFile before, MappedFile::open(device.data_.file));
	device.before_.assign(before.bytes().begin(), before.bytes().end());
	std::string whole = "0 " + std::to_string(power_device_bytes / 512);
	LIO_TRY(DmDevice logged, DmDevice::create(logged_name, whole + " log-writes " + device.data_.loop->node() + " " +
							       device.log_.loop->node()));
	device.logged_.emplace(std::move(logged));
	// Reads, writes and flushes with a delay of 0, 0 and 1 ms.
	std::string below = " " + device.logged_->node() + " 0 ";
	LIO_TRY(DmDevice top, DmDevice::create(top_name, whole + " delay" + below + "0" + below + "0" + below + "1"));
	device.top_.emplace(std::move(top));
	return device;
}

Result<LogMarker> LoggedDevice::marker() const
{
	return LogMarker::open(logged_name);
}

Status LoggedDevice::suppress_flushes() const
{
	LIO_TRY(std::string attribute, queue_attribute(logged_->node(), "write_cache"));
	return write_value(attribute, "write through");
}

Result<MappedFile> LoggedDevice::finish()
{
	top_.reset();
	logged_.reset(); // ends when all is in the log
	return MappedFile::open(log_.file);
}

/// What the backstore is on: the device, or an empty file that is there for good.
Result<std::string> PowerStage::make_lower(const PowerCase &c)
{
	if (!c.filesystem)
		return device_.node();
	std::string dir = dir_ / "mnt", file = dir + "/" + power_file;
	LIO_TRY(Mount mount, Mount::create(device_.node(), dir, "ext4"));
	mount_.emplace(std::move(mount));
	LIO_CHECK(make_sparse_file(file, power_lun_bytes));
	LIO_TRY(Fd fd, open_fd(dir, O_RDONLY | O_DIRECTORY));
	if (syncfs(fd.get()))
		return sys_error(dir, "syncfs of");
	return file;
}

Status PowerStage::make_lun(const PowerCase &c, const std::string &lower)
{
	std::vector<std::pair<std::string, std::string>> attribs;
	if (c.store == Store::handler) {
		LIO_CHECK(ensure_target_core());
		LIO_CHECK(load_module("target_core_user"));
		handler_ = std::make_unique<LiveHandler>(Server::tcmu_file, handler_store, lower);
		LIO_CHECK(handler_->start());
	} else {
		attribs = {{"emulate_tpu", "1"}, {"unmap_zeroes_data", "1"}};
	}
	LIO_TRY(LoopDisk disk, make_disk(power_spec(c, lower), attribs));
	disk_.emplace(std::move(disk));
	return {};
}

Result<PowerStage> PowerStage::create(const PowerCase &c)
{
	LIO_TRY(TempDir dir, TempDir::create());
	LIO_TRY(LoggedDevice device, LoggedDevice::create(c.filesystem));
	PowerStage stage(std::move(dir), std::move(device));
	LIO_TRY(std::string lower, stage.make_lower(c));
	LIO_CHECK(stage.make_lun(c, lower));
	return stage;
}

Result<MappedFile> PowerStage::finish()
{
	disk_.reset();
	if (handler_)
		LIO_CHECK(handler_->stop());
	handler_.reset();
	if (mount_)
		LIO_CHECK(mount_->unmount());
	mount_.reset();
	return device_.finish();
}

} // namespace lio::test
