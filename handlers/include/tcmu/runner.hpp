// SPDX-License-Identifier: MIT
/** @file
 * The main loop of a handler program.
 */
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <tcmu/device.hpp>
#include <tcmu/handler.hpp>
#include <tcmu/netlink.hpp>
#include <tcmu/reclaim.hpp>
#include <tcmu/service.hpp>

namespace tcmu {

struct RunnerOptions {
	/** Devices whose dev_config begins with "SUBTYPE/" (or is it) are served. */
	std::string subtype;
	/** Serve only the device with this name, if not empty. */
	std::string only_name{};
	Device::Options device{};
	ReclaimOptions reclaim{};
	/** Have the kernel wait until a device is served before it is usable. */
	bool kernel_waits = true;
	/** Write "ready\n" here once all present devices are served; -1: nowhere. */
	int ready_fd = -1;
};

/**
 * Serves every present and future device of one subtype, a thread each, until
 * SIGTERM or SIGINT; then finishes what is in flight. A second signal ends the
 * process at once.
 */
class Runner {
public:
	Runner(RunnerOptions options, HandlerFactory factory)
		: options_(std::move(options)), factory_(std::move(factory))
	{
	}

	/** Runs until a signal. An Error when it could not begin. */
	Status run();

private:
	Status start();
	Status block_signals();
	Status loop();
	void stop_all();
	bool ours(const DeviceName &name) const;
	Status add(const DeviceInfo &device);
	void scan();
	void handle(const DeviceEvent &event);
	void receive_events();
	void drop_failed();
	void say_ready() const;

	RunnerOptions options_;
	HandlerFactory factory_;
	std::unique_ptr<NetlinkMonitor> netlink_;
	FileDescriptor signals_;
	/** Readable when a service gave up. */
	FileDescriptor failures_;
	/** By UIO number. */
	std::map<uint32_t, std::unique_ptr<DeviceService>> services_;
};

} // namespace tcmu
