// SPDX-License-Identifier: GPL-2.0
// LUNs over loopback on each kind of file and block device.
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "loopback.hpp"
#include "system.hpp"

namespace lio::test {

enum class Lower { file, buffered_file, async_file, block_file, block };
std::ostream &operator<<(std::ostream &os, Lower lower);

struct LowerCase {
	Lower lower;
	uint32_t block_size;
};
std::ostream &operator<<(std::ostream &os, const LowerCase &c);

inline constexpr uint64_t stage_bytes = 16 << 20;

/// A file, perhaps as a loop device, and what is given to a backstore.
struct LowerDevice {
	TempDir dir;
	std::string file;
	std::optional<LoopDevice> loop;
	/// @block_size of a loop device.
	static Result<LowerDevice> create(bool as_block_device, uint32_t block_size = 512,
					  uint64_t bytes = stage_bytes);
	/// The loop device takes the file's size.
	Status grow(uint64_t bytes) const;
};

bool is_block(Lower lower);
BackstoreSpec lower_spec(Lower lower, const std::string &path, uint64_t bytes = stage_bytes);

/// A backstore on LUN 0, from the bottom up.
struct Stage {
	LowerDevice device;
	LoopDisk disk;
	SgDevice sg;
	uint32_t block_size;

	static Result<Stage> create(const LowerCase &c, bool thin = false);
};

/// scsi_debug, loaded with @params; the sysfs directory of its one SCSI device, ready. Unload it in the end.
Result<std::string> debug_device(const std::vector<std::string> &params = {});
/// The same for a disk: its name (sdX).
Result<std::string> debug_disk(const std::vector<std::string> &params = {});

/// What pscsi wants in control for @device, a directory named "H:C:T:L".
std::string address_control(const std::string &device);
/// It is not enabled: control and udev_path are to be written first.
BackstoreSpec pscsi_spec(const std::string &name);
/// The backstore for @device, whose block or character device is @node.
Result<Backstore> make_pscsi(const std::string &device, const std::string &node);

/// @spec's backstore with @attribs set once it is enabled, on LUN 0.
Result<LoopDisk> make_disk(const BackstoreSpec &spec,
			   const std::vector<std::pair<std::string, std::string>> &attribs = {});
/// Its sg node, after the unit attentions of a new LUN.
Result<SgDevice> open_ready(const LoopDisk &disk);

} // namespace lio::test
