// SPDX-License-Identifier: GPL-2.0
#include "groups.hpp"

#include <algorithm>
#include <regex>

#include <fnmatch.h>
#include <nlohmann/json.hpp>

namespace lio::check {

namespace {

using nlohmann::json;

const std::vector<std::string> all_tiers = {"check", "debug", "long"};
/// What runs in the debug tier runs on this one, whatever kernels it has otherwise.
const std::string sanitizer_kernel = "6.12-debug";

bool has(const std::vector<std::string> &v, const std::string &s)
{
	return std::find(v.begin(), v.end(), s) != v.end();
}

/// How much longer a group of the other tiers may take on the sanitizer kernel.
constexpr unsigned sanitizer_factor = 4;

/// "timeout" is a number for all tiers, or an object by tier.
std::map<std::string, unsigned> parse_timeout(const json &j)
{
	std::map<std::string, unsigned> t;
	if (j.is_object())
		t = j.get<std::map<std::string, unsigned>>();
	else
		t["check"] = j.get<unsigned>();
	for (const auto &[tier, factor] : {std::pair{"debug", sanitizer_factor}, {"long", 1u}})
		if (!t.contains(tier) && t.contains("check"))
			t[tier] = factor * t["check"];
	return t;
}

Group parse_group(const json &j)
{
	static const std::vector<std::string> known = {"name",	  "guest", "command", "filter", "ours",	  "kernels",
						       "lab",	  "tiers", "after",   "timeout", "long_kernels"};
	for (const auto &[key, value] : j.items())
		if (!has(known, key))
			throw std::invalid_argument("unknown key '" + key + "'");
	using Strings = std::vector<std::string>;
	Group g;
	g.name = j.at("name");
	g.guest = j.value("guest", false);
	g.command = j.at("command").get<Strings>();
	g.filter = j.value("filter", "");
	g.ours = j.value("ours", "all");
	g.kernels = j.value("kernels", Strings());
	g.long_kernels = j.value("long_kernels", Strings());
	g.lab = j.value("lab", Strings());
	g.tiers = j.value("tiers", all_tiers);
	g.after = j.value("after", Strings());
	g.timeout = parse_timeout(j.at("timeout"));
	if (g.command.empty() || (g.guest && g.kernels.empty()))
		throw std::invalid_argument("'" + g.name + "' has no command or no kernel");
	return g;
}

struct Wanted {
	bool yes = false;
	std::string filter;
};

Wanted wanted(const Group &g, const Selection &s)
{
	if (s.patterns.empty())
		return {has(g.tiers, s.tier), g.filter};
	for (const auto &p : s.patterns) {
		size_t colon = p.find(':');
		if (fnmatch(p.substr(0, colon).c_str(), g.name.c_str(), 0) == 0)
			return {true, colon == std::string::npos ? g.filter : p.substr(colon + 1)};
	}
	return {};
}

class Selector {
	const std::vector<Group> &groups_;
	const Selection &selection_;
	std::vector<Job> jobs_;

public:
	Selector(const std::vector<Group> &groups, const Selection &selection)
		: groups_(groups), selection_(selection) {}

	Result<std::vector<Job>> run()
	{
		for (const Group &g : groups_) {
			Wanted w = wanted(g, selection_);
			if (!w.yes)
				continue;
			for (const auto &kernel : kernels_of(g))
				LIO_CHECK(add(g, kernel, w.filter));
		}
		if (jobs_.empty())
			return Error{ENOENT, "tests/groups.json", "nothing matches in"};
		return std::move(jobs_);
	}

private:
	std::vector<std::string> kernels_of(const Group &g) const
	{
		if (g.kernels.empty())
			return {""};
		std::vector<std::string> v, all = g.kernels;
		if (selection_.tier == "debug")
			all = {sanitizer_kernel};
		else if (selection_.tier == "long")
			all.insert(all.end(), g.long_kernels.begin(), g.long_kernels.end());
		for (const auto &k : all)
			if (selection_.kernels.empty() || has(selection_.kernels, k))
				v.push_back(k);
		return v;
	}

	/// The index of the job, made if it is not there; those it waits for come first, so that
	/// the order of the list is an order to run in.
	Result<size_t> add(const Group &g, const std::string &kernel, const std::string &filter)
	{
		for (size_t i = 0; i < jobs_.size(); i++)
			if (jobs_[i].group == &g && jobs_[i].kernel == kernel)
				return i;
		auto timeout = g.timeout.find(selection_.tier);
		if (timeout == g.timeout.end())
			return Error{EINVAL, g.name, "no timeout for tier " + selection_.tier + " of"};
		Job job{&g, kernel, filter, {}, timeout->second};
		for (const auto &name : g.after) {
			auto dep = std::find_if(groups_.begin(), groups_.end(),
						[&](const Group &o) { return o.name == name; });
			// Only groups further up: no circles.
			if (dep == groups_.end() || &*dep >= &g)
				return Error{EINVAL, g.name, "no group '" + name + "' before"};
			LIO_TRY(size_t index, add(*dep, dep->kernels.empty() ? "" : kernel, dep->filter));
			job.after.push_back(index);
		}
		jobs_.push_back(std::move(job));
		return jobs_.size() - 1;
	}
};

} // namespace

Result<std::vector<Group>> parse_groups(std::string_view text)
{
	std::vector<Group> groups;
	try {
		for (const auto &j : json::parse(text))
			groups.push_back(parse_group(j));
	} catch (const std::exception &e) {
		return Error{EINVAL, "tests/groups.json", std::string(e.what()) + " in"};
	}
	return groups;
}

Result<std::vector<Job>> select_jobs(const std::vector<Group> &groups, const Selection &selection)
{
	return Selector(groups, selection).run();
}

Counts find_counts(std::string_view log)
{
	static const std::regex ours(R"((\d+) passed, (\d+) failed, (\d+) skipped)");
	static const std::regex ctest(R"((\d+) tests failed out of (\d+))");
	Counts c;
	std::string text(log);
	auto number = [](const std::ssub_match &m) { return static_cast<unsigned>(std::stoul(m)); };
	for (std::sregex_iterator it(text.begin(), text.end(), ours), end; it != end; ++it)
		c = {number((*it)[1]), number((*it)[2]), number((*it)[3]), true};
	std::smatch m;
	if (!c.found && std::regex_search(text, m, ctest))
		c = {number(m[2]) - number(m[1]), number(m[1]), 0, true};
	return c;
}

} // namespace lio::check
