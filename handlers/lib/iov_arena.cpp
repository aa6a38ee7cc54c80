// SPDX-License-Identifier: MIT
#include <tcmu/iov_arena.hpp>

#include <algorithm>
#include <bit>

namespace tcmu {

unsigned IovArena::order_for(size_t count)
{
	size_t units = (std::max<size_t>(count, 1) + unit - 1) / unit;

	return static_cast<unsigned>(std::bit_width(units - 1));
}

IovArena::IovArena(size_t capacity)
{
	unsigned top = order_for(capacity);

	storage_.resize(unit << top);
	units_.resize(size_t{1} << top);
	free_.resize(top + 1, none);
	push(0, top);
}

void IovArena::push(uint32_t at, unsigned order)
{
	units_[at] = {free_[order], none, static_cast<uint8_t>(order)};
	if (free_[order] != none)
		units_[free_[order]].previous = at;
	free_[order] = at;
}

void IovArena::unlink(uint32_t at)
{
	Unit &block = units_[at];

	if (block.previous != none)
		units_[block.previous].next = block.next;
	else
		free_[block.free_order] = block.next;
	if (block.next != none)
		units_[block.next].previous = block.previous;
	block.free_order = in_use;
}

iovec *IovArena::allocate(size_t count)
{
	unsigned wanted = order_for(count);
	unsigned order = wanted;

	while (order < free_.size() && free_[order] == none)
		order++;
	if (order >= free_.size())
		return nullptr;
	uint32_t at = free_[order];
	unlink(at);
	/* Split: the upper half of each larger block stays free. */
	while (order > wanted) {
		order--;
		push(at + (1u << order), order);
	}
	return &storage_[at * unit];
}

void IovArena::release(iovec *list, size_t count)
{
	uint32_t at = static_cast<uint32_t>((list - storage_.data()) / static_cast<ptrdiff_t>(unit));
	unsigned order = order_for(count);

	/* Merge with the buddy for as long as that one is free and whole. */
	while (order + 1 < free_.size() && units_[at ^ (1u << order)].free_order == order) {
		unlink(at ^ (1u << order));
		at &= ~(1u << order);
		order++;
	}
	push(at, order);
}

} // namespace tcmu
