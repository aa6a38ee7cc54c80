// SPDX-License-Identifier: GPL-2.0
#include "clients.hpp"

#include <csignal>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>

#include "backstore.hpp"
#include "file.hpp"
#include "module.hpp"
#include "test_env.hpp"

namespace lio::test {

namespace {

bool dbus_answers()
{
	Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	sockaddr_un sa = {};
	sa.sun_family = AF_UNIX;
	strcpy(sa.sun_path, "/run/dbus/system_bus_socket");
	return connect(fd.get(), reinterpret_cast<sockaddr *>(&sa), sizeof(sa)) == 0;
}

/// tcmu-runner blocks netlink while it adopts the devices there are, and takes its name on the
/// bus when that is done.
bool runner_is_ready()
{
	auto unblocked = [] {
		return read_value(module_param_path("target_core_user", "block_netlink")).value_or("") == "unblocked";
	};
	// Before anything that costs a process: on a slow kernel those keep the runner from becoming ready.
	if (!unblocked())
		return false;
	auto reply = run({"dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus",
			  "/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner",
			  "string:org.kernel.TCMUService1"});
	return reply && reply->output.find("boolean true") != std::string::npos && unblocked();
}

} // namespace

Status ensure_dbus()
{
	if (dbus_answers())
		return {};
	LIO_CHECK(make_dirs("/run/dbus"));
	(void)::remove("/run/dbus/pid"); // of an instance that is dead: nobody answers
	LIO_CHECK(run_ok({"dbus-daemon", "--system", "--fork"}));
	return wait_until(Deadline(seconds(20)), "the system bus", dbus_answers);
}

Result<std::string> targetcli(const std::vector<std::string> &commands, milliseconds limit)
{
	LIO_CHECK(ensure_dbus());
	SpawnOptions opts;
	for (const auto &c : commands)
		opts.input += c + "\n";
	opts.input += "exit\n";
	return run_ok({"targetcli"}, limit, opts);
}

static Status targetctl(std::vector<std::string> args)
{
	args.insert(args.begin(), "targetctl");
	LIO_CHECK(ensure_dbus());
	LIO_TRY(std::string out, run_ok(std::move(args), seconds(1800))); // of hundreds of LUNs, too
	// It reports what it could not restore in words, with status 0.
	if (out.find("rror") != std::string::npos || out.find("ailed") != std::string::npos ||
	    out.find("ould not") != std::string::npos)
		return Error{EIO, "targetctl", "complaint '" + out + "' of"};
	return {};
}

Status targetctl_save(const std::string &json_file)
{
	return targetctl({"save", json_file});
}

Status targetctl_restore(const std::string &json_file)
{
	return targetctl({"restore", json_file});
}

Status targetctl_clear()
{
	LIO_CHECK(targetctl({"clear"}));
	LIO_TRY(auto names, list_dir(target_root));
	for (const auto &name : names)
		if (name != "core" && name != "version" && name != "dbroot")
			if (Status s = remove_dir_within(target_root + "/" + name, removal_limit);
			    !s && s.code() != ENOTDIR)
				return s;
	return {};
}

bool process_has_open(pid_t pid, const std::string &node)
{
	std::string dir = "/proc/" + std::to_string(pid) + "/fd";
	for (const auto &fd : list_dir(dir).value_or({}))
		if (read_link(dir + "/" + fd).value_or({}) == node)
			return true;
	return false;
}

Result<TcmuRunner> TcmuRunner::start()
{
	LIO_CHECK(ensure_dbus());
	// The distribution's module forgets a device before the handler has answered its removal.
	if (!module_is_ours("target_core_user"))
		expect_dmesg("^tcmu nl cmd 2/0 completion could not find device", Need::optional);
	LIO_CHECK(ensure_target_core());
	LIO_CHECK(load_module("target_core_user"));
	LIO_TRY(Process p, Process::spawn({"tcmu-runner"}));
	TcmuRunner runner(std::move(p));
	LIO_CHECK(wait_until(Deadline(seconds(90)), "tcmu-runner to be ready",
			     [&] { return runner_is_ready() || !runner.process_.running(); }, milliseconds(250)));
	if (!runner.process_.running())
		return Error{ECHILD, "tcmu-runner", "it ended (" + runner.process_.output() + "):"};
	return runner;
}

Status TcmuRunner::wait_owns(const std::string &backstore_name, milliseconds limit)
{
	Deadline deadline(limit);
	LIO_TRY(std::string node, uio_node(backstore_name, limit));
	Status s = wait_until(deadline, "tcmu-runner to open " + node,
			      [&] { return process_has_open(process_.pid(), node) || !process_.running(); });
	if (!process_.running())
		return Error{ECHILD, "tcmu-runner", "it ended (" + process_.output() + "):"};
	return s;
}

Status TcmuRunner::kill9()
{
	LIO_CHECK(process_.kill(SIGKILL));
	LIO_CHECK(process_.wait(seconds(30)));
	return {};
}

// tcmu-runner 1.5.4 writes a new cluster's L2 entry before its refcount. A kill in between leaves a
// cluster in use that counts as free, and the next handler gives it out again: seen with its handler
// alone, without a kernel target, and at queue depth 1 on the stock modules.
Status repair_qcow(const std::string &image)
{
	LIO_CHECK(run_ok({"qemu-img", "check", "-q", "-r", "all", image}, seconds(60)));
	return {};
}

} // namespace lio::test
