// SPDX-License-Identifier: GPL-2.0
#include "leak_probe.hpp"

#include <filesystem>
#include <sstream>

#include <unistd.h>

#include "file.hpp"

namespace lio::test {

namespace {

Result<std::map<std::string, uint64_t>> meminfo()
{
	LIO_TRY(std::string text, read_file("/proc/meminfo"));
	std::map<std::string, uint64_t> result;
	std::istringstream in(text);
	std::string line, name;
	uint64_t kb;
	while (std::getline(in, line)) {
		std::istringstream fields(line);
		if (fields >> name >> kb)
			result[name.substr(0, name.size() - 1)] = kb;
	}
	return result;
}

/// Free pages that every processor keeps for itself, kB. From 6.7 on these lists grow with the load, to tens of MB, and
/// MemFree does not have them.
Result<uint64_t> processors_free_kb()
{
	LIO_TRY(std::string text, read_file("/proc/zoneinfo"));
	std::istringstream in(text);
	std::string line, name;
	uint64_t value, pages = 0;
	while (std::getline(in, line)) {
		std::istringstream fields(line);
		if (fields >> name >> value && name == "count:")
			pages += value;
	}
	return pages * sysconf(_SC_PAGESIZE) / 1024;
}

/// What DEBUG_OBJECTS of the sanitizer kernel keeps about others' objects, which are counted themselves: a pool that
/// grows with what was alive at once.
constexpr char checkers_own[] = "debug_objects_cache";

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
		if (line[0] != '#' && fields >> name >> active && name != checkers_own)
			result[name] = active;
	}
	return result;
}

/// What is neither free nor a process's nor the page cache's.
uint64_t kernel_kb(const Snapshot &s)
{
	uint64_t kb = s.meminfo.at("MemTotal") - s.processors_free_kb;
	for (const char *other : {"MemFree", "AnonPages", "Cached", "Buffers"})
		kb -= s.meminfo.at(other);
	return kb;
}

/// Without this a slab counts as used what every processor keeps for itself.
void shrink_slabs()
{
	const std::string root = "/sys/kernel/slab/";
	for (const auto &cache : list_dir(root).value_or({}))
		if (!read_link(root + cache)) // aliases of merged caches
			(void)write_value(root + cache + "/shrink", "1");
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
	shrink_slabs();
	LIO_TRY(s.meminfo, meminfo());
	LIO_TRY(s.processors_free_kb, processors_free_kb());
	LIO_TRY(s.slabs, slabs());
	s.names = take_names();
	return s;
}

std::set<std::string> take_names()
{
	std::set<std::string> names;
	add_tree(names, "/sys/kernel/config/target", true);
	add_tree(names, "/dev", true);
	for (const char *dir : {"/sys/class/uio", "/sys/class/scsi_host", "/sys/class/scsi_device", "/sys/module",
				"/sys/bus", "/sys/devices"})
		add_tree(names, dir, false);
	return names;
}

std::vector<std::string> changed_names(const Snapshot &before, const Snapshot &after)
{
	std::vector<std::string> changes;
	for (const auto &n : after.names)
		if (!before.names.count(n))
			changes.push_back("left behind: " + n);
	for (const auto &n : before.names)
		if (!after.names.count(n))
			changes.push_back("gone: " + n);
	return changes;
}

std::vector<std::string> find_growth(const Snapshot &first, const Snapshot &second, const Snapshot &third,
				     const LeakLimits &limits)
{
	std::vector<std::string> growth;
	auto judge = [&](const std::string &what, uint64_t a, uint64_t b, uint64_t c, uint64_t limit) {
		if (b > a + limit && c > b + limit)
			growth.push_back(what + ": " + std::to_string(a) + " -> " + std::to_string(b) + " -> " +
					 std::to_string(c));
	};
	auto objects = [](const Snapshot &s, const std::string &cache) {
		auto it = s.slabs.find(cache);
		return it == s.slabs.end() ? 0 : it->second;
	};
	for (const auto &[cache, active] : third.slabs)
		judge("slab " + cache, objects(first, cache), objects(second, cache), active, limits.slab_objects);
	judge("kernel memory, kB", kernel_kb(first), kernel_kb(second), kernel_kb(third), limits.kernel_kb);
	return growth;
}

} // namespace lio::test
