// SPDX-License-Identifier: MIT
// tcmu-ram: a disk in this process's memory, for dev_config "ram".
#include <tcmu/emulation.hpp>
#include <tcmu/runner.hpp>

#include <cstdio>

class RamStore : public tcmu::BlockStore {
public:
	const tcmu::StoreTraits &traits() const override { return traits_; }

	tcmu::Status resize(uint64_t bytes) override
	{
		memory_.resize(bytes);
		return {};
	}

	bool start(tcmu::StoreRequest &request) override
	{
		auto range = std::span(memory_).subspan(request.offset, request.length);

		switch (request.kind) {
		case tcmu::StoreRequest::Kind::read:
			request.data.scatter(request.data_offset, range);
			break;
		case tcmu::StoreRequest::Kind::write:
			request.data.gather(request.data_offset, range);
			break;
		case tcmu::StoreRequest::Kind::discard:
		case tcmu::StoreRequest::Kind::zero:
			std::fill(range.begin(), range.end(), 0);
			break;
		case tcmu::StoreRequest::Kind::flush:
			break;
		}
		request.error = 0;
		return true; // done; an asynchronous store returns false and finishes later
	}

private:
	tcmu::StoreTraits traits_;
	std::vector<uint8_t> memory_;
};

static tcmu::Result<std::unique_ptr<tcmu::DeviceHandler>> make_handler(tcmu::Device &device)
{
	auto config = tcmu::read_block_device_config(device);
	if (!config)
		return config.error();
	auto emulator = tcmu::BlockEmulator::create(std::move(*config), std::make_unique<RamStore>(),
						    device.depth());
	if (!emulator)
		return emulator.error();
	return std::unique_ptr<tcmu::DeviceHandler>(std::move(*emulator));
}

int main()
{
	tcmu::RunnerOptions options{.subtype = "ram"};
	tcmu::Status status = tcmu::Runner(options, make_handler).run();

	if (!status)
		fprintf(stderr, "tcmu-ram: %s\n", status.error().text().c_str());
	return status ? 0 : 1;
}
