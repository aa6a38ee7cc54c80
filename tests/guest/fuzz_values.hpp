// SPDX-License-Identifier: GPL-2.0
// Values for attributes, by what they could do to a parser.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace lio::test {

/// Every attribute gets each of these.
const std::vector<std::string> &awkward_values();

/// One more, made anew: from @known (values that other attributes have), cut, joined, with rubbish
/// behind, or random bytes.
std::string random_value(std::mt19937_64 &random, const std::vector<std::string> &known);

/// For `control`: a list of options, right and wrong ones.
std::string random_options(std::mt19937_64 &random);

/// For pr/res_aptpl_metadata.
std::string random_registration(std::mt19937_64 &random);

/// Names for directories of the fabric and of the core.
const std::vector<std::string> &awkward_names();

/// @value for a message: short, and without what a terminal would take amiss.
std::string shown(const std::string &value);

} // namespace lio::test
