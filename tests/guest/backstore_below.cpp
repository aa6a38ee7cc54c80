// SPDX-License-Identifier: GPL-2.0
// What target_core_iblock leaves to the device below: protection information and reservations.
#include "backstore_stage.hpp"
#include "block_io.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

class BackstoreBelow : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Types, BackstoreBelow, testing::Values(1, 3));

// The initiator's block layer makes the tags, scsi_debug checks them: any mistake on the way is an error.
TEST_P(BackstoreBelow, DeviceChecksTheTags)
{
	expect_dmesg("Rounding down aligned max_sectors", Need::optional);
	expect_dmesg("DIF protection", Need::optional);
	std::string type = std::to_string(GetParam());
	ASSERT_OK_AND_ASSIGN(std::string disk, debug_disk({"dif=" + type, "dix=1"}));
	{
		ASSERT_OK_AND_ASSIGN(LoopDisk lun, make_disk(iblock_spec("pi", "/dev/" + disk)));
		EXPECT_EQ(lun.backstore.get("hw_pi_prot_type").value_or(""), type);
		EXPECT_EQ(lun.backstore.get("pi_prot_type").value_or(""), type);
		ASSERT_OK_AND_ASSIGN(std::string node, lun.lun.block_node());
		std::string sysfs = "/sys/block/" + node.substr(5) + "/integrity/";
		EXPECT_EQ(read_value(sysfs + "format").value_or(""), "T10-DIF-TYPE" + type + "-CRC");
		ASSERT_OK_AND_ASSIGN(BlockFile block, BlockFile::open(node));
		ASSERT_OK(block.write_pattern(0, stage_bytes));
		EXPECT_OK(block.verify_pattern(0, stage_bytes));
		// Seen from below they are good, too.
		ASSERT_OK_AND_ASSIGN(BlockFile below, BlockFile::open("/dev/" + disk));
		EXPECT_OK(below.verify_pattern(0, stage_bytes));
	}
	EXPECT_OK(unload_module("scsi_debug"));
}

Status reserve_out(SgDevice &sg, uint8_t action, uint8_t type, uint64_t key, uint64_t action_key)
{
	std::vector<uint8_t> list(24);
	put_be(std::span(list).subspan(0, 8), key);
	put_be(std::span(list).subspan(8, 8), action_key);
	return sg.execute_good(cdb::pr_out(action, type), Data::out(list));
}

// Over the distribution's core, until ours has reservations. pgr_support=0: the lower disk, another LUN of this host, keeps the registrations.
TEST(BackstoreReservations, ArePassedThrough)
{
	expect_dmesg("APTPL not set by initiator, but will be used", Need::optional);
	if (kernel_release().starts_with("6.1.")) { // where backstores have no such calls
		expect_dmesg("Unable to change SE Device pgr_support: pgr_support has fixed value", Need::optional);
		ASSERT_OK_AND_ASSIGN(LowerDevice device, LowerDevice::create(true));
		ASSERT_OK_AND_ASSIGN(Backstore b, Backstore::create(iblock_spec("pr", device.loop->node())));
		EXPECT_ERRNO(b.set("pgr_support", "0"), ENOSYS);
		return;
	}
	ASSERT_OK_AND_ASSIGN(LoopDisk lower, LoopDisk::create(ramdisk_spec("rd", stage_bytes)));
	ASSERT_OK_AND_ASSIGN(std::string node, lower.lun.block_node());
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, make_disk(iblock_spec("pr", node), {{"pgr_support", "0"}}));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, open_ready(disk));
	ASSERT_OK_AND_ASSIGN(SgDevice below, open_ready(lower));
	ASSERT_OK(reserve_out(sg, 0, 0, 0, 0x1234));
	for (SgDevice *way : {&sg, &below}) {
		ASSERT_OK_AND_ASSIGN(auto keys, way->fetch(cdb::pr_in(0, 64), 64));
		ASSERT_GE(keys.size(), 16u);
		EXPECT_EQ(get_be(std::span(keys).subspan(4, 4)), 8u);
		EXPECT_EQ(get_be(std::span(keys).subspan(8, 8)), 0x1234u);
	}
	ASSERT_OK(reserve_out(sg, 1, 5, 0x1234, 0));
	for (SgDevice *way : {&sg, &below}) {
		ASSERT_OK_AND_ASSIGN(auto held, way->fetch(cdb::pr_in(1, 64), 64));
		ASSERT_GE(held.size(), 24u);
		EXPECT_EQ(get_be(std::span(held).subspan(4, 4)), 16u);
		EXPECT_EQ(get_be(std::span(held).subspan(8, 8)), 0x1234u);
		EXPECT_EQ(held[21], 5); // WRITE EXCLUSIVE, REGISTRANTS ONLY
	}
	std::vector<uint8_t> list(24);
	put_be(std::span(list).subspan(0, 8), 0x4321);
	expect_dmesg("SPC-3 PR RESERVE: Received res_key: 0x0000000000004321 does not match", Need::optional);
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(cdb::pr_out(1, 5), Data::out(list)));
	EXPECT_EQ(reply.status, ScsiStatus::reservation_conflict) << reply;
	ASSERT_OK(reserve_out(sg, 2, 5, 0x1234, 0));
	ASSERT_OK(reserve_out(sg, 0, 0, 0x1234, 0));
	ASSERT_OK_AND_ASSIGN(auto keys, below.fetch(cdb::pr_in(0, 64), 64));
	EXPECT_EQ(get_be(std::span(keys).subspan(4, 4)), 0u);
}

} // namespace
} // namespace lio::test
