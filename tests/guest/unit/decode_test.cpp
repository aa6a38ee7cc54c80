// SPDX-License-Identifier: GPL-2.0
// The decoder of answers: what is right passes, and each byte that is broken on purpose is found.
#include <gtest/gtest.h>

#include "decode.hpp"

namespace lio::test::decode {
namespace {

using Memory = std::vector<uint8_t>;

Memory operator+(Memory left, const Memory &right)
{
	left.insert(left.end(), right.begin(), right.end());
	return left;
}

Memory text(const std::string &t)
{
	return {t.begin(), t.end()};
}

Memory zeros(size_t n)
{
	return Memory(n);
}

Memory rsoc_entry(uint8_t opcode, int sa, uint8_t length)
{
	return {opcode, 0, 0, uint8_t(sa < 0 ? 0 : sa), 0, uint8_t(sa >= 0), 0, length};
}

struct Broken {
	size_t at;
	uint8_t value;
};

/// An answer that is right, and bytes that make it wrong.
struct Sample {
	const char *name;
	Cdb cdb;
	Memory good;
	std::vector<Broken> broken;
};

std::ostream &operator<<(std::ostream &os, const Sample &s)
{
	return os << s.name;
}

const Memory std_inquiry = Memory{0, 0, 6, 2, 91, 0xb0, 0x10, 2} + text("LIO-ORG RAMDISK-MCP     4.0 ") + zeros(22) +
			   Memory{0, 0xa0, 0x0c, 0x60, 4, 0x60, 4, 0xc0} + zeros(30);
const Memory ident = Memory{0, 0x83, 0, 100} + // NAA, T10, NAA of the port, port, group, unit group, names
		     Memory{1, 3, 0, 16, 0x60, 1, 0x40, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} + Memory{2, 1, 0, 12} +
		     text("LIO-ORG 123") + zeros(1) + Memory{0x61, 0x93, 0, 8, 0x50, 1, 0x40, 0x50, 0, 0, 0, 1} +
		     Memory{0x61, 0x94, 0, 4, 0, 0, 0, 1} + Memory{0x61, 0x95, 0, 4, 0, 0, 0, 0} +
		     Memory{1, 6, 0, 4, 0, 0, 0, 0} + Memory{0x63, 0xa8, 0, 24} + text("naa.5001405000000001") + zeros(4);
const Memory iscsi_ident = Memory{0, 0x83, 0, 56} + Memory{2, 1, 0, 12} + text("LIO-ORG 123") + zeros(1) +
			   Memory{0x53, 0x98, 0, 20} + text("iqn.a:b,t,0x0001") + zeros(4) + Memory{0x53, 0xa8, 0, 12} +
			   text("iqn.a:bc") + zeros(4);
const Memory limits_page = Memory{0, 0xb0, 0, 60, 1, 255, 0, 1, 0, 0, 0x20, 0, 0, 0, 0x10, 0} + zeros(4) +
			   Memory{0, 0, 0x20, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0x80, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0x10, 0} + zeros(20);
const Memory mode_lists = Memory{0x01, 0x0a} + zeros(10) + Memory{0x08, 0x12, 4} + zeros(9) + Memory{0x20} + zeros(7) +
			  Memory{0x0a, 0x0a, 2, 0x10, 0, 0x40, 0, 0, 0xff, 0xff, 0, 30} + Memory{0x1c, 0x0a} + zeros(10);
const Memory usage_of_read = {0x28, 0x1a, 0xff, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff, 0};

const Sample samples[] = {
	{"inquiry", cdb::inquiry(255), std_inquiry,
	 {{0, 0x60}, {0, 0x40}, {1, 0x01}, {2, 5}, {3, 3}, {3, 0x82}, {4, 90}, {5, 0xb2}, {6, 0x90}, {7, 0x82}, {8, 0x07}, {16, ' '}, {57, 1}, {60, 4}, {80, 1}}},
	{"pages", cdb::inquiry_vpd(0), {0, 0, 0, 3, 0, 0x80, 0x83}, {{1, 1}, {3, 2}, {4, 1}, {5, 0x84}}},
	{"serial", cdb::inquiry_vpd(0x80), Memory{0, 0x80, 0, 4} + text("123") + zeros(1), {{1, 0x83}, {3, 5}, {5, 0}, {5, 0x80}}},
	{"ident", cdb::inquiry_vpd(0x83, 1024), ident,
	 {{3, 99}, {4, 2}, {4, 0x11}, {5, 0x13}, {5, 0x33}, {5, 7}, {5, 0x83}, {6, 1}, {7, 15}, {8, 0x70}, {8, 0x50}, {24, 1}, {28, 'l' - 0x60},
	  {41, 0x94}, {52, 0x51}, {53, 0x84}, {56, 1}, {59, 0}, {61, 0x85}, {69, 0x16}, {76, 0x62}, {80, 'N'}, {88, 'x'}, {96, ','}, {100, 'x'}, {102, 1}}},
	{"iscsi ident", cdb::inquiry_vpd(0x83, 1024), iscsi_ident, {{20, 0x63}, {21, 0xa8}, {34, ';'}, {39, 'x'}, {45, 0x98}, {52, ','}}},
	{"extended", cdb::inquiry_vpd(0x86), Memory{0, 0x86, 0, 60, 0, 7, 1} + zeros(57), {{3, 59}, {4, 4}, {5, 0x47}, {5, 6}, {6, 0x11}, {7, 0x20}, {9, 0x10}, {12, 1}, {20, 1}}},
	{"limits", cdb::inquiry_vpd(0xb0), limits_page,
	 {{3, 61}, {4, 3}, {10, 8}, {14, 0x21}, {22, 0}, {27, 0}, {31, 4}, {32, 0}, {51, 1}}},
	{"characteristics", cdb::inquiry_vpd(0xb1), Memory{0, 0xb1, 0, 60, 0, 1, 0, 0x80} + zeros(56), {{5, 2}, {4, 2}, {7, 0x86}, {8, 4}, {9, 1}}},
	{"provisioning", cdb::inquiry_vpd(0xb2), {0, 0xb2, 0, 4, 1, 0xe4, 2, 0}, {{3, 5}, {5, 0xe5}, {5, 0xfc}, {5, 4}, {6, 3}, {6, 8}, {7, 1}}},
	{"mode sense 6", cdb::mode_sense(6, 0x3f), Memory{0x43, 0, 0x10, 8, 0, 2, 0, 0, 0, 0, 2, 0} + mode_lists,
	 {{0, 0x42}, {1, 1}, {2, 0x11}, {3, 7}, {12, 0x81}, {12, 9}, {13, 9}, {21, 1}, {24, 7}, {40, 1}, {44, 8}, {46, 0x42}, {47, 0x20}, {47, 4},
	  {48, 0x10}, {49, 0x08}, {50, 1}, {58, 0x40}, {59, 0x10}, {59, 7}}},
	{"mode sense 10", cdb::mode_sense(10, 8), Memory{0, 34, 0, 0, 0, 0, 0, 8, 0, 2, 0, 0, 0, 0, 2, 0, 8, 0x12} + zeros(18), {{1, 33}, {2, 1}, {4, 2}, {5, 1}, {7, 16}, {16, 10}}},
	{"log pages", {0x4d, 0, 0x40, 0, 0, 0, 0, 0, 255, 0}, {0, 0, 0, 2, 0, 0x0c}, {{0, 0x40}, {0, 1}, {1, 1}, {3, 3}, {4, 1}, {5, 0x4c}, {5, 0}}},
	{"log provisioning", {0x4d, 0, 0x4c, 0, 0, 0, 0, 0, 255, 0}, {0x0c, 0, 0, 12, 0, 2, 3, 8, 0, 0, 0, 1, 1, 0, 0, 0},
	 {{3, 11}, {5, 3}, {6, 1}, {6, 0x43}, {7, 4}, {12, 3}, {12, 5}, {13, 1}}},
	{"opcodes", cdb::rsoc(), Memory{0, 0, 0, 24} + rsoc_entry(0x28, -1, 10) + rsoc_entry(0x9e, 0x10, 16) + rsoc_entry(0x9e, 0x12, 16),
	 {{3, 23}, {4, 0x9f}, {5, 1}, {7, 1}, {9, 2}, {9, 4}, {11, 12}, {23, 0x10}, {23, 0x0f}}},
	{"opcode", cdb::rsoc_one(0x28, 0, 1), Memory{0, 3, 0, 10} + usage_of_read, {{0, 1}, {1, 2}, {1, 0x83}, {1, 0x13}, {3, 9}, {4, 0x2a}}},
	{"opcode with action", cdb::rsoc_one(0x9e, 0x10, 2), Memory{0, 3, 0, 16, 0x9e, 0x10} + zeros(8) + Memory{0xff, 0xff, 0xff, 0xff} + zeros(2), {{5, 0x12}, {5, 0}}},
	{"no opcode", cdb::rsoc_one(0xaa, 0, 1), {0, 1, 0, 0}, {{1, 0x81}, {3, 6}}},
	{"tmfs", {0xa3, 0x0d, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0}, {0x88, 0, 0, 0}, {{0, 8}, {1, 8}, {2, 1}, {3, 12}}},
	{"capacity 10", cdb::read_capacity10(), {0, 1, 0xff, 0xff, 0, 0, 2, 0}, {}},
	{"capacity 16", cdb::read_capacity16(), Memory{0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 2, 0, 0, 3, 0xc0, 0} + zeros(16),
	 {{12, 2}, {12, 0x40}, {12, 7}, {14, 0x40}, {15, 8}, {16, 1}, {31, 1}}},
	{"lba status", cdb::get_lba_status(8, 256), Memory{0, 0, 0, 36, 0, 0, 0, 0} + Memory{0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 8, 1, 0, 0, 0} +
	 Memory{0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 8, 0, 0, 0, 0}, {{3, 20}, {3, 37}, {4, 1}, {15, 0}, {19, 0}, {20, 3}, {20, 0x11}, {21, 1}, {31, 17}}},
	{"luns", cdb::report_luns(), Memory{0, 0, 0, 16} + zeros(12) + Memory{0, 1} + zeros(6), {{3, 17}, {4, 1}, {9, 1}, {10, 1}, {16, 0xc0}, {16, 1}}},
	{"sense", cdb::request_sense(), Memory{0x70, 0, 0, 0, 0, 0, 0, 10} + zeros(10), {{0, 0x72}, {1, 1}, {2, 0x10}, {6, 1}, {7, 9}}},
	{"descriptor sense", cdb::request_sense(252, true), {0x72, 0, 0, 0, 0, 0, 0, 0}, {{0, 0x70}, {1, 0x10}, {5, 1}, {7, 1}}},
	{"buffer", {0x3c, 3, 0, 0, 0, 0, 0, 0, 4, 0}, {0, 0, 2, 0}, {{0, 0x7f}}},
	{"echo buffer", {0x3c, 0x0b, 0, 0, 0, 0, 0, 0, 4, 0}, {0, 0, 2, 0}, {{0, 2}, {1, 1}, {2, 0x20}}},
	{"defects", {0x37, 0, 0x0d, 0, 0, 0, 0, 0, 255, 0}, {0, 0x0d, 0, 0}, {{0, 1}, {1, 0x15}, {1, 0x2d}, {3, 8}}},
	{"diagnostic", {0x1c, 1, 0, 0, 255, 0}, {0, 0, 0, 1, 0}, {{0, 1}, {3, 2}, {4, 1}}},
};

class Decode : public testing::TestWithParam<Sample> {};

Findings judge(const Cdb &cdb, const Memory &bytes)
{
	Findings out;
	Facts facts;
	EXPECT_TRUE(answer(cdb, bytes, facts, out));
	return out;
}

TEST_P(Decode, GoodBytes)
{
	Findings out = judge(GetParam().cdb, GetParam().good);
	EXPECT_TRUE(out.empty()) << testing::PrintToString(out);
}

TEST_P(Decode, BrokenBytes)
{
	for (const Broken &b : GetParam().broken) {
		Memory bytes = GetParam().good;
		ASSERT_LT(b.at, bytes.size());
		EXPECT_NE(bytes[b.at], b.value) << b.at;
		bytes[b.at] = b.value;
		EXPECT_FALSE(judge(GetParam().cdb, bytes).empty()) << "byte " << b.at << " = " << unsigned(b.value);
	}
}

TEST_P(Decode, CutAndLongerBytes)
{
	const Memory &good = GetParam().good;
	Memory longer = good;
	longer.push_back(0);
	EXPECT_FALSE(judge(GetParam().cdb, longer).empty());
	// Every length, for the reader's sake: nothing behind the end is looked at (sanitizers).
	for (size_t len = 0; len < good.size(); len++)
		(void)judge(GetParam().cdb, Memory(good.begin(), good.begin() + long(len)));
}

INSTANTIATE_TEST_SUITE_P(Answers, Decode, testing::ValuesIn(samples), [](const auto &info) {
	std::string name = info.param.name;
	for (char &c : name)
		c = c == ' ' ? '_' : c;
	return name;
});

TEST(DecodeAnswer, UnknownCommand)
{
	Facts facts;
	Findings out;
	EXPECT_FALSE(answer(cdb::read(10, 0, 1), Memory(512), facts, out));
	EXPECT_FALSE(known(Cdb{0x9e, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(DecodeAnswer, CutAnswerIsNoError)
{
	Memory cut(std_inquiry.begin(), std_inquiry.begin() + 36);
	EXPECT_TRUE(judge(cdb::inquiry(36), cut).empty());
	EXPECT_FALSE(judge(cdb::inquiry(40), cut).empty());
}

Facts agreeing()
{
	Facts f;
	f.device_type = 0;
	f.protocol = 6;
	f.versions = {0x00a0, 0x0460, 0x04c0, 0x0c60};
	f.vendor = "LIO-ORG ";
	f.serial = "123";
	f.t10_ids = {"LIO-ORG RD:123"};
	f.vpd_pages = f.vpd_seen = {0x00, 0x80, 0x83};
	f.v_sup = false;
	f.limits = Facts::Limits{.wsnz = true, .max_caw = 255, .granularity = 1, .max_transfer = 8192, .optimal = 8192, .max_prefetch = 0,
				 .max_unmap = 4096, .max_unmap_descs = 1, .unmap_granularity = 1, .unmap_alignment = 0,
				 .max_write_same = 4096, .max_atomic = 0};
	f.provisioning = Facts::Provisioning{.threshold = 3, .lbpu = true, .lbpws = true, .lbpws10 = true, .lbprz = true, .anc_sup = false, .type = 0};
	f.capacity = Facts::Capacity{.last = 99, .block = 512, .lbpme = true, .lbprz = true, .prot_en = false};
	f.capacity10 = {99, 512};
	f.descriptor_block = 512;
	f.dpofua = true;
	f.mode_pages[0x08] = {{8, 18, 0}, {8, 18, 0}, {8, 18, 0}};
	f.log_pages = f.log_seen = {0x00, 0x0c};
	f.wabereq = 0;
	f.opcodes.emplace();
	for (uint8_t opcode : {0x00, 0x03, 0x12, 0x1d})
		(*f.opcodes)[{opcode, -1}] = 6;
	for (uint8_t opcode : {0x25, 0x28, 0x2a, 0x35, 0x42})
		(*f.opcodes)[{opcode, -1}] = 10;
	for (uint8_t opcode : {0x88, 0x89, 0x8a, 0x93})
		(*f.opcodes)[{opcode, -1}] = 16;
	(*f.opcodes)[{0xa0, -1}] = 12;
	(*f.opcodes)[{0x9e, 0x10}] = 16;
	f.usage[{0x28, -1}] = usage_of_read;
	return f;
}

TEST(DecodeConsistency, Contradictions)
{
	auto wrong = [](auto change) {
		Facts f = agreeing();
		change(f);
		Findings out;
		consistency(f, out);
		return out;
	};
	Findings none = wrong([](Facts &) {});
	EXPECT_TRUE(none.empty()) << testing::PrintToString(none);
	using Change = void (*)(Facts &);
	for (Change change : std::initializer_list<Change>{
		     [](Facts &f) { f.vpd_seen->insert(0xb0); }, [](Facts &f) { f.serial = "124"; },
		     [](Facts &f) { f.vendor = "OTHER   "; }, [](Facts &f) { f.protocol = 5; },
		     [](Facts &f) { f.versions.erase(0x00a0); }, [](Facts &f) { f.versions.erase(0x0460); },
		     [](Facts &f) { f.versions.erase(0x04c0); }, [](Facts &f) { f.limits->max_unmap = 0; },
		     [](Facts &f) { f.limits->max_caw = 0; }, [](Facts &f) { f.limits->max_atomic = 8; },
		     [](Facts &f) { f.opcodes->erase({0x93, -1}); }, [](Facts &f) { f.wabereq = 2; },
		     [](Facts &f) { f.provisioning->lbpu = false; }, [](Facts &f) { f.capacity->lbpme = false; },
		     [](Facts &f) { f.provisioning->lbprz = false; }, [](Facts &f) { f.provisioning->threshold = 0; },
		     [](Facts &f) { f.capacity10->first = 98; }, [](Facts &f) { f.descriptor_block = 4096; },
		     [](Facts &f) { f.capacity->prot_en = true; }, [](Facts &f) { f.mode_pages[0x08].current[2] = 4; },
		     [](Facts &f) { f.mode_pages[0x08].changeable = {8, 10}; }, [](Facts &f) { f.dpofua = false; },
		     [](Facts &f) { f.log_seen->erase(0x0c); }, [](Facts &f) { f.opcodes->erase({0xa0, -1}); },
		     [](Facts &f) { f.unsupported.insert({0x28, -1}); }, [](Facts &f) { f.usage[{0x2f, -1}] = Memory(10); },
		     [](Facts &f) { f.usage[{0x2a, -1}] = Memory(6); },
		     [](Facts &f) { f.usage[{0x93, -1}] = Memory(16); },
		     [](Facts &f) { f.tpgs = 1; }, [](Facts &f) { f.tpgs = 2; (*f.opcodes)[{0xa3, 0x0a}] = 12; },
		     [](Facts &f) { f.third_party = true; }})
		EXPECT_FALSE(wrong(change).empty());
}

TEST(DecodeRequest, AgainstUsage)
{
	auto wrong = [](const Cdb &cdb) {
		Findings out;
		request(cdb, agreeing(), out);
		return !out.empty();
	};
	EXPECT_FALSE(wrong(cdb::read(10, 5, 1, {.fua = true})));
	EXPECT_TRUE(wrong(cdb::read(10, 5, 1, {.protect = 1})));
	EXPECT_TRUE(wrong(cdb::verify(10, 5, 1)));
	Cdb shorter(6);
	shorter[0] = 0x28;
	EXPECT_TRUE(wrong(shorter));
}

} // namespace
} // namespace lio::test::decode
