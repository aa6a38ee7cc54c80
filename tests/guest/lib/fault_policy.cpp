// SPDX-License-Identifier: GPL-2.0
#include "fault_policy.hpp"

#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

namespace lio::test {

namespace {

using nlohmann::json;

std::string text(const json &j, const char *key)
{
	std::string s = j.at(key);
	if (s.empty() || s == "*" || s.find('\n') != std::string::npos)
		throw std::invalid_argument(std::string("bad ") + key + " in " + j.dump());
	return s;
}

} // namespace

std::string outcome_name(const Status &s)
{
	if (s)
		return "good";
	const char *name = strerrorname_np(s.code());
	return name ? name : std::to_string(s.code());
}

Result<FaultPolicy> FaultPolicy::parse(std::string_view source)
{
	FaultPolicy p;
	try {
		json doc = json::parse(source);
		p.allocators_ = doc.at("allocators").get<std::set<std::string>>();
		p.others_ = doc.at("not allocators").get<std::set<std::string>>();
		p.walked_in_part_ = doc.value("walked in part", std::set<std::string>());
		for (const auto &j : doc.at("fallbacks"))
			p.fallbacks_.push_back({text(j, "function"), text(j, "reason"), j.value("sometimes", false)});
		for (const auto &j : doc.at("outcomes"))
			p.outcomes_.push_back({text(j, "module"), text(j, "function"), text(j, "callee"),
					       j.value("scenario", ""), text(j, "reason"),
					       j.at("allowed").get<std::set<std::string>>(), {}, j.value("deep", false),
					       j.value("sometimes", false)});
		for (const auto &j : doc.at("unreachable"))
			p.unhit_.push_back({text(j, "module"), text(j, "function"), text(j, "callee"), text(j, "reason"),
					    j.value("sites", 1u)});
	} catch (const std::exception &e) {
		return Error{EINVAL, "fault_sites.json", std::string(e.what()) + " in"};
	}
	return p;
}

bool FaultPolicy::falls_back(const std::vector<Frame> &stack)
{
	for (const Frame &frame : stack)
		for (Fallback &f : fallbacks_)
			if (f.function == frame.symbol)
				return f.seen = true;
	return false;
}

bool FaultPolicy::allows(const std::string &module, const std::string &scenario, const Hit &hit,
			 const std::string &outcome)
{
	bool listed = false;
	for (Outcome &o : outcomes_)
		if (o.module == module && o.function == hit.function && o.callee == hit.callee &&
		    (o.scenario.empty() || o.scenario == scenario) && o.allowed.count(outcome)) {
			o.seen.insert(outcome);
			listed = true;
		}
	return listed || outcome == "ENOMEM";
}

bool FaultPolicy::excuses(const std::string &module, const CallSite &site)
{
	for (Unhit &u : unhit_)
		if (u.module == module && u.function == site.function && u.callee == site.callee && u.used < u.sites) {
			u.used++;
			return true;
		}
	return false;
}

std::vector<std::string> FaultPolicy::unused(bool deep) const
{
	std::vector<std::string> v;
	for (const Fallback &f : fallbacks_)
		if (!f.seen && !f.sometimes)
			v.push_back("fallback in " + f.function);
	for (const Outcome &o : outcomes_)
		for (const auto &a : o.allowed)
			if (!o.seen.count(a) && !o.sometimes && (deep || !o.deep))
				v.push_back("outcome " + a + " of " + o.module + ": " + o.function + " -> " + o.callee +
					    (o.scenario.empty() ? "" : " in " + o.scenario));
	for (const Unhit &u : unhit_)
		if (u.used != u.sites)
			v.push_back("unreachable site of " + u.module + ": " + u.function + " -> " + u.callee);
	return v;
}

} // namespace lio::test
