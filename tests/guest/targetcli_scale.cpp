// SPDX-License-Identifier: GPL-2.0
// targetcli and targetctl with many LUNs over four TPGs (two of loopback, two of iSCSI) on mixed backstores:
// what was saved comes back with the same identities, groups and ACLs.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <numeric>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "backstore.hpp"
#include "clients.hpp"
#include "module.hpp"
#include "process.hpp"
#include "seed.hpp"
#include "test_env.hpp"
#include "tree_record.hpp"

namespace lio::test {
namespace {

using nlohmann::json;
using Commands = std::vector<std::string>;

/// 200 LUNs of a targetcli whose Python runs on an emulated processor.
constexpr milliseconds long_time = seconds(3600);
const std::string iqn = "iqn.2026-01.org.x:many", saved = "/root/saved.json", saved_again = "/root/again.json";
const std::string dbroot = "/etc/rtslib-fb-target";

struct Disk {
	std::string plugin; ///< as targetcli names it
	std::string name;
	std::string create; ///< arguments of its create command besides the name
	std::string path() const { return "/backstores/" + plugin + "/" + name; }
};

struct Tpg {
	std::string path; ///< in targetcli
	std::string dir; ///< below the configfs root
};

const std::vector<Tpg> tpgs = {
	{"/loopback/naa.50014050000000a1", "loopback/naa.50014050000000a1/tpgt_1"},
	{"/loopback/naa.50014050000000b2", "loopback/naa.50014050000000b2/tpgt_1"},
	{"/iscsi/" + iqn + "/tpg1", "iscsi/" + iqn + "/tpgt_1"},
	{"/iscsi/" + iqn + "/tpg2", "iscsi/" + iqn + "/tpgt_2"},
};

/// The kinds take turns; one in twenty-five is a handler's image.
std::vector<Disk> make_disks(size_t count)
{
	std::vector<Disk> disks;
	size_t blocks = 0;
	for (size_t i = 0; i < count; i++) {
		std::string number = std::to_string(i);
		if (i % 25 == 7)
			disks.push_back({"user:qcow", "u" + number, "4M /root/u" + number + ".qcow2"});
		else if (i % 3 == 0)
			disks.push_back({"ramdisk", "r" + number, "1M"});
		else if (i % 3 == 1)
			disks.push_back({"fileio", "f" + number, "/root/f" + number + ".img 1M"});
		else
			disks.push_back({"block", "b" + number, "/dev/nullb" + std::to_string(blocks++)});
	}
	return disks;
}

/// LUN i of the configuration.
const Tpg &tpg_of(size_t i)
{
	return tpgs[i % tpgs.size()];
}

std::string lun_of(size_t i)
{
	return std::to_string(i / tpgs.size());
}

Commands create_commands(const std::vector<Disk> &disks)
{
	Commands c = {"set global auto_add_default_portal=false auto_save_on_exit=false auto_add_mapped_luns=true"};
	for (const Disk &disk : disks)
		c.push_back("/backstores/" + disk.plugin + " create " + disk.name + " " + disk.create);
	for (const char *wwn : {"naa.50014050000000a1", "naa.50014050000000b2"})
		c.push_back(std::string("/loopback create ") + wwn);
	c.push_back("/iscsi create " + iqn);
	c.push_back("/iscsi/" + iqn + " create 2");
	for (int i : {1, 2})
		c.push_back(tpgs[1 + i].path + "/portals create 127.0.0.1 " + std::to_string(3259 + i));
	for (size_t i = 0; i < disks.size(); i++)
		c.push_back(tpg_of(i).path + "/luns create " + disks[i].path());
	for (int i : {1, 2}) {
		c.push_back(tpgs[1 + i].path + "/acls create iqn.2026-01.org.x:i" + std::to_string(i));
		c.push_back(tpgs[1 + i].path + "/acls/iqn.2026-01.org.x:i" + std::to_string(i) +
			    " set auth userid=user password=secretsecret");
	}
	return c;
}

/// One device in five has target port groups of its own; its LUN is in the one that is standby.
Status make_groups(const std::vector<Disk> &disks, const std::map<std::string, std::string> &dirs)
{
	for (size_t i = 0; i < disks.size(); i += 5) {
		std::string alua = dirs.at(disks[i].name) + "/alua/", group = "g" + std::to_string(i);
		LIO_CHECK(make_dir(alua + group));
		LIO_CHECK(write_value(alua + group + "/tg_pt_gp_id", std::to_string(10 + i)));
		LIO_CHECK(write_value(alua + group + "/alua_access_state", "1"));
		LIO_CHECK(write_value(alua + group + "/preferred", "1"));
		LIO_CHECK(write_value(target_root + "/" + tpg_of(i).dir + "/lun/lun_" + lun_of(i) + "/alua_tg_pt_gp",
				      group));
	}
	return {};
}

/// Device name -> its directory in core/.
Result<std::map<std::string, std::string>> device_dirs()
{
	std::map<std::string, std::string> dirs;
	LIO_TRY(auto hbas, list_dir(target_root + "/core"));
	for (const auto &hba : hbas) {
		if (hba == "alua")
			continue;
		LIO_TRY(auto names, list_dir(target_root + "/core/" + hba));
		for (const auto &name : names)
			if (exists(target_root + "/core/" + hba + "/" + name + "/attrib"))
				dirs[name] = target_root + "/core/" + hba + "/" + name;
	}
	return dirs;
}

/// Lines in one order.
std::string sorted_lines(const std::string &text)
{
	std::istringstream in(text);
	std::set<std::string> lines;
	for (std::string line; std::getline(in, line);)
		lines.insert(line + "\n");
	return std::accumulate(lines.begin(), lines.end(), std::string());
}

/// The tree but for what counts, and what rtslib 2.1.75 does not save: it draws the name of a nexus, numbers
/// HBAs as it likes and makes TPGs in the order of the directories, from which they get their relative port
/// identifiers (rtpi). It restores an empty name for discovery as NULL, which the iSCSI target takes for one.
Result<TreeRecord> snapshot()
{
	RecordPlan plan;
	plan.steps.resize(1);
	plan.steps[0].look = {"core", "loopback", "iscsi"};
	TreeRecorder recorder(plan, target_root);
	LIO_CHECK(recorder.run());
	static const std::regex drawn(".*/(statistics|fabric_statistics)/.*|"
				      ".*/(nexus|rtpi|address|info|hba_info|hba_mode)"),
		number("((?:core/)?(?:rd_mcp|fileio|iblock|user))_[0-9]+"), null(".*/discovery_auth/(userid|password).*");
	TreeRecord result;
	for (auto &[path, fields] : recorder.normalised()) {
		if (std::regex_match(path, drawn))
			continue;
		auto &into = result[std::regex_replace(path, number, "$1")];
		for (auto &[name, value] : fields) {
			into[name] = std::regex_replace(value, number, "$1");
			if (std::regex_match(path, null) && value == json("NULL\n").dump())
				into[name] = json("\n").dump();
			if (path.ends_with("/members") && name == "value")
				into[name] = sorted_lines(json::parse(into[name]));
		}
	}
	return result;
}

/// Page 83h without the port's number, which a TPG made in another order has not again (see snapshot()).
std::string without_rtpi(std::string page)
{
	for (size_t at = 4; at + 8 <= page.size(); at += 4 + uint8_t(page[at + 3]))
		if ((page[at + 1] & 0x3f) == 0x14) // association: target port; type: relative target port
			page.replace(at + 4, 4, 4, '\0');
	return page;
}

/// What the LUNs of the loopback TPGs tell initiators about themselves, by TPG and LUN.
Result<std::map<std::string, std::string>> identities()
{
	std::map<std::string, std::string> pages;
	for (const Tpg &tpg : tpgs) {
		auto address = read_value(target_root + "/" + tpg.dir + "/address");
		if (!address)
			continue; // iSCSI has nobody logged in
		LIO_TRY(auto luns, list_dir(target_root + "/" + tpg.dir + "/lun"));
		for (const auto &lun : luns) {
			std::string device = "/sys/bus/scsi/devices/" + *address + ":" + lun.substr(4);
			LIO_CHECK(wait_until(Deadline(seconds(60)), device,
					     [&] { return exists(device + "/vpd_pg83"); }));
			// It may have asked before the LUN was in its group.
			LIO_CHECK(write_value(device + "/rescan", "1"));
			for (const char *page : {"vpd_pg80", "vpd_pg83"}) {
				LIO_TRY(std::string data, read_file(device + "/" + page));
				pages[tpg.dir + "/" + lun + " " + page] = without_rtpi(std::move(data));
			}
		}
	}
	return pages;
}

/// Lists of objects in one order: rtslib's follows the directories.
json ordered(json j)
{
	if (j.is_structured())
		for (auto &value : j)
			value = ordered(value);
	if (j.is_array())
		std::sort(j.begin(), j.end(), [](const json &a, const json &b) { return a.dump() < b.dump(); });
	return j;
}

Result<json> load_saved(const std::string &file)
{
	LIO_TRY(std::string text, read_file(file));
	json j = json::parse(text, nullptr, false);
	if (j.is_discarded())
		return Error{EINVAL, file, "parse"};
	return ordered(std::move(j));
}

void expect_same(const TreeRecord &before, const TreeRecord &after)
{
	size_t shown = 0;
	EXPECT_EQ(before.size(), after.size());
	for (const auto &[path, fields] : before) {
		auto other = after.find(path);
		if (other != after.end() && other->second == fields)
			continue;
		ADD_FAILURE() << path << " was " << json(fields).dump() << " and is "
			      << (other == after.end() ? "gone" : json(other->second).dump());
		if (++shown == 20)
			break;
	}
}

class TargetcliScale : public testing::Test {
protected:
	std::vector<Disk> disks_ = make_disks(count(20, 200));
	std::optional<TcmuRunner> runner_;
	std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();

	void SetUp() override
	{
		for (const char *text : {"^MODE SENSE: unimplemented page/subpage: 0x0a/0x05$",
					 "Optimal transfer size \\d+ logical blocks > dev_max ",
					 "^sd [0-9:]+: \\[sd\\w+\\] (Asking for cache data failed|Assuming drive cache: write through)$",
					 "^u\\d+: the handler could not be reconfigured: -95$",
					 "^sd [0-9:]+: (LUN assignments on this target have changed|Inquiry data has changed|Asymmetric access state changed)"})
			expect_dmesg(text, Need::optional);
		ASSERT_OK(load_module("sd_mod"));
		ASSERT_OK(load_module("null_blk", {"nr_devices=" + std::to_string(disks_.size() / 3 + 1), "gb=1"}));
		ASSERT_OK(run_ok({"ip", "link", "set", "lo", "up"}));
		for (const Disk &disk : disks_) {
			if (disk.plugin != "user:qcow")
				continue;
			ASSERT_OK(run_ok({"qemu-img", "create", "-q", "-f", "qcow2", "/root/" + disk.name + ".qcow2", "4M"}));
		}
		ASSERT_NO_FATAL_FAILURE(start_target());
	}

	void start_target()
	{
		ASSERT_OK(make_dirs(dbroot + "/pr"));
		ASSERT_OK(ensure_target_core());
		for (const char *module : {"target_core_file", "target_core_iblock", "target_core_user", "tcm_loop"})
			ASSERT_OK(load_module(module));
		ASSERT_OK_AND_ASSIGN(TcmuRunner runner, TcmuRunner::start());
		runner_.emplace(std::move(runner));
	}

	/// As a boot would: the modules are others, and what the core kept outside the saved file is gone.
	void restart_target()
	{
		ASSERT_OK(runner_->stop());
		for (const char *module : {"tcm_loop", "iscsi_target_mod", "target_core_user", "target_core_file",
					   "target_core_iblock", "target_core_pscsi", "target_core_mod"}) {
			if (!module_loaded(module))
				continue;
			ASSERT_OK(unload_module(module));
		}
		std::filesystem::remove_all(dbroot);
		ASSERT_NO_FATAL_FAILURE(start_target());
	}

	/// How long what was done since the last call took.
	void lap(const char *what)
	{
		auto now = std::chrono::steady_clock::now();
		std::chrono::duration<double> took = now - since_;
		printf("%s: %.1f s\n", what, took.count());
		fflush(stdout);
		since_ = now;
	}

	/// What a tool printed, whose status says little.
	void expect_content(std::string out)
	{
		// The first targetcli of a guest has no preferences yet. tcmu-runner's qcow handler takes no change,
		// not even to what is (nor do its distribution's core and target_core_user make it).
		static const std::regex known("Could not load preferences file|, \\d+ recoverable errors:|"
					      "Storage Object user/u\\d+: Cannot set attribute "
					      "(dev_config|dev_size|emulate_write_cache): \\[Errno 95\\].*"),
			complaint("No such path|Unexpected|Cannot|Could not|[Ff]ailed|rror|Missing|Invalid|invalid");
		std::smatch match;
		out = std::regex_replace(out, known, "");
		ASSERT_FALSE(std::regex_search(out, match, complaint)) << out;
	}

	void cli(const char *what, const Commands &commands)
	{
		ASSERT_OK_AND_ASSIGN(std::string out, targetcli(commands, long_time));
		ASSERT_NO_FATAL_FAILURE(expect_content(out));
		lap(what);
	}

	void ctl(const char *what, const std::string &file)
	{
		ASSERT_OK_AND_ASSIGN(std::string out, run_ok({"targetctl", what, file}, long_time));
		ASSERT_NO_FATAL_FAILURE(expect_content(out));
		lap((std::string("targetctl ") + what).c_str());
	}

	void expect_empty()
	{
		auto dirs = device_dirs();
		ASSERT_OK(dirs);
		EXPECT_TRUE(dirs->empty()) << dirs->size() << " devices are left";
		for (const Tpg &tpg : tpgs)
			EXPECT_FALSE(exists(target_root + "/" + tpg.dir)) << tpg.dir << " is left";
	}
};

TEST_F(TargetcliScale, ManyLunsComeBackAsTheyWere)
{
	lap("preparation");
	ASSERT_NO_FATAL_FAILURE(cli("create", create_commands(disks_)));
	ASSERT_OK_AND_ASSIGN(auto dirs, device_dirs());
	ASSERT_EQ(dirs.size(), disks_.size());
	ASSERT_OK(make_groups(disks_, dirs));
	ASSERT_OK_AND_ASSIGN(std::string listing, run_ok({"targetcli", "ls"}, long_time));
	for (const Disk &disk : disks_)
		EXPECT_NE(listing.find(" " + disk.name + " "), std::string::npos) << disk.name << " is not listed";
	lap("ls");

	ASSERT_NO_FATAL_FAILURE(cli("saveconfig", {"saveconfig " + saved}));
	ASSERT_OK_AND_ASSIGN(TreeRecord before, snapshot());
	ASSERT_GT(before.size(), 90 * disks_.size());
	ASSERT_OK_AND_ASSIGN(auto known_as, identities());
	EXPECT_EQ(known_as.size(), disks_.size() / 2 * 2);
	ASSERT_NO_FATAL_FAILURE(cli("clearconfig", {"clearconfig confirm=True"}));
	ASSERT_NO_FATAL_FAILURE(expect_empty());
	ASSERT_NO_FATAL_FAILURE(cli("restoreconfig", {"restoreconfig " + saved}));
	ASSERT_OK_AND_ASSIGN(TreeRecord after, snapshot());
	expect_same(before, after);
	ASSERT_OK_AND_ASSIGN(auto still_known_as, identities());
	EXPECT_EQ(known_as, still_known_as);

	ASSERT_NO_FATAL_FAILURE(ctl("save", saved_again));
	ASSERT_OK_AND_ASSIGN(json first, load_saved(saved));
	ASSERT_OK_AND_ASSIGN(json second, load_saved(saved_again));
	EXPECT_EQ(first, second) << json::diff(first, second).dump(1).substr(0, 4000);
	ASSERT_OK(targetctl_clear());
	lap("targetctl clear");
	ASSERT_NO_FATAL_FAILURE(expect_empty());
	ASSERT_NO_FATAL_FAILURE(restart_target());
	lap("the target's modules unloaded and loaded");
	ASSERT_NO_FATAL_FAILURE(ctl("restore", saved_again));
	ASSERT_OK_AND_ASSIGN(TreeRecord restored, snapshot());
	expect_same(before, restored);
	ASSERT_OK_AND_ASSIGN(auto known_as_before, identities());
	EXPECT_EQ(known_as, known_as_before);

	Commands remove;
	for (size_t i = 0; i < tpgs.size(); i++)
		remove.push_back(tpg_of(i).path + "/luns delete " + lun_of(i));
	for (size_t i = 0; i < tpgs.size(); i++)
		remove.push_back("/backstores/" + disks_[i].plugin + " delete " + disks_[i].name);
	remove.push_back(tpgs[2].path + "/acls delete iqn.2026-01.org.x:i1");
	remove.push_back("/iscsi/" + iqn + " delete 2");
	remove.push_back("/loopback delete naa.50014050000000a1");
	ASSERT_NO_FATAL_FAILURE(cli("delete", remove));
	EXPECT_FALSE(exists(target_root + "/" + tpgs[0].dir));
	EXPECT_TRUE(exists(target_root + "/" + tpgs[1].dir));
	EXPECT_FALSE(exists(target_root + "/" + tpgs[3].dir));
	ASSERT_OK_AND_ASSIGN(auto left, device_dirs());
	EXPECT_EQ(left.size(), disks_.size() - tpgs.size());
	ASSERT_OK(targetctl_clear());
	lap("the rest");
	ASSERT_NO_FATAL_FAILURE(expect_empty());
}

/// No object costs more because there are many others: the last of many are made as fast as the first.
TEST(TargetcliTree, ManyObjectsCostEachTheSame)
{
	ASSERT_OK(ensure_target_core());
	ASSERT_OK(load_module("iscsi_target_mod"));
	const std::string target = target_root + "/iscsi/iqn.2026-01.org.x:tree", tpg = target + "/tpgt_1",
			  acl = tpg + "/acls/iqn.2026-01.org.x:i";
	for (const std::string &dir : {target_root + "/iscsi", target, tpg, acl,
				       target_root + "/core/rd_mcp_9000"})
		ASSERT_OK(make_dirs(dir));
	const size_t objects = count(256, 1024), part = objects / 4;
	auto names = [&](size_t i) {
		std::string n = std::to_string(i), dev = target_root + "/core/rd_mcp_9000/d" + n;
		return std::vector<std::string>{dev, tpg + "/lun/lun_" + n, acl + "/lun_" + n};
	};
	double first = 0, last = 0;
	for (size_t i = 0; i < objects; i++) {
		auto path = names(i);
		auto begin = std::chrono::steady_clock::now();
		ASSERT_OK(make_dir(path[0]));
		ASSERT_OK(write_value(path[0] + "/control", "rd_pages=1"));
		ASSERT_OK(write_value(path[0] + "/enable", "1"));
		ASSERT_OK(make_dir(path[1]));
		ASSERT_EQ(symlink(path[0].c_str(), (path[1] + "/d").c_str()), 0);
		ASSERT_OK(make_dir(path[2]));
		ASSERT_EQ(symlink(path[1].c_str(), (path[2] + "/l").c_str()), 0);
		std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
		(i < part ? first : last) += i < part || i >= objects - part ? took.count() : 0;
	}
	printf("first %zu: %.3f s, last %zu: %.3f s\n", part, first, part, last);
	EXPECT_LT(last, 4 * first + 1);
	first = last = 0;
	for (size_t i = 0; i < objects; i++) {
		auto path = names(i);
		auto begin = std::chrono::steady_clock::now();
		ASSERT_EQ(unlink((path[2] + "/l").c_str()), 0);
		ASSERT_EQ(rmdir(path[2].c_str()), 0);
		ASSERT_EQ(unlink((path[1] + "/d").c_str()), 0);
		ASSERT_EQ(rmdir(path[1].c_str()), 0);
		ASSERT_EQ(rmdir(path[0].c_str()), 0);
		std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
		(i < part ? first : last) += i < part || i >= objects - part ? took.count() : 0;
	}
	printf("removal of the first %zu: %.3f s, of the last %zu: %.3f s\n", part, first, part, last);
	EXPECT_LT(first, 4 * last + 1);
	for (const std::string &dir : {acl, tpg, target, target_root + "/iscsi",
				       target_root + "/core/rd_mcp_9000"})
		EXPECT_EQ(rmdir(dir.c_str()), 0) << dir;
}

} // namespace
} // namespace lio::test
