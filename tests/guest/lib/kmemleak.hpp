// SPDX-License-Identifier: GPL-2.0
// What kmemleak finds when the tests are over and our modules gone, and which test it belongs to.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "result.hpp"

namespace lio::test {

/// One "unreferenced object" of /sys/kernel/debug/kmemleak.
struct Leak {
	uint64_t jiffies = 0; ///< when it was allocated
	size_t size = 0;
	std::string text; ///< the whole report
};

/// Pure logic. Lines that belong to no object are ignored.
std::vector<Leak> parse_kmemleak(std::string_view report);

/// Function names by address, kept from before a module went: kmemleak prints bare addresses afterwards.
class SymbolTable {
	std::map<uint64_t, std::string> symbols_; ///< of modules, by address

public:
	/// /proc/kallsyms, of which only functions in modules are kept.
	static SymbolTable parse(std::string_view kallsyms);
	/// @text with each line that is a bare address turned into "function+0x12 [module]".
	std::string resolve(std::string_view text) const;
};

/// What ran at a time.
class TestTimes {
	std::map<uint64_t, std::string> starts_;

public:
	void begin(uint64_t jiffies, std::string name) { starts_[jiffies] = std::move(name); }
	/// The test during which something was allocated; empty: before all tests.
	std::string at(uint64_t jiffies) const;
};

/// Does this kernel look for leaks?
bool have_kmemleak();
/// The kernel's jiffies now.
Result<uint64_t> jiffies_now();

/// Unloads our modules, scans, and returns a complaint for every object that was allocated since the first
/// test began and is no longer referenced, and for every module of ours that a test left in use.
std::vector<std::string> find_leaks(const TestTimes &times);

} // namespace lio::test
