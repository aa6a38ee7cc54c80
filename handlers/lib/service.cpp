// SPDX-License-Identifier: MIT
#include <tcmu/service.hpp>

#include <csignal>

#include <chrono>

#include <tcmu/reclaim.hpp>

namespace tcmu {

namespace {

/** Interrupts a blocking read. Its handler does nothing, being called is all. */
int kick_signal()
{
	return SIGRTMIN + 7;
}

void install_kick_handler()
{
	struct sigaction action = {};

	action.sa_handler = [](int) {};
	/* No SA_RESTART: the read must return. */
	sigaction(kick_signal(), &action, nullptr);
}

} // namespace

Result<std::unique_ptr<DeviceService>> DeviceService::start(std::unique_ptr<Device> device,
							    std::unique_ptr<DeviceHandler> handler,
							    std::function<void()> on_failure)
{
	static std::once_flag installed;
	std::unique_ptr<DeviceService> service(
		new DeviceService(std::move(device), std::move(handler), std::move(on_failure)));
	pthread_attr_t attributes;

	std::call_once(installed, install_kick_handler);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, thread_stack_size);
	int error = pthread_create(&service->thread_, &attributes, thread_main, service.get());
	pthread_attr_destroy(&attributes);
	if (error) {
		service->joined_ = true;
		return Error{error, "pthread_create"};
	}
	return service;
}

void *DeviceService::thread_main(void *self)
{
	auto *service = static_cast<DeviceService *>(self);
	sigset_t kick;

	touch_stack();
	sigemptyset(&kick);
	sigaddset(&kick, kick_signal());
	pthread_sigmask(SIG_UNBLOCK, &kick, nullptr);
	service->serve();
	return nullptr;
}

Status DeviceService::drain_ring(bool &more)
{
	Ring &ring = device_->ring();

	more = false;
	for (;;) {
		Fetched next = ring.fetch();

		switch (next.kind) {
		case Fetched::Kind::command:
			handler_->submit(*next.command);
			break;
		case Fetched::Kind::task_management:
			handler_->task_management(next.task_management);
			break;
		case Fetched::Kind::no_room:
			more = true;
			return {};
		case Fetched::Kind::broken:
			return Error{EPROTO, info().name.path() + ": broken ring: " + next.reason};
		case Fetched::Kind::none:
			return {};
		}
	}
}

/** One round: read the ring, show the kernel the answers, wait for news. */
Status DeviceService::turn()
{
	bool more = false;

	if (!stopping_.load(std::memory_order_relaxed)) {
		if (Status read = drain_ring(more); !read)
			return read;
	}
	if (Status flushed = device_->flush(); !flushed)
		return flushed;
	/*
	 * Commands that came while the answers were published are found here,
	 * without a wait. With no room left only a completion helps.
	 */
	bool wait = stopping_ ? device_->ring().in_flight() != 0 : more || device_->ring().empty();
	if (asked_.load(std::memory_order_acquire)) {
		run_request();
		wait = false;
	}
	if (Status polled = handler_->poll(*device_, wait); !polled)
		return polled;
	device_->complete_posted();
	return {};
}

void DeviceService::serve()
{
	Status status;

	while (status && !(stopping_ && device_->ring().in_flight() == 0)) {
		status = turn();
		if (abandoned_)
			break;
	}
	if (Status flushed = device_->flush(); status && !flushed)
		status = flushed;
	if (!status) {
		log(LogLevel::error, status.error().text());
		failed_ = true;
	}
	{
		std::lock_guard guard(lock_);
		ended_ = true;
		changed_.notify_all();
	}
	if (!status && !stopping_)
		on_failure_();
}

void DeviceService::run_request()
{
	std::lock_guard guard(lock_);

	if (request_) {
		answer_ = handler_->reconfigure(*request_);
		request_ = nullptr;
	}
	asked_ = false;
	changed_.notify_all();
}

/**
 * A signal that arrives between the thread's last look and its read() is lost,
 * so it is sent again until the thread has reacted.
 */
template <class Done>
bool DeviceService::kick_until(std::unique_lock<std::mutex> &lock, Done done, unsigned milliseconds)
{
	constexpr std::chrono::milliseconds pause(5);
	auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);

	while (!done()) {
		if (std::chrono::steady_clock::now() >= deadline)
			return false;
		device_->interrupt();
		if (!handler_->uses_notify())
			pthread_kill(thread_, kick_signal());
		changed_.wait_for(lock, pause, done);
	}
	return true;
}

Status DeviceService::reconfigure(const Reconfiguration &change)
{
	constexpr unsigned patience = 20000;
	std::unique_lock lock(lock_);

	if (ended_)
		return Error{ENODEV, info().name.path() + ": no longer served"};
	request_ = &change;
	answer_ = Error{ETIMEDOUT, info().name.path() + ": reconfiguration"};
	asked_ = true;
	kick_until(lock, [this] { return !request_ || ended_; }, patience);
	request_ = nullptr;
	return answer_;
}

bool DeviceService::stop(unsigned milliseconds)
{
	if (joined_)
		return true;
	bool finished;
	{
		std::unique_lock lock(lock_);
		stopping_ = true;
		finished = kick_until(lock, [this] { return ended_; }, milliseconds);
		if (!finished) {
			log(LogLevel::warning, info().name.path() + ": commands did not finish");
			abandoned_ = true;
			kick_until(lock, [this] { return ended_; }, milliseconds);
		}
	}
	/* A handler that blocks in submit() is waited for; a signal to the process cuts it. */
	pthread_join(thread_, nullptr);
	joined_ = true;
	return finished;
}

DeviceService::~DeviceService()
{
	stop();
}

} // namespace tcmu
