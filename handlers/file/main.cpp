// SPDX-License-Identifier: MIT
/** @file
 * tcmu-file: a block device in a raw file or on another block device.
 */
#include <CLI/CLI.hpp>

#include <tcmu/emulation.hpp>

#include "../common/program.hpp"
#include "file_store.hpp"

namespace {

tcmu::Result<std::unique_ptr<tcmu::DeviceHandler>> make_handler(tcmu::Device &device,
								const tcmu::FileOptions &options)
{
	auto config = tcmu::read_block_device_config(device);
	if (!config)
		return config.error();
	auto store = tcmu::FileStore::open(std::string(device.info().name.cfgstring()), options);
	if (!store)
		return store.error();
	auto emulator = tcmu::BlockEmulator::create(std::move(*config), std::move(*store),
						    device.depth());
	if (!emulator)
		return emulator.error();
	return std::unique_ptr<tcmu::DeviceHandler>(std::move(*emulator));
}

} // namespace

int main(int argc, char **argv)
{
	CLI::App app{"tcmu-file: serve TCMU devices from raw files and block devices.\n"
		     "A device's dev_config is file/PATH with an absolute PATH, e.g. "
		     "file//var/lib/disk.img"};
	tcmu::ProgramOptions options;
	tcmu::FileOptions file;

	add_common_options(app, options, "file");
	app.add_flag("--buffered", file.buffered, "use the page cache instead of O_DIRECT");
	app.add_flag("--create", file.create,
		     "create files, and make them longer, to have the devices' sizes");
	app.add_flag("--read-only", file.read_only, "never write to the files");
	app.add_option("--lock-wait", file.lock_milliseconds,
		       "milliseconds to wait for an earlier handler's I/O to end")
		->capture_default_str();
	CLI11_PARSE(app, argc, argv);
	apply_common_options(options);
	auto make = [&](tcmu::Device &device) { return make_handler(device, file); };
	return tcmu::exit_status(tcmu::Runner(options.runner, make).run());
}
