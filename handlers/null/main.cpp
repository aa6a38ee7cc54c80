// SPDX-License-Identifier: MIT
/** @file
 * tcmu-null: a block device that forgets what is written and reads as zeroes.
 */
#include <CLI/CLI.hpp>

#include <tcmu/emulation.hpp>

#include "../common/program.hpp"

namespace {

/** Nothing is stored; reads are zeroes unless that, too, is left out. */
class NullStore : public tcmu::BlockStore {
public:
	explicit NullStore(bool touch_data) : touch_data_(touch_data) { traits_.discards = true; }

	const tcmu::StoreTraits &traits() const override { return traits_; }
	tcmu::Status resize(uint64_t) override { return {}; }

	bool start(tcmu::StoreRequest &request) override
	{
		if (request.kind == tcmu::StoreRequest::Kind::read && touch_data_)
			request.data.zero(request.data_offset, request.length);
		request.error = 0;
		return true;
	}

private:
	tcmu::StoreTraits traits_;
	bool touch_data_;
};

} // namespace

int main(int argc, char **argv)
{
	CLI::App app{"tcmu-null: serve TCMU devices that discard writes and read as zeroes"};
	tcmu::ProgramOptions options;
	bool no_data = false;

	add_common_options(app, options, "null");
	app.add_flag("--no-data", no_data,
		     "do not even zero what is read: initiators see what earlier commands left in "
		     "the data area. For measuring the path, never for anything else");
	CLI11_PARSE(app, argc, argv);
	apply_common_options(options);

	auto make = [&](tcmu::Device &device)
		-> tcmu::Result<std::unique_ptr<tcmu::DeviceHandler>> {
		auto config = tcmu::read_block_device_config(device);
		if (!config)
			return config.error();
		auto emulator = tcmu::BlockEmulator::create(
			std::move(*config), std::make_unique<NullStore>(!no_data),
			device.depth());
		if (!emulator)
			return emulator.error();
		return std::unique_ptr<tcmu::DeviceHandler>(std::move(*emulator));
	};
	return tcmu::exit_status(tcmu::Runner(options.runner, make).run());
}
