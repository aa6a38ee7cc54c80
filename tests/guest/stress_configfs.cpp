// SPDX-License-Identifier: GPL-2.0
// Everybody reads and writes configfs: legal and illegal values, of devices and TPGs in any state.
#include <sys/stat.h>

#include "stress_stage.hpp"

namespace lio::test {

namespace {

/// What attributes refuse illegal and untimely values with, besides names that are gone.
const std::vector<int> value_errors = {EINVAL, ENOENT, ENODEV, EBUSY, EPERM, ERANGE, EAGAIN, EEXIST,
				       ESRCH, EINTR, ETIMEDOUT, EIO, EPROTO, EOPNOTSUPP, E2BIG, EACCES};

struct Writes {
	const char *attribute;
	std::vector<const char *> values;
};

/// Of any user device. dev_config and dev_size have actions of their own.
const Writes attribs[] = {
	{"qfull_time_out", {"-1", "0", "1", "20", "-2", "99999999999", "x", "\n"}},
	{"tmr_notification", {"0", "1", "2", "-1", "\n"}},
	{"emulate_write_cache", {"0", "1", "2", "z"}},
	{"nl_reply_supported", {"300", "x", "\n"}},
	// Refused while linked; what is linked must not have 0 (see stress_stage.hpp).
	{"cmd_time_out", {"1", "2", "3", "4", "-1", "99999999999", "x"}},
	{"alua_support", {"0", "1", "2", "x"}},
	{"pgr_support", {"0", "1", "2", "x"}},
	{"max_data_area_mb", {"1"}},
	{"dev_size", {"x", "-1", "\n"}},
};

const Writes actions[] = {
	{"block_dev", {"2", "x", "-1", "0"}},
	{"free_kept_buf", {"0", "1", "127", "65535", "65536", "x"}},
	{"reset_ring", {"0", "3", "x"}},
};

const char *const controls[] = {
	"hw_max_sectors=128", "hw_max_sectors=1024", "hw_max_sectors=8192", "hw_max_sectors=0", "hw_max_sectors=x",
	"max_data_area_mb=2", "cmd_ring_size_mb=9",  "data_pages_per_blk=0", "nonsense=1", "nonsense",
	"hw_max_sectors=1,hw_max_sectors=x", ",,,=,", "dev_size=x",
};

std::string any_user_device(StressStage &stage, Random &random)
{
	if (random() % 3 == 0) {
		const char n = '0' + random() % 2;
		return target_root + "/core/user_90" + n + "/churned" + n;
	}
	for (;;)
		if (size_t d = random() % nr_stress_disks; stage.disk(d).is_user())
			return stage.disk(d).store->path();
}

std::string any_tpg(StressStage &stage, Random &random)
{
	if (random() % 2)
		return pick(stage.tpgs(), random).path;
	return fabric_dir() + "/" + pick(churned_wwns, random) + "/tpgt_" + std::to_string(1 + random() % 3);
}

/// A file somewhere below, by a walk that takes any turn.
Status read_any(Random &random)
{
	std::string at = random() % 2 ? fabric_dir() : target_root + "/core";
	for (int depth = 0; depth < 10; depth++) {
		LIO_TRY(auto names, list_dir(at));
		if (names.empty())
			return idle();
		at += "/" + pick(names, random);
		struct stat st;
		if (lstat(at.c_str(), &st))
			return sys_error(at, "lstat");
		if (S_ISLNK(st.st_mode))
			return idle();
		if (S_ISDIR(st.st_mode))
			continue;
		if (!(st.st_mode & 0444))
			return idle();
		LIO_CHECK(read_file(at));
		return {};
	}
	return idle();
}

template <size_t N> Status write_any(const std::string &dir, const Writes (&table)[N], Random &random)
{
	const Writes &w = pick(table, random);
	return write_value(dir + "/" + w.attribute, pick(w.values, random));
}

Status offline_for_a_while(StressStage &stage, Random &random)
{
	std::string status = any_tpg(stage, random) + "/transport_status";
	LIO_CHECK(write_value(status, random() % 2 ? "offline" : "offline\n"));
	std::this_thread::sleep_for(milliseconds(random() % 50));
	return write_value(status, "online");
}

Status tpg_nonsense(StressStage &stage, Random &random)
{
	struct Write {
		const char *file, *value;
	};
	static const Write writes[] = {{"transport_status", "sideways"}, {"nexus", "rubbish"}, {"nexus", "NULL"},
				       {"attrib/fabric_prot_type", "2"}, {"attrib/fabric_prot_type", "0"}, {"nexus", "\n"}};
	const Write &w = pick(writes, random);
	return write_value(any_tpg(stage, random) + "/" + w.file, w.value);
}

/// Names that the fabric refuses, and ones that differ from a TPG's only in spelling.
Status bad_names(Random &random)
{
	static const char *const names[] = {"rubbish", "naa.5001405dead00001/tpgt_x", "naa.5001405dead00001/tpgt_32",
					    "naa.5001405dead00001/tpgt_01x", "fc.5001405dead00002/tpg"};
	Status s = make_dir(fabric_dir() + "/" + pick(names, random));
	if (s)
		return Error{EEXIST, fabric_dir(), "a bad name was taken in"};
	return s.code() == EINVAL ? Status() : s;
}

Status block_for_a_while(StressStage &stage, Random &random)
{
	const size_t disks[] = {disk_steady, disk_runner};
	const Backstore &store = *stage.disk(pick(disks, random)).store;
	LIO_CHECK(store.action("block_dev", "1"));
	std::this_thread::sleep_for(milliseconds(random() % 100));
	return store.action("block_dev", "0");
}

/// Never smaller than what the writers use.
Status resize(StressStage &stage, Random &random)
{
	uint64_t bytes = stress_disk_bytes + random() % 8 * (1 << 20);
	return stage.disk(random() % 2 ? disk_steady : disk_killed).store->set("dev_size", std::to_string(bytes));
}

Status module_parameters(Random &random)
{
	const std::string dir = "/sys/module/target_core_user/parameters/";
	switch (random() % 4) {
	case 0:
		LIO_CHECK(write_value(dir + "block_netlink", "1"));
		std::this_thread::sleep_for(milliseconds(random() % 20));
		return write_value(dir + "block_netlink", "0");
	case 1:
		return write_value(dir + "block_netlink", "2");
	case 2:
		return write_value(dir + "global_max_data_area_mb", random() % 2 ? "1024" : "2048");
	default:
		return write_value(dir + "global_max_data_area_mb", random() % 2 ? "0" : "x");
	}
}

} // namespace

void add_configfs_actors(StressEngine &engine, StressStage &stage)
{
	for (int n = 0; n < 2; n++)
		engine.add("configfs-" + std::to_string(n), milliseconds(60),
			   {{"read", 12, value_errors, [](Random &r) { return read_any(r); }},
			    {"attrib", 6, value_errors,
			     [&](Random &r) { return write_any(any_user_device(stage, r) + "/attrib", attribs, r); }},
			    {"action", 3, value_errors,
			     [&](Random &r) { return write_any(any_user_device(stage, r) + "/action", actions, r); }},
			    {"control", 3, value_errors,
			     [&](Random &r) { return write_value(any_user_device(stage, r) + "/control", pick(controls, r)); }},
			    {"alias", 1, value_errors,
			     [&](Random &r) { return write_value(any_user_device(stage, r) + "/alias", "alias" + std::to_string(r() % 100)); }},
			    {"transport", 1, value_errors, [&](Random &r) { return offline_for_a_while(stage, r); }},
			    {"tpg-nonsense", 2, value_errors, [&](Random &r) { return tpg_nonsense(stage, r); }},
			    {"bad-name", 1, {ENOENT}, [](Random &r) { return bad_names(r); }},
			    {"block-dev", 1, value_errors, [&](Random &r) { return block_for_a_while(stage, r); }},
			    {"resize", 2, value_errors, [&](Random &r) { return resize(stage, r); }},
			    {"module-param", 1, value_errors, [](Random &r) { return module_parameters(r); }}});
}

} // namespace lio::test
