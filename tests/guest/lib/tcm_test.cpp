// SPDX-License-Identifier: GPL-2.0
#include "tcm_test.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "process.hpp"

namespace lio::test {

namespace {

const std::string fabric = target_root + "/tcmtest";
constexpr const char *node = "/dev/tcm_test";

} // namespace

Status ensure_tcm_test()
{
	LIO_CHECK(ensure_target_core());
	// The lab gives it to every guest, whichever modules are asked for: there is no other one.
	LIO_CHECK(run_ok({"modprobe", "tcm_test"}));
	if (!exists(fabric))
		LIO_CHECK(make_dir(fabric));
	return {};
}

Result<TestPort> TestPort::create(const std::string &wwn, unsigned tpgt, bool demo)
{
	TestPort port;
	port.wwn_ = wwn;
	port.tpgt_ = tpgt;
	if (!exists(fabric + "/" + wwn))
		LIO_CHECK(port.dir(fabric + "/" + wwn));
	LIO_CHECK(port.dir(port.path()));
	LIO_CHECK(write_value(port.path() + "/attrib/demo_mode", demo ? "1" : "0"));
	return port;
}

TestPort &TestPort::operator=(TestPort &&o) noexcept
{
	EXPECT_TRUE(destroy().ok());
	wwn_ = std::move(o.wwn_);
	tpgt_ = o.tpgt_;
	made_ = std::move(o.made_);
	return *this;
}

TestPort::~TestPort()
{
	Status s = destroy();
	EXPECT_TRUE(s.ok()) << s.error().str();
}

std::string TestPort::path() const
{
	return fabric + "/" + wwn_ + "/tpgt_" + std::to_string(tpgt_);
}

Status TestPort::dir(const std::string &path)
{
	LIO_TRY(Removal made, make_dir_guard(path));
	made_.push_back(std::move(made));
	return {};
}

Status TestPort::link(const std::string &target, const std::string &path)
{
	LIO_TRY(Removal made, make_link_guard(target, path));
	made_.push_back(std::move(made));
	return {};
}

Status TestPort::add_lun(uint64_t lun, const Backstore &backstore)
{
	const std::string dir_path = path() + "/lun/lun_" + std::to_string(lun);
	LIO_CHECK(dir(dir_path));
	return link(backstore.path(), dir_path + "/link");
}

Status TestPort::add_acl(const std::string &initiator)
{
	return dir(acl(initiator));
}

Status TestPort::map_lun(const std::string &initiator, uint64_t mapped, uint64_t lun, bool read_only)
{
	const std::string dir_path = acl(initiator) + "/lun_" + std::to_string(mapped);
	LIO_CHECK(dir(dir_path));
	LIO_CHECK(link(path() + "/lun/lun_" + std::to_string(lun), dir_path + "/link"));
	return write_value(dir_path + "/write_protect", read_only ? "1" : "0");
}

Status TestPort::destroy(milliseconds limit)
{
	Status first;
	while (!made_.empty()) {
		Status s = made_.back().remove(limit);
		if (first && !s)
			first = s;
		made_.pop_back();
	}
	return first;
}

void TestPort::release()
{
	for (auto &removal : made_)
		removal.release();
	made_.clear();
}

std::ostream &operator<<(std::ostream &os, const TestReply &r)
{
	os << "status " << unsigned(r.status) << ", residual " << r.signed_residual() << ", " << r.data_len
	   << " bytes of data";
	if (r.sense)
		os << ", " << *r.sense;
	return os;
}

std::ostream &operator<<(std::ostream &os, TmfResponse r)
{
	static constexpr const char *names[] = {"FUNCTION FAILED", "FUNCTION COMPLETE", "TASK DOES NOT EXIST",
						"LUN DOES NOT EXIST", "FUNCTION NOT SUPPORTED", "FUNCTION REJECTED"};
	return os << (size_t(r) < std::size(names) ? names[size_t(r)] : "an unknown response");
}

TestReply decode_reply(const tcmt_event &event)
{
	TestReply r;
	r.status = ScsiStatus(event.status);
	r.sense = decode_sense({event.sense, event.sense_len});
	r.residual = event.residual;
	r.data_len = event.data_len;
	r.overflow = event.flags & TCMT_OVERFLOW;
	r.underflow = event.flags & TCMT_UNDERFLOW;
	return r;
}

Result<TestInitiator> TestInitiator::open()
{
	LIO_TRY(Fd fd, open_fd(node, O_RDWR | O_NONBLOCK | O_CLOEXEC));
	return TestInitiator(std::move(fd));
}

Result<uint32_t> TestInitiator::login(const std::string &wwn, unsigned tpgt, const std::string &initiator,
				       uint64_t isid)
{
	tcmt_nexus_add add{};
	if (wwn.size() >= sizeof(add.wwn) || initiator.size() >= sizeof(add.initiator))
		return Error{ENAMETOOLONG, node, "login as " + initiator};
	wwn.copy(add.wwn, sizeof(add.wwn) - 1);
	initiator.copy(add.initiator, sizeof(add.initiator) - 1);
	add.isid = isid;
	add.tpgt = tpgt;
	if (ioctl(fd_.get(), TCMT_NEXUS_ADD, &add))
		return sys_error(node, "login as " + initiator);
	return add.id;
}

Status TestInitiator::logout(uint32_t nexus)
{
	if (ioctl(fd_.get(), TCMT_NEXUS_DEL, nexus))
		return sys_error(node, "logout");
	return {};
}

Result<uint64_t> TestInitiator::submit(uint32_t nexus, const TestCommand &command)
{
	tcmt_submit s{};
	s.nexus = nexus;
	s.flags = command.flags;
	s.tag = tag();
	s.lun = command.lun;
	s.length = command.data.buffer.size();
	const auto at = uint64_t(reinterpret_cast<uintptr_t>(command.data.buffer.data()));
	switch (command.data.direction) {
	case Data::Direction::none:
		s.direction = TCMT_NO_DATA;
		break;
	case Data::Direction::in:
		s.direction = TCMT_DATA_IN;
		s.data_in = at;
		break;
	default:
		s.direction = TCMT_DATA_OUT;
		s.data_out = at;
	}
	s.attribute = uint8_t(command.attribute);
	s.data_full = command.data_full;
	s.response_full = command.response_full;
	s.full_errno = -command.full_errno;
	memcpy(s.cdb, command.cdb.data(), command.cdb.size());
	if (ioctl(fd_.get(), TCMT_SUBMIT, &s))
		return sys_error(node, "submit " + command.cdb.hex());
	return s.tag;
}

Result<uint64_t> TestInitiator::tmf(uint32_t nexus, Tmf function, uint64_t lun, uint64_t ref_tag)
{
	tcmt_tmf t{};
	t.nexus = nexus;
	t.function = uint32_t(function);
	t.tag = tag();
	t.lun = lun;
	t.ref_tag = ref_tag;
	if (ioctl(fd_.get(), TCMT_TMF, &t))
		return sys_error(node, "task management function " + std::to_string(t.function));
	return t.tag;
}

Status TestInitiator::release(uint32_t nexus, uint64_t tag, tcmt_release_how how)
{
	tcmt_release r{};
	r.nexus = nexus;
	r.tag = tag;
	r.how = how;
	if (ioctl(fd_.get(), TCMT_RELEASE, &r))
		return sys_error(node, "release the command with tag " + std::to_string(tag));
	return {};
}

Status TestInitiator::wait_claimed(uint32_t nexus, uint64_t tag, milliseconds limit)
{
	tcmt_state state{};
	state.nexus = nexus;
	state.tag = tag;
	return wait_until(Deadline(limit), "a claim of tag " + std::to_string(tag), [&] {
		return !ioctl(fd_.get(), TCMT_STATE, &state) && state.transport_state & TCMT_CMD_ABORTED;
	});
}

/// Reads what there is, waiting for something until @limit has passed.
Status TestInitiator::fetch(milliseconds limit)
{
	pollfd p{fd_.get(), POLLIN, 0};
	if (poll(&p, 1, int(limit.count())) <= 0)
		return Error{ETIMEDOUT, node, "wait for an event"};
	tcmt_event buf[32];
	const ssize_t n = read(fd_.get(), buf, sizeof(buf));
	if (n < 0)
		return errno == EAGAIN ? Status{} : Status{sys_error(node, "read")};
	events_.insert(events_.end(), buf, buf + n / sizeof(buf[0]));
	return {};
}

std::deque<tcmt_event>::iterator TestInitiator::find(uint64_t tag, tcmt_event_type type)
{
	return std::find_if(events_.begin(), events_.end(),
			    [&](const tcmt_event &e) { return e.tag == tag && e.type == type; });
}

Result<tcmt_event> TestInitiator::wait(uint64_t tag, tcmt_event_type type, milliseconds limit)
{
	const Deadline deadline(limit);
	for (;;) {
		if (auto it = find(tag, type); it != events_.end()) {
			const tcmt_event event = *it;
			events_.erase(it);
			return event;
		}
		if (Status s = fetch(deadline.left()); !s)
			return Error{s.code(), node,
				     "wait for event " + std::to_string(type) + " of tag " + std::to_string(tag)};
	}
}

Result<TestReply> TestInitiator::wait_reply(uint64_t tag, milliseconds limit)
{
	LIO_TRY(tcmt_event event, wait(tag, TCMT_RESPONSE, limit));
	return decode_reply(event);
}

Result<TmfResponse> TestInitiator::wait_tmf(uint64_t tag, milliseconds limit)
{
	LIO_TRY(tcmt_event event, wait(tag, TCMT_TMF_RESPONSE, limit));
	return TmfResponse(event.status);
}

Result<tcmt_event> TestInitiator::next(milliseconds limit)
{
	const Deadline deadline(limit);
	while (events_.empty())
		LIO_CHECK(fetch(deadline.left()));
	const tcmt_event event = events_.front();
	events_.pop_front();
	return event;
}

const std::deque<tcmt_event> &TestInitiator::pending()
{
	while (fetch(milliseconds(0)))
		;
	return events_;
}

bool TestInitiator::has(uint64_t tag, tcmt_event_type type)
{
	pending();
	return find(tag, type) != events_.end();
}

void TestInitiator::forget_pending()
{
	pending();
	events_.clear();
}

Result<TestReply> TestInitiator::execute(uint32_t nexus, const TestCommand &command, milliseconds limit)
{
	LIO_TRY(uint64_t tag, submit(nexus, command));
	LIO_TRY(TestReply reply, wait_reply(tag, limit));
	LIO_CHECK(wait(tag, TCMT_RELEASED, limit));
	return reply;
}

Result<TestReply> TestInitiator::execute_past_ua(uint32_t nexus, const TestCommand &command)
{
	for (int tries = 0;; tries++) {
		LIO_TRY(TestReply reply, execute(nexus, command));
		if (reply.kcq() >> 16 != uint32_t(SenseKey::unit_attention) || tries == 8)
			return reply;
	}
}

Status TestInitiator::settle(uint32_t nexus, uint64_t lun)
{
	LIO_TRY(TestReply reply, execute_past_ua(nexus, {.cdb = cdb::test_unit_ready(), .lun = lun}));
	if (!reply.good())
		return Error{EIO, node, "TEST UNIT READY of LUN " + std::to_string(lun)};
	return {};
}

} // namespace lio::test
