// SPDX-License-Identifier: MIT
#include <tcmu/netlink.hpp>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include <tcmu/abi.hpp>

#include "netlink_event.hpp"

namespace tcmu {

namespace {

constexpr const char *family_name = "TCM-USER";
constexpr const char *group_name = "config";
constexpr uint8_t family_version = 2;
/** Room for this many bytes of announcements before the kernel drops some. */
constexpr int receive_buffer = 1 << 20;

Error nl_failure(int code, const std::string &where)
{
	return {code == -NLE_OBJ_NOTFOUND ? ENOENT : EPROTO, where + ": " + nl_geterror(code)};
}

} // namespace

Result<std::unique_ptr<NetlinkMonitor>> NetlinkMonitor::open(bool kernel_waits)
{
	std::unique_ptr<NetlinkMonitor> monitor(
		new NetlinkMonitor(nl_socket_alloc(), nl_socket_alloc()));

	if (!monitor->events_ || !monitor->commands_)
		return Error{ENOMEM, "netlink socket"};
	if (Status done = monitor->subscribe(); !done)
		return done.error();
	if (kernel_waits) {
		if (Status done = monitor->send_features(); !done)
			return done.error();
	}
	return monitor;
}

NetlinkMonitor::~NetlinkMonitor()
{
	nl_socket_free(events_);
	nl_socket_free(commands_);
}

Status NetlinkMonitor::subscribe()
{
	/* Multicasts carry the sequence number of nobody's request. */
	nl_socket_disable_seq_check(events_);
	for (nl_sock *socket : {events_, commands_})
		if (int error = genl_connect(socket); error)
			return nl_failure(error, "netlink");
	family_ = genl_ctrl_resolve(commands_, family_name);
	if (family_ < 0)
		return nl_failure(family_, "netlink family TCM-USER (target_core_user not loaded?)");
	int group = genl_ctrl_resolve_grp(commands_, family_name, group_name);
	if (group < 0)
		return nl_failure(group, "netlink group of TCM-USER");
	nl_socket_set_buffer_size(events_, receive_buffer, 0);
	if (int error = nl_socket_add_membership(events_, group); error)
		return nl_failure(error, "netlink membership");
	if (int error = nl_socket_set_nonblocking(events_); error)
		return nl_failure(error, "netlink");
	return {};
}

int NetlinkMonitor::fd() const
{
	return nl_socket_get_fd(events_);
}

Status NetlinkMonitor::receive(const std::function<void(const DeviceEvent &)> &each)
{
	using Each = std::function<void(const DeviceEvent &)>;
	auto take = [](nl_msg *message, void *argument) -> int {
		if (auto event = parse_event(nlmsg_hdr(message)))
			(*static_cast<const Each *>(argument))(*event);
		return NL_OK;
	};

	nl_socket_modify_cb(events_, NL_CB_VALID, NL_CB_CUSTOM, take, const_cast<Each *>(&each));
	int error = nl_recvmsgs_default(events_);
	if (error == -NLE_NOMEM)
		return Error{ENOBUFS, "netlink events were lost"};
	if (error < 0 && error != -NLE_AGAIN)
		return nl_failure(error, "receive from netlink");
	return {};
}

Status NetlinkMonitor::send(uint8_t command, const std::function<bool(nl_msg *)> &fill)
{
	std::unique_ptr<nl_msg, void (*)(nl_msg *)> message(nlmsg_alloc(), nlmsg_free);

	if (!message || !genlmsg_put(message.get(), NL_AUTO_PORT, NL_AUTO_SEQ, family_, 0, 0, command,
				     family_version) || !fill(message.get()))
		return Error{ENOMEM, "netlink message"};
	int error = nl_send_auto(commands_, message.get());
	if (error >= 0)
		error = nl_wait_for_ack(commands_);
	if (error < 0)
		return nl_failure(error, "send to netlink");
	return {};
}

Status NetlinkMonitor::send_features()
{
	return send(abi::cmd_set_features, [](nl_msg *message) {
		return nla_put_u8(message, abi::attr_kernel_waits, 1) == 0;
	});
}

Status NetlinkMonitor::reply(const DeviceEvent &event, int status)
{
	return send(done_command(event.kind), [&](nl_msg *message) {
		return nla_put_s32(message, abi::attr_status, status) == 0 &&
		       nla_put_u32(message, abi::attr_device_id, event.device_id) == 0;
	});
}

} // namespace tcmu
