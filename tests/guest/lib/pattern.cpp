// SPDX-License-Identifier: GPL-2.0
#include "pattern.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "file.hpp"
#include "seed.hpp"

namespace lio::test {

namespace {

constexpr size_t chunk = 1 << 20;

/// The word at an offset is mix64(this ^ offset).
uint64_t base_of(uint64_t generation)
{
	return mix64(seed() ^ generation);
}

constexpr std::array<uint32_t, 256> make_crc_table()
{
	std::array<uint32_t, 256> t{};
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78 : c >> 1;
		t[i] = c;
	}
	return t;
}

} // namespace

void fill_pattern(std::span<uint8_t> out, uint64_t offset, uint64_t generation)
{
	uint64_t base = base_of(generation);
	for (size_t at = 0; at < out.size(); at += 8) {
		uint64_t w = mix64(base ^ (offset + at));
		memcpy(&out[at], &w, std::min<size_t>(8, out.size() - at));
	}
}

std::vector<uint8_t> pattern(size_t len, uint64_t offset, uint64_t generation)
{
	std::vector<uint8_t> v(len);
	fill_pattern(v, offset, generation);
	return v;
}

std::optional<size_t> find_mismatch(std::span<const uint8_t> data, uint64_t offset, uint64_t generation)
{
	uint64_t base = base_of(generation);
	for (size_t at = 0; at < data.size(); at += 8) {
		uint64_t w = mix64(base ^ (offset + at));
		uint8_t want[8];
		memcpy(want, &w, 8);
		for (size_t i = at; i < std::min(at + 8, data.size()); i++)
			if (data[i] != want[i - at])
				return i;
	}
	return {};
}

uint32_t crc32c(std::span<const uint8_t> data, uint32_t crc)
{
	static constexpr auto table = make_crc_table();
	crc = ~crc;
	for (uint8_t b : data)
		crc = crc >> 8 ^ table[(crc ^ b) & 0xff];
	return ~crc;
}

Result<uint32_t> file_crc32c(const std::string &path)
{
	LIO_TRY(Fd fd, open_fd(path, O_RDONLY));
	std::vector<uint8_t> buf(chunk);
	for (uint32_t crc = 0;;) {
		ssize_t n = read(fd.get(), buf.data(), buf.size());
		if (n < 0)
			return sys_error(path, "read");
		if (n == 0)
			return crc;
		crc = crc32c(std::span(buf).first(static_cast<size_t>(n)), crc);
	}
}

Result<uint32_t> write_pattern_file(const std::string &path, uint64_t len, uint64_t generation)
{
	LIO_TRY(Fd fd, open_fd(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
	std::vector<uint8_t> buf(chunk);
	uint32_t crc = 0;
	for (uint64_t at = 0; at < len;) {
		auto part = std::span(buf).first(std::min<uint64_t>(chunk, len - at));
		fill_pattern(part, at, generation);
		crc = crc32c(part, crc);
		if (write(fd.get(), part.data(), part.size()) != static_cast<ssize_t>(part.size()))
			return sys_error(path, "write");
		at += part.size();
	}
	return crc;
}

Result<std::string> make_sparse_file(const std::string &path, uint64_t len)
{
	LIO_TRY(Fd fd, open_fd(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
	if (ftruncate(fd.get(), static_cast<off_t>(len)))
		return sys_error(path, "ftruncate");
	return path;
}

} // namespace lio::test
