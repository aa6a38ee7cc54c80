// SPDX-License-Identifier: GPL-2.0
#include "boots.hpp"

#include <cstdio>

#include "file.hpp"
#include "process.hpp"

namespace lio::bench {

using namespace lio::test;

namespace {

constexpr auto guest_limit = seconds(900);

std::string joined(const std::vector<std::string> &words)
{
	std::string all;
	for (const auto &w : words)
		all += (all.empty() ? "" : ",") + w;
	return all;
}

std::vector<std::string> command_line(const Boot &boot, const Settings &settings,
				      const std::vector<std::string> &lab_options)
{
	std::vector<std::string> argv = settings.lab;
	argv.insert(argv.end(), {"--kernel", settings.kernel, "--ours", boot.ours ? "all" : "none", "--smp",
				 std::to_string(boot.cpus), "--timeout", std::to_string(guest_limit.count()),
				 "--out", boot_directory(boot, settings)});
	if (boot.icount)
		argv.push_back("--icount");
	argv.insert(argv.end(), lab_options.begin(), lab_options.end());
	argv.insert(argv.end(), {"--", "lio-bench-guest", "--cases", joined(boot.cases), "--repeat",
				 std::to_string(settings.repeat)});
	return argv;
}

} // namespace

std::string boot_directory(const Boot &boot, const Settings &settings)
{
	return settings.results + "/" + boot.name;
}

Result<BootResult> boot_and_measure(const Boot &boot, const Settings &settings,
				    const std::vector<std::string> &lab_options,
				    const std::vector<std::string> &guest_options)
{
	std::string directory = boot_directory(boot, settings), json = directory + "/bench.json";
	std::vector<std::string> argv = command_line(boot, settings, lab_options);
	argv.insert(argv.end(), guest_options.begin(), guest_options.end());
	LIO_CHECK(make_dirs(directory));
	// No result of an earlier run may be taken for this one's.
	if (exists(json))
		LIO_CHECK(unlink_within(json, seconds(10)));

	Stopwatch watch;
	printf("%s ...", boot.title);
	fflush(stdout);
	LIO_TRY(std::string output, run_ok(argv, guest_limit + seconds(300)));
	printf(" %.0f s\n", watch.seconds());
	LIO_CHECK(write_file(directory + "/output.log", output));
	LIO_TRY(std::string text, read_file(json));
	return BootResult::parse(text, json);
}

} // namespace lio::bench
