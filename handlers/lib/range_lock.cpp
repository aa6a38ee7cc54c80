// SPDX-License-Identifier: MIT
#include <tcmu/range_lock.hpp>

namespace tcmu {

void RangeLocks::append(List &list, Range &range)
{
	range.next = nullptr;
	range.previous = list.last;
	(list.last ? list.last->next : list.first) = &range;
	list.last = &range;
}

void RangeLocks::unlink(List &list, Range &range)
{
	(range.previous ? range.previous->next : list.first) = range.next;
	(range.next ? range.next->previous : list.last) = range.previous;
}

bool RangeLocks::conflict(const Range &a, const Range &b)
{
	return (a.exclusive || b.exclusive) && a.begin < b.end && b.begin < a.end;
}

/** No conflict with a holder, nor with one who asked before and still waits. */
bool RangeLocks::may_hold(const Range &range) const
{
	for (const Range *other = held_.first; other; other = other->next)
		if (conflict(range, *other))
			return false;
	for (const Range *other = waiting_.first; other && other != &range; other = other->next)
		if (conflict(range, *other))
			return false;
	return true;
}

void RangeLocks::hold(Range &range)
{
	range.held = true;
	exclusive_ += range.exclusive;
	append(held_, range);
}

bool RangeLocks::acquire(Range &range)
{
	bool common = !range.exclusive && exclusive_ == 0 && !waiting_.first;

	if (common || may_hold(range)) {
		hold(range);
		return true;
	}
	append(waiting_, range);
	return false;
}

} // namespace tcmu
