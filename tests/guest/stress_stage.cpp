// SPDX-License-Identifier: GPL-2.0
#include "stress_stage.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "gtest_result.hpp"
#include "loopback.hpp"
#include "module.hpp"
#include "pattern.hpp"

namespace lio::test {

const std::vector<std::string> churned_wwns = {"naa.5001405dead00001", "fc.5001405dead00002", "iqn.2003-01.org.example:churn"};

std::string fabric_dir()
{
	return target_root + "/loopback";
}

namespace {

constexpr unsigned luns_per_tpg = 8;

BackstoreSpec served_spec(const std::string &name, const std::string &config)
{
	BackstoreSpec spec = user_spec(name, config, stress_disk_bytes);
	spec.control.push_back("max_data_area_mb=8,hw_max_sectors=1024");
	spec.attribs = {{"cmd_time_out", "20"}};
	return spec;
}

Result<BackstoreSpec> spec_of(const StressDisk &disk, const std::string &image)
{
	switch (disk.kind) {
	case StressDisk::Kind::ramdisk:
		return ramdisk_spec(disk.name, stress_disk_bytes);
	case StressDisk::Kind::file:
		LIO_CHECK(make_sparse_file(image, stress_disk_bytes));
		return served_spec(disk.name, "file/" + image);
	case StressDisk::Kind::runner:
		LIO_CHECK(run_ok({"qemu-img", "create", "-q", "-f", "qcow2", image, std::to_string(stress_disk_bytes)}));
		return served_spec(disk.name, "qcow/" + image);
	default:
		break;
	}
	BackstoreSpec spec = served_spec(disk.name, "scripted/" + disk.name);
	// Its handler does not speak netlink.
	spec.control.push_back("nl_reply_supported=-1");
	spec.attribs = {{"cmd_time_out", "4"}};
	return spec;
}

/// The node of a SCSI device, opened by @open, if it is still that device's afterwards: names and
/// numbers are given out again.
template <class Open> auto open_node(const std::string &scsi_device, const char *kind, Open open) -> decltype(open(""))
{
	std::string dir = scsi_device + "/" + kind;
	LIO_TRY(auto names, list_dir(dir));
	if (names.empty())
		return Error{ENOENT, dir, "find a node in"};
	LIO_TRY(auto file, open("/dev/" + names.front()));
	LIO_TRY(std::string numbers, read_value(dir + "/" + names.front() + "/dev"));
	struct stat st;
	if (fstat(file.fd(), &st))
		return sys_error(dir, "fstat of the node of");
	if (numbers != std::to_string(major(st.st_rdev)) + ":" + std::to_string(minor(st.st_rdev)))
		return Error{ENXIO, dir, "another device has the node of"};
	return file;
}

/// Everything below a loopback TPG, then the TPG.
void remove_tpg(const std::string &tpg)
{
	for (const auto &lun : list_dir(tpg + "/lun").value_or({})) {
		std::string dir = tpg + "/lun/" + lun;
		for (const auto &name : list_dir(dir).value_or({}))
			if (read_link(dir + "/" + name)) {
				EXPECT_OK(unlink_within(dir + "/" + name, removal_limit));
			}
		EXPECT_OK(remove_dir_within(dir, removal_limit));
	}
	// A LUN whose disk is being looked at may outlive its name, and holds the nexus.
	EXPECT_OK(wait_until(Deadline(2 * removal_limit), "nothing to linger", [] {
		return read_value(module_param_path("tcm_loop", "lingering")).value_or("").empty();
	}));
	if (read_value(tpg + "/nexus")) {
		EXPECT_OK(write_value_within(tpg + "/nexus", "NULL", removal_limit));
	}
	EXPECT_OK(remove_dir_within(tpg, removal_limit));
}

void remove_targets()
{
	for (const auto &wwn : list_dir(fabric_dir()).value_or({})) {
		std::string dir = fabric_dir() + "/" + wwn;
		if (!exists(dir + "/fabric_statistics") && !exists(dir + "/param") && wwn.find('.') == std::string::npos)
			continue; // discovery_auth, version
		for (const auto &tpg : list_dir(dir).value_or({}))
			if (tpg.rfind("tpgt_", 0) == 0)
				remove_tpg(dir + "/" + tpg);
		EXPECT_OK(remove_dir_within(dir, removal_limit));
	}
}

/// User HBAs that the actors made, with their devices.
void remove_churned_devices()
{
	for (const auto &hba : list_dir(target_root + "/core").value_or({})) {
		if (hba.rfind("user_9", 0) != 0)
			continue;
		std::string dir = target_root + "/core/" + hba;
		for (const auto &name : list_dir(dir).value_or({}))
			if (name.rfind("hba_", 0) != 0) {
				EXPECT_OK(remove_dir_within(dir + "/" + name, removal_limit));
			}
		EXPECT_OK(remove_dir_within(dir, removal_limit));
	}
}

} // namespace

Result<std::unique_ptr<StressStage>> StressStage::create()
{
	LIO_CHECK(ensure_loopback());
	LIO_CHECK(load_module("target_core_user"));
	LIO_TRY(TempDir dir, TempDir::create("/var/tmp"));
	std::unique_ptr<StressStage> stage(new StressStage(std::move(dir)));
	LIO_CHECK(stage->make_disks());
	LIO_CHECK(stage->make_targets());
	LIO_CHECK(stage->make_slots());
	LIO_CHECK(stage->link_first());
	return stage;
}

StressStage::~StressStage()
{
	if (up_)
		tear_down();
}

Status StressStage::make_disk(StressDisk disk, std::optional<StressDisk> &into)
{
	std::string image = dir_ / disk.name;
	LIO_TRY(BackstoreSpec spec, spec_of(disk, image));
	if (disk.kind == StressDisk::Kind::file || disk.kind == StressDisk::Kind::runner) {
		auto server = disk.kind == StressDisk::Kind::file ? Server::tcmu_file : Server::tcmu_runner;
		disk.handler = std::make_unique<LiveHandler>(server, disk.name, image);
		LIO_CHECK(disk.handler->start());
	}
	LIO_TRY(Backstore store, Backstore::create(spec));
	disk.store.emplace(std::move(store));
	if (disk.handler)
		LIO_CHECK(disk.handler->wait_owns());
	into.emplace(std::move(disk));
	return {};
}

Status StressStage::make_disks()
{
	using Kind = StressDisk::Kind;
	// In the order of StressDiskIndex. A killed tcmu-file's commands are ended by the next one's
	// reset of the ring; tcmu-runner does once more what it finds in the ring.
	StressDisk disks[] = {{Kind::ramdisk, "ram", true},	 {Kind::file, "steady", true},
			      {Kind::file, "killed", true},	 {Kind::runner, "runner", false},
			      {Kind::scripted, "script0", false}, {Kind::scripted, "script1", false}};
	static_assert(std::size(disks) == nr_stress_disks);
	for (auto &disk : disks) {
		// tcmu-runner answers ENOENT for all devices that are not its own: these come before it.
		if (disk.kind == Kind::runner)
			LIO_CHECK(make_disk({Kind::file, "calm", true}, calm_));
		std::optional<StressDisk> made;
		LIO_CHECK(make_disk(std::move(disk), made));
		disks_.push_back(std::move(*made));
	}
	return {};
}

/// A TPG with a nexus, in a WWN that is made if it is not there.
static Result<StressTpg> make_tpg(const std::string &wwn, unsigned number)
{
	std::string dir = fabric_dir() + "/" + wwn;
	if (!exists(dir))
		LIO_CHECK(make_dir(dir));
	StressTpg tpg{dir + "/tpgt_" + std::to_string(number), {}};
	LIO_CHECK(make_dir(tpg.path));
	LIO_CHECK(write_value(tpg.path + "/nexus", wwn));
	LIO_TRY(tpg.address, read_value(tpg.path + "/address"));
	return tpg;
}

Status StressStage::make_targets()
{
	LIO_TRY(calm_tpg_, make_tpg(fresh_naa(), 0));
	LIO_CHECK(make_dir(calm_tpg_.path + "/lun/lun_0"));
	if (symlink(calm_->store->path().c_str(), (calm_tpg_.path + "/lun/lun_0/calm").c_str()))
		return sys_error("calm", "link");
	const std::string wwns[] = {fresh_naa(), fresh_naa()};
	for (auto [wwn, number] : {std::pair(0, 1), {0, 2}, {1, 1}}) {
		LIO_TRY(StressTpg tpg, make_tpg(wwns[wwn], static_cast<unsigned>(number)));
		tpgs_.push_back(std::move(tpg));
	}
	return {};
}

Status StressStage::make_slots()
{
	// Each disk is in every TPG, and some twice.
	for (size_t tpg = 0; tpg < tpgs_.size(); tpg++)
		for (uint64_t lun = 0; lun < luns_per_tpg; lun++)
			slots_.push_back({tpg, lun % nr_stress_disks, lun});
	linked_.resize(slots_.size());
	LIO_CHECK(wait_until(Deadline(seconds(60)), "the calm disk", [&] { return open_calm().ok(); }));
	// The kernel's log is judged by that.
	return exists("/sys/bus/scsi/devices/" + calm_tpg_.address + ":0/block/sda") ? Status() : Error{EEXIST, "sda", "find the calm disk as"};
}

/// So that there is I/O from the beginning. (Scripted handlers are not there yet.)
Status StressStage::link_first()
{
	for (size_t disk : {disk_ram, disk_steady, disk_killed})
		LIO_CHECK(link(slots_[disk]));
	return {};
}

Status StressStage::link(const StressSlot &slot)
{
	std::string dir = lun_dir(slot), link = dir + "/it";
	if (Status s = make_dir(dir); !s && s.code() != EEXIST)
		return s;
	if (symlink(disks_[slot.disk].store->path().c_str(), link.c_str()))
		return sys_error(link, "symlink");
	set_linked(slot, true);
	return {};
}

std::string StressStage::lun_dir(const StressSlot &slot) const
{
	return tpgs_[slot.tpg].path + "/lun/lun_" + std::to_string(slot.lun);
}

void StressStage::set_linked(const StressSlot &slot, bool linked)
{
	std::lock_guard guard(lock_);
	linked_[slot.tpg * luns_per_tpg + slot.lun] = linked;
}

Result<StressSlot> StressStage::pick_linked(Random &random, std::optional<size_t> disk) const
{
	std::lock_guard guard(lock_);
	std::vector<StressSlot> there;
	for (size_t i = 0; i < slots_.size(); i++)
		if (linked_[i] && (!disk || slots_[i].disk == *disk))
			there.push_back(slots_[i]);
	if (there.empty())
		return idle();
	return pick(there, random);
}

StressSlot StressStage::pick_to_link(Random &random) const
{
	std::lock_guard guard(lock_);
	std::vector<bool> somewhere(nr_stress_disks);
	for (size_t i = 0; i < slots_.size(); i++)
		somewhere[slots_[i].disk] = somewhere[slots_[i].disk] || linked_[i];
	std::vector<StressSlot> missing;
	for (const StressSlot &slot : slots_)
		if (!somewhere[slot.disk])
			missing.push_back(slot);
	return missing.empty() ? pick(slots_, random) : pick(missing, random);
}

std::string StressStage::scsi_device(const StressSlot &slot) const
{
	return "/sys/bus/scsi/devices/" + tpgs_[slot.tpg].address + ":" + std::to_string(slot.lun);
}

Result<BlockFile> StressStage::open_block(const StressSlot &slot) const
{
	return open_node(scsi_device(slot), "block", [](const std::string &n) { return BlockFile::open(n); });
}

Result<SgDevice> StressStage::open_sg(const StressSlot &slot) const
{
	return open_node(scsi_device(slot), "scsi_generic", [](const std::string &n) { return SgDevice::open(n); });
}

Result<BlockFile> StressStage::open_calm() const
{
	return open_node("/sys/bus/scsi/devices/" + calm_tpg_.address + ":0", "block",
			 [](const std::string &n) { return BlockFile::open(n); });
}

void StressStage::tear_down()
{
	up_ = false;
	for (StressDisk &disk : disks_)
		if (disk.handler) {
			EXPECT_TRUE(disk.handler->running()) << disk.name << ": " << disk.handler->output();
		}
	remove_targets();
	remove_churned_devices();
	if (calm_)
		disks_.push_back(std::move(*calm_));
	for (StressDisk &disk : disks_)
		EXPECT_OK(disk.store->destroy());
	for (StressDisk &disk : disks_)
		if (disk.handler) {
			EXPECT_OK(disk.handler->stop());
		}
	disks_.clear();
}

} // namespace lio::test
