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
	std::string module; ///< "[target_core_user]", "[kernel]" or a program's file
	double instructions = 0;
	double calls = 0; ///< times that its first block ran
};

/// Names of addresses: the kernel's, and those of programs as far as their files have symbols.
class SymbolTable {
	struct Symbol {
		std::string name, module;
	};
	struct Mapping {
		uint64_t end, offset; ///< offset of the start in the file
		std::string file; ///< without its directory
	};
	using Symbols = std::map<uint64_t, Symbol>;
	Symbols kernel_;
	std::map<std::string, Symbols> files_;
	std::map<uint64_t, Mapping> maps_;

public:
	struct Found {
		std::string name, module;
		bool start; ///< the address is where it starts
	};
	void add_kallsyms(const std::string &text);
	/// Of one or more processes' /proc/PID/maps.
	void add_maps(const std::string &text);
	/// Output of nm for a program whose addresses in memory and in the file are alike.
	void add_program(const std::string &file, const std::string &nm);
	Found find(uint64_t address) const;

private:
	Found find_user(uint64_t address) const;
};

/// Sum up the lines of profile_plugin.cpp, the most expensive symbol first.
lio::test::Result<std::vector<SymbolCost>> sum_profile(const std::string &counts, const SymbolTable &symbols);

/// A readable table, per I/O.
std::string profile_table(const std::string &title, const std::vector<SymbolCost> &costs, double ios);
/// What differs between two profiles, the largest saving first.
std::string profile_difference(const std::vector<SymbolCost> &stock, const std::vector<SymbolCost> &ours, double ios);

} // namespace lio::bench
