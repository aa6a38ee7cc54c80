// SPDX-License-Identifier: GPL-2.0
#include "tree_diff.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

namespace lio::check {

namespace {

const std::string none = "(none)";

/// path and field in one ordered key.
std::set<std::pair<std::string, std::string>> all_fields(const test::TreeRecord &a, const test::TreeRecord &b)
{
	std::set<std::pair<std::string, std::string>> keys;
	for (const auto *record : {&a, &b})
		for (const auto &[path, fields] : *record)
			for (const auto &[field, value] : fields)
				keys.emplace(path, field);
	return keys;
}

std::string get(const test::TreeRecord &r, const std::string &path, const std::string &field)
{
	auto p = r.find(path);
	if (p == r.end())
		return none;
	auto f = p->second.find(field);
	return f == p->second.end() ? none : f->second;
}

} // namespace

test::Result<std::vector<Difference>> parse_differences(std::string_view text)
{
	std::vector<Difference> list;
	try {
		for (const auto &j : nlohmann::json::parse(text)) {
			Difference d{j.at("attribute"), j.at("field"), j.at("kernel"), j.at("stock"),
				     j.at("ours"),      j.at("reason"), j.at("client")};
			if (d.attribute.find('*') != std::string::npos || d.reason.empty() || d.client.empty())
				throw std::invalid_argument("'" + d.attribute + "' needs an exact path, a reason and a client");
			list.push_back(std::move(d));
		}
	} catch (const std::exception &e) {
		return test::Error{EINVAL, "differences.json", std::string(e.what()) + " in"};
	}
	return list;
}

Verdict compare(const test::TreeRecord &stock, const test::TreeRecord &ours,
		const std::vector<Difference> &differences, const std::string &kernel)
{
	Verdict v;
	for (const Difference &d : differences)
		if (d.kernel == "any" || d.kernel == kernel)
			v.unused.push_back(d);
	for (const auto &[path, field] : all_fields(stock, ours)) {
		Difference d{path, field, kernel, get(stock, path, field), get(ours, path, field), "", ""};
		if (d.stock == d.ours) {
			v.same++;
			continue;
		}
		auto entry = std::find(v.unused.begin(), v.unused.end(), d);
		if (entry == v.unused.end()) {
			v.unexplained.push_back(std::move(d));
		} else {
			v.explained++;
			v.unused.erase(entry);
		}
	}
	return v;
}

} // namespace lio::check
