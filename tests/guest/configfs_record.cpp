// SPDX-License-Identifier: GPL-2.0
// Records the configfs trees of tcm_loop and target_core_user under a configuration restored by
// targetctl. Run once on the distribution's modules and once on ours; tree-compare judges.
#include <cstdlib>

#include "backstore.hpp"
#include "clients.hpp"
#include "loopback.hpp"
#include "module.hpp"
#include "test_env.hpp"
#include "tree_record.hpp"

namespace lio::test {
namespace {

const std::string data = "/opt/lio/share/conformance/configfs/";

/// Beside configfs: what else of the modules' interface is in sysfs.
const std::vector<std::string> sysfs_paths = {
	"sys/module/tcm_loop/parameters",
	"sys/module/target_core_user/parameters",
	"sys/class/scsi_host/host0",
	"sys/class/uio/uio0",
	"sys/class/uio/uio0/maps/map0",
};

/// Every user:qcow image the configuration names, sparse.
Status make_images()
{
	for (const auto &[name, megabytes] : {std::pair{"one", "64M"}, {"two", "32M"}})
		LIO_CHECK(run_ok({"qemu-img", "create", "-q", "-f", "qcow2", std::string("/root/") + name + ".qcow2",
				  megabytes}));
	return {};
}

/// The directories of the tree that are ours to answer for.
std::vector<std::string> configfs_roots()
{
	std::vector<std::string> roots = {"sys/kernel/config/target/loopback"};
	for (const auto &hba : list_dir(target_root + "/core").value_or({}))
		if (hba.rfind("user_", 0) == 0)
			roots.push_back("sys/kernel/config/target/core/" + hba);
	return roots;
}

/// Attributes of one sysfs directory, without following its links.
Status look_at_files(TreeRecorder &recorder, const std::string &dir)
{
	LIO_TRY(auto names, list_dir("/" + dir));
	for (const auto &name : names)
		if (!read_link("/" + dir + "/" + name) && !list_dir("/" + dir + "/" + name))
			LIO_CHECK(recorder.walk(dir + "/" + name));
	return {};
}

TEST(Configfs, Record)
{
	ASSERT_OK_AND_ASSIGN(std::string text, read_file(data + "plan.json"));
	ASSERT_OK_AND_ASSIGN(RecordPlan plan, parse_plan(text));
	for (const auto &pattern : plan.dmesg)
		expect_dmesg(pattern, Need::optional);
	ASSERT_OK(make_images());
	ASSERT_OK(make_dirs("/etc/rtslib-fb-target/pr"));
	ASSERT_OK(ensure_loopback());
	ASSERT_OK(load_module("target_core_user"));
	ASSERT_OK_AND_ASSIGN(TcmuRunner runner, TcmuRunner::start());
	ASSERT_OK(targetctl_restore(data + "config.json"));
	ASSERT_OK(runner.wait_owns("one"));

	TreeRecorder recorder(plan, "");
	recorder.operate(plan.before);
	for (const auto &root : configfs_roots())
		ASSERT_OK(recorder.walk(root));
	for (const auto &dir : sysfs_paths)
		ASSERT_OK(look_at_files(recorder, dir));
	for (const auto &root : configfs_roots())
		ASSERT_OK(recorder.write_all(root));
	recorder.operate(plan.after);
	ASSERT_OK(make_dirs("/out"));
	ASSERT_OK(write_file("/out/tree.json", to_json(recorder.normalised())));
	EXPECT_GT(recorder.normalised().size(), 300u);
	// The guest ends here: what the plan's last operations left is not taken down.
}

} // namespace
} // namespace lio::test
