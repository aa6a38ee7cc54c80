// SPDX-License-Identifier: GPL-2.0
#include "kmemleak.hpp"

#include <cstdlib>
#include <sstream>
#include <thread>

#include "backstore.hpp"
#include "clock.hpp"
#include "file.hpp"
#include "module.hpp"

namespace lio::test {

namespace {

const std::string kmemleak = "/sys/kernel/debug/kmemleak";

/// Users before what they use.
const std::vector<std::string> our_modules = {"tcm_loop", "target_core_user"};

/// mm/kmemleak.c (MSECS_MIN_AGE) does not report what is younger.
constexpr auto youth = seconds(6);

/// An address further behind a symbol is not of its function: code of a module's init is freed and has no symbol.
constexpr uint64_t longest_function = 0x4000;

/// An object is reported by the second scan that finds it unreferenced and unchanged.
constexpr int scans = 2;

void unload_ours(std::vector<std::string> &complaints)
{
	// A fabric's directory holds its module.
	if (const std::string fabric = target_root + "/loopback"; exists(fabric))
		if (Status s = remove_dir_within(fabric, removal_limit); !s)
			complaints.push_back("kmemleak: a test left something in a fabric: " + s.error().str());
	for (const auto &name : our_modules) {
		if (!module_loaded(name))
			continue;
		if (Status s = unload_module(name); !s)
			complaints.push_back("kmemleak: a test left a module in use: " + s.error().str());
	}
}

Result<std::string> scan()
{
	std::this_thread::sleep_for(youth);
	for (int i = 0; i < scans; i++)
		LIO_CHECK(write_value(kmemleak, "scan"));
	return read_file(kmemleak);
}

} // namespace

std::vector<Leak> parse_kmemleak(std::string_view report)
{
	std::vector<Leak> leaks;
	std::istringstream in{std::string(report)};
	for (std::string line; std::getline(in, line);) {
		if (line.starts_with("unreferenced object")) {
			Leak leak;
			if (size_t at = line.find("(size "); at != std::string::npos)
				leak.size = strtoull(line.c_str() + at + 6, nullptr, 10);
			leaks.push_back(std::move(leak));
		}
		if (leaks.empty())
			continue;
		if (size_t at = line.find(", jiffies "); at != std::string::npos)
			leaks.back().jiffies = strtoull(line.c_str() + at + 10, nullptr, 10);
		leaks.back().text += line + "\n";
	}
	return leaks;
}

SymbolTable SymbolTable::parse(std::string_view kallsyms)
{
	SymbolTable table;
	std::istringstream in{std::string(kallsyms)};
	for (std::string line; std::getline(in, line);) {
		std::istringstream words(line);
		std::string address, type, name, module;
		if (words >> address >> type >> name >> module && (type == "t" || type == "T"))
			table.symbols_[strtoull(address.c_str(), nullptr, 16)] = name + " " + module;
	}
	return table;
}

std::string SymbolTable::resolve(std::string_view text) const
{
	std::ostringstream out;
	std::istringstream in{std::string(text)};
	for (std::string line; std::getline(in, line);) {
		size_t at = line.find_first_not_of(' ');
		char *end = nullptr;
		uint64_t address = at != std::string::npos && line.compare(at, 2, "0x") == 0
					   ? strtoull(line.c_str() + at, &end, 16) : 0;
		auto it = symbols_.upper_bound(address);
		if (it != symbols_.begin())
			--it;
		if (end && !*end && it != symbols_.end() && address - it->first < longest_function) {
			size_t space = it->second.find(' ');
			out << std::string(at, ' ') << it->second.substr(0, space) << "+0x" << std::hex
			    << address - it->first << std::dec << it->second.substr(space) << "\n";
		} else {
			out << line << "\n";
		}
	}
	return out.str();
}

std::string TestTimes::at(uint64_t jiffies) const
{
	auto it = starts_.upper_bound(jiffies);
	return it == starts_.begin() ? std::string() : std::prev(it)->second;
}

bool have_kmemleak()
{
	return exists(kmemleak);
}

Result<uint64_t> jiffies_now()
{
	const std::string file = "/proc/timer_list";
	LIO_TRY(std::string text, read_file(file));
	size_t at = text.find("jiffies: ");
	if (at == std::string::npos)
		return Error{ENODATA, file, "no jiffies in"};
	return strtoull(text.c_str() + at + 9, nullptr, 10);
}

std::vector<std::string> find_leaks(const TestTimes &times)
{
	std::vector<std::string> complaints;
	auto kallsyms = read_file("/proc/kallsyms");
	SymbolTable symbols = SymbolTable::parse(kallsyms ? *kallsyms : std::string());
	unload_ours(complaints);
	auto report = scan();
	if (!report)
		return {report.error().str()};
	for (const Leak &leak : parse_kmemleak(*report))
		if (std::string test = times.at(leak.jiffies); !test.empty())
			complaints.push_back("kmemleak: memory of " + std::to_string(leak.size) + " bytes leaked during " +
					     test + "\n" + symbols.resolve(leak.text));
	return complaints;
}

} // namespace lio::test
