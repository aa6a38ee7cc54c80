// SPDX-License-Identifier: GPL-2.0
#include "fault_scene.hpp"

namespace lio::test {

namespace {

Status remove_if_there(std::optional<Removal> &what)
{
	if (!what)
		return {};
	Status s = what->remove();
	what.reset();
	return s;
}

Status make_into(std::optional<Removal> &what, const std::string &path)
{
	LIO_TRY(Removal dir, make_dir_guard(path));
	what.emplace(std::move(dir));
	return {};
}

} // namespace

Status UserDevice::make_hba()
{
	return make_into(hba, target_root + "/core/user_90");
}

Status UserDevice::make()
{
	return make_into(dev, hba->path() + "/" + name);
}

std::vector<std::string> UserDevice::settings()
{
	return {std::string("dev_config=scripted/") + name, "dev_size=16777216", "hw_block_size=512",
		"cmd_ring_size_mb=1", "max_data_area_mb=8"};
}

Status UserDevice::configure() const
{
	for (const auto &line : settings())
		LIO_CHECK(write_value(path() + "/control", line));
	return {};
}

Status UserDevice::make_enabled()
{
	LIO_CHECK(make_hba());
	LIO_CHECK(make());
	LIO_CHECK(configure());
	return enable();
}

Status UserDevice::remove()
{
	LIO_CHECK(remove_if_there(dev));
	return remove_if_there(hba);
}

Status LoopScene::make_wwn()
{
	return make_into(wwn, target_root + "/loopback/" + port);
}

Status LoopScene::make_tpg()
{
	return make_into(tpg, wwn->path() + "/tpgt_1");
}

Status LoopScene::remove()
{
	if (tpg && read_value(tpg->path() + "/nexus"))
		LIO_CHECK(drop_nexus());
	LIO_CHECK(remove_if_there(tpg));
	return remove_if_there(wwn);
}

} // namespace lio::test
