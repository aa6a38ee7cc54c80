// SPDX-License-Identifier: GPL-2.0
// The tools of sg3-utils on a LUN of our core: what they print is compared with golden files, and the
// answer to every command that they send is decoded (tests/conformance/sg3/).
#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "process.hpp"
#include "sg3_stage.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

const std::string data = sg3_data;

std::string replaced(std::string text, const std::string &from, const std::string &to)
{
	for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
		text.replace(at, from.size(), to);
	return text;
}

/// All CDBs that a tool with -v says that it sends.
std::vector<Cdb> sent_cdbs(const std::string &output)
{
	static const std::regex line(" cdb(?: to send)?: (?:[A-Za-z ]*\\[)?((?:[0-9a-f]{2} ?)+)");
	std::vector<Cdb> all;
	for (std::sregex_iterator it(output.begin(), output.end(), line), end; it != end; ++it) {
		std::string hex = replaced((*it)[1], " ", "");
		Cdb cdb(hex.size() / 2);
		for (size_t i = 0; i < cdb.size(); i++)
			cdb[i] = uint8_t(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
		all.push_back(cdb);
	}
	return all;
}

class Sg3Tour : public testing::Test {
protected:
	decode::Facts facts_;
	size_t answers_ = 0, requests_ = 0;
	std::string rtpi_ = "0x1";
	std::set<std::string> named_;

	/// What the tool sent is sent again, and decoded; of what it wrote the CDB is looked at. A tool that is
	/// @refused ends with the command that was.
	void decode_sent(SgDevice &sg, const std::string &output, bool refused)
	{
		decode::Findings findings;
		std::vector<Cdb> sent = sent_cdbs(output);
		EXPECT_FALSE(sent.empty());
		for (const Cdb &cdb : sent) {
			if (refused && cdb.hex() == sent.back().hex())
				continue;
			if (decode::known(cdb)) {
				EXPECT_OK((refused ? decode_if_there : decode_reply)(sg, cdb, facts_, findings));
				answers_++;
			} else {
				decode::request(cdb, facts_, findings);
				requests_++;
			}
		}
		for (const auto &line : findings)
			ADD_FAILURE() << line;
	}

	void expect_blocks(SgDevice &sg, const nlohmann::json &after)
	{
		std::vector<uint8_t> blocks(after["blocks"].get<size_t>() * 512);
		ASSERT_OK(sg.execute_good(cdb::read(16, after["lba"], after["blocks"]), Data::in(blocks)));
		uint8_t byte = after["byte"];
		EXPECT_TRUE(std::all_of(blocks.begin(), blocks.end(), [&](uint8_t b) { return b == byte; }))
			<< "not all of the blocks are " << unsigned(byte);
	}

	/// @output without what differs between runs and kernels.
	std::string shown(const std::string &output, const std::string &dev, const std::string &tmp) const
	{
		const std::string port = "Relative target port: ";
		std::string text = replaced(replaced(output, dev, "{dev}"), tmp, "{tmp}");
		return replaced(text, port + rtpi_ + "\n", port + "{rtpi}\n");
	}

	void step(SgDevice &sg, const nlohmann::json &entry, const std::string &tmp)
	{
		// By lines, as a terminal would: what goes to standard error keeps its place.
		std::vector<std::string> argv = {"stdbuf", "-oL"};
		for (const std::string &word : entry["argv"].get<std::vector<std::string>>())
			argv.push_back(replaced(replaced(word, "{dev}", sg.path()), "{tmp}", tmp));
		ASSERT_OK_AND_ASSIGN(Exit exit, run(argv));
		EXPECT_EQ(exit.status, entry["status"].get<int>()) << exit.output;
		std::string name = entry["name"].get<std::string>() + ".txt";
		std::string text = shown(exit.output, sg.path(), tmp);
		ASSERT_OK(write_file("/out/sg3/" + name, text));
		EXPECT_EQ(text, read_file(data + name).value_or("(no golden file)"));
		named_.insert(name);
		decode_sent(sg, exit.output, exit.status != 0);
		if (entry.contains("after"))
			expect_blocks(sg, entry["after"]);
	}
};

TEST_F(Sg3Tour, GoldenFiles)
{
	ASSERT_OK_AND_ASSIGN(Sg3Unit unit, Sg3Unit::create("naa.5001405000000001", true));
	ASSERT_OK(unit.backstore.set("max_write_same_len", "4096"));
	decode::Findings findings;
	ASSERT_OK(survey(unit.sg, facts_, findings));
	ASSERT_OK_AND_ASSIGN(findings, unexplained(findings));
	EXPECT_TRUE(findings.empty()) << testing::PrintToString(findings);
	if (exists(unit.target.tpg() + "/rtpi"))
		rtpi_ = read_value(unit.target.tpg() + "/rtpi").value_or("?");
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create());
	for (const auto &[name, byte] : {std::pair("5a", '\x5a'), {"a5", '\xa5'}, {"00", '\0'}})
		ASSERT_OK(write_file(tmp / name, std::string(4096, byte)));
	ASSERT_OK(make_dirs("/out/sg3"));
	ASSERT_OK_AND_ASSIGN(std::string text, read_file(data + "tour.json"));
	for (const auto &entry : nlohmann::json::parse(text)) {
		SCOPED_TRACE(entry["name"].get<std::string>());
		step(unit.sg, entry, tmp.path());
	}
	for (const auto &file : std::filesystem::directory_iterator(data)) {
		bool golden = file.path().extension() == ".txt";
		EXPECT_TRUE(!golden || named_.contains(file.path().filename())) << file.path() << " belongs to no call";
	}
	EXPECT_GE(answers_, 40u);
	EXPECT_GE(requests_, 20u);
}

} // namespace
} // namespace lio::test
