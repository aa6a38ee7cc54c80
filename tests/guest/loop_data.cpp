// SPDX-License-Identifier: GPL-2.0
// tcm_loop's commands: identities, transport state, protection information, hot removal, resets.
#include <algorithm>
#include <atomic>
#include <thread>

#include "block_io.hpp"
#include "loopback.hpp"
#include "pattern.hpp"
#include "process.hpp"
#include "system.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint64_t disk_bytes = 16 << 20;
constexpr uint16_t did_transport_disrupted = 0x0e;

// sd tells when the LUN that it looks at is told of new neighbours.
void expect_neighbours()
{
	expect_dmesg("LUN assignments on this target have changed", Need::optional);
}

/// The protocol identifier in the target port's designators of VPD page 83h (SPC-5, 7.7.6.1).
Result<std::vector<int>> port_protocols(SgDevice &sg)
{
	LIO_TRY(auto page, sg.fetch(cdb::inquiry_vpd(0x83, 1024), 1024));
	std::vector<int> found;
	for (size_t at = 4; at + 4 <= page.size(); at += 4 + page[at + 3])
		if (page[at + 1] & 0x80 && (page[at + 1] & 0x30) == 0x10)
			found.push_back(page[at] >> 4);
	return found;
}

struct Identity {
	const char *wwn;
	const char *initiator;
	int protocol;
};

class LoopIdentity : public testing::TestWithParam<Identity> {};

TEST_P(LoopIdentity, TellsItsTransport)
{
	ASSERT_OK_AND_ASSIGN(Backstore rd, Backstore::create(ramdisk_spec("rd", disk_bytes)));
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create({.wwn = GetParam().wwn, .tpgt = 1, .nexus = true,
								    .initiator = GetParam().initiator}));
	ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(0, rd));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, lun.open_sg());
	ASSERT_OK_AND_ASSIGN(std::vector<int> protocols, port_protocols(sg));
	ASSERT_FALSE(protocols.empty());
	for (int p : protocols)
		EXPECT_EQ(p, GetParam().protocol);
	ASSERT_OK(lun.block_node());
}

INSTANTIATE_TEST_SUITE_P(Transports, LoopIdentity,
			 testing::Values(Identity{"naa.60014054c8f9d49d", "naa.60014054c8f9d49e", 6},
					 Identity{"fc.210000e08b0f5a3e", "fc.210000e08b0f5a3f", 0},
					 Identity{"iqn.2003-01.org.x:sn.1", "iqn.2003-01.org.x:init", 5}));

TEST(LoopData, TransportOffline)
{
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(ramdisk_spec("rd", disk_bytes)));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, disk.lun.open_sg());
	ASSERT_OK(sg.execute_past_ua(cdb::test_unit_ready()));
	const std::string status = disk.target.tpg() + "/transport_status";
	ASSERT_OK(write_value(status, "offline"));
	std::vector<uint8_t> buf(4096);
	for (const Cdb &c : {cdb::test_unit_ready(), cdb::read(10, 0, 8)}) {
		ASSERT_OK_AND_ASSIGN(ScsiReply reply,
				     sg.execute(c, c[0] ? Data::in(buf) : Data::none()));
		EXPECT_EQ(reply.host_status, did_transport_disrupted) << reply;
	}
	ASSERT_OK(write_value(status, "online"));
	EXPECT_OK(sg.execute_good(cdb::read(10, 0, 8), Data::in(buf)));
	// A target reset brings it back, too.
	ASSERT_OK(write_value(status, "offline"));
	expect_dmesg("Power-on or device reset occurred", Need::optional);
	ASSERT_OK(sg.reset(SgDevice::Reset::target));
	EXPECT_EQ(read_value(status).value_or(""), "online");
}

// The core reads as many bytes of a CDB as the CDB says it has; the midlayer's array ends at 32.
TEST(LoopData, CdbLongerThanItsArray)
{
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(ramdisk_spec("rd", disk_bytes)));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, disk.lun.open_sg());
	Cdb cdb = cdb::read(32, 0, 1);
	cdb[7] = 0xf8;
	std::vector<uint8_t> buf(512);
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(cdb, Data::in(buf)));
	EXPECT_EQ(reply.status, ScsiStatus::check_condition) << reply;
	EXPECT_EQ(reply.kcq(), 0x052400u) << reply;
	EXPECT_EQ(reply.residual, 512);
}

class LoopProtection : public testing::TestWithParam<const char *> {};

// The block layer generates and checks the guard, reference and application tags: any mistake on
// the way is an I/O error.
TEST_P(LoopProtection, PassesThrough)
{
	BackstoreSpec spec = ramdisk_spec("pi", disk_bytes);
	spec.enable = false;
	ASSERT_OK_AND_ASSIGN(Backstore rd, Backstore::create(spec));
	ASSERT_OK(rd.enable());
	ASSERT_OK(rd.set("pi_prot_type", GetParam()));
	expect_dmesg("DIF protection", Need::optional);
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create());
	ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(0, rd));
	ASSERT_OK_AND_ASSIGN(std::string node, lun.block_node());
	ASSERT_OK(lun.sg_node());
	std::string sysfs = "/sys/block/" + node.substr(5) + "/integrity/";
	EXPECT_EQ(read_value(sysfs + "format").value_or(""), std::string("T10-DIF-TYPE") + GetParam() + "-CRC");
	ASSERT_OK_AND_ASSIGN(BlockFile block, BlockFile::open(node));
	ASSERT_OK(block.write_pattern(0, disk_bytes));
	EXPECT_OK(block.verify_pattern(0, disk_bytes));
	// Without the initiator's tags the target makes and strips them (prot_pto).
	ASSERT_OK(write_value(sysfs + "write_generate", "0"));
	ASSERT_OK(write_value(sysfs + "read_verify", "0"));
	ASSERT_OK(block.write_pattern(0, 1 << 20, 1));
	EXPECT_OK(block.verify_pattern(0, 1 << 20, 1));
}

INSTANTIATE_TEST_SUITE_P(Types, LoopProtection, testing::Values("1", "3"));

TEST(LoopData, ProtectionOfTheFabricAlone)
{
	ASSERT_OK_AND_ASSIGN(Backstore rd, Backstore::create(ramdisk_spec("rd", disk_bytes)));
	ASSERT_OK_AND_ASSIGN(LoopTarget target,
			     LoopTarget::create({.wwn = {}, .tpgt = 1, .nexus = false, .initiator = {}}));
	ASSERT_OK(write_value(target.tpg() + "/attrib/fabric_prot_type", "1"));
	ASSERT_OK(target.make_nexus("naa.60014054c8f9d49e"));
	ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(0, rd));
	ASSERT_OK_AND_ASSIGN(std::string node, lun.block_node());
	ASSERT_OK(lun.sg_node());
	ASSERT_OK_AND_ASSIGN(BlockFile block, BlockFile::open(node));
	ASSERT_OK(block.write_pattern(0, disk_bytes));
	EXPECT_OK(block.verify_pattern(0, disk_bytes));
}

/// fio with verification on @node, until @seconds have passed.
Result<Process> start_fio(const std::string &node, int seconds, const std::string &depth = "16")
{
	return Process::spawn({"fio", "--name=v", "--filename=" + node, "--direct=1", "--ioengine=libaio",
			       "--rw=randrw", "--bsrange=512-256k", "--iodepth=" + depth, "--size=14M",
			       "--verify=crc32c", "--verify_backlog=64", "--verify_fatal=1", "--time_based",
			       "--runtime=" + std::to_string(seconds), "--serialize_overlap=1", "--randrepeat=0"});
}

/// Waits until @node has completed a write.
Status wait_for_writes(const std::string &node)
{
	return wait_until(Deadline(seconds(60)), "writes to " + node, [&] {
		auto stat = disk_stat(node);
		return stat && stat->writes > 0;
	});
}

TEST(LoopData, HotAddAndRemoveBesideIo)
{
	expect_neighbours();
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(ramdisk_spec("rd", disk_bytes)));
	ASSERT_OK_AND_ASSIGN(std::string node, disk.lun.block_node());
	ASSERT_OK_AND_ASSIGN(Process fio, start_fio(node, 15));
	ASSERT_OK_AND_ASSIGN(Backstore other, Backstore::create(ramdisk_spec("other", disk_bytes)));
	int rounds = 0;
	for (Deadline d{seconds(12)}; !d.passed() || rounds < 5; rounds++) {
		ASSERT_OK_AND_ASSIGN(LoopLun lun, disk.target.add_lun(1, other));
		ASSERT_OK(lun.block_node());
		ASSERT_OK(lun.destroy());
	}
	ASSERT_OK_AND_ASSIGN(int status, fio.wait(seconds(60)));
	EXPECT_EQ(status, 0) << fio.output();
}

TEST(LoopData, HotRemovalUnderIo)
{
	expect_neighbours();
	expect_dmesg("I/O error, dev sd", Need::optional);
	expect_dmesg("Synchronize Cache\\(10\\) failed", Need::optional);
	expect_dmesg("FAILED Result: hostbyte=DID_NO_CONNECT", Need::optional);
	expect_dmesg("CDB: (Read|Write)", Need::optional);
	expect_dmesg("rejecting I/O to (offline|dead) device", Need::optional);
	expect_dmesg("device offline error, dev sd", Need::optional);
	expect_dmesg("(scsi_io_completion_action|blk_print_req_error): \\d+ callbacks suppressed", Need::optional);
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create("/var/tmp"));
	ASSERT_OK_AND_ASSIGN(Backstore file, Backstore::create(fileio_spec("f", tmp / "image", disk_bytes)));
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create());
	for (int round = 0; round < 4; round++) {
		ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(0, file));
		ASSERT_OK_AND_ASSIGN(std::string node, lun.block_node());
		ASSERT_OK(lun.sg_node());
		ASSERT_OK_AND_ASSIGN(Process fio, start_fio(node, 30, "64"));
		// Before that, fio would find no node and make a file of the name.
		ASSERT_OK(wait_for_writes(node));
		std::this_thread::sleep_for(seconds(1));
		ASSERT_TRUE(fio.running()) << fio.output();
		Stopwatch watch;
		ASSERT_OK(lun.destroy());
		EXPECT_LT(watch.seconds(), 30);
		ASSERT_OK_AND_ASSIGN(int status, fio.wait(seconds(60)));
		EXPECT_NE(status, 0);
	}
}

TEST(LoopData, ResetsUnderIo)
{
	expect_dmesg("Power-on or device reset occurred", Need::optional);
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create("/var/tmp"));
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(fileio_spec("f", tmp / "image", disk_bytes)));
	ASSERT_OK_AND_ASSIGN(std::string node, disk.lun.block_node());
	ASSERT_OK_AND_ASSIGN(SgDevice sg, disk.lun.open_sg());
	ASSERT_OK_AND_ASSIGN(Process fio, start_fio(node, 15));
	int resets = 0;
	for (Deadline d{seconds(12)}; !d.passed() || resets < 10; resets++) {
		Stopwatch watch;
		EXPECT_OK(sg.reset(resets % 2 ? SgDevice::Reset::target : SgDevice::Reset::device));
		EXPECT_LT(watch.seconds(), 30);
		std::this_thread::sleep_for(milliseconds(100));
	}
	ASSERT_OK_AND_ASSIGN(int status, fio.wait(seconds(60)));
	EXPECT_EQ(status, 0) << fio.output();
}

} // namespace
} // namespace lio::test
