// SPDX-License-Identifier: GPL-2.0
#include "module.hpp"

#include <algorithm>
#include <cstdlib>

#include <sys/utsname.h>

#include "file.hpp"
#include "process.hpp"

namespace lio::test {

namespace {

std::string sys_module(std::string name)
{
	std::replace(name.begin(), name.end(), '-', '_');
	return "/sys/module/" + name;
}

/// srcversion of the file modprobe would load, and whether that file lies in updates/.
struct OnDisk {
	std::string file, srcversion;
	bool updates() const { return file.find("/updates/") != std::string::npos; }
};

Result<OnDisk> on_disk(const std::string &name)
{
	OnDisk d;
	LIO_TRY(d.file, run_ok({"modinfo", "-F", "filename", name}));
	LIO_TRY(d.srcversion, run_ok({"modinfo", "-F", "srcversion", name}));
	for (std::string *s : {&d.file, &d.srcversion})
		while (!s->empty() && s->back() == '\n')
			s->pop_back();
	return d;
}

} // namespace

std::string kernel_release()
{
	struct utsname u;
	return uname(&u) ? std::string() : u.release;
}

bool module_loaded(const std::string &name)
{
	return exists(sys_module(name) + "/initstate");
}

bool module_is_ours(const std::string &name)
{
	const char *env = getenv("LAB_OURS");
	std::string list = env ? "," + std::string(env) + "," : std::string();
	return list == ",all," ? exists("/lib/modules/" + kernel_release() + "/updates/" + name + ".ko")
			       : list.find("," + name + ",") != std::string::npos;
}

Status verify_module(const std::string &name)
{
	std::string path = sys_module(name) + "/srcversion";
	if (!exists(path)) // built in, or a kernel without srcversions
		return {};
	LIO_TRY(std::string running, read_value(path));
	LIO_TRY(OnDisk disk, on_disk(name));
	if (running != disk.srcversion)
		return Error{EINVAL, disk.file, "running srcversion " + running + " is not that of"};
	if (disk.updates() != module_is_ours(name))
		return Error{EINVAL, disk.file,
			     std::string(module_is_ours(name) ? "asked for ours, got " : "asked for stock, got ")};
	return {};
}

Status load_module(const std::string &name, const std::vector<std::string> &params)
{
	std::vector<std::string> argv = {"modprobe", name};
	argv.insert(argv.end(), params.begin(), params.end());
	LIO_CHECK(run_ok(std::move(argv)));
	return verify_module(name);
}

Status unload_module(const std::string &name, milliseconds limit)
{
	if (!module_loaded(name))
		return Error{ENOENT, name, "unload"};
	LIO_CHECK(run_ok({"rmmod", name}, limit));
	return {};
}

Result<std::string> module_refcount(const std::string &name)
{
	return read_value(sys_module(name) + "/refcnt");
}

std::string module_param_path(const std::string &module, const std::string &param)
{
	return sys_module(module) + "/parameters/" + param;
}

} // namespace lio::test
