// SPDX-License-Identifier: GPL-2.0
// Every attribute of our modules against every value that could upset a parser, in any order; names
// for directories and links; and reads at odd places. Another LUN's I/O goes on meanwhile, and at
// the end all of it can be taken down.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "fuzz_tree.hpp"
#include "fuzz_values.hpp"
#include "fuzz_watch.hpp"
#include "module.hpp"
#include "seed.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr uint64_t other_bytes = 16 << 20;
/// An ALUA transition may be told to take 30 s; nothing else takes any time.
constexpr milliseconds step_limit = seconds(60);

/// What makes later writes wait, as it is meant to: an ALUA transition for as long as it is told, a
/// change of a device for the answer of a handler, which only a kill or reset_netlink cuts short.
/// What is accepted of it is taken back at once, by writing this.
std::optional<std::string> taken_back_by(const std::string &path)
{
	if (path.ends_with("_delay_msecs") || path.ends_with("implicit_trans_secs"))
		return "0";
	if (path.ends_with("/nl_reply_supported"))
		return "-1";
	if (path.ends_with("/control"))
		return "nl_reply_supported=-1";
	return {};
}

struct CoreBug {
	const char *path; ///< the attribute's end
	std::string_view value; ///< what the value begins with
	size_t size; ///< how long it is; 0: as it likes
};

/// Writes that kill the distribution's target_core_mod (6.12.117): the reports of runs of this test are in the
/// functions named here. Of the INQUIRY strings vendor_id was seen, the others have the same check. Ours will get
/// them all.
/// - An empty text (a first byte of NUL) for the INQUIRY strings: target_check_inquiry_data(), called by
///   target_wwn_vendor_id_store() and its like, calls strlen(NULL).
/// - "NULL" takes the device out of its LU group, and the next write to any of its alua_access_state is
///   core_alua_do_port_transition() with a group of NULL.
/// - 256 bytes fill the buffers of target_dev_alua_lu_gp_store() and core_alua_store_tg_pt_gp_info(),
///   whose strim() reads on (KASAN).
constexpr CoreBug core_bugs[] = {
	{"/wwn/vendor_id", {"\0", 1}, 0},
	{"/wwn/product_id", {"\0", 1}, 0},
	{"/wwn/revision", {"\0", 1}, 0},
	{"/alua_lu_gp", "NULL", 0},
	{"/alua_lu_gp", "", 256},
	{"/alua_tg_pt_gp", "", 256},
};

bool kills_the_core(const std::string &path, const std::string &value)
{
	static const bool stock = !module_is_ours("target_core_mod");
	return stock && std::any_of(std::begin(core_bugs), std::end(core_bugs), [&](const CoreBug &bug) {
		return path.ends_with(bug.path) && value.starts_with(bug.value) && (!bug.size || value.size() == bug.size);
	});
}

/// The distribution's core takes an empty text (NUL) for these and says that it took 0 bytes.
bool takes_nothing(const std::string &path, const std::string &value)
{
	return value.starts_with('\0') && (path.ends_with("/alias") || path.ends_with("/udev_path"));
}

/// A value, or how reading it failed: both can be compared.
std::string look(const TreeFile &file)
{
	if (!file.readable)
		return "";
	auto value = read_file(file.path);
	return value ? *value : "errno " + std::to_string(value.code());
}

class AttributeFuzzer {
	Progress &progress_;
	std::mt19937_64 random_ = rng("attributes");
	std::vector<TreeFile> files_;
	std::vector<std::string> known_;
	unsigned accepted_ = 0, refused_ = 0, wrong_ = 0;

public:
	AttributeFuzzer(Progress &progress, std::vector<TreeFile> files) : progress_(progress), files_(std::move(files))
	{
		for (const TreeFile &f : files_) {
			std::string value = look(f);
			if (!value.empty() && value.size() < 200)
				known_.push_back(value);
		}
	}

	int run(uint64_t rounds, uint64_t drawn);

private:
	struct Step {
		size_t file, value;
	};
	std::vector<Step> every_step();
	void complain(const TreeFile &file, const std::string &value, const std::string &what);
	void write_once(const TreeFile &file, int fd, const std::string &value, off_t at);
	void judge(const TreeFile &file, const std::string &value, ssize_t n, const std::string &before);
	void write(const TreeFile &file, const std::string &value);
	void read(const TreeFile &file);
	std::string draw(const TreeFile &file);
};

/// Each writable file with each awkward value, in an order of the seed's.
std::vector<AttributeFuzzer::Step> AttributeFuzzer::every_step()
{
	std::vector<Step> steps;
	for (size_t f = 0; f < files_.size(); f++)
		for (size_t v = 0; files_[f].writable && v < awkward_values().size(); v++)
			steps.push_back({f, v});
	std::shuffle(steps.begin(), steps.end(), random_);
	// The debug kernel takes its time: a part, which the seed chooses.
	if (tier() == Tier::debug)
		steps.resize(steps.size() / 8);
	return steps;
}

void AttributeFuzzer::complain(const TreeFile &file, const std::string &value, const std::string &what)
{
	if (++wrong_ <= 40)
		printf("%s: %s: %s\n", file.path.c_str(), shown(value).c_str(), what.c_str());
}

void AttributeFuzzer::judge(const TreeFile &file, const std::string &value, ssize_t n, const std::string &before)
{
	std::string after = look(file);
	(n < 0 ? refused_ : accepted_)++;
	if (n > ssize_t(value.size()))
		complain(file, value, "took " + std::to_string(n) + " bytes");
	if (!file.readable || is_volatile(file.path))
		return;
	if (n <= 0 && after != before && !takes_nothing(file.path, value))
		complain(file, value, "was refused, but changed " + shown(before) + " to " + shown(after));
	const std::regex *legal = legal_value(file.path);
	std::string line = after.substr(0, after.size() - after.ends_with('\n'));
	// What another file could not be read for may be the value that was drawn for this one.
	bool unreadable = after.starts_with("errno ") && after != before && !value.starts_with("errno ");
	if (n > 0 && unreadable && !file.path.ends_with("/nexus"))
		complain(file, value, "was accepted, but reads as " + after);
	if (n > 0 && legal && !after.starts_with("errno ") && !std::regex_match(line, *legal))
		complain(file, value, "was accepted, but reads as " + shown(after));
}

void AttributeFuzzer::write_once(const TreeFile &file, int fd, const std::string &value, off_t at)
{
	if (kills_the_core(file.path, value))
		return;
	std::string before = look(file);
	progress_.begin("write " + shown(value) + " to " + file.path);
	ssize_t n = at ? pwrite(fd, value.data(), value.size(), at) : ::write(fd, value.data(), value.size());
	progress_.end();
	judge(file, value, n, before);
	if (auto back = taken_back_by(file.path); back && n > 0) {
		progress_.begin(*back + " to " + file.path);
		(void)write_value(file.path, *back);
		progress_.end();
	}
}

/// In one piece mostly; else in pieces on one open file, somewhere behind its start, or twice.
void AttributeFuzzer::write(const TreeFile &file, const std::string &value)
{
	int fd = open(file.path.c_str(), (file.readable && random_() % 4 == 0 ? O_RDWR : O_WRONLY) | O_CLOEXEC);
	if (fd < 0)
		return complain(file, value, "cannot be opened, errno " + std::to_string(errno));
	switch (random_() % 12) {
	case 0: {
		size_t cut = value.empty() ? 0 : random_() % value.size();
		write_once(file, fd, value.substr(0, cut), 0);
		write_once(file, fd, value.substr(cut), 0);
		break;
	}
	case 1:
		write_once(file, fd, value, off_t(1 + random_() % 5000));
		break;
	case 2:
		write_once(file, fd, value, 0);
		write_once(file, fd, value, 0);
		break;
	default:
		write_once(file, fd, value, 0);
	}
	close(fd);
}

/// In small pieces, from odd places: always a part of the whole.
void AttributeFuzzer::read(const TreeFile &file)
{
	int fd = file.readable ? open(file.path.c_str(), O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	progress_.begin("read " + file.path);
	std::string whole, piece(1 + random_() % 40, 'x');
	ssize_t n;
	while ((n = ::read(fd, piece.data(), piece.size())) > 0)
		whole.append(piece, 0, size_t(n));
	for (off_t at : {off_t(random_() % 5000), off_t(whole.size()), off_t(4095), off_t(1) << 40}) {
		char buf[64];
		n = pread(fd, buf, sizeof(buf), at);
		std::string expected = size_t(at) < whole.size() ? whole.substr(size_t(at), sizeof(buf)) : "";
		if (n > 0 && std::string(buf, size_t(n)) != expected)
			complain(file, std::string(buf, size_t(n)), "is not what is at " + std::to_string(at));
	}
	progress_.end();
	if (whole.size() > 4096)
		complain(file, whole, "is longer than a page");
	close(fd);
}

std::string AttributeFuzzer::draw(const TreeFile &file)
{
	if (file.path.ends_with("/control") && random_() % 4)
		return random_options(random_);
	if (file.path.ends_with("/res_aptpl_metadata") && random_() % 4)
		return random_registration(random_);
	return random_value(random_, known_);
}

int AttributeFuzzer::run(uint64_t rounds, uint64_t drawn)
{
	std::vector<size_t> writable;
	for (size_t i = 0; i < files_.size(); i++)
		if (files_[i].writable)
			writable.push_back(i);
	for (uint64_t round = 0; round < rounds; round++) {
		for (const Step &s : every_step())
			write(files_[s.file], awkward_values()[s.value]);
		for (uint64_t n = 0; n < drawn; n++) {
			const TreeFile &file = files_[writable[random_() % writable.size()]];
			write(file, draw(file));
			if (n % 4 == 0)
				read(files_[random_() % files_.size()]);
		}
		for (const TreeFile &f : files_)
			read(f);
	}
	printf("%zu files, %zu writable: %u writes accepted, %u refused, %u complaints\n", files_.size(), writable.size(),
	       accepted_, refused_, wrong_);
	return wrong_ || !accepted_ || !refused_;
}

/// mkdir, rmdir and symlink wherever the tree has directories.
class NameFuzzer {
	Progress &progress_;
	std::mt19937_64 random_ = rng("names");
	std::vector<std::string> dirs_, targets_;
	unsigned made_ = 0, refused_ = 0, wrong_ = 0;

public:
	NameFuzzer(Progress &progress, std::vector<std::string> dirs, std::vector<std::string> targets)
		: progress_(progress), dirs_(std::move(dirs)), targets_(std::move(targets)) {}

	int run(uint64_t drawn);

private:
	/// @call says 0 or -1 with errno; the end of what it made is @undo's.
	template <class Call, class Undo> void attempt(const std::string &what, Call call, Undo undo)
	{
		progress_.begin(what);
		bool made = call() == 0;
		progress_.end();
		(made ? made_ : refused_)++;
		if (!made)
			return;
		progress_.begin("undo " + what);
		if (undo() && ++wrong_)
			printf("%s cannot be undone: errno %d\n", what.c_str(), errno);
		progress_.end();
	}
	void make(const std::string &path);
	void link(const std::string &target, const std::string &path);
	void remove(const std::string &path);
};

void NameFuzzer::make(const std::string &path)
{
	attempt("mkdir " + path, [&] { return mkdir(path.c_str(), 0755); }, [&] { return rmdir(path.c_str()); });
}

void NameFuzzer::link(const std::string &target, const std::string &path)
{
	attempt("link " + path + " to " + target, [&] { return symlink(target.c_str(), path.c_str()); },
		[&] { return unlink(path.c_str()); });
}

/// A directory that has something in it, or that the kernel made, does not go.
void NameFuzzer::remove(const std::string &path)
{
	// These have nothing in them that anybody made.
	if (path.ends_with("/configured") || path.ends_with("/gp1"))
		return;
	progress_.begin("rmdir " + path);
	bool gone = rmdir(path.c_str()) == 0;
	progress_.end();
	if (gone && ++wrong_)
		printf("%s was removed with all that is in it\n", path.c_str());
}

int NameFuzzer::run(uint64_t drawn)
{
	const auto &names = awkward_names();
	for (const auto &dir : dirs_)
		for (const auto &name : names)
			if (tier() != Tier::debug || random_() % 4 == 0)
				make(dir + "/" + name);
	for (uint64_t n = 0; n < drawn; n++) {
		const std::string &dir = dirs_[random_() % dirs_.size()];
		const std::string &name = names[random_() % names.size()];
		link(random_() % 8 ? targets_[random_() % targets_.size()] : dirs_[random_() % dirs_.size()], dir + "/" + name);
		if (random_() % 8 == 0)
			remove(dirs_[random_() % dirs_.size()]);
	}
	printf("%u directories and links made and removed, %u refused, %u complaints\n", made_, refused_, wrong_);
	return wrong_ || !made_ || !refused_;
}

class FuzzConfigfs : public testing::Test {
protected:
	std::optional<ServedDisk> other_;
	std::optional<Background> background_;
	std::optional<RichTree> tree_;

	void SetUp() override
	{
		allow_messages();
		ASSERT_OK_AND_ASSIGN(ServedDisk other, ServedDisk::create(Server::tcmu_file, "other", other_bytes));
		other_.emplace(std::move(other));
		ASSERT_OK_AND_ASSIGN(RichTree tree, RichTree::create());
		tree_.emplace(std::move(tree));
		ASSERT_OK_AND_ASSIGN(std::string node, other_->disk->lun.block_node());
		ASSERT_OK_AND_ASSIGN(Background background, Background::start(node, other_bytes));
		background_.emplace(std::move(background));
	}

	static void allow_messages();

	void run(const std::string &name, Progress &progress, const std::function<int()> &body)
	{
		auto output = run_watched(name, progress, step_limit, body, check_dmesg_now);
		ASSERT_TRUE(output.ok()) << output.error();
		printf("%s: %s", name.c_str(), output->c_str());
	}

	/// The other LUN never noticed, and nothing that was written stands in the way of the end.
	void finish()
	{
		ASSERT_OK_AND_ASSIGN(Background::Report report, background_->stop());
		printf("other LUN: %u rounds, slowest %.1f s\n", report.rounds, report.slowest);
		EXPECT_GT(report.rounds, 5u);
		EXPECT_LT(report.slowest, 30);
		ASSERT_OK(tree_->destroy());
		tree_.reset();
	}
};

/// What the modules say of a value that they refuse. One pattern a message.
void FuzzConfigfs::allow_messages()
{
	static constexpr const char *patterns[] = {
		// Our modules'.
		"^(configured|enabled|served|fuzz): the device is not enabled$",
		"^(configured|enabled|served): (max_data_area_mb|data_pages_per_blk|cmd_ring_size_mb) cannot change ",
		"^(configured|enabled|served): cmd_time_out cannot change while exported$",
		"^(configured|enabled|served): qfull_time_out must be -1 to ",
		"^(configured|enabled|served): reset_ring takes 1 ",
		"^(configured|enabled|served): the handler could not be reconfigured: ",
		"^(hw_block_size|hw_max_sectors|max_data_area_mb|data_pages_per_blk|cmd_ring_size_mb) must be ",
		"^(max_data_area_mb|cmd_ring_size_mb): \\d+ lowered to the limit of \\d+$",
		"^data_pages_per_blk (\\d+ is more than max_data_area_mb|must be at most) ",
		"^dev_config is longer than \\d+ bytes$",
		"^[^]{0,300}: not a name of an emulated initiator port for (naa|fc|iqn)\\.",
		"^(naa|fc|iqn)\\.[^]{0,250}/tpgt_\\d+: nexus is in use by LUNs$",
		"^[^]{0,300}: not (tpgt_N with N less than \\d+|a name of an emulated target port \\(naa\\., fc\\. or iqn\\.\\))$",
		// Our core's.
		"^target_core_mod: [^ ]+/[^ ]+ is exported: (its identity|this attribute) cannot change$",
		"^target_core_mod: (LU|target port) group identifier \\d+ is another group's$",
		"^target_core_mod: (LU|target port) group [^ ]+ has an identifier already: \\d+$",
		"^target_core_mod: dbroot( cannot change while there are devices$|: cannot use )",
		// The distribution's core's.
		"^tf->tf_ops\\.fabric_make_np is NULL$",
		"^Unable to locate ",
		"^kstrtoul\\(\\) returned -\\d+ for ",
		"^Port Symlink already exists$",
		"^Bad se_dev_ci, not a valid se_dev_ci pointer: ",
		"^Passed \\*name strlen\\(\\): \\d+ exceeds ",
		"^Invalid (line|value) ",
		"^Unable to (extract|set|process) ",
		"^Unknown ALUA access state: ",
		"^For dev_enable ops, only valid value is ",
		"^Passed (trans_delay_msecs|nonop_delay_msecs|implicit_trans_secs): ",
		"^Emulated (T10 (Vendor|Vendor Identification|Model|Revision|Inquiry Data)|VPD Unit Serial) (exceeds|contains) ",
		"^filp_open\\(/etc/target/", // ALUA metadata, and there is no such directory here
		"^dev\\[[0-9a-f]+\\]: (Unable|Dev|DEV|dev|SE Device) ",
		"^Illegal (value for|parameters for|ALUA access status:) ",
		"^(alias|udev_path) count: \\d+ exceeds SE_",
		"^Command completion value must be ",
		"^ALUA (tg_pt_gp_id: |TG PT Group already |(LU|Target Port) Group [Aa]lias too large!|access state \\S+ not supported)",
		"^se_dev->se_dev_ptr already set for storage object$",
	};
	for (const char *pattern : patterns)
		expect_dmesg(pattern, Need::optional);
}

TEST_F(FuzzConfigfs, Attributes)
{
	ASSERT_OK_AND_ASSIGN(std::vector<TreeFile> files, tree_files(tree_->roots()));
	ASSERT_OK_AND_ASSIGN(Progress progress, Progress::create());
	AttributeFuzzer fuzzer(progress, std::move(files));
	ASSERT_NO_FATAL_FAILURE(
		run("attributes", progress, [&] { return fuzzer.run(count(1, 50), count(4000, 20000)); }));
	finish();
}

TEST_F(FuzzConfigfs, Names)
{
	std::vector<std::string> roots = tree_->roots(), dirs = tree_dirs(roots);
	dirs.push_back(target_root + "/loopback");
	dirs.push_back(target_root + "/core");
	ASSERT_OK_AND_ASSIGN(Progress progress, Progress::create());
	NameFuzzer fuzzer(progress, std::move(dirs), {tree_->ramdisk(), roots.back(), tree_->target_without_nexus(), "/", "nowhere"});
	ASSERT_NO_FATAL_FAILURE(run("names", progress, [&] { return fuzzer.run(count(2000, 100000)); }));
	finish();
}

} // namespace
} // namespace lio::test
