// SPDX-License-Identifier: MIT
/** @file
 * What UIO and configfs say of a device, against anything that they could say.
 */
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include <tcmu/discovery.hpp>

#include "fuzz_check.hpp"

namespace tcmu::test {
namespace {

/** A device's directory below a root of this process. */
class Tree {
public:
	SystemPaths paths;
	DeviceName name;

	Tree()
	{
		char made[] = "/tmp/tcmu-fuzz-XXXXXX";
		root_ = mkdtemp(made);
		paths = {root_ + "/uio", root_ + "/dev", root_ + "/target"};
		name.name = "disk";
		for (const char *directory : {"/uio/uio0/maps/map0", "/target/core/user_0/disk/wwn"})
			std::filesystem::create_directories(root_ + directory);
	}
	~Tree() { std::filesystem::remove_all(root_); }

	void write(const std::string &path, std::string_view text) const
	{
		std::ofstream(root_ + path, std::ios::binary) << text;
	}

private:
	std::string root_;
};

void check_name(std::string_view text)
{
	auto name = parse_device_name(text);

	if (!name)
		return;
	FUZZ_CHECK(!name->name.empty() && name->name.find('/') == std::string::npos);
	FUZZ_CHECK(name->name != "." && name->name != "..");
	/* Put together again it is the text, but for the number's leading zeroes and a lone last '/'. */
	std::string_view rest = text.substr(text.find('/') + 1);
	uint32_t hba = 0;
	auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), hba);
	FUZZ_CHECK(error == std::errc() && hba == name->hba && *end == '/');
	std::string made = "/" + name->name + (name->config.empty() ? "" : "/" + name->config);
	std::string_view given(end, static_cast<size_t>(rest.data() + rest.size() - end));
	FUZZ_CHECK(given == made || (name->config.empty() && given == made + "/"));
	FUZZ_CHECK(name->path() == "user_" + std::to_string(hba) + "/" + name->name);
	std::string config(name->subtype());
	if (name->config.find('/') != std::string::npos)
		config += "/" + std::string(name->cfgstring());
	FUZZ_CHECK(config == name->config);
}

/** As strtoull reads it, where it is nothing but the number. */
void check_number(const std::string &line, const Result<uint64_t> &number)
{
	bool hex = line.starts_with("0x");
	std::string digits = line.substr(hex ? 2 : 0);
	bool plain = !digits.empty() && digits.find_first_not_of(hex ? "0123456789abcdefABCDEF" : "0123456789") ==
						std::string::npos;
	errno = 0;
	unsigned long long value = plain ? std::strtoull(digits.c_str(), nullptr, hex ? 16 : 10) : 0;
	FUZZ_CHECK(bool(number) == (plain && errno == 0));
	if (number)
		FUZZ_CHECK(*number == value);
}

void check_files(const Tree &tree, std::string_view text)
{
	static constexpr size_t longest = 4096;
	std::string line(text.substr(0, longest));
	line = line.substr(0, line.find('\n'));

	tree.write("/uio/uio0/maps/map0/size", text);
	check_number(line, map_size(tree.paths, 0));
	tree.write("/uio/uio0/name", text);
	auto device = find_device(tree.paths, 0);
	FUZZ_CHECK(bool(device) == parse_device_name(line).has_value());
	auto all = scan_devices(tree.paths);
	FUZZ_CHECK(all && all->size() == size_t(bool(device)));
	ConfigfsDevice configfs(tree.paths, tree.name);
	for (const char *leaf : {"vendor_id", "vpd_unit_serial", "company_id"})
		tree.write(std::string("/target/core/user_0/disk/wwn/") + leaf, text);
	auto wwn = configfs.read_wwn("vendor_id");
	FUZZ_CHECK(wwn && (wwn->empty() || wwn->back() != ' ') && wwn->size() <= line.size());
	FUZZ_CHECK(wwn->empty() || line.find(": " + *wwn) != std::string::npos);
	Identity identity = read_identity(configfs);
	FUZZ_CHECK(identity.company_id <= 0xffffff);
	FUZZ_CHECK(identity.serial == *wwn);
}

} // namespace
} // namespace tcmu::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	using namespace tcmu::test;
	static const Tree tree;
	std::string text(reinterpret_cast<const char *>(data), size);

	check_name(text);
	/* Files take longer by far: only a part of the inputs. */
	if (size && data[size - 1] % 8 == 0)
		check_files(tree, std::string_view(text).substr(0, size - 1));
	return 0;
}
