// SPDX-License-Identifier: GPL-2.0
#include "backstore_stage.hpp"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pattern.hpp"

namespace lio::test {

std::ostream &operator<<(std::ostream &os, Lower lower)
{
	static const char *const names[] = {"file", "buffered file", "async file", "block device as file",
					    "block device"};
	return os << names[static_cast<size_t>(lower)];
}

std::ostream &operator<<(std::ostream &os, const LowerCase &c)
{
	return os << c.lower << ", " << c.block_size << " byte blocks";
}

bool is_block(Lower lower)
{
	return lower == Lower::block_file || lower == Lower::block;
}

Result<LowerDevice> LowerDevice::create(bool as_block_device, uint32_t block_size, uint64_t bytes)
{
	LIO_TRY(TempDir dir, TempDir::create("/var/tmp"));
	std::string file = dir / "image";
	LowerDevice device{std::move(dir), file, std::nullopt};
	if (!as_block_device)
		return device;
	LIO_TRY(std::string made, make_sparse_file(file, bytes));
	LIO_TRY(LoopDevice loop, LoopDevice::create(made));
	device.loop.emplace(std::move(loop));
	LIO_TRY(Fd fd, open_fd(device.loop->node(), O_RDWR));
	if (block_size != 512 && ioctl(fd.get(), LOOP_SET_BLOCK_SIZE, static_cast<unsigned long>(block_size)))
		return sys_error(device.loop->node(), "LOOP_SET_BLOCK_SIZE of");
	return device;
}

Status LowerDevice::grow(uint64_t bytes) const
{
	if (truncate(file.c_str(), static_cast<off_t>(bytes)))
		return sys_error(file, "truncate");
	LIO_TRY(Fd fd, open_fd(loop->node(), O_RDWR));
	if (ioctl(fd.get(), LOOP_SET_CAPACITY))
		return sys_error(loop->node(), "LOOP_SET_CAPACITY of");
	return {};
}

BackstoreSpec lower_spec(Lower lower, const std::string &path, uint64_t bytes)
{
	if (lower == Lower::block)
		return iblock_spec("lower", path);
	BackstoreSpec spec = fileio_spec("lower", path, bytes, lower == Lower::buffered_file);
	if (lower == Lower::async_file)
		spec.control.push_back("fd_async_io=1");
	return spec;
}

Result<LoopDisk> make_disk(const BackstoreSpec &spec,
			   const std::vector<std::pair<std::string, std::string>> &attribs)
{
	LIO_TRY(Backstore backstore, Backstore::create(spec));
	for (const auto &[name, value] : attribs)
		LIO_CHECK(backstore.set(name, value));
	LIO_TRY(LoopTarget target, LoopTarget::create());
	LIO_TRY(LoopLun lun, target.add_lun(0, backstore));
	LIO_CHECK(lun.block_node(seconds(60)));
	return LoopDisk{std::move(backstore), std::move(target), std::move(lun)};
}

Result<SgDevice> open_ready(const LoopDisk &disk)
{
	LIO_TRY(SgDevice sg, disk.lun.open_sg());
	LIO_CHECK(sg.execute_past_ua(cdb::test_unit_ready()));
	return sg;
}

Result<Stage> Stage::create(const LowerCase &c, bool thin)
{
	LIO_TRY(LowerDevice device, LowerDevice::create(is_block(c.lower), c.block_size));
	std::vector<std::pair<std::string, std::string>> attribs;
	if (!is_block(c.lower) && c.block_size != 512)
		attribs.emplace_back("block_size", std::to_string(c.block_size));
	if (thin)
		attribs.insert(attribs.end(), {{"emulate_tpu", "1"}, {"emulate_tpws", "1"}});
	LIO_TRY(LoopDisk disk,
		make_disk(lower_spec(c.lower, device.loop ? device.loop->node() : device.file), attribs));
	LIO_TRY(SgDevice sg, open_ready(disk));
	return Stage{std::move(device), std::move(disk), std::move(sg), c.block_size};
}

} // namespace lio::test
