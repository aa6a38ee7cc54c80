// SPDX-License-Identifier: GPL-2.0
#include "differ_medium.hpp"

#include <algorithm>

#include "named_blocks.hpp"
#include "pattern.hpp"

namespace lio::test {

namespace {

constexpr uint64_t look_bytes = 1 << 20;
/// With more chunks to look at one by one all are looked at.
constexpr size_t most_strays = 256;

} // namespace

DifferMedium::DifferMedium(BlockFile file, const DifferGeometry &geometry)
	: file_(std::move(file)), geometry_(geometry), now_(look_bytes), want_(look_bytes)
{
}

Result<DifferMedium> DifferMedium::create(BlockFile file, const DifferGeometry &geometry)
{
	DifferMedium m(std::move(file), geometry);
	LIO_CHECK(m.file_.write_pattern(0, geometry.blocks * geometry.block_size));
	return m;
}

void DifferMedium::name(const DifferCommand &c)
{
	for (auto range : tcmu::test::named_blocks(c.bytes(), c.out, geometry_.blocks)) {
		if (range.count / differ_chunk > most_strays || strays_.size() > most_strays) {
			all_ = true;
			continue;
		}
		for (uint64_t lba = range.first; lba < range.first + range.count; lba++)
			if (!geometry_.in_window(lba))
				strays_.insert(lba / differ_chunk);
	}
}

Status DifferMedium::look(uint64_t first_chunk, uint64_t chunks, std::map<uint64_t, std::vector<uint8_t>> &changes)
{
	uint64_t bytes = chunk_bytes();
	auto now = now_.span().first(chunks * bytes), want = want_.span().first(chunks * bytes);
	LIO_CHECK(file_.read_at(first_chunk * bytes, now));
	fill_pattern(want, first_chunk * bytes);
	bool changed = false;
	for (uint64_t i = 0; i < chunks; i++) {
		auto at = now.subspan(i * bytes, bytes);
		if (std::ranges::equal(at, want.subspan(i * bytes, bytes)))
			continue;
		changes[first_chunk + i].assign(at.begin(), at.end());
		changed = true;
	}
	return changed ? file_.write_at(first_chunk * bytes, want) : Status();
}

Result<std::map<uint64_t, std::vector<uint8_t>>> DifferMedium::take_changes()
{
	std::map<uint64_t, std::vector<uint8_t>> changes;
	if (all_) {
		uint64_t each = look_bytes / chunk_bytes(), chunks = geometry_.blocks / differ_chunk;
		for (uint64_t at = 0; at < chunks; at += each)
			LIO_CHECK(look(at, std::min(each, chunks - at), changes));
	} else {
		for (uint64_t first : geometry_.windows())
			LIO_CHECK(look(first / differ_chunk, geometry_.window_blocks() / differ_chunk, changes));
		for (uint64_t chunk : strays_)
			LIO_CHECK(look(chunk, 1, changes));
	}
	all_ = false;
	strays_.clear();
	return changes;
}

Status DifferMedium::verify()
{
	return file_.verify_pattern(0, geometry_.blocks * geometry_.block_size);
}

} // namespace lio::test
