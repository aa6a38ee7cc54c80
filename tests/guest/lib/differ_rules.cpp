// SPDX-License-Identifier: GPL-2.0
#include "differ_rules.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "differ_record.hpp"
#include "file.hpp"
#include "named_blocks.hpp"

namespace lio::test {

namespace {

using nlohmann::json;

uint64_t number(const json &j)
{
	return j.is_string() ? std::stoull(j.get<std::string>(), nullptr, 0) : j.get<uint64_t>();
}

std::vector<uint8_t> bytes_of(const std::string &hex)
{
	std::vector<uint8_t> bytes;
	for (size_t at = 0; at < hex.size(); at++)
		if (hex[at] != ' ') {
			bytes.push_back(uint8_t(std::stoul(hex.substr(at, 2), nullptr, 16)));
			at++;
		}
	return bytes;
}

Data::Direction direction_of(const json &j)
{
	for (auto d : {Data::Direction::none, Data::Direction::in, Data::Direction::out})
		if (j == direction_name(d))
			return d;
	throw std::invalid_argument("no direction: " + j.dump());
}

DifferMatch match_of(const json &j)
{
	DifferMatch m;
	m.opcode = uint8_t(number(j.at("opcode")));
	if (!j.value("service_action", json()).is_null())
		m.service_action = uint16_t(number(j["service_action"]));
	for (const auto &b : j.value("bits", json::array()))
		m.bits.push_back({uint8_t(number(b.at(0))), uint8_t(number(b.at(1))), uint8_t(number(b.at(2)))});
	if (j.value("direction", "any") != "any")
		m.direction = direction_of(j["direction"]);
	m.overflow = j.value("overflow", false);
	m.usage = bytes_of(j.value("usage", ""));
	return m;
}

DifferExample example_of(const json &j)
{
	DifferExample e;
	e.cdb = bytes_of(j.at("cdb"));
	e.direction = direction_of(j.at("direction"));
	e.length = uint32_t(number(j.at("length")));
	e.out = bytes_of(j.value("data", ""));
	if (e.cdb.size() < 6 || e.cdb.size() > 32)
		throw std::invalid_argument("no CDB: " + j.dump());
	return e;
}

std::string text_of(const json &j, const char *key)
{
	std::string text = j.at(key);
	if (text.empty())
		throw std::invalid_argument(std::string("no ") + key + ": " + j.dump());
	return text;
}

RouteRule route_of(const json &j)
{
	static const std::map<std::string, Route> routes = {
		{"model", Route::model}, {"later", Route::later}, {"ours", Route::ours}, {"reserved", Route::reserved},
		{"free data", Route::both}};
	RouteRule r;
	r.match = match_of(j);
	r.route = routes.at(j.at("route"));
	r.answers = j.at("answers").get<std::vector<std::string>>();
	if (r.answers.empty())
		throw std::invalid_argument("no answers: " + j.dump());
	r.reason = text_of(j, "reason");
	r.client = text_of(j, "client");
	r.example = example_of(j.at("example"));
	if (r.route == Route::reserved && r.match.usage.empty())
		throw std::invalid_argument("no usage: " + j.dump());
	return r;
}

DifferEntry entry_of(const json &j)
{
	DifferEntry e;
	e.match = match_of(j);
	e.field = text_of(j, "field");
	e.stock = text_of(j, "stock");
	e.ours = text_of(j, "ours");
	e.kernel = text_of(j, "kernel");
	e.reason = text_of(j, "reason");
	e.client = text_of(j, "client");
	e.example = example_of(j.at("example"));
	return e;
}

DifferRules rules_of(const json &differences, const json &apart)
{
	DifferRules rules;
	for (const auto &r : apart) {
		RouteRule rule = route_of(r);
		if (rule.route == Route::both)
			rules.free_data.push_back(rule.match);
		else
			rules.routes.push_back(std::move(rule));
	}
	for (const auto &d : differences)
		rules.differences.push_back(entry_of(d));
	return rules;
}

} // namespace

bool outside_usage(const Cdb &cdb, std::span<const uint8_t> usage)
{
	for (size_t i = 1; i < usage.size(); i++)
		if (cdb[i] & ~usage[i])
			return true;
	return false;
}

bool DifferMatch::names(const DifferCommand &c) const
{
	return c.cdb[0] == opcode && (!service_action || tcmu::test::service_action(c.bytes()) == *service_action);
}

bool DifferMatch::matches(const DifferCommand &c) const
{
	if (!names(c) || (direction && c.direction != *direction))
		return false;
	if (overflow && (!c.length || c.length >= c.wants))
		return false;
	if (!usage.empty() && !outside_usage(c.cdb, usage))
		return false;
	return std::ranges::all_of(bits, [&](const CdbBits &b) { return (c.cdb[b.byte] & b.mask) == b.value; });
}

std::string DifferMatch::str() const
{
	char buf[32];
	snprintf(buf, sizeof(buf), "%02xh", opcode);
	std::string s = buf;
	if (service_action) {
		snprintf(buf, sizeof(buf), "/%02xh", *service_action);
		s += buf;
	}
	for (const CdbBits &b : bits) {
		snprintf(buf, sizeof(buf), " byte %u & %02xh = %02xh", b.byte, b.mask, b.value);
		s += buf;
	}
	s += overflow ? " overflow" : "";
	return direction ? s + " " + direction_name(*direction) : s;
}

const RouteRule *DifferRules::route_of(const DifferCommand &c) const
{
	auto r = std::ranges::find_if(routes, [&](const RouteRule &rule) { return rule.match.matches(c); });
	return r == routes.end() ? nullptr : &*r;
}

const RouteRule *DifferRules::usage_rule_of(const DifferCommand &c) const
{
	auto r = std::ranges::find_if(
		routes, [&](const RouteRule &rule) { return rule.route == Route::reserved && rule.match.names(c); });
	return r == routes.end() ? nullptr : &*r;
}

std::span<const uint8_t> DifferRules::usage_of(const DifferCommand &c) const
{
	const RouteRule *rule = usage_rule_of(c);
	return rule ? std::span(rule->match.usage) : std::span<const uint8_t>();
}

bool DifferRules::reads_blocks(const DifferCommand &c)
{
	constexpr uint16_t read_32 = 0x09;
	if (c.cdb[0] == 0x7f)
		return tcmu::test::service_action(c.bytes()) == read_32;
	return c.cdb[0] == 0x08 || c.cdb[0] == 0x28 || c.cdb[0] == 0x88 || c.cdb[0] == 0xa8;
}

bool DifferRules::has_free_data(const DifferCommand &c) const
{
	return std::ranges::any_of(free_data, [&](const DifferMatch &m) { return m.matches(c); });
}

std::vector<DifferExample> DifferRules::examples() const
{
	std::vector<DifferExample> all;
	for (const RouteRule &r : routes)
		all.push_back(r.example);
	for (const DifferEntry &e : differences)
		all.push_back(e.example);
	return all;
}

Result<DifferRules> parse_differ_rules(std::string_view differences, std::string_view apart)
{
	try {
		return rules_of(json::parse(differences), json::parse(apart));
	} catch (const std::exception &e) {
		return Error{EINVAL, "differences.json", std::string(e.what()) + " in"};
	}
}

Result<DifferRules> load_differ_rules(const std::string &conformance, uint64_t *hash)
{
	LIO_TRY(std::string differences, read_file(conformance + "/scsi/differences.json"));
	LIO_TRY(std::string apart, read_file(conformance + "/scsi-apart/differences.json"));
	std::string all = differences + apart;
	if (hash)
		*hash = hash_bytes({reinterpret_cast<const uint8_t *>(all.data()), all.size()});
	return parse_differ_rules(differences, apart);
}

} // namespace lio::test
