// SPDX-License-Identifier: GPL-2.0
#include "backstore_stage.hpp"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "module.hpp"
#include "pattern.hpp"
#include "test_env.hpp"

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
		// WRITE SAME may unmap only what then reads as what was to be written (SBC-4, 5.49).
		attribs.insert(attribs.end(), {{"emulate_tpu", "1"}, {"emulate_tpws", "1"}, {"unmap_zeroes_data", "1"}});
	LIO_TRY(LoopDisk disk,
		make_disk(lower_spec(c.lower, device.loop ? device.loop->node() : device.file), attribs));
	LIO_TRY(SgDevice sg, open_ready(disk));
	return Stage{std::move(device), std::move(disk), std::move(sg), c.block_size};
}

Result<std::string> debug_device(const std::vector<std::string> &params)
{
	expect_dmesg("scsi_debug:sdebug_(driver_probe|add_store): ", Need::optional);
	expect_dmesg("^(scsi|sd|st|sr|ch) [0-9:]+: Power-on or device reset occurred", Need::optional);
	std::vector<std::string> all = {"dev_size_mb=16"};
	all.insert(all.end(), params.begin(), params.end());
	LIO_CHECK(load_module("sg"));
	LIO_CHECK(load_module("scsi_debug", all));
	const std::string root = "/sys/bus/scsi/devices";
	std::string found;
	LIO_CHECK(wait_until(Deadline(seconds(20)), "scsi_debug's device", [&] {
		for (const auto &name : list_dir(root).value_or({}))
			if (read_value(root + "/" + name + "/model").value_or("").starts_with("scsi_debug") &&
			    !list_dir(root + "/" + name + "/scsi_generic").value_or({}).empty())
				found = root + "/" + name;
		return !found.empty();
	}));
	return found;
}

Result<std::string> debug_disk(const std::vector<std::string> &params)
{
	LIO_CHECK(load_module("sd_mod"));
	LIO_TRY(std::string device, debug_device(params));
	std::string name;
	LIO_CHECK(wait_until(Deadline(seconds(20)), "scsi_debug's disk", [&] {
		auto names = list_dir(device + "/block");
		name = names && !names->empty() ? names->front() : "";
		return !name.empty() && open_fd("/dev/" + name, O_RDONLY).ok();
	}));
	return name;
}

std::string address_control(const std::string &device)
{
	unsigned h = 0, c = 0, t = 0, l = 0;
	EXPECT_EQ(sscanf(device.substr(device.rfind('/') + 1).c_str(), "%u:%u:%u:%u", &h, &c, &t, &l), 4);
	return "scsi_host_id=" + std::to_string(h) + ",scsi_channel_id=" + std::to_string(c) +
	       ",scsi_target_id=" + std::to_string(t) + ",scsi_lun_id=" + std::to_string(l);
}

BackstoreSpec pscsi_spec(const std::string &name)
{
	BackstoreSpec spec;
	spec.plugin = Plugin::pscsi;
	spec.name = name;
	spec.enable = false;
	return spec;
}

Result<Backstore> make_pscsi(const std::string &device, const std::string &node)
{
	LIO_TRY(Backstore p, Backstore::create(pscsi_spec("p")));
	LIO_CHECK(write_value(p.path() + "/udev_path", node));
	LIO_CHECK(p.control(address_control(device)));
	LIO_CHECK(p.enable());
	return p;
}

} // namespace lio::test
