// SPDX-License-Identifier: MIT
/** @file
 * Ordering of operations on overlapping byte ranges.
 */
#pragma once

#include <cstdint>

namespace tcmu {

/**
 * Held by writes (shared) and by read-modify-write commands (exclusive):
 * COMPARE AND WRITE is atomic with respect to every other write of its blocks.
 * Writes among each other are not ordered (SAM-5 leaves that to initiators).
 * Granted in the order of asking where ranges overlap, so nobody starves. One
 * thread uses it; nothing is allocated.
 */
class RangeLocks {
public:
	/** Embedded in the operation. */
	struct Range {
		uint64_t begin = 0;
		uint64_t end = 0;
		bool exclusive = false;
		bool held = false;

	private:
		friend class RangeLocks;
		Range *next = nullptr;
		Range *previous = nullptr;
	};

	/** True: @p range is held now. False: release() will hand it out. */
	bool acquire(Range &range);
	/**
	 * Give @p range up and grant what waited for it: @p granted is called
	 * with each.
	 */
	template <class Granted> void release(Range &range, Granted &&granted)
	{
		unlink(held_, range);
		range.held = false;
		exclusive_ -= range.exclusive;
		Range *next;
		for (Range *waiter = waiting_.first; waiter; waiter = next) {
			next = waiter->next;
			if (!may_hold(*waiter))
				continue;
			unlink(waiting_, *waiter);
			hold(*waiter);
			granted(*waiter);
		}
	}

private:
	struct List {
		Range *first = nullptr;
		Range *last = nullptr;
	};

	static void append(List &list, Range &range);
	static void unlink(List &list, Range &range);
	static bool conflict(const Range &a, const Range &b);
	bool may_hold(const Range &range) const;
	void hold(Range &range);

	List held_;
	List waiting_;
	unsigned exclusive_ = 0;
};

} // namespace tcmu
