// SPDX-License-Identifier: GPL-2.0
#include "exercise.hpp"

#include <cstdio>

#include "process.hpp"
#include "system.hpp"

namespace lio::demo {

using namespace test;

namespace {

const std::string mount_point = "/mnt/demo";
const std::string copies[] = {mount_point + "/before", mount_point + "/during"};

Status copy_tree(const std::string &from, const std::string &to)
{
	LIO_CHECK(run_ok({"cp", "-a", from, to}, seconds(600)));
	LIO_CHECK(run_ok({"sync", "-f", to}, seconds(600)));
	return {};
}

/// A second copy, and the handler killed and started again while it is under way.
Status copy_through_restart(const Exercise &ex, Handler &handler, const Progress &progress, Figures &figures)
{
	LIO_TRY(Process copy, Process::spawn({"cp", "-a", ex.source, copies[1]}));
	std::this_thread::sleep_for(milliseconds(500));
	LIO_TRY(Process flush, Process::spawn({"sync", "-f", mount_point}));
	std::this_thread::sleep_for(milliseconds(200));
	bool busy = flush.running();
	Stopwatch watch;
	LIO_CHECK(handler.kill9());
	progress.say(std::string("kill -9 ") + handler.name() + (busy ? " with writes in flight" : "") +
		     "; starting it again");
	LIO_CHECK(handler.start());
	LIO_CHECK(handler.wait_owns(ex.backstore));
	figures.recovery_seconds = watch.seconds();
	for (Process *p : {&copy, &flush}) {
		LIO_TRY(int status, p->wait(seconds(600)));
		if (status)
			return Error{EIO, p->name(), "status " + std::to_string(status) + " (" + p->output() + ") of"};
	}
	return {};
}

/// The copies as the handler has them: nothing of them is in the page cache any more.
Status compare_copies(const Exercise &ex, Figures &figures)
{
	LIO_TRY(Mount mount, Mount::create(ex.node, mount_point, "ext4", "ro"));
	Stopwatch watch;
	for (const auto &dir : copies) {
		LIO_TRY(FileTree copy, read_tree(dir));
		auto wrong = differing_paths(ex.files, copy);
		for (const auto &w : wrong)
			printf("%s: %s\n", dir.c_str(), w.c_str());
		if (!wrong.empty())
			return Error{EILSEQ, dir, std::to_string(wrong.size()) + " wrong paths in"};
		figures.bytes_checked += copy.bytes;
		figures.files_checked += copy.files;
	}
	figures.read_seconds = watch.seconds();
	return mount.unmount();
}

} // namespace

Result<Figures> run_exercise(const Exercise &ex, Handler &handler, const Progress &progress)
{
	Figures figures;
	progress.say("mkfs.ext4 " + ex.node);
	LIO_CHECK(run_ok({"mkfs.ext4", "-q", ex.node}, seconds(300)));
	{
		LIO_TRY(Mount mount, Mount::create(ex.node, mount_point, "ext4"));
		progress.say("copying " + ex.source + " in (" + std::to_string(ex.files.files) + " files)");
		Stopwatch watch;
		LIO_CHECK(copy_tree(ex.source, copies[0]));
		figures.copy_seconds = watch.seconds();
		progress.say("copying it a second time, through a restart of the handler");
		LIO_CHECK(copy_through_restart(ex, handler, progress, figures));
		LIO_CHECK(mount.unmount(seconds(600)));
	}
	LIO_CHECK(write_value("/proc/sys/vm/drop_caches", "3"));
	progress.say("reading both copies back and comparing checksums");
	LIO_CHECK(compare_copies(ex, figures));
	progress.say("checking the file system");
	LIO_CHECK(run_ok({"e2fsck", "-fn", ex.node}, seconds(300)));
	return figures;
}

} // namespace lio::demo
