// SPDX-License-Identifier: GPL-2.0
// What our core answers, decoded field by field, and whether it does what it says.
#include <gtest/gtest.h>

#include "sg3_stage.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint32_t invalid_opcode = 0x052000, invalid_field = 0x052400, invalid_parameter = 0x052600;
constexpr const char *sas_name = "naa.5001405000000001";

struct Unit {
	const char *name, *wwn;
	bool thin;
};

std::ostream &operator<<(std::ostream &os, const Unit &u)
{
	return os << u.name;
}

class Sg3Answers : public testing::TestWithParam<Unit> {};

TEST_P(Sg3Answers, AreTheStandards)
{
	ASSERT_OK_AND_ASSIGN(Sg3Unit unit, Sg3Unit::create(GetParam().wwn, GetParam().thin));
	decode::Facts facts;
	decode::Findings findings;
	ASSERT_OK(survey(unit.sg, facts, findings));
	ASSERT_OK_AND_ASSIGN(findings, unexplained(findings));
	for (const auto &line : findings)
		ADD_FAILURE() << line;
	EXPECT_EQ(facts.opcodes->contains({0x42, -1}), GetParam().thin);
	EXPECT_EQ(facts.opcodes->contains({0x04, -1}), GetParam().thin);
	EXPECT_GE(facts.opcodes->size(), 40u);
	EXPECT_EQ(facts.capacity->last + 1, sg3_bytes / 512);
}

INSTANTIATE_TEST_SUITE_P(All, Sg3Answers,
			 testing::Values(Unit{"thick", sas_name, false}, Unit{"thin", sas_name, true},
					 Unit{"fcp", "fc.5001405000000002", true},
					 Unit{"iscsi", "iqn.2026-01.org.x:sg3", true}),
			 [](const auto &info) { return std::string(info.param.name); });

/// Zeros but for what makes it this command.
Cdb bare_cdb(const decode::Command &command, unsigned length)
{
	Cdb cdb(length);
	cdb[0] = command.first;
	if (command.first == 0x7f) {
		cdb[7] = uint8_t(length - 8);
		cdb.be(8, 2, uint64_t(command.second));
	} else if (command.second >= 0) {
		cdb[1] = uint8_t(command.second);
	}
	return cdb;
}

/// Each bit that the usage data call unused, on its own.
void expect_unused_bits_refused(SgDevice &sg, const decode::Command &command, const std::vector<uint8_t> &usage)
{
	for (size_t i = 1; i < usage.size(); i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			Cdb cdb = bare_cdb(command, unsigned(usage.size()));
			if ((usage[i] | cdb[i]) >> bit & 1 || (command.first == 0x7f && i >= 7 && i <= 9) ||
			    (command.second >= 0 && i == 1 && bit < 5))
				continue;
			cdb[i] |= uint8_t(1 << bit);
			// SCSI-2's LUN, which Linux writes before it knows the version.
			bool ignored = cdb[0] == 0x12 && i == 1 && bit >= 5;
			auto reply = sg.execute_past_ua(cdb);
			ASSERT_OK(reply);
			EXPECT_EQ(reply->kcq(), ignored ? 0 : invalid_field) << cdb.hex() << ": " << *reply;
		}
}

Result<decode::Facts> surveyed(SgDevice &sg)
{
	decode::Facts facts;
	decode::Findings findings;
	LIO_CHECK(survey(sg, facts, findings));
	return facts;
}

TEST(Sg3Behaviour, CommandsAreThoseThatAreReported)
{
	ASSERT_OK_AND_ASSIGN(Sg3Unit unit, Sg3Unit::create(sas_name, true));
	ASSERT_OK_AND_ASSIGN(decode::Facts facts, surveyed(unit.sg));
	for (const auto &[command, usage] : facts.usage) {
		ASSERT_OK_AND_ASSIGN(ScsiReply reply, unit.sg.execute_past_ua(bare_cdb(command, unsigned(usage.size()))));
		EXPECT_NE(reply.kcq(), invalid_opcode) << decode::str(command);
		expect_unused_bits_refused(unit.sg, command, usage);
	}
	for (const auto &command : facts.unsupported) {
		static const unsigned lengths[] = {6, 10, 10, 10, 16, 12, 6, 6};
		if (command.first == 0x7f)
			continue;
		ASSERT_OK_AND_ASSIGN(ScsiReply reply,
				     unit.sg.execute_past_ua(bare_cdb(command, lengths[command.first >> 5])));
		EXPECT_EQ(reply.kcq(), invalid_opcode) << decode::str(command) << ": " << reply;
	}
}

/// A parameter list of MODE SELECT (6) without block descriptor.
std::vector<uint8_t> mode_list(const std::vector<uint8_t> &page)
{
	std::vector<uint8_t> list(4);
	list.insert(list.end(), page.begin(), page.end());
	return list;
}

TEST(Sg3Behaviour, OnlyChangeableBitsOfModePagesChange)
{
	ASSERT_OK_AND_ASSIGN(Sg3Unit unit, Sg3Unit::create(sas_name, true));
	ASSERT_OK_AND_ASSIGN(decode::Facts facts, surveyed(unit.sg));
	EXPECT_EQ(facts.mode_pages.size(), 4u);
	for (const auto &[code, page] : facts.mode_pages) {
		auto send = [&](const std::vector<uint8_t> &values) {
			std::vector<uint8_t> list = mode_list(values);
			return unit.sg.execute_past_ua(cdb::mode_select(6, uint16_t(list.size())), Data::out(list));
		};
		ASSERT_OK_AND_ASSIGN(ScsiReply same, send(page.current));
		EXPECT_TRUE(same.good()) << unsigned(code) << ": " << same;
		for (size_t bit = 16; bit < page.current.size() * 8; bit++) {
			if (page.changeable[bit / 8] >> bit % 8 & 1)
				continue;
			auto changed = page.current;
			changed[bit / 8] ^= uint8_t(1 << bit % 8);
			ASSERT_OK_AND_ASSIGN(ScsiReply reply, send(changed));
			EXPECT_EQ(reply.kcq(), invalid_parameter) << unsigned(code) << " bit " << bit << ": " << reply;
		}
	}
}

std::vector<uint8_t> unmap_list(uint32_t blocks, unsigned descriptors)
{
	std::vector<uint8_t> list(8 + 16 * descriptors);
	std::span<uint8_t> all(list);
	put_be(all.subspan(0, 2), list.size() - 2);
	put_be(all.subspan(2, 2), list.size() - 8);
	for (unsigned i = 0; i < descriptors; i++)
		put_be(all.subspan(8 + 16 * i + 8, 4), blocks);
	return list;
}

TEST(Sg3Behaviour, LimitsAreKept)
{
	ASSERT_OK_AND_ASSIGN(Sg3Unit unit, Sg3Unit::create(sas_name, true));
	ASSERT_OK(unit.backstore.set("max_unmap_lba_count", "64"));
	ASSERT_OK(unit.backstore.set("max_unmap_block_desc_count", "2"));
	ASSERT_OK(unit.backstore.set("max_write_same_len", "128"));
	ASSERT_OK_AND_ASSIGN(decode::Facts facts, surveyed(unit.sg));
	ASSERT_TRUE(facts.limits);
	EXPECT_EQ(facts.limits->max_unmap, 64u);
	EXPECT_EQ(facts.limits->max_unmap_descs, 2u);
	EXPECT_EQ(facts.limits->max_write_same, 128u);

	std::vector<uint8_t> block(512);
	auto write_same = [&](uint32_t blocks) {
		auto reply = unit.sg.execute_past_ua(cdb::write_same(16, 0, blocks), Data::out(block));
		return reply ? reply->kcq() : ~0u;
	};
	EXPECT_EQ(write_same(128), 0u);
	EXPECT_EQ(write_same(129), invalid_field);
	EXPECT_EQ(write_same(0), facts.limits->wsnz ? invalid_field : 0u);
	auto unmap = [&](uint32_t blocks, unsigned descriptors) {
		std::vector<uint8_t> list = unmap_list(blocks, descriptors);
		auto reply = unit.sg.execute_past_ua(cdb::unmap(uint16_t(list.size())), Data::out(list));
		return reply ? reply->kcq() : ~0u;
	};
	EXPECT_EQ(unmap(32, 2), 0u);
	EXPECT_EQ(unmap(33, 2), invalid_parameter);
	EXPECT_EQ(unmap(8, 3), invalid_parameter);
}

/// One device behind one more port.
struct Port {
	LoopTarget target;
	LoopLun lun;
	SgDevice sg;
	static Result<Port> create(const Backstore &backstore)
	{
		LIO_TRY(LoopTarget target, LoopTarget::create());
		LIO_TRY(LoopLun lun, target.add_lun(0, backstore));
		LIO_CHECK(lun.block_node(seconds(60)));
		LIO_TRY(SgDevice sg, lun.open_sg());
		return Port{std::move(target), std::move(lun), std::move(sg)};
	}
	Result<unsigned> identifier()
	{
		decode::Facts facts;
		decode::Findings findings;
		LIO_CHECK(decode_reply(sg, cdb::inquiry_vpd(0x83, 1024), facts, findings));
		if (!findings.empty() || !facts.relative_port)
			return Error{EPROTO, sg.path(), findings.empty() ? "no identifier from" : findings[0] + " from"};
		return *facts.relative_port;
	}
	Result<unsigned> attribute() const
	{
		LIO_TRY(std::string value, read_value(target.tpg() + "/rtpi"));
		return unsigned(std::stoul(value, nullptr, 0));
	}
};

TEST(Sg3Ports, HaveRelativeIdentifiers)
{
	ASSERT_OK_AND_ASSIGN(Backstore backstore, Backstore::create(ramdisk_spec("rd", sg3_bytes)));
	ASSERT_OK_AND_ASSIGN(Port first, Port::create(backstore));
	ASSERT_OK_AND_ASSIGN(Port second, Port::create(backstore));
	ASSERT_OK_AND_ASSIGN(unsigned one, first.identifier());
	ASSERT_OK_AND_ASSIGN(unsigned two, second.identifier());
	EXPECT_NE(one, two);
	if (!exists(first.target.tpg() + "/rtpi"))
		return; // of a LUN, on 6.1, and not to be chosen
	EXPECT_EQ(first.attribute().value_or(0), one);
	EXPECT_EQ(second.attribute().value_or(0), two);
	ASSERT_OK(write_value(first.target.tpg() + "/rtpi", "5"));
	EXPECT_EQ(first.identifier().value_or(0), 5u);
	ASSERT_OK_AND_ASSIGN(Port third, Port::create(backstore));
	EXPECT_EQ(third.identifier().value_or(0), one) << "the one that is free again";
}

} // namespace
} // namespace lio::test
