// SPDX-License-Identifier: GPL-2.0
// INQUIRY data, VPD pages and mode pages: beside what the stock module of 6.12 answered for the same
// configuration, field by field where ours differs, and with any parameter list.
#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "spc_pages.h"
}

namespace {

using Bytes = std::vector<uint8_t>;

Bytes hex(const std::string &text)
{
	Bytes bytes;
	std::string digits;
	for (char c : text) {
		if (isxdigit(static_cast<unsigned char>(c)))
			digits += c;
		if (digits.size() == 2) {
			bytes.push_back(uint8_t(std::stoul(digits, nullptr, 16)));
			digits.clear();
		}
	}
	return bytes;
}

Bytes ascii(const std::string &text)
{
	return {text.begin(), text.end()};
}

Bytes operator+(Bytes left, const Bytes &right)
{
	left.insert(left.end(), right.begin(), right.end());
	return left;
}

/// A ramdisk as loopback shows it.
inquiry_facts ramdisk()
{
	inquiry_facts f{};
	f.tpgs = 3;
	f.third_party_copy = true;
	f.vendor = "LIO-ORG";
	f.model = "RAMDISK-MCP";
	f.revision = "4.0";
	f.company_id = 0x1405;
	f.serial = "";
	f.proto = 6; // SAS
	f.port_name = "naa.5001405000000001";
	f.tpgt = 1;
	f.has_tg_pt_gp = f.has_lu_gp = true;
	return f;
}

Bytes vpd(uint8_t page, const inquiry_facts &f, size_t room = 1024)
{
	std::vector<uint8_t> memory(room);
	page_buf p{memory.data(), memory.size(), 0};
	EXPECT_TRUE(inquiry_build_vpd(page, &f, &p)) << int(page);
	memory.resize(p.len);
	return memory;
}

Bytes standard(const inquiry_facts &f)
{
	Bytes memory(96);
	page_buf p{memory.data(), memory.size(), 0};
	inquiry_build_std(&f, &p);
	EXPECT_EQ(p.len, 96u);
	return memory;
}

Bytes with_serial(const char *serial, uint8_t page)
{
	inquiry_facts f = ramdisk();
	f.has_serial = true;
	f.serial = serial;
	return vpd(page, f);
}

Bytes naa_of(const char *serial)
{
	Bytes page = with_serial(serial, 0x83);
	return {page.begin() + 8, page.begin() + 24};
}

/// Stock ends the port's name string with ",t,0x0001", which only an iSCSI port has, and does not tell
/// the SAS address as NAA (SPL-3).
const Bytes ports = hex("61 93 00 08 50 01 40 50 00 00 00 01 61 94 00 04 00 00 00 00 61 95 00 04 00 00 00 00"
			"01 06 00 04 00 00 00 00 63 98 00 18") +
		    ascii("naa.5001405000000001") + Bytes(4) + hex("63 a8 00 18") + ascii("naa.5001405000000001") + Bytes(4);

TEST(Inquiry, StandardDataOfARamdisk)
{
	Bytes expected = hex("00 00 06 02 5b b8 00 02") + ascii("LIO-ORG RAMDISK-MCP     4.0 ") + Bytes(22) +
			 hex("00a0 0c60 0460 04c0");
	expected.resize(96);
	EXPECT_EQ(standard(ramdisk()), expected);
}

TEST(Inquiry, StandardDataOfALunWithoutADevice)
{
	inquiry_facts f = ramdisk();
	f.peripheral = 0x3f;
	f.tpgs = 0;
	f.multip = true;
	f.proto = 5;
	Bytes data = standard(f);
	EXPECT_EQ(data[0], 0x3f);
	EXPECT_EQ(data[5], 0x88);
	EXPECT_EQ(data[6], 0x10);
	EXPECT_EQ(Bytes(data.begin() + 58, data.begin() + 66), hex("00a0 0960 0460 0000"));
}

TEST(Inquiry, FieldsAreCutAtTheirWidth)
{
	inquiry_facts f = ramdisk();
	f.vendor = "123456789";
	f.model = "a model with more than 16 bytes";
	f.revision = "12345";
	Bytes data = standard(f);
	EXPECT_EQ(Bytes(data.begin() + 8, data.begin() + 36), ascii("12345678a model with mor1234"));
}

TEST(Inquiry, NoPageBeyondTheListed)
{
	inquiry_facts f = ramdisk();
	f.has_serial = true;
	Bytes list = vpd(0, f);
	EXPECT_EQ(list, hex("00 00 00 08 00 80 83 86 b0 b1 b2 b3"));
	for (int page = 0; page < 256; page++) {
		Bytes memory(1024);
		page_buf p{memory.data(), memory.size(), 0};
		bool listed = std::find(list.begin() + 4, list.end(), page) != list.end();
		EXPECT_EQ(inquiry_build_vpd(uint8_t(page), &f, &p), listed) << page;
		if (listed) {
			EXPECT_EQ(memory[1], page);
			EXPECT_EQ(size_t(memory[2] << 8 | memory[3]), p.len - 4) << page;
		}
	}
}

TEST(Inquiry, IdentityIsNotListedWithoutASerial)
{
	EXPECT_EQ(vpd(0, ramdisk()), hex("00 00 00 06 00 86 b0 b1 b2 b3"));
	EXPECT_EQ(vpd(0x80, ramdisk()), hex("00 80 00 00"));
	EXPECT_EQ(vpd(0x83, ramdisk()), hex("00 83 00 69 02 01 00 09") + ascii("LIO-ORG ") + Bytes(1) + ports);
}

TEST(Inquiry, IdentityAsStockHasIt)
{
	EXPECT_EQ(with_serial("abc", 0x80), hex("00 80 00 04 61 62 63 00"));
	EXPECT_EQ(with_serial("abc", 0x83),
		  hex("00 83 00 8c 01 03 00 10 60 01 40 5a bc 00 00 00 00 00 00 00 00 00 00 00 02 01 00 18") +
			  ascii("LIO-ORG RAMDISK-MCP:abc") + Bytes(1) + ports);
}

TEST(Inquiry, NaaTakesTheHexDigitsOfTheSerial)
{
	EXPECT_EQ(naa_of("12345"), hex("60 01 40 51 23 45 00 00 00 00 00 00 00 00 00 00"));
	EXPECT_EQ(naa_of("0123456789abcdef01234567"), hex("60 01 40 50 12 34 56 78 9a bc de f0 12 34 56 70"));
	EXPECT_EQ(naa_of("zz-12-!!x9y8"), hex("60 01 40 51 29 80 00 00 00 00 00 00 00 00 00 00"));
	EXPECT_EQ(naa_of("AbCdEfGh"), hex("60 01 40 5a bc de f0 00 00 00 00 00 00 00 00 00"));
	EXPECT_EQ(naa_of("a\xc3\xa9" "9"), hex("60 01 40 5a 90 00 00 00 00 00 00 00 00 00 00 00"));
	EXPECT_EQ(naa_of("3e4ce3c8-1d80-4baf-a9d0-a9dd0b9a6bd1"),
		  hex("60 01 40 53 e4 ce 3c 81 d8 04 ba fa 9d 0a 9d d0"));
	EXPECT_EQ(naa_of(std::string(253, 'f').c_str()), hex("60 01 40 5f ff ff ff ff ff ff ff ff ff ff ff ff"));
}

/// The designators of the port and its device for a protocol and what the fabric calls the port.
Bytes port_names(uint8_t proto, const char *name)
{
	inquiry_facts f = ramdisk();
	f.proto = proto;
	f.port_name = name;
	f.tpgt = 0xa01f;
	f.has_tg_pt_gp = f.has_lu_gp = false;
	Bytes page = vpd(0x83, f);
	return {page.begin() + 17, page.end()}; // behind the vendor's
}

TEST(Inquiry, NamesOfPortsAreTheirProtocols)
{
	auto port = [](uint8_t first) { return Bytes{first, 0x94} + hex("00 04 00 00 00 00"); };
	const Bytes fc = ascii("naa.20000050DEADBEEF") + Bytes(4);
	for (const char *name : {"20000050deadbeef", "20:00:00:50:de:ad:be:ef", "naa.20000050DEADBEEF"})
		EXPECT_EQ(port_names(0, name), port(0x01) + hex("03 98 00 18") + fc + hex("03 a8 00 18") + fc) << name;
	const Bytes sbp = ascii("eui.0123456789ABCDEF") + Bytes(4);
	EXPECT_EQ(port_names(3, "0123456789abcdef"), port(0x31) + hex("33 98 00 18") + sbp + hex("33 a8 00 18") + sbp);
	const Bytes srp = ascii("eui.FE80000000000000000211FFFE123456") + Bytes(4);
	EXPECT_EQ(port_names(4, "0xfe80000000000000000211fffe123456"),
		  port(0x41) + hex("43 98 00 28") + srp + hex("43 a8 00 28") + srp);
	EXPECT_EQ(port_names(5, "iqn.a:b"),
		  port(0x51) + hex("53 98 00 14") + ascii("iqn.a:b,t,0xA01F") + Bytes(4) + hex("53 a8 00 08") + ascii("iqn.a:b") + Bytes(1));
	for (const char *name : {"naa.500140500000001", "naa.50014050000000012", "naa.500140500000000g", "naa.", "x"})
		EXPECT_EQ(port_names(6, name), port(0x61)) << name;
}

/// Every descriptor lies in the page, whatever its strings and the room.
void check_descriptors(const Bytes &page)
{
	ASSERT_GE(page.size(), 4u);
	ASSERT_EQ(size_t(page[2] << 8 | page[3]), page.size() - 4);
	for (size_t at = 4; at < page.size(); at += 4 + page[at + 3]) {
		ASSERT_LE(at + 4, page.size());
		ASSERT_LE(at + 4 + page[at + 3], page.size());
		if ((page[at + 1] & 0xf) == 8) {
			EXPECT_EQ(page[at + 3] % 4, 0);
			EXPECT_EQ(page[at + 3 + page[at + 3]], 0);
		}
	}
}

TEST(Inquiry, DescriptorsFitWhateverTheNames)
{
	for (size_t length : {0, 1, 2, 3, 4, 223, 224, 240, 251, 252, 253}) {
		std::string name(length, 'n'), serial(length, '7');
		inquiry_facts f = ramdisk();
		f.has_serial = true;
		f.serial = serial.c_str();
		f.port_name = name.c_str();
		f.proto = 5; // whose names are taken as they are
		for (size_t room : {64, 200, 300, 600, 1024})
			check_descriptors(vpd(0x83, f, room));
	}
}

TEST(Inquiry, LimitsOfAThinFile)
{
	inquiry_facts f = ramdisk();
	f.max_caw = 1; // stock's; ours takes more
	f.granularity = 1;
	f.max_transfer = f.optimal_transfer = 0x4000;
	f.max_unmap = 0x2000;
	f.max_unmap_descs = f.unmap_granularity = 1;
	f.max_write_same = 0x1000;
	f.lbpu = f.lbpws = true;
	Bytes expected = hex("00 b0 00 3c 01 01 00 01 00 00 40 00 00 00 40 00 00 00 00 00 00 00 20 00 00 00 00 01"
			     "00 00 00 01 00 00 00 00 00 00 00 00 00 00 10 00");
	expected.resize(64);
	EXPECT_EQ(vpd(0xb0, f), expected);
	EXPECT_EQ(vpd(0xb2, f), hex("00 b2 00 04 00 e0 00 00"));
	f.lbprz = true;
	EXPECT_EQ(vpd(0xb2, f)[5], 0xe4);
	f.lbpu = false;
	Bytes no_unmap = vpd(0xb0, f);
	EXPECT_EQ(Bytes(no_unmap.begin() + 20, no_unmap.begin() + 28), Bytes(8));
	EXPECT_EQ(vpd(0xb2, f)[5], 0x64);
}

TEST(Inquiry, ProtectionAsStockHasIt)
{
	inquiry_facts f = ramdisk();
	EXPECT_EQ(vpd(0x86, f)[4], 0x00);
	EXPECT_EQ(vpd(0x86, f)[5], 0x07);
	f.prot_type = 1;
	EXPECT_EQ(vpd(0x86, f)[4], 0x1d);
	EXPECT_EQ(standard(f)[5], 0xb9);
	f.prot_type = 3;
	EXPECT_EQ(vpd(0x86, f)[4], 0x1c);
}

/// The ramdisk of 16 MiB.
mode_facts mode_ramdisk()
{
	mode_facts f{};
	f.direct_access = f.unrestricted = f.tas = true;
	f.blocks = 0x8000;
	f.block_size = 512;
	return f;
}

Bytes sense(const mode_facts &f, bool ten, bool dbd, uint8_t page, mode_pc pc = MODE_CURRENT,
	    bool llbaa = false, uint8_t subpage = 0)
{
	Bytes memory(MODE_BUF);
	page_buf p{memory.data(), memory.size(), 0};
	EXPECT_EQ(mode_build(&f, ten, dbd, llbaa, pc, page, subpage, &p), MODE_OK);
	memory.resize(p.len);
	return memory;
}

const Bytes all_pages = hex("01 0a 00 00 00 00 00 00 00 00 00 00 08 12 00 00 00 00 00 00 00 00 00 00 20 00 00 00"
			    "00 00 00 00 0a 0a 02 10 00 40 00 00 ff ff 00 1e 1c 0a 00 00 00 00 00 00 00 00 00 00");

TEST(ModeSense, AllPagesAsStockHasThem)
{
	mode_facts f = mode_ramdisk();
	EXPECT_EQ(sense(f, false, true, 0x3f), hex("3b 00 00 00") + all_pages);
	EXPECT_EQ(sense(f, false, true, 0x3f, MODE_CURRENT, false, 0xff), hex("3b 00 00 00") + all_pages);
	// NUMBER OF LOGICAL BLOCKS: stock has the last LBA there.
	EXPECT_EQ(sense(f, false, false, 0x3f), hex("43 00 00 08 00 00 80 00 00 00 02 00") + all_pages);
	EXPECT_EQ(sense(f, true, false, 0x3f, MODE_DEFAULT, true),
		  hex("00 46 00 00 00 00 00 08 00 00 80 00 00 00 02 00") + all_pages);
	EXPECT_EQ(sense(f, true, true, 0x0a, MODE_CHANGEABLE),
		  hex("00 12 00 00 00 00 00 00 0a 0a 00 00 00 00 00 00 00 00 00 00"));
}

TEST(ModeSense, FieldsOfTheFacts)
{
	mode_facts f = mode_ramdisk();
	f.write_protect = f.dpofua = f.write_cache = f.d_sense = f.protection = true;
	f.unrestricted = f.tas = false;
	f.ua_intlck = 3;
	EXPECT_EQ(sense(f, false, true, 0x08)[2], 0x90);
	EXPECT_EQ(sense(f, false, true, 0x08)[6], 0x04);
	EXPECT_EQ(sense(f, false, true, 0x0a), hex("0f 00 90 00 0a 0a 06 00 30 80 00 00 ff ff 00 1e"));
}

TEST(ModeSense, LongLbas)
{
	mode_facts f = mode_ramdisk();
	f.blocks = 0x123456789a;
	EXPECT_EQ(sense(f, true, false, 0x1c, MODE_CURRENT, true),
		  hex("00 22 00 00 01 00 00 10 00 00 00 12 34 56 78 9a 00 00 00 00 00 00 02 00") +
			  hex("1c 0a 00 00 00 00 00 00 00 00 00 00"));
	EXPECT_EQ(sense(f, true, false, 0x1c)[8], 0xff);
}

TEST(ModeSense, PagesThatAreNotThere)
{
	mode_facts f = mode_ramdisk();
	for (int page = 0; page < 0x40; page++) {
		for (int subpage : {0, 1, 0xfe, 0xff}) {
			Bytes memory(MODE_BUF);
			page_buf p{memory.data(), memory.size(), 0};
			bool there = page == 1 || page == 8 || page == 0xa || page == 0x1c || page == 0x3f;
			bool sub = !subpage || subpage == 0xff;
			EXPECT_EQ(mode_build(&f, false, false, false, MODE_CURRENT, uint8_t(page), uint8_t(subpage), &p),
				  there && sub ? MODE_OK : MODE_NO_PAGE);
		}
	}
}

mode_error select(const Bytes &list, bool ten = false)
{
	mode_facts f = mode_ramdisk();
	// On the heap and no longer: the sanitizer sees a byte read too much.
	Bytes exact(list);
	exact.shrink_to_fit();
	return mode_check(&f, ten, exact.data(), exact.size());
}

TEST(ModeSelect, TakesBackWhatModeSenseGave)
{
	mode_facts f = mode_ramdisk();
	for (bool dbd : {false, true}) {
		for (bool ten : {false, true})
			EXPECT_EQ(select(sense(f, ten, dbd, 0x3f), ten), MODE_OK);
	}
	EXPECT_EQ(select(hex("00 00 00 00")), MODE_OK);
}

TEST(ModeSelect, RefusesOtherValues)
{
	Bytes good = sense(mode_ramdisk(), false, true, 0x3f);
	for (size_t at = 4; at < good.size(); at++) {
		for (int bit = 0; bit < 8; bit++) {
			Bytes bad = good;
			bad[at] ^= uint8_t(1 << bit);
			EXPECT_NE(select(bad), MODE_OK) << at << '.' << bit;
		}
	}
	EXPECT_EQ(select(hex("00 00 00 00 0a 0a 00 00 00 00 00 00 00 00 00 00")), MODE_BAD_VALUE);
	EXPECT_EQ(select(hex("00 00 00 00 08 12 04 00 00 00 00 00 00 00 00 00 20 00 00 00 00 00 00 00")), MODE_BAD_VALUE);
	EXPECT_EQ(select(hex("00 01 00 00")), MODE_BAD_VALUE);
}

TEST(ModeSelect, BlockDescriptors)
{
	EXPECT_EQ(select(hex("00 00 00 08 00 00 00 00 00 00 02 00")), MODE_OK);
	EXPECT_EQ(select(hex("00 00 00 08 ff ff ff ff 00 00 02 00")), MODE_OK);
	EXPECT_EQ(select(hex("00 00 00 08 00 00 80 00 00 00 02 00")), MODE_OK);
	EXPECT_EQ(select(hex("00 00 00 08 00 00 80 01 00 00 02 00")), MODE_BAD_VALUE);
	EXPECT_EQ(select(hex("00 00 00 08 00 00 00 00 00 00 10 00")), MODE_BAD_VALUE);
	EXPECT_EQ(select(hex("00 00 00 07 00 00 00 00 00 00 02")), MODE_BAD_VALUE);
	EXPECT_EQ(select(hex("00 00 00 00 01 00 00 10 00 00 00 00 00 00 80 00 00 00 00 00 00 00 02 00"), true), MODE_OK);
	EXPECT_EQ(select(hex("00 00 00 00 01 00 00 08 00 00 80 00 00 00 02 00"), true), MODE_BAD_VALUE);
}

TEST(ModeSelect, EveryCutIsTruncated)
{
	for (bool ten : {false, true}) {
		Bytes good = sense(mode_ramdisk(), ten, false, 0x3f);
		size_t header = ten ? 8 : 4;
		std::set<size_t> whole = {header + 8, header + 20, header + 40, header + 52, good.size()};
		for (size_t len = 1; len <= good.size(); len++)
			EXPECT_EQ(select({good.begin(), good.begin() + long(len)}, ten),
				  whole.contains(len) ? MODE_OK : MODE_TRUNCATED) << len;
	}
}

/// As the distribution's target has it: what is missing is told before what is wrong.
TEST(ModeSelect, CutBeforeWrongLength)
{
	EXPECT_EQ(select(hex("00 00 00 00 0a 12 02 00")), MODE_TRUNCATED);
	EXPECT_EQ(select(hex("00 00 00 00 0a 12 02 10 00 40 00 00 ff ff 00 1e")), MODE_BAD_VALUE);
	EXPECT_EQ(select(hex("00 00 00 00 0b 12 02 00")), MODE_BAD_VALUE);
	EXPECT_EQ(select(hex("00 00 00 00 8a 0a 02 10")), MODE_TRUNCATED);
	EXPECT_EQ(select(hex("00 00 00 00 8a 0a 02 10 00 40 00 00 ff ff 00 1e")), MODE_BAD_VALUE);
	EXPECT_EQ(select(hex("00 01 00 08 00 00 00 00")), MODE_TRUNCATED);
	EXPECT_EQ(select(hex("00 01 00 00 0a")), MODE_TRUNCATED);
	EXPECT_EQ(select(hex("00 00 00 08 00 00 80 01 00 00 02 00 0a 0a 02")), MODE_TRUNCATED);
	EXPECT_EQ(select(hex("00 01 00 00")), MODE_BAD_VALUE);
	EXPECT_EQ(select(hex("00 01 00 00 0a 0a 02 10 00 40 00 00 ff ff 00 1e")), MODE_BAD_VALUE);
}

TEST(ModeSelect, AnyBytesStayInside)
{
	uint64_t seed = std::random_device{}();
	std::mt19937_64 random(seed);
	Bytes good = sense(mode_ramdisk(), false, false, 0x3f);
	int accepted = 0;
	for (int round = 0; round < 200000; round++) {
		Bytes list(good.begin(), good.begin() + long(1 + random() % good.size()));
		for (int change = int(random() % 3); change > 0; change--)
			list[random() % list.size()] = uint8_t(random());
		accepted += select(list, random() % 2) == MODE_OK;
	}
	EXPECT_GT(accepted, 0) << "seed " << seed;
	EXPECT_LT(accepted, 200000) << "seed " << seed;
}

} // namespace
