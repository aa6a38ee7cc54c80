// SPDX-License-Identifier: GPL-2.0
#include "fuzz_tree.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "module.hpp"

namespace lio::test {

namespace {

constexpr uint64_t disk_bytes = 8 << 20;

struct Rule {
	const char *path; ///< searched for
	const char *value; ///< must be all of it, without the newline
};

/// Attributes that our modules have themselves. Those of the core are the distribution's.
constexpr Rule legal[] = {
	{"/attrib/(max_data_area_mb|data_pages_per_blk|cmd_ring_size_mb)$", "[1-9][0-9]{0,9}"},
	{"/user_\\d+/[^/]+/attrib/cmd_time_out$", "[0-9]{1,7}"},
	{"/attrib/qfull_time_out$", "-1|[0-9]{1,7}"},
	{"/user_\\d+/[^/]+/attrib/dev_config$", "[^]{0,255}"},
	{"/attrib/dev_size$", "[0-9]{1,20}"},
	{"/attrib/nl_reply_supported$", "-?[0-9]{1,10}"},
	{"/user_\\d+/[^/]+/attrib/(emulate_write_cache|tmr_notification)$", "[01]"},
	{"/action/block_dev$", "blocked|unblocked"},
	{"/loopback/[^/]+/tpgt_\\d+/nexus$", "(naa\\.|iqn\\.)?[^/]{1,255}"},
	{"/loopback/[^/]+/tpgt_\\d+/transport_status$", "online|offline"},
	{"/loopback/[^/]+/tpgt_\\d+/attrib/fabric_prot_type$", "[013]"},
	{"/(enable|alua_support|pgr_support|emulate_pr|enforce_pr_isids|force_pr_aptpl)$", "[01]"},
};

/// Grow while they are looked at, or show a part of what they were told: counters, the state of a
/// device, and files that only take commands.
constexpr const char *volatile_paths[] = {"/statistics/", "/info$", "/pr/res_"};

bool matches(const char *pattern, const std::string &text)
{
	return std::regex_search(text, std::regex(pattern));
}

void walk(const std::string &dir, std::vector<TreeFile> *files, std::vector<std::string> *dirs)
{
	if (dirs)
		dirs->push_back(dir);
	for (const auto &name : list_dir(dir).value_or({})) {
		std::string path = dir + "/" + name;
		struct stat st;
		if (lstat(path.c_str(), &st))
			continue;
		if (S_ISDIR(st.st_mode))
			walk(path, files, dirs);
		else if (S_ISREG(st.st_mode) && files)
			files->push_back({path, (st.st_mode & 0444) != 0, (st.st_mode & 0222) != 0});
	}
}

BackstoreSpec quiet_spec(const std::string &name, bool enable)
{
	BackstoreSpec spec = user_spec(name, "fuzz/" + name, disk_bytes);
	spec.attribs = {{"cmd_time_out", "2"}, {"nl_reply_supported", "-1"}};
	spec.enable = enable;
	spec.serial = "f0-" + name;
	return spec;
}

} // namespace

Result<RichTree> RichTree::create()
{
	RichTree tree;
	LIO_TRY(ServedDisk served, ServedDisk::create(Server::tcmu_file, "served", disk_bytes, {{"cmd_time_out", "2"}}));
	tree.served_.emplace(std::move(served));
	for (const BackstoreSpec &spec : {quiet_spec("configured", false), quiet_spec("enabled", true),
					  ramdisk_spec("memory", disk_bytes)}) {
		LIO_TRY(Backstore made, Backstore::create(spec));
		tree.backstores_.push_back(std::move(made));
	}
	LIO_TRY(Removal group, make_dir_guard(tree.backstores_[1].path() + "/alua/gp1"));
	LIO_CHECK(write_value(group.path() + "/tg_pt_gp_id", "17"));
	tree.group_ = std::move(group);
	LoopSpec without;
	without.tpgt = 2;
	without.nexus = false;
	LIO_TRY(LoopTarget second, LoopTarget::create(without));
	tree.second_.emplace(std::move(second));
	for (size_t i : {1, 2}) {
		LIO_TRY(LoopLun lun, tree.second_->add_lun(i, tree.backstores_[i]));
		tree.luns_.push_back(std::move(lun));
	}
	return tree;
}

RichTree::~RichTree()
{
	if (second_ && second_->path().size())
		(void)calm();
}

std::vector<std::string> RichTree::roots() const
{
	std::vector<std::string> roots = {second_->path(), served_->disk->target.path(), served_->disk->backstore.path()};
	for (size_t i : {0, 1})
		roots.push_back(backstores_[i].path());
	return roots;
}

Status RichTree::calm() const
{
	LIO_CHECK(write_value(served_->disk->target.tpg() + "/transport_status", "online"));
	for (const Backstore *b : {&served_->disk->backstore, &backstores_[1]})
		LIO_CHECK(b->action("block_dev", "0"));
	for (const char *delay : {"trans_delay_msecs", "implicit_trans_secs", "nonop_delay_msecs"})
		LIO_CHECK(write_value(backstores_[1].path() + "/alua/default_tg_pt_gp/" + delay, "0"));
	return {};
}

Status RichTree::destroy()
{
	LIO_CHECK(calm());
	while (!luns_.empty()) {
		LIO_CHECK(luns_.back().destroy());
		luns_.pop_back();
	}
	LIO_CHECK(second_->destroy());
	second_.reset();
	LIO_CHECK(group_.remove());
	while (!backstores_.empty()) {
		LIO_CHECK(backstores_.back().destroy());
		backstores_.pop_back();
	}
	LIO_CHECK(served_->disk->lun.destroy());
	LIO_CHECK(served_->disk->target.destroy());
	LIO_CHECK(served_->disk->backstore.destroy());
	return served_->handler->stop();
}

Result<std::vector<TreeFile>> tree_files(const std::vector<std::string> &roots)
{
	std::vector<TreeFile> files;
	for (const auto &root : roots)
		walk(root, &files, nullptr);
	if (files.empty())
		return Error{ENOENT, roots.front(), "attributes below"};
	return files;
}

std::vector<std::string> tree_dirs(const std::vector<std::string> &roots)
{
	std::vector<std::string> dirs;
	for (const auto &root : roots)
		walk(root, nullptr, &dirs);
	return dirs;
}

const std::regex *legal_value(const std::string &path)
{
	static const auto rules = [] {
		std::vector<std::pair<std::regex, std::regex>> made;
		for (const Rule &r : legal)
			made.emplace_back(r.path, r.value);
		return made;
	}();
	for (const auto &[where, value] : rules)
		if (std::regex_search(path, where))
			return &value;
	return nullptr;
}

bool is_volatile(const std::string &path)
{
	return std::any_of(std::begin(volatile_paths), std::end(volatile_paths),
			   [&](const char *p) { return matches(p, path); });
}

} // namespace lio::test
