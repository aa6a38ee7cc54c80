// SPDX-License-Identifier: GPL-2.0
// The distribution's iscsi_target_mod over the core that is loaded, with open-iscsi.
#include "mixed_stage.hpp"

#include <algorithm>
#include <optional>
#include <thread>

#include "leak_rounds.hpp"
#include "module.hpp"
#include "pattern.hpp"
#include "seed.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

constexpr uint32_t luns_changed = 0x063f0e, write_protected = 0x072700, standby = 0x02040b;
/// Longer than the core and the fabric wait for anybody (30 s), on a slow machine.
constexpr milliseconds deadline = seconds(60);

const Settings digests = {{"node.conn[0].iscsi.HeaderDigest", "CRC32C"}, {"node.conn[0].iscsi.DataDigest", "CRC32C"}};

Settings chap(const std::string &password)
{
	return {{"node.session.auth.authmethod", "CHAP"},
		{"node.session.auth.username", "user"},
		{"node.session.auth.password", password}};
}

void expect_changed_luns()
{
	expect_dmesg("LUN assignments on this target have changed", Need::optional);
	expect_dmesg("^sd [0-9:]+: (\\[sd\\w+\\] |Asymmetric access state changed$)", Need::optional);
	expect_dmesg("Detected NON_EXISTENT_LUN Access", Need::optional); // the distribution's core tells
}

class MixedIscsi : public testing::Test {
protected:
	std::optional<Iscsid> iscsid_;
	std::optional<Backstore> disks_[2];
	std::optional<IscsiTarget> target_;

	void SetUp() override
	{
		// sd of 6.12 asks for the IO Advice Hints subpage, and the distribution's core complains.
		expect_dmesg("^MODE SENSE: unimplemented page/subpage: 0x0a/0x05$", Need::optional);
		ASSERT_OK_AND_ASSIGN(Iscsid daemon, Iscsid::start());
		iscsid_.emplace(std::move(daemon));
	}

	void make_target(bool demo)
	{
		for (int i = 0; i < 2; i++) {
			auto disk = Backstore::create(ramdisk_spec("rd" + std::to_string(i), mixed_bytes));
			ASSERT_OK(disk);
			disks_[i].emplace(std::move(*disk));
		}
		ASSERT_OK_AND_ASSIGN(IscsiTarget target, IscsiTarget::create(demo));
		target_.emplace(std::move(target));
		for (int i = 0; i < 2; i++)
			ASSERT_OK(target_->tree().lun(target_->tpg(), i, *disks_[i]));
	}

	void make_acl()
	{
		ASSERT_OK(target_->tree().dir(target_->acl()));
		ASSERT_OK(write_value(target_->acl() + "/auth/userid", "user"));
		ASSERT_OK(write_value(target_->acl() + "/auth/password", "secretsecret"));
	}

	void TearDown() override
	{
		if (target_ && target_->tree().size()) {
			EXPECT_OK(target_->destroy());
		}
		target_.reset();
		for (auto &disk : disks_)
			disk.reset();
	}
};

TEST_F(MixedIscsi, DemoMode)
{
	ASSERT_NO_FATAL_FAILURE(make_target(true));
	ASSERT_OK(target_->enable(true));
	{
		ASSERT_OK_AND_ASSIGN(IscsiLogin login, IscsiLogin::login());
		for (uint64_t lun : {0, 1}) {
			ASSERT_OK_AND_ASSIGN(std::string node, login.disk(lun));
			EXPECT_OK(verify_blocks(node));
		}
		EXPECT_EQ(read_value(target_->tpg() + "/dynamic_sessions").value_or(""), IscsiTarget::initiator);
		ASSERT_OK(login.logout());
	}
	EXPECT_EQ(read_value(target_->tpg() + "/dynamic_sessions").value_or("?"), "");
}

TEST_F(MixedIscsi, ChapDigestsAndMappedLuns)
{
	expect_dmesg("^(Security|iSCSI Login) negotiation failed");
	expect_dmesg("Digests do not match!", Need::optional);
	expect_changed_luns();
	ASSERT_NO_FATAL_FAILURE(make_target(false));
	ASSERT_NO_FATAL_FAILURE(make_acl());
	std::string acl = target_->acl();
	ASSERT_OK(target_->tree().mapped_lun(target_->tpg(), acl, 0, 0));
	ASSERT_OK(target_->tree().mapped_lun(target_->tpg(), acl, 5, 1));
	ASSERT_OK(write_value(acl + "/lun_5/write_protect", "1"));
	ASSERT_OK(target_->enable(true));
	EXPECT_FALSE(IscsiLogin::login(chap("wrongwrongwrong")).ok());

	Settings settings = chap("secretsecret");
	settings.insert(settings.end(), digests.begin(), digests.end());
	ASSERT_OK_AND_ASSIGN(IscsiLogin login, IscsiLogin::login(settings));
	ASSERT_OK_AND_ASSIGN(std::string node, login.disk(0));
	EXPECT_OK(verify_blocks(node));
	ASSERT_OK_AND_ASSIGN(std::string protected_node, login.disk(5));
	EXPECT_EQ(login.luns().value_or({}), (std::vector<std::string>{"0", "5"}));
	EXPECT_EQ(read_value("/sys/block/" + protected_node.substr(5) + "/ro").value_or(""), "1");
	ASSERT_OK_AND_ASSIGN(SgDevice sg, login.open_sg(5));
	std::vector<uint8_t> block(512, 0xa5);
	ASSERT_OK_AND_ASSIGN(ScsiReply refused, sg.execute_past_ua(cdb::write(10, 0, 1), Data::out(block)));
	EXPECT_EQ(refused.kcq(), write_protected) << refused;
	ASSERT_OK(sg.execute_good(cdb::read(10, 0, 1), Data::in(block)));
	EXPECT_EQ(std::count(block.begin(), block.end(), 0), 512) << "a refused write changed the medium";
	EXPECT_OK(login.logout());
}

/// What a connection that breaks with commands under way makes both ends log.
void expect_broken_connection()
{
	for (const char *text :
	     {"^ ?connection\\d+:\\d+: ", "^Unexpected ret: ", "^TX Data/DataIN", "^Did not receive response to NOPIN",
	      "^iSCSI Login timeout", "^tx_data", "^rx_data", "^ABORT_TASK: ",
	      "^TARGET_CORE\\[iSCSI\\]", "^iSCSI Login negotiation failed", "^Closing iSCSI connection",
	      "^Timeout waiting for (data|response)", "^iscsit_", "^Got unknown iSCSI OpCode", "^session\\d+: ",
	      "^sd [0-9:]+: "})
		expect_dmesg(text, Need::optional);
}

TEST_F(MixedIscsi, SessionReinstatementUnderTraffic)
{
	expect_broken_connection();
	ASSERT_NO_FATAL_FAILURE(make_target(true));
	ASSERT_OK(target_->enable(true));
	ASSERT_OK_AND_ASSIGN(IscsiLogin login, IscsiLogin::login({{"node.conn[0].timeo.noop_out_interval", "1"},
								  {"node.conn[0].timeo.noop_out_timeout", "1"}}));
	ASSERT_OK_AND_ASSIGN(std::string node, login.disk(0));
	ASSERT_OK_AND_ASSIGN(MixedTraffic traffic, MixedTraffic::start(node));
	for (uint64_t i = 0, rounds = count(2, 20); i < rounds; i++) {
		SCOPED_TRACE(i);
		// The initiator gives the connection up and comes back; the target has not noticed.
		ASSERT_OK(run_ok({"ip", "link", "set", "lo", "down"}));
		std::this_thread::sleep_for(seconds(4));
		ASSERT_OK(run_ok({"ip", "link", "set", "lo", "up"}));
		EXPECT_OK(traffic.wait_progress(20, deadline));
	}
	ASSERT_OK_AND_ASSIGN(int verdict, traffic.end(true, deadline));
	EXPECT_EQ(verdict, MixedTraffic::good);
	EXPECT_OK(verify_blocks(node));
	EXPECT_OK(login.logout());
}

TEST_F(MixedIscsi, DisableUnderTraffic)
{
	expect_broken_connection();
	ASSERT_NO_FATAL_FAILURE(make_target(true));
	ASSERT_OK(target_->enable(true));
	ASSERT_OK_AND_ASSIGN(IscsiLogin login, IscsiLogin::login());
	ASSERT_OK_AND_ASSIGN(std::string node, login.disk(0));
	ASSERT_OK_AND_ASSIGN(MixedTraffic traffic, MixedTraffic::start(node));
	for (uint64_t i = 0, rounds = count(3, 30); i < rounds; i++) {
		SCOPED_TRACE(i);
		ASSERT_OK(target_->enable(false));
		ASSERT_OK(target_->enable(true));
		EXPECT_OK(traffic.wait_progress(20, deadline));
	}
	ASSERT_OK_AND_ASSIGN(int verdict, traffic.end(true, deadline));
	EXPECT_EQ(verdict, MixedTraffic::good);
	EXPECT_OK(login.logout());
}

TEST_F(MixedIscsi, LunRemovalUnderTraffic)
{
	expect_dmesg("^(Buffer )?I/O error|^I/O error, dev |^critical target error", Need::optional);
	expect_changed_luns();
	ASSERT_NO_FATAL_FAILURE(make_target(true));
	ASSERT_OK(target_->enable(true));
	ASSERT_OK_AND_ASSIGN(IscsiLogin login, IscsiLogin::login());
	ASSERT_OK_AND_ASSIGN(std::string node, login.disk(0));
	ASSERT_OK_AND_ASSIGN(std::string going, login.disk(1));
	ASSERT_OK_AND_ASSIGN(MixedTraffic traffic, MixedTraffic::start(going));
	Stopwatch watch;
	ASSERT_OK(target_->tree().clear(target_->tree().size() - 2));
	EXPECT_LT(watch.seconds(), 30);
	ASSERT_OK_AND_ASSIGN(int verdict, traffic.end(false, deadline));
	EXPECT_EQ(verdict, MixedTraffic::io_error);
	EXPECT_OK(verify_blocks(node));
	EXPECT_OK(login.logout());
}

TEST_F(MixedIscsi, ReportLunsEndsWhatSaysThatLunsChanged)
{
	expect_changed_luns();
	ASSERT_NO_FATAL_FAILURE(make_target(false));
	ASSERT_NO_FATAL_FAILURE(make_acl());
	std::string acl = target_->acl(), tpg = target_->tpg();
	ASSERT_OK(target_->tree().mapped_lun(tpg, acl, 0, 0));
	ASSERT_OK(target_->enable(true));
	ASSERT_OK_AND_ASSIGN(IscsiLogin login, IscsiLogin::login(chap("secretsecret")));
	ASSERT_OK_AND_ASSIGN(SgDevice sg, login.open_sg(0));
	ASSERT_OK(sg.execute_past_ua(cdb::test_unit_ready()));
	for (bool ask : {false, true}) {
		SCOPED_TRACE(ask);
		ASSERT_OK(target_->tree().mapped_lun(tpg, acl, ask ? 7 : 6, 1));
		if (ask) {
			ASSERT_OK_AND_ASSIGN(auto luns, sg.fetch(cdb::report_luns(), 4096));
			EXPECT_EQ(luns.size(), 8u + 3 * 8);
		}
		ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(cdb::test_unit_ready()));
		EXPECT_EQ(reply.kcq(), ask ? 0 : luns_changed) << reply;
	}
	EXPECT_OK(login.logout());
}

TEST_F(MixedIscsi, AReadThatBringsDataChangesNothing)
{
	ASSERT_NO_FATAL_FAILURE(make_target(true));
	ASSERT_OK(target_->enable(true));
	ASSERT_OK_AND_ASSIGN(IscsiLogin login, IscsiLogin::login());
	ASSERT_OK_AND_ASSIGN(SgDevice sg, login.open_sg(0));
	std::vector<uint8_t> kept = pattern(4096, 0), other(4096, 0xa5);
	ASSERT_OK(sg.execute_past_ua(cdb::test_unit_ready()));
	ASSERT_OK(sg.execute_good(cdb::write(10, 0, 8), Data::out(kept)));
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, sg.execute(cdb::read(10, 0, 8), Data::out(other)));
	EXPECT_TRUE(reply.good()) << reply;
	EXPECT_EQ(reply.residual, 4096) << reply;
	// More than the CDB has is not taken.
	ASSERT_OK_AND_ASSIGN(ScsiReply refused, sg.execute(cdb::read(10, 0, 1), Data::out(other)));
	EXPECT_EQ(refused.kcq(), 0x052400u) << refused;
	ASSERT_OK(sg.execute_good(cdb::read(10, 0, 8), Data::in(other)));
	EXPECT_EQ(other, kept);
	EXPECT_OK(login.logout());
}

/// The statuses of reads of a LUN, until it is gone.
void read_standby(SgDevice &sg, uint64_t &refused)
{
	std::vector<uint8_t> block(512);
	for (;;) {
		auto reply = sg.execute(cdb::read(10, 0, 1), Data::in(block), seconds(30));
		ASSERT_OK(reply);
		ASSERT_FALSE(reply->good()) << "a LUN in standby was read";
		if (reply->kcq() == 0x052500) // LOGICAL UNIT NOT SUPPORTED
			return;
		refused += reply->kcq() == standby;
	}
}

TEST_F(MixedIscsi, StandbyUntilItIsGone)
{
	expect_changed_luns();
	ASSERT_NO_FATAL_FAILURE(make_target(true));
	ASSERT_OK(target_->enable(true));
	ASSERT_OK_AND_ASSIGN(IscsiLogin login, IscsiLogin::login());
	ASSERT_OK_AND_ASSIGN(SgDevice sg, login.open_sg(1));
	ASSERT_OK(sg.execute_past_ua(cdb::test_unit_ready()));
	uint64_t refused = 0;
	size_t without = target_->tree().size() - 2;
	for (uint64_t i = 0, rounds = count(5, 100); i < rounds; i++) {
		SCOPED_TRACE(i);
		ASSERT_OK(write_value(disks_[1]->path() + "/alua/default_tg_pt_gp/alua_access_state", "2"));
		std::thread reader([&] { read_standby(sg, refused); });
		std::this_thread::sleep_for(milliseconds(100));
		auto removed = target_->tree().clear(without);
		reader.join();
		ASSERT_OK(removed);
		if (HasFatalFailure())
			break;
		ASSERT_OK(write_value(disks_[1]->path() + "/alua/default_tg_pt_gp/alua_access_state", "0"));
		ASSERT_OK(target_->tree().lun(target_->tpg(), 1, *disks_[1]));
	}
	EXPECT_GT(refused, 0u);
	EXPECT_OK(login.logout());
}

TEST_F(MixedIscsi, RelativePortIdentifierStaysShown)
{
	ASSERT_NO_FATAL_FAILURE(make_target(true));
	std::string rtpi = target_->tpg() + "/rtpi";
	if (kernel_release().starts_with("6.1.")) {
		EXPECT_FALSE(exists(rtpi)) << "an attribute of later kernels";
		return;
	}
	ASSERT_OK(target_->enable(true));
	ASSERT_OK_AND_ASSIGN(std::string id, read_value(rtpi));
	EXPECT_NE(id, "0x0");
	EXPECT_ERRNO(write_value(rtpi, "9"), EINVAL);
	ASSERT_OK(target_->enable(false));
	EXPECT_EQ(read_value(rtpi).value_or(""), id);
	ASSERT_OK(write_value(rtpi, "9"));
	ASSERT_OK(target_->enable(true));
	EXPECT_EQ(read_value(rtpi).value_or(""), "0x9");
}

TEST_F(MixedIscsi, ManyEnableAtOnce)
{
	ASSERT_NO_FATAL_FAILURE(make_target(true));
	std::vector<std::thread> writers;
	std::string file = target_->tpg() + "/enable";
	for (int i = 0; i < 4; i++)
		writers.emplace_back([&, i] {
			for (uint64_t round = 0; round < count(20, 500); round++)
				(void)write_value(file, (round + i) % 2 ? "1" : "0");
		});
	for (auto &writer : writers)
		writer.join();
	ASSERT_OK(target_->enable(true));
	EXPECT_EQ(read_value(file).value_or(""), "1");
	ASSERT_OK_AND_ASSIGN(IscsiLogin login, IscsiLogin::login());
	ASSERT_OK_AND_ASSIGN(std::string node, login.disk(0));
	EXPECT_OK(verify_blocks(node, 1 << 20));
	EXPECT_OK(login.logout());
}

/// The backstores' modules come by themselves when somebody looks for one; other tests had tcm_loop.
void unload_target()
{
	if (exists(target_root + "/loopback")) {
		ASSERT_OK(remove_dir_within(target_root + "/loopback", removal_limit));
	}
	for (const char *module : {"iscsi_target_mod", "tcm_loop", "target_core_iblock", "target_core_file",
				   "target_core_pscsi", "target_core_user", "target_core_mod"})
		if (module_loaded(module)) {
			ASSERT_OK(unload_module(module));
		}
}

TEST_F(MixedIscsi, UnloadGivesMemoryBack)
{
	expect_no_growth(2, count(2, 50), [&] {
		ASSERT_NO_FATAL_FAILURE(make_target(true));
		ASSERT_OK(target_->enable(true));
		{
			ASSERT_OK_AND_ASSIGN(IscsiLogin login, IscsiLogin::login());
			ASSERT_OK_AND_ASSIGN(std::string node, login.disk(0));
			ASSERT_OK(verify_blocks(node, 1 << 20));
			ASSERT_OK(login.logout());
		}
		ASSERT_OK(target_->destroy());
		ASSERT_NO_FATAL_FAILURE(TearDown());
		unload_target();
	});
}

} // namespace
} // namespace lio::test
