// SPDX-License-Identifier: GPL-2.0
// LUNs, WWNs, TPGs and nexuses that come and go.
#include <unistd.h>

#include "stress_stage.hpp"

namespace lio::test {

namespace {

Status link_to(const std::string &target, const std::string &path)
{
	return symlink(target.c_str(), path.c_str()) ? Status(sys_error(path, "symlink to " + target + " from")) : Status();
}

Status unlink_at(const std::string &path)
{
	return unlink(path.c_str()) ? Status(sys_error(path, "unlink")) : Status();
}

Status remove_at(const std::string &path)
{
	return rmdir(path.c_str()) ? Status(sys_error(path, "rmdir")) : Status();
}

Status unlink_slot(StressStage &stage, Random &random)
{
	LIO_TRY(StressSlot slot, stage.pick_linked(random));
	stage.set_linked(slot, false);
	return unlink_at(stage.lun_dir(slot) + "/it");
}

Status remove_slot(StressStage &stage, Random &random)
{
	return remove_at(stage.lun_dir(stage.pick_slot(random)));
}

std::string any_wwn(Random &random)
{
	return fabric_dir() + "/" + pick(churned_wwns, random);
}

/// One of any number, or mostly one that was there a moment ago.
std::string any_tpg(Random &random)
{
	std::string wwn = any_wwn(random);
	std::vector<std::string> there;
	for (const auto &name : list_dir(wwn).value_or({}))
		if (name.rfind("tpgt_", 0) == 0)
			there.push_back(name);
	if (there.empty() || random() % 4 == 0)
		return wwn + "/tpgt_" + std::to_string(1 + random() % 3);
	return wwn + "/" + pick(there, random);
}

/// With all that does not hold a LUN.
Status remove_wwn(Random &random)
{
	std::string dir = any_wwn(random);
	for (int tpgt = 1; tpgt <= 3; tpgt++)
		(void)remove_at(dir + "/tpgt_" + std::to_string(tpgt));
	return remove_at(dir);
}

Status make_nexus(Random &random)
{
	std::string tpg = any_tpg(random);
	std::string wwn = tpg.substr(0, tpg.rfind('/'));
	return write_value(tpg + "/nexus", wwn.substr(wwn.rfind('/') + 1));
}

Status link_churned(StressStage &stage, Random &random)
{
	std::string dir = any_tpg(random) + "/lun/lun_" + std::to_string(random() % 2);
	if (Status s = make_dir(dir); !s && s.code() != EEXIST)
		return s;
	size_t disk = random() % 2 ? disk_ram : disk_steady;
	return link_to(stage.disk(disk).store->path(), dir + "/it");
}

Status unlink_churned(Random &random)
{
	std::string luns = any_tpg(random) + "/lun";
	LIO_TRY(auto names, list_dir(luns));
	std::string dir = luns + "/lun_" + std::to_string(random() % 2);
	if (!names.empty())
		dir = luns + "/" + pick(names, random);
	LIO_CHECK(unlink_at(dir + "/it"));
	return remove_at(dir);
}

} // namespace

void add_link_actors(StressEngine &engine, StressStage &stage)
{
	for (int n = 0; n < 2; n++)
		engine.add("links-" + std::to_string(n), milliseconds(300),
			   {{"link", 7, name_errors, [&](Random &r) { return stage.link(stage.pick_to_link(r)); }},
			    {"unlink", 4, name_errors, [&](Random &r) { return unlink_slot(stage, r); }},
			    {"lun-rmdir", 1, name_errors, [&](Random &r) { return remove_slot(stage, r); }}});
	for (int n = 0; n < 2; n++)
		engine.add("targets-" + std::to_string(n), milliseconds(100),
			   {{"wwn-mkdir", 3, name_errors, [](Random &r) { return make_dir(any_wwn(r)); }},
			    {"wwn-rmdir", 1, name_errors, [](Random &r) { return remove_wwn(r); }},
			    {"tpg-mkdir", 4, name_errors, [](Random &r) { return make_dir(any_wwn(r) + "/tpgt_" + std::to_string(1 + r() % 3)); }},
			    {"tpg-rmdir", 4, name_errors, [](Random &r) { return remove_at(any_tpg(r)); }},
			    {"nexus-make", 4, name_errors, [](Random &r) { return make_nexus(r); }},
			    {"nexus-drop", 2, name_errors, [](Random &r) { return write_value(any_tpg(r) + "/nexus", "NULL"); }},
			    {"churn-link", 3, name_errors, [&](Random &r) { return link_churned(stage, r); }},
			    {"churn-unlink", 4, name_errors, [](Random &r) { return unlink_churned(r); }}});
}

} // namespace lio::test
