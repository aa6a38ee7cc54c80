// SPDX-License-Identifier: GPL-2.0
// What is measured: disks served by a null handler, a null ramdisk, and ublk.
#pragma once

#include <memory>
#include <string>

#include <sys/types.h>

#include "loopback.hpp"
#include "process.hpp"

namespace lio::bench {

inline constexpr uint64_t disk_bytes = 1ull << 30;

/// A block device and whatever serves it.
class Target {
public:
	virtual ~Target() = default;
	const std::string &device() const { return device_; }
	/// The process that serves it; 0: none does.
	virtual pid_t server() const { return 0; }

protected:
	std::string device_;
};

/// tcmu-null over loopback. @touch_data: reads are zeroes; else nobody touches the data.
lio::test::Result<std::unique_ptr<Target>> make_tcmu_null(bool touch_data);
/// A ramdisk without I/O (rd_nullio) over loopback.
lio::test::Result<std::unique_ptr<Target>> make_ramdisk_null();
/// A ramdisk that keeps what is written, over loopback.
lio::test::Result<std::unique_ptr<Target>> make_ramdisk();
/// fileio in its default mode (each write is synced) on a file in tmpfs: the target's share and one
/// copy by the page cache, no disk below.
lio::test::Result<std::unique_ptr<Target>> make_fileio();
/// iblock on a null_blk, which completes in softirqs. @memory_backed: it keeps what is written.
lio::test::Result<std::unique_ptr<Target>> make_iblock(bool memory_backed);
/// ublk-null, one queue a processor.
lio::test::Result<std::unique_ptr<Target>> make_ublk_null();

/// The disk answers, has the size that was asked for, and reads as zeroes everywhere it is tried.
lio::test::Status verify_zeroes(const std::string &device);
/// What is written is read back, at sizes from 512 bytes to 1 MiB.
lio::test::Status verify_storage(const std::string &device);

/// The same queue settings for every disk, whatever the driver's defaults are.
lio::test::Status settle_queue(const std::string &device);
/// Requests completed so far, by /sys/block/NAME/stat.
lio::test::Result<uint64_t> completed_requests(const std::string &device);

} // namespace lio::bench
