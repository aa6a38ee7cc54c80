// SPDX-License-Identifier: GPL-2.0
// The core and the backstores that it has in the kernel while memory is short. The fabric is tcm_test, which has ACLs.
#include "fault_walk.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "system.hpp"
#include "tcmtest_stage.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint32_t block = 512;

class FaultCore : public FaultTest {
protected:
	Status begin() override
	{
		LIO_CHECK(ensure_tcm_test());
		return load_module("target_core_file");
	}
	static Scenario scenario(const std::string &name, const std::string &module = "target_core_mod")
	{
		Scenario s;
		s.name = name;
		s.module = module;
		return s;
	}
};

/// Directories and links in the order in which they are made; they go in the opposite one.
struct Things {
	std::vector<Removal> made;

	Status dir(const std::string &path)
	{
		LIO_TRY(Removal r, make_dir_guard(path));
		made.push_back(std::move(r));
		return {};
	}
	Status link(const std::string &target, const std::string &path)
	{
		LIO_TRY(Removal r, make_link_guard(target, path));
		made.push_back(std::move(r));
		return {};
	}
	Status remove()
	{
		for (; !made.empty(); made.pop_back())
			LIO_CHECK(made.back().remove());
		return {};
	}
};

/// A backstore from its HBA to its end.
Status make_store(Things &t, const std::string &hba, const std::vector<std::string> &control)
{
	const std::string dir = target_root + "/core/" + hba;
	LIO_CHECK(t.dir(dir));
	LIO_CHECK(t.dir(dir + "/fault"));
	for (const auto &line : control)
		LIO_CHECK(write_value(dir + "/fault/control", line));
	return write_value(dir + "/fault/enable", "1");
}

TEST_F(FaultCore, Ramdisk)
{
	Things things;
	Scenario s = scenario("create and enable a ramdisk");
	s.act = [&] { return make_store(things, "rd_mcp_91", {"rd_pages=64"}); };
	s.restore = [&] { return things.remove(); };
	walk(s);
}

TEST_F(FaultCore, File)
{
	ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::create("/var/tmp"));
	ASSERT_OK(make_sparse_file(dir / "file", 1 << 20));
	expect_dmesg("^target_core_file: /var/tmp/\\S+/file: cannot be opened for writing: -12$", Need::optional);
	expect_dmesg("^workqueue: Failed to (allocate a rescuer|create a rescuer kthread) for wq \"fileio_fault\"(: -12)?$",
		     Need::optional);
	Things things;
	for (const char *module : {"target_core_mod", "target_core_file"}) {
		Scenario s = scenario("create and enable a file", module);
		s.act = [&] {
			return make_store(things, "fileio_91", {"fd_dev_name=" + dir / "file" + ",fd_dev_size=1048576"});
		};
		s.restore = [&] { return things.remove(); };
		walk(s);
	}
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

/// What a command that found no memory is answered with.
Status judged(const TestReply &r)
{
	constexpr uint32_t communication_failure = 0x020800;
	if (r.good())
		return {};
	if (r.status == ScsiStatus::busy || r.status == ScsiStatus::task_set_full || r.kcq() == communication_failure)
		return Error{ENOMEM, "command", "no memory, says the"};
	std::ostringstream text;
	text << r;
	return Error{EREMOTEIO, "command", text.str() + " for"};
}

/// Commands one after the other, each with data of the right length.
class CommandList {
	struct Entry {
		Cdb cdb;
		std::vector<uint8_t> data;
		Data::Direction direction;
	};
	std::vector<Entry> entries_;

public:
	void none(const Cdb &c) { entries_.push_back({c, {}, Data::Direction::none}); }
	void in(const Cdb &c, size_t bytes)
	{
		entries_.push_back({c, std::vector<uint8_t>(bytes), Data::Direction::in});
	}
	void out(const Cdb &c, std::vector<uint8_t> data)
	{
		entries_.push_back({c, std::move(data), Data::Direction::out});
	}

	Status run(TestInitiator &io, uint32_t nexus)
	{
		for (auto &e : entries_) {
			TestCommand command{.cdb = e.cdb};
			command.data = {e.direction, e.data};
			LIO_TRY(TestReply reply, io.execute(nexus, command));
			if (Status s = judged(reply); !s)
				return Error{s.code(), e.cdb.hex(), s.error().str()};
		}
		return {};
	}
};

std::vector<uint8_t> unmap_list(uint64_t lba, uint32_t blocks)
{
	std::vector<uint8_t> list(24);
	list[1] = 22;
	list[3] = 16;
	for (unsigned i = 0; i < 8; i++)
		list[8 + i] = uint8_t(lba >> (56 - 8 * i));
	for (unsigned i = 0; i < 4; i++)
		list[16 + i] = uint8_t(blocks >> (24 - 8 * i));
	return list;
}

/// Commands that a medium answers with GOOD, with @fua one that has a cache.
CommandList medium_commands(bool fua)
{
	const std::vector<uint8_t> data = pattern(64 * block, 0, 1), one = pattern(block, 0, 1);
	std::vector<uint8_t> twice = pattern(2 * block, 0, 1);
	std::copy(twice.begin(), twice.begin() + block, twice.begin() + block);
	CommandList list;
	list.out(cdb::write(10, 0, 64), data);
	list.in(cdb::read(16, 0, 64), data.size());
	if (fua)
		list.out(cdb::write(10, 0, 64, {.fua = true}), data);
	list.out(cdb::verify(10, 0, 64, 1), data);
	list.out(cdb::write_and_verify(10, 64, 64, 1), data);
	list.out(cdb::compare_and_write(0, 1), twice);
	list.out(cdb::write_same(16, 128, 64), one);
	list.out(cdb::write_same(16, 128, 64, {.unmap = true}), std::vector<uint8_t>(block));
	list.out(cdb::unmap(24), unmap_list(0, 128));
	list.none(cdb::sync_cache(10));
	return list;
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

/// A port for @store, and a nexus that has no unit attention left.
struct Player {
	TestPort port;
	TestInitiator io;
	uint32_t nexus;

	static Result<Player> create(const Backstore &store)
	{
		LIO_TRY(TestPort port, TestPort::create(fresh_wwn(), 1, true));
		LIO_CHECK(port.add_lun(0, store));
		LIO_TRY(TestInitiator io, TestInitiator::open());
		LIO_TRY(uint32_t nexus, io.login(port, initiator_a));
		LIO_CHECK(io.settle(nexus, 0));
		return Player{std::move(port), std::move(io), nexus};
	}
	/// Whatever came of a fault, the LUN works.
	Status works()
	{
		LIO_CHECK(io.settle(nexus, 0));
		std::vector<uint8_t> buf(block);
		LIO_TRY(TestReply r, io.execute(nexus, {.cdb = cdb::read(10, 0, 1), .data = Data::in(buf)}));
		return judged(r);
	}
};

void walk_commands(const Backstore &store, CommandList list, Scenario s)
{
	ASSERT_OK(store.set("emulate_tpu", "1"));
	ASSERT_OK(store.set("emulate_tpws", "1"));
	ASSERT_OK_AND_ASSIGN(Player player, Player::create(store));
	s.act = [&] { return list.run(player.io, player.nexus); };
	s.restore = [&] { return player.works(); };
	walk(s);
	EXPECT_OK(player.io.logout(player.nexus));
	EXPECT_OK(player.port.destroy());
}

TEST_F(FaultCore, CommandsOfRamdisk)
{
	ASSERT_OK_AND_ASSIGN(Backstore store, Backstore::create(ramdisk_spec("fault", 8 << 20)));
	ASSERT_NO_FATAL_FAILURE(walk_commands(store, core_commands(), scenario("commands that the core answers")));
	ASSERT_NO_FATAL_FAILURE(walk_commands(store, medium_commands(false), scenario("commands of a ramdisk")));
}

TEST_F(FaultCore, CommandsOfFile)
{
	ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::create("/var/tmp"));
	ASSERT_OK(make_sparse_file(dir / "file", 8 << 20));
	for (const char *module : {"target_core_mod", "target_core_file"}) {
		ASSERT_OK_AND_ASSIGN(Backstore store, Backstore::create(fileio_spec("fault", dir / "file", 8 << 20, true)));
		ASSERT_NO_FATAL_FAILURE(walk_commands(store, medium_commands(true), scenario("commands of a file", module)));
	}
}

TEST_F(FaultCore, Resets)
{
	ASSERT_OK_AND_ASSIGN(Backstore store, Backstore::create(ramdisk_spec("fault", 1 << 20)));
	ASSERT_OK_AND_ASSIGN(Player player, Player::create(store));
	expect_dmesg("^target_core_mod: no memory for unit attention 29/03$", Need::optional);
	Scenario s = scenario("LUN reset");
	s.act = [&]() -> Status {
		LIO_TRY(uint64_t tag, player.io.tmf(player.nexus, Tmf::lun_reset, 0));
		LIO_TRY(TmfResponse done, player.io.wait_tmf(tag));
		return done == TmfResponse::complete ? Status() : Error{ENOMEM, "LUN reset", "refused"};
	};
	s.restore = [&] { return player.works(); };
	walk(s);
	EXPECT_OK(player.io.logout(player.nexus));
	EXPECT_OK(player.port.destroy());
}

} // namespace
} // namespace lio::test
