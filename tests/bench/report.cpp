// SPDX-License-Identifier: GPL-2.0
#include "report.hpp"

#include <fmt/format.h>

namespace lio::bench {

namespace {

const Figure *find(const BootResult &boot, const std::string &name)
{
	auto it = boot.figures.find(name);
	return it == boot.figures.end() ? nullptr : &it->second;
}

std::string ratio(double value, double of)
{
	return fmt::format("{:.3f}", value / of);
}

/// Cases that both boots measured, side by side.
void print_pair(const char *title, const BootResult &stock, const BootResult &ours)
{
	fmt::print("\n{}\n  {:<24}{:>10}{:>8}{:>10}{:>8}{:>8}\n", title, "", "stock", "spread", "ours", "spread",
		   "ratio");
	for (const auto &[name, mine] : ours.figures) {
		const Figure *theirs = find(stock, name);
		if (theirs)
			fmt::print("  {:<24}{:>10.0f}{:>7.1f}%{:>10.0f}{:>7.1f}%{:>8}\n", name, theirs->median(),
				   100 * theirs->spread(), mine.median(), 100 * mine.spread(),
				   ratio(mine.median(), theirs->median()));
	}
}

/// Multiples of ublk's null target, which does the same job without SCSI.
void print_yardstick(const Measured &run)
{
	fmt::print("\nBeside ublk's null target of the same run\n  {:<24}{:>10}{:>12}{:>12}\n", "", "ublk",
		   "stock/ublk", "ours/ublk");
	for (const char *name : {"4k-qd1", "4k-qd32", "1m-qd1"}) {
		const Figure *ublk = find(run.stock, std::string("ublk/") + name);
		const Figure *stock = find(run.stock, std::string("tcmu/") + name);
		const Figure *ours = find(run.ours, std::string("tcmu/") + name);
		if (ublk && stock && ours)
			fmt::print("  {:<24}{:>10.0f}{:>12}{:>12}\n", name, ublk->median(),
				   ratio(stock->median(), ublk->median()), ratio(ours->median(), ublk->median()));
	}
}

void print_scaling(const char *who, const BootResult &wall)
{
	for (std::string name : {"tcmu/4k-qd1", "tcmu/4k-qd32"}) {
		const Figure *one = find(wall, name), *two = find(wall, name + "-two");
		if (one && two)
			fmt::print("  {:<6}{:<18}{:>9.1f} us{:>9.1f} us{:>8}\n", who, name, one->median() / 1000,
				   two->median() / 1000, ratio(one->median(), two->median()));
	}
}

} // namespace

void print_run(const Measured &run)
{
	print_pair("Instructions per I/O of the whole guest, one processor (median; caches and contention are not seen)",
		   run.stock, run.ours);
	print_yardstick(run);
	print_pair("Instructions per I/O, two processors; -two: two jobs, one pinned to each", run.stock_two,
		   run.ours_two);
	if (!run.stock_wall || !run.ours_wall)
		return;
	fmt::print("\nWall-clock under thread=multi, not judged: one job, two jobs, speed-up\n");
	print_scaling("stock", *run.stock_wall);
	print_scaling("ours", *run.ours_wall);
}

int print_verdicts(const char *title, const std::vector<Verdict> &verdicts)
{
	int missed = 0;
	fmt::print("\n{}\n", title);
	for (const Verdict &v : verdicts) {
		fmt::print("  {:<24}{:>7.3f} x {:<10} aim <= {:.2f}   {}\n", v.name, v.value, v.of, v.aim,
			   v.met() ? "met" : "MISSED");
		missed += !v.met();
	}
	return missed;
}

} // namespace lio::bench
