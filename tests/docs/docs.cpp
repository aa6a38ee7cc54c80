// SPDX-License-Identifier: GPL-2.0
#include "docs.hpp"

#include <algorithm>
#include <filesystem>
#include <regex>

#include <nlohmann/json.hpp>

#include "file.hpp"

namespace lio::docs {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using test::Error;

namespace {

constexpr char page_head[] =
	"# Differences from the distribution's modules\n"
	"\n"
	"This page is made by `build/user/bin/lio-docs --write` from the data that the tests use: an entry that no test\n"
	"meets, or a difference without an entry, fails `make check`. Values are shown as the tests see them; in some\n"
	"files they are regular expressions.\n";

/// A cell must not end its column or its row.
std::string cell(const std::string &text)
{
	std::string out;
	for (char c : text) {
		if (c == '|')
			out += '\\';
		out += c == '\n' ? ' ' : c;
	}
	return out;
}

std::string row(const std::vector<std::string> &cells)
{
	std::string s;
	for (const auto &c : cells)
		s += "| " + cell(c) + " ";
	return s + "|\n";
}

Result<std::vector<std::string>> documents(const std::string &tree)
{
	std::vector<std::string> files = {tree + "/README.md", tree + "/handlers/README.md"};
	LIO_TRY(auto names, test::list_dir(tree + "/Documentation"));
	for (const auto &name : names)
		files.push_back(tree + "/Documentation/" + name);
	return files;
}

/// The page as it should be against the page as it is.
Status check_page(const std::string &tree, std::vector<std::string> &faults)
{
	LIO_TRY(std::string wanted, differences_page(tree));
	if (test::read_file(tree + "/Documentation/differences.md").value_or({}) != wanted)
		faults.push_back("Documentation/differences.md is out of date: lio-docs --write");
	return {};
}

Status check_example(const std::string &tree, std::vector<std::string> &faults)
{
	LIO_TRY(std::string source, test::read_file(tree + "/handlers/example/main.cpp"));
	LIO_TRY(std::string readme, test::read_file(tree + "/README.md"));
	if (fenced_blocks(readme, "```cpp") != std::vector{source})
		faults.push_back("README.md's example is not handlers/example/main.cpp");
	return {};
}

Status check_links(const std::string &tree, std::vector<std::string> &faults)
{
	LIO_TRY(auto files, documents(tree));
	for (const auto &file : files) {
		LIO_TRY(std::string text, test::read_file(file));
		for (const auto &link : relative_links(text))
			if (!test::exists(fs::path(file).parent_path() / link))
				faults.push_back(file + ": there is no " + link);
	}
	return {};
}

} // namespace

Result<std::string> difference_table(std::string_view json)
{
	ordered_json entries = ordered_json::parse(json, nullptr, false);
	if (!entries.is_array())
		return Error{EINVAL, "differences.json", "not a list:"};
	if (entries.empty())
		return std::string("None.\n");
	std::vector<std::string> keys;
	for (const auto &[key, value] : entries.front().items())
		keys.push_back(key);
	std::string s = row(keys) + row(std::vector<std::string>(keys.size(), "---"));
	for (const auto &entry : entries) {
		std::vector<std::string> cells;
		for (const auto &key : keys) {
			if (!entry.contains(key))
				return Error{EINVAL, entry.dump(), "no '" + key + "' in"};
			cells.push_back(entry[key].is_string() ? entry[key].get<std::string>() : entry[key].dump());
		}
		s += row(cells);
	}
	return s;
}

Result<std::string> differences_page(const std::string &tree)
{
	std::string page = page_head, top = tree + "/tests/conformance";
	LIO_TRY(auto names, test::list_dir(top));
	for (const auto &name : names) {
		std::string file = top + "/" + name + "/differences.json";
		if (!test::exists(file))
			continue;
		LIO_TRY(std::string json, test::read_file(file));
		LIO_TRY(std::string table, difference_table(json));
		page += "\n## " + name + "\n\nFrom `tests/conformance/" + name + "/differences.json`.\n\n" + table;
	}
	return page;
}

std::vector<std::string> relative_links(std::string_view markdown)
{
	static const std::regex link(R"(\]\(([^)#:]+)(#[^)]*)?\))");
	std::vector<std::string> links;
	std::string text(markdown);
	for (std::sregex_iterator it(text.begin(), text.end(), link), end; it != end; ++it)
		links.push_back((*it)[1]);
	return links;
}

std::vector<std::string> fenced_blocks(std::string_view markdown, std::string_view fence)
{
	const std::string opening = "\n" + std::string(fence) + "\n";
	std::vector<std::string> blocks;
	for (size_t at = 0; (at = markdown.find(opening, at)) != std::string_view::npos;) {
		size_t begin = at + opening.size(), end = markdown.find("\n```\n", begin - 1);
		if (end == std::string_view::npos)
			break;
		blocks.emplace_back(markdown.substr(begin, end + 1 - begin));
		at = end + 1;
	}
	return blocks;
}

Result<std::vector<std::string>> find_faults(const std::string &tree)
{
	std::vector<std::string> faults;
	LIO_CHECK(check_page(tree, faults));
	LIO_CHECK(check_example(tree, faults));
	LIO_CHECK(check_links(tree, faults));
	return faults;
}

} // namespace lio::docs
