// SPDX-License-Identifier: GPL-2.0
#include "report.hpp"

#include <cinttypes>
#include <cstdio>

#include "module.hpp"
#include "process.hpp"

namespace lio::demo {

using namespace test;

namespace {

std::string format(const char *pattern, double value)
{
	char buf[64];
	snprintf(buf, sizeof(buf), pattern, value);
	return buf;
}

} // namespace

void Progress::say(const std::string &text) const
{
	printf("[%6.1f s] %s\n", watch_.seconds(), text.c_str());
}

void Summary::print() const
{
	for (const auto &[name, value] : lines_)
		printf("  %-18s %s\n", name.c_str(), value.c_str());
}

std::string module_origin(const std::string &module)
{
	auto file = run_ok({"modinfo", "-F", "filename", module});
	std::string path = file.value_or("built in");
	while (!path.empty() && path.back() == '\n')
		path.pop_back();
	bool updates = path.find("/updates/") != std::string::npos;
	return std::string(updates ? "ours" : "the distribution's") + " (" + path + ")";
}

std::string rate(uint64_t bytes, double seconds)
{
	double mib = static_cast<double>(bytes) / (1 << 20);
	return format("%.1f MiB in ", mib) + format("%.1f s, ", seconds) + format("%.1f MiB/s", mib / seconds);
}

Result<LogVerdict> LogVerdict::begin()
{
	LIO_TRY(KmsgReader reader, KmsgReader::open());
	return LogVerdict(std::move(reader));
}

Result<std::vector<std::string>> LogVerdict::complaints()
{
	DmesgJudge judge;
	// sd of 6.12 asks for the IO Advice Hints subpage, and the distribution's core complains.
	LIO_CHECK(judge.expect("^MODE SENSE: unimplemented page/subpage: 0x0a/0x05$", Need::optional));
	LIO_TRY(auto lines, reader_.read_new());
	return judge.judge(lines);
}

} // namespace lio::demo
