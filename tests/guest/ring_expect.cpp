// SPDX-License-Identifier: GPL-2.0
#include "ring_expect.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>
#include <regex>
#include <set>

#include "module.hpp"
#include "tcmu_differences_json.hpp" // made by CMake from tests/conformance/tcmu/differences.json

namespace lio::test {

namespace {

struct Difference {
	std::string stock, ours; ///< regular expressions
};

std::map<std::string, Difference> load_differences()
{
	std::map<std::string, Difference> all;
	for (const auto &j : nlohmann::json::parse(tcmu_differences_json)) {
		for (const char *key : {"why", "client"})
			if (j.at(key).get<std::string>().empty())
				throw std::invalid_argument(j.dump());
		Difference d{j.at("stock"), j.at("ours")};
		if (d.stock == d.ours || !all.emplace(j.at("what"), d).second)
			throw std::invalid_argument("no difference, or told twice: " + j.dump());
	}
	return all;
}

const std::map<std::string, Difference> &differences()
{
	static const auto all = load_differences();
	return all;
}

std::set<std::string> used;

/// An entry that no test asked for is wrong; only a run of all tests can tell.
class UnusedEntries : public testing::Environment {
	void TearDown() override
	{
		const auto &filter = testing::GTEST_FLAG(filter);
		if (filter != "*" && filter != "-RingOurs*")
			return;
		for (const auto &[what, d] : differences())
			if (!used.contains(what))
				ADD_FAILURE() << "tests/conformance/tcmu/differences.json has an unused entry: " << what;
	}
};

const auto *const unused_entries = testing::AddGlobalTestEnvironment(new UnusedEntries);

} // namespace

bool tcmu_is_ours()
{
	return module_is_ours("target_core_user");
}

void expect_here(const std::string &what, const std::string &got)
{
	auto found = differences().find(what);
	if (found == differences().end()) {
		ADD_FAILURE() << "DIFF? " << what << " | " << (tcmu_is_ours() ? "ours" : "stock") << " | " << got;
		return;
	}
	used.insert(what);
	const std::string &want = tcmu_is_ours() ? found->second.ours : found->second.stock;
	EXPECT_TRUE(std::regex_match(got, std::regex(want))) << what << ": " << got << ", expected " << want;
}

} // namespace lio::test
