// SPDX-License-Identifier: GPL-2.0
#include "backstore.hpp"

#include <sys/mount.h>

#include "module.hpp"

namespace lio::test {

namespace {

struct PluginInfo {
	Plugin plugin;
	const char *dir, *module;
};

constexpr PluginInfo plugins[] = {
	{Plugin::user, "user", "target_core_user"},
	{Plugin::ramdisk, "rd_mcp", nullptr}, // part of target_core_mod
	{Plugin::fileio, "fileio", "target_core_file"},
	{Plugin::iblock, "iblock", "target_core_iblock"},
	{Plugin::pscsi, "pscsi", "target_core_pscsi"},
};

const PluginInfo &info_of(Plugin p)
{
	return plugins[static_cast<size_t>(p)];
}

/// The first free HBA_N directory becomes ours.
Result<Removal> make_hba(Plugin plugin)
{
	std::string base = target_root + "/core/" + plugin_dir(plugin) + "_";
	for (int n = 0; n < 10000; n++) {
		auto guard = make_dir_guard(base + std::to_string(n));
		if (guard || guard.code() != EEXIST)
			return guard;
	}
	return Error{ENOSPC, base, "no free HBA number for"};
}

} // namespace

const char *plugin_dir(Plugin p)
{
	return info_of(p).dir;
}

const char *plugin_module(Plugin p)
{
	return info_of(p).module;
}

Status ensure_target_core()
{
	// The core's default dbroot, which it looks for when it is loaded: APTPL and ALUA files.
	LIO_CHECK(make_dirs("/etc/target/pr"));
	if (!exists("/sys/kernel/config"))
		LIO_CHECK(load_module("configfs"));
	if (!exists(target_root)) {
		if (list_dir("/sys/kernel/config").value_or({}).empty() &&
		    mount("configfs", "/sys/kernel/config", "configfs", 0, nullptr) && errno != EBUSY)
			return sys_error("/sys/kernel/config", "mount configfs on");
		LIO_CHECK(load_module("target_core_mod"));
	}
	return {};
}

BackstoreSpec ramdisk_spec(const std::string &name, uint64_t bytes, bool null_io)
{
	BackstoreSpec s;
	s.plugin = Plugin::ramdisk;
	s.name = name;
	s.control.push_back("rd_pages=" + std::to_string(bytes / 4096));
	if (null_io)
		s.control.push_back("rd_nullio=1");
	return s;
}

BackstoreSpec fileio_spec(const std::string &name, const std::string &file, uint64_t bytes, bool buffered)
{
	BackstoreSpec s;
	s.plugin = Plugin::fileio;
	s.name = name;
	s.control.push_back("fd_dev_name=" + file + ",fd_dev_size=" + std::to_string(bytes));
	if (buffered)
		s.control.push_back("fd_buffered_io=1");
	return s;
}

BackstoreSpec iblock_spec(const std::string &name, const std::string &device)
{
	BackstoreSpec s;
	s.plugin = Plugin::iblock;
	s.name = name;
	s.control.push_back("udev_path=" + device);
	return s;
}

BackstoreSpec user_spec(const std::string &name, const std::string &config, uint64_t bytes,
			uint32_t block_size)
{
	BackstoreSpec s;
	s.plugin = Plugin::user;
	s.name = name;
	s.control.push_back("dev_config=" + config);
	s.control.push_back("dev_size=" + std::to_string(bytes));
	s.control.push_back("hw_block_size=" + std::to_string(block_size));
	return s;
}

Status Backstore::configure(const BackstoreSpec &spec) const
{
	for (const auto &c : spec.control)
		LIO_CHECK(control(c));
	for (const auto &[attr, value] : spec.attribs)
		LIO_CHECK(set(attr, value));
	if (spec.enable)
		LIO_CHECK(enable());
	if (!spec.serial.empty())
		LIO_CHECK(write_value(path() + "/wwn/vpd_unit_serial", spec.serial));
	return {};
}

Result<Backstore> Backstore::create(const BackstoreSpec &spec)
{
	LIO_CHECK(ensure_target_core());
	if (const char *module = plugin_module(spec.plugin))
		LIO_CHECK(load_module(module));
	LIO_TRY(Removal hba, make_hba(spec.plugin));
	LIO_TRY(Removal dev, make_dir_guard(hba.path() + "/" + spec.name));
	Backstore b(std::move(hba), std::move(dev));
	LIO_CHECK(b.configure(spec));
	return b;
}

Backstore &Backstore::operator=(Backstore &&o) noexcept
{
	dev_ = std::move(o.dev_); // the device goes before its HBA
	hba_ = std::move(o.hba_);
	return *this;
}

std::string Backstore::name() const
{
	return path().substr(path().rfind('/') + 1);
}

Status Backstore::destroy(milliseconds limit)
{
	LIO_CHECK(dev_.remove(limit));
	return hba_.remove(limit);
}

void Backstore::release()
{
	dev_.release();
	hba_.release();
}

Result<std::string> uio_node(const std::string &backstore_name, milliseconds limit)
{
	std::string found;
	auto look = [&] {
		for (const auto &uio : list_dir("/sys/class/uio").value_or({})) {
			// tcm-user/HBA/NAME/CONFIG
			std::string name = read_value("/sys/class/uio/" + uio + "/name").value_or({});
			size_t hba = name.find('/');
			size_t dev = hba == std::string::npos ? hba : name.find('/', hba + 1);
			if (name.rfind("tcm-user/", 0) == 0 && dev != std::string::npos &&
			    name.compare(dev + 1, backstore_name.size() + 1, backstore_name + "/") == 0)
				found = "/dev/" + uio;
		}
		return !found.empty();
	};
	LIO_CHECK(wait_until(Deadline(limit), "uio device of " + backstore_name, look));
	return found;
}

} // namespace lio::test
