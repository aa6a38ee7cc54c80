// SPDX-License-Identifier: GPL-2.0
// The life of a userspace backstore device while memory is short.
#include "fault_scene.hpp"
#include "fault_walk.hpp"
#include "tcmu_netlink.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

class FaultDevice : public FaultTest {
protected:
	UserDevice device_;

	Scenario scenario(const std::string &name)
	{
		Scenario s;
		s.name = name;
		s.module = "target_core_user";
		s.restore = [this] { return device_.remove(); };
		return s;
	}
};

TEST_F(FaultDevice, Hba)
{
	Scenario s = scenario("create HBA");
	s.act = [this] { return device_.make_hba(); };
	walk(s);
}

TEST_F(FaultDevice, Create)
{
	Scenario s = scenario("create device");
	s.prepare = [this] { return device_.make_hba(); };
	s.act = [this] { return device_.make(); };
	walk(s);
}

TEST_F(FaultDevice, Control)
{
	Scenario s = scenario("write control");
	s.prepare = [this]() -> Status {
		LIO_CHECK(device_.make_hba());
		return device_.make();
	};
	s.act = [this] { return device_.configure(); };
	walk(s);
}

/// A device that could not be enabled can be when there is memory.
TEST_F(FaultDevice, Enable)
{
	expect_dmesg("^uio uio\\d+: error creating sysfs files \\(-12\\)$", Need::optional);
	Scenario s = scenario("enable");
	bool failed = false;
	s.prepare = [&]() -> Status {
		LIO_CHECK(device_.make_hba());
		LIO_CHECK(device_.make());
		return device_.configure();
	};
	s.act = [&] {
		Status enabled = device_.enable();
		failed = !enabled;
		return enabled;
	};
	s.restore = [&]() -> Status {
		if (failed)
			LIO_CHECK(device_.enable());
		return device_.remove();
	};
	walk(s);
}

/// A daemon listens, so that there is an event to be sent.
TEST_F(FaultDevice, RemoveWithListener)
{
	ASSERT_OK_AND_ASSIGN(NlDaemon daemon, NlDaemon::start());
	ASSERT_OK(daemon.set_features(0));
	Scenario s = scenario("remove with a listener");
	s.prepare = [&] { return device_.make_enabled(); };
	s.act = [&] { return device_.remove(); };
	s.restore = [&]() -> Status {
		while (daemon.next(milliseconds(0))) {
		}
		return device_.remove();
	};
	walk(s);
}

} // namespace
} // namespace lio::test
