// SPDX-License-Identifier: GPL-2.0
#include "leak_probe.hpp"

#include <filesystem>
#include <sstream>

#include <unistd.h>

#include "file.hpp"

namespace lio::test {

namespace {

Result<uint64_t> free_pages()
{
	LIO_TRY(std::string text, read_file("/proc/meminfo"));
	std::istringstream in(text);
	std::string key;
	uint64_t kb;
	std::string unit;
	while (in >> key >> kb) {
		std::getline(in, unit);
		if (key == "MemFree:")
			return kb / 4;
	}
	return Error{ENOENT, "/proc/meminfo", "MemFree in"};
}

Result<std::map<std::string, uint64_t>> slabs()
{
	LIO_TRY(std::string text, read_file("/proc/slabinfo"));
	std::map<std::string, uint64_t> result;
	std::istringstream in(text);
	std::string line;
	while (std::getline(in, line)) {
		std::istringstream fields(line);
		std::string name;
		uint64_t active;
		if (line[0] != '#' && fields >> name >> active)
			result[name] = active;
	}
	return result;
}

void add_tree(std::set<std::string> &names, const std::string &root, bool deep)
{
	std::error_code ec;
	namespace fs = std::filesystem;
	if (deep) {
		for (fs::recursive_directory_iterator it(root, ec), end; !ec && it != end; it.increment(ec))
			names.insert(it->path());
	} else {
		for (fs::directory_iterator it(root, ec), end; !ec && it != end; it.increment(ec))
			names.insert(it->path());
	}
}

} // namespace

Result<Snapshot> take_snapshot()
{
	Snapshot s;
	sync();
	// RCU callbacks and delayed frees of what has just been removed come first.
	usleep(300000);
	LIO_CHECK(write_value("/proc/sys/vm/drop_caches", "3"));
	usleep(200000);
	LIO_CHECK(write_value("/proc/sys/vm/drop_caches", "3"));
	LIO_TRY(s.free_pages, free_pages());
	LIO_TRY(s.slabs, slabs());
	add_tree(s.names, "/sys/kernel/config/target", true);
	add_tree(s.names, "/dev", true);
	for (const char *dir : {"/sys/class/uio", "/sys/class/scsi_host", "/sys/class/scsi_device", "/sys/module",
				"/sys/bus", "/sys/devices"})
		add_tree(s.names, dir, false);
	return s;
}

std::vector<std::string> find_leaks(const Snapshot &before, const Snapshot &after, const LeakLimits &limits)
{
	std::vector<std::string> leaks;
	for (const auto &n : after.names)
		if (!before.names.count(n))
			leaks.push_back("left behind: " + n);
	for (const auto &n : before.names)
		if (!after.names.count(n))
			leaks.push_back("gone: " + n);
	for (const auto &[cache, active] : after.slabs) {
		auto it = before.slabs.find(cache);
		uint64_t had = it == before.slabs.end() ? 0 : it->second;
		if (active > had + limits.slab_objects)
			leaks.push_back("slab " + cache + ": " + std::to_string(had) + " -> " + std::to_string(active));
	}
	if (after.free_pages + limits.pages < before.free_pages)
		leaks.push_back("free pages: " + std::to_string(before.free_pages) + " -> " +
				std::to_string(after.free_pages));
	return leaks;
}

} // namespace lio::test
