// SPDX-License-Identifier: GPL-2.0
// The core while memory is short. The fabric is tcm_test, which has ACLs.
#include "fault_store.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

class FaultCore : public FaultTest {
protected:
	Status begin() override { return ensure_tcm_test(); }
	static Scenario scenario(const std::string &name)
	{
		Scenario s;
		s.name = name;
		s.module = "target_core_mod";
		return s;
	}
};

TEST_F(FaultCore, Ramdisk)
{
	Things things;
	Scenario s = scenario("create and enable a ramdisk");
	s.act = [&] { return make_store(things, "rd_mcp_91", {"rd_pages=64"}); };
	s.restore = [&] { return things.remove(); };
	walk(s);
}

TEST_F(FaultCore, AluaGroups)
{
	ASSERT_OK_AND_ASSIGN(Backstore store, Backstore::create(ramdisk_spec("fault", 1 << 20)));
	Things things;
	Scenario s = scenario("ALUA groups");
	s.act = [&]() -> Status {
		const std::string ports = store.path() + "/alua/fault", lu = target_root + "/core/alua/lu_gps/fault";
		LIO_CHECK(things.dir(ports));
		LIO_CHECK(write_value(ports + "/tg_pt_gp_id", "17"));
		LIO_CHECK(write_value(ports + "/alua_access_state", "1"));
		LIO_CHECK(things.dir(lu));
		LIO_CHECK(write_value(lu + "/lu_gp_id", "17"));
		LIO_CHECK(write_value(store.path() + "/alua_lu_gp", "fault"));
		return write_value(store.path() + "/alua_lu_gp", "NULL");
	};
	s.restore = [&]() -> Status {
		(void)write_value(store.path() + "/alua_lu_gp", "NULL");
		return things.remove();
	};
	walk(s);
}

TEST_F(FaultCore, LbaMap)
{
	ASSERT_OK_AND_ASSIGN(Backstore store, Backstore::create(ramdisk_spec("fault", 1 << 20)));
	Scenario s = scenario("referrals");
	s.act = [&] { return write_value(store.path() + "/lba_map", "64 1\n0 63 0:O 1:U\n64 127 0:U 1:O\n"); };
	s.restore = [&] { return write_value(store.path() + "/lba_map", "\n"); };
	walk(s);
}

/// A port with a LUN, an ACL and a mapped LUN.
TEST_F(FaultCore, Port)
{
	ASSERT_OK_AND_ASSIGN(Backstore store, Backstore::create(ramdisk_spec("fault", 1 << 20)));
	const std::string wwn = fresh_wwn();
	std::optional<TestPort> port;
	Scenario s = scenario("port, LUN, ACL and mapped LUN");
	s.act = [&]() -> Status {
		LIO_TRY(port, TestPort::create(wwn, 1, false));
		LIO_CHECK(port->add_lun(0, store));
		LIO_CHECK(port->add_acl(initiator_a));
		return port->map_lun(initiator_a, 3, 0);
	};
	s.restore = [&]() -> Status {
		Status removed = port ? port->destroy() : Status();
		port.reset();
		return removed;
	};
	walk(s);
}

/// An initiator with an ACL, and one that gets it with its login.
TEST_F(FaultCore, Nexus)
{
	ASSERT_OK_AND_ASSIGN(Backstore store, Backstore::create(ramdisk_spec("fault", 1 << 20)));
	ASSERT_OK_AND_ASSIGN(TestPort port, TestPort::create(fresh_wwn(), 1, true));
	ASSERT_OK(port.add_lun(0, store));
	ASSERT_OK(port.add_acl(initiator_a));
	ASSERT_OK(port.map_lun(initiator_a, 0, 0));
	ASSERT_OK_AND_ASSIGN(TestInitiator io, TestInitiator::open());
	expect_dmesg("^target_core_mod: no memory to map LUN 0 for iqn\\.2026-01\\.org\\.x:b$", Need::optional);
	for (const auto &initiator : {initiator_a, initiator_b}) {
		Scenario s = scenario("login and logout of " + initiator);
		s.act = [&]() -> Status {
			LIO_TRY(uint32_t nexus, io.login(port, initiator));
			return io.logout(nexus);
		};
		walk(s);
	}
}

/// What the core answers itself.
CommandList core_commands()
{
	CommandList list;
	list.none(cdb::test_unit_ready());
	list.in(cdb::report_luns(), 4096);
	for (uint8_t page : {0x00, 0x80, 0x83, 0x86, 0xb0, 0xb1, 0xb2})
		list.in(cdb::inquiry_vpd(page, 1024), 1024);
	list.in(cdb::mode_sense(10, 0x3f, 0, 1024), 1024);
	list.in(cdb::read_capacity16(), 32);
	list.in(cdb::request_sense(), 252);
	list.in(cdb::rsoc(), 8192);
	list.in(cdb::get_lba_status(0, 1024), 1024);
	list.out(Cdb{0x3b, 0x0a, 0, 0, 0, 0, 0, 0, 16, 0}, std::vector<uint8_t>(16));
	return list;
}

TEST_F(FaultCore, Commands)
{
	ASSERT_OK_AND_ASSIGN(Backstore store, make_thin(ramdisk_spec("fault", fault_bytes)));
	ASSERT_NO_FATAL_FAILURE(walk_commands(store, core_commands(), scenario("commands that the core answers")));
	ASSERT_NO_FATAL_FAILURE(walk_commands(store, medium_commands(false), scenario("commands of a ramdisk")));
}

TEST_F(FaultCore, Format)
{
	ASSERT_OK_AND_ASSIGN(Backstore store, make_thin(ramdisk_spec("fault", 64 << 10)));
	ASSERT_OK(store.set("emulate_format", "1"));
	// OVERWRITE of one pass with a pattern of one byte; FORMAT UNIT without a parameter list.
	CommandList list;
	list.out(Cdb{0x48, 0x01, 0, 0, 0, 0, 0, 0, 5, 0}, {1, 0, 0, 1, 0xa5});
	list.none(Cdb{0x04, 0, 0, 0, 0, 0});
	Scenario s = scenario("SANITIZE and FORMAT UNIT");
	s.run = 64; // the pages of the buffer, and those of the medium: not one and the same loop
	ASSERT_NO_FATAL_FAILURE(walk_commands(store, list, s));
}

/// The core keeps what is longer than the CDBs that it knows in memory of its own.
TEST_F(FaultCore, LongCdb)
{
	ASSERT_OK_AND_ASSIGN(Backstore store, Backstore::create(ramdisk_spec("fault", fault_bytes)));
	ASSERT_OK_AND_ASSIGN(Player player, Player::create(store));
	TestCommand command{.cdb = Cdb(260)};
	command.cdb[0] = 0x7f;
	command.cdb[7] = 252;
	Scenario s = scenario("CDB of 260 bytes");
	s.act = [&]() -> Status {
		constexpr uint32_t invalid_field = 0x052400; // the service action
		LIO_TRY(TestReply reply, player.io.execute(player.nexus, command));
		return reply.kcq() == invalid_field ? Status() : judged(reply);
	};
	s.restore = [&] { return player.works(); };
	walk(s);
	EXPECT_OK(player.destroy());
}

/// A reset while a write waits for its data.
TEST_F(FaultCore, Resets)
{
	ASSERT_OK_AND_ASSIGN(Backstore store, Backstore::create(ramdisk_spec("fault", fault_bytes)));
	ASSERT_OK_AND_ASSIGN(Player player, Player::create(store));
	expect_dmesg("^target_core_mod: no memory for unit attention 29/03$", Need::optional);
	std::vector<uint8_t> data = pattern(fault_block, 0, 1);
	TestInitiator &io = player.io;
	Scenario s = scenario("LUN reset");
	s.act = [&]() -> Status {
		TestCommand write{.cdb = cdb::write(10, 0, 1), .data = Data::out(data), .flags = TCMT_HOLD_DATA};
		LIO_TRY(uint64_t tag, io.submit(player.nexus, write));
		LIO_TRY(tcmt_event first, io.next());
		if (first.type != TCMT_DATA_WANTED)
			return judged(decode_reply(first));
		auto reset = io.tmf(player.nexus, Tmf::lun_reset, 0);
		if (reset)
			(void)io.wait_claimed(player.nexus, tag, seconds(1)); // it may not be: no memory
		LIO_CHECK(io.release(player.nexus, tag));
		LIO_CHECK(io.wait(tag, TCMT_RELEASED));
		LIO_TRY(uint64_t sent, std::move(reset));
		LIO_TRY(TmfResponse done, io.wait_tmf(sent));
		return done == TmfResponse::complete ? Status() : Error{ENOMEM, "LUN reset", "refused"};
	};
	s.restore = [&]() -> Status {
		io.forget_pending();
		return player.works();
	};
	walk(s);
	EXPECT_OK(player.destroy());
}

} // namespace
} // namespace lio::test
