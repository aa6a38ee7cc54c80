// SPDX-License-Identifier: GPL-2.0
#include "tree_record.hpp"

#include <nlohmann/json.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include "file.hpp"

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

Status operate_once(const std::string &op, const std::string &path, const std::string &arg)
{
	if (op == "mkdir")
		return make_dir(path);
	if (op == "rmdir")
		return remove_dir_within(path, removal_limit);
	if (op == "unlink")
		return unlink_within(path, removal_limit);
	if (op == "write")
		return write_value_within(path, arg, write_limit);
	if (symlink(arg.c_str(), path.c_str()))
		return sys_error(path, "symlink");
	return {};
}

void parse_operations(const json &list, std::vector<RecordPlan::Operation> &into)
{
	for (const auto &op : list) {
		std::vector<std::string> words;
		for (const auto &w : op)
			words.push_back(value_of(w));
		bool two = words.size() == 2 && (words[0] == "mkdir" || words[0] == "rmdir" || words[0] == "unlink");
		bool three = words.size() == 3 && (words[0] == "write" || words[0] == "symlink");
		if (!two && !three)
			throw std::invalid_argument("operation " + op.dump());
		into.push_back(std::move(words));
	}
}

} // namespace

Result<RecordPlan> parse_plan(std::string_view text)
{
	RecordPlan plan;
	try {
		json j = json::parse(text);
		parse_operations(j.at("before"), plan.before);
		parse_operations(j.at("after"), plan.after);
		for (const auto &w : j.at("writes")) {
			std::string path = w.at("path");
			RecordPlan::Writes writes{path, std::regex(path), {}};
			for (const auto &v : w.at("values"))
				writes.values.push_back(value_of(v));
			plan.writes.push_back(std::move(writes));
		}
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

void TreeRecorder::operate(const std::vector<RecordPlan::Operation> &operations)
{
	for (const auto &op : operations) {
		std::string arg = op.size() > 2 ? op[2] : "";
		// A link's target is below the root as well, configfs wants it whole.
		Status s = operate_once(op[0], full(op[1]), op[0] == "symlink" ? full(arg) : arg);
		auto &fields = record_[op[1]];
		std::string name = op[0] + (op.size() > 2 ? " " + label_of(arg) : "");
		while (fields.count(name))
			name += " again";
		fields[name] = outcome(s);
	}
}

void TreeRecorder::look(const std::string &path)
{
	struct stat st;
	auto &fields = record_[path];
	if (lstat(full(path).c_str(), &st)) {
		fields["type"] = "errno " + std::to_string(errno);
		return;
	}
	char mode[16];
	snprintf(mode, sizeof(mode), "%04o", st.st_mode & 07777u);
	fields["mode"] = mode;
	if (S_ISLNK(st.st_mode)) {
		fields["type"] = "link";
		fields["target"] = read_link(full(path)).value_or("unreadable");
	} else if (S_ISDIR(st.st_mode)) {
		fields["type"] = "directory";
	} else {
		fields["type"] = "file";
		fields["size"] = std::to_string(st.st_size);
		fields["value"] = value_or_errno(full(path));
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

void TreeRecorder::write_values(const std::string &path, const std::vector<std::string> &values)
{
	auto &fields = record_[path];
	auto first = read_file(full(path));
	// As a client would write it: the line's end is no part of the value.
	const auto value = first ? first->substr(0, first->find('\n')) : "";
	char number[32];
	for (size_t i = 0; i < values.size(); i++) {
		Status s = write_value_within(full(path), values[i], write_limit);
		snprintf(number, sizeof(number), "write %02zu ", i + 1);
		auto &field = fields[number + label_of(values[i])];
		field = outcome(s) + " -> " + value_or_errno(full(path));
		// Back to the first value, so that one difference does not look like many.
		if (!value.empty() && read_file(full(path)).value_or(*first) != *first)
			if (Status back = write_value_within(full(path), value, write_limit); !back)
				field += ", back: " + outcome(back);
	}
}

Status TreeRecorder::write_all(const std::string &path)
{
	LIO_TRY(auto paths, below(path));
	for (const auto &p : paths)
		for (const auto &w : plan_.writes)
			if (std::regex_match(p, w.regex)) {
				write_values(p, w.values);
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
