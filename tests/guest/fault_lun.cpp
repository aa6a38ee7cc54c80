// SPDX-License-Identifier: GPL-2.0
// Targets, nexuses and LUNs of tcm_loop while memory is short.
#include <future>

#include "fault_scene.hpp"
#include "fault_walk.hpp"
#include "scripted_handler.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

class FaultLoop : public FaultTest {
protected:
	LoopScene scene_;

	Scenario scenario(const std::string &name)
	{
		Scenario s;
		s.name = name;
		s.module = "tcm_loop";
		s.restore = [this] { return scene_.remove(); };
		return s;
	}
};


TEST_F(FaultLoop, Wwn)
{
	expect_dmesg("^tcm_loop tcm_loop_adapter_\\d+: probe with driver tcm_loop failed with error -12$", Need::optional);
	expect_dmesg("^scsi host\\d+: (error handler thread failed to spawn, error = -12|failed to create tmf workq)$",
		     Need::optional);
	expect_dmesg("^workqueue: Failed to allocate a rescuer for wq \"scsi_tmf_\\d+\"$", Need::optional);
	Scenario s = scenario("create target");
	s.act = [this] { return scene_.make_wwn(); };
	walk(s);
}

TEST_F(FaultLoop, Tpg)
{
	ASSERT_OK(scene_.make_wwn());
	expect_dmesg("^Unable to allocate se_lun memory$", Need::optional);
	Scenario s = scenario("create tpg");
	s.act = [this] { return scene_.make_tpg(); };
	s.restore = [this]() -> Status {
		Status removed = scene_.tpg ? scene_.tpg->remove() : Status();
		scene_.tpg.reset();
		return removed;
	};
	walk(s);
	EXPECT_OK(scene_.remove());
}

TEST_F(FaultLoop, Nexus)
{
	ASSERT_OK(scene_.make_wwn());
	ASSERT_OK(scene_.make_tpg());
	expect_dmesg("^Unable to allocate struct se_session from se_sess_cache$", Need::optional);
	Scenario s = scenario("create and drop nexus");
	s.act = [this]() -> Status {
		LIO_CHECK(scene_.make_nexus());
		return scene_.drop_nexus();
	};
	// After a failure there is none.
	s.restore = [this]() -> Status {
		return read_value(scene_.tpg->path() + "/nexus").code() == ENODEV
			       ? Status()
			       : Error{EEXIST, scene_.tpg->path(), "a nexus is left in"};
	};
	walk(s);
	EXPECT_OK(scene_.remove());
}

/// A LUN's directory, link and SCSI device; a handler answers the scan.
struct LinkScene {
	UserDevice device;
	LoopScene target;
	std::optional<ScriptedHandler> handler;
	std::optional<Removal> dir, link;

	Status make();
	Status add();
	Status add_and_look(const std::string &sdev);
	Status remove_lun();
	Status remove();
};

Status LinkScene::make()
{
	LIO_CHECK(device.make_enabled());
	LIO_CHECK(target.make_wwn());
	LIO_CHECK(target.make_tpg());
	LIO_CHECK(target.make_nexus());
	LIO_TRY(handler, ScriptedHandler::open(UserDevice::name));
	return {};
}

/// Without its SCSI device the LUN is useless: ENODEV.
Status LinkScene::add_and_look(const std::string &sdev)
{
	LIO_TRY(dir, make_dir_guard(target.tpg->path() + "/lun/lun_0"));
	LIO_TRY(link, make_link_guard(device.path(), dir->path() + "/" + UserDevice::name));
	// The scan is over when symlink(2) returns.
	return exists(sdev) ? Status() : Error{ENODEV, sdev, "the midlayer has no"};
}

Status LinkScene::add()
{
	LIO_TRY(std::string address, read_value(target.tpg->path() + "/address"));
	std::string sdev = "/sys/bus/scsi/devices/" + address + ":0";
	auto added = std::async(std::launch::async, [=, this] { return add_and_look(sdev); });
	Deadline deadline(seconds(60));
	while (added.wait_for(seconds(0)) != std::future_status::ready && !deadline.passed())
		LIO_CHECK(handler->serve_for(milliseconds(2)));
	return added.get();
}

Status LinkScene::remove_lun()
{
	Status first;
	for (auto *what : {&link, &dir})
		if (*what) {
			Status s = (*what)->remove();
			first = first ? s : first;
			what->reset();
		}
	return first;
}

Status LinkScene::remove()
{
	handler.reset();
	LIO_CHECK(remove_lun());
	LIO_CHECK(target.remove());
	return device.remove();
}

void expect_failed_link()
{
	// The core takes no error of the fabric's, and the scan's is the midlayer's to tell.
	expect_dmesg("^naa\\.50014050fa017001/tpgt_1/lun_0: no memory for its SCSI device$", Need::optional);
	expect_dmesg("^scsi_alloc_sdev: Allocation failure during SCSI scanning, some SCSI devices might not be configured$",
		     Need::optional);
	expect_dmesg("^scsi_alloc_target: allocation failure$", Need::optional);
	expect_dmesg("^workqueue: Failed to allocate a rescuer for wq \"tcm_loop_\\d+_1_0\"$", Need::optional);
}

TEST_F(FaultLoop, Link)
{
	expect_failed_link();
	LinkScene scene;
	ASSERT_OK(scene.make());
	Scenario s = scenario("link and unlink LUN");
	s.act = [&]() -> Status {
		LIO_CHECK(scene.add());
		return scene.remove_lun();
	};
	s.restore = [&] { return scene.remove_lun(); };
	walk(s);
	EXPECT_OK(scene.remove());
}

} // namespace
} // namespace lio::test
