// SPDX-License-Identifier: GPL-2.0
// Several I_T nexuses: what each sees, may do and is told.
#include <algorithm>

#include "gtest_result.hpp"
#include "pattern.hpp"
#include "tcmtest_stage.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

TestCommand read_blocks(std::span<uint8_t> buf, uint64_t lun = 0, uint64_t lba = 0)
{
	return {.cdb = cdb::read(10, lba, buf.size() / 512), .lun = lun, .data = Data::in(buf)};
}

TestCommand write_blocks(std::span<const uint8_t> buf, uint64_t lun = 0, uint64_t lba = 0)
{
	return {.cdb = cdb::write(10, lba, buf.size() / 512), .lun = lun, .data = Data::out(buf)};
}

/// The LUNs that REPORT LUNS names (SPC-4 6.33), sorted.
Result<std::vector<uint64_t>> report_luns(TestInitiator &io, uint32_t nexus, uint64_t lun)
{
	std::vector<uint8_t> buf(4096);
	LIO_TRY(TestReply r, io.execute(nexus, {.cdb = cdb::report_luns(buf.size()), .lun = lun, .data = Data::in(buf)}));
	if (!r.good())
		return Error{EIO, {}, "REPORT LUNS"};
	std::vector<uint64_t> luns;
	for (size_t at = 8; at < 8 + get_be({buf.data(), 4}); at += 8)
		luns.push_back(get_be({&buf[at], 2}));
	std::sort(luns.begin(), luns.end());
	return luns;
}

TEST(TcmtestNexus, EachSeesItsOwnMap)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK(s.port.map_lun(initiator_a, 3, 0));
	ASSERT_OK(s.port.map_lun(initiator_b, 7, 0, true));
	ASSERT_OK_AND_ASSIGN(auto of_a, report_luns(s.io, s.a, 0));
	ASSERT_OK_AND_ASSIGN(auto of_b, report_luns(s.io, s.b, 0));
	EXPECT_EQ(of_a, (std::vector<uint64_t>{0, 3}));
	EXPECT_EQ(of_b, (std::vector<uint64_t>{0, 7}));
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.a, {.cdb = cdb::test_unit_ready(), .lun = 7}));
	EXPECT_EQ(r.kcq(), 0x052500u) << r;
}

TEST(TcmtestNexus, ReadOnlyMappingRefusesWrites)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK(s.port.map_lun(initiator_b, 7, 0, true));
	std::vector<uint8_t> data = pattern(4096, 0), back(4096);
	ASSERT_OK_AND_ASSIGN(TestReply w, s.io.execute(s.a, write_blocks(data)));
	EXPECT_TRUE(w.good()) << w;
	ASSERT_OK(s.io.settle(s.b, 7));
	std::vector<uint8_t> other = pattern(4096, 0, 1);
	ASSERT_OK_AND_ASSIGN(TestReply refused, s.io.execute(s.b, write_blocks(other, 7)));
	EXPECT_EQ(refused.kcq(), 0x072700u) << refused;
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.b, read_blocks(back, 7)));
	EXPECT_TRUE(r.good()) << r;
	EXPECT_EQ(back, data);
}

TEST(TcmtestNexus, LoginNeedsAnAclOrDemoMode)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	EXPECT_ERRNO(s.io.login(s.port, "iqn.2026-01.org.x:stranger"), EACCES);
	ASSERT_OK_AND_ASSIGN(TestPort open, TestPort::create(fresh_wwn(), 2, true));
	ASSERT_OK(open.add_lun(0, s.store));
	ASSERT_OK_AND_ASSIGN(uint32_t stranger, s.io.login(open, "iqn.2026-01.org.x:stranger"));
	std::vector<uint8_t> buf(512);
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute_past_ua(stranger, read_blocks(buf)));
	EXPECT_TRUE(r.good()) << r;
	ASSERT_OK_AND_ASSIGN(std::string dynamic, read_value(open.path() + "/dynamic_sessions"));
	EXPECT_NE(dynamic.find("iqn.2026-01.org.x:stranger"), std::string::npos) << dynamic;
	ASSERT_OK(s.io.logout(stranger));
	ASSERT_OK_AND_ASSIGN(dynamic, read_value(open.path() + "/dynamic_sessions"));
	EXPECT_EQ(dynamic, "");
}

TEST(TcmtestNexus, DemoModeCanProtectAndHideLuns)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(TestPort open, TestPort::create(fresh_wwn(), 2, true));
	ASSERT_OK(write_value(open.path() + "/attrib/demo_mode_write_protect", "1"));
	// LUN 0 is always there: without a device the core answers for it.
	ASSERT_OK(open.add_lun(1, s.store));
	ASSERT_OK_AND_ASSIGN(uint32_t guest, s.io.login(open, "iqn.2026-01.org.x:guest"));
	ASSERT_OK(s.io.settle(guest, 1));
	std::vector<uint8_t> data(512);
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(guest, write_blocks(data, 1)));
	EXPECT_EQ(r.kcq(), 0x072700u) << r;
	ASSERT_OK(s.io.logout(guest));
	ASSERT_OK(write_value(open.path() + "/attrib/demo_mode_login_only", "1"));
	ASSERT_OK_AND_ASSIGN(guest, s.io.login(open, "iqn.2026-01.org.x:guest"));
	ASSERT_OK_AND_ASSIGN(r, s.io.execute(guest, read_blocks(data, 1)));
	EXPECT_EQ(r.kcq(), 0x052500u) << r;
}

TEST(TcmtestNexus, ANewMappingIsToldToItsInitiatorAlone)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK(s.port.map_lun(initiator_a, 1, 0));
	ASSERT_OK_AND_ASSIGN(TestReply a, s.io.execute(s.a, {.cdb = cdb::test_unit_ready()}));
	ASSERT_OK_AND_ASSIGN(TestReply b, s.io.execute(s.b, {.cdb = cdb::test_unit_ready()}));
	EXPECT_EQ(a.kcq(), 0x063f0eu) << a;
	EXPECT_TRUE(b.good()) << b;
	ASSERT_OK_AND_ASSIGN(a, s.io.execute(s.a, {.cdb = cdb::test_unit_ready()}));
	EXPECT_TRUE(a.good()) << a;
}

TEST(TcmtestNexus, ALunResetIsToldToAllOnce)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(uint64_t tmf, s.io.tmf(s.a, Tmf::lun_reset, 0));
	ASSERT_OK_AND_ASSIGN(TmfResponse answer, s.io.wait_tmf(tmf));
	EXPECT_EQ(answer, TmfResponse::complete);
	for (uint32_t nexus : {s.a, s.b}) {
		ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(nexus, {.cdb = cdb::test_unit_ready()}));
		EXPECT_EQ(r.kcq(), 0x062903u) << r;
		ASSERT_OK_AND_ASSIGN(r, s.io.execute(nexus, {.cdb = cdb::test_unit_ready()}));
		EXPECT_TRUE(r.good()) << r;
	}
}

TEST(TcmtestNexus, AUnitAttentionLetsInquiryAndReportLunsPass)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(uint64_t tmf, s.io.tmf(s.a, Tmf::lun_reset, 0));
	ASSERT_OK(s.io.wait_tmf(tmf));
	std::vector<uint8_t> buf(96);
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute(s.b, {.cdb = cdb::inquiry(96), .data = Data::in(buf)}));
	EXPECT_TRUE(r.good()) << r;
	ASSERT_OK(report_luns(s.io, s.b, 0));
	ASSERT_OK_AND_ASSIGN(r, s.io.execute(s.b, {.cdb = cdb::request_sense(96), .data = Data::in(buf)}));
	EXPECT_TRUE(r.good()) << r;
	const auto sense = decode_sense(buf);
	ASSERT_TRUE(sense);
	EXPECT_EQ(sense->kcq(), 0x062903u);
	ASSERT_OK_AND_ASSIGN(r, s.io.execute(s.b, {.cdb = cdb::test_unit_ready()}));
	EXPECT_TRUE(r.good()) << "REQUEST SENSE has reported it: " << r;
}

TEST(TcmtestNexus, OneInitiatorWithTwoIsidsHasTwoNexuses)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(TestInitiator other, TestInitiator::open());
	ASSERT_OK_AND_ASSIGN(uint32_t second, other.login(s.port, initiator_a, 0x23d000000001));
	std::vector<uint8_t> data = pattern(512, 0);
	// The same tag on both.
	ASSERT_OK_AND_ASSIGN(uint64_t held, s.io.submit(s.a, {.cdb = cdb::write(10, 0, 1), .data = Data::out(data),
							      .flags = TCMT_HOLD_DATA}));
	ASSERT_OK(s.io.wait(held, TCMT_DATA_WANTED));
	ASSERT_OK_AND_ASSIGN(uint64_t tmf, other.tmf(second, Tmf::abort_task, 0, held));
	ASSERT_OK_AND_ASSIGN(TmfResponse answer, other.wait_tmf(tmf));
	EXPECT_EQ(answer, TmfResponse::no_task) << answer;
	ASSERT_OK(s.io.release(s.a, held));
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.wait_reply(held));
	EXPECT_TRUE(r.good()) << r;
	ASSERT_OK(other.logout(second));
	ASSERT_OK_AND_ASSIGN(r, s.io.execute(s.a, {.cdb = cdb::test_unit_ready()}));
	EXPECT_TRUE(r.good()) << r;
}

TEST(TcmtestNexus, RemovingAnAclEndsItsNexusOnly)
{
	ASSERT_OK_AND_ASSIGN(TestStage s, TestStage::create());
	ASSERT_OK_AND_ASSIGN(TestPort port, TestPort::create(fresh_wwn(), 3, false));
	ASSERT_OK(port.add_lun(0, s.store));
	ASSERT_OK(port.add_acl(initiator_a));
	ASSERT_OK_AND_ASSIGN(uint32_t nexus, s.io.login(port, initiator_a));
	ASSERT_OK(port.destroy());
	ASSERT_OK_AND_ASSIGN(tcmt_event gone, s.io.wait(0, TCMT_NEXUS_GONE));
	EXPECT_EQ(gone.nexus, nexus);
	EXPECT_TRUE(gone.flags & TCMT_BY_CORE);
	printf("close_session with interrupts %s\n", gone.flags & TCMT_IRQS_OFF ? "off" : "on");
	EXPECT_ERRNO(s.io.submit(nexus, {.cdb = cdb::test_unit_ready()}), ESHUTDOWN);
	ASSERT_OK_AND_ASSIGN(TestReply r, s.io.execute_past_ua(s.a, {.cdb = cdb::test_unit_ready()}));
	EXPECT_TRUE(r.good()) << r;
}

} // namespace
} // namespace lio::test
