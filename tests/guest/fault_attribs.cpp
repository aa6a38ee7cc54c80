// SPDX-License-Identifier: GPL-2.0
// A write to each attribute of ours in configfs while memory is short.
#include <filesystem>
#include <map>

#include "fault_scene.hpp"
#include "fault_walk.hpp"
#include "seed.hpp"
#include "tcmu_netlink.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

/// Writable files in @dir, not below.
std::vector<std::string> writable(const std::string &dir)
{
	std::vector<std::string> files;
	std::error_code ec;
	for (const auto &e : std::filesystem::directory_iterator(dir, ec))
		if (e.is_regular_file() && (e.status().permissions() & std::filesystem::perms::owner_write) !=
						   std::filesystem::perms::none)
			files.push_back(e.path());
	std::sort(files.begin(), files.end());
	return files;
}

/// What is written where the value that was read will not do; two values are written in turn.
const std::map<std::string, std::vector<std::string>> values = {
	{"block_dev", {"1", "0"}},
	{"control", {"dev_size=8388608", "dev_size=16777216"}},
	{"dev_config", {"scripted/fault/other", "scripted/fault"}},
	{"dev_size", {"8388608", "16777216"}},
	{"emulate_write_cache", {"1", "0"}},
	{"free_kept_buf", {"0"}},
	{"reset_ring", {"1"}},
	{"tmr_notification", {"1", "0"}},
	{"transport_status", {"offline", "online"}},
};

Status write_all(const std::string &path, const std::vector<std::string> &texts)
{
	for (const auto &t : texts)
		LIO_CHECK(write_value(path, t));
	return {};
}

/// A value that is refused with memory is refused without, by the same errno.
void walk_attribute(const std::string &module, const std::string &path)
{
	std::string name = path.substr(path.rfind('/') + 1);
	auto known = values.find(name);
	std::vector<std::string> texts = known == values.end() ? std::vector{read_value(path).value_or("0")} : known->second;
	int usual = write_all(path, texts).code();
	Scenario s;
	s.name = "write " + name;
	s.module = module;
	s.act = [=]() -> Status {
		Status written = write_all(path, texts);
		return written.code() == usual ? Status() : written;
	};
	if (tier() != Tier::long_)
		s.kinds = {FaultKind::slab}; // none of them takes pages, but for those of slabs
	s.restore = [=]() -> Status {
		// The last value is the usual one.
		Status written = write_value(path, texts.back());
		return usual ? Status() : written;
	};
	walk(s);
}

class FaultAttribs : public FaultTest {
protected:
	static void expect_complaints()
	{
		// The core's and our answers to values that are refused, which is tested elsewhere.
		expect_dmesg("^fault: the handler could not be reconfigured: -12$", Need::optional);
	}
};

TEST_F(FaultAttribs, TargetCoreUser)
{
	expect_complaints();
	ASSERT_OK_AND_ASSIGN(NlDaemon daemon, NlDaemon::start());
	ASSERT_OK(daemon.set_features(0));
	UserDevice device;
	ASSERT_OK(device.make_enabled());
	auto files = writable(device.path() + "/attrib");
	for (const auto &f : writable(device.path() + "/action"))
		files.push_back(f);
	files.push_back(device.path() + "/control");
	EXPECT_GT(files.size(), 10u);
	for (const auto &f : files) {
		walk_attribute("target_core_user", f);
		while (daemon.next(milliseconds(0))) {
		}
	}
	EXPECT_OK(device.remove());
}

TEST_F(FaultAttribs, TcmLoop)
{
	LoopScene scene;
	ASSERT_OK(scene.make_wwn());
	ASSERT_OK(scene.make_tpg());
	auto files = writable(scene.tpg->path());
	for (const auto &f : writable(scene.tpg->path() + "/attrib"))
		files.push_back(f);
	EXPECT_GE(files.size(), 3u);
	for (const auto &f : files)
		if (!f.ends_with("/nexus")) // a scenario of its own
			walk_attribute("tcm_loop", f);
	EXPECT_OK(scene.remove());
}

} // namespace
} // namespace lio::test
