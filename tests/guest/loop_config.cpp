// SPDX-License-Identifier: GPL-2.0
// tcm_loop in configfs: names, values and error numbers, as the stock module has them, and the
// places where it does better.
#include <thread>

#include "loopback.hpp"
#include "module.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

const std::string fabric = target_root + "/loopback";

TEST(LoopConfig, NamesOfTargetPorts)
{
	expect_dmesg("not a name of an emulated target port", Need::required);
	ASSERT_OK(ensure_loopback());
	struct Case {
		const char *name;
		int code;
	};
	for (const Case &c : {Case{"foo", EINVAL}, {"eui.1", EINVAL}, {"naa.5001405", 0}, {"xxnaa.5001", 0},
			      {"fc.210000e08b0f5a3e", 0}, {"iqn.2003-01.org.x:sn.1", 0}}) {
		SCOPED_TRACE(c.name);
		auto dir = make_dir_guard(fabric + "/" + c.name);
		EXPECT_ERRNO(dir, c.code);
	}
}

TEST(LoopConfig, NumbersOfTpgs)
{
	expect_dmesg("not tpgt_N with N less than 32", Need::required);
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create({.wwn = {}, .tpgt = 1, .initiator = {}}));
	struct Case {
		const char *name;
		int code;
	};
	// tpgt_01 is tpgt_1: the distribution's module then registers one object twice. Its core turns errors into EINVAL.
	const int taken = module_is_ours("target_core_mod") ? EEXIST : EINVAL;
	for (const Case &c : {Case{"1", EINVAL}, {"tpgt_", EINVAL}, {"tpgt_x", EINVAL}, {"tpgt_1x", EINVAL},
			      {"xtpgt_3", EINVAL}, {"tpgt_32", EINVAL}, {"tpgt_65536", EINVAL},
			      {"tpgt_99999999999999999999", EINVAL}, {"tpgt_-1", EINVAL}, {"tpgt_01", taken},
			      {"tpgt_0", 0}, {"tpgt_31", 0}}) {
		SCOPED_TRACE(c.name);
		auto dir = make_dir_guard(target.path() + "/" + c.name);
		EXPECT_ERRNO(dir, c.code);
	}
}

TEST(LoopConfig, NexusErrors)
{
	expect_dmesg("not a name of an emulated initiator port", Need::required);
	ASSERT_OK_AND_ASSIGN(LoopTarget target,
			     LoopTarget::create({.wwn = {}, .tpgt = 1, .nexus = false, .initiator = {}}));
	const std::string nexus = target.tpg() + "/nexus";
	EXPECT_ERRNO(read_value(nexus), ENODEV);
	EXPECT_ERRNO(write_value(nexus, "NULL\n"), ENODEV);
	for (const std::string &bad : {std::string("foo"), std::string("iqn.x"), std::string("fc.1"),
				       std::string("\n"), "naa." + std::string(300, '0')})
		EXPECT_ERRNO(write_value(nexus, bad), EINVAL) << bad;
	ASSERT_OK(write_value(nexus, "naa.1\n"));
	EXPECT_EQ(read_value(nexus).value_or(""), "naa.1");
	EXPECT_ERRNO(write_value(nexus, "naa.2\n"), EEXIST);
	ASSERT_OK(write_value(nexus, "NULL"));
	EXPECT_ERRNO(read_value(nexus), ENODEV);
}

TEST(LoopConfig, FcNexusHasABareNumber)
{
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create({.wwn = "fc.210000e08b0f5a3e", .tpgt = 1,
								    .nexus = false, .initiator = {}}));
	ASSERT_OK(target.make_nexus("fc.210000e08b0f5a3f"));
	EXPECT_EQ(read_value(target.tpg() + "/nexus").value_or(""), "210000e08b0f5a3f");
	ASSERT_OK(target.drop_nexus());
}

TEST(LoopConfig, NexusStaysWhileItHasLuns)
{
	expect_dmesg("nexus is in use by LUNs", Need::required);
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(ramdisk_spec("rd", 1 << 20)));
	const std::string nexus = disk.target.tpg() + "/nexus";
	EXPECT_ERRNO(write_value(nexus, "NULL"), EPERM);
	ASSERT_OK(disk.lun.unlink());
	EXPECT_OK(write_value(nexus, "NULL"));
	EXPECT_ERRNO(read_value(nexus), ENODEV);
	ASSERT_OK(write_value(nexus, "naa.1"));
}

// Without a nexus no SCSI device is found; unlinking must leave nothing behind all the same.
TEST(LoopConfig, LunLinkedWithoutNexus)
{
	ASSERT_OK_AND_ASSIGN(Backstore rd, Backstore::create(ramdisk_spec("rd", 1 << 20)));
	ASSERT_OK_AND_ASSIGN(LoopTarget target,
			     LoopTarget::create({.wwn = {}, .tpgt = 1, .nexus = false, .initiator = {}}));
	{
		ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(0, rd));
		EXPECT_ERRNO(lun.block_node(milliseconds(500)), ETIMEDOUT);
	}
	ASSERT_OK(target.make_nexus("naa.1"));
	ASSERT_OK(target.drop_nexus());
	ASSERT_OK(target.make_nexus("naa.1"));
	ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(0, rd));
	EXPECT_OK(lun.block_node());
	ASSERT_OK(lun.destroy());
	EXPECT_OK(target.drop_nexus());
}

TEST(LoopConfig, Attributes)
{
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create({.wwn = {}, .tpgt = 3, .initiator = {}}));
	EXPECT_EQ(read_value(fabric + "/version").value_or(""), "TCM Loopback Fabric module v2.1-rc2");

	ASSERT_OK_AND_ASSIGN(std::string address, target.address());
	EXPECT_TRUE(address.ends_with(":0:3")) << address;

	const std::string status = target.tpg() + "/transport_status";
	EXPECT_EQ(read_value(status).value_or(""), "online");
	EXPECT_OK(write_value(status, "offline\n"));
	for (const char *bad : {"foo", "0", "1", "ONLINE", "xxonline"})
		EXPECT_ERRNO(write_value(status, bad), EINVAL) << bad;
	EXPECT_EQ(read_value(status).value_or(""), "offline");
	EXPECT_OK(write_value(status, "online"));

	const std::string type = target.tpg() + "/attrib/fabric_prot_type";
	EXPECT_EQ(read_value(type).value_or(""), "0");
	for (const char *bad : {"2", "4", "-1", "256", "x"})
		EXPECT_ERRNO(write_value(type, bad), EINVAL) << bad;
	EXPECT_OK(write_value(type, "3"));
	EXPECT_EQ(read_value(type).value_or(""), "3");
}

TEST(LoopConfig, OneHardwareQueuePerCpu)
{
	ASSERT_OK(ensure_loopback());
	unsigned cpus = std::thread::hardware_concurrency();
	EXPECT_EQ(read_number(module_param_path("tcm_loop", "nr_hw_queues")).value_or(0), cpus);
	struct Case {
		const char *value;
		unsigned queues;
	};
	for (const Case &c : {Case{"1", 1}, {"2", std::min(2u, cpus)}, {"100000", cpus}}) {
		ASSERT_OK_AND_ASSIGN(AttrGuard param,
				     AttrGuard::set(module_param_path("tcm_loop", "nr_hw_queues"), c.value));
		ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create());
		ASSERT_OK_AND_ASSIGN(std::string address, target.address());
		std::string host = "/sys/class/scsi_host/host" + address.substr(0, address.find(':'));
		EXPECT_EQ(read_number(host + "/nr_hw_queues").value_or(0), c.queues) << c.value;
		EXPECT_EQ(read_number(host + "/can_queue").value_or(0), 1024u);
		EXPECT_EQ(read_value(host + "/proc_name").value_or(""), "tcm_loopback");
	}
}

} // namespace
} // namespace lio::test
