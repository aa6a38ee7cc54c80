// SPDX-License-Identifier: MIT
/** @file
 * A command's data buffer: a scatter list over the shared data area.
 */
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace tcmu {

/**
 * View of a scatter list. The iovecs are private copies with pointers that
 * were checked against the mapping; the bytes they point at are shared with
 * the kernel. Every access is bounded by size().
 */
class Segments {
public:
	Segments() = default;
	Segments(std::span<const iovec> list, size_t bytes) : list_(list), bytes_(bytes) {}
	explicit Segments(std::span<const iovec> list);

	/** Bytes in the whole list. */
	size_t size() const { return bytes_; }
	bool empty() const { return bytes_ == 0; }
	std::span<const iovec> list() const { return list_; }

	/** Copy out of the list, from @p offset; returns the bytes copied. */
	size_t gather(size_t offset, std::span<uint8_t> to) const;
	/** Copy into the list, at @p offset; returns the bytes copied. */
	size_t scatter(size_t offset, std::span<const uint8_t> from) const;
	/** Zero @p length bytes at @p offset; returns the bytes zeroed. */
	size_t zero(size_t offset, size_t length) const;
	/**
	 * Compare with @p with from @p offset on. The index of the first byte
	 * that differs or is beyond the list's end; nothing when all are equal.
	 */
	std::optional<size_t> mismatch(size_t offset, std::span<const uint8_t> with) const;

	/** What window() wrote. */
	struct Window {
		unsigned count;
		size_t bytes;
	};
	/**
	 * Write to @p out iovecs that cover the bytes from @p offset on, at most
	 * @p length of them and as many as @p out has room for.
	 */
	Window window(size_t offset, size_t length, std::span<iovec> out) const;

private:
	template <class Visit> size_t visit(size_t offset, size_t length, Visit &&each) const;

	std::span<const iovec> list_;
	size_t bytes_ = 0;
};

} // namespace tcmu
