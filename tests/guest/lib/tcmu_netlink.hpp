// SPDX-License-Identifier: GPL-2.0
// The daemon's side of generic netlink family TCM-USER, on libnl alone.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "clock.hpp"
#include "result.hpp"
#include "tcmu_uapi.hpp"

struct nl_sock;
struct nl_msg;

namespace lio::test {

struct NlEvent {
	int cmd = 0; ///< enum tcmu_genl_cmd
	int version = 0;
	std::optional<std::string> device, dev_cfg;
	std::optional<uint32_t> minor, device_id;
	std::optional<uint64_t> dev_size;
	std::optional<uint8_t> write_cache;
};

class NlDaemon {
	struct Free {
		void operator()(nl_sock *s) const;
	};
	using Socket = std::unique_ptr<nl_sock, Free>;
	Socket events_, control_;
	int family_;
	std::unique_ptr<std::deque<NlEvent>> queue_;

public:
	/// Joins the group; target_core_user must be loaded.
	static Result<NlDaemon> start();
	NlDaemon(NlDaemon &&) = default;

	/// The next event, or ETIMEDOUT.
	Result<NlEvent> next(milliseconds limit = seconds(10));
	/// All of these: the errno of the kernel's acknowledgement.
	Status set_features(uint8_t reply_supported);
	/// Answer @event; attributes that are left out are not sent.
	Status done(const NlEvent &event, int32_t status);
	Status done_raw(int cmd, std::optional<uint32_t> device_id, std::optional<int32_t> status);

private:
	NlDaemon(Socket events, Socket control, int family)
		: events_(std::move(events)), control_(std::move(control)), family_(family),
		  queue_(std::make_unique<std::deque<NlEvent>>()) {}
	Status send(nl_msg *msg);
};

} // namespace lio::test
