// SPDX-License-Identifier: GPL-2.0
#include "profile_boots.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "file.hpp"
#include "process.hpp"
#include "profile.hpp"

namespace lio::bench {

using namespace lio::test;

namespace {

struct Profile {
	double ios;
	std::vector<SymbolCost> costs;
};

using Profiles = std::map<std::string, Profile>; ///< by case

Result<SymbolTable> load_symbols(const std::string &directory, const Settings &settings)
{
	SymbolTable symbols;
	LIO_TRY(std::string kallsyms, read_file(directory + "/kallsyms"));
	LIO_TRY(std::string maps, read_file(directory + "/maps"));
	symbols.add_kallsyms(kallsyms);
	symbols.add_maps(maps);
	for (const char *program : {"tcmu-null", "lio-bench-guest"}) {
		LIO_TRY(std::string nm, run_ok({"nm", "-C", settings.tree + "/build/user/bin/" + program}));
		symbols.add_program(program, nm);
	}
	return symbols;
}

/// The plugin writes PREFIX.N for the Nth pair of marks: one sample, so one pair, a case.
Result<Profiles> profile_one(const Boot &boot, Settings settings)
{
	std::string directory = boot_directory(boot, settings), prefix = directory + "/counts";
	settings.repeat = 1;
	LIO_TRY(BootResult result,
		boot_and_measure(boot, settings,
				 {"--qemu", "-plugin", "--qemu",
				  settings.tree + "/build/user/lib/lio-profile.so,prefix=" + prefix},
				 {"--symbols"}));
	LIO_TRY(SymbolTable symbols, load_symbols(directory, settings));
	Profiles profiles;
	for (size_t n = 0; n < result.order.size(); n++) {
		const auto &[name, ios] = result.order[n];
		LIO_TRY(std::string counts, read_file(prefix + "." + std::to_string(n)));
		LIO_TRY(auto costs, sum_profile(counts, symbols));
		profiles[name] = {ios, std::move(costs)};
	}
	return profiles;
}

Status write_table(const Settings &settings, std::string name, const std::string &kind, const std::string &text)
{
	std::replace(name.begin(), name.end(), '/', '-');
	std::string path = fmt::format("{}/profile-{}-{}.txt", settings.results, kind, name);
	fmt::print("{}\n", path);
	return write_file(path, text);
}

} // namespace

Result<int> profile_both(const Settings &settings, const std::vector<std::string> &cases)
{
	LIO_TRY(Profiles stock, profile_one({"profile-stock", "stock, profiled", false, 1, true, cases}, settings));
	LIO_TRY(Profiles ours, profile_one({"profile-ours", "ours, profiled", true, 1, true, cases}, settings));
	for (const auto &[name, mine] : ours) {
		const Profile &theirs = stock.at(name);
		LIO_CHECK(write_table(settings, name, "stock", profile_table("stock " + name, theirs.costs, theirs.ios)));
		LIO_CHECK(write_table(settings, name, "ours", profile_table("ours " + name, mine.costs, mine.ios)));
		LIO_CHECK(write_table(settings, name, "difference",
				      profile_difference(theirs.costs, mine.costs, mine.ios)));
	}
	return 0;
}

} // namespace lio::bench
