// SPDX-License-Identifier: MIT
#include <tcmu/discovery.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace tcmu {

namespace {

constexpr std::string_view name_prefix = "tcm-user/";

Result<std::string> read_file(const std::string &path)
{
	char text[4096];
	int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno_error("open " + path);
	ssize_t length = ::read(fd, text, sizeof(text));
	Error failed = errno_error("read " + path);
	close(fd);
	if (length < 0)
		return failed;
	std::string_view all(text, static_cast<size_t>(length));
	return std::string(all.substr(0, all.find('\n')));
}

Result<uint64_t> parse_number(std::string_view text, const std::string &where)
{
	uint64_t value = 0;
	bool hex = text.starts_with("0x");
	std::string_view digits = text.substr(hex ? 2 : 0);
	auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value,
					    hex ? 16 : 10);

	if (error != std::errc() || end != digits.data() + digits.size())
		return Error{EINVAL, where + ": \"" + std::string(text) + "\""};
	return value;
}

Result<uint64_t> read_number_file(const std::string &path)
{
	Result<std::string> text = read_file(path);

	if (!text)
		return text.error();
	return parse_number(*text, path);
}

std::string_view trimmed(std::string_view text)
{
	while (!text.empty() && text.back() == ' ')
		text.remove_suffix(1);
	return text;
}

std::string uio_directory(const SystemPaths &paths, uint32_t minor)
{
	return paths.uio_class + "/uio" + std::to_string(minor);
}

} // namespace

std::string_view DeviceName::subtype() const
{
	return std::string_view(config).substr(0, config.find('/'));
}

std::string_view DeviceName::cfgstring() const
{
	size_t slash = config.find('/');

	return slash == std::string::npos ? std::string_view()
					  : std::string_view(config).substr(slash + 1);
}

std::string DeviceName::path() const
{
	return "user_" + std::to_string(hba) + "/" + name;
}

std::optional<DeviceName> parse_device_name(std::string_view text)
{
	DeviceName device;

	if (!text.starts_with(name_prefix))
		return std::nullopt;
	text.remove_prefix(name_prefix.size());
	auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), device.hba);
	if (error != std::errc() || end == text.data() + text.size() || *end != '/')
		return std::nullopt;
	text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
	size_t slash = text.find('/');
	device.name = text.substr(0, slash);
	if (slash != std::string_view::npos)
		device.config = text.substr(slash + 1);
	if (device.name.empty() || device.name == "." || device.name == "..")
		return std::nullopt;
	return device;
}

Result<DeviceInfo> find_device(const SystemPaths &paths, uint32_t minor)
{
	std::string path = uio_directory(paths, minor) + "/name";
	Result<std::string> text = read_file(path);

	if (!text)
		return text.error();
	std::optional<DeviceName> name = parse_device_name(*text);
	if (!name)
		return Error{ENODEV, path + ": not a TCMU device"};
	return DeviceInfo{std::move(*name), minor};
}

Result<std::vector<DeviceInfo>> scan_devices(const SystemPaths &paths)
{
	std::vector<DeviceInfo> found;
	std::unique_ptr<DIR, int (*)(DIR *)> directory(opendir(paths.uio_class.c_str()), closedir);

	/* Without any UIO driver loaded there is no class directory. */
	if (!directory && errno == ENOENT)
		return found;
	if (!directory)
		return errno_error("opendir " + paths.uio_class);
	while (const dirent *entry = readdir(directory.get())) {
		std::string_view name = entry->d_name;
		if (!name.starts_with("uio"))
			continue;
		Result<uint64_t> minor = parse_number(name.substr(3), paths.uio_class);
		if (!minor)
			continue;
		/* Another driver's, or gone since readdir. */
		Result<DeviceInfo> device = find_device(paths, static_cast<uint32_t>(*minor));
		if (device)
			found.push_back(std::move(*device));
	}
	std::ranges::sort(found, {}, &DeviceInfo::minor);
	return found;
}

Result<uint64_t> map_size(const SystemPaths &paths, uint32_t minor)
{
	return read_number_file(uio_directory(paths, minor) + "/maps/map0/size");
}

ConfigfsDevice::ConfigfsDevice(const SystemPaths &paths, const DeviceName &name)
	: directory_(paths.target + "/core/" + name.path())
{
}

Result<std::string> ConfigfsDevice::read(const std::string &leaf) const
{
	return read_file(directory_ + "/" + leaf);
}

Result<uint64_t> ConfigfsDevice::read_number(const std::string &leaf) const
{
	return read_number_file(directory_ + "/" + leaf);
}

Status ConfigfsDevice::write(const std::string &leaf, const std::string &value) const
{
	std::string path = directory_ + "/" + leaf;
	int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return errno_error("open " + path);
	ssize_t written = ::write(fd, value.data(), value.size());
	Error failed = errno_error("write \"" + value + "\" to " + path);
	close(fd);
	if (written != static_cast<ssize_t>(value.size()))
		return failed;
	return {};
}

Result<std::string> ConfigfsDevice::read_wwn(const std::string &leaf) const
{
	Result<std::string> line = read("wwn/" + leaf);

	if (!line)
		return line;
	size_t colon = line->find(": ");
	if (colon == std::string::npos)
		return std::string();
	return std::string(trimmed(std::string_view(*line).substr(colon + 2)));
}

Status ConfigfsDevice::recover_ring() const
{
	static constexpr const char *steps[][2] = {
		{"action/block_dev", "1"}, {"action/reset_ring", "1"}, {"action/block_dev", "0"}};
	Status first_failure;

	/* The last step is due even when the one before it failed. */
	for (auto [leaf, value] : steps) {
		Status done = write(leaf, value);
		if (!done && first_failure)
			first_failure = done;
	}
	return first_failure;
}

Identity read_identity(const ConfigfsDevice &device)
{
	Identity identity;
	auto take = [&](const char *leaf, std::string &into) {
		Result<std::string> value = device.read_wwn(leaf);
		if (value && !value->empty())
			into = std::move(*value);
	};

	take("vendor_id", identity.vendor);
	take("product_id", identity.product);
	take("revision", identity.revision);
	take("vpd_unit_serial", identity.serial);
	Result<std::string> company = device.read("wwn/company_id");
	if (company) {
		Result<uint64_t> id = parse_number(*company, "company_id");
		if (id && *id <= 0xffffff)
			identity.company_id = static_cast<uint32_t>(*id);
	}
	return identity;
}

} // namespace tcmu
