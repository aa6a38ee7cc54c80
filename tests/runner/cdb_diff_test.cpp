// SPDX-License-Identifier: GPL-2.0
#include "cdb_diff.hpp"

#include <filesystem>

#include <unistd.h>

#include "gtest_result.hpp"

namespace lio::check {
namespace {

using namespace test;

const std::string apart_text = R"([
	{"opcode": "0x3c", "service_action": null, "route": "model", "answers": ["5/20/00"], "reason": "r", "client": "c",
	 "example": {"cdb": "3c 02 00 00 00 00 00 00 04 00", "direction": "in", "length": 4}}
])";
const std::string differences_text = R"([
	{"opcode": "0x12", "field": "data 1", "stock": "0x01", "ours": "0x02", "kernel": "any", "reason": "r",
	 "client": "c", "example": {"cdb": "12 00 00 00 24 00", "direction": "in", "length": 36}}
])";

DifferRules rules()
{
	return *parse_differ_rules(differences_text, apart_text);
}

/// A record in which every command that goes to both targets was GOOD and returned @data.
DifferRecord record(const std::vector<uint8_t> &data, uint64_t count = 64)
{
	DifferRecord r;
	r.header = {5, count, {131072, 512}, 0};
	DifferMaker maker(5, r.header.geometry, rules().examples());
	for (uint64_t i = 0; i < count; i++) {
		DifferCommand c = maker.make(i);
		Answer a;
		a.flags = rules().route_of(c) ? 0 : answer_compared;
		if (c.cdb[0] == 0x12 && c.direction == Data::Direction::in)
			a.data = hash_bytes(data);
		r.answers.push_back(a);
	}
	r.contents[hash_bytes(data)] = data;
	return r;
}

CdbVerdict verdict(const DifferRecord &stock, const DifferRecord &ours)
{
	auto v = compare_records(stock, ours, rules(), rules(), "6.12");
	EXPECT_OK(v);
	return v.ok() ? std::move(*v) : CdbVerdict(rules());
}

/// The first command of the record that goes to both and matches @wanted.
template <class F> uint64_t find_command(const DifferRecord &r, F &&wanted)
{
	DifferMaker maker(5, r.header.geometry, rules().examples());
	for (uint64_t i = 2; i < r.header.count; i++)
		if (DifferCommand c = maker.make(i); r.answers[i].flags && wanted(c))
			return i;
	ADD_FAILURE() << "no such command";
	return 0;
}

TEST(CdbDiff, EqualRecordsUseNoEntry)
{
	CdbVerdict v = verdict(record({0, 1}), record({0, 1}));
	EXPECT_TRUE(v.unexplained.empty());
	EXPECT_GT(v.compared, 40u);
	EXPECT_GE(v.apart, 1u);
	EXPECT_EQ(unused_entries(v, rules(), "6.12").size(), 1u);
}

TEST(CdbDiff, AnEntryExplainsItsByteAlone)
{
	CdbVerdict v = verdict(record({0, 1}), record({0, 2}));
	EXPECT_TRUE(v.unexplained.empty());
	EXPECT_GE(v.used[0], 1u);
	EXPECT_TRUE(unused_entries(v, rules(), "6.12").empty());
	EXPECT_FALSE(verdict(record({0, 1}), record({0, 3})).unexplained.empty());
	EXPECT_FALSE(verdict(record({0, 1}), record({4, 2})).unexplained.empty());
}

TEST(CdbDiff, ARangeOfBytesIsOneEntry)
{
	CdbDifference byte{"data 9", "0x00", "0x01", {}, {}};
	DifferEntry entry;
	for (const auto &[field, is] : std::map<std::string, bool>{
		     {"data 9-12", true}, {"data 2-9", true}, {"data 2-8", false}, {"data 10-12", false}, {"data", false}}) {
		entry.field = field;
		EXPECT_EQ(byte.is(entry), is) << field;
	}
}

/// A residual of as many bytes as the CDB asks for and as the buffer has is both.
TEST(CdbDiff, AResidualHasAllItsMeanings)
{
	DifferRecord stock = record({}), ours = stock;
	uint64_t at = find_command(ours, [](const DifferCommand &c) { return c.length > 8; });
	DifferCommand c = DifferMaker(5, stock.header.geometry, rules().examples()).make(at);
	ours.answers[at].residual = int32_t(c.length);
	auto d = differing_fields(c, stock, ours, at, false);
	ASSERT_EQ(d.size(), 1u);
	DifferEntry entry;
	entry.field = "transferred";
	entry.stock = "all";
	for (const auto &[name, is] : std::map<std::string, bool>{{"nothing", true}, {"0", true}, {"all", false}}) {
		entry.ours = name;
		EXPECT_EQ(d[0].is(entry), is) << name;
	}
}

TEST(CdbDiff, StatusSenseResidualAndMediumCount)
{
	DifferRecord stock = record({}), ours = record({});
	uint64_t at = find_command(ours, [](const DifferCommand &c) { return c.length > 8; });
	ours.answers[at].residual = 3;
	EXPECT_EQ(verdict(stock, ours).unexplained.at(0).what.field, "transferred");
	ours = stock;
	ours.answers[at].status = 8;
	EXPECT_EQ(verdict(stock, ours).unexplained.at(0).what.ours, "BUSY");
	stock = ours;
	for (auto *r : {&stock, &ours}) {
		r->answers[at].status = 2;
		r->answers[at].flags |= answer_sense;
		r->answers[at].key = 5;
	}
	ours.answers[at].asc = 0x24;
	EXPECT_EQ(verdict(stock, ours).unexplained.at(0).what.ours, "5/24/00");
	ours = stock;
	ours.chunks = {{0, 3, 77}};
	EXPECT_EQ(verdict(stock, ours).unexplained.at(0).command, "medium");
}

/// The blocks that only one target wrote may differ until the batch ends; others not.
TEST(CdbDiff, BlocksBehindADifferenceAreNotCompared)
{
	DifferRecord stock = record({}, 6400), ours = stock;
	DifferMaker maker(5, stock.header.geometry, rules().examples());
	uint64_t at = find_command(stock, [](const DifferCommand &c) {
		return c.cdb[0] == 0x8a && c.wants == c.length && c.length && c.direction == Data::Direction::out &&
		       get_be(c.bytes().subspan(2, 8)) < 131000;
	});
	uint64_t chunk = get_be(maker.make(at).bytes().subspan(2, 8)) / differ_chunk, batch = at / differ_batch;
	ours.answers[at].status = 8;
	ours.chunks = {{batch, chunk, 1}};
	EXPECT_EQ(verdict(stock, ours).unexplained.size(), 1u); // BUSY itself
	ours.chunks = {{batch, chunk + 1000, 1}};
	EXPECT_EQ(verdict(stock, ours).unexplained.size(), 2u);
	ours.chunks = {{batch + 1, chunk, 1}};
	EXPECT_EQ(verdict(stock, ours).unexplained.size(), 2u);
}

TEST(CdbDiff, RecordsOfOtherCommandsAreRefused)
{
	DifferRecord a = record({}), b = a;
	b.header.seed++;
	EXPECT_ERRNO(compare_records(a, b, rules(), rules(), "6.12"), EINVAL);
}

TEST(CdbDiff, RulesAreExactAndReviewed)
{
	EXPECT_ERRNO(parse_differ_rules("[{}]", "[]"), EINVAL);
	EXPECT_ERRNO(parse_differ_rules("[]", "[{}]"), EINVAL);
	for (const char *needed : {"\"reason\": \"r\"", "\"client\": \"c\"", "\"stock\": \"0x01\"", "\"direction\": \"in\""}) {
		std::string text = differences_text;
		text.replace(text.rfind(needed), strlen(needed), "\"other\": \"\"");
		EXPECT_ERRNO(parse_differ_rules(text, apart_text), EINVAL) << needed;
	}
}

TEST(CdbDiff, RecordsSurviveTheFile)
{
	std::string path = "/tmp/cdb_diff_test." + std::to_string(getpid());
	DifferRecord r = record({1, 2, 3});
	r.chunks = {{1, 2, 3}};
	ASSERT_OK(r.save(path));
	auto loaded = DifferRecord::load(path);
	EXPECT_OK(loaded);
	if (loaded) {
		EXPECT_EQ(loaded->answers, r.answers);
		EXPECT_EQ(loaded->contents, r.contents);
		EXPECT_EQ(loaded->chunks, r.chunks);
	}
	std::filesystem::resize_file(path, 100);
	EXPECT_ERRNO(DifferRecord::load(path), EPROTO);
	std::filesystem::remove(path);
}

} // namespace
} // namespace lio::check
