// SPDX-License-Identifier: GPL-2.0
#include "skips.hpp"

#include <nlohmann/json.hpp>

namespace lio::test {

namespace {

bool release_is(const std::string &release, const std::string &kernel)
{
	return release.rfind(kernel, 0) == 0 &&
	       (release.size() == kernel.size() || release[kernel.size()] == '.');
}

} // namespace

Result<std::vector<SkipEntry>> parse_skips(std::string_view json)
{
	auto doc = nlohmann::json::parse(json, nullptr, false);
	if (!doc.is_array())
		return Error{EINVAL, "skips.json", "no array of entries in"};
	std::vector<SkipEntry> skips;
	for (const auto &e : doc) {
		SkipEntry s{e.value("test", ""), e.value("kernel", ""), e.value("reason", "")};
		if (s.test.find('.') == std::string::npos || s.test.find('*') != std::string::npos ||
		    s.kernel.empty() || s.reason.empty() || s.reason.find('\n') != std::string::npos)
			return Error{EINVAL, "skips.json", "entry for '" + s.test + "' is incomplete in"};
		skips.push_back(std::move(s));
	}
	return skips;
}

const SkipEntry *find_skip(const std::vector<SkipEntry> &skips, const std::string &test,
			   const std::string &release)
{
	for (const SkipEntry &s : skips)
		if (s.test == test && (s.kernel == "any" || release_is(release, s.kernel)))
			return &s;
	return nullptr;
}

} // namespace lio::test
