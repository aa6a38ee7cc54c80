// SPDX-License-Identifier: GPL-2.0
#include "profile.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <sstream>

#include <fmt/format.h>

namespace lio::bench {

using lio::test::Error;
using lio::test::Result;

namespace {

constexpr uint64_t first_kernel_address = 1ull << 63;
constexpr size_t table_rows = 80;
/// Differences below this many instructions per I/O are not worth a line.
constexpr double least_difference = 10;

std::string module_table(const std::vector<SymbolCost> &costs, double total, double ios)
{
	std::map<std::string, double> modules;
	for (const auto &c : costs)
		modules[c.module] += c.instructions;
	std::string out;
	for (const auto &[name, sum] : modules)
		out += fmt::format("# {:>10.0f} {:>6.2f}%  {}\n", sum / ios, 100 * sum / total, name);
	return out;
}

std::map<std::string, SymbolCost> by_name(const std::vector<SymbolCost> &costs)
{
	std::map<std::string, SymbolCost> map;
	for (const auto &c : costs)
		map[c.name] = c;
	return map;
}

} // namespace

void SymbolTable::add_kallsyms(const std::string &text)
{
	std::istringstream in(text);
	for (std::string line; std::getline(in, line);) {
		std::istringstream fields(line);
		uint64_t address;
		char type;
		std::string name, module;
		if (!(fields >> std::hex >> address >> type >> name) || !strchr("tTwW", type))
			continue;
		fields >> module;
		kernel_[address] = {name, module.empty() ? "[kernel]" : module};
	}
}

void SymbolTable::add_maps(const std::string &text)
{
	std::istringstream in(text);
	for (std::string line; std::getline(in, line);) {
		std::istringstream fields(line);
		uint64_t start, end, offset;
		char dash;
		std::string flags, device, inode, path;
		if (fields >> std::hex >> start >> dash >> end >> flags >> offset >> device >> inode >> path &&
		    flags.find('x') != std::string::npos)
			maps_[start] = {end, offset, path.substr(path.rfind('/') + 1)};
	}
}

void SymbolTable::add_program(const std::string &file, const std::string &nm)
{
	std::istringstream in(nm);
	for (std::string line; std::getline(in, line);) {
		std::istringstream fields(line);
		uint64_t address;
		char type;
		std::string name;
		// C++ names have blanks in them.
		if (fields >> std::hex >> address >> type && strchr("tTwW", type) && std::getline(fields >> std::ws, name))
			files_[file][address] = {name, file};
	}
}

SymbolTable::Found SymbolTable::find(uint64_t address) const
{
	if (address < first_kernel_address)
		return find_user(address);
	auto it = kernel_.upper_bound(address);
	if (it == kernel_.begin())
		return {"[unknown]", "[kernel]", false};
	--it;
	const auto &[name, module] = it->second;
	return {module == "[kernel]" ? name : name + " " + module, module, it->first == address};
}

SymbolTable::Found SymbolTable::find_user(uint64_t address) const
{
	auto map = maps_.upper_bound(address);
	if (map == maps_.begin() || (--map)->second.end <= address)
		return {"[user]", "[user]", false};
	const Mapping &mapping = map->second;
	auto symbols = files_.find(mapping.file);
	if (symbols == files_.end())
		return {mapping.file, mapping.file, false};
	uint64_t at = address - map->first + mapping.offset;
	auto it = symbols->second.upper_bound(at);
	if (it == symbols->second.begin())
		return {mapping.file, mapping.file, false};
	--it;
	return {it->second.name + " [" + mapping.file + "]", mapping.file, it->first == at};
}

Result<std::vector<SymbolCost>> sum_profile(const std::string &counts, const SymbolTable &symbols)
{
	std::map<std::string, SymbolCost> sums;
	std::istringstream in(counts);
	for (std::string line; std::getline(in, line);) {
		std::istringstream fields(line);
		uint64_t address, instructions, count;
		if (!(fields >> std::hex >> address >> std::dec >> instructions >> count))
			return Error{EINVAL, "profile", "not a line of counts: " + line};
		auto found = symbols.find(address);
		SymbolCost &cost = sums[found.name];
		cost.name = found.name;
		cost.module = found.module;
		cost.instructions += static_cast<double>(instructions * count);
		if (found.start)
			cost.calls += static_cast<double>(count);
	}
	std::vector<SymbolCost> costs;
	for (auto &[name, cost] : sums)
		costs.push_back(std::move(cost));
	std::sort(costs.begin(), costs.end(),
		  [](const auto &a, const auto &b) { return a.instructions > b.instructions; });
	return costs;
}

std::string profile_table(const std::string &title, const std::vector<SymbolCost> &costs, double ios)
{
	double total = 0;
	for (const auto &c : costs)
		total += c.instructions;
	std::string out = fmt::format("# {}: {:.0f} instructions per I/O\n", title, total / ios);
	out += module_table(costs, total, ios);
	out += "#  per I/O   share  calls per I/O  symbol (itself, not what it calls)\n";
	for (size_t n = 0; n < costs.size() && n < table_rows; n++)
		out += fmt::format("{:>10.0f} {:>6.2f}% {:>9.2f}  {}\n", costs[n].instructions / ios,
				   100 * costs[n].instructions / total, costs[n].calls / ios, costs[n].name);
	return out;
}

std::string profile_difference(const std::vector<SymbolCost> &stock, const std::vector<SymbolCost> &ours, double ios)
{
	auto theirs = by_name(stock), mine = by_name(ours);
	for (const auto &[name, cost] : theirs)
		mine.try_emplace(name, SymbolCost{name, cost.module});
	std::vector<std::pair<double, std::string>> rows;
	for (const auto &[name, cost] : mine) {
		double before = theirs[name].instructions, diff = (cost.instructions - before) / ios;
		if (std::abs(diff) >= least_difference)
			rows.emplace_back(diff, fmt::format("{:>10.0f} {:>10.0f} {:>10.0f} {:>8.2f} {:>8.2f}  {}\n", diff,
							    before / ios, cost.instructions / ios,
							    theirs[name].calls / ios, cost.calls / ios, name));
	}
	std::sort(rows.begin(), rows.end());
	std::string out = "# instructions per I/O: difference, stock, ours; calls per I/O: stock, ours; symbol\n";
	for (const auto &[diff, line] : rows)
		out += line;
	return out;
}

} // namespace lio::bench
