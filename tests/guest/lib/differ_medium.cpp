// SPDX-License-Identifier: GPL-2.0
#include "differ_medium.hpp"

#include <algorithm>
#include <cstring>

#include "named_blocks.hpp"
#include "pattern.hpp"

namespace lio::test {

namespace {

constexpr uint64_t look_bytes = 1 << 20;
/// Reading what lies between two places costs less than another command.
constexpr uint64_t near_bytes = 16 << 10;
/// A refused command that names more blocks is not looked at but with all of the medium: most of them were refused
/// because they name so many.
constexpr uint64_t most_refused = 1024;

} // namespace

DifferMedium::DifferMedium(BlockFile file, const DifferGeometry &geometry)
	: file_(std::move(file)), geometry_(geometry), now_(look_bytes), want_(geometry.blocks * geometry.block_size)
{
}

Result<DifferMedium> DifferMedium::create(BlockFile file, const DifferGeometry &geometry)
{
	DifferMedium m(std::move(file), geometry);
	auto want = m.want_.span();
	fill_pattern(want, 0);
	for (uint64_t at = 0; at < want.size(); at += look_bytes)
		LIO_CHECK(m.file_.write_at(at, want.subspan(at, std::min<uint64_t>(look_bytes, want.size() - at))));
	LIO_CHECK(m.file_.sync());
	return m;
}

void DifferMedium::name(const DifferCommand &c, bool good)
{
	for (auto range : tcmu::test::named_blocks(c.bytes(), c.out, geometry_.blocks))
		if (range.count && (good || range.count <= most_refused))
			named_.push_back({range.first / differ_chunk, (range.first + range.count - 1) / differ_chunk + 1});
}

/// In order, none twice.
std::vector<DifferMedium::Chunks> DifferMedium::to_look_at(Extent extent)
{
	std::vector<Chunks> parts = std::exchange(named_, {}), merged;
	uint64_t near = near_bytes / chunk_bytes();
	if (extent == Extent::windows)
		for (uint64_t first : geometry_.windows())
			parts.push_back({first / differ_chunk, (first + geometry_.window_blocks()) / differ_chunk});
	if (extent == Extent::all)
		parts = {{0, geometry_.blocks / differ_chunk}};
	std::ranges::sort(parts, {}, &Chunks::first);
	for (const Chunks &p : parts) {
		if (merged.empty() || p.first > merged.back().end + near)
			merged.push_back(p);
		else
			merged.back().end = std::max(merged.back().end, p.end);
	}
	return merged;
}

Status DifferMedium::look(Chunks part, std::map<uint64_t, std::vector<uint8_t>> &changes)
{
	uint64_t bytes = chunk_bytes(), at = part.first * bytes;
	auto now = now_.span().first((part.end - part.first) * bytes);
	auto want = want_.span().subspan(at, now.size());
	LIO_CHECK(file_.read_at(at, now));
	if (!memcmp(now.data(), want.data(), now.size()))
		return {};
	for (size_t i = 0; i < now.size(); i += bytes)
		if (memcmp(&now[i], &want[i], bytes))
			changes[part.first + i / bytes].assign(&now[i], &now[i] + bytes);
	return file_.write_at(at, want);
}

Result<std::map<uint64_t, std::vector<uint8_t>>> DifferMedium::take_changes(Extent extent)
{
	std::map<uint64_t, std::vector<uint8_t>> changes;
	uint64_t each = look_bytes / chunk_bytes();
	for (const Chunks &part : to_look_at(extent))
		for (uint64_t at = part.first; at < part.end; at += each)
			LIO_CHECK(look({at, std::min(at + each, part.end)}, changes));
	return changes;
}

} // namespace lio::test
