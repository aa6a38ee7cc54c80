// SPDX-License-Identifier: GPL-2.0
// A seed's commands through SG_IO to a ramdisk; run once on the distribution's modules and once on
// ours, with the same seed. What has to be equal is compared by cdb-compare afterwards; here
// commands are judged that only one of them has.
#include "differ_runner.hpp"
#include "loopback.hpp"
#include "module.hpp"
#include "refusals.hpp"
#include "seed.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

const std::string data = "/opt/lio/share/conformance";
constexpr uint64_t disk_bytes = 64 << 20;
constexpr milliseconds step_limit = seconds(60);

class Differ : public testing::TestWithParam<uint32_t> {
protected:
	void SetUp() override
	{
		expect_refusals_in_dmesg();
		if (module_is_ours("target_core_mod"))
			return;
		expect_dmesg("^sd \\S+ \\[\\w+\\] Optimal transfer size ", Need::optional);
		expect_dmesg("^Received SCSI CDB with command_size: \\d+ that exceeds SCSI_MAX_VARLEN_CDB_SIZE: 260$",
			     Need::optional);
	}

	/// The same names in both runs: they are in what INQUIRY returns. Enabling sets the block size, too.
	static Result<Backstore> create(uint32_t block_size, bool cache)
	{
		BackstoreSpec s = ramdisk_spec("differ", disk_bytes);
		s.serial = "5f1de0c4-6a0b-4d52-9a1e-3d1f2c7b9e10";
		LIO_TRY(Backstore b, Backstore::create(s));
		LIO_CHECK(b.set("block_size", std::to_string(block_size)));
		LIO_CHECK(b.set("emulate_write_cache", cache ? "1" : "0"));
		return b;
	}

	/// In the child. The block device and not sg: its buffer is the program's own memory, so that
	/// what the target does not fill is known, too.
	static int run(const DifferHeader &header, const DifferRules &rules, const std::string &node, bool cache,
		       Progress &progress, const std::string &out)
	{
		auto device = SgDevice::open(node);
		auto file = BlockFile::open(node);
		if (!device || !file)
			return 2;
		auto medium = DifferMedium::create(std::move(*file), header.geometry);
		if (!medium)
			return 2;
		DifferTarget target{std::move(*device), std::move(*medium), module_is_ours("target_core_mod"), cache};
		DifferMaker maker(header.seed, header.geometry, rules.examples());
		DifferRunner runner(std::move(target), maker, rules, progress);
		Stopwatch watch;
		if (Status s = runner.run(header, out); !s) {
			printf("%s\n", s.error().str().c_str());
			return 1;
		}
		double rate = double(header.count) / watch.seconds();
		printf("%lu commands, %.0f a second; %lu judged by the standard, %u of them wrong\n", header.count, rate,
		       runner.judged(), runner.wrong());
		return runner.wrong() != 0;
	}
};

TEST_P(Differ, Record)
{
	uint32_t block_size = GetParam();
	bool cache = block_size != 512;
	const char *commands = getenv("LIO_DIFFER_COUNT"); // another number, for trials
	uint64_t rules_hash = 0;
	ASSERT_OK_AND_ASSIGN(DifferRules rules, load_differ_rules(data, &rules_hash));
	ASSERT_OK_AND_ASSIGN(Backstore backstore, create(block_size, cache));
	ASSERT_OK_AND_ASSIGN(LoopTarget target, LoopTarget::create({.wwn = "naa.5001405d1ffe0001", .initiator = ""}));
	ASSERT_OK_AND_ASSIGN(LoopLun lun, target.add_lun(0, backstore));
	ASSERT_OK_AND_ASSIGN(std::string node, lun.block_node());
	ASSERT_OK_AND_ASSIGN(Progress progress, Progress::create());
	ASSERT_OK(make_dirs("/out"));

	DifferHeader header{seed(), commands ? strtoull(commands, nullptr, 10) : count(10000, 500000), {disk_bytes / block_size, block_size},
			    rules_hash};
	RecordProperty("commands", std::to_string(header.count));
	std::string name = "differ-" + std::to_string(block_size);
	auto output = run_watched(
		name, progress, step_limit,
		[&] { return run(header, rules, node, cache, progress, "/out/" + name + ".bin"); }, check_dmesg_now);
	DifferMaker maker(header.seed, header.geometry, rules.examples());
	uint64_t last = strtoull(progress.what().c_str(), nullptr, 10);
	ASSERT_TRUE(output.ok()) << output.error() << "\nlast: command " << last << " " << maker.make(last).str();
	printf("%s: %s", name.c_str(), output->c_str());
}

INSTANTIATE_TEST_SUITE_P(BlockSize, Differ, testing::Values(512u, 4096u), testing::PrintToStringParamName());

} // namespace
} // namespace lio::test
