// SPDX-License-Identifier: MIT
#include <tcmu/handler.hpp>

#include <poll.h>

namespace tcmu {

namespace {

/** Wait for the kernel or a posted answer, whichever comes first. */
Status wait_for_both(Device &device, int timeout)
{
	pollfd fds[] = {{device.uio().fd(), POLLIN, 0}, {device.notify_fd(), POLLIN, 0}};

	if (::poll(fds, 2, timeout) < 0)
		return errno == EINTR ? Status() : Status(errno_error("poll"));
	if (fds[1].revents)
		device.clear_notify();
	if (fds[0].revents) {
		Result<bool> seen = device.uio().wait();
		if (!seen)
			return seen.error();
	}
	return {};
}

} // namespace

Status DeviceHandler::poll(Device &device, bool may_block)
{
	if (uses_notify())
		return wait_for_both(device, may_block ? -1 : 0);
	if (!may_block)
		return {};
	Result<bool> event = device.uio().wait();
	return event ? Status() : Status(event.error());
}

} // namespace tcmu
