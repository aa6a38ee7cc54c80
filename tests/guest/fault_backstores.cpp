// SPDX-License-Identifier: GPL-2.0
// The backstores that the kernel has while memory is short: made, and used through the test fabric.
#include "backstore_stage.hpp"
#include "fault_store.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

/// The allocations of the core fail, too: it has other ways in its file and block backstores.
Scenario scenario(const std::string &what, Plugin plugin, bool core)
{
	Scenario s;
	s.name = what + " " + plugin_dir(plugin);
	s.module = core ? "target_core_mod" : plugin_module(plugin);
	return s;
}

class FaultBackstore : public FaultTest {
protected:
	Status begin() override
	{
		LIO_CHECK(ensure_tcm_test());
		LIO_CHECK(load_module("loop"));
		LIO_CHECK(load_module("sd_mod"));
		for (Plugin p : {Plugin::fileio, Plugin::iblock, Plugin::pscsi})
			LIO_CHECK(load_module(plugin_module(p)));
		return {};
	}
	void walk_making(Plugin plugin, const std::vector<std::string> &control, const std::string &node = {})
	{
		expect_dmesg("^workqueue: Failed to (allocate a rescuer|create a rescuer kthread) for wq \"(fileio|iblock)_fault\"(: -12)?$",
			     Need::optional);
		expect_dmesg("^target_core_(file|iblock|pscsi): /\\S+: cannot (be opened|open)( for writing)?: -12$", Need::optional);
		Things things;
		for (bool core : {true, false}) {
			Scenario s = scenario("create and enable", plugin, core);
			s.spared = "__kmem_cache_create_args"; // whose callers of the kernel get a stack dump with the error
			s.act = [&] { return make_store(things, std::string(plugin_dir(plugin)) + "_91", control, node); };
			s.restore = [&] { return things.remove(); };
			walk(s);
		}
	}
	/// @list with what only a large transfer needs.
	void walk_using(const Backstore &store, Plugin plugin, CommandList list)
	{
		constexpr uint32_t blocks = 1024;
		list.out(cdb::write(10, 0, blocks), pattern(blocks * fault_block, 0, 1));
		list.in(cdb::read(10, 0, blocks), blocks * fault_block);
		for (bool core : {true, false})
			ASSERT_NO_FATAL_FAILURE(walk_commands(store, list, scenario("commands of", plugin, core)));
	}
};

TEST_F(FaultBackstore, File)
{
	ASSERT_OK_AND_ASSIGN(LowerDevice lower, LowerDevice::create(false, fault_block, fault_bytes));
	ASSERT_NO_FATAL_FAILURE(walk_making(
		Plugin::fileio, {"fd_dev_name=" + lower.file + ",fd_dev_size=" + std::to_string(fault_bytes)}));
	ASSERT_OK_AND_ASSIGN(Backstore store, make_thin(fileio_spec("fault", lower.file, fault_bytes, true)));
	ASSERT_NO_FATAL_FAILURE(walk_using(store, Plugin::fileio, medium_commands(true)));

	Scenario s = scenario("protection information of", Plugin::fileio, false);
	s.act = [&] { return store.set("pi_prot_type", "1"); };
	s.restore = [&] { return store.set("pi_prot_type", "0"); };
	walk(s);
}

TEST_F(FaultBackstore, Block)
{
	ASSERT_OK_AND_ASSIGN(LowerDevice lower, LowerDevice::create(true, fault_block, fault_bytes));
	ASSERT_NO_FATAL_FAILURE(walk_making(Plugin::iblock, {"udev_path=" + lower.loop->node()}));
	ASSERT_OK_AND_ASSIGN(Backstore store, make_thin(iblock_spec("fault", lower.loop->node())));
	ASSERT_NO_FATAL_FAILURE(walk_using(store, Plugin::iblock, medium_commands(true)));
}

TEST_F(FaultBackstore, Pscsi)
{
	ASSERT_OK_AND_ASSIGN(std::string device, debug_device({"lbpu=1", "lbpws=1"}));
	ASSERT_OK_AND_ASSIGN(std::string disk, debug_disk());
	ASSERT_NO_FATAL_FAILURE(walk_making(Plugin::pscsi, {address_control(device)}, "/dev/" + disk));
	{
		ASSERT_OK_AND_ASSIGN(Backstore store, make_pscsi(device, "/dev/" + disk));
		ASSERT_NO_FATAL_FAILURE(walk_using(store, Plugin::pscsi, {}));
	}
	EXPECT_OK(unload_module("scsi_debug"));
}

} // namespace
} // namespace lio::test
