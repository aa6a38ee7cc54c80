// SPDX-License-Identifier: MIT
#include "netlink_event.hpp"

#include <linux/genetlink.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include <array>

#include <tcmu/abi.hpp>

namespace tcmu {

namespace {

struct EventKind {
	uint8_t command;
	uint8_t done;
	DeviceEvent::Kind kind;
};

constexpr std::array<EventKind, 3> event_kinds{{
	{abi::cmd_added, abi::cmd_added_done, DeviceEvent::Kind::added},
	{abi::cmd_removed, abi::cmd_removed_done, DeviceEvent::Kind::removed},
	{abi::cmd_reconfigured, abi::cmd_reconfigured_done, DeviceEvent::Kind::reconfigured},
}};

} // namespace

std::optional<DeviceEvent> parse_event(nlmsghdr *header)
{
	std::array<nlattr *, abi::attr_max + 1> attributes{};
	static std::array<nla_policy, abi::attr_max + 1> policy = [] {
		std::array<nla_policy, abi::attr_max + 1> made{};
		made[abi::attr_device].type = NLA_STRING;
		made[abi::attr_minor].type = NLA_U32;
		made[abi::attr_device_id].type = NLA_U32;
		made[abi::attr_config].type = NLA_STRING;
		made[abi::attr_size].type = NLA_U64;
		made[abi::attr_write_cache].type = NLA_U8;
		return made;
	}();

	if (genlmsg_parse(header, 0, attributes.data(), abi::attr_max, policy.data()))
		return std::nullopt;
	uint8_t command = genlmsg_hdr(static_cast<nlmsghdr *>(header))->cmd;
	for (const EventKind &known : event_kinds) {
		if (known.command != command)
			continue;
		if (!attributes[abi::attr_device] || !attributes[abi::attr_minor])
			return std::nullopt;
		auto name = parse_device_name(nla_get_string(attributes[abi::attr_device]));
		if (!name)
			return std::nullopt;
		DeviceEvent event{known.kind, {*name, nla_get_u32(attributes[abi::attr_minor])}};
		if (attributes[abi::attr_device_id])
			event.device_id = nla_get_u32(attributes[abi::attr_device_id]);
		if (attributes[abi::attr_size])
			event.change.size = nla_get_u64(attributes[abi::attr_size]);
		if (attributes[abi::attr_config])
			event.change.config = nla_get_string(attributes[abi::attr_config]);
		if (attributes[abi::attr_write_cache])
			event.change.write_cache = nla_get_u8(attributes[abi::attr_write_cache]) != 0;
		return event;
	}
	return std::nullopt;
}

uint8_t done_command(DeviceEvent::Kind kind)
{
	uint8_t command = 0;

	for (const EventKind &known : event_kinds)
		if (known.kind == kind)
			command = known.done;
	return command;
}

} // namespace tcmu
