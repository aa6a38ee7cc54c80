// SPDX-License-Identifier: GPL-2.0
// Documentation/install.md, "Swapping the modules under a configuration", as written: a configuration that runs on
// the distribution's modules is saved, moved to ours, and back, and the disk's data is what it was each time.
#include <csignal>

#include <fcntl.h>

#include "block_io.hpp"
#include "clients.hpp"
#include "loopback.hpp"
#include "module.hpp"
#include "system.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint64_t disk_bytes = 64 << 20;
const std::string wwn = "naa.50014055a7000001";
const std::string tpg = target_root + "/loopback/" + wwn + "/tpgt_1";
const std::vector<std::string> modules = {"target_core_user", "tcm_loop"};

/// The distribution's file of a module, which modprobe does not take while ours is installed.
Result<std::string> stock_file(const std::string &module)
{
	std::string dir = "/lib/modules/" + kernel_release() + "/kernel/drivers/target/";
	for (const char *sub : {"", "loopback/"})
		if (exists(dir + sub + module + ".ko"))
			return dir + sub + module + ".ko";
	return Error{ENOENT, dir + module + ".ko", "find"};
}

/// After an uninstall modprobe would find these; here both sets lie side by side.
Status load_stock()
{
	LIO_CHECK(ensure_target_core());
	for (const char *needed : {"uio", "sd_mod", "sg"})
		LIO_CHECK(run_ok({"modprobe", needed}));
	for (const auto &module : modules) {
		LIO_TRY(std::string file, stock_file(module));
		LIO_CHECK(run_ok({"insmod", file}));
	}
	return {};
}

Status load_ours()
{
	for (const auto &module : modules)
		LIO_CHECK(load_module(module));
	return {};
}

Status unload()
{
	for (const auto &module : modules)
		LIO_CHECK(unload_module(module));
	return {};
}

/// Not TcmuRunner: that insists on one of the two sets of modules.
Result<Process> start_runner()
{
	LIO_CHECK(ensure_dbus());
	LIO_TRY(Process runner, Process::spawn({"tcmu-runner"}));
	LIO_CHECK(wait_until(Deadline(seconds(30)), "tcmu-runner on the bus", [] {
		auto reply = run({"dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus",
				  "/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner",
				  "string:org.kernel.TCMUService1"});
		return reply && reply->output.find("boolean true") != std::string::npos;
	}, milliseconds(200)));
	return runner;
}

Result<BlockFile> open_disk()
{
	LIO_TRY(std::string address, read_value(tpg + "/address"));
	std::string dir = "/sys/bus/scsi/devices/" + address + ":0/block", node;
	LIO_CHECK(wait_until(Deadline(seconds(60)), dir, [&] {
		auto names = list_dir(dir).value_or({});
		node = names.empty() ? "" : "/dev/" + names.front();
		return !node.empty() && open_fd(node, O_RDONLY | O_NONBLOCK).ok();
	}));
	return BlockFile::open(node);
}

/// targetctl save, targetctl clear, no handler, no module.
Status save_and_leave(Process &runner, const std::string &file)
{
	LIO_CHECK(targetctl_save(file));
	LIO_CHECK(targetctl_clear());
	LIO_CHECK(runner.stop());
	return unload();
}

void allow_noise()
{
	// sd of 6.12 asks for the IO Advice Hints subpage, and the distribution's core complains.
	expect_dmesg("^MODE SENSE: unimplemented page/subpage: 0x0a/0x05$", Need::optional);
	// The distribution's target_core_user forgets a device before the handler has answered its removal.
	expect_dmesg("^tcmu nl cmd 2/0 completion could not find device", Need::optional);
	// targetctl restore writes every attribute, also those that a live change needs tcmu-runner's qcow handler
	// for, which refuses: both sets say so, each in its words.
	expect_dmesg("^(Unable to reconfigure device|disk: the handler could not be reconfigured: -95)$", Need::optional);
	// ... and the serial number after the disk is there.
	expect_dmesg("^sd [0-9:]+: Inquiry data has changed$", Need::optional);
}

/// What `make install` says while the modules are in use: who holds them.
void check_holders()
{
	ASSERT_OK_AND_ASSIGN(Exit held, run({"/opt/packaging/packaging/dkms", "holders"}));
	EXPECT_EQ(held.status, 1) << held.output;
	EXPECT_NE(held.output.find("configfs: /sys/kernel/config/target/loopback/" + wwn), std::string::npos)
		<< held.output;
	EXPECT_NE(held.output.find("configfs: /sys/kernel/config/target/core/user_0/disk"), std::string::npos)
		<< held.output;
	ASSERT_OK_AND_ASSIGN(Exit refused, run({"/opt/packaging/packaging/dkms", "install", kernel_release()}));
	EXPECT_NE(refused.status, 0) << refused.output;
	EXPECT_NE(refused.output.find("targetctl clear"), std::string::npos) << refused.output;
}

TEST(Swap, ConfigurationMovesToOursAndBack)
{
	allow_noise();
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create("/var/tmp"));
	std::string image = tmp / "disk.qcow2", saved = tmp / "saved.json";
	ASSERT_OK(run_ok({"qemu-img", "create", "-q", "-f", "qcow2", image, std::to_string(disk_bytes)}));

	ASSERT_OK(load_stock());
	{
		ASSERT_OK_AND_ASSIGN(Process runner, start_runner());
		ASSERT_OK(targetcli({"/backstores/user:qcow create name=disk size=" + std::to_string(disk_bytes) +
					     " cfgstring=" + image,
				     "/loopback create " + wwn,
				     "/loopback/" + wwn + "/luns create /backstores/user:qcow/disk"}));
		{
			ASSERT_OK_AND_ASSIGN(BlockFile disk, open_disk());
			ASSERT_OK(disk.write_pattern(0, disk_bytes, 1));
		}
		ASSERT_NO_FATAL_FAILURE(check_holders());
		ASSERT_OK(save_and_leave(runner, saved));
	}

	ASSERT_OK(load_ours());
	{
		ASSERT_OK_AND_ASSIGN(Process runner, start_runner());
		ASSERT_OK(targetctl_restore(saved));
		{
			ASSERT_OK_AND_ASSIGN(BlockFile disk, open_disk());
			ASSERT_OK(disk.verify_pattern(0, disk_bytes, 1));
			ASSERT_OK(disk.write_pattern(0, disk_bytes, 2));
		}
		ASSERT_NO_FATAL_FAILURE(check_holders());
		ASSERT_OK(save_and_leave(runner, saved));
	}

	ASSERT_OK(load_stock());
	{
		ASSERT_OK_AND_ASSIGN(Process runner, start_runner());
		ASSERT_OK(targetctl_restore(saved));
		{
			ASSERT_OK_AND_ASSIGN(BlockFile disk, open_disk());
			ASSERT_OK(disk.verify_pattern(0, disk_bytes, 2));
		}
		ASSERT_OK(save_and_leave(runner, saved));
	}
	ASSERT_OK_AND_ASSIGN(Exit idle, run({"/opt/packaging/packaging/dkms", "holders"}));
	EXPECT_EQ(idle.status, 0) << idle.output;
}

} // namespace
} // namespace lio::test
