// SPDX-License-Identifier: GPL-2.0
// lio-bench-guest: measures null targets in the guest, checks them first, and writes the samples as
// JSON. Under icount a nanosecond is an instruction, so a sample is "instructions per I/O".
#include <cstdio>
#include <map>
#include <sstream>
#include <thread>

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "loader.hpp"
#include "module.hpp"
#include "targets.hpp"

namespace {

using namespace lio::bench;
using namespace lio::test;
using nlohmann::json;

struct Case {
	const char *target, *name;
	uint32_t block;
	unsigned depth;
	bool write;
	unsigned jobs;
	uint64_t ios; ///< of all jobs together
};

constexpr uint32_t kib4 = 4096, mib1 = 1 << 20;

const Case cases[] = {
	// target, name, block, depth, write, jobs, ios
	{"tcmu", "4k-qd1", kib4, 1, false, 1, 3000},
	{"tcmu", "4k-qd32", kib4, 32, false, 1, 8000},
	{"tcmu", "1m-qd1", mib1, 1, false, 1, 160},
	{"tcmu", "4k-qd1-write", kib4, 1, true, 1, 3000},
	{"tcmu", "4k-qd32-write", kib4, 32, true, 1, 8000},
	{"tcmu", "1m-qd1-write", mib1, 1, true, 1, 160},
	{"ramdisk", "4k-qd1", kib4, 1, false, 1, 3000},
	{"ramdisk", "4k-qd32", kib4, 32, false, 1, 8000},
	{"ramdisk", "1m-qd1", mib1, 1, false, 1, 160},
	{"ramdisk", "4k-qd1-write", kib4, 1, true, 1, 3000},
	{"ramdisk", "4k-qd32-write", kib4, 32, true, 1, 8000},
	{"fileio", "4k-qd1", kib4, 1, false, 1, 3000},
	{"fileio", "4k-qd32", kib4, 32, false, 1, 8000},
	{"fileio", "4k-qd32-write", kib4, 32, true, 1, 8000},
	{"iblock", "4k-qd1", kib4, 1, false, 1, 3000},
	{"iblock", "4k-qd32", kib4, 32, false, 1, 8000},
	{"iblock", "4k-qd32-write", kib4, 32, true, 1, 8000},
	{"ublk", "4k-qd1", kib4, 1, false, 1, 3000},
	{"ublk", "4k-qd32", kib4, 32, false, 1, 8000},
	{"ublk", "1m-qd1", mib1, 1, false, 1, 160},
	{"tcmu", "4k-qd1-two", kib4, 1, false, 2, 4000},
	{"tcmu", "4k-qd32-two", kib4, 32, false, 2, 12000},
};

struct Options {
	std::string select = "single";
	std::string out = "/out/bench.json";
	unsigned repeat = 5;
	unsigned scale = 1;
	bool symbols = false;
};

struct Maker {
	Result<std::unique_ptr<Target>> (*make)();
	Status (*verify)();
};

Result<std::unique_ptr<Target>> tcmu_untouched()
{
	return make_tcmu_null(false);
}

Result<std::unique_ptr<Target>> iblock_null()
{
	return make_iblock(false);
}

Status verify_storage_of(Result<std::unique_ptr<Target>> target)
{
	if (!target)
		return target.error();
	return verify_storage((*target)->device());
}

Status verify_fileio()
{
	return verify_storage_of(make_fileio());
}

Status verify_iblock()
{
	return verify_storage_of(make_iblock(true));
}

Status verify_ramdisk()
{
	return verify_storage_of(make_ramdisk());
}

Status nothing_to_verify()
{
	return {};
}

/// The same LUN with the handler that touches what is read, and storage through the same fabric.
Status verify_tcmu()
{
	{
		LIO_TRY(auto null, make_tcmu_null(true));
		LIO_CHECK(verify_zeroes(null->device()));
	}
	return verify_ramdisk();
}

const std::map<std::string, Maker> makers = {
	{"tcmu", {tcmu_untouched, verify_tcmu}},
	{"fileio", {make_fileio, verify_fileio}},
	{"iblock", {iblock_null, verify_iblock}},
	{"ramdisk", {make_ramdisk_null, verify_ramdisk}},
	{"ublk", {make_ublk_null, nothing_to_verify}},
};

std::vector<Job> jobs_of(const Case &c, const std::string &device, unsigned scale)
{
	std::vector<Job> jobs;
	for (unsigned n = 0; n < c.jobs; n++)
		jobs.push_back({device, c.block, c.depth, c.write, c.ios * scale / c.jobs, static_cast<int>(n)});
	return jobs;
}

/// One repeat; that it did as many requests as asked for is checked by the disk's own count.
Result<double> sample(const Case &c, const std::string &device, unsigned scale)
{
	std::vector<Job> jobs = jobs_of(c, device, scale);
	uint64_t warm_up = jobs[0].ios / 4, asked = (warm_up + jobs[0].ios) * jobs.size();
	LIO_TRY(uint64_t before, completed_requests(device));
	LIO_TRY(uint64_t ns, run_jobs(jobs, warm_up));
	LIO_TRY(uint64_t after, completed_requests(device));
	if (after - before != asked)
		return Error{EIO, device, std::to_string(asked) + " I/Os became " + std::to_string(after - before) +
						  " requests on"};
	return static_cast<double>(ns) / static_cast<double>(jobs[0].ios * jobs.size());
}

Result<json> measure(const Case &c, const std::string &device, const Options &options)
{
	json samples = json::array();
	for (unsigned n = 0; n < options.repeat; n++) {
		LIO_TRY(double s, sample(c, device, options.scale));
		samples.push_back(s);
		printf("%s %s: %.0f per I/O\n", c.target, c.name, s);
		fflush(stdout);
	}
	return json{{"target", c.target}, {"case", c.name}, {"jobs", c.jobs}, {"ios", c.ios * options.scale},
		    {"samples", samples}};
}

bool selected(const Case &c, const Options &options)
{
	std::istringstream in(options.select);
	for (std::string word; std::getline(in, word, ',');)
		if (word == std::string(c.target) + "/" + c.name)
			return true;
	return false;
}

/// What profiles need to name addresses, of the kernel with its modules and of both programs.
Status save_symbols(const Target &target)
{
	LIO_TRY(std::string symbols, read_file("/proc/kallsyms"));
	LIO_CHECK(write_file("/out/kallsyms", symbols));
	LIO_TRY(std::string maps, read_file("/proc/self/maps"));
	if (target.server()) {
		LIO_TRY(std::string more, read_file("/proc/" + std::to_string(target.server()) + "/maps"));
		maps += more;
	}
	return write_file("/out/maps", maps);
}

Result<json> measure_target(const std::string &name, const Options &options)
{
	json results = json::array();
	LIO_CHECK(makers.at(name).verify());
	LIO_TRY(auto target, makers.at(name).make());
	LIO_CHECK(settle_queue(target->device()));
	if (options.symbols)
		LIO_CHECK(save_symbols(*target));
	for (const Case &c : cases) {
		if (name != c.target || !selected(c, options))
			continue;
		LIO_TRY(json one, measure(c, target->device(), options));
		results.push_back(one);
	}
	return results;
}

Result<json> measure_all(const Options &options)
{
	json all = {{"release", kernel_release()}, {"cpus", std::thread::hardware_concurrency()},
		    {"results", json::array()}};
	for (const auto &[name, maker] : makers) {
		bool wanted = false;
		for (const Case &c : cases)
			wanted |= name == c.target && selected(c, options);
		if (!wanted)
			continue;
		LIO_TRY(json results, measure_target(name, options));
		for (auto &r : results)
			all["results"].push_back(r);
	}
	if (all["results"].empty())
		return Error{EINVAL, options.select, "no case selected by"};
	return all;
}

} // namespace

int main(int argc, char **argv)
{
	CLI::App app{"Instructions (under icount) or nanoseconds per I/O of null targets"};
	Options options;

	app.add_option("--cases", options.select, "TARGET/CASE, comma separated")->required();
	app.add_option("--repeat", options.repeat, "samples a case")->check(CLI::Range(1, 99))->capture_default_str();
	app.add_option("--scale", options.scale, "times the usual number of I/Os")->check(CLI::Range(1, 1000));
	app.add_option("--out", options.out, "where the JSON goes")->capture_default_str();
	app.add_flag("--symbols", options.symbols, "save what names addresses beside it (one target at a time)");
	CLI11_PARSE(app, argc, argv);

	Result<json> all = measure_all(options);
	if (!all) {
		fprintf(stderr, "lio-bench-guest: %s\n", all.error().str().c_str());
		return 1;
	}
	if (Status s = write_file(options.out, all->dump(1) + "\n"); !s) {
		fprintf(stderr, "lio-bench-guest: %s\n", s.error().str().c_str());
		return 1;
	}
	return testing::UnitTest::GetInstance()->Failed() ? 1 : 0;
}
