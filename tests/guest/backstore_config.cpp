// SPDX-License-Identifier: GPL-2.0
// What control takes, what enable refuses and what info and attrib show, as the stock modules have it;
// BackstoreOurs* where ours refuses more.
#include <algorithm>

#include "backstore_stage.hpp"
#include "block_io.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

BackstoreSpec empty_spec(Plugin plugin)
{
	BackstoreSpec spec;
	spec.plugin = plugin;
	spec.name = "config";
	spec.enable = false;
	return spec;
}

struct ControlCase {
	const char *text;
	int code;
	const char *shows; ///< a part of info afterwards
};

// The messages are ours or the distribution's.
void expect_parse_errors()
{
	for (const char *text : {"fd_dev_size must be a number of bytes", "_io can only be set to 1",
				 "readonly must be 0 or 1", "kstrtoul?l\\(\\) failed for", "bogus fd_.*_io=",
				 "target_core_file: .* cannot change once", "Rounding down aligned max_sectors"})
		expect_dmesg(text, Need::optional);
}

void check_control(Plugin plugin, std::initializer_list<ControlCase> cases)
{
	expect_parse_errors();
	for (const ControlCase &c : cases) {
		SCOPED_TRACE(c.text);
		ASSERT_OK_AND_ASSIGN(Backstore device, Backstore::create(empty_spec(plugin)));
		EXPECT_ERRNO(device.control(c.text), c.code);
		EXPECT_NE(device.info().value_or("").find(c.shows), std::string::npos) << device.info().value_or("");
	}
}

constexpr const char *fresh_file = "TCM FILEIO ID: 0        File:   Size: 0  Mode: O_DSYNC Async: 0\n";

TEST(BackstoreConfig, FileControl)
{
	check_control(Plugin::fileio,
		      {{" ", 0, fresh_file}, {"foo", 0, fresh_file}, {"foo=1", 0, fresh_file}, {"fd_dev_name", 0, fresh_file},
		       {"fd_dev_name=", 0, fresh_file}, {"fd_dev_name=/x", 0, "File: /x  Size: 0"},
		       {"fd_dev_size=abc", EINVAL, fresh_file}, {"fd_dev_size=-1", EINVAL, fresh_file},
		       {"fd_dev_size=", 0, fresh_file}, {"fd_dev_size=1k", EINVAL, fresh_file},
		       {"fd_dev_size=0x1000", 0, "Size: 4096"}, {"fd_dev_size=99999999999999999999999", ERANGE, fresh_file},
		       {"fd_dev_size= 4096", EINVAL, fresh_file}, {"fd_buffered_io=0", EINVAL, fresh_file},
		       {"fd_buffered_io=2", EINVAL, fresh_file}, {"fd_buffered_io=x", 0, fresh_file},
		       {"fd_buffered_io=1", 0, "Mode: Buffered-WCE Async: 0"}, {"fd_async_io=0", EINVAL, fresh_file},
		       {"fd_async_io=2", EINVAL, fresh_file}, {"fd_async_io=x", 0, fresh_file},
		       {"fd_async_io=1", 0, "Mode: O_DSYNC Async: 1"}, {"fd_dev_name=/y,fd_dev_size=4096", 0, "File: /y  Size: 4096"},
		       {"fd_dev_name=/z\nfd_dev_size=8192\n", 0, "File: /z  Size: 8192"},
		       {"fd_dev_name=/z,foo=3", 0, "File: /z  Size: 0"}, {" fd_dev_size=77", 0, fresh_file},
		       {"fd_dev_size=5 ,fd_dev_size=6", EINVAL, fresh_file}, {"FD_DEV_SIZE=3", 0, fresh_file},
		       {"fd_dev_size=3,,,fd_dev_size=4", 0, "Size: 4 "}, {"fd_dev_name=/a=b", 0, "File: /a=b  "}});
}

TEST(BackstoreConfig, BlockControl)
{
	constexpr const char *fresh = "        readonly: 0\n        Major: 0 Minor: 0\n";
	check_control(Plugin::iblock,
		      {{" ", 0, fresh}, {"foo=1", 0, fresh}, {"udev_path", 0, fresh}, {"udev_path=", 0, fresh},
		       {"udev_path=/x", 0, "  UDEV PATH: /x  readonly: 0\n"}, {"readonly=1", 0, "readonly: 1\n"},
		       {"readonly=0", 0, fresh}, {"readonly=2", 0, "readonly: 1\n"}, {"readonly=x", 0, fresh},
		       {"readonly=", 0, fresh}, {"readonly=-1", EINVAL, fresh}, {"force=1", 0, fresh},
		       {"exclusive=1", 0, fresh}, {"udev_path=/y,readonly=1", 0, "UDEV PATH: /y  readonly: 1\n"},
		       {"udev_path=/dev/x\n", 0, "UDEV PATH: /dev/x  readonly"}, {" udev_path=/q", 0, fresh}});
}

void check_enable(Plugin plugin, std::initializer_list<std::pair<std::string, int>> cases)
{
	for (const char *text : {"fd_dev_name= is missing", "Missing fd_dev_name=", "fd_dev_size= is missing",
				 "Missing fd_dev_size= parameter", "filp_open\\(.*\\) failed", "cannot be opened",
				 "Missing udev_path= parameters", "udev_path= is missing"})
		expect_dmesg(text, Need::optional);
	for (const auto &[text, code] : cases) {
		SCOPED_TRACE(text);
		ASSERT_OK_AND_ASSIGN(Backstore device, Backstore::create(empty_spec(plugin)));
		ASSERT_OK(device.control(text));
		EXPECT_ERRNO(device.enable(), code);
		EXPECT_ERRNO(device.enable(), code ? code : EEXIST);
	}
}

TEST(BackstoreConfig, FileEnable)
{
	expect_dmesg("se_dev->se_dev_ptr already set for storage object", Need::optional);
	expect_dmesg("already configured", Need::optional);
	ASSERT_OK_AND_ASSIGN(LowerDevice lower, LowerDevice::create(true));
	std::string dir = lower.dir.path();
	check_enable(Plugin::fileio,
		     {{"fd_dev_name=" + lower.file, EINVAL}, {"fd_dev_size=4096", EINVAL},
		      {"fd_dev_name=/nonexistent/x,fd_dev_size=4096", ENOENT}, {"fd_dev_name=" + dir + ",fd_dev_size=4096", EISDIR},
		      {"fd_dev_name=" + dir + "/new,fd_dev_size=1000000", 0}, {"fd_dev_name=" + dir + "/other", EINVAL},
		      {"fd_dev_name=" + lower.file + ",fd_dev_size=4096", 0}, {"fd_dev_name=" + dir + "/tiny,fd_dev_size=100", 0},
		      {"fd_dev_name=" + lower.loop->node(), 0}, {"fd_dev_name=" + lower.loop->node() + ",fd_buffered_io=1", 0}});
}

TEST(BackstoreConfig, BlockEnable)
{
	expect_dmesg("se_dev->se_dev_ptr already set for storage object", Need::optional);
	expect_dmesg("already configured", Need::optional);
	expect_dmesg("Rounding down aligned max_sectors", Need::optional);
	ASSERT_OK_AND_ASSIGN(LowerDevice lower, LowerDevice::create(true));
	check_enable(Plugin::iblock, {{"readonly=0", EINVAL}, {"udev_path=/nonexistent", ENOENT}, {"udev_path=/root", ENOTBLK},
				      {"udev_path=/dev/null", ENOTBLK}, {"udev_path=" + lower.loop->node(), 0},
				      {"udev_path=" + lower.loop->node() + ",readonly=1", 0}});
}

void check_attribs(const Backstore &device, std::initializer_list<std::pair<const char *, const char *>> attribs)
{
	for (auto [name, value] : attribs)
		EXPECT_EQ(device.get(name).value_or("?"), value) << name;
}

TEST(BackstoreConfig, FileAttributes)
{
	ASSERT_OK_AND_ASSIGN(LowerDevice lower, LowerDevice::create(true));
	for (bool buffered : {false, true}) {
		ASSERT_OK_AND_ASSIGN(Backstore device,
				     Backstore::create(fileio_spec("f", lower.dir / "f", stage_bytes, buffered)));
		check_attribs(device, {{"hw_block_size", "512"}, {"block_size", "512"}, {"hw_max_sectors", "16384"},
				       {"optimal_sectors", "16384"}, {"hw_queue_depth", "128"}, {"max_unmap_lba_count", "8192"},
				       {"max_unmap_block_desc_count", "1"}, {"unmap_granularity", "1"},
				       {"unmap_granularity_alignment", "0"}, {"unmap_zeroes_data", "0"},
				       {"max_write_same_len", "4096"}, {"is_nonrot", "0"},
				       {"emulate_write_cache", buffered ? "1" : "0"}});
		EXPECT_NE(device.info().value_or("").find("File: " + lower.dir / "f" + "  Size: 16777216  Mode: " +
							  (buffered ? "Buffered-WCE" : "O_DSYNC") + " Async: 0\n"),
			  std::string::npos);
	}
	ASSERT_OK_AND_ASSIGN(Backstore device, Backstore::create(fileio_spec("f", lower.loop->node(), 0)));
	check_attribs(device, {{"hw_max_sectors", "16384"}, {"max_unmap_lba_count", "8388607"}, {"unmap_granularity", "8"},
			       {"max_write_same_len", "65535"}});
}

TEST(BackstoreConfig, BlockAttributes)
{
	expect_dmesg("emulate_write_cache not supported for this device", Need::optional);
	expect_dmesg("DIF protection not supported by backend", Need::optional);
	ASSERT_OK_AND_ASSIGN(LowerDevice lower, LowerDevice::create(true));
	ASSERT_OK_AND_ASSIGN(Backstore device, Backstore::create(iblock_spec("b", lower.loop->node())));
	check_attribs(device, {{"hw_block_size", "512"}, {"block_size", "512"}, {"hw_queue_depth", "128"},
			       {"max_unmap_lba_count", "8388607"}, {"max_unmap_block_desc_count", "1"},
			       {"unmap_granularity", "8"}, {"unmap_granularity_alignment", "0"},
			       {"max_write_same_len", "8388607"}, {"unmap_zeroes_data", "0"}, {"hw_pi_prot_type", "0"}});
	std::string name = lower.loop->node().substr(5), info = device.info().value_or("");
	EXPECT_NE(info.find("        iBlock device: " + name + "  UDEV PATH: " + lower.loop->node() + "  readonly: 0\n"
			    "        Major: 7 Minor: " + name.substr(4) + "  CLAIMED: IBLOCK\n"), std::string::npos) << info;
	for (const char *attrib : {"emulate_tpu", "emulate_tpws", "unmap_zeroes_data"})
		EXPECT_OK(device.set(attrib, "1"));
	EXPECT_ERRNO(device.set("emulate_write_cache", "1"), EINVAL);
	EXPECT_ERRNO(device.set("pi_prot_type", "1"), ENOSYS);
	expect_dmesg("cannot change once the device is enabled", Need::optional);
	expect_dmesg("Unable to set udev_path= while ib_dev->ibd_bd exists", Need::optional);
	EXPECT_ERRNO(device.control("udev_path=/zz"), EEXIST);
}

/// Bytes of the file that holds protection information that are not the escape.
size_t checked_bytes(const std::string &file)
{
	std::string content = read_file(file).value_or("");
	return content.size() - static_cast<size_t>(std::count(content.begin(), content.end(), '\xff'));
}

// The block layer of the initiator makes and checks the tags.
TEST(BackstoreProtection, FileOfItsOwn)
{
	expect_dmesg("DIF protection", Need::optional);
	expect_dmesg("DIF TYPE2 protection currently not supported", Need::optional);
	ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::create("/var/tmp"));
	std::string file = dir / "image", tags = file + ".protection";
	ASSERT_OK_AND_ASSIGN(Backstore device, Backstore::create(fileio_spec("pi", file, stage_bytes)));
	EXPECT_ERRNO(device.set("pi_prot_type", "2"), ENOSYS);
	ASSERT_OK(device.set("pi_prot_type", "1"));
	ASSERT_OK(device.set("pi_prot_format", "1"));
	EXPECT_EQ(read_file(tags).value_or("").size(), stage_bytes / 512 * 8);
	EXPECT_EQ(checked_bytes(tags), 0u);
	{
		ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create());
		ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(0, device));
		ASSERT_OK_AND_ASSIGN(std::string node, lun.block_node());
		EXPECT_EQ(read_value("/sys/block/" + node.substr(5) + "/integrity/format").value_or(""), "T10-DIF-TYPE1-CRC");
		ASSERT_OK_AND_ASSIGN(BlockFile block, BlockFile::open(node));
		ASSERT_OK(block.write_pattern(0, stage_bytes));
		EXPECT_OK(block.verify_pattern(0, stage_bytes));
		EXPECT_GT(checked_bytes(tags), stage_bytes / 512 * 2);
	}
	ASSERT_OK(device.set("pi_prot_type", "0"));
	EXPECT_TRUE(exists(tags));
}

TEST(BackstoreOurs, RefusesWhatCannotWork)
{
	expect_dmesg("target_core_file: /dev/null: neither a regular file nor a block device", Need::required);
	expect_dmesg("target_core_file: fd_dev_name is longer than 511 bytes", Need::required);
	expect_dmesg("target_core_iblock: udev_path is longer than 511 bytes", Need::required);
	expect_dmesg("target_core_file: .*: fd_buffered_io cannot change once the device is enabled", Need::required);
	expect_dmesg("target_core_file: .*: fd_dev_name cannot change once the device is enabled", Need::required);
	expect_dmesg("target_core_iblock: .*: readonly cannot change once the device is enabled", Need::required);
	EXPECT_ERRNO(Backstore::create(fileio_spec("f", "/dev/null", 4096)), EINVAL);
	const std::string name(600, 'a');
	EXPECT_ERRNO(Backstore::create(fileio_spec("f", name, 4096)), EINVAL);
	EXPECT_ERRNO(Backstore::create(iblock_spec("b", name)), EINVAL);
	ASSERT_OK_AND_ASSIGN(LowerDevice lower, LowerDevice::create(true));
	ASSERT_OK_AND_ASSIGN(Backstore file, Backstore::create(fileio_spec("f", lower.dir / "f", 4096)));
	EXPECT_ERRNO(file.control("fd_buffered_io=1"), EEXIST);
	EXPECT_ERRNO(file.control("fd_dev_name=/x"), EEXIST);
	ASSERT_OK_AND_ASSIGN(Backstore block, Backstore::create(iblock_spec("b", lower.loop->node())));
	EXPECT_ERRNO(block.control("readonly=1"), EEXIST);
}

} // namespace
} // namespace lio::test
