// SPDX-License-Identifier: GPL-2.0
// A configuration that has every kind of thing our modules have attributes for, and its files.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "backstore.hpp"
#include "loopback.hpp"
#include "tcmu_common.hpp"

namespace lio::test {

struct TreeFile {
	std::string path;
	bool readable = false, writable = false;
};

/// Devices of target_core_user: configured only; enabled without a handler; and one that a handler
/// serves, on a LUN. A target with a nexus and one without, LUNs on both, an ALUA group.
class RichTree {
	std::optional<ServedDisk> served_;
	std::vector<Backstore> backstores_; ///< configured, enabled, and a ramdisk
	std::optional<LoopTarget> second_;
	std::vector<LoopLun> luns_;
	Removal group_;

public:
	static Result<RichTree> create();
	RichTree(RichTree &&) noexcept = default;
	RichTree &operator=(RichTree &&) = delete;
	~RichTree();

	/// The directories that are walked: they answer for our modules.
	std::vector<std::string> roots() const;
	const std::string &ramdisk() const { return backstores_.back().path(); }
	const std::string &target_without_nexus() const { return second_->tpg(); }
	/// What a fuzzer may have left that would be in the way of taking it all down.
	Status calm() const;
	/// In the right order, each by its deadline.
	Status destroy();

private:
	RichTree() = default;
};

/// Every attribute below @roots.
Result<std::vector<TreeFile>> tree_files(const std::vector<std::string> &roots);
/// Every directory below @roots, they too.
std::vector<std::string> tree_dirs(const std::vector<std::string> &roots);

/// What an attribute may say after a write that was accepted. Nothing: any text.
const std::regex *legal_value(const std::string &path);
/// Changes by itself, or its contents are more than what is written to it.
bool is_volatile(const std::string &path);

} // namespace lio::test
