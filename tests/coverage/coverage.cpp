// SPDX-License-Identifier: GPL-2.0
#include "coverage.hpp"

#include <algorithm>
#include <sstream>

#include <nlohmann/json.hpp>

namespace lio::coverage {

namespace {

using nlohmann::json;

constexpr std::string_view in_tree = "drivers/target/";

/// "…/drivers/target/user/ring.c" and "drivers/target/user/../target_core_user.c" as our tree has them.
std::string our_name(const std::string &file)
{
	size_t at = file.find(in_tree);
	if (at == std::string::npos)
		return {};
	std::string name = file.substr(at + in_tree.size());
	for (size_t up; (up = name.find("/../")) != std::string::npos;) {
		size_t slash = up ? name.rfind('/', up - 1) : std::string::npos;
		name.erase(slash == std::string::npos ? 0 : slash + 1,
			   up + 4 - (slash == std::string::npos ? 0 : slash + 1));
	}
	return module_of(name).empty() ? std::string() : name;
}

std::vector<std::string> split_lines(const std::string &text)
{
	std::vector<std::string> v;
	std::istringstream in(text);
	for (std::string line; std::getline(in, line);) {
		size_t begin = line.find_first_not_of(" \t");
		v.push_back(begin == std::string::npos ? std::string() : line.substr(begin));
	}
	return v;
}

std::vector<Row> rows(const Lines &lines, std::string (*key)(const std::string &))
{
	std::map<std::string, Row> table;
	for (const auto &[file, numbers] : lines) {
		Row &row = table[key(file)];
		row.name = key(file);
		for (const auto &[number, line] : numbers) {
			row.lines++;
			row.executed += line.count != 0;
		}
	}
	std::vector<Row> v;
	for (auto &[name, row] : table)
		v.push_back(std::move(row));
	return v;
}

/// Functions of which no line ran.
std::set<std::string> dead_functions(const std::map<unsigned, Line> &numbers)
{
	std::set<std::string> dead, alive;
	for (const auto &[number, line] : numbers)
		(line.count ? alive : dead).insert(line.function);
	for (const auto &name : alive)
		dead.erase(name);
	return dead;
}

bool matches(const Judged &j, const Uncovered &u)
{
	return j.file == u.file && j.function == u.function && (j.code.empty() || j.code == u.code);
}

/// Is there code an entry may be about?
bool exists(const Judged &j, const Lines &lines, const std::vector<std::string> &text)
{
	auto file = lines.find(j.file);
	if (file == lines.end())
		return false;
	return std::any_of(file->second.begin(), file->second.end(), [&](const auto &entry) {
		const auto &[number, line] = entry;
		return line.function == j.function &&
		       (j.code.empty() || (number <= text.size() && text[number - 1] == j.code));
	});
}

} // namespace

Status add_gcov(Lines &lines, std::string_view text)
{
	try {
		const json document = json::parse(text);
		for (const auto &file : document.at("files")) {
			std::string name = our_name(file.at("file"));
			if (name.empty())
				continue;
			for (const auto &l : file.at("lines")) {
				Line &line = lines[name][l.at("line_number").get<unsigned>()];
				line.count += l.at("count").get<uint64_t>();
				line.function = l.value("function_name", line.function);
			}
		}
	} catch (const json::exception &e) {
		return Error{EINVAL, "gcov", std::string("not the JSON of gcov: ") + e.what()};
	}
	return {};
}

std::string module_of(std::string_view file)
{
	static const std::pair<std::string_view, const char *> prefixes[] = {
		{"user/", "target_core_user"}, {"target_core_user.", "target_core_user"}, {"loopback/", "tcm_loop"}};
	for (const auto &[prefix, module] : prefixes)
		if (file.starts_with(prefix))
			return module;
	return {};
}

std::vector<Row> by_file(const Lines &lines)
{
	return rows(lines, [](const std::string &file) { return file; });
}

std::vector<Row> by_module(const Lines &lines)
{
	return rows(lines, [](const std::string &file) { return module_of(file); });
}

Result<std::vector<Judged>> parse_judged(std::string_view text)
{
	std::vector<Judged> v;
	try {
		for (const auto &j : json::parse(text)) {
			Judged entry{j.at("file"), j.at("function"), j.value("code", ""), j.at("why")};
			if (entry.why.empty())
				throw std::invalid_argument("an entry without a reason");
			v.push_back(std::move(entry));
		}
	} catch (const std::exception &e) {
		return Error{EINVAL, "judged.json", std::string(e.what()) + " in"};
	}
	return v;
}

Judgement judge(const Lines &lines, const std::map<std::string, std::string> &sources,
		const std::vector<Judged> &judged)
{
	Judgement result;
	std::map<std::string, std::vector<std::string>> texts;
	for (const auto &[file, text] : sources)
		texts[file] = split_lines(text);
	for (const auto &[file, numbers] : lines) {
		const auto &text = texts[file];
		std::set<std::string> dead = dead_functions(numbers);
		for (const auto &[number, line] : numbers) {
			if (line.count)
				continue;
			Uncovered u{file, line.function, number <= text.size() ? text[number - 1] : "", number, {}};
			auto it = std::find_if(judged.begin(), judged.end(), [&](const Judged &j) { return matches(j, u); });
			if (it != judged.end())
				u.why = it->why;
			else if (dead.erase(line.function))
				result.unreached.push_back(file + ": " + line.function);
			result.uncovered.push_back(std::move(u));
		}
	}
	for (const Judged &j : judged)
		if (!exists(j, lines, texts[j.file]))
			result.stale.push_back(j);
	return result;
}

} // namespace lio::coverage
