// SPDX-License-Identifier: GPL-2.0
// Other things of the guest with owners: mounts, loop and dm devices, network namespaces.
#pragma once

#include <string>
#include <vector>

#include "clock.hpp"
#include "file.hpp"
#include "result.hpp"

namespace lio::test {

class Mount {
	std::string dir_;

public:
	static Result<Mount> create(const std::string &source, const std::string &dir, const std::string &type,
				    const std::string &options = "");
	Mount(Mount &&o) noexcept : dir_(std::exchange(o.dir_, {})) {}
	Mount &operator=(Mount &&) = delete;
	~Mount();
	const std::string &path() const { return dir_; }
	Status unmount(milliseconds limit = removal_limit);

private:
	explicit Mount(std::string dir) : dir_(std::move(dir)) {}
};

/// A file as /dev/loopN.
class LoopDevice {
	std::string node_;

public:
	static Result<LoopDevice> create(const std::string &file, bool direct_io = false);
	LoopDevice(LoopDevice &&o) noexcept : node_(std::exchange(o.node_, {})) {}
	LoopDevice &operator=(LoopDevice &&) = delete;
	~LoopDevice();
	const std::string &node() const { return node_; }

private:
	explicit LoopDevice(std::string node) : node_(std::move(node)) {}
};

/// A device-mapper device. A suspended one is the backend that never answers.
class DmDevice {
	std::string name_;

public:
	/// @table as dmsetup reads it: "0 2048 linear /dev/loop0 0".
	static Result<DmDevice> create(const std::string &name, const std::string &table);
	/// The whole of @device, passed through.
	static Result<DmDevice> linear(const std::string &name, const std::string &device);
	DmDevice(DmDevice &&o) noexcept : name_(std::exchange(o.name_, {})) {}
	DmDevice &operator=(DmDevice &&) = delete;
	~DmDevice();

	std::string node() const { return "/dev/mapper/" + name_; }
	/// From now on I/O waits until resume(); what is in flight is not waited for.
	Status suspend() const;
	Status resume() const;
	/// Suspend, load @table, resume: "0 2048 error" makes everything fail.
	Status replace(const std::string &table) const;

private:
	explicit DmDevice(std::string name) : name_(std::move(name)) {}
};

Result<uint64_t> block_device_bytes(const std::string &node);

/// A network namespace with one end of a veth pair; the other end stays in the root namespace.
class NetNamespace {
	std::string name_;

public:
	/// Addresses with prefix length, "10.1.0.1/24"; @index tells several namespaces apart.
	static Result<NetNamespace> create(unsigned index, const std::string &outer, const std::string &inner);
	NetNamespace(NetNamespace &&o) noexcept : name_(std::exchange(o.name_, {})) {}
	NetNamespace &operator=(NetNamespace &&) = delete;
	~NetNamespace();
	const std::string &name() const { return name_; }

private:
	explicit NetNamespace(std::string name) : name_(std::move(name)) {}
};

} // namespace lio::test
