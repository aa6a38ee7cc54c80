// SPDX-License-Identifier: GPL-2.0
// lio-coverage: the table of executed lines per file, and the judgement of the rest.
#include <cstdio>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "collect.hpp"
#include "file.hpp"

namespace {

using namespace lio::coverage;
using lio::test::read_file;

/// Of each module's lines; the figure.
constexpr double wanted_percent = 85;

struct Options {
	std::string tree, results, record;
};

void print_rows(const char *title, const std::vector<Row> &rows)
{
	printf("\n%-28s %6s %9s %7s\n", title, "lines", "executed", "%");
	for (const Row &r : rows)
		printf("%-28s %6u %9u %7.1f\n", r.name.c_str(), r.lines, r.executed, r.percent());
}

Result<std::map<std::string, std::string>> read_sources(const Lines &lines, const std::string &tree)
{
	std::map<std::string, std::string> sources;
	for (const auto &[file, numbers] : lines) {
		LIO_TRY(sources[file], read_file(tree + "/" + file));
	}
	return sources;
}

Status write_uncovered(const std::string &file, const Judgement &j)
{
	std::string text;
	for (const Uncovered &u : j.uncovered)
		text += u.file + ":" + std::to_string(u.line) + " " + u.function + "(): " + u.code + "\n    " +
			(u.why.empty() ? "(not judged)" : u.why) + "\n";
	return lio::test::write_file(file, text);
}

/// The figures as data, to be kept beside this program.
Status write_record(const std::string &file, const Lines &lines)
{
	nlohmann::ordered_json out;
	for (const auto &[what, rows] : {std::pair{"modules", by_module(lines)}, {"files", by_file(lines)}})
		for (const Row &r : rows)
			out[what][r.name] = {{"lines", r.lines}, {"executed", r.executed}};
	return lio::test::write_file(file, out.dump(1, '\t') + "\n");
}

/// Prints everything; the number of failures.
unsigned report(const std::vector<Row> &modules, const Lines &lines, const Judgement &j)
{
	unsigned failed = 0;
	print_rows("file", by_file(lines));
	print_rows("module", modules);
	for (const Row &r : modules) {
		if (r.percent() >= wanted_percent)
			continue;
		printf("FAILED: %s: %.1f %% of its lines ran, %.0f %% are wanted\n", r.name.c_str(), r.percent(), wanted_percent);
		failed++;
	}
	for (const auto &f : j.unreached)
		printf("FAILED: a function that never ran and that judged.json says nothing about: %s\n", f.c_str());
	for (const Judged &s : j.stale)
		printf("FAILED: judged.json is about code that is not there: %s: %s: %s\n", s.file.c_str(),
		       s.function.c_str(), s.code.c_str());
	failed += j.unreached.size() + j.stale.size();
	size_t open = 0;
	for (const Uncovered &u : j.uncovered)
		open += u.why.empty();
	printf("%zu lines never ran, %zu of them in functions that ran and not judged\n", j.uncovered.size(), open);
	printf("%zu passed, %u failed, 0 skipped\n", modules.size() - std::min<size_t>(modules.size(), failed), failed);
	return failed;
}

Result<unsigned> run(const Options &o)
{
	LIO_TRY(Lines lines, collect(o.results));
	LIO_TRY(auto sources, read_sources(lines, o.tree));
	LIO_TRY(std::string text, read_file(o.tree + "/tests/coverage/judged.json"));
	LIO_TRY(auto judged, parse_judged(text));
	Judgement j = judge(lines, sources, judged);
	LIO_CHECK(write_uncovered(o.results + "/uncovered.txt", j));
	if (!o.record.empty())
		LIO_CHECK(write_record(o.record, lines));
	return report(by_module(lines), lines, j);
}

} // namespace

int main(int argc, char **argv)
{
	CLI::App app{"Coverage of our kernel code by the tests that ran on the sanitizer kernel.\n"
		     "What never ran is listed in RESULTS/uncovered.txt."};
	Options o;
	app.add_option("--tree", o.tree, "our source tree")->required();
	app.add_option("--record", o.record, "also write the figures into this file");
	app.add_option("results", o.results, "what lio-check left (build/results)")->required();
	CLI11_PARSE(app, argc, argv);
	setvbuf(stdout, nullptr, _IOLBF, 0);
	auto failed = run(o);
	if (!failed) {
		fprintf(stderr, "lio-coverage: %s\n", failed.error().str().c_str());
		return 2;
	}
	return *failed ? 1 : 0;
}
