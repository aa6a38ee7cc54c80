// SPDX-License-Identifier: GPL-2.0
#include "fault_trace.hpp"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace lio::test {

namespace {

/// " => kmalloc_x+0x12/0x34 [module] <ffffffff81234567>"
std::optional<Frame> parse_frame(const std::string &line)
{
	size_t arrow = line.find("=> "), open = line.rfind('<');
	if (arrow == std::string::npos || open == std::string::npos || open < arrow)
		return {};
	Frame f;
	f.address = strtoull(line.c_str() + open + 1, nullptr, 16);
	std::string word = line.substr(arrow + 3, line.find_first_of(" <", arrow + 3) - arrow - 3);
	if (word.rfind("0x", 0) && !word.empty())
		f.symbol = source_name(word.substr(0, word.find('+')));
	return f;
}

/// "task-12 [000] ..... 1.234567: name: (…) field=value"
std::optional<TraceEvent> parse_event(const std::string &line)
{
	size_t stamp = line.find(": ");
	size_t colon = stamp == std::string::npos ? stamp : line.find(": ", stamp + 2);
	if (line.empty() || line[0] == '#' || colon == std::string::npos)
		return {};
	TraceEvent e;
	e.name = line.substr(stamp + 2, colon - stamp - 2);
	std::istringstream words(line.substr(colon + 2));
	for (std::string word; words >> word;)
		if (size_t eq = word.find('='); eq != std::string::npos && word[0] != '(')
			e.fields[word.substr(0, eq)] = word.substr(eq + 1);
	return e;
}

/// A function of ours ended in a jump to an allocating one, and is missing from the stack.
std::optional<size_t> find_tail_site(const std::string &function, const std::vector<Frame> &inner,
				     const std::vector<CallSite> &sites)
{
	for (size_t i = 0; i < sites.size(); i++) {
		if (!sites[i].tail || sites[i].function != function)
			continue;
		if (std::any_of(inner.begin(), inner.end(), [&](const Frame &f) { return f.symbol == sites[i].callee; }))
			return i;
	}
	return {};
}

} // namespace

std::vector<TraceEvent> parse_trace(std::string_view text)
{
	std::vector<TraceEvent> events;
	std::istringstream in{std::string(text)};
	for (std::string line; std::getline(in, line);) {
		if (auto frame = parse_frame(line)) {
			if (!events.empty())
				events.back().stack.push_back(*frame);
		} else if (auto event = parse_event(line)) {
			events.push_back(std::move(*event));
		}
	}
	return events;
}

std::optional<CodePlace> ModuleLayout::place_of(uint64_t address) const
{
	// A return address may be the end of the last function.
	for (const Range &r : ranges_)
		if (address > r.start && address <= r.end)
			return CodePlace{r.section, address - r.start};
	return {};
}

std::pair<uint64_t, uint64_t> ModuleLayout::span(const std::string &without) const
{
	uint64_t low = ~0ull, high = 0;
	for (const Range &r : ranges_)
		if (r.section != without) {
			low = std::min(low, r.start);
			high = std::max(high, r.end);
		}
	return {low, high};
}

std::optional<Hit> find_hit(const std::vector<Frame> &stack, const ModuleLayout &layout, const ModuleImage &image,
			    const std::vector<CallSite> &sites)
{
	for (size_t i = 0; i < stack.size(); i++) {
		auto place = layout.place_of(stack[i].address);
		if (!place)
			continue;
		Hit hit{*place, image.function_at({place->section, place->offset - 1}), {}, {}};
		hit.callee = image.callee_before(*place).value_or(i ? stack[i - 1].symbol : "?");
		for (size_t s = 0; s < sites.size() && !hit.site; s++)
			if (!sites[s].tail && sites[s].section == place->section && sites[s].ret == place->offset)
				hit.site = s;
		if (!hit.site)
			hit.site = find_tail_site(hit.callee, {stack.begin(), stack.begin() + long(i)}, sites);
		if (hit.site && sites[*hit.site].tail) {
			hit.function = sites[*hit.site].function;
			hit.callee = sites[*hit.site].callee;
		}
		return hit;
	}
	return {};
}

} // namespace lio::test
