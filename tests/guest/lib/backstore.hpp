// SPDX-License-Identifier: GPL-2.0
// Backstore devices of target_core_mod, made straight in configfs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "file.hpp"
#include "result.hpp"

namespace lio::test {

inline const std::string target_root = "/sys/kernel/config/target";

/// Mounts configfs if need be and loads target_core_mod.
Status ensure_target_core();

enum class Plugin { user, ramdisk, fileio, iblock, pscsi };
/// Name of the HBA directory's first part (user, rd_mcp, fileio, iblock, pscsi) and of its module.
const char *plugin_dir(Plugin p);
const char *plugin_module(Plugin p);

struct BackstoreSpec {
	Plugin plugin = Plugin::ramdisk;
	std::string name;
	/// Each string is written to `control` of its own ("rd_pages=1024").
	std::vector<std::string> control;
	/// Written to attrib/NAME before the device is enabled.
	std::vector<std::pair<std::string, std::string>> attribs;
	std::string serial; ///< wwn/vpd_unit_serial; empty: none
	bool enable = true;
};

// What most tests want, ready to be changed.
BackstoreSpec ramdisk_spec(const std::string &name, uint64_t bytes, bool null_io = false);
BackstoreSpec fileio_spec(const std::string &name, const std::string &file, uint64_t bytes,
			  bool buffered = false);
BackstoreSpec iblock_spec(const std::string &name, const std::string &device);
/// @config as handlers read it, without the leading "tcm-user/": "qcow//path/image".
BackstoreSpec user_spec(const std::string &name, const std::string &config, uint64_t bytes,
			uint32_t block_size = 512);

/// A backstore with an HBA directory of its own; both are removed at the end of the scope.
class Backstore {
	Removal hba_, dev_;

public:
	static Result<Backstore> create(const BackstoreSpec &spec);
	Backstore(Backstore &&) noexcept = default;
	Backstore &operator=(Backstore &&o) noexcept;

	const std::string &path() const { return dev_.path(); }
	std::string name() const;
	std::string attrib(const std::string &attr) const { return path() + "/attrib/" + attr; }

	Result<std::string> get(const std::string &attr) const { return read_value(attrib(attr)); }
	Status set(const std::string &attr, std::string_view value) const
	{
		return write_value(attrib(attr), value);
	}
	/// A key=value for `control`.
	Status control(std::string_view text) const { return write_value(path() + "/control", text); }
	/// TCMU's action/NAME.
	Status action(const std::string &name, std::string_view value) const
	{
		return write_value(path() + "/action/" + name, value);
	}
	Status enable(milliseconds limit = seconds(60)) const
	{
		return write_value_within(path() + "/enable", "1", limit);
	}
	Result<std::string> info() const { return read_file(path() + "/info"); }

	/// Remove now and tell what went wrong.
	Status destroy(milliseconds limit = removal_limit);
	/// Someone else (a `targetctl clear`) removes it.
	void release();

private:
	Backstore(Removal hba, Removal dev) : hba_(std::move(hba)), dev_(std::move(dev)) {}
	Status configure(const BackstoreSpec &spec) const;
};

/// /dev/uioN of a user backstore: found by its name in /sys/class/uio, within @limit.
Result<std::string> uio_node(const std::string &backstore_name, milliseconds limit = seconds(10));

} // namespace lio::test
