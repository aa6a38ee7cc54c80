// SPDX-License-Identifier: GPL-2.0
#include "module.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

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

/// The file modprobe would load.
Result<std::string> module_file(const std::string &name)
{
	LIO_TRY(std::string file, run_ok({"modinfo", "-F", "filename", name}));
	while (!file.empty() && file.back() == '\n')
		file.pop_back();
	return file;
}

/// Build ids of modules that were found to be the right ones: looking for their files takes long.
std::map<std::string, std::string> &verified_notes()
{
	static std::map<std::string, std::string> notes;
	return notes;
}

std::string note_path(const std::string &name)
{
	return sys_module(name) + "/notes/.note.gnu.build-id";
}

/// Is it still the one that was verified?
bool runs_verified(const std::string &name)
{
	auto known = verified_notes().find(name);
	return known != verified_notes().end() && read_file(note_path(name)).value_or("") == known->second;
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
	if (!exists(note_path(name))) // built into the kernel
		return {};
	LIO_TRY(std::string note, read_file(note_path(name)));
	LIO_TRY(std::string file, module_file(name));
	LIO_TRY(std::string image, read_file(file));
	if (image.find(note) == std::string::npos)
		return Error{EINVAL, file, "the running module's build id is not that of"};
	bool updates = file.find("/updates/") != std::string::npos;
	if (updates != module_is_ours(name))
		return Error{EINVAL, file, updates ? "asked for stock, got" : "asked for ours, got"};
	verified_notes()[name] = note;
	return {};
}

Status load_module(const std::string &name, const std::vector<std::string> &params)
{
	if (params.empty() && runs_verified(name))
		return {};
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
