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

SymbolTable SymbolTable::parse(const std::string &kallsyms)
{
	SymbolTable table;
	std::istringstream in(kallsyms);
	for (std::string line; std::getline(in, line);) {
		std::istringstream fields(line);
		uint64_t address;
		char type;
		std::string name, module;
		if (!(fields >> std::hex >> address >> type >> name) || !strchr("tTwW", type))
			continue;
		fields >> module;
		table.symbols_[address] = {name, module.empty() ? "[kernel]" : module};
	}
	return table;
}

SymbolTable::Found SymbolTable::find(uint64_t address) const
{
	if (address < first_kernel_address)
		return {"[user]", "[user]", false};
	auto it = symbols_.upper_bound(address);
	if (it == symbols_.begin())
		return {"[unknown]", "[kernel]", false};
	--it;
	const auto &[name, module] = it->second;
	return {module == "[kernel]" ? name : name + " " + module, module, it->first == address};
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
