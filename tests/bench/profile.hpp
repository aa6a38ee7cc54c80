// SPDX-License-Identifier: GPL-2.0
// Where the instructions go: the plugin's counts, mapped to the kernel's symbols.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "result.hpp"

namespace lio::bench {

/// What one symbol cost between two marks.
struct SymbolCost {
	std::string name; ///< with its module, "tcmu_drain [target_core_user]"
	std::string module; ///< "[target_core_user]", "[kernel]" or "[user]"
	double instructions = 0;
	double calls = 0; ///< times that its first block ran
};

/// The guest's /proc/kallsyms.
class SymbolTable {
	std::map<uint64_t, std::pair<std::string, std::string>> symbols_; ///< address -> name, module

public:
	static SymbolTable parse(const std::string &kallsyms);
	/// Name, module and whether @address is where it starts.
	struct Found {
		std::string name, module;
		bool start;
	};
	Found find(uint64_t address) const;
};

/// Sum up the lines of profile_plugin.cpp, the most expensive symbol first.
lio::test::Result<std::vector<SymbolCost>> sum_profile(const std::string &counts, const SymbolTable &symbols);

/// A readable table, per I/O.
std::string profile_table(const std::string &title, const std::vector<SymbolCost> &costs, double ios);
/// What differs between two profiles, the largest saving first.
std::string profile_difference(const std::vector<SymbolCost> &stock, const std::vector<SymbolCost> &ours, double ios);

} // namespace lio::bench
