// SPDX-License-Identifier: GPL-2.0
// LUNs, ACLs, TPGs, devices and modules go while two initiators read and write as fast as they can:
// nothing takes longer than the deadline (DESIGN section 3), and memory comes back.
#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include <unistd.h>

#include "gtest_result.hpp"
#include "leak_rounds.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "seed.hpp"
#include "tcmtest_traffic.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

/// The deadline of whoever waits for commands, and time for a busy host.
constexpr milliseconds limit = seconds(40);

/// How long the steps of a round took at most, by name.
std::map<std::string, double> slowest;

template <class Step> Status timed(const std::string &name, Step step)
{
	const Stopwatch watch;
	Status s = step();
	slowest[name] = std::max(slowest[name], watch.seconds());
	return s;
}

class Scene {
	TempDir dir_;
	std::string wwn_ = fresh_wwn();
	std::optional<Backstore> ramdisk_, file_;
	std::optional<TestPort> port_;
	std::unique_ptr<TestTraffic> traffic_[2];

	explicit Scene(TempDir dir) : dir_(std::move(dir)) {}

public:
	static constexpr uint64_t bytes = 16 << 20;
	static Result<Scene> create()
	{
		LIO_TRY(TempDir dir, TempDir::create("/var/tmp"));
		Scene scene(std::move(dir));
		LIO_CHECK(make_sparse_file(scene.dir_ / "file", bytes));
		return scene;
	}

	const std::string tpg() const { return port_->path(); }
	const std::string &acl_name(unsigned i) const { return i ? initiator_b : initiator_a; }
	TestPort &port() { return *port_; }
	const std::string &store(unsigned lun) const { return lun ? file_->path() : ramdisk_->path(); }

	Status make_stores()
	{
		LIO_CHECK(ensure_tcm_test());
		LIO_TRY(ramdisk_, Backstore::create(ramdisk_spec("teardown-rd", bytes)));
		LIO_TRY(file_, Backstore::create(fileio_spec("teardown-file", dir_ / "file", bytes, true)));
		return {};
	}
	Status make_port()
	{
		LIO_TRY(port_, TestPort::create(wwn_, 1, false));
		LIO_CHECK(port_->add_lun(0, *ramdisk_));
		LIO_CHECK(port_->add_lun(1, *file_));
		for (unsigned i : {0, 1})
			LIO_CHECK(make_acl(i));
		return {};
	}
	Status make_acl(unsigned i)
	{
		LIO_CHECK(port_->add_acl(acl_name(i)));
		for (unsigned lun = 0; lun < TestTraffic::luns; lun++)
			LIO_CHECK(port_->map_lun(acl_name(i), lun, lun));
		return {};
	}
	Status drop_port()
	{
		Status s = port_->destroy(limit);
		port_.reset();
		return s;
	}
	/// Devices go, and the modules that only they used.
	Status drop_stores()
	{
		LIO_CHECK(ramdisk_->destroy(limit));
		LIO_CHECK(file_->destroy(limit));
		ramdisk_.reset();
		file_.reset();
		return unload_module("target_core_file", limit);
	}
	void start_traffic()
	{
		for (unsigned i : {0, 1})
			traffic_[i] = std::make_unique<TestTraffic>(wwn_, acl_name(i), i);
	}
	void stop_traffic()
	{
		for (auto &t : traffic_)
			t->stop();
	}
	/// Both go on: something is GOOD that was not before.
	Status flows()
	{
		const uint64_t before[2] = {traffic_[0]->good(), traffic_[1]->good()};
		LIO_CHECK(wait_until(Deadline(limit), "commands that are GOOD", [&] {
			return traffic_[0]->good() > before[0] + 20 && traffic_[1]->good() > before[1] + 20;
		}));
		return healthy();
	}
	Status healthy()
	{
		for (auto &t : traffic_)
			if (const std::string what = t->failure(); !what.empty())
				return Error{EIO, wwn_, what};
		return {};
	}
	Status close_all()
	{
		stop_traffic();
		LIO_CHECK(healthy());
		for (auto &t : traffic_)
			t.reset();
		LIO_CHECK(drop_port());
		LIO_CHECK(drop_stores());
		LIO_CHECK(remove_dir_within(target_root + "/tcmtest", limit));
		return unload_module("tcm_test", limit);
	}
};

Status relink_lun(Scene &scene, unsigned lun)
{
	const std::string dir = scene.tpg() + "/lun/lun_" + std::to_string(lun);
	for (unsigned i : {0, 1})
		LIO_CHECK(unlink_within(scene.port().acl(scene.acl_name(i)) + "/lun_" + std::to_string(lun) + "/link", limit));
	LIO_CHECK(unlink_within(dir + "/link", limit));
	if (symlink(scene.store(lun).c_str(), (dir + "/link").c_str()))
		return sys_error(dir, "link again");
	for (unsigned i : {0, 1}) {
		const std::string link = scene.port().acl(scene.acl_name(i)) + "/lun_" + std::to_string(lun) + "/link";
		if (symlink(dir.c_str(), link.c_str()))
			return sys_error(link, "map again");
	}
	return {};
}

/// rmdir of an ACL below its nexus, and another one in its place.
Status replace_acl(Scene &scene, unsigned i)
{
	const std::string acl = scene.port().acl(scene.acl_name(i));
	for (unsigned lun = 0; lun < TestTraffic::luns; lun++) {
		const std::string mapped = acl + "/lun_" + std::to_string(lun);
		LIO_CHECK(unlink_within(mapped + "/link", limit));
		LIO_CHECK(remove_dir_within(mapped, limit));
	}
	LIO_CHECK(remove_dir_within(acl, limit));
	LIO_CHECK(make_dir(acl));
	for (unsigned lun = 0; lun < TestTraffic::luns; lun++) {
		const std::string mapped = acl + "/lun_" + std::to_string(lun);
		LIO_CHECK(make_dir(mapped));
		if (symlink((scene.tpg() + "/lun/lun_" + std::to_string(lun)).c_str(), (mapped + "/link").c_str()))
			return sys_error(mapped, "map");
	}
	return {};
}

/// One round with both initiators at work throughout.
Status round(Scene &scene)
{
	for (unsigned lun = 0; lun < TestTraffic::luns; lun++) {
		LIO_CHECK(timed("LUN", [&] { return relink_lun(scene, lun); }));
		LIO_CHECK(timed("I/O", [&] { return scene.flows(); }));
	}
	for (unsigned i : {0, 1}) {
		LIO_CHECK(timed("ACL", [&] { return replace_acl(scene, i); }));
		LIO_CHECK(timed("I/O", [&] { return scene.flows(); }));
	}
	LIO_CHECK(timed("TPG", [&] { return scene.drop_port(); }));
	LIO_CHECK(timed("devices, module", [&] { return scene.drop_stores(); }));
	LIO_CHECK(scene.make_stores());
	LIO_CHECK(scene.make_port());
	return timed("I/O", [&] { return scene.flows(); });
}

/// All of it, to the fabric's module.
Status whole_round(Scene &scene)
{
	LIO_CHECK(scene.make_stores());
	LIO_CHECK(scene.make_port());
	scene.start_traffic();
	LIO_CHECK(scene.flows());
	LIO_CHECK(round(scene));
	return timed("all", [&] { return scene.close_all(); });
}

TEST(TcmtestTeardown, EverythingGoesUnderFullIo)
{
	ASSERT_OK_AND_ASSIGN(Scene scene, Scene::create());
	const uint64_t half = count(5, 250);
	expect_no_growth(3, half, [&] { ASSERT_OK(timed("a round", [&] { return whole_round(scene); })); });
	for (const auto &[name, taken] : slowest)
		printf("%lu rounds, %s: %.1f s at most\n", 2 * half, name.c_str(), taken);
}

} // namespace
} // namespace lio::test
