// SPDX-License-Identifier: GPL-2.0
// A record of a tree of attributes and of how they behave, to be compared with another one.
#pragma once

#include <map>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "result.hpp"

namespace lio::test {

/// path -> field -> value. Fields: type, mode, size, value, target, "write N …", operations.
using TreeRecord = std::map<std::string, std::map<std::string, std::string>>;

/// What to do with the tree besides looking at it; tests/conformance/*/plan.json.
struct RecordPlan {
	/// mkdir PATH, rmdir PATH, symlink PATH TARGET, unlink PATH, write PATH VALUE, read PATH (below the root);
	/// run PROGRAM ARGUMENT….
	using Operation = std::vector<std::string>;
	struct Writes {
		std::string path; ///< for messages
		std::regex regex;
		std::vector<std::string> values;
		bool back = true; ///< write the first value back after each
	};
	/// One after the other: the operations, the looks, the writes.
	struct Step {
		std::string name; ///< prefix of the fields' names; may be empty
		std::vector<Operation> operations;
		std::vector<std::string> look; ///< trees
		std::vector<std::string> files; ///< directories of which only the attributes count
		std::vector<std::string> below; ///< trees whose attributes are written to
		std::vector<Writes> writes; ///< the first that matches a path counts
	};
	struct Volatile {
		std::regex path, match;
		std::string replacement;
	};
	std::vector<Step> steps;
	std::vector<Volatile> normalise;
	std::vector<std::string> dmesg; ///< lines that the writes may cause
};

Result<RecordPlan> parse_plan(std::string_view json);

class TreeRecorder {
	RecordPlan plan_;
	std::string root_;
	std::string prefix_; ///< of the step's fields
	TreeRecord record_;

public:
	TreeRecorder(RecordPlan plan, std::string root) : plan_(std::move(plan)), root_(std::move(root)) {}

	/// All steps of the plan.
	Status run();
	/// The volatile parts replaced.
	TreeRecord normalised() const;

private:
	std::string full(const std::string &path) const { return root_ + "/" + path; }
	std::string &field(const std::string &path, const std::string &name)
	{
		return record_[path][prefix_ + name];
	}
	Status take(const RecordPlan::Step &step);
	void operate(const RecordPlan::Operation &operation);
	/// Names, modes, types and values of everything below @path (relative to the root).
	Status walk(const std::string &path);
	/// The attributes right in @path, without following its links.
	Status walk_files(const std::string &path);
	/// The step's writes to every attribute below @path, each followed by a look at the value
	/// and by writing the attribute's first value back.
	Status write_all(const std::string &path, const std::vector<RecordPlan::Writes> &writes);
	void look(const std::string &path);
	void write_values(const std::string &path, const RecordPlan::Writes &writes);
	Result<std::vector<std::string>> below(const std::string &path) const;
};

std::string to_json(const TreeRecord &record);
Result<TreeRecord> record_from_json(std::string_view json);

} // namespace lio::test
