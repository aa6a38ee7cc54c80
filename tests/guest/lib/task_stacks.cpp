// SPDX-License-Identifier: GPL-2.0
#include "task_stacks.hpp"

#include <unistd.h>

#include "file.hpp"

namespace lio::test {

namespace {

/// The third field of stat, behind the name, which may hold anything.
char state_of(const std::string &stat)
{
	size_t end = stat.rfind(')');
	return end == std::string::npos || end + 2 >= stat.size() ? '?' : stat[end + 2];
}

std::string describe(const std::string &dir, char state)
{
	std::string text = dir + " " + read_value(dir + "/comm").value_or("?") + " (" + state + ")\n";
	return text + read_file(dir + "/stack").value_or("  no stack\n");
}

} // namespace

std::string task_stack(pid_t tid)
{
	std::string dir = "/proc/self/task/" + std::to_string(tid);
	return describe(dir, state_of(read_value(dir + "/stat").value_or("")));
}

std::string blocked_stacks()
{
	std::string text;
	for (const auto &pid : list_dir("/proc").value_or({})) {
		if (pid.find_first_not_of("0123456789") != std::string::npos)
			continue;
		for (const auto &tid : list_dir("/proc/" + pid + "/task").value_or({})) {
			std::string dir = "/proc/" + pid + "/task/" + tid;
			if (state_of(read_value(dir + "/stat").value_or("")) == 'D')
				text += describe(dir, 'D');
		}
	}
	return text;
}

} // namespace lio::test
