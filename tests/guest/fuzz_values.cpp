// SPDX-License-Identifier: GPL-2.0
#include "fuzz_values.hpp"

#include <cctype>

namespace lio::test {

namespace {

using namespace std::string_literals;

std::string repeated(const std::string &what, size_t bytes)
{
	std::string s;
	while (s.size() < bytes)
		s += what;
	s.resize(bytes);
	return s;
}

template <class T> const T &one_of(std::mt19937_64 &random, const std::vector<T> &all)
{
	return all[random() % all.size()];
}

/// Lists of KEY=VALUE: the keys of one parser, the values of all.
std::string random_list(std::mt19937_64 &random, const std::vector<std::string> &keys)
{
	static const std::vector<std::string> separators = {",", ",", ",", "\n", ",,", " ,", ";"};
	static const std::vector<std::string> equals = {"=", "=", "=", "=", "", "==", " = "};
	std::string list;
	for (size_t n = random() % 6; n < 6; n++) {
		list += one_of(random, keys);
		list += one_of(random, equals);
		list += random() % 3 ? std::to_string(random() >> random() % 64) : one_of(random, awkward_values());
		list += one_of(random, separators);
	}
	return list;
}

} // namespace

const std::vector<std::string> &awkward_values()
{
	static const std::vector<std::string> values = {
		"", "\n", " ", "0", "1", "2", "3", "7", "15", "16", "9", "a", "\0"s, "1\0"s, "1\0002"s, "\0\0\0\0"s, "-1", "-2",
		"-129", "-32769", "-2147483648", "-2147483649", "-9223372036854775808", "-9223372036854775809", "127", "128",
		"255", "256", "65535", "65536", "2147483647", "2147483648", "4294967295", "4294967296",
		"9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
		"99999999999999999999999999999999999999", "0x1", "0x7fffffff", "0xffffffff", "0xffffffffffffffff",
		"0x10000000000000000", "0x", "010", "0177777", "08", "1e3", "1.5", "+1", "+", "-", "--1", " 1", "1 ", "\t1\t", "1\n",
		"1\n\n", "\n1", "1,1", "1;rm", "0\n1\n", "1 1", "on", "off", "yes", "no", "Y", "N", "true", "NULL", "null", "none",
		"%n%n%n%s%x", "%p", "%99999d", "\\", "\"", "'", "../../..", "/", "/etc/passwd", "=", ",", ",,,,", "a=b", "a=",
		"=b", "\xc3\xa4\xc3\xb6", "\xe2\x82\xac", "\xf0\x9f\x92\xa9", "\xff\xfe", "\xc3", "\x01\x02\x7f", "\x1b[31m",
		"online", "offline", "onlineX", "NULLX", "naa.5001405000000001", "fc.5001405000000001",
		"iqn.2003-01.org.example:x", "naa.", "iqn.", "0x001405", "default_tg_pt_gp", "default_lu_gp", "gp1",
		repeated("1", 19), repeated("9", 63), repeated("x", 64), repeated("x", 255), repeated("x", 256),
		repeated("0", 1000), repeated("x", 511), repeated("x", 512), repeated("1", 4095), repeated("1", 4096),
		repeated("x", 4095), repeated("x", 4096), repeated("x", 4097), repeated("\n", 4096), repeated("a=1,", 4096),
		repeated("\0"s, 4096), repeated("\xe2\x82\xac", 4096), repeated("y", 10000),
	};
	return values;
}

std::string random_value(std::mt19937_64 &random, const std::vector<std::string> &known)
{
	std::string value = known.empty() || random() % 4 == 0 ? one_of(random, awkward_values()) : one_of(random, known);
	switch (random() % 8) {
	case 0: // as it is
		return value;
	case 1:
		return value + one_of(random, awkward_values());
	case 2:
		return value.substr(0, value.empty() ? 0 : random() % value.size());
	case 3:
		return std::to_string(random() >> random() % 64);
	case 4:
		return "-" + std::to_string(random() >> random() % 64);
	case 5:
		if (!value.empty())
			value[random() % value.size()] = char(random());
		return value;
	case 6:
		value.assign(random() % 80, '\0');
		for (char &c : value)
			c = char(random());
		return value;
	default:
		return one_of(random, awkward_values()) + value;
	}
}

std::string random_options(std::mt19937_64 &random)
{
	static const std::vector<std::string> keys = {
		"dev_config", "dev_size", "hw_block_size", "hw_max_sectors", "nl_reply_supported", "max_data_area_mb",
		"data_pages_per_blk", "cmd_ring_size_mb", "no_such_key", "dev_siz", "dev_sizes", "", " dev_size", "DEV_SIZE",
	};
	return random_list(random, keys);
}

std::string random_registration(std::mt19937_64 &random)
{
	static const std::vector<std::string> keys = {
		"initiator_fabric", "initiator_node", "initiator_sid", "sa_res_key", "res_holder", "res_type",
		"res_scope", "res_all_tg_pt", "mapped_lun", "target_fabric", "target_node", "tpgt", "port_rtpi", "target_lun",
	};
	return random_list(random, keys);
}

const std::vector<std::string> &awkward_names()
{
	static const std::vector<std::string> names = {
		"x", "a b", "\xe2\x82\xac", "\n", "%s%n", "=", ",", repeated("x", 250), repeated("n", 255), repeated("n", 256),
		"naa.", "naa.5", "naa.xyz", "naa.5001405ffffffff0", "naa.6001405ffffffff00000000000000000",
		"naa." + repeated("5", 100), "naa." + repeated("5", 240), "naa.5001405ffffffff1\n", "fc.", "fc.5001405ffffffff2",
		"fc." + repeated("1", 230), "iqn.", "iqn.2003-01.org.example:" + repeated("y", 200), "iqn.2003-01.org.example:ok",
		"eui.0123456789abcdef", "NAA.5001405ffffffff3", "tpgt_", "tpgt_0", "tpgt_1", "tpgt_7", "tpgt_15", "tpgt_16",
		"tpgt_65535", "tpgt_65536", "tpgt_4294967296", "tpgt_-1", "tpgt_1x", "tpgt_ 1", "tpgt_0x1", "tpgt_01", "tpgtX1",
		"tpgt_" + repeated("9", 200), "lun_", "lun_0", "lun_1", "lun_255", "lun_256", "lun_257", "lun_16383", "lun_16384",
		"lun_65535", "lun_65536", "lun_4294967296", "lun_18446744073709551616", "lun_-1", "lun_1x", "lun_ 2", "lun_0x3",
		"lun_03", "LUN_4", "lun_" + repeated("9", 200), "user_", "user_77", "user_-1", "user_99999999999", "user_1x",
		"default_tg_pt_gp", "gp7", "attrib", "lun", "acls", "np", "param", "auth", "statistics", "enable",
	};
	return names;
}

std::string shown(const std::string &value)
{
	std::string s = std::to_string(value.size()) + " bytes \"";
	for (unsigned char c : value.substr(0, 80)) {
		char hex[8];
		snprintf(hex, sizeof(hex), isprint(c) ? "%c" : "\\x%02x", c);
		s += hex;
	}
	return s + (value.size() > 80 ? "\"..." : "\"");
}

} // namespace lio::test
