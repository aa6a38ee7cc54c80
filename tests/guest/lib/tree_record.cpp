// SPDX-License-Identifier: GPL-2.0
#include "tree_record.hpp"

#include <nlohmann/json.hpp>

#include <set>

#include <sys/stat.h>
#include <unistd.h>

#include "file.hpp"
#include "process.hpp"

namespace lio::test {

namespace {

using nlohmann::json;

/// A kernel that hangs in a store is a finding (errno 110 in the record), not the end of the run.
constexpr milliseconds write_limit = seconds(20);

/// A string, or {"char": "a", "count": 5000} for long ones.
std::string value_of(const json &j)
{
	if (j.is_string())
		return j;
	return std::string(j.at("count").get<size_t>(), j.at("char").get<std::string>().at(0));
}

std::string label_of(const std::string &value)
{
	if (value.size() > 60)
		return std::to_string(value.size()) + " x '" + value[0] + "'";
	return json(value).dump();
}

std::string outcome(const Status &s)
{
	return s ? "ok" : "errno " + std::to_string(s.code());
}

std::string value_or_errno(const std::string &path)
{
	auto v = read_file(path);
	return v ? json(*v).dump() : "errno " + std::to_string(v.code());
}

std::string exit_of(const RecordPlan::Operation &op)
{
	auto exit = run({op.begin() + 1, op.end()}, seconds(60));
	return exit ? "exit status " + std::to_string(exit->status) : "errno " + std::to_string(exit.code());
}

std::string operate_once(const std::string &op, const std::string &path, const std::string &arg)
{
	if (op == "mkdir")
		return outcome(make_dir(path));
	if (op == "rmdir")
		return outcome(remove_dir_within(path, removal_limit));
	if (op == "unlink")
		return outcome(unlink_within(path, removal_limit));
	if (op == "write")
		return outcome(write_value_within(path, arg, write_limit));
	if (op == "read")
		return value_or_errno(path);
	return outcome(symlink(arg.c_str(), path.c_str()) ? Status(sys_error(path, "symlink")) : Status());
}

void parse_operations(const json &list, std::vector<RecordPlan::Operation> &into)
{
	static const std::map<std::string, size_t> known = {{"mkdir", 2}, {"rmdir", 2},	  {"unlink", 2}, {"read", 2},
							    {"write", 3}, {"symlink", 3}, {"run", 0}};
	for (const auto &op : list) {
		std::vector<std::string> words;
		for (const auto &w : op)
			words.push_back(value_of(w));
		auto kind = words.empty() ? known.end() : known.find(words[0]);
		if (kind == known.end() || (kind->second ? words.size() != kind->second : words.size() < 2))
			throw std::invalid_argument("operation " + op.dump());
		into.push_back(std::move(words));
	}
}

/// A list of values, or the name of one of the plan's lists.
std::vector<std::string> parse_values(const json &values, const json &named)
{
	std::vector<std::string> list;
	for (const auto &v : values.is_string() ? named.at(values.get<std::string>()) : values)
		list.push_back(value_of(v));
	return list;
}

RecordPlan::Step parse_step(const json &j, const json &named)
{
	static const std::set<std::string> known = {"name", "operate", "look", "files", "below", "writes"};
	for (const auto &[key, value] : j.items())
		if (!known.count(key))
			throw std::invalid_argument("'" + key + "' of a step");
	RecordPlan::Step step;
	step.name = j.at("name");
	parse_operations(j.value("operate", json::array()), step.operations);
	step.look = j.value("look", step.look);
	step.files = j.value("files", step.files);
	step.below = j.value("below", step.below);
	for (const auto &w : j.value("writes", json::array())) {
		std::string path = w.at("path");
		step.writes.push_back({path, std::regex(path), parse_values(w.at("values"), named), w.value("back", true)});
	}
	return step;
}

} // namespace

Result<RecordPlan> parse_plan(std::string_view text)
{
	RecordPlan plan;
	try {
		json j = json::parse(text);
		for (const auto &step : j.at("steps"))
			plan.steps.push_back(parse_step(step, j.value("values", json::object())));
		for (const auto &v : j.at("volatile")) {
			v.at("why").get<std::string>(); // each has to say it
			plan.normalise.push_back({std::regex(v.at("path").get<std::string>()),
						  std::regex(v.at("match").get<std::string>()), v.at("replacement")});
		}
		plan.dmesg = j.at("dmesg").get<std::vector<std::string>>();
	} catch (const std::exception &e) {
		return Error{EINVAL, "plan.json", std::string(e.what()) + " in"};
	}
	return plan;
}

Status TreeRecorder::run()
{
	for (const auto &step : plan_.steps)
		LIO_CHECK(take(step));
	return {};
}

Status TreeRecorder::take(const RecordPlan::Step &step)
{
	prefix_ = step.name.empty() ? "" : step.name + ": ";
	for (const auto &op : step.operations)
		operate(op);
	for (const auto &path : step.look)
		LIO_CHECK(walk(path));
	for (const auto &path : step.files)
		LIO_CHECK(walk_files(path));
	for (const auto &path : step.below)
		LIO_CHECK(write_all(path, step.writes));
	return {};
}

void TreeRecorder::operate(const RecordPlan::Operation &op)
{
	std::string arg = op.size() > 2 ? op[2] : "", name = op[0] + (op.size() > 2 ? " " + label_of(arg) : "");
	if (op[0] == "run")
		name = json(op).dump();
	auto &fields = record_[op[1]];
	const std::string first = name;
	for (int time = 2; fields.count(prefix_ + name); time++)
		name = first + " (" + std::to_string(time) + ")";
	// A link's target is below the root as well, configfs wants it whole.
	fields[prefix_ + name] = op[0] == "run" ? exit_of(op) :
		operate_once(op[0], full(op[1]), op[0] == "symlink" ? full(arg) : arg);
}

void TreeRecorder::look(const std::string &path)
{
	struct stat st;
	if (lstat(full(path).c_str(), &st)) {
		field(path, "type") = "errno " + std::to_string(errno);
		return;
	}
	char mode[16];
	snprintf(mode, sizeof(mode), "%04o", st.st_mode & 07777u);
	field(path, "mode") = mode;
	if (S_ISLNK(st.st_mode)) {
		field(path, "type") = "link";
		field(path, "target") = read_link(full(path)).value_or("unreadable");
	} else if (S_ISDIR(st.st_mode)) {
		field(path, "type") = "directory";
	} else {
		field(path, "type") = "file";
		field(path, "size") = std::to_string(st.st_size);
		field(path, "value") = value_or_errno(full(path));
	}
}

Result<std::vector<std::string>> TreeRecorder::below(const std::string &path) const
{
	std::vector<std::string> paths = {path};
	struct stat st;
	if (lstat(full(path).c_str(), &st))
		return sys_error(full(path), "look at");
	if (!S_ISDIR(st.st_mode))
		return paths;
	LIO_TRY(auto names, list_dir(full(path)));
	for (const auto &name : names) {
		LIO_TRY(auto deeper, below(path + "/" + name));
		paths.insert(paths.end(), deeper.begin(), deeper.end());
	}
	return paths;
}

Status TreeRecorder::walk(const std::string &path)
{
	LIO_TRY(auto paths, below(path));
	for (const auto &p : paths)
		look(p);
	return {};
}

Status TreeRecorder::walk_files(const std::string &path)
{
	LIO_TRY(auto names, list_dir(full(path)));
	for (const auto &name : names)
		if (!read_link(full(path + "/" + name)) && !list_dir(full(path + "/" + name)))
			look(path + "/" + name);
	return {};
}

void TreeRecorder::write_values(const std::string &path, const RecordPlan::Writes &writes)
{
	auto first = read_file(full(path));
	// As a client would write it: the line's end is no part of the value.
	const auto value = first && writes.back ? first->substr(0, first->find('\n')) : "";
	char number[32];
	for (size_t i = 0; i < writes.values.size(); i++) {
		Status s = write_value_within(full(path), writes.values[i], write_limit);
		snprintf(number, sizeof(number), "write %02zu ", i + 1);
		auto &result = field(path, number + label_of(writes.values[i]));
		result = outcome(s) + " -> " + value_or_errno(full(path));
		// Back to the first value, so that one difference does not look like many.
		if (!value.empty() && read_file(full(path)).value_or(*first) != *first)
			if (Status back = write_value_within(full(path), value, write_limit); !back)
				result += ", back: " + outcome(back);
	}
}

Status TreeRecorder::write_all(const std::string &path, const std::vector<RecordPlan::Writes> &writes)
{
	LIO_TRY(auto paths, below(path));
	for (const auto &p : paths)
		for (const auto &w : writes)
			if (std::regex_match(p, w.regex)) {
				write_values(p, w);
				break;
			}
	return {};
}

TreeRecord TreeRecorder::normalised() const
{
	TreeRecord result = record_;
	for (auto &[path, fields] : result)
		for (const auto &v : plan_.normalise)
			if (std::regex_match(path, v.path))
				for (auto &[name, value] : fields)
					value = std::regex_replace(value, v.match, v.replacement);
	return result;
}

std::string to_json(const TreeRecord &record)
{
	return json(record).dump(1, '\t') + "\n";
}

Result<TreeRecord> record_from_json(std::string_view text)
{
	try {
		return json::parse(text).get<TreeRecord>();
	} catch (const std::exception &e) {
		return Error{EINVAL, "record", e.what()};
	}
}

} // namespace lio::test
