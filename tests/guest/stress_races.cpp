// SPDX-License-Identifier: GPL-2.0
// Seeded random interleavings of everything that can be done to tcm_loop and target_core_user from
// outside. LIO_STRESS_SECONDS says how long, LIO_SEED which.
#include <cstdlib>

#include "leak_probe.hpp"
#include "loopback.hpp"
#include "module.hpp"
#include "seed.hpp"
#include "stress_stage.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

seconds duration()
{
	if (const char *env = getenv("LIO_STRESS_SECONDS"))
		return seconds(strtoul(env, nullptr, 0));
	return seconds(tier() == Tier::long_ ? 3600 : 120);
}

/// A run of this length reaches every kind of action, also on a slow kernel; in a shorter one each
/// that was tried so often must have succeeded.
constexpr seconds long_enough(600);
constexpr uint64_t often_enough = 60;

/// So many unexpected lines in the kernel's log end the run; what else is wrong ends it at once.
constexpr int most_lines = 20;

/// The sanitizer kernel on a busy machine.
unsigned patience()
{
	return tier() == Tier::debug ? 3 : 1;
}

#define DEVICE "(steady|killed|runner|script[01]|(churned|brief)[01])"
#define STORM_TPG "(naa\\.500140\\w+|naa\\.5001405dead00001|5001405dead00002|iqn\\.2003-01\\.org\\.example:churn)/tpgt_[1-3]"
// Of all LUNs but the calm disk's, which is sda, the only one at target 0.
#define STORM_LUN "s(d|csi) \\d+:0:[1-3]:\\d+: "
#define STORM_DISK "sd[b-z]+"

/// What the actors provoke. None of it names the calm disk: nothing may happen to that.
const char *const expected_lines[] = {
	// Our modules: values, names and times that are refused.
	"^(rubbish)?: not a name of an emulated initiator port for ",
	"^rubbish: not a name of an emulated target port",
	"^tpgt?_?\\w*: not tpgt_N with N less than 32$",
	"^" STORM_TPG ": nexus is in use by LUNs$",
	"^" DEVICE ": (max_data_area_mb|cmd_ring_size_mb|data_pages_per_blk) cannot change once the device is enabled$",
	"^(hw_max_sectors|cmd_ring_size_mb|data_pages_per_blk|max_data_area_mb) must be a number above 0, not '[0x]?'$",
	"^cmd_ring_size_mb: 9 lowered to the limit of 8$",
	"^" DEVICE ": (cmd_time_out cannot change while exported|qfull_time_out must be -1 to \\d+ seconds)$",
	"^" DEVICE ": (the device is not enabled|the handler could not be reconfigured: -\\d+)$",
	"^" DEVICE ": reset_ring takes 1 ",
	"^(block_netlink must be 0 or 1|global_max_data_area_mb must be 1 to \\d+)$",
	// Our modules: handlers that do not do their part.
	"^" DEVICE ": (the handler did not answer in time|no answer to a netlink event|netlink is blocked, see block_netlink)$",
	"^script[01]: the handler broke the command ring; write 1 or 2 to reset_ring$",
	"^tcmu_(break|scan_work|nl_wait|nl_add_event): \\d+ callbacks suppressed$",
	"^" STORM_TPG "/lun_\\d+: (command|reset) does not end, logical unit is not ready until it does$",
	"^" STORM_TPG "/lun_\\d+: logical unit is ready again$",
	"^" STORM_TPG "/lun_\\d+: backend does not answer, the SCSI device comes when it does$",
	"^" STORM_TPG "(/lun/lun_\\d+|/nexus)? is gone but lives on until its last command returns$",
	// A handler that looks at a device that has just gone.
	"^uio uio\\d+: the device has been unregistered$",
	// The distribution's core.
	"^MODE SENSE: unimplemented page/subpage: 0x0a/0x05$",
	"^se_dev->se_dev_ptr already set for storage object$",
	"^se_device not configured yet, cannot port link$",
	"^TARGET_CORE\\[loopback\\]: Detected NON_EXISTENT_LUN Access for 0x[0-9a-f]{8} from \\S+$",
	"^ABORT_TASK: (Found referenced loopback task_tag|Sending TMR_\\w+ for ref_tag): \\d+$",
	// The midlayer.
	"^" STORM_LUN "(Power-on or device reset occurred|Capacity data has changed|LUN assignments on this target have changed\\. )",
	"^" STORM_LUN "(\\[" STORM_DISK "\\] )?tag#\\d+ timing out command, waited \\d+s$",
	// sd looks at a disk whose path is cut in the middle of that.
	"^" STORM_LUN "\\[" STORM_DISK "\\] (Test WP failed|Asking for cache data failed|No Caching mode page found|"
	"Cache data unavailable|Assuming drive cache: write through|Read Capacity\\(1[06]\\) failed: |Sense not available|"
	"Sense Key : |Add\\. Sense: |Unit Not Ready|Synchronize Cache\\(10\\) failed: |Start/Stop Unit failed: |"
	"Spinning up disk|Sector size 0 reported)",
	"^(\\.*ready|\\.*not responding\\.\\.\\.|\\.+)$", // goes on behind "Spinning up disk"
	"^" STORM_LUN "rejecting I/O to (offline|dead) device$",
	"^" STORM_LUN "\\[" STORM_DISK "\\] (Preferred minimum I/O size|Optimal transfer size) \\d+ bytes not a multiple of physical block size \\(0 bytes\\)$",
	"^" STORM_LUN "Unexpected response from lun \\d+ while scanning, scan aborted$",
	"^Dev " STORM_DISK ": unable to read RDB block \\d+$",
	"^(I/O|device offline|critical target|critical medium) error, dev " STORM_DISK ", sector \\d+ op ",
	"^Buffer I/O error on dev " STORM_DISK ", logical block \\d+, async page read$",
	"^(scsi_io_completion_action|buffer_io_error|blk_print_req_error): \\d+ callbacks suppressed$",
};

void expect_lines()
{
	for (const char *pattern : expected_lines)
		expect_dmesg(pattern, Need::optional);
}

Status load_all()
{
	LIO_CHECK(ensure_loopback());
	// The core asks for all backstores when the first is made.
	for (const char *module : {"target_core_file", "target_core_iblock", "target_core_pscsi"})
		LIO_CHECK(load_module(module));
	return load_module("target_core_user");
}

Status unload_all()
{
	LIO_CHECK(remove_dir_within(fabric_dir(), removal_limit));
	LIO_CHECK(wait_until(Deadline(removal_limit), "nothing to linger", [] {
		return read_value(module_param_path("tcm_loop", "lingering")).value_or("").empty();
	}));
	LIO_CHECK(unload_module("tcm_loop"));
	return unload_module("target_core_user");
}

/// That the test was not empty.
void judge_tallies(const StressEngine &engine, seconds length)
{
	for (const auto &kind : engine.never_done(length >= long_enough ? 0 : often_enough))
		ADD_FAILURE() << kind << " never succeeded";
	for (const auto &actor : engine.useless())
		ADD_FAILURE() << "nothing that " << actor << " did succeeded";
}

void run_actors(StressStage &stage, seconds length)
{
	StressEngine engine(patience());
	add_io_actors(engine, stage);
	add_link_actors(engine, stage);
	add_device_actors(engine, stage);
	add_configfs_actors(engine, stage);
	add_handler_actors(engine, stage);
	add_reset_actors(engine, stage);
	Stopwatch watch;
	unsigned ticks = 0;
	engine.run(length, [&] {
		check_dmesg_now();
		if (++ticks % 10 == 0)
			printf("%4.0f s: %s\n", watch.seconds(), engine.progress().c_str());
		return testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count() < most_lines;
	});
	printf("%s", engine.table().c_str());
	for (const auto &f : engine.failures())
		ADD_FAILURE() << f;
	if (!testing::Test::HasFailure())
		judge_tallies(engine, length);
	// While the handlers' threads live.
	stage.tear_down();
}

TEST(Stress, Races)
{
	expect_lines();
	// Everything that a first load leaves behind.
	ASSERT_OK(load_all());
	ASSERT_OK(ensure_dbus());
	ASSERT_OK(unload_all());
	ASSERT_OK_AND_ASSIGN(Snapshot before, take_snapshot());
	RecordProperty("seconds", std::to_string(duration().count()));
	{
		ASSERT_OK(load_all());
		ASSERT_OK_AND_ASSIGN(auto stage, StressStage::create());
		ASSERT_NO_FATAL_FAILURE(run_actors(*stage, duration()));
	}
	ASSERT_OK(unload_all());
	ASSERT_OK_AND_ASSIGN(Snapshot after, take_snapshot());
	for (const auto &change : changed_names(before, after))
		ADD_FAILURE() << change;
}

} // namespace
} // namespace lio::test
