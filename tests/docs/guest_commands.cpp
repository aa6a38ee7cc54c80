// SPDX-License-Identifier: GPL-2.0
// README.md's commands as they are written, and its example at work.
#include "block_io.hpp"
#include "clients.hpp"
#include "docs.hpp"
#include "loopback.hpp"
#include "module.hpp"
#include "test_env.hpp"

namespace lio::docs {
namespace {

using namespace lio::test;

void allow_noise()
{
	// sd of 6.12 asks for the IO Advice Hints subpage, and the distribution's core complains.
	expect_dmesg("^MODE SENSE: unimplemented page/subpage: 0x0a/0x05$", Need::optional);
}

size_t count(const std::string &text, const std::string &word)
{
	size_t n = 0;
	for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += word.size())
		n++;
	return n;
}

/// Between two blocks of commands: a reader is slower than sd's look for partitions, and a disk that goes during that
/// look makes the kernel log errors. Waits until each disk was read and has been quiet for a moment.
constexpr char as_slow_as_a_reader[] = R"(
for disk in /sys/block/sd?/stat; do
	seen=
	while [ -e $disk ] && now=$(cat $disk) && { [[ $now =~ ^\ *0\  ]] || [ "$now" != "$seen" ]; }; do
		seen=$now
		sleep 0.3
	done
done
)";

TEST(Docs, ReadmeCommands)
{
	allow_noise();
	ASSERT_OK(ensure_target_core());
	ASSERT_OK(ensure_dbus()); // systemd's job elsewhere
	for (const char *module : {"sd_mod", "sg"}) // udev's
		ASSERT_OK(load_module(module));
	ASSERT_OK_AND_ASSIGN(std::string readme, read_file("/opt/docs/README.md"));
	SpawnOptions opts;
	for (const auto &block : fenced_blocks(readme, "```sh guest"))
		opts.input += block + as_slow_as_a_reader;
	ASSERT_OK_AND_ASSIGN(std::string output, run_ok({"bash", "-exm"}, seconds(280), opts));
	// One disk of each of the two LUNs, when lsscsi was asked.
	EXPECT_EQ(count(output, "disk    LIO-ORG"), 2u) << output;
	EXPECT_FALSE(exists(target_root + "/core/user_100")) << output;
}

TEST(Docs, ExampleServesADisk)
{
	allow_noise();
	constexpr uint64_t bytes = 16 << 20;
	ASSERT_OK(ensure_target_core());
	ASSERT_OK(load_module("target_core_user"));
	ASSERT_OK_AND_ASSIGN(Process handler, Process::spawn({"tcmu-ram"}));
	{
		BackstoreSpec spec = user_spec("memory", "ram", bytes);
		spec.control.push_back("nl_reply_supported=-1"); // the bus may have started tcmu-runner
		ASSERT_OK_AND_ASSIGN(LoopDisk disk, LoopDisk::create(spec));
		ASSERT_OK_AND_ASSIGN(std::string node, disk.lun.block_node());
		ASSERT_OK_AND_ASSIGN(BlockFile file, BlockFile::open(node));
		ASSERT_OK(file.write_pattern(0, bytes));
		ASSERT_OK(file.verify_pattern(0, bytes));
	}
	EXPECT_OK(handler.stop());
}

} // namespace
} // namespace lio::docs
