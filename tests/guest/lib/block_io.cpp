// SPDX-License-Identifier: GPL-2.0
#include "block_io.hpp"

#include <algorithm>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

#include "pattern.hpp"

namespace lio::test {

namespace {

constexpr uint64_t step = 1 << 20;

/// Call @io for every part of a range, at most @step bytes each.
template <class Io> Status for_parts(uint64_t offset, uint64_t len, Io io)
{
	AlignedBuffer buf(std::min(len, step));
	for (uint64_t end = offset + len; offset < end;) {
		auto part = buf.span().first(std::min(step, end - offset));
		LIO_CHECK(io(offset, part));
		offset += part.size();
	}
	return {};
}

} // namespace

Result<BlockFile> BlockFile::open(const std::string &path, bool direct)
{
	LIO_TRY(Fd fd, open_fd(path, O_RDWR | (direct ? O_DIRECT : 0)));
	return BlockFile(std::move(fd), path);
}

Status BlockFile::write_at(uint64_t offset, std::span<const uint8_t> data)
{
	ssize_t n = pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
	if (n != static_cast<ssize_t>(data.size()))
		return n < 0 ? sys_error(path_, "write at " + std::to_string(offset) + " of")
			     : Error{EIO, path_, "short write to"};
	return {};
}

Status BlockFile::read_at(uint64_t offset, std::span<uint8_t> data)
{
	ssize_t n = pread(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
	if (n != static_cast<ssize_t>(data.size()))
		return n < 0 ? sys_error(path_, "read at " + std::to_string(offset) + " of")
			     : Error{EIO, path_, "short read from"};
	return {};
}

Status BlockFile::sync()
{
	if (fsync(fd_.get()))
		return sys_error(path_, "fsync");
	return {};
}

Status BlockFile::write_pattern(uint64_t offset, uint64_t len, uint64_t generation)
{
	LIO_CHECK(for_parts(offset, len, [&](uint64_t at, std::span<uint8_t> part) {
		fill_pattern(part, at, generation);
		return write_at(at, part);
	}));
	return sync();
}

Status BlockFile::verify_pattern(uint64_t offset, uint64_t len, uint64_t generation)
{
	return for_parts(offset, len, [&](uint64_t at, std::span<uint8_t> part) -> Status {
		LIO_CHECK(read_at(at, part));
		if (auto bad = find_mismatch(part, at, generation))
			return Error{EILSEQ, path_, "wrong byte at " + std::to_string(at + *bad) + " of"};
		return {};
	});
}

Result<DiskStat> disk_stat(const std::string &node)
{
	LIO_TRY(std::string text, read_value("/sys/block/" + node.substr(node.rfind('/') + 1) + "/stat"));
	std::istringstream in(text);
	uint64_t field[9] = {}; // reads, merged, sectors, ticks; the same of writes; in flight
	for (uint64_t &f : field)
		in >> f;
	return DiskStat{.reads = field[0], .writes = field[4], .in_flight = field[8]};
}

} // namespace lio::test
