// SPDX-License-Identifier: GPL-2.0
// Commands, resets and aborts of a userspace LUN while memory is short.
#include <future>

#include "fault_walk.hpp"
#include "pattern.hpp"
#include "scripted_handler.hpp"
#include "tcmu_netlink.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint32_t block = 512;
constexpr size_t mib = 1 << 20;

/// A LUN whose handler keeps what is written.
struct DiskScene {
	std::optional<RingLun> lun;
	std::vector<uint8_t> medium;

	Status make(const RingSpec &spec);
	Status remove();
	/// Let the handler answer until the command's reply is there.
	Result<ScsiReply> reply_to(int id);

private:
	Status answer(const RingEntry &e);
};

RingSpec disk_spec()
{
	RingSpec spec;
	spec.name = "fault";
	spec.bytes = 16 * mib;
	spec.control = {"hw_max_sectors=2048", "cmd_ring_size_mb=1", "max_data_area_mb=32"};
	return spec;
}

Status DiskScene::make(const RingSpec &spec)
{
	LIO_TRY(RingLun made, RingLun::create(spec));
	lun.emplace(std::move(made));
	medium.assign(spec.bytes, 0);
	return {};
}

Status DiskScene::remove()
{
	if (!lun)
		return {};
	LIO_CHECK(lun->detach());
	LIO_CHECK(lun->target.destroy());
	lun->handler.reset();
	Status s = lun->backstore.destroy();
	lun.reset();
	return s;
}

Status DiskScene::answer(const RingEntry &e)
{
	if (e.op == TCMU_OP_TMR) {
		lun->handler->pass_notices();
		return lun->handler->kick();
	}
	uint64_t at = get_be({&e.cdb[2], 4}) * block;
	std::span<uint8_t> place(&medium.at(at), e.data_len());
	if (e.opcode() == cdb::write(10, 0, 0)[0]) {
		auto data = lun->handler->gather(e.iov);
		if (!data)
			return Error{EFAULT, "ring", "iovecs outside of the data area of the"};
		std::copy(data->begin(), data->end(), place.begin());
	} else if (!lun->handler->scatter(e.iov, place)) {
		return Error{EFAULT, "ring", "iovecs outside of the data area of the"};
	}
	return lun->handler->finish(e);
}

Result<ScsiReply> DiskScene::reply_to(int id)
{
	for (Deadline deadline(seconds(60)); !deadline.passed();) {
		auto reply = lun->reap(id, milliseconds(0));
		if (reply || reply.code() != ETIMEDOUT)
			return reply;
		auto e = lun->handler->next(milliseconds(5));
		if (e)
			LIO_CHECK(answer(*e));
		else if (e.code() != ETIMEDOUT)
			return e.error();
	}
	return Error{ETIMEDOUT, "command", "no reply to"};
}

/// All commands of a list end, then the first Error or status other than GOOD counts.
Status serve_all(DiskScene &d, const std::vector<int> &ids)
{
	Status first;
	for (int id : ids) {
		auto reply = d.reply_to(id);
		Status s = !reply ? reply.error()
			   : reply->good() ? Status() : Error{EREMOTEIO, "command", reply->str() + " for"};
		first = first ? s : first;
	}
	return first;
}

/// @n commands of @bytes each at once: written, read back, compared.
Status write_and_verify(DiskScene &d, unsigned n, size_t bytes)
{
	std::vector<std::vector<uint8_t>> out(n, std::vector<uint8_t>(bytes)), in = out;
	uint32_t blocks = uint32_t(bytes / block);
	for (bool write : {true, false}) {
		std::vector<int> ids;
		Status sent;
		for (unsigned i = 0; i < n && sent; i++) {
			if (write)
				fill_pattern(out[i], i * bytes);
			auto id = write ? d.lun->send(cdb::write(10, i * blocks, blocks), Data::out(out[i]))
					: d.lun->send(cdb::read(10, i * blocks, blocks), Data::in(in[i]));
			if (id)
				ids.push_back(*id);
			else
				sent = id.error();
		}
		// Also those before one that could not be sent: the buffers are theirs until then.
		LIO_CHECK(serve_all(d, ids));
		LIO_CHECK(sent);
	}
	return in == out ? Status() : Error{EILSEQ, "medium", "wrong data from the"};
}

class FaultIo : public FaultTest {
protected:
	DiskScene disk_;

	Scenario scenario(const std::string &name, const std::string &module)
	{
		Scenario s;
		s.name = name;
		s.module = module;
		return s;
	}

	/// What was made available by one scenario would be there for the next: a new device for each.
	void on_new_device(Scenario &s)
	{
		s.prepare = [this] { return disk_.make(disk_spec()); };
		s.restore = [this] { return disk_.remove(); };
	}
};

TEST_F(FaultIo, DataOfUserDevice)
{
	Scenario s = scenario("write and read, more than is ready", "target_core_user");
	on_new_device(s);
	s.act = [this]() -> Status {
		LIO_CHECK(write_and_verify(disk_, 1, 4096));
		return write_and_verify(disk_, 3, mib);
	};
	s.run = 1;
	walk(s);
}

TEST_F(FaultIo, ManyCommandsOfUserDevice)
{
	Scenario s = scenario("more commands than are ready", "target_core_user");
	on_new_device(s);
	s.act = [this] { return write_and_verify(disk_, 80, block); };
	s.run = 1;
	walk(s);
}

TEST_F(FaultIo, CommandsOfTcmLoop)
{
	ASSERT_OK(disk_.make(disk_spec()));
	Scenario s = scenario("write and read", "tcm_loop");
	s.act = [this]() -> Status {
		LIO_CHECK(write_and_verify(disk_, 1, block));
		return write_and_verify(disk_, 2, mib);
	};
	walk(s);
	EXPECT_OK(disk_.remove());
}

/// What an earlier reset left to be told is told now; the handler answers the rest by itself.
Status take_attention(DiskScene &d)
{
	LIO_TRY(int id, d.lun->send(cdb::test_unit_ready()));
	LIO_CHECK(d.lun->reap(id));
	return {};
}

/// A command that the handler has, and the reset that ends it.
Status reset_lun(DiskScene &d, SgDevice::Reset what)
{
	LIO_CHECK(take_attention(d));
	std::vector<uint8_t> buf(4096);
	LIO_TRY(int id, d.lun->send(cdb::read(10, 0, 8), Data::in(buf)));
	LIO_TRY(RingEntry read, d.lun->handler->next());
	LIO_TRY(SgDevice sg, SgDevice::open(d.lun->sg));
	auto reset = std::async(std::launch::async, [&] { return sg.reset(what); });
	// The handler may learn of it, or not if there was no memory to tell it; it answers in time.
	auto notice = d.lun->handler->fetch(seconds(1));
	if (notice && notice->op != TCMU_OP_TMR)
		return Error{EPROTO, d.lun->sg, "another command than expected from"};
	LIO_CHECK(d.lun->handler->finish(read));
	d.lun->handler->pass_notices();
	LIO_CHECK(d.lun->handler->kick());
	Status done = reset.get();
	LIO_CHECK(d.lun->reap(id));
	return done;
}

void walk_resets(DiskScene &disk, Scenario s)
{
	RingSpec spec = disk_spec();
	spec.attribs.push_back({"tmr_notification", "1"});
	ASSERT_OK(disk.make(spec));
	s.act = [&]() -> Status {
		LIO_CHECK(reset_lun(disk, SgDevice::Reset::device));
		return reset_lun(disk, SgDevice::Reset::target);
	};
	// Whatever the reset came to, the LUN works.
	s.restore = [&]() -> Status {
		LIO_CHECK(take_attention(disk));
		return write_and_verify(disk, 1, 4096);
	};
	expect_dmesg("^Unable to allocate struct se_tmr_req$", Need::optional);
	expect_dmesg("^scsi \\d+:0:1:0: Power-on or device reset occurred$", Need::optional);
	walk(s);
	EXPECT_OK(disk.remove());
}

TEST_F(FaultIo, ResetsOfUserDevice)
{
	expect_dmesg("^fault: no memory to tell the handler of a TMR$", Need::optional);
	walk_resets(disk_, scenario("LUN and target reset", "target_core_user"));
}

TEST_F(FaultIo, ResetsOfTcmLoop)
{
	walk_resets(disk_, scenario("LUN and target reset", "tcm_loop"));
}

/// The midlayer's timer fires, the command is aborted, the handler answers.
Status time_out(DiskScene &d)
{
	std::vector<uint8_t> buf(4096);
	LIO_TRY(int id, d.lun->send(cdb::read(10, 0, 8), Data::in(buf), milliseconds(100)));
	LIO_TRY(RingEntry read, d.lun->handler->next());
	auto notice = d.lun->handler->fetch(seconds(6));
	LIO_CHECK(d.lun->handler->finish(read));
	d.lun->handler->pass_notices();
	LIO_CHECK(d.lun->handler->kick());
	LIO_CHECK(d.lun->reap(id));
	return notice ? Status() : Error{ETIMEDOUT, d.lun->sg, "no abort of a command to"};
}

TEST_F(FaultIo, AbortOfLateCommand)
{
	expect_dmesg("^fault: no memory to tell the handler of a TMR$", Need::optional);
	expect_dmesg("^Unable to allocate struct se_tmr_req$", Need::optional);
	expect_dmesg("^ABORT_TASK: (Found referenced loopback task_tag|Sending TMR_FUNCTION_COMPLETE for ref_tag): \\d+$",
		     Need::optional);
	RingSpec spec = disk_spec();
	spec.attribs.push_back({"tmr_notification", "1"});
	ASSERT_OK(disk_.make(spec));
	for (const char *module : {"target_core_user", "tcm_loop"}) {
		Scenario s = scenario("abort of a late command", module);
		s.act = [this] { return time_out(disk_); };
		s.restore = [this] { return write_and_verify(disk_, 1, 4096); };
		walk(s);
	}
	EXPECT_OK(disk_.remove());
}

/// Every initiator is told of a new size once.
TEST_F(FaultIo, ResizeOfUserDevice)
{
	ASSERT_OK(disk_.make(disk_spec()));
	ASSERT_OK_AND_ASSIGN(NlDaemon daemon, NlDaemon::start());
	ASSERT_OK(daemon.set_features(0));
	expect_dmesg("^fault: the handler could not be reconfigured: -12$", Need::optional);
	expect_dmesg("^scsi \\d+:0:1:0: Capacity data has changed$", Need::optional);
	Scenario s = scenario("resize of a LUN", "target_core_user");
	s.depth = 12; // an xarray's nodes are allocated far from xa_store()
	s.act = [&]() -> Status {
		LIO_TRY(std::string size, disk_.lun->backstore.get("dev_size"));
		bool large = size == std::to_string(16 * mib);
		LIO_CHECK(disk_.lun->backstore.set("dev_size", std::to_string((large ? 8 : 16) * mib)));
		std::vector<uint8_t> buf(block);
		LIO_TRY(int id, disk_.lun->send(cdb::read(10, 0, 1), Data::in(buf)));
		LIO_TRY(ScsiReply told, disk_.reply_to(id));
		return told.kcq() == 0x062a09 ? Status() : Error{ENOMSG, disk_.lun->sg, told.str() + " from"};
	};
	s.restore = [&]() -> Status {
		while (daemon.next(milliseconds(0))) {
		}
		return write_and_verify(disk_, 1, 4096);
	};
	walk(s);
	EXPECT_OK(disk_.remove());
}

} // namespace
} // namespace lio::test
