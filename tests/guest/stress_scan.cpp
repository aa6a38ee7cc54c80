// SPDX-License-Identifier: GPL-2.0
// Whoever scans a host may meet a LUN that is just being linked or unlinked: the core has it, tcm_loop
// not. A SCSI device that is made then belongs to no link, nobody removes it, and its TPG lives for ever.
#include <atomic>
#include <thread>

#include <unistd.h>

#include "loopback.hpp"
#include "seed.hpp"
#include "stress_stage.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

/// One of two always waits for the other's scan, or for the removal, to end.
void scan(const std::string &host, const std::atomic<bool> &stop)
{
	while (!stop)
		(void)write_value("/sys/class/scsi_host/host" + host + "/scan", "0 1 0");
}

TEST(StressScan, NoDeviceOutlivesItsLun)
{
	expect_dmesg("^(s(d|csi) [\\d:]+: |TARGET_CORE\\[loopback\\]: Detected NON_EXISTENT_LUN)", Need::optional);
	expect_dmesg("^MODE SENSE: unimplemented page/subpage: 0x0a/0x05$", Need::optional);
	expect_dmesg("^((I/O|device offline) error, dev sd|Buffer I/O error on dev sd|Dev sda: unable to read RDB)", Need::optional);
	expect_dmesg("^[a-z_]+: \\d+ callbacks suppressed$", Need::optional);
	ASSERT_OK_AND_ASSIGN(Backstore ram, Backstore::create(ramdisk_spec("ram", 1 << 20)));
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create());
	ASSERT_OK_AND_ASSIGN(std::string address, target.address());
	const std::string device = "/sys/bus/scsi/devices/" + address + ":0", dir = target.tpg() + "/lun/lun_0";
	std::atomic<bool> stop = false;
	const std::string host = address.substr(0, address.find(':'));
	std::thread one(scan, host, std::cref(stop)), two(scan, host, std::cref(stop));
	for (uint64_t n = count(100, 1000); n && !testing::Test::HasFailure(); n--) {
		EXPECT_OK(make_dir(dir));
		EXPECT_EQ(symlink(ram.path().c_str(), (dir + "/it").c_str()), 0);
		EXPECT_OK(unlink_within(dir + "/it", removal_limit));
		EXPECT_OK(remove_dir_within(dir, removal_limit));
		check_dmesg_now(); // before it overflows
	}
	stop = true;
	one.join();
	two.join();
	EXPECT_FALSE(exists(device));
	EXPECT_OK(target.drop_nexus());
}

} // namespace
} // namespace lio::test
