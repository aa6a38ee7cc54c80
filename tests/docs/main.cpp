// SPDX-License-Identifier: GPL-2.0
// lio-docs: checks the documentation against what it is about, or makes the page that is made.
#include <cstdio>

#include <CLI/CLI.hpp>

#include "docs.hpp"
#include "file.hpp"

namespace {

int fail(const lio::test::Error &e)
{
	fprintf(stderr, "lio-docs: %s\n", e.str().c_str());
	return 2;
}

} // namespace

int main(int argc, char **argv)
{
	CLI::App app{"Checks README.md and Documentation/ against the tests' data, the example and the files they link to.\n"
		     "Exit status: 0 all well, 1 something is out of date, 2 it could not be found out."};
	std::string tree = ".";
	bool write = false;
	app.add_option("tree", tree, "the source tree");
	app.add_flag("--write", write, "first write Documentation/differences.md anew");
	CLI11_PARSE(app, argc, argv);

	if (write) {
		auto page = lio::docs::differences_page(tree);
		if (!page)
			return fail(page.error());
		if (auto s = lio::test::write_file(tree + "/Documentation/differences.md", *page); !s)
			return fail(s.error());
	}
	auto faults = lio::docs::find_faults(tree);
	if (!faults)
		return fail(faults.error());
	for (const auto &fault : *faults)
		printf("%s\n", fault.c_str());
	return faults->empty() ? 0 : 1;
}
