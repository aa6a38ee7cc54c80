// SPDX-License-Identifier: GPL-2.0
// Modules that are loaded while memory is short.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backstore.hpp"
#include "fault_walk.hpp"
#include "module.hpp"
#include "process.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

/// The modules' dependencies stay loaded.
class FaultLoad : public FaultTest {
protected:
	Status begin() override
	{
		LIO_CHECK(remove_dir_within(target_root + "/loopback", removal_limit)); // holds tcm_loop
		LIO_CHECK(unload_module("tcm_loop"));
		return unload_module("target_core_user");
	}
};

/// @spared: see Scenario.
Scenario load_scenario(const std::string &module, const std::string &path, const std::string &spared)
{
	Scenario s;
	s.spared = spared;
	s.depth = 9; // the announcement of a netlink family
	s.name = "load";
	s.module = module;
	s.loads = true;
	// In this thread, as the injector counts its allocations only.
	s.act = [=]() -> Status {
		LIO_TRY(Fd fd, open_fd(path, O_RDONLY));
		if (syscall(SYS_finit_module, fd.get(), "", 0))
			return sys_error(path, "load");
		return {};
	};
	s.restore = [=]() -> Status { return module_loaded(module) ? unload_module(module) : Status(); };
	return s;
}

void walk_load(const std::string &module, const std::string &spared = {})
{
	ASSERT_OK_AND_ASSIGN(std::string path, run_ok({"modinfo", "-F", "filename", module}));
	path.erase(path.find_last_not_of('\n') + 1);
	walk(load_scenario(module, path, spared));
}

TEST_F(FaultLoad, TcmLoop)
{
	expect_dmesg("^workqueue: Failed to allocate a rescuer for wq \"tcm_loop(_recovery)?\"$", Need::optional);
	expect_dmesg("^target_register_template: could not allocate memory!$", Need::optional);
	// bus_register() of 6.12 unregisters a lock class that it has not registered yet when this fails.
	walk_load("tcm_loop", "kset_create_and_add");
}

TEST_F(FaultLoad, TargetCoreUser)
{
	expect_dmesg("^workqueue: Failed to (allocate a rescuer|create a rescuer kthread) for wq \"tcmu\"(: -12)?$", Need::optional);
	walk_load("target_core_user");
}

} // namespace
} // namespace lio::test
