// SPDX-License-Identifier: GPL-2.0
#include "collect.hpp"

#include <filesystem>
#include <sstream>

#include "file.hpp"
#include "process.hpp"

namespace lio::coverage {

namespace {

namespace fs = std::filesystem;
using test::TempDir;

/// gcov wants counts and notes side by side.
Result<std::vector<std::string>> lay_out(const fs::path &counts, const fs::path &notes, const fs::path &to)
{
	std::vector<std::string> files;
	std::error_code ec;
	for (const auto &entry : fs::recursive_directory_iterator(counts, ec)) {
		if (entry.path().extension() != ".gcda")
			continue;
		fs::path name = fs::relative(entry.path(), counts);
		fs::path note = fs::path(notes / name).replace_extension(".gcno");
		if (!fs::exists(note))
			return Error{ENOENT, note, "no notes of the compiler for a count"};
		fs::create_directories((to / name).parent_path());
		fs::create_symlink(fs::absolute(entry.path()), to / name, ec);
		fs::create_symlink(fs::absolute(note), fs::path(to / name).replace_extension(".gcno"), ec);
		if (ec)
			return Error{ec.value(), to / name, "cannot link"};
		files.push_back(to / name);
	}
	return files;
}

Status add_boot(Lines &lines, const fs::path &counts, const std::string &notes)
{
	LIO_TRY(TempDir tmp, TempDir::create());
	LIO_TRY(std::vector<std::string> argv, lay_out(counts, notes, tmp.path()));
	if (argv.empty())
		return {};
	argv.insert(argv.begin(), {"gcov", "--json-format", "--stdout"});
	LIO_TRY(std::string output, test::run_ok(argv, test::seconds(120)));
	std::istringstream in(output);
	for (std::string line; std::getline(in, line);)
		if (line.starts_with('{'))
			LIO_CHECK(add_gcov(lines, line));
	return {};
}

} // namespace

Result<Lines> collect(const std::string &results, const std::string &notes)
{
	Lines lines;
	std::error_code ec;
	for (const auto &group : fs::directory_iterator(results, ec))
		if (fs::is_directory(group.path() / "gcov"))
			LIO_CHECK(add_boot(lines, group.path() / "gcov", notes));
	if (lines.empty())
		return Error{ENOENT, results, "no guest brought back counts in"};
	return lines;
}

} // namespace lio::coverage
