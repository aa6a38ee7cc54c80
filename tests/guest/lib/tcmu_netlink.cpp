// SPDX-License-Identifier: GPL-2.0
#include "tcmu_netlink.hpp"

#include <cstring>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <poll.h>

namespace lio::test {

namespace {

constexpr char family_name[] = "TCM-USER";

int on_event(nl_msg *msg, void *arg)
{
	nlattr *a[TCMU_ATTR_MAX + 1] = {};
	if (genlmsg_parse(nlmsg_hdr(msg), 0, a, TCMU_ATTR_MAX, nullptr))
		return NL_SKIP;
	auto *head = static_cast<genlmsghdr *>(nlmsg_data(nlmsg_hdr(msg)));
	NlEvent e;
	e.cmd = head->cmd;
	e.version = head->version;
	if (a[TCMU_ATTR_DEVICE])
		e.device = nla_get_string(a[TCMU_ATTR_DEVICE]);
	if (a[TCMU_ATTR_DEV_CFG])
		e.dev_cfg = nla_get_string(a[TCMU_ATTR_DEV_CFG]);
	if (a[TCMU_ATTR_MINOR])
		e.minor = nla_get_u32(a[TCMU_ATTR_MINOR]);
	if (a[TCMU_ATTR_DEVICE_ID])
		e.device_id = nla_get_u32(a[TCMU_ATTR_DEVICE_ID]);
	if (a[TCMU_ATTR_DEV_SIZE])
		e.dev_size = nla_get_u64(a[TCMU_ATTR_DEV_SIZE]);
	if (a[TCMU_ATTR_WRITECACHE])
		e.write_cache = nla_get_u8(a[TCMU_ATTR_WRITECACHE]);
	static_cast<std::deque<NlEvent> *>(arg)->push_back(e);
	return NL_OK;
}

int on_error(sockaddr_nl *, nlmsgerr *err, void *arg)
{
	*static_cast<int *>(arg) = -err->error;
	return NL_STOP;
}

Error nl_error(int err, const char *what)
{
	return Error{EPROTO, family_name, std::string(what) + ": " + nl_geterror(err) + ", family"};
}

} // namespace

void NlDaemon::Free::operator()(nl_sock *s) const
{
	nl_socket_free(s);
}

Result<NlDaemon> NlDaemon::start()
{
	Socket events(nl_socket_alloc()), control(nl_socket_alloc());
	if (!events || !control)
		return Error{ENOMEM, family_name, "sockets of"};
	for (nl_sock *s : {events.get(), control.get()})
		if (int err = genl_connect(s); err < 0)
			return nl_error(err, "connect");
	int family = genl_ctrl_resolve(control.get(), family_name);
	int group = genl_ctrl_resolve_grp(control.get(), family_name, "config");
	if (family < 0 || group < 0)
		return nl_error(std::min(family, group), "resolve");
	NlDaemon d(std::move(events), std::move(control), family);
	nl_sock *e = d.events_.get();
	nl_socket_disable_seq_check(e);
	nl_socket_modify_cb(e, NL_CB_VALID, NL_CB_CUSTOM, on_event, d.queue_.get());
	nl_socket_set_nonblocking(e);
	if (int err = nl_socket_add_membership(e, group); err < 0)
		return nl_error(err, "join");
	return d;
}

Result<NlEvent> NlDaemon::next(milliseconds limit)
{
	for (Deadline deadline(limit); queue_->empty();) {
		pollfd p = {nl_socket_get_fd(events_.get()), POLLIN, 0};
		if (poll(&p, 1, static_cast<int>(deadline.left().count())) == 0)
			return Error{ETIMEDOUT, family_name, "waiting for an event of"};
		if (int err = nl_recvmsgs_default(events_.get()); err < 0)
			return nl_error(err, "receive");
	}
	NlEvent e = queue_->front();
	queue_->pop_front();
	return e;
}

Status NlDaemon::send(nl_msg *msg)
{
	int code = 0;
	nl_socket_modify_err_cb(control_.get(), NL_CB_CUSTOM, on_error, &code);
	int err = nl_send_auto(control_.get(), msg);
	nlmsg_free(msg);
	if (err < 0)
		return nl_error(err, "send");
	err = nl_wait_for_ack(control_.get());
	if (code)
		return Error{code, family_name, "the kernel refuses a message to"};
	if (err < 0)
		return nl_error(err, "acknowledgement");
	return {};
}

Status NlDaemon::set_features(uint8_t reply_supported)
{
	nl_msg *msg = nlmsg_alloc();
	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family_, 0, NLM_F_ACK, TCMU_CMD_SET_FEATURES, 2);
	nla_put_u8(msg, TCMU_ATTR_SUPP_KERN_CMD_REPLY, reply_supported);
	return send(msg);
}

Status NlDaemon::done(const NlEvent &event, int32_t status)
{
	return done_raw(event.cmd + TCMU_CMD_ADDED_DEVICE_DONE - TCMU_CMD_ADDED_DEVICE, event.device_id, status);
}

Status NlDaemon::done_raw(int cmd, std::optional<uint32_t> device_id, std::optional<int32_t> status)
{
	nl_msg *msg = nlmsg_alloc();
	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family_, 0, NLM_F_ACK, static_cast<uint8_t>(cmd), 2);
	if (device_id)
		nla_put_u32(msg, TCMU_ATTR_DEVICE_ID, *device_id);
	if (status)
		nla_put_s32(msg, TCMU_ATTR_CMD_STATUS, *status);
	return send(msg);
}

} // namespace lio::test
