// SPDX-License-Identifier: GPL-2.0
// What the stress group races on: disks, the LUNs ("slots") that they come and go as, and names that
// are made and removed all the time.
//
// Limits of the distribution's core that the actors keep clear of, since they are not ours to mend:
// - A second `enable` of a device beside one that waits there gives the device another dev_index:
//   each churned device is enabled by one actor only.
// - Unlinking a LUN waits without a limit for a command that is never answered: every device that
//   is linked has a cmd_time_out.
// - A task management function waits uninterruptibly in a work item that the system shares: no
//   device holds a command for longer than hung-task detection takes.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backstore.hpp"
#include "block_io.hpp"
#include "sg.hpp"
#include "stress_engine.hpp"
#include "tcmu_common.hpp"

namespace lio::test {

struct StressDisk {
	enum class Kind { ramdisk, file, runner, scripted } kind;
	std::string name;
	/// A write that failed never comes to pass later (BlockHistory).
	bool exact;
	std::optional<Backstore> store{};
	std::unique_ptr<LiveHandler> handler{};
	bool has_block() const { return kind != Kind::scripted; }
	bool is_user() const { return kind != Kind::ramdisk; }
};

/// A LUN number of a TPG, always for the same disk, so that a node that was opened and is still
/// that of the SCSI address can only be this disk's.
struct StressSlot {
	size_t tpg = 0, disk = 0;
	uint64_t lun = 0;
};

struct StressTpg {
	std::string path, address; ///< address: H:0:T
};

constexpr uint64_t stress_disk_bytes = 32 << 20;
constexpr uint64_t region_blocks = 256; ///< of 4 KiB, for each writer of each disk
/// What a scripted disk reads as, and what is written to it.
constexpr uint64_t scripted_generation = 0x5c00;

enum StressDiskIndex : size_t { disk_ram, disk_steady, disk_killed, disk_runner, disk_script0, disk_script1, nr_stress_disks };

class StressStage {
	TempDir dir_;
	std::vector<StressDisk> disks_;
	std::optional<StressDisk> calm_;
	std::vector<StressTpg> tpgs_;
	std::vector<StressSlot> slots_;
	StressTpg calm_tpg_;
	bool up_ = true;

	/// Protects linked_: which slots may be there. Only a hint of what is worth trying; nothing
	/// else is shared, and nothing waits for the kernel under it.
	mutable std::mutex lock_;
	std::vector<bool> linked_;

public:
	static Result<std::unique_ptr<StressStage>> create();
	~StressStage();

	StressDisk &disk(size_t i) { return disks_[i]; }
	const std::vector<StressSlot> &slots() const { return slots_; }
	const std::vector<StressTpg> &tpgs() const { return tpgs_; }
	const StressTpg &calm_tpg() const { return calm_tpg_; }
	StressDisk &calm() { return *calm_; }

	std::string lun_dir(const StressSlot &slot) const;
	/// Makes the directory too, if it is not there.
	Status link(const StressSlot &slot);
	void set_linked(const StressSlot &slot, bool linked);
	/// A slot that is there, of one disk if that is given; idle() if none is.
	Result<StressSlot> pick_linked(Random &random, std::optional<size_t> disk = {}) const;
	const StressSlot &pick_slot(Random &random) const { return slots_[random() % slots_.size()]; }
	/// Any, or one of a disk that is nowhere: every disk is to have I/O.
	StressSlot pick_to_link(Random &random) const;
	/// Its /sys/bus/scsi/devices directory.
	std::string scsi_device(const StressSlot &slot) const;
	Result<BlockFile> open_block(const StressSlot &slot) const;
	Result<SgDevice> open_sg(const StressSlot &slot) const;
	Result<BlockFile> open_calm() const;

	/// Everything goes, in order, whoever made it; what does not go by its deadline fails the test.
	void tear_down();

private:
	explicit StressStage(TempDir dir) : dir_(std::move(dir)) {}
	Status make_disk(StressDisk disk, std::optional<StressDisk> &into);
	Status make_disks();
	Status make_targets();
	Status make_slots();
	Status link_first();
};

/// Names of what comes and goes besides the slots, shared by all actors.
extern const std::vector<std::string> churned_wwns;
std::string fabric_dir();

// The actors, each file its own.
void add_io_actors(StressEngine &engine, StressStage &stage);
void add_link_actors(StressEngine &engine, StressStage &stage);
void add_device_actors(StressEngine &engine, StressStage &stage);
void add_configfs_actors(StressEngine &engine, StressStage &stage);
void add_handler_actors(StressEngine &engine, StressStage &stage);
void add_reset_actors(StressEngine &engine, StressStage &stage);

/// One of the elements.
template <class C> const auto &pick(const C &all, Random &random)
{
	return all[random() % std::size(all)];
}

/// Longer than any action's deadline, so that the watchdog is what finds a command without an answer.
inline constexpr seconds answer_limit(3600);
/// What I/O may come back with when its path is reset, unlinked, offline or without a handler. ENOSPC:
/// a disk that could not be asked when it was looked for has no capacity.
inline const std::vector<int> path_errors = {ENOENT, ENODEV, ENXIO, EIO, EREMOTEIO, ETIMEDOUT, EBUSY, ENOSPC};
/// What making and removing a name may come back with when others do the same.
inline const std::vector<int> name_errors = {ENOENT, EEXIST, EBUSY, ENOTEMPTY, ENODEV, EPERM};

} // namespace lio::test
