// SPDX-License-Identifier: GPL-2.0
// A LUN whose device keeps a log of what became permanent, and a file system on it where the case wants one.
#pragma once

#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "backstore_stage.hpp"
#include "durability.hpp"
#include "tcmu_common.hpp"

namespace lio::test {

/// A file's content, which stays when the file is removed.
class MappedFile {
	std::span<uint8_t> bytes_;

public:
	static Result<MappedFile> open(const std::string &path);
	MappedFile(MappedFile &&o) noexcept : bytes_(std::exchange(o.bytes_, {})) {}
	MappedFile &operator=(MappedFile &&) = delete;
	~MappedFile();
	std::span<const uint8_t> bytes() const { return bytes_; }

private:
	explicit MappedFile(std::span<uint8_t> bytes) : bytes_(bytes) {}
};

/// Which backstore, and what it is on.
struct PowerCase {
	enum class Store { file, buffered_file, async_file, block, handler } store;
	bool filesystem;
};
std::ostream &operator<<(std::ostream &os, const PowerCase &c);

inline constexpr uint64_t power_device_bytes = 16 << 20, power_lun_bytes = 4 << 20;

/// Puts marks into dm-log-writes' log.
class LogMarker {
	Fd control_;
	std::string name_;

public:
	static Result<LogMarker> open(const std::string &dm_name);
	Status mark(const std::string &text) const;

private:
	LogMarker(Fd control, std::string name) : control_(std::move(control)), name_(std::move(name)) {}
};

/// dm-log-writes over a loop device. Above it is a device that passes on one flush after the other: a flush
/// that overtook one that had begun would be in the log before it, without the writes that both cover. It
/// can lose them, too: it announces a cache, but the block layer ends what it passes on when the device
/// below says that it has none.
class LoggedDevice {
	LowerDevice data_, log_;
	std::optional<DmDevice> logged_, top_;
	std::vector<uint8_t> before_;

public:
	/// With an ext4 if @filesystem.
	static Result<LoggedDevice> create(bool filesystem);
	std::string node() const { return top_->node(); }
	Result<LogMarker> marker() const;
	/// From now on flushes and FUA are acknowledged, and do nothing.
	Status suppress_flushes() const;
	/// What was on the device when the log began.
	const std::vector<uint8_t> &before() const { return before_; }
	/// What is on it now, whatever the log says.
	Result<MappedFile> now() const { return MappedFile::open(data_.file); }
	/// Give up the device: all of its log.
	Result<MappedFile> finish();

private:
	LoggedDevice(LowerDevice data, LowerDevice log) : data_(std::move(data)), log_(std::move(log)) {}
};

/// Everything from the log to the LUN.
class PowerStage {
	TempDir dir_;
	LoggedDevice device_;
	std::optional<Mount> mount_;
	std::unique_ptr<LiveHandler> handler_;
	std::optional<LoopDisk> disk_;

public:
	static Result<PowerStage> create(const PowerCase &c);
	const LoggedDevice &device() const { return device_; }
	const LoopDisk &disk() const { return *disk_; }
	/// Take the LUN and the rest apart: the log.
	Result<MappedFile> finish();

private:
	PowerStage(TempDir dir, LoggedDevice device) : dir_(std::move(dir)), device_(std::move(device)) {}
	Result<std::string> make_lower(const PowerCase &c);
	Status make_lun(const PowerCase &c, const std::string &lower);
};

/// Name of the LUN's file in the file system.
inline const std::string power_file = "lun";

} // namespace lio::test
