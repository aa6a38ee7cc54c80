// SPDX-License-Identifier: GPL-2.0
// The distribution's tcm_loop, tcm_fc, vhost_scsi, ib_srpt and sbp_target over the core that is loaded, and its
// backstores under tcm_loop.
#include "backstore_stage.hpp"
#include "mixed_stage.hpp"

#include <algorithm>
#include <cstdio>

#include "loopback.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "system.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

void allow_complaint()
{
	// sd of 6.12 asks for the IO Advice Hints subpage, and the distribution's core complains.
	expect_dmesg("^MODE SENSE: unimplemented page/subpage: 0x0a/0x05$", Need::optional);
}

TEST(MixedBackstores, Ramdisk)
{
	allow_complaint();
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(ramdisk_spec("rd", mixed_bytes)));
	ASSERT_OK_AND_ASSIGN(std::string node, disk.lun.block_node());
	EXPECT_OK(verify_blocks(node));
}

TEST(MixedBackstores, File)
{
	allow_complaint();
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create("/var/tmp"));
	for (bool buffered : {false, true}) {
		SCOPED_TRACE(buffered);
		ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(fileio_spec("file", tmp / "image", mixed_bytes,
										 buffered)));
		ASSERT_OK_AND_ASSIGN(std::string node, disk.lun.block_node());
		EXPECT_OK(verify_blocks(node));
	}
}

TEST(MixedBackstores, Iblock)
{
	allow_complaint();
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create("/var/tmp"));
	ASSERT_OK_AND_ASSIGN(std::string file, make_sparse_file(tmp / "image", mixed_bytes));
	ASSERT_OK_AND_ASSIGN(LoopDevice loop, LoopDevice::create(file));
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(iblock_spec("block", loop.node())));
	ASSERT_OK_AND_ASSIGN(std::string node, disk.lun.block_node());
	EXPECT_OK(verify_blocks(node));
}

TEST(MixedBackstores, Pscsi)
{
	allow_complaint();
	expect_dmesg("^pSCSI: ", Need::optional);
	{
		ASSERT_OK_AND_ASSIGN(std::string disk, debug_disk());
		ASSERT_OK_AND_ASSIGN(std::string device, read_link("/sys/block/" + disk + "/device"));
		std::string at = device.substr(device.rfind('/') + 1);
		unsigned host = 0, channel = 0, id = 0, lun = 0;
		ASSERT_EQ(sscanf(at.c_str(), "%u:%u:%u:%u", &host, &channel, &id, &lun), 4) << at;
		BackstoreSpec spec;
		spec.plugin = Plugin::pscsi;
		spec.name = "through";
		spec.control = {"scsi_host_id=" + std::to_string(host), "scsi_channel_id=" + std::to_string(channel),
				"scsi_target_id=" + std::to_string(id), "scsi_lun_id=" + std::to_string(lun)};
		spec.enable = false;
		ASSERT_OK_AND_ASSIGN(Backstore backstore, Backstore::create(spec));
		ASSERT_OK(write_value(backstore.path() + "/udev_path", "/dev/" + disk));
		ASSERT_OK(backstore.enable());
		ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create());
		ASSERT_OK_AND_ASSIGN(LoopLun lun0, target.add_lun(0, backstore));
		ASSERT_OK_AND_ASSIGN(std::string node, lun0.block_node());
		EXPECT_OK(verify_blocks(node));
	}
	EXPECT_OK(unload_module("scsi_debug"));
}

TEST(MixedLoop, AnAclGoesWhileItsNexusStays)
{
	ASSERT_TRUE(module_is_ours("target_core_mod")) << "the distribution's core waits for ever";
	expect_dmesg("LUN assignments on this target have changed", Need::optional);
	expect_dmesg("^sd [0-9:]+: ", Need::optional);
	ASSERT_OK_AND_ASSIGN(Backstore disk, Backstore::create(ramdisk_spec("rd", mixed_bytes)));
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create());
	for (int i = 0; i < 3; i++) {
		SCOPED_TRACE(i);
		std::string acl = target.tpg() + "/acls/" + target.wwn();
		ASSERT_OK(make_dir(acl)); // demo mode's becomes this one
		Stopwatch watch;
		ASSERT_OK(remove_dir_within(acl, seconds(60)));
		EXPECT_LT(watch.seconds(), 35);
		// The nexus went on without an ACL; another one begins with a new one.
		ASSERT_OK(target.drop_nexus());
		ASSERT_OK(target.make_nexus(target.wwn()));
		ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(0, disk));
		ASSERT_OK_AND_ASSIGN(std::string node, lun.block_node());
		EXPECT_OK(verify_blocks(node, 1 << 20));
		ASSERT_OK(lun.destroy());
	}
}

/// A pair of network interfaces, gone at the end of the scope.
class VethPair {
	std::string a_;

public:
	static Result<VethPair> create(const std::string &a, const std::string &b)
	{
		LIO_CHECK(run_ok({"ip", "link", "add", a, "mtu", "9000", "type", "veth",
				  "peer", "name", b, "mtu", "9000"}));
		VethPair pair(a);
		for (const auto &name : {a, b})
			LIO_CHECK(run_ok({"ip", "link", "set", name, "up"}));
		return pair;
	}
	VethPair(VethPair &&o) noexcept : a_(std::exchange(o.a_, {})) {}
	~VethPair()
	{
		if (!a_.empty()) {
			EXPECT_OK(run_ok({"ip", "link", "del", a_}));
		}
	}

private:
	explicit VethPair(std::string a) : a_(std::move(a)) {}
};

/// An FCoE controller in VN2VN mode on an interface; its FC port's name "20:00:…".
class FcPort {
	std::string netdev_, controller_, host_;

public:
	static Result<FcPort> create(const std::string &netdev)
	{
		auto before = list_dir("/sys/class/fc_host").value_or({});
		auto controllers = list_dir("/sys/bus/fcoe/devices").value_or({});
		LIO_CHECK(write_value("/sys/bus/fcoe/ctlr_create", netdev));
		FcPort port(netdev);
		auto newest = [](const std::string &dir, const std::vector<std::string> &old) {
			for (const auto &name : list_dir(dir).value_or({}))
				if (std::find(old.begin(), old.end(), name) == old.end())
					return dir + "/" + name;
			return std::string();
		};
		port.host_ = newest("/sys/class/fc_host", before);
		port.controller_ = newest("/sys/bus/fcoe/devices", controllers);
		LIO_CHECK(write_value(port.controller_ + "/mode", "VN2VN"));
		return port;
	}
	FcPort(FcPort &&o) noexcept
		: netdev_(std::exchange(o.netdev_, {})), controller_(std::move(o.controller_)),
		  host_(std::move(o.host_))
	{}
	~FcPort()
	{
		if (!netdev_.empty()) {
			EXPECT_OK(write_value("/sys/bus/fcoe/ctlr_destroy", netdev_));
		}
	}
	Result<std::string> name() const
	{
		LIO_TRY(std::string hex, read_value(host_ + "/port_name")); // 0x2000…
		std::string colons;
		for (size_t i = 2; i < hex.size(); i += 2)
			colons += (i > 2 ? ":" : "") + hex.substr(i, 2);
		return colons;
	}
	Status enable(bool on) const
	{
		return write_value_within(controller_ + "/enabled", on ? "1" : "0", seconds(30));
	}
	/// The one remote port's SCSI target, ".../targetH:C:I".
	Result<std::string> scsi_target() const
	{
		std::string found, device = host_ + "/device";
		LIO_CHECK(wait_until(Deadline(seconds(40)), "a remote port of " + device, [&] {
			for (const auto &port : list_dir(device).value_or({}))
				if (port.starts_with("rport-"))
					for (const auto &name : list_dir(device + "/" + port).value_or({}))
						if (name.starts_with("target"))
							found = device + "/" + port + "/" + name;
			return !found.empty();
		}, milliseconds(50)));
		return found;
	}

private:
	explicit FcPort(std::string netdev) : netdev_(std::move(netdev)) {}
};

TEST(MixedFc, Vn2VnInOneKernel)
{
	allow_complaint();
	expect_dmesg("^host\\d+: (libfc|rport|fcoe)", Need::optional);
	expect_dmesg("^sd [0-9:]+: \\[sd\\w+\\] (Synchroniz|Start/Stop)", Need::optional);
	ASSERT_OK(ensure_target_core());
	ASSERT_OK(run_ok({"modprobe", "-a", "sd_mod", "sg", "libfcoe", "fcoe", "veth"}));
	ASSERT_OK(load_module("tcm_fc"));
	ASSERT_OK_AND_ASSIGN(Backstore disk, Backstore::create(ramdisk_spec("rd", mixed_bytes)));
	{
		ASSERT_OK_AND_ASSIGN(VethPair veth, VethPair::create("fa", "fb"));
		ASSERT_OK_AND_ASSIGN(FcPort target, FcPort::create("fa"));
		ASSERT_OK_AND_ASSIGN(FcPort initiator, FcPort::create("fb"));
		ASSERT_OK_AND_ASSIGN(std::string target_name, target.name());
		ASSERT_OK_AND_ASSIGN(std::string initiator_name, initiator.name());
		std::string wwn = target_root + "/fc/" + target_name, tpg = wwn + "/tpgt_1";
		std::string acl = tpg + "/acls/" + initiator_name;
		ConfigTree tree;
		for (const auto &dir : {target_root + "/fc", wwn, tpg})
			ASSERT_OK(tree.dir(dir));
		ASSERT_OK(tree.lun(tpg, 0, disk));
		ASSERT_OK(tree.dir(acl));
		ASSERT_OK(tree.mapped_lun(tpg, acl, 0, 0));
		ASSERT_OK(target.enable(true));
		ASSERT_OK(initiator.enable(true));
		ASSERT_OK_AND_ASSIGN(std::string remote, initiator.scsi_target());
		ASSERT_OK_AND_ASSIGN(std::string node, scsi_disk_of(remote, 0));
		EXPECT_OK(verify_blocks(node));
		ASSERT_OK(initiator.enable(false));
		ASSERT_OK(target.enable(false));
		ASSERT_OK(tree.clear());
	}
	EXPECT_OK(unload_module("tcm_fc"));
}

TEST(MixedVhost, ConfiguredAndUnloaded)
{
	ASSERT_OK(ensure_target_core());
	ASSERT_OK(load_module("vhost_scsi"));
	ASSERT_OK_AND_ASSIGN(Backstore disk, Backstore::create(ramdisk_spec("rd", mixed_bytes)));
	std::string wwn = target_root + "/vhost/" + fresh_naa(), tpg = wwn + "/tpgt_1", initiator = fresh_naa();
	ConfigTree tree;
	for (const auto &dir : {target_root + "/vhost", wwn, tpg})
		ASSERT_OK(tree.dir(dir));
	ASSERT_OK(write_value(tpg + "/nexus", initiator));
	EXPECT_EQ(read_value(tpg + "/nexus").value_or(""), initiator);
	ASSERT_OK(tree.lun(tpg, 0, disk));
	expect_dmesg("^Unable to remove TCM_vhost I_T Nexus with active TPG port count: 1$");
	EXPECT_ERRNO(write_value(tpg + "/nexus", "NULL"), EBUSY);
	ASSERT_OK(tree.clear(3));
	EXPECT_OK(write_value(tpg + "/nexus", "NULL"));
	ASSERT_OK(tree.clear());
	EXPECT_OK(unload_module("vhost_scsi"));
}

TEST(MixedSrpt, ConfiguredAndUnloaded)
{
	ASSERT_OK(ensure_target_core());
	ASSERT_OK(run_ok({"modprobe", "-a", "veth", "rdma_rxe"}));
	{
		ASSERT_OK_AND_ASSIGN(VethPair veth, VethPair::create("ra", "rb"));
		ASSERT_OK(run_ok({"ip", "addr", "add", "10.9.0.1/24", "dev", "ra"}));
		ASSERT_OK(run_ok({"rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "ra"}));
		ASSERT_OK(load_module("ib_srpt"));
		ASSERT_OK_AND_ASSIGN(Backstore disk, Backstore::create(ramdisk_spec("rd", mixed_bytes)));
		ASSERT_OK_AND_ASSIGN(std::string gid, read_value("/sys/class/infiniband/rxe0/ports/1/gids/0"));
		std::erase(gid, ':');
		std::string wwn = target_root + "/srpt/0x" + gid, tpg = wwn + "/0x" + gid;
		ConfigTree tree;
		for (const auto &dir : {target_root + "/srpt", wwn, tpg})
			ASSERT_OK(tree.dir(dir));
		ASSERT_OK(tree.lun(tpg, 0, disk));
		std::string acl = tpg + "/acls/0x00000000000000000000000000000001";
		ASSERT_OK(tree.dir(acl));
		ASSERT_OK(tree.mapped_lun(tpg, acl, 0, 0));
		ASSERT_OK(write_value(tpg + "/enable", "1"));
		EXPECT_EQ(read_value(tpg + "/enable").value_or(""), "1");
		ASSERT_OK(write_value(tpg + "/enable", "0"));
		ASSERT_OK(tree.clear());
		EXPECT_OK(unload_module("ib_srpt"));
		EXPECT_OK(run_ok({"rdma", "link", "del", "rxe0"}));
	}
	EXPECT_OK(unload_module("rdma_rxe"));
}

TEST(MixedSbp, ConfiguredAndUnloaded)
{
	ASSERT_OK(ensure_target_core());
	ASSERT_OK(load_module("sbp_target"));
	ASSERT_OK_AND_ASSIGN(Backstore disk, Backstore::create(ramdisk_spec("rd", mixed_bytes)));
	std::string wwn = target_root + "/sbp/0011223344556677", tpg = wwn + "/tpgt_1";
	ConfigTree tree;
	for (const auto &dir : {target_root + "/sbp", wwn, tpg})
		ASSERT_OK(tree.dir(dir));
	ASSERT_OK(tree.lun(tpg, 0, disk));
	EXPECT_ERRNO(write_value(tpg + "/enable", "2"), EINVAL);
	EXPECT_EQ(read_value(tpg + "/enable").value_or(""), "0");
	ASSERT_OK(tree.clear());
	EXPECT_OK(unload_module("sbp_target"));
}

} // namespace
} // namespace lio::test
