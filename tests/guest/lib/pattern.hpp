// SPDX-License-Identifier: GPL-2.0
// Data that tells where it belongs: every 8 bytes depend on (seed, generation, byte offset).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "result.hpp"

namespace lio::test {

/// A bijective mixer (the finalizer of splitmix64).
constexpr uint64_t mix64(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/// Fill @out with what belongs at byte @offset (a multiple of 8) in @generation.
void fill_pattern(std::span<uint8_t> out, uint64_t offset, uint64_t generation = 0);
std::vector<uint8_t> pattern(size_t len, uint64_t offset, uint64_t generation = 0);
/// The first byte of @data that is wrong, if any.
std::optional<size_t> find_mismatch(std::span<const uint8_t> data, uint64_t offset,
				    uint64_t generation = 0);

/// CRC-32C of data, continued from @crc.
uint32_t crc32c(std::span<const uint8_t> data, uint32_t crc = 0);
Result<uint32_t> file_crc32c(const std::string &path);
/// A file of @len pattern bytes; its checksum.
Result<uint32_t> write_pattern_file(const std::string &path, uint64_t len, uint64_t generation = 0);
/// Size a sparse file.
Result<std::string> make_sparse_file(const std::string &path, uint64_t len);

} // namespace lio::test
