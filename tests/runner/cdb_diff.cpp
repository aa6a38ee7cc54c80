// SPDX-License-Identifier: GPL-2.0
#include "cdb_diff.hpp"

#include <algorithm>
#include <set>

#include "named_blocks.hpp"

namespace lio::check {

using test::Answer;
using test::DifferCommand;
using test::DifferRecord;
using test::Route;

namespace {

/// All that a residual can mean, which for some sizes is more than one thing.
std::vector<std::string> transferred(const DifferCommand &c, const Answer &a)
{
	int64_t missing = int64_t(c.wants) - c.length, moved = int64_t(c.length) - a.residual;
	const std::pair<bool, const char *> meanings[] = {
		{a.residual == 0, "all"},
		{a.residual == -missing, "what the CDB asks for"},
		{a.residual == int32_t(missing), "all, and the residual is what the buffer lacks"},
		{a.residual == int32_t(c.blocks_bytes - c.length),
		 "all, and the residual is what blocks not asked for would need"},
		{moved == int64_t(c.blocks_bytes), "blocks not asked for"},
		{moved == 0, "nothing"},
	};
	std::vector<std::string> names;
	for (const auto &[is, name] : meanings)
		if (is)
			names.push_back(name);
	names.push_back(std::to_string(moved));
	return names;
}

CdbDifference moved(std::vector<std::string> stock, std::vector<std::string> ours)
{
	CdbDifference d{"transferred", stock.front(), ours.front(), {}, {}};
	d.stock_names = std::move(stock);
	d.ours_names = std::move(ours);
	return d;
}

std::string information(const Answer &a, const Answer &other)
{
	if (!(a.flags & test::answer_information))
		return "none";
	return other.flags & test::answer_information ? std::to_string(a.information) : "set";
}

std::string hex_byte(uint8_t b)
{
	char buf[8];
	snprintf(buf, sizeof(buf), "0x%02x", b);
	return buf;
}

/// With its number and the parameter list, if it may be one, to judge it by.
std::string described(const DifferCommand &c, uint64_t index)
{
	constexpr size_t longest_list = 64;
	std::string text = std::to_string(index) + " " + c.str();
	for (size_t i = 0; i < c.out.size() && c.out.size() <= longest_list; i++)
		text += (i ? " " : ": ") + hex_byte(c.out[i]).substr(2);
	return text;
}

void add_data(const DifferRecord &stock, const DifferRecord &ours, uint64_t index, std::vector<CdbDifference> &all)
{
	auto a = stock.contents.find(stock.answers[index].data), b = ours.contents.find(ours.answers[index].data);
	if (a == stock.contents.end() || b == ours.contents.end()) {
		all.push_back({"data", "these blocks", "other blocks", {}, {}});
		return;
	}
	for (size_t i = 0; i < std::min(a->second.size(), b->second.size()); i++)
		if (a->second[i] != b->second[i])
			all.push_back({"data " + std::to_string(i), hex_byte(a->second[i]), hex_byte(b->second[i]), {}, {}});
}

/// What has to be the same, batch after batch.
class Comparison {
	const DifferRecord &stock_, &ours_;
	const test::DifferRules &rules_;
	std::string kernel_;
	CdbVerdict v_;
	test::DifferMaker maker_;
	std::map<std::array<std::string, 4>, CdbFinding> findings_;
	std::set<uint64_t> tainted_; ///< chunks that may differ until the batch ends

public:
	Comparison(const DifferRecord &stock, const DifferRecord &ours, const test::DifferRules &rules,
		   const test::DifferRules &recorded_with, std::string kernel)
		: stock_(stock), ours_(ours), rules_(rules), kernel_(std::move(kernel)), v_(rules),
		  maker_(stock.header.seed, stock.header.geometry, recorded_with.examples())
	{
	}

	CdbVerdict run()
	{
		uint64_t count = stock_.header.count;
		for (uint64_t first = 0; first < count; first += test::differ_batch) {
			tainted_.clear();
			for (uint64_t i = first; i < std::min(first + test::differ_batch, count); i++)
				compare_command(i);
			compare_medium(first / test::differ_batch);
		}
		for (auto &[key, finding] : findings_)
			v_.unexplained.push_back(std::move(finding));
		return std::move(v_);
	}

private:
	void compare_command(uint64_t i)
	{
		DifferCommand c = maker_.make(i);
		if (const auto *rule = rules_.route_of(c)) {
			v_.apart++;
			count_route(c, *rule, i);
			return;
		}
		if (!(stock_.answers[i].flags & ours_.answers[i].flags & test::answer_compared))
			return;
		if (looks_at_tainted(c)) {
			v_.behind++;
			taint(c);
			return;
		}
		v_.compared++;
		for (const auto &d : differing_fields(c, stock_, ours_, i, rules_.has_free_data(c))) {
			explain(c, d, i);
			if (d.field == "answer")
				taint(c);
		}
	}

	/// Only answers that differ show that reserved bits are treated differently. Of a command that is
	/// the model's in every form the model needs to know them.
	void count_route(const DifferCommand &c, const test::RouteRule &rule, uint64_t i)
	{
		bool needed = rule.route != Route::reserved || stock_.answers[i].str() != ours_.answers[i].str();
		v_.routed[index_of(rule)] += needed;
		if (rule.route != Route::model || !rule.match.bits.empty() || !rule.match.usage.empty())
			return;
		if (const auto *usage = rules_.usage_rule_of(c))
			v_.routed[index_of(*usage)]++;
	}

	size_t index_of(const test::RouteRule &rule) const { return size_t(&rule - rules_.routes.data()); }

	void explain(const DifferCommand &c, const CdbDifference &d, uint64_t index)
	{
		for (size_t n = 0; n < rules_.differences.size(); n++) {
			const auto &e = rules_.differences[n];
			if (!d.is(e) || !e.match.matches(c))
				continue;
			if (e.kernel != "any" && e.kernel != kernel_)
				continue;
			v_.used[n]++;
			return;
		}
		test::DifferMatch name;
		name.opcode = c.cdb[0];
		if (c.cdb[0] == 0x7f || c.cdb[0] == 0x9e || c.cdb[0] == 0xa3)
			name.service_action = tcmu::test::service_action(c.bytes());
		if (c.cdb[0] == 0x12)
			name.bits = {{1, 1, uint8_t(c.cdb[1] & 1)}, {2, 0xff, c.cdb[2]}};
		auto &f = findings_[{name.str(), d.field, d.stock, d.ours}];
		f = {name.str(), d, f.count + 1, described(c, index)};
	}

	template <class F> void for_chunks(const std::vector<tcmu::test::BlockRange> &ranges, F &&f) const
	{
		for (auto r : ranges)
			for (uint64_t at = r.first / test::differ_chunk; r.count && at <= (r.first + r.count - 1) / test::differ_chunk; at++)
				f(at);
	}

	bool looks_at_tainted(const DifferCommand &c) const
	{
		if (tainted_.empty())
			return false;
		bool hit = false;
		auto range = tcmu::test::cdb_range(c.bytes());
		uint64_t blocks = stock_.header.geometry.blocks;
		constexpr uint8_t compares[] = {0x2f, 0x8f, 0xaf, 0x89, 0x8b, 0x53};
		if (!test::DifferRules::reads_blocks(c) && !std::ranges::count(compares, c.cdb[0]))
			return false;
		for_chunks({tcmu::test::clipped(range.first, range.count, blocks)},
			   [&](uint64_t chunk) { hit = hit || tainted_.contains(chunk); });
		return hit;
	}

	void taint(const DifferCommand &c)
	{
		for_chunks(tcmu::test::named_blocks(c.bytes(), c.out, stock_.header.geometry.blocks),
			   [&](uint64_t chunk) { tainted_.insert(chunk); });
	}

	static std::vector<test::ChunkHash> of_batch(const DifferRecord &r, uint64_t batch)
	{
		auto part = std::ranges::equal_range(r.chunks, batch, {}, &test::ChunkHash::batch);
		return {part.begin(), part.end()};
	}

	void compare_medium(uint64_t batch)
	{
		auto a = of_batch(stock_, batch), b = of_batch(ours_, batch);
		std::vector<test::ChunkHash> differ;
		std::ranges::set_symmetric_difference(a, b, std::back_inserter(differ));
		v_.compared += std::max(a.size(), b.size());
		for (const auto &chunk : differ) {
			if (tainted_.contains(chunk.chunk))
				continue;
			auto &f = findings_[{"medium", "", "", ""}];
			f = {"medium", {"blocks", "these", "others", {}, {}}, f.count + 1,
			     "chunk " + std::to_string(chunk.chunk) + " after the batch of command " +
				     std::to_string(batch * test::differ_batch)};
		}
	}
};

bool named(const std::string &wanted, const std::string &name, const std::vector<std::string> &names)
{
	return wanted == name || std::ranges::count(names, wanted);
}

} // namespace

/// What bytes of a range are is for the reason to say: an entry for each would say less.
bool CdbDifference::is(const test::DifferEntry &e) const
{
	unsigned first, last, at;
	if (sscanf(e.field.c_str(), "data %u-%u", &first, &last) == 2)
		return sscanf(field.c_str(), "data %u", &at) == 1 && at >= first && at <= last;
	return e.field == field && named(e.stock, stock, stock_names) && named(e.ours, ours, ours_names);
}

std::vector<CdbDifference> differing_fields(const DifferCommand &c, const DifferRecord &stock, const DifferRecord &ours,
					    uint64_t index, bool free_data)
{
	const Answer &a = stock.answers[index], &b = ours.answers[index];
	if (a == b)
		return {};
	if (a.str() != b.str())
		return {{"answer", a.str(), b.str(), {}, {}}};
	std::vector<CdbDifference> all;
	if (information(a, b) != information(b, a))
		all.push_back({"information", information(a, b), information(b, a), {}, {}});
	if (free_data)
		return all;
	if (a.residual != b.residual)
		all.push_back(moved(transferred(c, a), transferred(c, b)));
	if (a.data != b.data)
		add_data(stock, ours, index, all);
	return all;
}

CdbVerdict &CdbVerdict::operator+=(CdbVerdict &&o)
{
	compared += o.compared;
	apart += o.apart;
	behind += o.behind;
	for (size_t i = 0; i < o.used.size(); i++)
		used[i] += o.used[i];
	for (size_t i = 0; i < o.routed.size(); i++)
		routed[i] += o.routed[i];
	std::ranges::move(o.unexplained, std::back_inserter(unexplained));
	return *this;
}

std::vector<std::string> unused_entries(const CdbVerdict &v, const test::DifferRules &rules, const std::string &kernel)
{
	std::vector<std::string> unused;
	for (size_t n = 0; n < v.used.size(); n++) {
		const auto &e = rules.differences[n];
		if (!v.used[n] && (e.kernel == "any" || e.kernel == kernel))
			unused.push_back(e.match.str() + " [" + e.field + "] " + e.stock + " / " + e.ours);
	}
	for (size_t n = 0; n < v.routed.size(); n++)
		if (!v.routed[n])
			unused.push_back("route of " + rules.routes[n].match.str() + ": " + rules.routes[n].reason);
	return unused;
}

test::Result<CdbVerdict> compare_records(const DifferRecord &stock, const DifferRecord &ours,
					 const test::DifferRules &rules, const test::DifferRules &recorded_with,
					 const std::string &kernel)
{
	if (!(stock.header == ours.header))
		return test::Error{EINVAL, "records", "the commands were not the same:"};
	return Comparison(stock, ours, rules, recorded_with, kernel).run();
}

} // namespace lio::check
