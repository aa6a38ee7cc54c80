// SPDX-License-Identifier: GPL-2.0
// tcmu-hostile does to its ring what no handler should. Only its own LUN suffers: the LUN of
// another handler goes on, no kernel thread spins, and a new handler brings the device back.
#include <csignal>

#include <thread>

#include "seed.hpp"
#include "tcmu_common.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint64_t disk_bytes = 32 << 20;
constexpr unsigned victim_senders = 4;
/// cmd_time_out of the victim: short, for most commands get no answer, but enough for the honest handler.
std::string victim_time_out()
{
	return tier() == Tier::debug ? "4" : "1";
}

/// Longer than this no command of the victim may take: cmd_time_out, and the ring may have to be waited for first.
constexpr double slowest_victim = 30;

volatile sig_atomic_t told_to_stop;

/// Commands for the victim, whatever becomes of them; each must end. Told to stop it ends after
/// the command under way: one that outlived its sender could hit what is verified later.
int victim_traffic(const std::string &sg_node, unsigned number)
{
	signal(SIGTERM, [](int) { told_to_stop = 1; });
	auto sg = SgDevice::open(sg_node);
	if (!sg)
		return 1;
	auto random = rng("victim " + std::to_string(number));
	std::vector<uint8_t> buf(64 << 10);
	while (!told_to_stop) {
		auto blocks = static_cast<uint32_t>(1 + random() % 128);
		uint64_t lba = random() % (disk_bytes / 512 - blocks);
		auto data = std::span(buf).first(blocks * 512u);
		bool write = random() & 1;
		Stopwatch watch;
		auto r = sg->execute(write ? cdb::write(10, lba, blocks) : cdb::read(10, lba, blocks),
				     write ? Data::out(data) : Data::in(data), seconds(100));
		if (!r && r.code() == ENXIO) {
			// Garbage for sense data made the initiator take the disk offline.
			std::this_thread::sleep_for(milliseconds(50));
			continue;
		}
		if (!r || watch.seconds() > slowest_victim) {
			printf("%s after %.1f s\n", r ? "a command ended late," : r.error().str().c_str(), watch.seconds());
			return 1;
		}
	}
	return 0;
}

class TcmuHostile : public testing::Test {
protected:
	std::optional<ServedDisk> other_, victim_;
	std::optional<Background> background_;
	std::vector<Process> senders_;

	void SetUp() override
	{
		// What the module tells of a device that misbehaves, rate-limited.
		expect_dmesg("^tcmu_(break|scan_work): \\d+ callbacks suppressed$", Need::optional);
		expect_dmesg("^victim: ", Need::optional);
		// What the initiator makes of garbage sense data.
		expect_dmesg("^sd 1:0:1:0: (Power-on or device reset occurred|Device offlined - not ready)", Need::optional);
		expect_dmesg("^sd 1:0:1:0: (LUN assignments|Inquiry data|Mode parameters|Parameters|"
			     "Capacity data|Asymmetric access state|Warning! Received)", Need::optional);
		ASSERT_OK_AND_ASSIGN(ServedDisk other, ServedDisk::create(Server::tcmu_file, "other", disk_bytes));
		other_.emplace(std::move(other));
		ASSERT_OK_AND_ASSIGN(ServedDisk victim, ServedDisk::create(Server::tcmu_file, "victim", disk_bytes,
									   {{"cmd_time_out", victim_time_out()}}));
		victim_.emplace(std::move(victim));
		ASSERT_OK_AND_ASSIGN(std::string address, victim_->disk->lun.scsi_address());
		ASSERT_OK(write_value("/sys/class/scsi_disk/" + address + "/cache_type", "temporary write through"));
		ASSERT_OK_AND_ASSIGN(std::string node, other_->disk->lun.block_node());
		ASSERT_OK_AND_ASSIGN(Background background, Background::start(node, disk_bytes));
		background_.emplace(std::move(background));
	}

	void start_senders()
	{
		ASSERT_OK_AND_ASSIGN(std::string sg, victim_->disk->lun.sg_node());
		for (unsigned i = 0; i < victim_senders; i++) {
			ASSERT_OK_AND_ASSIGN(Process p, Process::fork_body("sender", [sg, i] { return victim_traffic(sg, i); }));
			senders_.push_back(std::move(p));
		}
	}

	void stop_senders()
	{
		for (Process &p : senders_) {
			EXPECT_TRUE(p.running()) << p.output();
			EXPECT_OK(p.stop(seconds(60)));
			EXPECT_EQ(p.wait(seconds(1)).value_or(-1), 0) << p.output();
		}
		senders_.clear();
	}

	/// The honest handler leaves, the hostile one comes, and then the device must recover.
	void suffer(const std::string &mode, uint64_t mutations, uint64_t round = 0)
	{
		SCOPED_TRACE(mode + ", round " + std::to_string(round));
		ASSERT_OK(victim_->handler->stop());
		ASSERT_NO_FATAL_FAILURE(start_senders());
		ASSERT_OK_AND_ASSIGN(Exit hostile,
				     run({"tcmu-hostile", "--device", "victim", "--mode", mode, "--seed",
					  std::to_string(seed() + round), "--mutations", std::to_string(mutations)},
					 seconds(3000)));
		EXPECT_EQ(hostile.status, 0) << hostile.output;
		printf("%s: %s", mode.c_str(), hostile.output.c_str());
		ASSERT_OK(victim_->handler->start());
		ASSERT_OK(victim_->handler->wait_owns());
		ASSERT_OK_AND_ASSIGN(std::string device, victim_->disk->lun.scsi_device());
		if (read_value(device + "/state").value_or("") == "offline") {
			ASSERT_OK(write_value(device + "/state", "running\n"));
		}
		stop_senders();
		ASSERT_OK_AND_ASSIGN(std::string node, victim_->disk->lun.block_node());
		ASSERT_OK_AND_ASSIGN(BlockFile disk, BlockFile::open(node));
		ASSERT_OK(disk.write_pattern(0, 1 << 20));
		ASSERT_OK(disk.verify_pattern(0, 1 << 20));
		check_dmesg_now();
	}

	/// The other LUN never noticed, and nobody spins.
	void judge_the_rest()
	{
		ASSERT_OK_AND_ASSIGN(Background::Report report, background_->stop());
		printf("other LUN: %u rounds, slowest %.1f s\n", report.rounds, report.slowest);
		EXPECT_GT(report.rounds, 10u);
		EXPECT_LT(report.slowest, 20);
		ASSERT_OK_AND_ASSIGN(double idle, idle_share(seconds(2)));
		EXPECT_GT(idle, 0.5);
	}
};

TEST_F(TcmuHostile, EveryMode)
{
	const char *modes[] = {"tail-garbage", "tail-beyond", "tail-back", "tail-unaligned", "id-unknown",
			       "id-double",    "id-reuse",    "length",	   "mailbox",	     "read-len",
			       "uflags",       "sense",	      "status",	   "iov",	     "cdb",
			       "ring",	       "data",	      "silent",	   "scribble",	     "die",
			       "order",	       "fight"};
	for (const char *mode : modes)
		ASSERT_NO_FATAL_FAILURE(suffer(mode, count(60, 1000)));
	judge_the_rest();
}

TEST_F(TcmuHostile, ManyMutations)
{
	// In rounds, or the kernel's log overflows before it is judged.
	const uint64_t rounds = count(1, 67), each = 1500;
	RecordProperty("mutations", std::to_string(rounds * each));
	for (uint64_t round = 0; round < rounds; round++)
		ASSERT_NO_FATAL_FAILURE(suffer("all", each, round));
	judge_the_rest();
}

} // namespace
} // namespace lio::test
