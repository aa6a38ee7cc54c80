// SPDX-License-Identifier: MIT
/** @file
 * Finding TCMU devices and what configfs says of them.
 */
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tcmu/result.hpp>

namespace tcmu {

/** Where the kernel's trees are mounted; tests point it at their own. */
struct SystemPaths {
	std::string uio_class = "/sys/class/uio";
	std::string dev = "/dev";
	std::string target = "/sys/kernel/config/target";
};

/**
 * A device's name as UIO and netlink give it: "tcm-user/HBA/NAME/CONFIG".
 * CONFIG is the dev_config of configfs; by the convention of tcmu-runner it is
 * "SUBTYPE/CFGSTRING", and the subtype picks the handler.
 */
struct DeviceName {
	uint32_t hba = 0;
	std::string name;
	std::string config;

	/** CONFIG up to the first '/'. */
	std::string_view subtype() const;
	/** CONFIG behind the first '/'. */
	std::string_view cfgstring() const;
	/** "user_HBA/NAME", as below target/core. */
	std::string path() const;
};

/** Parse "tcm-user/HBA/NAME/CONFIG"; nothing when it is another driver's. */
std::optional<DeviceName> parse_device_name(std::string_view text);

/** A device that can be opened. */
struct DeviceInfo {
	DeviceName name;
	/** N of /dev/uioN. */
	uint32_t minor = 0;
};

/** The TCMU device with UIO number @p minor. */
Result<DeviceInfo> find_device(const SystemPaths &paths, uint32_t minor);
/** All TCMU devices there are, by UIO number. */
Result<std::vector<DeviceInfo>> scan_devices(const SystemPaths &paths);

/** Size of the shared memory region, from UIO's map0. */
Result<uint64_t> map_size(const SystemPaths &paths, uint32_t minor);

/** The configfs directory of a device. */
class ConfigfsDevice {
public:
	ConfigfsDevice(const SystemPaths &paths, const DeviceName &name);

	/** First line of the file @p leaf, e.g. "attrib/hw_block_size". */
	Result<std::string> read(const std::string &leaf) const;
	/** The same as a number, decimal or 0x…. */
	Result<uint64_t> read_number(const std::string &leaf) const;
	Status write(const std::string &leaf, const std::string &value) const;
	/**
	 * What follows "LABEL: " in the file @p leaf of wwn/, e.g. the serial in
	 * "T10 VPD Unit Serial Number: 1234"; trailing blanks removed.
	 */
	Result<std::string> read_wwn(const std::string &leaf) const;

	/**
	 * Make the kernel end everything that is in the ring and start it anew,
	 * as tcmu-runner does after a crash: hold new commands back
	 * (action/block_dev 1), end those in the ring with BUSY, so that their
	 * initiators repeat them (action/reset_ring 1; 2 would fail them),
	 * continue (action/block_dev 0).
	 */
	Status recover_ring() const;

	const std::string &directory() const { return directory_; }

private:
	std::string directory_;
};

/** What INQUIRY says of the device. */
struct Identity {
	std::string vendor = "LIO-ORG";
	std::string product = "TCMU device";
	std::string revision = "0002";
	/** Unit serial number; empty when configfs has none. */
	std::string serial;
	/** IEEE company id of the NAA designator. */
	uint32_t company_id = 0x001405;
};

/** Read wwn/ of @p device; what is missing keeps its default. */
Identity read_identity(const ConfigfsDevice &device);

} // namespace tcmu
