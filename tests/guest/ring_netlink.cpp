// SPDX-License-Identifier: GPL-2.0
// Family TCM-USER: devices that come, change and go, and a daemon that agrees, refuses or sleeps.
#include <future>
#include <regex>

#include "loopback.hpp"
#include "module.hpp"
#include "ring_expect.hpp"
#include "scripted_handler.hpp"
#include "tcmu_netlink.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

const std::string block_netlink = module_param_path("target_core_user", "block_netlink");
const std::string reset_netlink = module_param_path("target_core_user", "reset_netlink");

/// A device that is not enabled yet, and a daemon.
struct Stage {
	NlDaemon daemon;
	Backstore backstore;

	/// @answers: the daemon says that it answers events.
	static Result<Stage> create(bool answers, const std::vector<std::string> &control = {});
	/// Enable or remove from another thread: it may wait for the daemon.
	std::future<Status> enable()
	{
		return std::async(std::launch::async, [this] { return backstore.enable(); });
	}
	std::future<Status> remove()
	{
		return std::async(std::launch::async, [this] { return backstore.destroy(); });
	}
	std::future<Status> set(const std::string &attr, const std::string &value)
	{
		return std::async(std::launch::async, [=, this] { return backstore.set(attr, value); });
	}
	/// Enabled, and the daemon has agreed.
	Status bring_up();
	Status take_down();
	std::string uio = {}; ///< "uioN"
};

void expect_complaints()
{
	expect_dmesg("^tcmu nl cmd |^Failing nl cmd |^Netlink |^ring: |^(block|reset)_netlink must be|^Invalid (block|reset) netlink value|^TCMU_ATTR_CMD_STATUS or ", Need::optional);
	expect_dmesg("^(Failed to|Unable to) ", Need::optional);
}

Result<Stage> Stage::create(bool answers, const std::vector<std::string> &control)
{
	expect_complaints();
	RingSpec spec;
	spec.control = control;
	BackstoreSpec b = ring_backstore(spec);
	b.enable = false;
	LIO_TRY(Backstore backstore, Backstore::create(b));
	LIO_TRY(NlDaemon daemon, NlDaemon::start());
	LIO_CHECK(daemon.set_features(answers));
	return Stage{std::move(daemon), std::move(backstore)};
}

Status Stage::bring_up()
{
	auto up = enable();
	LIO_TRY(NlEvent e, daemon.next());
	uio = "uio" + std::to_string(e.minor.value_or(~0u));
	LIO_CHECK(daemon.done(e, 0));
	return up.get();
}

Status Stage::take_down()
{
	auto down = remove();
	LIO_TRY(NlEvent e, daemon.next());
	LIO_CHECK(daemon.done(e, 0));
	return down.get();
}

bool ended(std::future<Status> &f, milliseconds limit)
{
	return f.wait_for(limit) == std::future_status::ready;
}

/// The daemon's promise to answer holds for the module, so it is taken back.
class RingNetlink : public testing::Test {
protected:
	~RingNetlink() override
	{
		auto d = NlDaemon::start();
		EXPECT_OK(d);
		if (d) {
			EXPECT_OK(d->set_features(0));
		}
	}
};

class RingOursNetlink : public RingNetlink {};

void check_event(const NlEvent &e, int cmd, const std::string &uio)
{
	EXPECT_EQ(e.cmd, cmd);
	ASSERT_OK_AND_ASSIGN(std::string name, read_value("/sys/class/uio/" + uio + "/name"));
	EXPECT_EQ(e.device, name);
	EXPECT_EQ("uio" + std::to_string(e.minor.value_or(~0u)), uio); // what daemons make of it
	EXPECT_TRUE(e.device_id);
}

TEST_F(RingNetlink, DevicesComeAndGo)
{
	ASSERT_OK_AND_ASSIGN(Stage s, Stage::create(false));
	auto up = s.enable();
	ASSERT_OK_AND_ASSIGN(NlEvent added, s.daemon.next());
	ASSERT_OK(up.get()); // without an answer
	ASSERT_OK_AND_ASSIGN(std::string node, uio_node("ring"));
	check_event(added, TCMU_CMD_ADDED_DEVICE, node.substr(5));
	EXPECT_EQ(added.version, 2);
	EXPECT_FALSE(added.dev_size || added.dev_cfg || added.write_cache);
	auto down = s.remove();
	ASSERT_OK_AND_ASSIGN(NlEvent removed, s.daemon.next());
	ASSERT_OK(down.get());
	EXPECT_EQ(removed.cmd, TCMU_CMD_REMOVED_DEVICE);
	EXPECT_EQ(removed.device, added.device);
	EXPECT_EQ(removed.minor, added.minor);
	EXPECT_EQ(removed.device_id, added.device_id);
}

TEST_F(RingNetlink, WaitsForADaemonThatAnswers)
{
	ASSERT_OK_AND_ASSIGN(Stage s, Stage::create(true));
	auto up = s.enable();
	ASSERT_OK_AND_ASSIGN(NlEvent added, s.daemon.next());
	EXPECT_FALSE(ended(up, milliseconds(300)));
	ASSERT_OK(s.daemon.done(added, 0));
	ASSERT_OK(up.get());
	ASSERT_OK_AND_ASSIGN(std::string reply, s.backstore.get("nl_reply_supported"));
	EXPECT_EQ(reply, "1");
	auto down = s.remove();
	ASSERT_OK_AND_ASSIGN(NlEvent removed, s.daemon.next());
	EXPECT_FALSE(ended(down, milliseconds(300)));
	ASSERT_OK(s.daemon.done(removed, 0));
	EXPECT_OK(down.get());
}

TEST_F(RingNetlink, RefusedDevice)
{
	ASSERT_OK_AND_ASSIGN(Stage s, Stage::create(true));
	for (int error : {EIO, ENOENT}) {
		auto up = s.enable();
		ASSERT_OK_AND_ASSIGN(NlEvent added, s.daemon.next());
		ASSERT_OK(s.daemon.done(added, -error));
		EXPECT_ERRNO(up.get(), error);
		EXPECT_ERRNO(uio_node("ring", milliseconds(50)), ETIMEDOUT);
	}
	ASSERT_OK(s.bring_up());
	EXPECT_OK(s.take_down());
}

/// -1 switches it off for the device; else it is as the daemon has said, whatever was set.
TEST_F(RingNetlink, ReplySupportedOfADevice)
{
	ASSERT_OK_AND_ASSIGN(Stage silent, Stage::create(false, {"nl_reply_supported=1"}));
	ASSERT_OK(silent.backstore.enable());
	ASSERT_OK_AND_ASSIGN(std::string now, silent.backstore.get("nl_reply_supported"));
	EXPECT_EQ(now, "0");
	EXPECT_OK(silent.backstore.destroy());

	ASSERT_OK_AND_ASSIGN(Stage never, Stage::create(true, {"nl_reply_supported=-1"}));
	ASSERT_OK(never.backstore.enable());
	ASSERT_OK_AND_ASSIGN(now, never.backstore.get("nl_reply_supported"));
	EXPECT_EQ(now, "-1");
	// The attribute works at once: the removal waits.
	ASSERT_OK(never.backstore.set("nl_reply_supported", "1"));
	ASSERT_OK(never.daemon.next());
	EXPECT_OK(never.take_down());
}

struct Change {
	const char *attr, *old_value, *value;
	void (*check)(const NlEvent &e);
};

const Change changes[] = {
	{"dev_size", "67108864", "134217728", [](const NlEvent &e) { EXPECT_EQ(e.dev_size, 134217728u); }},
	{"dev_config", "scripted/ring", "scripted/other", [](const NlEvent &e) { EXPECT_EQ(e.dev_cfg, "scripted/other"); }},
	{"emulate_write_cache", "0", "1", [](const NlEvent &e) { EXPECT_EQ(e.write_cache, 1); }},
};

/// The daemon refuses, then agrees.
void change_live(Stage &s, const Change &c)
{
	for (int status : {-EPERM, 0}) {
		auto set = s.set(c.attr, c.value);
		ASSERT_OK_AND_ASSIGN(NlEvent e, s.daemon.next());
		check_event(e, TCMU_CMD_RECONFIG_DEVICE, s.uio);
		EXPECT_EQ(int(e.dev_size.has_value()) + e.dev_cfg.has_value() + e.write_cache.has_value(), 1);
		c.check(e);
		ASSERT_OK_AND_ASSIGN(std::string now, s.backstore.get(c.attr));
		EXPECT_EQ(now, c.old_value);
		ASSERT_OK(s.daemon.done(e, status));
		EXPECT_ERRNO(set.get(), -status);
		ASSERT_OK_AND_ASSIGN(now, s.backstore.get(c.attr));
		EXPECT_EQ(now, status ? c.old_value : c.value);
	}
}

TEST_F(RingNetlink, LiveChanges)
{
	ASSERT_OK_AND_ASSIGN(Stage s, Stage::create(true));
	ASSERT_OK(s.bring_up());
	for (const Change &c : changes) {
		SCOPED_TRACE(c.attr);
		ASSERT_NO_FATAL_FAILURE(change_live(s, c));
	}
	ASSERT_OK_AND_ASSIGN(std::string name, read_value("/sys/class/uio/" + s.uio + "/name"));
	EXPECT_TRUE(std::regex_match(name, std::regex("tcm-user/\\d+/ring/scripted/other"))) << name;
	EXPECT_OK(s.take_down());
}

TEST_F(RingNetlink, LiveChangeThatNobodyHears)
{
	expect_complaints();
	ASSERT_OK_AND_ASSIGN(Backstore b, Backstore::create(ring_backstore({})));
	for (const Change &c : changes) {
		SCOPED_TRACE(c.attr);
		EXPECT_ERRNO(b.set(c.attr, c.value), ESRCH);
		ASSERT_OK_AND_ASSIGN(std::string now, b.get(c.attr));
		EXPECT_EQ(now, c.old_value);
	}
}

/// Sends a command that the handler is to see and answer.
void expect_served(RingLun &l, const Cdb &cdb, Data data)
{
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb, data));
	ASSERT_OK_AND_ASSIGN(RingEntry entry, l.handler->next());
	ASSERT_OK(l.handler->finish(entry));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
	EXPECT_TRUE(r.good()) << r;
}

/// Every initiator learns of a new size once (SPC-4 5.14). The distribution's kernel says nothing.
TEST_F(RingOursNetlink, ResizeRaisesAUnitAttention)
{
	expect_complaints();
	expect_dmesg("^scsi [\\d:]+ Capacity data has changed$", Need::required);
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	ASSERT_OK_AND_ASSIGN(NlDaemon daemon, NlDaemon::start());
	std::vector<uint8_t> buf(4096), inquiry(36);
	for (const char *size : {"134217728", "33554432"}) {
		SCOPED_TRACE(size);
		ASSERT_OK(l.backstore.set("dev_size", size));
		ASSERT_OK(daemon.next());
		ASSERT_OK_AND_ASSIGN(int first, l.send(cdb::inquiry(36), Data::in(inquiry)));
		ASSERT_OK_AND_ASSIGN(ScsiReply leaves_it, l.reap(first));
		EXPECT_TRUE(leaves_it.good()) << leaves_it;
		ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 0, 8), Data::in(buf)));
		ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
		EXPECT_EQ(r.kcq(), 0x062a09u) << r; // CAPACITY DATA HAS CHANGED
		expect_served(l, cdb::read(10, 0, 8), Data::in(buf));
	}
	ASSERT_OK(l.backstore.set("dev_size", "33554432")); // the same
	ASSERT_OK(daemon.next());
	expect_served(l, cdb::read(10, 0, 8), Data::in(buf));
}

TEST_F(RingNetlink, WrongAnswers)
{
	ASSERT_OK_AND_ASSIGN(Stage s, Stage::create(true));
	auto up = s.enable();
	ASSERT_OK_AND_ASSIGN(NlEvent added, s.daemon.next());
	int done = TCMU_CMD_ADDED_DEVICE_DONE;
	EXPECT_ERRNO(s.daemon.done_raw(done, *added.device_id + 1000, 0), ENODEV);
	EXPECT_ERRNO(s.daemon.done_raw(done, std::nullopt, 0), EINVAL);
	EXPECT_ERRNO(s.daemon.done_raw(done, added.device_id, std::nullopt), EINVAL);
	EXPECT_FALSE(ended(up, milliseconds(100)));
	ASSERT_OK(s.daemon.done(added, 0));
	ASSERT_OK(up.get());
	EXPECT_ERRNO(s.daemon.done(added, 0), ENODEV); // once is enough
	EXPECT_OK(s.take_down());
}

TEST_F(RingNetlink, BlockAndReset)
{
	ASSERT_OK_AND_ASSIGN(Stage s, Stage::create(true));
	{
		ASSERT_OK(write_value(block_netlink, "1"));
		ASSERT_OK_AND_ASSIGN(std::string state, read_value(block_netlink));
		EXPECT_EQ(state, "blocked");
		EXPECT_ERRNO(s.backstore.enable(), EAGAIN);
		ASSERT_OK(write_value(block_netlink, "0"));
	}
	auto up = s.enable();
	ASSERT_OK(s.daemon.next());
	EXPECT_FALSE(ended(up, milliseconds(200)));
	EXPECT_ERRNO(write_value(reset_netlink, "0"), EINVAL);
	// As the manual says: block, reset, unblock.
	ASSERT_OK(write_value(block_netlink, "1"));
	ASSERT_OK(write_value(reset_netlink, "1"));
	EXPECT_ERRNO(up.get(), EINTR);
	ASSERT_OK(write_value(block_netlink, "0"));
	ASSERT_OK(s.bring_up());
	EXPECT_OK(s.take_down());
}

/// The answer to another event. (The distribution's module forgets the event then, and hangs.)
TEST_F(RingOursNetlink, AnswerToAnotherEvent)
{
	ASSERT_OK_AND_ASSIGN(Stage s, Stage::create(true));
	auto up = s.enable();
	ASSERT_OK_AND_ASSIGN(NlEvent added, s.daemon.next());
	EXPECT_ERRNO(s.daemon.done_raw(TCMU_CMD_REMOVED_DEVICE_DONE, added.device_id, 0), EINVAL);
	EXPECT_FALSE(ended(up, milliseconds(100)));
	ASSERT_OK(s.daemon.done(added, 0));
	ASSERT_OK(up.get());
	EXPECT_OK(s.take_down());
}

/// A daemon that promised to answer and sleeps: whoever waits can be killed, which he cannot in
/// the distribution's module.
TEST_F(RingOursNetlink, WaitingEnableCanBeKilled)
{
	ASSERT_OK_AND_ASSIGN(Stage s, Stage::create(true));
	auto up = std::async(std::launch::async, [&] { return s.backstore.enable(milliseconds(700)); });
	EXPECT_ERRNO(up.get(), ETIMEDOUT);
	ASSERT_OK_AND_ASSIGN(NlEvent unanswered, s.daemon.next());
	EXPECT_ERRNO(s.daemon.done(unanswered, 0), ENODEV);
	ASSERT_OK(s.bring_up());
	EXPECT_OK(s.take_down());
}

/// The core lets a second enable in while the first waits for the daemon.
TEST_F(RingOursNetlink, SecondEnableIsRefused)
{
	ASSERT_OK_AND_ASSIGN(Stage s, Stage::create(true));
	auto up = s.enable();
	ASSERT_OK_AND_ASSIGN(NlEvent e, s.daemon.next());
	EXPECT_ERRNO(s.backstore.enable(), EBUSY);
	EXPECT_ERRNO(s.backstore.set("dev_size", "1048576"), EBUSY);
	ASSERT_OK(s.daemon.done(e, 0));
	ASSERT_OK(up.get());
	if (!module_is_ours("target_core_mod")) {
		expect_dmesg("^se_dev->se_dev_ptr already set for storage object$", Need::required);
	}
	EXPECT_ERRNO(s.backstore.enable(), EEXIST);
	EXPECT_OK(s.take_down());
	// The end of a nexus visits all devices the core has an index for: the one that is gone must not be among them.
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create());
	EXPECT_OK(target.destroy());
}

// Deadlines that the distribution's modules do not have; all waits in one test, side by side.

TEST(RingOursDeadlines, AbortAndRemovalEnd)
{
	expect_dmesg("^ring: the handler did not answer in time$", Need::required);
	expect_dmesg("^gone: no answer to a netlink event$", Need::required);
	expect_dmesg("^ABORT_TASK: ", Need::optional); // the core tells what it does
	expect_dmesg("^scsi [\\d:]+ Power-on or device reset occurred$", Need::optional);
	RingSpec gone;
	gone.name = "gone";
	gone.control = {"nl_reply_supported=-1"};
	ASSERT_OK_AND_ASSIGN(Backstore b, Backstore::create(ring_backstore(gone)));
	RingSpec never;
	never.attribs = {{"cmd_time_out", "0"}};
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(never));
	ASSERT_OK_AND_ASSIGN(NlDaemon daemon, NlDaemon::start());
	ASSERT_OK(b.set("nl_reply_supported", "1"));

	Stopwatch watch;
	double removed_after = 0;
	auto removed = std::async(std::launch::async, [&] {
		Status s = b.destroy();
		removed_after = watch.seconds();
		return s;
	});
	std::vector<uint8_t> buf(4096, 0xee);
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 0, 8), Data::in(buf), seconds(2)));
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id, seconds(60)));
	EXPECT_FALSE(r.good()) << r;
	EXPECT_GT(watch.seconds(), 2);
	EXPECT_LT(watch.seconds(), 2 + 30);
	ASSERT_OK(l.handler->finish(e)); // late
	EXPECT_OK(removed.get());
	EXPECT_GT(removed_after, 25);
	EXPECT_LT(removed_after, 35);
}

} // namespace
} // namespace lio::test
