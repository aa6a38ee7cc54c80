// SPDX-License-Identifier: GPL-2.0
// Any CDB with any data through SG_IO: every command ends, in time and with a status that exists;
// and no block changes that a command did not name.
#include <algorithm>
#include <cerrno>
#include <deque>

#include "fuzz_cdb_maker.hpp"
#include "fuzz_watch.hpp"
#include "module.hpp"
#include "named_blocks.hpp"
#include "refusals.hpp"
#include "seed.hpp"
#include "tcmu_common.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint64_t disk_bytes = 1 << 20;
constexpr uint32_t block_size = 512;
constexpr uint64_t disk_blocks = disk_bytes / block_size;
constexpr unsigned batch = 64;
/// No command of these waits for anything but the machine.
constexpr double slowest = 20;
constexpr milliseconds step_limit = seconds(60);

/// Where the commands go.
struct Place {
	std::string sg, disk;
	std::string alua_state; ///< what SET TARGET PORT GROUPS changes
};

/// The distribution's core (6.12.117) hands a READ to its ramdisk with the direction of the fabric's
/// data, not the CDB's: sent with data-out it is executed as a write of the blocks that it names.
bool is_read_that_writes(const FuzzCommand &c)
{
	constexpr uint8_t reads[] = {0x08, 0x28, 0x88, 0xa8};
	constexpr uint16_t read_32 = 0x09;
	static const bool stock = !module_is_ours("target_core_mod");
	bool read = std::ranges::count(reads, c.cdb[0]) ||
		    (c.cdb[0] == 0x7f && tcmu::test::service_action(c.cdb_bytes()) == read_32);
	return stock && read && c.direction == Data::Direction::out;
}

/// REGISTER with SPEC_I_PT and a list of TransportIDs that is refused leaves a reference of the
/// distribution's core (6.12.117) to the initiator's entry for the LUN: unlinking that LUN then
/// waits for ever, in core_disable_device_list_for_node(). Proven by a run without this.
/// RECEIVE COPY RESULTS (operating parameters) without a data buffer is BUSY there, for ever: the
/// midlayer repeats it until its time is up (target_rcr_operating_parameters() cannot map nothing).
bool hangs_the_core(const FuzzCommand &c)
{
	constexpr uint8_t pr_out = 0x5f, spec_i_pt = 0x08, third_party_in = 0x84, operating_parameters = 0x03;
	constexpr size_t flags_at = 20;
	static const bool stock = !module_is_ours("target_core_mod");
	bool registers = c.cdb[0] == pr_out && c.data.size() > flags_at && c.data[flags_at] & spec_i_pt;
	bool asks = c.cdb[0] == third_party_in && tcmu::test::service_action(c.cdb_bytes()) == operating_parameters;
	return stock && (registers || (asks && c.data.empty()));
}

class CdbFuzzer {
	Progress &progress_;
	SgDevice sg_;
	BlockFile disk_;
	std::string alua_state_;
	CdbMaker maker_;
	AlignedBuffer now_{disk_bytes};
	std::vector<uint8_t> model_;
	std::vector<bool> named_ = std::vector<bool>(disk_blocks);
	std::deque<std::string> sent_; ///< the batch's
	unsigned statuses_[3] = {}, refused_by_sg_ = 0, wrong_ = 0;

public:
	CdbFuzzer(Progress &progress, SgDevice sg, BlockFile disk, std::string alua_state)
		: progress_(progress), sg_(std::move(sg)), disk_(std::move(disk)), alua_state_(std::move(alua_state)),
		  maker_(rng("cdbs"), disk_blocks, block_size), model_(disk_bytes) {}

	Status begin();
	int run(uint64_t commands);

private:
	void complain(const std::string &what)
	{
		if (++wrong_ <= 20)
			printf("%s\n", what.c_str());
	}
	void complain_of_batch(const std::string &what)
	{
		std::string all = what;
		for (const std::string &command : sent_)
			all += "\n  " + command;
		complain(all);
	}
	void send();
	void judge(const FuzzCommand &c, const ScsiReply &r, double took);
	void name(const FuzzCommand &c, const ScsiReply &r);
	Status settle();
	void compare();
};

Status CdbFuzzer::begin()
{
	LIO_CHECK(disk_.write_pattern(0, disk_bytes));
	LIO_CHECK(disk_.read_at(0, now_.span()));
	std::ranges::copy(now_.span(), model_.begin());
	return {};
}

void CdbFuzzer::send()
{
	FuzzCommand c = maker_.make();
	if (hangs_the_core(c))
		return;
	Data data{c.direction, c.data};
	progress_.begin(c.str());
	Stopwatch watch;
	auto r = sg_.execute(c.cdb, data, seconds(50));
	double took = watch.seconds();
	progress_.end();
	if (!r) {
		refused_by_sg_++;
		if (r.code() != EINVAL && r.code() != EMSGSIZE)
			complain(c.str() + ": " + r.error().str());
		return;
	}
	judge(c, *r, took);
	name(c, *r);
}

void CdbFuzzer::judge(const FuzzCommand &c, const ScsiReply &r, double took)
{
	static constexpr uint8_t known[] = {0x00, 0x02, 0x04, 0x08, 0x18, 0x28, 0x40};
	constexpr uint16_t did_ok = 0, did_error = 7;
	sent_.push_back(c.str() + ": " + r.str());
	statuses_[r.good() ? 0 : r.sense ? 1 : 2]++;
	if (took > slowest)
		complain(c.str() + " took " + std::to_string(took) + " s");
	if (!std::ranges::count(known, uint8_t(r.status)) || (r.host_status != did_ok && r.host_status != did_error))
		complain(c.str() + ": " + r.str());
	if (r.status == ScsiStatus::check_condition && !r.sense)
		complain(c.str() + ": no sense data with " + r.str());
	if (r.residual < 0 || r.residual > int64_t(64 << 10))
		complain(c.str() + ": " + r.str());
}

/// What may differ from now on. A command that was refused changes nothing; UNMAP may have come to
/// a descriptor that is wrong after others that are right.
void CdbFuzzer::name(const FuzzCommand &c, const ScsiReply &r)
{
	constexpr uint8_t unmap = 0x42;
	if (r.sense && r.sense->key == SenseKey::illegal_request && c.cdb[0] != unmap)
		return;
	auto named = tcmu::test::named_blocks(c.cdb_bytes(), c.list(), disk_blocks);
	if (is_read_that_writes(c)) {
		auto range = tcmu::test::cdb_range(c.cdb_bytes());
		named.push_back(tcmu::test::clipped(range.first, range.count, disk_blocks));
	}
	for (auto range : named)
		std::fill_n(named_.begin() + long(range.first), range.count, true);
}

/// A standby or unavailable port is what SET TARGET PORT GROUPS is for, but then nothing else is
/// answered any more; and a legacy reservation shuts out the persistent ones.
Status CdbFuzzer::settle()
{
	LIO_CHECK(sg_.execute_past_ua(cdb::release6()));
	if (exists(alua_state_))
		LIO_CHECK(write_value(alua_state_, "0"));
	return disk_.read_at(0, now_.span());
}

void CdbFuzzer::compare()
{
	auto now = now_.span();
	std::string changed;
	for (uint64_t b = 0; b < disk_blocks; b++) {
		auto at = now.subspan(b * block_size, block_size);
		if (std::equal(at.begin(), at.end(), model_.begin() + long(b * block_size)))
			continue;
		std::ranges::copy(at, model_.begin() + long(b * block_size));
		if (!named_[b])
			changed += " " + std::to_string(b);
	}
	if (!changed.empty())
		complain_of_batch("blocks" + changed + " changed, which none of these named:");
	std::fill(named_.begin(), named_.end(), false);
	sent_.clear();
}

int CdbFuzzer::run(uint64_t commands)
{
	for (uint64_t n = 0; n < commands;) {
		for (unsigned i = 0; i < batch; i++, n++)
			send();
		progress_.begin("read all blocks");
		if (Status s = settle(); !s) {
			complain_of_batch(s.error().str());
			return 1;
		}
		progress_.end();
		compare();
	}
	printf("%llu commands: %u GOOD, %u with sense data, %u other, %u refused by sg; %u complaints\n",
	       static_cast<unsigned long long>(commands), statuses_[0], statuses_[1], statuses_[2], refused_by_sg_, wrong_);
	return wrong_ || !statuses_[0] || !statuses_[1];
}

class FuzzCdb : public testing::Test {
protected:
	void SetUp() override { expect_refusals_in_dmesg(); }

	static Result<Place> place_of(const LoopDisk &disk)
	{
		Place p;
		LIO_TRY(std::string sg, disk.lun.sg_node());
		LIO_TRY(std::string node, disk.lun.block_node());
		p.sg = sg;
		p.disk = node;
		p.alua_state = disk.backstore.path() + "/alua/default_tg_pt_gp/alua_access_state";
		return p;
	}

	void fuzz(const std::string &name, const LoopDisk &disk)
	{
		ASSERT_OK_AND_ASSIGN(Place place, place_of(disk));
		ASSERT_OK_AND_ASSIGN(SgDevice sg, SgDevice::open(place.sg));
		ASSERT_OK_AND_ASSIGN(BlockFile file, BlockFile::open(place.disk));
		ASSERT_OK_AND_ASSIGN(Progress progress, Progress::create());
		CdbFuzzer fuzzer(progress, std::move(sg), std::move(file), place.alua_state);
		ASSERT_OK(fuzzer.begin());
		auto output = run_watched(name, progress, step_limit, [&] { return fuzzer.run(count(8000, 1000000)); },
					  check_dmesg_now);
		ASSERT_TRUE(output.ok()) << output.error();
		printf("%s: %s", name.c_str(), output->c_str());
	}
};

TEST_F(FuzzCdb, Ramdisk)
{
	ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(ramdisk_spec("cdbs", disk_bytes)));
	fuzz("ramdisk", disk);
}

TEST_F(FuzzCdb, Userspace)
{
	ASSERT_OK_AND_ASSIGN(ServedDisk disk, ServedDisk::create(Server::tcmu_file, "cdbs", disk_bytes));
	fuzz("userspace", *disk.disk);
}

} // namespace
} // namespace lio::test
