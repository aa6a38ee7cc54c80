// SPDX-License-Identifier: MIT
/** @file
 * The events of family TCM-USER from messages of any contents. What libnl gives
 * to the parser has a length that is that of the memory.
 */
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include <cstring>
#include <memory>

#include <tcmu/abi.hpp>

#include "fuzz_check.hpp"
#include "fuzz_input.hpp"
#include "netlink_event.hpp"

namespace tcmu::test {
namespace {

using fuzz::Input;
using Bytes = std::vector<uint8_t>;

void put_attribute(Bytes &message, uint16_t type, std::span<const uint8_t> value, uint8_t wrong)
{
	nlattr header{static_cast<uint16_t>(sizeof(nlattr) + value.size() + wrong), type};
	auto *raw = reinterpret_cast<uint8_t *>(&header);

	message.insert(message.end(), raw, raw + sizeof(header));
	message.insert(message.end(), value.begin(), value.end());
	message.resize((message.size() + 3) & ~size_t{3});
}

/** Attributes of all kinds and lengths, some of which say that they are longer. */
Bytes make_message(Input &in)
{
	Bytes message(sizeof(nlmsghdr) + sizeof(genlmsghdr));

	message[sizeof(nlmsghdr)] = in.byte() & 7;
	while (!in.empty() && message.size() < 4096) {
		uint8_t type = in.byte() % 12, how = in.byte();
		if (type == abi::attr_device && how & 1) {
			Bytes name(reinterpret_cast<const uint8_t *>("tcm-user/0/d/"),
				   reinterpret_cast<const uint8_t *>("tcm-user/0/d/") + 13);
			std::ranges::copy(in.bytes(how / 8), std::back_inserter(name));
			name.push_back(0);
			put_attribute(message, type, name, 0);
		} else {
			auto value = in.bytes(how & 2 ? 4 : how & 4 ? 8 : how / 8);
			put_attribute(message, type, value, how == 0xff ? in.byte() : 0);
		}
	}
	return message;
}

} // namespace
} // namespace tcmu::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	using namespace tcmu;
	fuzz::Input in(data, size);
	uint8_t cut = in.byte();
	std::vector<uint8_t> message;

	if (cut & 1) {
		message = test::make_message(in);
		if (cut & 2)
			message.resize(message.size() - std::min<size_t>(message.size() - sizeof(nlmsghdr), cut / 4));
	} else {
		auto raw = in.bytes(size);
		message.assign(sizeof(nlmsghdr), 0);
		message.insert(message.end(), raw.begin(), raw.end());
	}
	/* Memory of just that length, so that what lies behind it is watched. */
	auto exact = std::make_unique<uint8_t[]>(message.size());
	std::memcpy(exact.get(), message.data(), message.size());
	auto *header = reinterpret_cast<nlmsghdr *>(exact.get());
	*header = {static_cast<uint32_t>(message.size()), 30, 0, 0, 0};

	auto event = parse_event(header);
	if (event) {
		uint8_t done = done_command(event->kind);
		FUZZ_CHECK(done >= abi::cmd_added_done && done <= abi::cmd_reconfigured_done);
		FUZZ_CHECK(!event->device.name.name.empty());
		FUZZ_CHECK(!event->change.config || event->change.config->size() < message.size());
	}
	return 0;
}
