// SPDX-License-Identifier: GPL-2.0
// loopback/route.c: nothing that may wait is submitted where the initiator must not wait.
#include <set>

#include <gtest/gtest.h>

extern "C" {
#include "tcm_loop_route.h"
}

namespace {

enum tcm_loop_route route(tcm_loop_backend backend, scsi_cmnd sc, bool may_sleep)
{
	tcm_loop_link link{backend};
	tcm_loop_lun lun{&link};
	return tcm_loop_route(&lun, &sc, may_sleep);
}

scsi_cmnd command(u8 opcode)
{
	return {.cmd_len = 16, .cmnd = {opcode}};
}

scsi_cmnd command_32(u16 action, unsigned short len = 32)
{
	scsi_cmnd sc{.cmd_len = len, .cmnd = {0x7f}};
	sc.cmnd[8] = u8(action >> 8);
	sc.cmnd[9] = u8(action);
	return sc;
}

constexpr tcm_loop_backend backends[] = {TCM_LOOP_BE_OTHER, TCM_LOOP_BE_RAMDISK, TCM_LOOP_BE_USER,
					 TCM_LOOP_BE_IBLOCK};

TEST(Route, KnowsBackendsByName)
{
	const std::pair<const char *, tcm_loop_backend> names[] = {
		{"user", TCM_LOOP_BE_USER},  {"rd_mcp", TCM_LOOP_BE_RAMDISK}, {"iblock", TCM_LOOP_BE_IBLOCK},
		{"fileio", TCM_LOOP_BE_OTHER}, {"pscsi", TCM_LOOP_BE_OTHER}, {"users", TCM_LOOP_BE_OTHER},
		{"", TCM_LOOP_BE_OTHER},
	};
	for (const auto &[name, backend] : names) {
		target_backend_ops ops{};
		snprintf(ops.name, sizeof(ops.name), "%s", name);
		se_device dev{&ops};
		EXPECT_EQ(tcm_loop_backend_of(&dev), backend) << name;
	}
}

TEST(Route, NothingOfAnUnknownBackendIsDirect)
{
	for (int opcode = 0; opcode < 256; opcode++)
		for (bool may_sleep : {false, true})
			EXPECT_EQ(route(TCM_LOOP_BE_OTHER, command(u8(opcode)), may_sleep), TCM_LOOP_ROUTE_WORK);
	EXPECT_EQ(route(TCM_LOOP_BE_OTHER, command_32(0x09), true), TCM_LOOP_ROUTE_WORK);
}

TEST(Route, WithoutALinkNobodyKnows)
{
	tcm_loop_lun lun{};
	scsi_cmnd sc = command(0x28);
	EXPECT_EQ(tcm_loop_route(&lun, &sc, true), TCM_LOOP_ROUTE_WORK);
	EXPECT_FALSE(tcm_loop_can_fence(&lun));
}

TEST(Route, WhoMayNotSleepSubmitsNothingItself)
{
	for (auto backend : backends)
		for (int opcode = 0; opcode < 256; opcode++)
			EXPECT_NE(route(backend, command(u8(opcode)), false), TCM_LOOP_ROUTE_DIRECT) << opcode;
}

TEST(Route, OnlyReadAndWriteOfBlocksDoNotWait)
{
	static const std::set<int> medium = {0x08, 0x0a, 0x28, 0x2a, 0x88, 0x8a, 0xa8, 0xaa};
	for (int opcode = 0; opcode < 256; opcode++) {
		bool rw = medium.count(opcode);
		EXPECT_EQ(route(TCM_LOOP_BE_RAMDISK, command(u8(opcode)), true),
			  rw ? TCM_LOOP_ROUTE_DIRECT : TCM_LOOP_ROUTE_WORK)
			<< opcode;
		EXPECT_EQ(route(TCM_LOOP_BE_IBLOCK, command(u8(opcode)), true),
			  rw ? TCM_LOOP_ROUTE_BATCH : TCM_LOOP_ROUTE_WORK)
			<< opcode;
	}
}

TEST(Route, AHandlerGetsAllThatTheCoreDoesNotAnswerItself)
{
	/* PR, old reservations, REPORT LUNS, ALUA, third-party copy: files and waiting. */
	static const std::set<int> core = {0x16, 0x17, 0x56, 0x57, 0x5e, 0x5f, 0x83, 0x84, 0xa0, 0xa3, 0xa4};
	for (int opcode = 0; opcode < 256; opcode++)
		EXPECT_EQ(route(TCM_LOOP_BE_USER, command(u8(opcode)), true),
			  core.count(opcode) ? TCM_LOOP_ROUTE_WORK : TCM_LOOP_ROUTE_DIRECT)
			<< opcode;
}

TEST(Route, VariableLengthCdbsGoByTheirServiceAction)
{
	for (u32 action = 0; action < 0x10000; action++) {
		bool rw = action == 0x09 || action == 0x0b;
		ASSERT_EQ(route(TCM_LOOP_BE_RAMDISK, command_32(u16(action)), true),
			  rw ? TCM_LOOP_ROUTE_DIRECT : TCM_LOOP_ROUTE_WORK)
			<< action;
		ASSERT_EQ(route(TCM_LOOP_BE_IBLOCK, command_32(u16(action)), true),
			  rw ? TCM_LOOP_ROUTE_BATCH : TCM_LOOP_ROUTE_WORK)
			<< action;
	}
	EXPECT_EQ(route(TCM_LOOP_BE_RAMDISK, command_32(0x09, 9), true), TCM_LOOP_ROUTE_WORK) << "too short to tell";
}

TEST(Route, OnlyPrivateBuffersCanBeFenced)
{
	const std::pair<tcm_loop_backend, bool> fences[] = {
		{TCM_LOOP_BE_OTHER, false}, {TCM_LOOP_BE_RAMDISK, true},
		{TCM_LOOP_BE_USER, true},   {TCM_LOOP_BE_IBLOCK, false},
	};
	for (const auto &[backend, can] : fences) {
		tcm_loop_link link{backend};
		tcm_loop_lun lun{&link};
		EXPECT_EQ(tcm_loop_can_fence(&lun), can) << backend;
	}
}

} // namespace
