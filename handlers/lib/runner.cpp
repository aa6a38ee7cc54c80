// SPDX-License-Identifier: MIT
#include <tcmu/runner.hpp>

#include <csignal>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <tcmu/log.hpp>

namespace tcmu {

Status Runner::run()
{
	if (Status started = start(); !started)
		return started;
	say_ready();
	Status status = loop();
	stop_all();
	return status;
}

Status Runner::start()
{
	if (Status done = block_signals(); !done)
		return done;
	if (Status done = protect_from_reclaim(options_.reclaim); !done)
		return done;
	failures_ = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (!failures_)
		return errno_error("eventfd");
	/* Subscribe before looking around: a device in between is seen twice, not never. */
	Result<std::unique_ptr<NetlinkMonitor>> netlink = NetlinkMonitor::open(options_.kernel_waits);
	if (!netlink)
		return netlink.error();
	netlink_ = std::move(*netlink);
	scan();
	return {};
}

Status Runner::block_signals()
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	/* Before any thread exists, so that all inherit it. */
	pthread_sigmask(SIG_BLOCK, &ends, nullptr);
	signals_ = FileDescriptor(signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
	if (!signals_)
		return errno_error("signalfd");
	return {};
}

bool Runner::ours(const DeviceName &name) const
{
	return name.subtype() == options_.subtype &&
	       (options_.only_name.empty() || name.name == options_.only_name);
}

Status Runner::add(const DeviceInfo &info)
{
	if (services_.contains(info.minor))
		return {};
	Result<std::unique_ptr<Device>> device = Device::open(info, options_.device);
	if (!device)
		return device.error();
	Result<std::unique_ptr<DeviceHandler>> handler = factory_(**device);
	if (!handler)
		return handler.error();
	if (Status taken = (*device)->take_over(); !taken)
		return taken;
	auto on_failure = [fd = failures_.get()] {
		uint64_t one = 1;
		[[maybe_unused]] ssize_t written = write(fd, &one, sizeof(one));
	};
	Result<std::unique_ptr<DeviceService>> service =
		DeviceService::start(std::move(*device), std::move(*handler), on_failure);
	if (!service)
		return service.error();
	services_.emplace(info.minor, std::move(*service));
	log(LogLevel::info, info.name.path() + ": serving /dev/uio" + std::to_string(info.minor));
	return {};
}

/** Serve every device that is there. One that cannot be does not keep the others waiting. */
void Runner::scan()
{
	Result<std::vector<DeviceInfo>> found = scan_devices(options_.device.paths);

	if (!found) {
		log(LogLevel::error, found.error().text());
		return;
	}
	for (const DeviceInfo &device : *found) {
		if (!ours(device.name))
			continue;
		if (Status added = add(device); !added)
			log(LogLevel::error, device.name.path() + ": " + added.error().text());
	}
}

void Runner::handle(const DeviceEvent &event)
{
	/*
	 * Another program's subtype is that program's to answer: a second
	 * answer would be taken for its.
	 */
	if (!ours(event.device.name))
		return;
	Status done;
	auto served = services_.find(event.device.minor);
	switch (event.kind) {
	case DeviceEvent::Kind::added:
		done = add(event.device);
		break;
	case DeviceEvent::Kind::removed:
		if (served != services_.end())
			services_.erase(served);
		break;
	case DeviceEvent::Kind::reconfigured:
		done = served == services_.end() ? Status(Error{ENODEV, "not served"})
						 : served->second->reconfigure(event.change);
		break;
	}
	if (!done)
		log(LogLevel::error, event.device.name.path() + ": " + done.error().text());
	if (!options_.kernel_waits)
		return;
	int status = done ? 0 : -(done.error().code ? done.error().code : EINVAL);
	if (Status sent = netlink_->reply(event, status); !sent)
		log(LogLevel::warning, event.device.name.path() + ": " + sent.error().text());
}

void Runner::receive_events()
{
	Status done = netlink_->receive([this](const DeviceEvent &event) { handle(event); });

	if (done)
		return;
	log(LogLevel::warning, done.error().text());
	if (done.error().code == ENOBUFS)
		scan();
}

void Runner::drop_failed()
{
	uint64_t count;

	[[maybe_unused]] ssize_t length = read(failures_.get(), &count, sizeof(count));
	std::erase_if(services_, [](const auto &entry) { return entry.second->failed(); });
}

Status Runner::loop()
{
	pollfd fds[] = {{signals_.get(), POLLIN, 0},
			{netlink_->fd(), POLLIN, 0},
			{failures_.get(), POLLIN, 0}};

	for (;;) {
		if (poll(fds, std::size(fds), -1) < 0 && errno != EINTR)
			return errno_error("poll");
		if (fds[0].revents)
			return {};
		if (fds[1].revents)
			receive_events();
		if (fds[2].revents)
			drop_failed();
	}
}

void Runner::stop_all()
{
	sigset_t ends;

	/* From here on a second signal does what it does to any process. */
	signalfd_siginfo seen;
	while (read(signals_.get(), &seen, sizeof(seen)) > 0)
		;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);
	for (auto &[minor, service] : services_)
		service->stop();
	services_.clear();
}

void Runner::say_ready() const
{
	static constexpr char text[] = "ready\n";

	log(LogLevel::info, "ready");
	if (options_.ready_fd < 0)
		return;
	if (write(options_.ready_fd, text, sizeof(text) - 1) < 0)
		log(LogLevel::warning, errno_error("write to ready-fd").text());
}

} // namespace tcmu
