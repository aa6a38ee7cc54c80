// SPDX-License-Identifier: GPL-2.0
#include "collect.hpp"

#include <filesystem>
#include <sstream>

#include "process.hpp"

namespace lio::coverage {

namespace {

namespace fs = std::filesystem;
Status add_boot(Lines &lines, const fs::path &counts)
{
	std::vector<std::string> argv = {"gcov", "--json-format", "--stdout"};
	const size_t options = argv.size();
	for (const auto &entry : fs::recursive_directory_iterator(counts))
		if (entry.path().extension() == ".gcda")
			argv.push_back(entry.path());
	if (argv.size() == options)
		return {};
	LIO_TRY(std::string output, test::run_ok(argv, test::seconds(120)));
	std::istringstream in(output);
	for (std::string line; std::getline(in, line);)
		if (line.starts_with('{'))
			LIO_CHECK(add_gcov(lines, line));
	return {};
}

} // namespace

Result<Lines> collect(const std::string &results)
{
	Lines lines;
	std::error_code ec;
	for (const auto &group : fs::directory_iterator(results, ec))
		if (fs::is_directory(group.path() / "gcov"))
			LIO_CHECK(add_boot(lines, group.path() / "gcov"));
	if (lines.empty())
		return Error{ENOENT, results, "no guest brought back counts in"};
	return lines;
}

} // namespace lio::coverage
