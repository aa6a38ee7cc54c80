// SPDX-License-Identifier: GPL-2.0
// Targets, nexuses and commands of tests/guest/ko's fabric: an initiator that decides everything.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "../ko/tcm_test_uapi.h"
#include "backstore.hpp"
#include "cdb.hpp"
#include "clock.hpp"
#include "file.hpp"
#include "result.hpp"
#include "sense.hpp"
#include "sg.hpp"

namespace lio::test {

/// How long anything may take that nobody holds up.
inline constexpr milliseconds tcm_test_limit = seconds(60);

/// tcm_test loaded, target/tcmtest there.
Status ensure_tcm_test();

// Task attributes and functions, as <target/target_core_base.h> numbers them.
enum class TaskAttribute : uint8_t { simple = 0x20, head_of_queue = 0x21, ordered = 0x22, aca = 0x24 };
enum class Tmf : uint32_t {
	abort_task = 1,
	abort_task_set = 2,
	clear_aca = 3,
	clear_task_set = 4,
	lun_reset = 5,
	target_warm_reset = 6,
	target_cold_reset = 7,
	unknown = 0xff,
};
enum class TmfResponse : uint8_t {
	failed = 0,
	complete = 1,
	no_task = 2,
	no_lun = 3,
	not_supported = 4,
	rejected = 5,
};

/// A TPG of fabric tcmtest. Its nexuses end with it.
class TestPort {
	std::string wwn_;
	unsigned tpgt_ = 0;
	std::vector<Removal> made_;

public:
	/// @demo: whoever logs in sees all LUNs; else the ACLs say who and what.
	static Result<TestPort> create(const std::string &wwn, unsigned tpgt, bool demo);
	TestPort(TestPort &&) noexcept = default;
	TestPort &operator=(TestPort &&o) noexcept;
	~TestPort();

	const std::string &wwn() const { return wwn_; }
	unsigned tpgt() const { return tpgt_; }
	std::string path() const;
	std::string acl(const std::string &initiator) const { return path() + "/acls/" + initiator; }
	Status add_lun(uint64_t lun, const Backstore &backstore);
	Status add_acl(const std::string &initiator);
	/// LUN @lun under the number @mapped.
	Status map_lun(const std::string &initiator, uint64_t mapped, uint64_t lun, bool read_only = false);
	/// Everything that was made, in the opposite order.
	Status destroy(milliseconds limit = removal_limit);
	/// Someone else removes it.
	void release();

private:
	TestPort() = default;
	Status dir(const std::string &path);
	Status link(const std::string &target, const std::string &path);
};

/// A command to be sent.
struct TestCommand {
	Cdb cdb;
	uint64_t lun = 0;
	Data data{}; ///< as long as the initiator expects to transfer
	uint32_t flags = 0; ///< TCMT_*
	TaskAttribute attribute = TaskAttribute::simple;
	uint32_t data_full = 0, response_full = 0; ///< refusals of the fabric
	int full_errno = EAGAIN;
};

/// What came back for a command.
struct TestReply {
	ScsiStatus status = ScsiStatus::good;
	std::optional<Sense> sense;
	uint32_t residual = 0, data_len = 0;
	bool overflow = false, underflow = false;

	bool good() const { return status == ScsiStatus::good; }
	uint32_t kcq() const { return sense ? sense->kcq() : 0; }
	/// Positive: the initiator expected more (underflow); negative: less.
	int64_t signed_residual() const { return overflow ? -int64_t(residual) : int64_t(residual); }
};

std::ostream &operator<<(std::ostream &os, const TestReply &r);
std::ostream &operator<<(std::ostream &os, TmfResponse r);

/// /dev/tcm_test: nexuses, and what happens to their commands in the order in which it does.
class TestInitiator {
	Fd fd_;
	uint64_t next_tag_ = 1;
	std::deque<tcmt_event> events_; ///< read, not asked for yet

public:
	static Result<TestInitiator> open();

	Result<uint32_t> login(const std::string &wwn, unsigned tpgt, const std::string &initiator, uint64_t isid = 0);
	Result<uint32_t> login(const TestPort &port, const std::string &initiator, uint64_t isid = 0)
	{
		return login(port.wwn(), port.tpgt(), initiator, isid);
	}
	/// Ends the nexus; waits for what the core does not give back.
	Status logout(uint32_t nexus);

	/// A fresh one.
	uint64_t tag() { return next_tag_++; }
	/// The tag. Data must stay where they are until the response has been taken.
	Result<uint64_t> submit(uint32_t nexus, const TestCommand &command);
	Result<uint64_t> tmf(uint32_t nexus, Tmf function, uint64_t lun, uint64_t ref_tag = 0);
	/// What is held for @tag goes on.
	Status release(uint32_t nexus, uint64_t tag, tcmt_release_how how = TCMT_GO);

	/// Until a task management function has claimed the command.
	Status wait_claimed(uint32_t nexus, uint64_t tag, milliseconds limit = tcm_test_limit);

	/// The event for @tag (of any nexus), or ETIMEDOUT; what else comes meanwhile is kept.
	Result<tcmt_event> wait(uint64_t tag, tcmt_event_type type, milliseconds limit = tcm_test_limit);
	Result<TestReply> wait_reply(uint64_t tag, milliseconds limit = tcm_test_limit);
	Result<TmfResponse> wait_tmf(uint64_t tag, milliseconds limit = tcm_test_limit);
	/// Whatever is next.
	Result<tcmt_event> next(milliseconds limit = tcm_test_limit);
	/// Has it come already?
	bool has(uint64_t tag, tcmt_event_type type);
	/// All that has come and was not asked for, in order.
	const std::deque<tcmt_event> &pending();
	void forget_pending();

	/// One command, to its response and its release.
	Result<TestReply> execute(uint32_t nexus, const TestCommand &command, milliseconds limit = tcm_test_limit);
	/// As execute(), where unit attentions are taken away first by repeating.
	Result<TestReply> execute_past_ua(uint32_t nexus, const TestCommand &command);
	/// Test unit ready until there is no unit attention: none is left of the login.
	Status settle(uint32_t nexus, uint64_t lun);

private:
	explicit TestInitiator(Fd fd) : fd_(std::move(fd)) {}
	Status fetch(milliseconds limit);
	std::deque<tcmt_event>::iterator find(uint64_t tag, tcmt_event_type type);
};

TestReply decode_reply(const tcmt_event &event);

} // namespace lio::test
