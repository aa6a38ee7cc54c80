// SPDX-License-Identifier: GPL-2.0
// The guest's side of `make demo`: two userspace LUNs, end to end.
#include <cstdio>
#include <optional>

#include "backstore.hpp"
#include "clients.hpp"
#include "exercise.hpp"
#include "loopback.hpp"
#include "module.hpp"

namespace {

using namespace lio::demo;
using namespace lio::test;

const std::string source_tree = "/usr/lib/python3";
const std::string image = "/var/tmp/demo.qcow2";
const std::string raw_file = "/var/tmp/demo.img";
const std::string wwn = "naa.5001405d3e00000a";
constexpr uint64_t disk_bytes = 512 << 20;

struct Demo {
	Progress progress;
	Summary summary;
	FileTree files;
};

/// One targetcli session, shown as it is typed.
Status run_targetcli(const Demo &demo, const std::vector<std::string> &commands)
{
	for (const auto &c : commands)
		demo.progress.say("targetcli> " + c);
	LIO_TRY(std::string output, targetcli(commands));
	output.erase(0, output.find("/> ")); // the greeting tells that there are no preferences
	for (const char *bad : {"rror", "annot", "ould not", "o such path"})
		if (output.find(bad) != std::string::npos)
			return Error{EINVAL, "targetcli", "complaint '" + output + "' of"};
	return {};
}

/// The disk of LUN 0 of a loopback target.
Result<std::string> disk_of(const std::string &target)
{
	std::string tpg = target_root + "/loopback/" + target + "/tpgt_1";
	LIO_TRY(std::string address, read_value(tpg + "/address"));
	std::string dir = "/sys/bus/scsi/devices/" + address + ":0/block", node;
	LIO_CHECK(wait_until(Deadline(seconds(30)), dir, [&] {
		auto names = list_dir(dir).value_or({});
		node = names.empty() ? "" : "/dev/" + names.front();
		return !node.empty() && open_fd(node, 0).ok();
	}));
	return node;
}

void report(Demo &demo, const std::string &what, const Figures &f)
{
	demo.summary.add(what, "");
	demo.summary.add("  copied in", rate(demo.files.bytes, f.copy_seconds));
	char text[100];
	snprintf(text, sizeof(text), "killed under load, serving again after %.1f s", f.recovery_seconds);
	demo.summary.add("  handler", text);
	demo.summary.add("  read back", rate(f.bytes_checked, f.read_seconds));
	demo.summary.add("  checksums", std::to_string(f.files_checked) + " files compared, all equal");
}

Status load_modules(Demo &demo)
{
	LIO_CHECK(ensure_loopback());
	LIO_CHECK(load_module("target_core_user"));
	demo.summary.add("kernel", kernel_release());
	for (const char *module : {"tcm_loop", "target_core_user", "target_core_mod"}) {
		LIO_CHECK(verify_module(module));
		demo.summary.add(module, module_origin(module));
	}
	return {};
}

/// A qcow2 image served by the distribution's tcmu-runner, configured with its targetcli.
Status qcow_lun(Demo &demo)
{
	TcmuRunnerHandler runner(image);
	demo.progress.say("starting tcmu-runner");
	LIO_CHECK(runner.start());
	std::string size = std::to_string(disk_bytes);
	demo.progress.say("qemu-img create -f qcow2 " + image + " " + size);
	LIO_CHECK(run_ok({"qemu-img", "create", "-q", "-f", "qcow2", image, size}));
	LIO_CHECK(run_targetcli(demo, {"/backstores/user:qcow create name=demo size=" + size + " cfgstring=" + image,
				       "/loopback create " + wwn,
				       "/loopback/" + wwn + "/luns create /backstores/user:qcow/demo"}));
	LIO_TRY(std::string node, disk_of(wwn));
	auto exercise = run_exercise({"demo", node, source_tree, demo.files}, runner, demo.progress);
	if (!exercise) {
		// Whose fault? An image that is broken in itself is tcmu-runner's.
		auto check = run({"qemu-img", "check", "-U", image}, seconds(300));
		demo.summary.add("image", check ? check->output : check.error().str());
		return exercise.error();
	}
	const Figures &figures = *exercise;
	LIO_TRY(std::string after, disk_of(wwn));
	if (after != node)
		return Error{ENODEV, node, "the disk did not stay " + after + ", it was"};
	LIO_CHECK(run_targetcli(demo, {"/loopback delete " + wwn, "/backstores/user:qcow delete demo"}));
	LIO_CHECK(runner.stop());
	LIO_CHECK(run_ok({"qemu-img", "check", "-q", image}, seconds(300)));
	report(demo, "qcow2 by tcmu-runner", figures);
	demo.summary.add("  image", "qemu-img check: no errors");
	return {};
}

/// A raw file served by our own handler, configured through configfs.
Status file_lun(Demo &demo)
{
	TcmuFileHandler handler;
	demo.progress.say("starting tcmu-file");
	LIO_CHECK(handler.start());
	demo.progress.say("configfs: user backstore with dev_config=file/" + raw_file + ", loopback target and LUN");
	LIO_TRY(LoopDisk disk, LoopDisk::create(user_spec("demo-file", "file/" + raw_file, disk_bytes)));
	LIO_TRY(std::string node, disk.lun.block_node());
	LIO_TRY(Figures figures, run_exercise({"demo-file", node, source_tree, demo.files}, handler, demo.progress));
	LIO_CHECK(disk.lun.destroy());
	LIO_CHECK(disk.target.destroy());
	LIO_CHECK(disk.backstore.destroy());
	LIO_CHECK(handler.stop());
	report(demo, "raw file by tcmu-file", figures);
	return {};
}

/// Nothing may be left: the modules go as they came.
Status unload_modules(Demo &demo)
{
	demo.progress.say("removing everything, unloading the modules");
	LIO_CHECK(targetctl_clear());
	for (const char *module : {"tcm_loop", "target_core_user"})
		LIO_CHECK(unload_module(module));
	return {};
}

Status run_demo(Demo &demo)
{
	LIO_CHECK(load_modules(demo));
	demo.progress.say("reading " + source_tree);
	LIO_TRY(demo.files, read_tree(source_tree));
	LIO_CHECK(qcow_lun(demo));
	LIO_CHECK(file_lun(demo));
	return unload_modules(demo);
}

/// 0 when everything went well and the kernel had nothing to say about it.
int conclude(Demo &demo, const Status &status, LogVerdict &log)
{
	auto complaints = log.complaints();
	bool clean = complaints && complaints->empty();
	printf("\n");
	demo.summary.print();
	printf("  %-18s %s\n", "kernel log", clean ? "clean" : "has complaints:");
	if (complaints)
		for (const auto &line : *complaints)
			printf("    %s\n", line.c_str());
	else
		printf("    %s\n", complaints.error().str().c_str());
	if (!status)
		printf("  failed:            %s\n", status.error().str().c_str());
	return status && clean ? 0 : 1;
}

} // namespace

int main()
{
	setvbuf(stdout, nullptr, _IOLBF, 0);
	auto log = LogVerdict::begin();
	if (!log) {
		fprintf(stderr, "lio-demo-guest: %s\n", log.error().str().c_str());
		return 2;
	}
	Demo demo;
	Status status = run_demo(demo);
	return conclude(demo, status, *log);
}
