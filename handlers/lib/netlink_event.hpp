// SPDX-License-Identifier: MIT
/** @file
 * What a message of the family TCM-USER says.
 */
#pragma once

#include <optional>

#include <tcmu/netlink.hpp>

struct nlmsghdr;

namespace tcmu {

/** The event in a message of nlmsg_len bytes; nothing when it is none or makes no sense. */
std::optional<DeviceEvent> parse_event(nlmsghdr *header);

/** The command that answers an event. */
uint8_t done_command(DeviceEvent::Kind kind);

} // namespace tcmu
