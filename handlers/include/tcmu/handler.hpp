// SPDX-License-Identifier: MIT
/** @file
 * What a handler implements.
 */
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <tcmu/device.hpp>
#include <tcmu/result.hpp>
#include <tcmu/ring.hpp>

namespace tcmu {

/** A live change made through configfs; one of the members is set. */
struct Reconfiguration {
	std::optional<uint64_t> size{};
	std::optional<std::string> config{};
	std::optional<bool> write_cache{};
};

/**
 * Serves one device. Every method is called on the device's own thread, so an
 * implementation needs no lock.
 *
 * A *blocking* handler does its work in submit() and answers before it returns.
 * An *asynchronous* one keeps the Command and answers later: from poll(), if it
 * brings its own event loop, or from any thread with Device::post().
 */
class DeviceHandler {
public:
	virtual ~DeviceHandler() = default;

	/** Answer @p command now or later, exactly once, whatever it holds. */
	virtual void submit(Command &command) = 0;

	/**
	 * Called when the ring has been read: start what submit() has collected
	 * and let completions in. With @p may_block, wait until the kernel has
	 * an event, the device's notify_fd() is readable or something completes.
	 * The implementation given here waits for the kernel, and for notify_fd()
	 * too if uses_notify() says so.
	 */
	virtual Status poll(Device &device, bool may_block);

	/**
	 * Whether commands are answered with Device::post(). A handler that
	 * answers in submit() returns false and waits with one system call.
	 */
	virtual bool uses_notify() const { return false; }

	/** The initiator gave these commands up; answering them stays a duty. */
	virtual void task_management(const TaskManagement &) {}

	/** Take over a change, or refuse it; the kernel then refuses it too. */
	virtual Status reconfigure(const Reconfiguration &)
	{
		return Error{EOPNOTSUPP, "this handler cannot be reconfigured"};
	}
};

/**
 * Makes the handler of a device, on the thread that found the device. The ring
 * is not there yet: what the factory waits for (see Device::take_over()) comes
 * before it.
 */
using HandlerFactory = std::function<Result<std::unique_ptr<DeviceHandler>>(Device &)>;

} // namespace tcmu
