// SPDX-License-Identifier: GPL-2.0
#include "result.hpp"

#include <cstring>

namespace lio::test {

std::string Error::str() const
{
	std::string s = what;
	if (!path.empty())
		s += " " + path;
	if (code)
		s += std::string(": ") + strerror(code) + " (errno " + std::to_string(code) + ")";
	return s;
}

std::ostream &operator<<(std::ostream &os, const Error &e)
{
	return os << e.str();
}

Error sys_error(std::string path, std::string what)
{
	int code = errno;
	return Error{code, std::move(path), std::move(what)};
}

} // namespace lio::test
