// SPDX-License-Identifier: MIT
#include <tcmu/segments.hpp>

#include <algorithm>
#include <cstring>

namespace tcmu {

Segments::Segments(std::span<const iovec> list) : list_(list)
{
	for (const iovec &part : list)
		bytes_ += part.iov_len;
}

/**
 * Call @p each with every piece of [offset, offset + length) that lies inside
 * the list and its distance from @p offset, until one returns false. Returns
 * the bytes visited.
 */
template <class Visit>
size_t Segments::visit(size_t offset, size_t length, Visit &&each) const
{
	size_t visited = 0;

	for (const iovec &part : list_) {
		if (visited == length)
			break;
		if (offset >= part.iov_len) {
			offset -= part.iov_len;
			continue;
		}
		size_t piece = std::min(part.iov_len - offset, length - visited);
		if (!each(static_cast<uint8_t *>(part.iov_base) + offset, piece, visited))
			break;
		visited += piece;
		offset = 0;
	}
	return visited;
}

size_t Segments::gather(size_t offset, std::span<uint8_t> to) const
{
	return visit(offset, to.size(), [&](const uint8_t *at, size_t length, size_t done) {
		std::memcpy(to.data() + done, at, length);
		return true;
	});
}

size_t Segments::scatter(size_t offset, std::span<const uint8_t> from) const
{
	return visit(offset, from.size(), [&](uint8_t *at, size_t length, size_t done) {
		std::memcpy(at, from.data() + done, length);
		return true;
	});
}

size_t Segments::zero(size_t offset, size_t length) const
{
	return visit(offset, length, [](uint8_t *at, size_t piece, size_t) {
		std::memset(at, 0, piece);
		return true;
	});
}

std::optional<size_t> Segments::mismatch(size_t offset, std::span<const uint8_t> with) const
{
	std::optional<size_t> found;
	size_t seen = visit(offset, with.size(), [&](const uint8_t *at, size_t length, size_t done) {
		const uint8_t *other = with.data() + done;

		if (std::memcmp(at, other, length) == 0)
			return true;
		found = done + static_cast<size_t>(std::mismatch(at, at + length, other).first - at);
		return false;
	});

	if (!found && seen < with.size())
		found = seen;
	return found;
}

Segments::Window Segments::window(size_t offset, size_t length, std::span<iovec> out) const
{
	Window made{0, 0};

	visit(offset, length, [&](uint8_t *at, size_t piece, size_t) {
		if (made.count == out.size())
			return false;
		out[made.count++] = {at, piece};
		made.bytes += piece;
		return true;
	});
	return made;
}

} // namespace tcmu
