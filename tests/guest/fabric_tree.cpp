// SPDX-License-Identifier: GPL-2.0
// The fabrics' side of the core's configfs tree: what can be made and linked where, and with which
// error number it cannot; as recorded on the distribution's core, and on iSCSI and loopback.
#include "backstore.hpp"
#include "block_io.hpp"
#include "loopback.hpp"
#include "module.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

const std::string iqn = "iqn.2026-01.org.x";

/// What the distribution's core says about refusals. Ours tells by the error number alone.
void expect_refusals()
{
	for (const char *text : {"Unable to locate", "not a valid", "not configured yet", "Symlink already exists",
				 "Illegal Initiator ACL", "does not exist", "doesn't match new lun",
				 "existing explicit se_lun_acl", "RTPI", "completion value",
				 "fabric_make_np is NULL", "Unable to decode", "not locate \":port\""})
		expect_dmesg(text, Need::optional);
}

struct Case {
	std::string name;
	int code;
};

void expect_mkdir(const std::string &parent, const std::vector<Case> &cases)
{
	for (const Case &c : cases) {
		SCOPED_TRACE(parent + "/" + c.name);
		auto dir = make_dir_guard(parent + "/" + c.name);
		EXPECT_ERRNO(dir, c.code);
	}
}

void expect_writes(const std::string &attribute, const std::vector<Case> &cases)
{
	for (const Case &c : cases) {
		SCOPED_TRACE(attribute + " <- " + c.name);
		EXPECT_ERRNO(write_value(attribute, c.name), c.code);
	}
}

/// An iSCSI target with two TPGs, three LUN directories in the first, one in the second.
class FabricTree : public testing::Test {
	std::vector<Removal> dirs_;

protected:
	const std::string fabric = target_root + "/iscsi", wwn = fabric + "/" + iqn + ":t", tpg = wwn + "/tpgt_1",
			  other = wwn + "/tpgt_2", acl = tpg + "/acls/" + iqn + ":i", mapped = acl + "/lun_5";

	void make(const std::string &path)
	{
		auto dir = make_dir_guard(path);
		ASSERT_OK(dir);
		dirs_.push_back(std::move(*dir));
	}

	void SetUp() override
	{
		expect_refusals();
		ASSERT_OK(ensure_target_core());
		for (const std::string &dir : {fabric, wwn, tpg, other, tpg + "/lun/lun_0", tpg + "/lun/lun_1",
					       tpg + "/lun/lun_2", other + "/lun/lun_0", acl, mapped})
			ASSERT_NO_FATAL_FAILURE(make(dir));
	}

	void TearDown() override
	{
		while (!dirs_.empty())
			dirs_.pop_back();
	}
};

TEST(FabricNames, MkdirLoadsModules)
{
	ASSERT_OK(ensure_target_core());
	for (const auto &[name, module] : {std::pair{"iscsi", "iscsi_target_mod"}, {"loopback", "tcm_loop"}}) {
		SCOPED_TRACE(name);
		auto dir = make_dir_guard(target_root + "/" + name);
		ASSERT_OK(dir);
		EXPECT_TRUE(module_loaded(module));
		EXPECT_FALSE(unload_module(module).ok()) << "the directory holds it";
		EXPECT_TRUE(exists(dir->path() + "/discovery_auth"));
		ASSERT_OK(dir->remove());
		EXPECT_OK(unload_module(module));
	}
	expect_mkdir(target_root, {{"nosuch", EINVAL}, {"vhost", EINVAL}, {"Loopback", EINVAL}, {"tcm_loop", EINVAL}});
}

TEST_F(FabricTree, LunNames)
{
	expect_mkdir(tpg + "/lun", {{"lun_", EINVAL}, {"lun_x", EINVAL}, {"lun_-1", EINVAL}, {"lun_1x", EINVAL},
				    {"lun_ 3", EINVAL}, {"LUN_7", EINVAL}, {"lux_7", EINVAL}, {"lun_255", 0},
				    {"lun_16384", 0}, {"lun_65536", 0}, {"lun_18446744073709551615", 0},
				    {"lun_18446744073709551616", ERANGE}, {"lun_0", EEXIST}});
	expect_mkdir(acl, {{"lun_", EINVAL}, {"foo", EINVAL}, {"lun_1x", EINVAL}, {"lun_255", 0}, {"lun_65536", 0},
			   {"lun_18446744073709551616", ERANGE}});
}

// The distribution's core makes a second LUN 8 of lun_010, a second LUN 1 of lun_+1, and cuts names.
TEST_F(FabricTree, OneNumberOneName)
{
	const bool ours = module_is_ours("target_core_mod");
	const int alias = ours ? EINVAL : 0;

	for (const std::string &dir : {tpg + "/lun", acl})
		expect_mkdir(dir, {{"lun_00", alias}, {"lun_010", alias}, {"lun_0x9", alias}, {"lun_+9", alias}});
	expect_mkdir(tpg + "/acls", {{std::string(224, 'a'), ours ? ENAMETOOLONG : 0}});
}

TEST_F(FabricTree, PlacesWithoutMkdir)
{
	for (const std::string &dir : {wwn + "/param", wwn + "/fabric_statistics", tpg + "/attrib", tpg + "/auth",
				       tpg + "/param", tpg + "/lun/lun_0", mapped})
		expect_mkdir(dir, {{"x", EPERM}});
	expect_mkdir(tpg + "/lun/lun_0/statistics", {{"x", ENOSYS}});
	expect_mkdir(wwn, {{"foo", EINVAL}});
	expect_mkdir(tpg + "/np", {{"foo", EINVAL}});
	expect_mkdir(tpg + "/acls", {{std::string(223, 'a'), 0}});
	ASSERT_OK_AND_ASSIGN(Removal loopback, make_dir_guard(target_root + "/loopback"));
	ASSERT_OK_AND_ASSIGN(Removal naa, make_dir_guard(loopback.path() + "/naa.5001405000000009"));
	ASSERT_OK_AND_ASSIGN(Removal loop_tpg, make_dir_guard(naa.path() + "/tpgt_1"));
	expect_mkdir(loop_tpg.path() + "/np", {{"x", ENOSYS}});
	EXPECT_FALSE(exists(loop_tpg.path() + "/enable"));
}

TEST_F(FabricTree, LunLinks)
{
	BackstoreSpec unconfigured = ramdisk_spec("un", 1 << 20);
	unconfigured.enable = false;
	ASSERT_OK_AND_ASSIGN(Backstore un, Backstore::create(unconfigured));
	ASSERT_OK_AND_ASSIGN(Backstore rd, Backstore::create(ramdisk_spec("rd", 1 << 20)));
	ASSERT_OK_AND_ASSIGN(Backstore rd2, Backstore::create(ramdisk_spec("rd2", 1 << 20)));
	const std::string lun = tpg + "/lun/lun_1";

	for (const Case &c : {Case{un.path(), ENODEV}, {un.path() + "/..", EFAULT}, {rd.path() + "/attrib", EFAULT},
			      {target_root + "/core/alua", EFAULT}, {tpg, EFAULT}, {tpg + "/lun/lun_2", EFAULT}}) {
		SCOPED_TRACE(c.name);
		EXPECT_ERRNO(make_link_guard(c.name, lun + "/x"), c.code);
	}
	for (const char *attr : {"alua_tg_pt_gp", "alua_tg_pt_offline", "alua_tg_pt_status", "alua_tg_pt_write_md",
				 "statistics/scsi_port/dev"})
		EXPECT_ERRNO(read_value(lun + "/" + attr), ENODEV) << attr;
	ASSERT_OK_AND_ASSIGN(Removal link, make_link_guard(rd.path(), lun + "/x"));
	EXPECT_ERRNO(make_link_guard(rd2.path(), lun + "/y"), EEXIST);
	EXPECT_ERRNO(make_link_guard(rd.path(), lun + "/y"), EEXIST);
	EXPECT_ERRNO(remove_dir_within(lun, seconds(5)), ENOTEMPTY);
	EXPECT_ERRNO(remove_dir_within(rd.path(), seconds(5)), EBUSY);
	EXPECT_OK(read_value(lun + "/alua_tg_pt_gp"));
	{
		ASSERT_OK_AND_ASSIGN(Removal again, make_link_guard(rd.path(), tpg + "/lun/lun_2/x"));
	}
	ASSERT_OK(link.remove());
	EXPECT_ERRNO(read_value(lun + "/statistics/scsi_port/dev"), ENODEV);
	EXPECT_OK(make_link_guard(rd2.path(), lun + "/x"));
}

TEST_F(FabricTree, MappedLinks)
{
	ASSERT_OK_AND_ASSIGN(Backstore rd, Backstore::create(ramdisk_spec("rd", 1 << 20)));
	ASSERT_OK_AND_ASSIGN(Removal first, make_link_guard(rd.path(), tpg + "/lun/lun_0/x"));
	ASSERT_OK_AND_ASSIGN(Removal second, make_link_guard(rd.path(), tpg + "/lun/lun_1/x"));
	ASSERT_OK_AND_ASSIGN(Removal abroad, make_link_guard(rd.path(), other + "/lun/lun_0/x"));

	for (const Case &c : {Case{rd.path(), EFAULT}, {tpg, EFAULT}, {other + "/lun/lun_0", EINVAL},
			      {tpg + "/lun/lun_2", EINVAL}}) {
		SCOPED_TRACE(c.name);
		EXPECT_ERRNO(make_link_guard(c.name, mapped + "/x"), c.code);
	}
	EXPECT_EQ(read_value(mapped + "/write_protect").value_or("?"), "");
	EXPECT_ERRNO(read_value(mapped + "/statistics/scsi_auth_intr/dev"), ENODEV);
	ASSERT_OK_AND_ASSIGN(Removal link, make_link_guard(tpg + "/lun/lun_0", mapped + "/x"));
	EXPECT_ERRNO(make_link_guard(tpg + "/lun/lun_1", mapped + "/y"), EINVAL);
	EXPECT_ERRNO(make_link_guard(tpg + "/lun/lun_0", mapped + "/y"), EINVAL);
	EXPECT_EQ(read_value(mapped + "/write_protect").value_or("?"), "0");
	expect_writes(mapped + "/write_protect",
		      {{"2", EINVAL}, {"x", EINVAL}, {" 1", EINVAL}, {"y", EINVAL}, {"-1", EINVAL}, {"0x1", 0}});
	EXPECT_EQ(read_value(mapped + "/write_protect").value_or("?"), "1");
	EXPECT_ERRNO(remove_dir_within(mapped, seconds(5)), ENOTEMPTY);
	EXPECT_ERRNO(remove_dir_within(acl, seconds(5)), ENOTEMPTY);
	// The LUN loses its device below the mapping: the mapping leads nowhere, and can be removed.
	ASSERT_OK(first.remove());
	EXPECT_ERRNO(remove_dir_within(tpg + "/lun/lun_0", seconds(5)), EBUSY);
	EXPECT_ERRNO(read_value(mapped + "/statistics/scsi_auth_intr/dev"), ENODEV);
	ASSERT_OK(link.remove());
	EXPECT_OK(make_link_guard(tpg + "/lun/lun_1", mapped + "/x"));
}

TEST_F(FabricTree, EnableAndRtpi)
{
	const std::string enable = tpg + "/enable", rtpi = tpg + "/rtpi";

	expect_writes(enable, {{"2", EINVAL}, {"x", EINVAL}, {"-1", EINVAL}, {"y", 0}, {"1", 0}});
	EXPECT_EQ(read_value(enable).value_or("?"), "1");
	if (exists(rtpi)) {
		expect_writes(rtpi, {{"5", EINVAL}, {"0", EINVAL}, {"65536", ERANGE}, {"x", EINVAL}});
		expect_writes(enable, {{"0", 0}});
		expect_writes(rtpi, {{"0", EINVAL}, {"65536", ERANGE}, {"-1", EINVAL}, {"65535", 0}, {"0x10", 0}});
		EXPECT_EQ(read_value(rtpi).value_or("?"), "0x10");
		expect_writes(other + "/rtpi", {{"16", 0}});
		expect_writes(enable, {{"1", 0}});
		expect_writes(other + "/enable", {{"1", EINVAL}});
		EXPECT_EQ(read_value(other + "/enable").value_or("?"), "0");
	}
	expect_writes(enable, {{"0", 0}, {"0", 0}});
	EXPECT_EQ(read_value(enable).value_or("?"), "0");
}

TEST_F(FabricTree, CompletionAffinity)
{
	const std::string attr = wwn + "/param/cmd_completion_affinity";

	EXPECT_EQ(read_value(attr).value_or("?"), "-1");
	expect_writes(attr, {{"-3", EINVAL}, {"4096", EINVAL}, {"x", EINVAL}, {"0", 0}, {"-2", 0}});
	EXPECT_EQ(read_value(attr).value_or("?"), "-2");
}

TEST_F(FabricTree, Statistics)
{
	BackstoreSpec spec = ramdisk_spec("rd", 1 << 20);
	spec.serial = "ser";
	ASSERT_OK_AND_ASSIGN(Backstore rd, Backstore::create(spec));
	ASSERT_OK_AND_ASSIGN(Removal lun, make_link_guard(rd.path(), tpg + "/lun/lun_1/x"));
	ASSERT_OK_AND_ASSIGN(Removal map, make_link_guard(tpg + "/lun/lun_1", mapped + "/x"));
	const std::string dev = rd.path() + "/statistics/", port = tpg + "/lun/lun_1/statistics/",
			  ml = mapped + "/statistics/";

	for (const auto &[path, value] : std::vector<std::pair<std::string, std::string>>{
		     {dev + "scsi_dev/role", "Target"}, {dev + "scsi_dev/ports", "1"},
		     {dev + "scsi_tgt_dev/status", "activated"}, {dev + "scsi_tgt_dev/non_access_lus", "0"},
		     {dev + "scsi_tgt_dev/num_lus", "1"}, {dev + "scsi_lu/lu_name", "ser"},
		     {dev + "scsi_lu/vend", "LIO-ORG "}, {dev + "scsi_lu/prod", "RAMDISK-MCP     "},
		     {dev + "scsi_lu/status", "available"}, {dev + "scsi_lu/num_cmds", "0"},
		     {port + "scsi_tgt_port/port_index", iqn + ":t+t+1"},
		     {port + "scsi_transport/device", "scsiTransportiSCSI"},
		     {port + "scsi_transport/dev_name", iqn + ":t+ser"}, {port + "scsi_transport/proto_id", "5"},
		     {port + "scsi_tgt_port/in_cmds", "0"}, {ml + "scsi_auth_intr/intr_name", iqn + ":i"},
		     {ml + "scsi_auth_intr/port", "1"}, {ml + "scsi_auth_intr/att_count", "1"},
		     {ml + "scsi_auth_intr/row_status", "Ready"}, {ml + "scsi_att_intr_port/port", "1"}})
		EXPECT_EQ(read_value(path).value_or("?"), value) << path;
	for (const char *nexus : {"scsi_att_intr_port/indx", "scsi_att_intr_port/port_ident"})
		EXPECT_ERRNO(read_value(ml + nexus), ENODEV) << nexus;
	ASSERT_OK_AND_ASSIGN(std::string index, read_value(dev + "scsi_dev/indx"));
	EXPECT_EQ(read_value(port + "scsi_port/dev").value_or("?"), index);
	EXPECT_EQ(read_value(port + "scsi_port/role").value_or("?"), "Device" + index);
	EXPECT_EQ(read_value(ml + "scsi_auth_intr/dev").value_or("?"), index);
}

// Every level counts what goes through it: the device, the port and the initiator's mapping. The ACL
// takes over the nexus that demo mode let in: tcm_loop finds no device of a LUN that is not mapped yet.
TEST(FabricStatistics, CountIo)
{
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(ramdisk_spec("rd", 64 << 20)));
	ASSERT_OK_AND_ASSIGN(std::string initiator, read_value(disk.target.tpg() + "/nexus"));
	const std::string acl = disk.target.tpg() + "/acls/" + initiator, mapped = acl + "/lun_0";
	ASSERT_OK_AND_ASSIGN(Removal acl_dir, make_dir_guard(acl));
	ASSERT_OK_AND_ASSIGN(Removal mapped_dir, make_dir_guard(mapped));
	ASSERT_OK_AND_ASSIGN(Removal map, make_link_guard(disk.lun.path(), mapped + "/x"));
	ASSERT_OK_AND_ASSIGN(std::string node, disk.lun.block_node());
	{
		ASSERT_OK_AND_ASSIGN(BlockFile file, BlockFile::open(node));
		ASSERT_OK(file.write_pattern(0, 24 << 20));
		ASSERT_OK(file.verify_pattern(0, 8 << 20));
	}
	for (const std::string &group : {disk.backstore.path() + "/statistics/scsi_lu",
					 disk.lun.path() + "/statistics/scsi_tgt_port",
					 mapped + "/statistics/scsi_auth_intr"}) {
		SCOPED_TRACE(group);
		EXPECT_EQ(read_number(group + "/write_mbytes").value_or(0), 24u);
		EXPECT_EQ(read_number(group + "/read_mbytes").value_or(0), 8u);
	}
	EXPECT_EQ(read_value(mapped + "/statistics/scsi_att_intr_port/port_ident").value_or("?"), initiator + "+i+");
	// An ACL's rmdir waits for its nexus, and tcm_loop does not end it for that.
	ASSERT_OK(map.remove());
	ASSERT_OK(disk.lun.destroy());
	ASSERT_OK(disk.target.drop_nexus());
}

} // namespace
} // namespace lio::test
