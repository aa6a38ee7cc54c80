// SPDX-License-Identifier: GPL-2.0
#include "mixed_stage.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "module.hpp"
#include "pattern.hpp"
#include "seed.hpp"
#include "test_env.hpp"

namespace lio::test {

ConfigTree::~ConfigTree()
{
	while (!made_.empty())
		made_.pop_back();
}

Status ConfigTree::dir(const std::string &path)
{
	LIO_TRY(Removal made, make_dir_guard(path));
	made_.push_back(std::move(made));
	return {};
}

Status ConfigTree::link(const std::string &target, const std::string &path)
{
	LIO_TRY(Removal made, make_link_guard(target, path));
	made_.push_back(std::move(made));
	return {};
}

Status ConfigTree::lun(const std::string &tpg, uint64_t number, const Backstore &backstore)
{
	std::string path = tpg + "/lun/lun_" + std::to_string(number);
	LIO_CHECK(dir(path));
	return link(backstore.path(), path + "/device");
}

Status ConfigTree::mapped_lun(const std::string &tpg, const std::string &acl, uint64_t number, uint64_t lun)
{
	std::string path = acl + "/lun_" + std::to_string(number);
	LIO_CHECK(dir(path));
	return link(tpg + "/lun/lun_" + std::to_string(lun), path + "/lun");
}

Status ConfigTree::clear(size_t keep)
{
	while (made_.size() > keep) {
		Removal last = std::move(made_.back());
		made_.pop_back();
		LIO_CHECK(last.remove());
	}
	return {};
}

Status verify_blocks(const std::string &node, uint64_t bytes)
{
	LIO_TRY(BlockFile file, BlockFile::open(node));
	AlignedBuffer buffer(1 << 20);
	uint64_t generation = seed();
	for (size_t size = 4096; size <= buffer.span().size(); size *= 4, generation++) {
		// Small blocks cover a part: an emulated machine is slow.
		uint64_t end = std::min<uint64_t>(bytes, size * 64);
		auto block = buffer.span().first(size);
		for (uint64_t at = 0; at < end; at += size) {
			fill_pattern(block, at, generation);
			LIO_CHECK(file.write_at(at, block));
		}
		LIO_CHECK(file.verify_pattern(0, end, generation));
		for (uint64_t at = 0; at < end; at += size) {
			std::fill(block.begin(), block.end(), 0);
			LIO_CHECK(file.read_at(at, block));
			if (find_mismatch(block, at, generation))
				return Error{EILSEQ, node, "read with blocks of " + std::to_string(size)};
		}
	}
	return file.sync();
}

namespace {

/// Quiet for a while: sd has looked for partitions.
void wait_until_idle(const std::string &node)
{
	uint64_t seen = ~0ULL;
	int quiet = 0;
	(void)wait_until(Deadline(seconds(5)), node, [&] {
		DiskStat now = disk_stat(node).value_or({});
		quiet = !now.in_flight && now.reads == seen ? quiet + 1 : 0;
		seen = now.reads;
		return quiet == 4;
	}, milliseconds(30));
}

} // namespace

Result<std::string> scsi_disk_of(const std::string &target, uint64_t lun, milliseconds limit)
{
	std::string hct = target.substr(target.rfind("target") + 6);
	std::string dir = target + "/" + hct + ":" + std::to_string(lun) + "/block", node;
	LIO_CHECK(wait_until(Deadline(limit), dir, [&] {
		auto names = list_dir(dir).value_or({});
		if (names.empty())
			return false;
		node = "/dev/" + names.front();
		return open_fd(node, 04000 /* O_NONBLOCK */).ok();
	}));
	wait_until_idle(node);
	return node;
}

namespace {

int write_and_verify(const std::string &node, const std::string &stop_file)
{
	auto file = BlockFile::open(node);
	if (!file)
		return MixedTraffic::io_error;
	AlignedBuffer buffer(64 << 10);
	auto random = rng("mixed traffic");
	for (uint64_t generation = 1; !exists(stop_file); generation++) {
		size_t size = 4096 << (random() % 5);
		uint64_t at = random() % (mixed_bytes / size) * size;
		auto block = buffer.span().first(size);
		fill_pattern(block, at, generation);
		if (!file->write_at(at, block))
			return MixedTraffic::io_error;
		std::fill(block.begin(), block.end(), 0);
		if (!file->read_at(at, block))
			return MixedTraffic::io_error;
		if (find_mismatch(block, at, generation))
			return MixedTraffic::wrong_data;
	}
	return MixedTraffic::good;
}

} // namespace

Result<MixedTraffic> MixedTraffic::start(const std::string &node)
{
	LIO_TRY(TempDir dir, TempDir::create());
	std::string stop_file = dir / "stop";
	LIO_TRY(Process process, Process::fork_body("traffic", [=] { return write_and_verify(node, stop_file); }));
	MixedTraffic traffic(std::move(dir), node, std::move(process));
	LIO_CHECK(traffic.wait_progress(20, seconds(30)));
	return traffic;
}

Status MixedTraffic::wait_progress(uint64_t commands, milliseconds limit)
{
	auto writes = [&] { return disk_stat(disk_).value_or({}).writes; };
	uint64_t before = writes();
	return wait_until(Deadline(limit), "traffic on " + disk_, [&] { return writes() >= before + commands; });
}

Result<int> MixedTraffic::end(bool stop, milliseconds limit)
{
	if (stop)
		LIO_CHECK(write_file(dir_ / "stop", ""));
	return process_.wait(limit);
}

std::string IscsiTarget::tpg()
{
	return target_root + "/iscsi/" + name + "/tpgt_1";
}

Result<IscsiTarget> IscsiTarget::create(bool demo)
{
	LIO_CHECK(ensure_target_core());
	for (const char *module : {"sd_mod", "sg", "iscsi_target_mod"})
		LIO_CHECK(load_module(module));
	LIO_CHECK(run_ok({"ip", "link", "set", "lo", "up"}));
	IscsiTarget target;
	if (!exists(target_root + "/iscsi"))
		LIO_CHECK(target.tree_.dir(target_root + "/iscsi"));
	LIO_CHECK(target.tree_.dir(target_root + "/iscsi/" + name));
	LIO_CHECK(target.tree_.dir(tpg()));
	LIO_CHECK(target.tree_.dir(tpg() + "/np/" + portal));
	LIO_CHECK(write_value(tpg() + "/attrib/generate_node_acls", demo ? "1" : "0"));
	LIO_CHECK(write_value(tpg() + "/attrib/cache_dynamic_acls", "0"));
	LIO_CHECK(write_value(tpg() + "/attrib/demo_mode_write_protect", "0"));
	LIO_CHECK(write_value(tpg() + "/attrib/authentication", demo ? "0" : "1"));
	return target;
}

IscsiTarget::~IscsiTarget()
{
	if (tree_.size()) {
		EXPECT_TRUE(enable(false).ok());
	}
}

Status IscsiTarget::destroy()
{
	LIO_CHECK(enable(false));
	return tree_.clear();
}

Result<Iscsid> Iscsid::start()
{
	LIO_CHECK(run_ok({"modprobe", "iscsi_tcp"}));
	LIO_CHECK(make_dirs("/etc/iscsi"));
	LIO_CHECK(write_file("/etc/iscsi/initiatorname.iscsi",
			     std::string("InitiatorName=") + IscsiTarget::initiator + "\n"));
	LIO_TRY(Process process, Process::spawn({"iscsid", "-f"}));
	LIO_CHECK(wait_until(Deadline(seconds(20)), "iscsid", [] {
		// 21: there are no sessions, says the daemon.
		auto shown = run({"iscsiadm", "-m", "session"});
		return shown && (shown->status == 0 || shown->status == 21);
	}, milliseconds(100)));
	return Iscsid(std::move(process));
}

namespace {

Status iscsiadm(std::vector<std::string> more)
{
	std::vector<std::string> argv = {"iscsiadm", "-m", "node", "-T", IscsiTarget::name, "-p", IscsiTarget::portal};
	argv.insert(argv.end(), more.begin(), more.end());
	LIO_CHECK(run_ok(std::move(argv), seconds(90)));
	return {};
}

const std::string sessions = "/sys/class/iscsi_session";

} // namespace

Result<IscsiLogin> IscsiLogin::login(const std::vector<std::pair<std::string, std::string>> &settings)
{
	LIO_CHECK(iscsiadm({"-o", "new"}));
	for (const auto &[key, value] : settings)
		LIO_CHECK(iscsiadm({"-o", "update", "-n", key, "-v", value}));
	// The initiator gives a Login Response to iscsid before it is through with it: on another CPU the next one may be too early.
	expect_dmesg("connection\\d+:\\d+: Login/Text in progress\\. Cannot start new task\\.$", Need::optional);
	LIO_CHECK(iscsiadm({"--login"}));
	IscsiLogin login;
	login.in_ = true;
	return login;
}

IscsiLogin::~IscsiLogin()
{
	if (in_) {
		EXPECT_TRUE(logout().ok());
	}
}

Status IscsiLogin::logout()
{
	in_ = false;
	return iscsiadm({"--logout"});
}

Result<std::string> IscsiLogin::scsi_target() const
{
	std::string found;
	LIO_CHECK(wait_until(Deadline(seconds(20)), "the session's SCSI target", [&] {
		auto names = list_dir(sessions).value_or({});
		std::string device = names.empty() ? "" : sessions + "/" + names.back() + "/device";
		for (const auto &name : list_dir(device).value_or({}))
			if (name.starts_with("target"))
				found = device + "/" + name;
		return !found.empty();
	}));
	return found;
}

Result<std::string> IscsiLogin::disk(uint64_t lun) const
{
	LIO_TRY(std::string target, scsi_target());
	return scsi_disk_of(target, lun);
}

Result<SgDevice> IscsiLogin::open_sg(uint64_t lun) const
{
	LIO_TRY(std::string node, disk(lun));
	LIO_TRY(auto names, list_dir("/sys/block/" + node.substr(5) + "/device/scsi_generic"));
	return SgDevice::open("/dev/" + names.front());
}

Result<std::vector<std::string>> IscsiLogin::luns() const
{
	LIO_TRY(std::string target, scsi_target());
	std::string hct = target.substr(target.rfind("target") + 6) + ":";
	std::vector<std::string> numbers;
	LIO_TRY(auto names, list_dir(target));
	for (const auto &name : names)
		if (name.starts_with(hct))
			numbers.push_back(name.substr(hct.size()));
	return numbers;
}

} // namespace lio::test
