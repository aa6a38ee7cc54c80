// SPDX-License-Identifier: GPL-2.0
// tree-compare: judges two records of guest-configfs against the reviewed differences.
#include <cstdio>

#include <CLI/CLI.hpp>

#include "file.hpp"
#include "tree_diff.hpp"

namespace {

using namespace lio::check;
using lio::test::Result;

Result<lio::test::TreeRecord> load_record(const std::string &path)
{
	LIO_TRY(std::string text, lio::test::read_file(path));
	return lio::test::record_from_json(text);
}

void print(const char *what, const Difference &d)
{
	printf("%s: %s [%s]\n    stock: %s\n    ours:  %s\n", what, d.attribute.c_str(), d.field.c_str(),
	       d.stock.c_str(), d.ours.c_str());
}

int fail(const lio::test::Error &e)
{
	fprintf(stderr, "tree-compare: %s\n", e.str().c_str());
	return 2;
}

} // namespace

int main(int argc, char **argv)
{
	CLI::App app{"Compares the distribution's attribute tree with ours."};
	std::string stock_file, ours_file, differences_file, kernel;
	app.add_option("--kernel", kernel, "6.12 or 6.1");
	app.add_option("--differences", differences_file, "reviewed differences")->required();
	app.add_option("stock", stock_file, "record of the distribution's modules")->required();
	app.add_option("ours", ours_file, "record of our modules")->required();
	CLI11_PARSE(app, argc, argv);

	auto text = lio::test::read_file(differences_file);
	if (!text)
		return fail(text.error());
	auto differences = parse_differences(*text);
	if (!differences)
		return fail(differences.error());
	auto stock = load_record(stock_file);
	if (!stock)
		return fail(stock.error());
	auto ours = load_record(ours_file);
	if (!ours)
		return fail(ours.error());

	Verdict v = compare(*stock, *ours, *differences, kernel);
	for (const Difference &d : v.unexplained)
		print("unexplained difference", d);
	for (const Difference &d : v.unused)
		print("unused entry in the differences file", d);
	printf("%zu paths, %zu differences as reviewed\n", stock->size(), v.explained);
	size_t failed = v.unexplained.size() + v.unused.size();
	printf("%zu passed, %zu failed, 0 skipped\n", v.same + v.explained, failed);
	return failed ? 1 : 0;
}
