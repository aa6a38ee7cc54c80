// SPDX-License-Identifier: MIT
/** @file
 * The kernel's announcements: generic netlink family TCM-USER.
 */
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <tcmu/discovery.hpp>
#include <tcmu/handler.hpp>
#include <tcmu/result.hpp>

struct nl_sock;
struct nl_msg;

namespace tcmu {

/** One announcement. The kernel waits for reply() to it. */
struct DeviceEvent {
	enum class Kind : uint8_t { added, removed, reconfigured };
	Kind kind;
	DeviceInfo device;
	/** The kernel's number for the device, repeated in the reply. */
	uint32_t device_id = 0;
	Reconfiguration change{};
};

/** A subscription to the family's events. One thread uses it. */
class NetlinkMonitor {
public:
	/**
	 * Subscribe. ENOENT: target_core_user is not loaded. With
	 * @p kernel_waits, ask the kernel to wait for replies (SET_FEATURES),
	 * which is what makes adding and reconfiguring synchronous.
	 */
	static Result<std::unique_ptr<NetlinkMonitor>> open(bool kernel_waits);
	~NetlinkMonitor();

	/** Readable when there are events. */
	int fd() const;
	/**
	 * Read what has arrived and call @p each for every event. ENOBUFS: some
	 * were lost, look at sysfs again.
	 */
	Status receive(const std::function<void(const DeviceEvent &)> &each);
	/** Tell the kernel the outcome: 0 or a negative errno. */
	Status reply(const DeviceEvent &event, int status);

private:
	explicit NetlinkMonitor(nl_sock *events, nl_sock *commands)
		: events_(events), commands_(commands)
	{
	}
	Status subscribe();
	Status send_features();
	Status send(uint8_t command, const std::function<bool(nl_msg *)> &fill);

	/** Multicasts come on one socket, commands go out on another: no mix of acks and events. */
	nl_sock *events_;
	nl_sock *commands_;
	int family_ = 0;
};

} // namespace tcmu
