// SPDX-License-Identifier: GPL-2.0
// target_core_pscsi on scsi_debug: what the device says arrives as it is, the disk is held.
#include <fcntl.h>

#include <algorithm>

#include "backstore_stage.hpp"
#include "block_io.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "process.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

void expect_complaints()
{
	for (const char *text : {"target_core_pscsi: control needs scsi_host_id=", "udev_path is to be set before",
				 "target_core_pscsi: there is no SCSI (host|device)", "target_core_pscsi: .*: cannot be (claimed|opened)",
				 "Missing scsi_channel_id=", "pSCSI: (udev_path attribute|Unable to locate|bdev_file_open_by_path|blkdev_get)",
				 "Rounding down aligned max_sectors", "target_core_iblock: /dev/sd.*: cannot be claimed"})
		expect_dmesg(text, Need::optional);
}

TEST(BackstorePscsi, Control)
{
	constexpr const char *fresh = "SCSI Device Bus Location: Channel ID: 0 Target ID: 0 LUN: 0 Host ID: 0\n";
	expect_complaints();
	struct Case {
		const char *text;
		int code;
		const char *shows;
	};
	for (const Case &c : {Case{" ", 0, fresh}, {"foo=1", 0, fresh}, {"scsi_host_id=", 0, fresh}, {"scsi_host_id=x", 0, fresh},
			      {"scsi_host_id=-1", 0, "Host ID: -1\n"}, {"scsi_lun_id=99999999999", ERANGE, fresh},
			      {"scsi_lun_id=0x1", 0, "LUN: 1 Host"}, {"scsi_channel_id=2,scsi_target_id=3\n", 0, "Channel ID: 2 Target ID: 3"}}) {
		SCOPED_TRACE(c.text);
		ASSERT_OK_AND_ASSIGN(Backstore p, Backstore::create(pscsi_spec("p")));
		EXPECT_ERRNO(p.control(c.text), c.code);
		EXPECT_NE(p.info().value_or("").find(c.shows), std::string::npos) << p.info().value_or("");
		EXPECT_ERRNO(p.enable(), EINVAL);
	}
}

TEST(BackstorePscsi, EnableClaimsTheDisk)
{
	expect_complaints();
	ASSERT_OK_AND_ASSIGN(std::string disk, debug_disk());
	ASSERT_OK_AND_ASSIGN(std::string device, debug_device());
	std::string node = "/dev/" + disk, base = device.substr(0, device.rfind(':'));
	EXPECT_ERRNO(make_pscsi(base + ":3", node), ENODEV);
	EXPECT_ERRNO(make_pscsi("77:0:0:0", node), EINVAL);
	EXPECT_ERRNO(make_pscsi(device, "/nonexistent"), ENOENT);
	{
		ASSERT_OK_AND_ASSIGN(Backstore p, make_pscsi(device, node));
		EXPECT_NE(p.info().value_or("").find("        Vendor: Linux    Model: scsi_debug       Rev: "), std::string::npos);
		EXPECT_EQ(p.get("hw_block_size").value_or(""), "512");
		EXPECT_EQ(p.get("alua_support").value_or(""), "0");
		EXPECT_EQ(p.get("pgr_support").value_or(""), "0");
		EXPECT_EQ(read_value(p.path() + "/wwn/vendor_id").value_or(""), "Linux   ");
		EXPECT_EQ(read_value(p.path() + "/wwn/product_id").value_or(""), "scsi_debug      ");
		EXPECT_EQ(read_value(p.path() + "/wwn/vpd_unit_serial").value_or(""), "T10 VPD Unit Serial Number: 2000");
		EXPECT_NE(read_file(p.path() + "/wwn/vpd_assoc_logical_unit").value_or("").find("Linux   scsi_debug      2000"),
			  std::string::npos);
		EXPECT_ERRNO(make_pscsi(device, node), EBUSY);
		EXPECT_ERRNO(Backstore::create(iblock_spec("b", node)), EBUSY);
	}
	EXPECT_OK(Backstore::create(iblock_spec("b", node)));
	EXPECT_OK(unload_module("scsi_debug"));
}

struct PassedThrough {
	LoopTarget target;
	LoopLun lun;
	SgDevice sg, raw; ///< through the target, and the device itself
};

Result<PassedThrough> pass_through(const Backstore &p, const std::string &device)
{
	LIO_TRY(LoopTarget target, LoopTarget::create());
	LIO_TRY(LoopLun lun, target.add_lun(0, p));
	LIO_TRY(SgDevice sg, lun.open_sg());
	// sd's disks, of direct access or optical, are looked through for partitions: they must not go meanwhile.
	if (auto type = read_value(device + "/type"); type && (*type == "0" || *type == "7"))
		LIO_CHECK(lun.block_node());
	LIO_TRY(auto names, list_dir(device + "/scsi_generic"));
	LIO_TRY(SgDevice raw, SgDevice::open("/dev/" + names.front()));
	LIO_CHECK(sg.execute_past_ua(cdb::test_unit_ready()));
	LIO_CHECK(raw.execute_past_ua(cdb::test_unit_ready()));
	return PassedThrough{std::move(target), std::move(lun), std::move(sg), std::move(raw)};
}

/// Both ways give the same status, sense, residual and data.
void expect_same(PassedThrough &way, const Cdb &cdb, size_t room)
{
	SCOPED_TRACE(cdb.hex());
	std::vector<uint8_t> there(room, 0xee), here(room, 0xee);
	ASSERT_OK_AND_ASSIGN(ScsiReply raw, way.raw.execute(cdb, room ? Data::in(there) : Data::none()));
	ASSERT_OK_AND_ASSIGN(ScsiReply lun, way.sg.execute(cdb, room ? Data::in(here) : Data::none()));
	EXPECT_EQ(lun.status, raw.status) << lun;
	EXPECT_EQ(lun.kcq(), raw.kcq()) << lun << raw;
	EXPECT_EQ(lun.residual, raw.residual);
	size_t moved = raw.good() ? room - size_t(std::max(raw.residual, 0)) : 0;
	EXPECT_TRUE(std::equal(there.begin(), there.begin() + long(moved), here.begin()));
}

// The distribution's module tells no residual of a command that failed.
TEST(BackstoreOurs, PscsiDiskAnswersAsItIs)
{
	expect_complaints();
	expect_dmesg("physical block alignment offset", Need::optional);
	ASSERT_OK_AND_ASSIGN(std::string disk, debug_disk({"opts=2"}));
	ASSERT_OK_AND_ASSIGN(std::string device, debug_device());
	{
		ASSERT_OK_AND_ASSIGN(Backstore p, make_pscsi(device, "/dev/" + disk));
		ASSERT_OK_AND_ASSIGN(PassedThrough way, pass_through(p, device));
		for (const auto &[cdb, room] :
		     {std::pair{cdb::inquiry(96), 96}, {cdb::inquiry(255), 255}, {cdb::inquiry_vpd(0x00), 255}, {cdb::inquiry_vpd(0x80), 255},
		      {cdb::inquiry_vpd(0xb0), 255}, {cdb::inquiry_vpd(0xb2), 255}, {cdb::read_capacity10(), 8}, {cdb::read_capacity16(), 32},
		      {cdb::mode_sense(6, 0x3f), 255}, {cdb::mode_sense(10, 0x08), 255}, {cdb::rsoc(2048), 2048}, {Cdb{0xc1, 0, 0, 0, 0, 0}, 0},
		      {cdb::read(10, 0xffff, 1), 512}, {cdb::read(16, 0x123456789, 1), 512}, {cdb::inquiry_vpd(0x77), 255},
		      {cdb::read(10, 0x1234, 8), 4096}, {cdb::sync_cache(10), 0}, {cdb::request_sense(18), 18}})
			expect_same(way, cdb, static_cast<size_t>(room));
		ASSERT_OK_AND_ASSIGN(std::string node, way.lun.block_node());
		ASSERT_OK_AND_ASSIGN(BlockFile block, BlockFile::open(node));
		ASSERT_OK(block.write_pattern(0, 2 << 20));
		ASSERT_OK(block.verify_pattern(0, 2 << 20));
		ASSERT_OK(block.write_pattern(4 << 20, 12 << 20));
		ASSERT_OK(block.verify_pattern(4 << 20, 12 << 20));
		std::vector<uint8_t> buf(4096);
		ASSERT_OK(way.raw.execute_good(cdb::read(10, 8192, 8), Data::in(buf)));
		EXPECT_FALSE(find_mismatch(buf, 4 << 20));
		// scsi_debug's bad sector: the sense data has the address, too
		std::vector<uint8_t> read(4096);
		ASSERT_OK_AND_ASSIGN(ScsiReply bad, way.sg.execute(cdb::read(10, 0x1230, 8), Data::in(read)));
		EXPECT_EQ(bad.kcq(), 0x031100u) << bad;
		ASSERT_TRUE(bad.sense);
		EXPECT_EQ(bad.sense->information.value_or(0), 0x1234u);
	}
	EXPECT_OK(unload_module("scsi_debug"));
}

/// A kind of device, its driver here, and the node that a pscsi device of it is told of.
struct Kind {
	int type;
	const char *module, *directory, *node;
	Cdb read; ///< of this kind: of 4 KiB, or an element's status
};

std::ostream &operator<<(std::ostream &os, const Kind &kind)
{
	return os << "type " << kind.type;
}

const Kind tape{1, "st", "scsi_tape", "nst0", Cdb{0x08, 0, 0, 0x10, 0, 0}};
const Kind rom{5, "sr_mod", "block", "sr0", cdb::read(10, 0, 2)};
const Kind optical{7, "sd_mod", "block", "sd", cdb::read(12, 0, 8)};
const Kind changer{8, "ch", "scsi_changer", "sch0", Cdb{0xb8, 0, 0, 0, 0, 1, 0, 0, 0x10, 0, 0, 0}};

class BackstorePscsiType : public testing::TestWithParam<Kind> {
protected:
	void SetUp() override
	{
		expect_complaints();
		expect_dmesg("^(st|sr|sd|ch|scsi) [0-9:]+: ", Need::optional);
		expect_dmesg("^(st|sr|sch|sd.*)\\d*: ", Need::optional);
		expect_dmesg("^cdrom: ", Need::optional);
		expect_dmesg("^Uniform CD-ROM driver", Need::optional);
	}
	void TearDown() override
	{
		// ch holds the module of a device as long as that is there.
		if (exists(device_)) {
			EXPECT_OK(write_value(device_ + "/delete", "1"));
		}
		EXPECT_OK(unload_module("scsi_debug"));
	}

	/// The device, and the node that its driver has made.
	Result<std::pair<std::string, std::string>> make_device()
	{
		LIO_CHECK(load_module(GetParam().module));
		LIO_TRY(std::string device, debug_device({"ptype=" + std::to_string(GetParam().type)}));
		device_ = device;
		std::string found;
		LIO_CHECK(wait_until(Deadline(seconds(20)), GetParam().node, [&] {
			for (const auto &name : list_dir(device + "/" + GetParam().directory).value_or({}))
				if (name.starts_with(GetParam().node) && exists("/dev/" + name))
					found = "/dev/" + name;
			return !found.empty();
		}));
		return std::pair{device, found};
	}

private:
	std::string device_;
};
INSTANTIATE_TEST_SUITE_P(Types, BackstorePscsiType, testing::Values(tape, rom, optical, changer));

TEST_P(BackstorePscsiType, Answers)
{
	ASSERT_OK_AND_ASSIGN(auto made, make_device());
	auto &[device, node] = made;
	ASSERT_OK_AND_ASSIGN(Backstore p, make_pscsi(device, node));
	ASSERT_OK_AND_ASSIGN(PassedThrough way, pass_through(p, device));
	ASSERT_OK_AND_ASSIGN(auto inquiry, way.sg.fetch(cdb::inquiry(96), 96));
	EXPECT_EQ(inquiry.at(0) & 0x1f, GetParam().type);
	// More room than there is data, less, none; what is there and what is not.
	for (const auto &[cdb, room] :
	     {std::pair{cdb::inquiry(96), 96}, {cdb::inquiry(255), 255}, {cdb::inquiry(5), 5}, {cdb::inquiry_vpd(0x83), 255},
	      {cdb::test_unit_ready(), 0}, {cdb::mode_sense(6, 0x3f), 255}, {cdb::mode_sense(10, 0x1d), 200}, {cdb::request_sense(252), 252},
	      {Cdb{0x01, 0, 0, 0, 0, 0}, 0}, {Cdb{0xa5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0}, {cdb::rsoc(2048), 2048}})
		expect_same(way, cdb, static_cast<size_t>(room));
	expect_same(way, GetParam().read, 4096);
}

// In use elsewhere: refused by name. Used by us: nobody else gets it.
TEST_P(BackstorePscsiType, IsHeldExclusively)
{
	ASSERT_OK_AND_ASSIGN(auto made, make_device());
	auto &[device, node] = made;
	expect_dmesg("target_core_pscsi: .*: is not the device that control tells of", Need::required);
	expect_dmesg("target_core_pscsi: /dev/\\w+: cannot be claimed, it is in use: -16", Need::required);
	EXPECT_ERRNO(make_pscsi(device, "/dev/null"), EINVAL);
	ASSERT_OK_AND_ASSIGN(auto names, list_dir(device + "/scsi_generic"));
	const std::string generic = "/dev/" + names.front();
	for (const std::string &held : {node, generic}) {
		SCOPED_TRACE(held);
		// A changer's own node has no exclusive use.
		if (held.starts_with("/dev/sch"))
			continue;
		{
			ASSERT_OK_AND_ASSIGN(Backstore p, make_pscsi(device, held));
			EXPECT_ERRNO(make_pscsi(device, held), EBUSY);
			EXPECT_ERRNO(open_fd(held, O_RDWR | O_EXCL | O_NONBLOCK), EBUSY);
		}
		ASSERT_OK_AND_ASSIGN(Fd other, open_fd(held, O_RDWR | O_EXCL | O_NONBLOCK));
		EXPECT_ERRNO(make_pscsi(device, held), EBUSY);
	}
	EXPECT_OK(make_pscsi(device, node));
}

/// Finds devices that have been removed once more.
Status scan_again(const std::string &device)
{
	std::string name = device.substr(device.rfind('/') + 1);
	return write_value("/sys/class/scsi_host/host" + name.substr(0, name.find(':')) + "/scan", "- - -");
}

// Gone: told at once, whatever it was. Back: it can be had again.
TEST_P(BackstorePscsiType, GoesAndComes)
{
	// A disk goes while sd still looks for partitions.
	for (const char *text : {"^device offline error, dev sd", "^Buffer I/O error on dev sd", "^I/O error, dev sd", "unable to read RDB block",
				 "(blk_print_req_error|buffer_io_error): \\d+ callbacks suppressed"})
		expect_dmesg(text, Need::optional);
	ASSERT_OK_AND_ASSIGN(auto made, make_device());
	auto &[device, node] = made;
	for (int round = 0; round < 2; round++) {
		ASSERT_OK(wait_until(Deadline(seconds(20)), node, [&, &n = node] { return exists(n); }));
		ASSERT_OK_AND_ASSIGN(Backstore p, make_pscsi(device, node));
		ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create());
		ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(0, p));
		ASSERT_OK_AND_ASSIGN(SgDevice sg, lun.open_sg());
		if (GetParam().type == optical.type) {
			ASSERT_OK(lun.block_node());
		}
		ASSERT_OK(sg.execute_past_ua(cdb::test_unit_ready()));
		ASSERT_OK(write_value(device + "/delete", "1"));
		for (const Cdb &cdb : {cdb::test_unit_ready(), Cdb{0x01, 0, 0, 0, 0, 0}}) {
			ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(cdb));
			EXPECT_EQ(reply.kcq(), 0x043e01u) << reply; // LOGICAL UNIT FAILURE
		}
		ASSERT_OK(lun.destroy());
		ASSERT_OK(p.destroy());
		ASSERT_OK(scan_again(device));
	}
}

// The distribution's module drops a reference to the host that it does not have.
TEST(BackstoreOurs, PscsiHostOfTheHba)
{
	expect_complaints();
	expect_dmesg("(Unable to set hba_mode with active devices|target_core_pscsi: hba_mode=1: the host is)", Need::optional);
	expect_dmesg("Unable to accept scsi_host_id while phv_mode", Need::optional);
	ASSERT_OK_AND_ASSIGN(std::string disk, debug_disk());
	ASSERT_OK_AND_ASSIGN(std::string device, debug_device());
	std::string name = device.substr(device.rfind('/') + 1), host = name.substr(0, name.find(':'));
	ASSERT_OK(load_module("target_core_pscsi"));
	{
		ASSERT_OK_AND_ASSIGN(Removal hba, make_dir_guard(target_root + "/core/pscsi_" + host));
		ASSERT_OK(write_value(hba.path() + "/hba_mode", "1"));
		EXPECT_EQ(read_value(hba.path() + "/hba_mode").value_or(""), "1");
		ASSERT_OK_AND_ASSIGN(Removal dev, make_dir_guard(hba.path() + "/p"));
		EXPECT_ERRNO(write_value(dev.path() + "/control", "scsi_host_id=" + host), EINVAL);
		ASSERT_OK(write_value(dev.path() + "/control", "scsi_channel_id=0,scsi_target_id=0,scsi_lun_id=0"));
		ASSERT_OK(write_value(dev.path() + "/udev_path", "/dev/" + disk));
		ASSERT_OK(write_value(dev.path() + "/enable", "1"));
		EXPECT_NE(read_file(dev.path() + "/info").value_or("").find("Host ID: PHBA Mode\n"), std::string::npos);
		EXPECT_ERRNO(write_value(hba.path() + "/hba_mode", "0"), EINVAL);
		ASSERT_OK(dev.remove());
		EXPECT_OK(write_value(hba.path() + "/hba_mode", "0"));
		EXPECT_EQ(read_value(hba.path() + "/hba_mode").value_or(""), "0");
	}
	EXPECT_OK(unload_module("scsi_debug"));
}

TEST(BackstoreOurs, PscsiDeviceGoes)
{
	expect_complaints();
	expect_dmesg("^sd [0-9:]+: \\[sd.*\\] Synchronize Cache\\(10\\) failed", Need::optional);
	ASSERT_OK_AND_ASSIGN(std::string disk, debug_disk());
	ASSERT_OK_AND_ASSIGN(std::string device, debug_device());
	{
		ASSERT_OK_AND_ASSIGN(Backstore p, make_pscsi(device, "/dev/" + disk));
		ASSERT_OK_AND_ASSIGN(PassedThrough way, pass_through(p, device));
		ASSERT_OK(way.lun.block_node());
		ASSERT_OK_AND_ASSIGN(SgQueue queue, SgQueue::open(way.sg.path()));
		std::vector<uint8_t> buf = pattern(64 << 10, 0);
		for (int i = 0; i < 12; i++)
			ASSERT_OK(queue.submit(cdb::write(16, uint64_t(i) * 128, 128), Data::out(buf)));
		ASSERT_OK(write_value(device + "/delete", "1"));
		for (int i = 0; i < 12; i++)
			ASSERT_OK(queue.reap(seconds(60)));
		ASSERT_OK_AND_ASSIGN(ScsiReply reply, way.sg.execute(cdb::write(16, 0, 128), Data::out(buf)));
		EXPECT_EQ(reply.kcq(), 0x043e01u) << reply; // LOGICAL UNIT FAILURE
	}
	EXPECT_OK(unload_module("scsi_debug"));
}

TEST(BackstoreOurs, PscsiNameOfAnotherDisk)
{
	expect_complaints();
	expect_dmesg("target_core_pscsi: /dev/loop\\d+: is not the device that control tells of", Need::required);
	ASSERT_OK_AND_ASSIGN(std::string disk, debug_disk());
	ASSERT_OK_AND_ASSIGN(std::string device, debug_device());
	ASSERT_OK_AND_ASSIGN(LowerDevice lower, LowerDevice::create(true));
	EXPECT_ERRNO(make_pscsi(device, lower.loop->node()), EINVAL);
	EXPECT_OK(unload_module("scsi_debug"));
}

} // namespace
} // namespace lio::test
