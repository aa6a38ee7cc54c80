// SPDX-License-Identifier: GPL-2.0
#include "kmsg.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace lio::test {

Result<KmsgReader> KmsgReader::open()
{
	LIO_TRY(Fd fd, open_fd("/dev/kmsg", O_RDONLY | O_NONBLOCK));
	if (lseek(fd.get(), 0, SEEK_END) < 0)
		return sys_error("/dev/kmsg", "seek in");
	return KmsgReader(std::move(fd));
}

Result<std::vector<LogLine>> KmsgReader::read_new()
{
	std::vector<LogLine> lines;
	char buf[8192];
	for (;;) {
		ssize_t n = read(fd_.get(), buf, sizeof(buf));
		if (n < 0 && errno == EAGAIN)
			return lines;
		if (n < 0)
			return sys_error("/dev/kmsg", errno == EPIPE ? "lines lost in" : "read");
		if (n == 0)
			return lines;
		auto line = parse_kmsg({buf, static_cast<size_t>(n)});
		if (!line)
			return Error{EPROTO, "/dev/kmsg", "unreadable record in"};
		lines.push_back(std::move(*line));
	}
}

} // namespace lio::test
