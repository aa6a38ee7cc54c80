// SPDX-License-Identifier: GPL-2.0
// Records the configfs trees under a rich configuration. Run once on the distribution's modules and once on
// ours; tree-compare judges.
#include <cstdlib>
#include <optional>

#include "backstore.hpp"
#include "clients.hpp"
#include "loopback.hpp"
#include "mixed_stage.hpp"
#include "module.hpp"
#include "test_env.hpp"
#include "tree_record.hpp"

namespace lio::test {
namespace {

const std::string share = "/opt/lio/share/conformance/";

Result<RecordPlan> load_plan(const std::string &name)
{
	LIO_TRY(std::string text, read_file(share + name + "/plan.json"));
	LIO_TRY(RecordPlan plan, parse_plan(text));
	for (const auto &pattern : plan.dmesg)
		expect_dmesg(pattern, Need::optional);
	return plan;
}

/// All of @plan, kept as /out/tree.json: more than @fields of it.
void record(RecordPlan plan, size_t fields)
{
	TreeRecorder recorder(std::move(plan), "");
	ASSERT_OK(recorder.run());
	ASSERT_OK(make_dirs("/out"));
	TreeRecord tree = recorder.normalised();
	ASSERT_OK(write_file("/out/tree.json", to_json(tree)));
	size_t found = 0;
	for (const auto &[path, of_path] : tree)
		found += of_path.size();
	EXPECT_GT(found, fields);
	// The guest ends here: what the plan's last operations left is not taken down.
}

/// Every user:qcow image the configuration names, sparse.
Status make_images()
{
	for (const auto &[name, megabytes] : {std::pair{"one", "64M"}, {"two", "32M"}})
		LIO_CHECK(run_ok({"qemu-img", "create", "-q", "-f", "qcow2", std::string("/root/") + name + ".qcow2",
				  megabytes}));
	return {};
}

/// tcm_loop and target_core_user under a configuration restored by targetctl.
TEST(Configfs, Tcmu)
{
	ASSERT_OK_AND_ASSIGN(RecordPlan plan, load_plan("configfs"));
	ASSERT_OK(make_images());
	ASSERT_OK(make_dirs("/etc/rtslib-fb-target/pr"));
	ASSERT_OK(ensure_loopback());
	ASSERT_OK(load_module("target_core_user"));
	ASSERT_OK_AND_ASSIGN(TcmuRunner runner, TcmuRunner::start());
	ASSERT_OK(targetctl_restore(share + "configfs/config.json"));
	ASSERT_OK(runner.wait_owns("one"));
	record(std::move(plan), 5000);
}

/// What the backstores of the core's tree stand on.
Status make_lower_devices()
{
	LIO_CHECK(load_module("sd_mod"));
	LIO_CHECK(load_module("scsi_debug", {"dev_size_mb=16"}));
	LIO_CHECK(load_module("null_blk", {"nr_devices=1", "gb=1", "discard=1", "memory_backed=1"}));
	LIO_CHECK(make_dirs("/root/db"));
	LIO_CHECK(make_dirs("/etc/target"));
	return write_file("/root/file", "");
}

/// The core, its five backstores, loopback and iSCSI, with a session of open-iscsi.
TEST(Configfs, Core)
{
	ASSERT_OK_AND_ASSIGN(RecordPlan plan, load_plan("configfs-core"));
	ASSERT_OK(make_lower_devices());
	ASSERT_OK(ensure_loopback());
	for (const char *module : {"target_core_iblock", "target_core_file", "target_core_pscsi", "target_core_user",
				   "iscsi_target_mod"})
		ASSERT_OK(load_module(module));
	ASSERT_OK(run_ok({"ip", "link", "set", "lo", "up"}));
	ASSERT_OK_AND_ASSIGN(Iscsid daemon, Iscsid::start());
	record(std::move(plan), 10000);
}

} // namespace
} // namespace lio::test
