// SPDX-License-Identifier: MIT
/** @file
 * The command line that handler programs have in common.
 */
#pragma once

#include <string>

#include <tcmu/runner.hpp>

namespace CLI {
class App;
}

namespace tcmu {

/** Options of every handler program; parse into it with add_common_options(). */
struct ProgramOptions {
	RunnerOptions runner{};
	bool no_io_flusher = false;
	bool no_mlock = false;
	bool no_oom_adjust = false;
	bool no_kernel_wait = false;
	bool verbose = false;
	bool quiet = false;
	std::string recovery = "reset";
};

/** Add the common options to @p app; @p subtype is the default subtype. */
void add_common_options(CLI::App &app, ProgramOptions &options, const std::string &subtype);
/** Turn what was parsed into options.runner and set the log level. */
void apply_common_options(ProgramOptions &options);

/** Exit status: 0, or 1 when @p status is an Error, which is logged. */
int exit_status(const Status &status);

} // namespace tcmu
