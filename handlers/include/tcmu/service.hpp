// SPDX-License-Identifier: MIT
/** @file
 * The thread that serves a device.
 */
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include <tcmu/device.hpp>
#include <tcmu/handler.hpp>
#include <tcmu/log.hpp>

namespace tcmu {

/**
 * Owns a device, its handler and the thread between them. The owner's thread
 * talks to the serving thread through this class only.
 */
class DeviceService {
public:
	/**
	 * Start serving. @p on_failure is called on the serving thread when it
	 * gives up before stop(), e.g. because the ring is broken.
	 */
	static Result<std::unique_ptr<DeviceService>>
	start(std::unique_ptr<Device> device, std::unique_ptr<DeviceHandler> handler,
	      std::function<void()> on_failure);

	DeviceService(const DeviceService &) = delete;
	DeviceService &operator=(const DeviceService &) = delete;
	/** Stops. */
	~DeviceService();

	const DeviceInfo &info() const { return device_->info(); }
	/** Have the serving thread apply @p change, and wait for it. */
	Status reconfigure(const Reconfiguration &change);
	/**
	 * Take no more commands, finish those in flight, let the kernel see the
	 * answers, end the thread. What a backend has not finished after
	 * @p milliseconds stays in the ring for the next handler to reset.
	 * False when there was such.
	 */
	bool stop(unsigned milliseconds = 20000);
	/** Whether the thread has given up. */
	bool failed() const { return failed_; }

private:
	DeviceService(std::unique_ptr<Device> device, std::unique_ptr<DeviceHandler> handler,
		      std::function<void()> on_failure)
		: device_(std::move(device)), handler_(std::move(handler)),
		  on_failure_(std::move(on_failure))
	{
	}

	static void *thread_main(void *self);
	void serve();
	/** Hand everything in the ring to the handler. */
	Status drain_ring(bool &more);
	Status turn();
	void run_request();
	/** Get the serving thread out of its wait, until @p done says true. */
	template <class Done> bool kick_until(std::unique_lock<std::mutex> &lock, Done done,
					      unsigned milliseconds);

	std::unique_ptr<Device> device_;
	std::unique_ptr<DeviceHandler> handler_;
	std::function<void()> on_failure_;
	pthread_t thread_{};
	bool joined_ = false;

	std::atomic<bool> stopping_{false};
	std::atomic<bool> failed_{false};
	/** The deadline for commands in flight has passed. */
	std::atomic<bool> abandoned_{false};
	/** Whether request_ is set; lets the loop look without the lock. */
	std::atomic<bool> asked_{false};

	/** Guards what follows; changed_ is signalled with it. */
	std::mutex lock_;
	std::condition_variable changed_;
	const Reconfiguration *request_ = nullptr;
	Status answer_;
	bool ended_ = false;
};

} // namespace tcmu
