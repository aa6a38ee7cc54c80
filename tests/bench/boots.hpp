// SPDX-License-Identifier: GPL-2.0
// The boots that a measurement takes.
#pragma once

#include <string>
#include <vector>

#include "figures.hpp"

namespace lio::bench {

struct Settings {
	std::string tree; ///< root of the source tree
	std::string results; ///< where each boot's files go, in a directory of its own
	std::string kernel = "6.12";
	unsigned repeat = 5;
	std::vector<std::string> lab; ///< the words that boot a guest
};

struct Boot {
	const char *name; ///< of its directory
	const char *title; ///< for people
	bool ours; ///< all modules that are ours, or none
	unsigned cpus;
	bool icount;
	std::vector<std::string> cases;
};

/// Boot, measure, read what the guest measured.
Result<BootResult> boot_and_measure(const Boot &boot, const Settings &settings,
				    const std::vector<std::string> &lab_options = {},
				    const std::vector<std::string> &guest_options = {});

/// The directory with a boot's files.
std::string boot_directory(const Boot &boot, const Settings &settings);

} // namespace lio::bench
