// SPDX-License-Identifier: MIT
#include "program.hpp"

#include <CLI/CLI.hpp>

#include <tcmu/log.hpp>

namespace tcmu {

void add_common_options(CLI::App &app, ProgramOptions &options, const std::string &subtype)
{
	RunnerOptions &runner = options.runner;

	runner.subtype = subtype;
	app.add_option("--subtype", runner.subtype,
		       "serve devices whose dev_config begins with this word")
		->capture_default_str();
	app.add_option("--device", runner.only_name,
		       "serve only the device with this configfs name");
	app.add_option("--queue-depth", runner.device.ring.depth,
		       "commands worked on at a time, per device")
		->check(CLI::Range(1, 4096))
		->capture_default_str();
	app.add_option("--recovery", options.recovery,
		       "commands left by an earlier handler: reset (initiators repeat them) or serve")
		->check(CLI::IsMember({"reset", "serve"}))
		->capture_default_str();
	app.add_option("--busy-wait", runner.device.busy_milliseconds,
		       "milliseconds to wait for another handler to let go of a device")
		->capture_default_str();
	app.add_option("--ready-fd", runner.ready_fd,
		       "write \"ready\" to this file descriptor when all devices are served");
	app.add_flag("--no-kernel-wait", options.no_kernel_wait,
		     "do not have the kernel wait until a new device is served");
	app.add_flag("--no-io-flusher", options.no_io_flusher, "do not set PR_SET_IO_FLUSHER");
	app.add_flag("--no-mlock", options.no_mlock, "do not lock memory");
	app.add_flag("--no-oom-adjust", options.no_oom_adjust,
		     "leave oom_score_adj alone (default: -1000)");
	auto *verbose = app.add_flag("-v,--verbose", options.verbose, "more messages");
	app.add_flag("-q,--quiet", options.quiet, "only errors")->excludes(verbose);
}

void apply_common_options(ProgramOptions &options)
{
	RunnerOptions &runner = options.runner;

	runner.reclaim = {.io_flusher = !options.no_io_flusher,
			  .lock_memory = !options.no_mlock,
			  .protect_from_oom = !options.no_oom_adjust};
	runner.kernel_waits = !options.no_kernel_wait;
	runner.device.recovery = options.recovery == "serve" ? Recovery::serve : Recovery::reset;
	set_log_level(options.verbose ? LogLevel::debug
				      : options.quiet ? LogLevel::error : LogLevel::info);
}

int exit_status(const Status &status)
{
	if (status)
		return 0;
	log(LogLevel::error, status.error().text());
	return 1;
}

} // namespace tcmu
