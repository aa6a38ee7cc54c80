// SPDX-License-Identifier: GPL-2.0
#include "fault_store.hpp"

#include <algorithm>

#include "pattern.hpp"
#include "system.hpp"
#include "test_env.hpp"

namespace lio::test {

Status Things::dir(const std::string &path)
{
	LIO_TRY(Removal r, make_dir_guard(path));
	made.push_back(std::move(r));
	return {};
}

Status Things::link(const std::string &target, const std::string &path)
{
	LIO_TRY(Removal r, make_link_guard(target, path));
	made.push_back(std::move(r));
	return {};
}

Status Things::remove()
{
	for (; !made.empty(); made.pop_back())
		LIO_CHECK(made.back().remove());
	return {};
}

Status make_store(Things &t, const std::string &hba, const std::vector<std::string> &control, const std::string &node)
{
	const std::string dir = target_root + "/core/" + hba;
	LIO_CHECK(t.dir(dir));
	LIO_CHECK(t.dir(dir + "/fault"));
	if (!node.empty())
		LIO_CHECK(write_value(dir + "/fault/udev_path", node));
	for (const auto &line : control)
		LIO_CHECK(write_value(dir + "/fault/control", line));
	return write_value(dir + "/fault/enable", "1");
}

Result<Backstore> make_thin(const BackstoreSpec &spec)
{
	LIO_TRY(Backstore store, Backstore::create(spec));
	for (const char *attribute : {"emulate_tpu", "emulate_tpws"})
		LIO_CHECK(store.set(attribute, "1"));
	return store;
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

Status CommandList::run(TestInitiator &io, uint32_t nexus)
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

namespace {

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

} // namespace

CommandList medium_commands(bool fua)
{
	const std::vector<uint8_t> data = pattern(64 * fault_block, 0, 1), one = pattern(fault_block, 0, 1);
	std::vector<uint8_t> twice = pattern(2 * fault_block, 0, 1);
	std::copy(twice.begin(), twice.begin() + fault_block, twice.begin() + fault_block);
	CommandList list;
	list.out(cdb::write(10, 0, 64), data);
	list.in(cdb::read(16, 0, 64), data.size());
	if (fua)
		list.out(cdb::write(10, 0, 64, {.fua = true}), data);
	list.out(cdb::verify(10, 0, 64, 1), data);
	list.out(cdb::write_and_verify(10, 64, 64, 1), data);
	list.out(cdb::compare_and_write(0, 1), twice);
	list.out(cdb::write_same(16, 128, 64), one);
	list.out(cdb::write_same(16, 128, 64, {.unmap = true}), std::vector<uint8_t>(fault_block));
	list.out(cdb::unmap(24), unmap_list(0, 128));
	list.none(cdb::sync_cache(10));
	return list;
}

Result<Player> Player::create(const Backstore &store)
{
	LIO_TRY(TestPort port, TestPort::create(fresh_wwn(), 1, true));
	LIO_CHECK(port.add_lun(0, store));
	LIO_TRY(TestInitiator io, TestInitiator::open());
	LIO_TRY(uint32_t nexus, io.login(port, initiator_a));
	LIO_CHECK(io.settle(nexus, 0));
	return Player{std::move(port), std::move(io), nexus};
}

Status Player::works()
{
	LIO_CHECK(io.settle(nexus, 0));
	std::vector<uint8_t> buf(fault_block);
	LIO_TRY(TestReply r, io.execute(nexus, {.cdb = cdb::read(10, 0, 1), .data = Data::in(buf)}));
	return judged(r);
}

Status Player::destroy()
{
	LIO_CHECK(io.logout(nexus));
	return port.destroy();
}

void walk_commands(const Backstore &store, CommandList list, Scenario s)
{
	ASSERT_OK_AND_ASSIGN(Player player, Player::create(store));
	s.act = [&] { return list.run(player.io, player.nexus); };
	s.restore = [&] { return player.works(); };
	walk(s);
	EXPECT_OK(player.destroy());
}

} // namespace lio::test
