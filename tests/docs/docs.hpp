// SPDX-License-Identifier: GPL-2.0
// What the documentation takes from elsewhere: the differences' data, the example's source, files it links to.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "result.hpp"

namespace lio::docs {

using test::Result;
using test::Status;

/// A table of the entries of a differences file; its columns are the keys of the entries.
Result<std::string> difference_table(std::string_view json);

/// Documentation/differences.md, from every tests/conformance/*/differences.json below @tree.
Result<std::string> differences_page(const std::string &tree);

/// The targets of the relative links in a Markdown text, without anchors.
std::vector<std::string> relative_links(std::string_view markdown);

/// The contents of the fenced blocks that begin with the line @fence ("```cpp").
std::vector<std::string> fenced_blocks(std::string_view markdown, std::string_view fence);

/// What is wrong with the documentation of @tree, one line each.
Result<std::vector<std::string>> find_faults(const std::string &tree);

} // namespace lio::docs
