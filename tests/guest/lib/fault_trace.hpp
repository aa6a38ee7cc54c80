// SPDX-License-Identifier: GPL-2.0
// What the kernel's trace says of forced failures. Pure logic: no kernel needed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc_sites.hpp"

namespace lio::test {

struct Frame {
	uint64_t address = 0;
	std::string symbol; ///< without offset; empty if the kernel knew none (any more)
};

/// An event of the trace with the stack that was recorded with it, innermost frame first.
struct TraceEvent {
	std::string name;
	std::map<std::string, std::string> fields; ///< "name=value" words behind the name
	std::vector<Frame> stack;
};

/// The text of tracefs's `trace` with options sym-addr and stacktrace.
std::vector<TraceEvent> parse_trace(std::string_view text);

/// Where a module's code sections are in memory.
class ModuleLayout {
	struct Range {
		uint64_t start, end;
		std::string section;
	};
	std::vector<Range> ranges_;

public:
	void add(const std::string &section, uint64_t start, uint64_t size)
	{
		ranges_.push_back({start, start + size, section});
	}
	std::optional<CodePlace> place_of(uint64_t address) const;
	/// From the lowest to the highest address, of sections but @without.
	std::pair<uint64_t, uint64_t> span(const std::string &without = {}) const;
	bool empty() const { return ranges_.empty(); }
};

/// Where in a module a fault hit: the innermost call out of it.
struct Hit {
	CodePlace place;
	std::string function; ///< of the module
	std::string callee; ///< what it had called
	std::optional<size_t> site; ///< in the list of allocation sites, if it is one of them

	std::string str() const { return function + " -> " + callee; }
};

/// Nothing if no frame is the module's.
std::optional<Hit> find_hit(const std::vector<Frame> &stack, const ModuleLayout &layout, const ModuleImage &image,
			    const std::vector<CallSite> &sites);

} // namespace lio::test
