// SPDX-License-Identifier: MIT
/** @file
 * A directory that looks like sysfs, configfs and /dev with one TCMU device.
 */
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include <tcmu/device.hpp>

#include "fake_ring.hpp"

namespace tcmu::test {

/**
 * The UIO file is a regular file: it can be mapped, is always readable, and
 * read() and write() go behind what is mapped. So a thread that waits on it
 * spins, which only costs time.
 */
class FakeDevice {
public:
	static constexpr uint32_t ring_size = 65536;
	static constexpr uint64_t map_bytes = 4 << 20;
	static constexpr uint64_t file_bytes = uint64_t{1} << 33;

	explicit FakeDevice(const std::string &config = "test/x")
	{
		char name[] = "/tmp/tcmu-test-XXXXXX";
		root = mkdtemp(name);
		paths = {root + "/uio", root + "/dev", root + "/target"};
		write("/uio/uio7/name", "tcm-user/0/disk/" + config + "\n");
		write("/uio/uio7/maps/map0/size", "0x400000\n");
		write("/uio/uio8/name", "something else\n");
		write("/target/core/user_0/disk/attrib/hw_block_size", "512\n");
		write("/target/core/user_0/disk/attrib/dev_size", "1048576\n");
		write("/target/core/user_0/disk/attrib/hw_max_sectors", "128\n");
		write("/target/core/user_0/disk/attrib/emulate_write_cache", "1\n");
		write("/target/core/user_0/disk/wwn/vendor_id", "T10 Vendor Identification: ME  \n");
		write("/target/core/user_0/disk/wwn/vpd_unit_serial",
		      "T10 VPD Unit Serial Number: 77aa\n");
		for (const char *action : {"block_dev", "reset_ring", "free_kept_buf"})
			write(std::string("/target/core/user_0/disk/action/") + action, "");
		write("/dev/uio7", "");
		std::filesystem::resize_file(root + "/dev/uio7", file_bytes);
		int fd = open((root + "/dev/uio7").c_str(), O_RDWR | O_CLOEXEC);
		void *at = mmap(nullptr, map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
		memory = {static_cast<std::byte *>(at), map_bytes};
		ring = std::make_unique<FakeRing>(memory, ring_size);
	}
	~FakeDevice()
	{
		munmap(memory.data(), memory.size());
		std::filesystem::remove_all(root);
	}

	void write(const std::string &path, const std::string &text)
	{
		std::filesystem::path full = root + path;
		std::filesystem::create_directories(full.parent_path());
		std::ofstream(full) << text;
	}
	std::string read(const std::string &path)
	{
		std::ifstream file(root + path);
		return {std::istreambuf_iterator<char>(file), {}};
	}
	std::unique_ptr<Device> device(Device::Options options = {})
	{
		options.paths = paths;
		auto info = find_device(paths, 7);
		EXPECT_TRUE(info) << info.error().text();
		auto made = Device::open(*info, options);
		EXPECT_TRUE(made) << made.error().text();
		/* Doorbells and events happen behind the mapping. */
		lseek((*made)->uio().fd(), map_bytes, SEEK_SET);
		return std::move(*made);
	}

	std::string root;
	SystemPaths paths;
	std::span<std::byte> memory;
	std::unique_ptr<FakeRing> ring;
};

} // namespace tcmu::test
