// SPDX-License-Identifier: GPL-2.0
/*
 * Ring arithmetic: see ring.h.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "pool.h"
#include "ring.h"

/*
 * Set beside an entry's length and opcode once it is filled. Opcodes take two
 * of the three bits that the 8-byte alignment of lengths leaves them.
 */
#define TCMU_POSTED_FILLED	4U

/* A CMD entry is at least this long, since the response goes in its place. */
#define TCMU_MIN_ENTRY		((u32)sizeof(struct tcmu_cmd_entry))

static u32 *tcmu_ring_slot(const struct tcmu_ring *ring, u32 seq)
{
	return &ring->posted[seq & ring->mask];
}

static u32 tcmu_ring_advance(const struct tcmu_ring *ring, u32 pos, u32 posted)
{
	pos += tcmu_hdr_get_len(posted);
	return pos == ring->size ? 0 : pos;
}

/**
 * tcmu_ring_init - make an empty ring
 * @ring:	the ring
 * @size:	bytes, a multiple of TCMU_OP_ALIGN_SIZE, at most 1 GiB
 *
 * Return: 0, -EINVAL for such a size, -ENOMEM. Context: may sleep.
 */
int tcmu_ring_init(struct tcmu_ring *ring, u32 size)
{
	u32 entries;

	if (!size || size > 1U << 30 || size % TCMU_OP_ALIGN_SIZE)
		return -EINVAL;
	entries = roundup_pow_of_two(size / TCMU_MIN_ENTRY + 2);
	ring->posted = kvcalloc(entries, sizeof(*ring->posted), TCMU_GFP_SETUP);
	if (!ring->posted)
		return -ENOMEM;
	ring->size = size;
	ring->mask = entries - 1;
	tcmu_ring_reset(ring);
	return 0;
}

/**
 * tcmu_ring_destroy - free what the ring holds
 * @ring:	the ring; may be zeroed or destroyed already
 *
 * Context: may sleep.
 */
void tcmu_ring_destroy(struct tcmu_ring *ring)
{
	kvfree(ring->posted);
	ring->posted = NULL;
}

/**
 * tcmu_ring_reset - forget all entries; the next one goes to position 0
 * @ring:	the ring; nobody may be filling a reserved spot
 */
void tcmu_ring_reset(struct tcmu_ring *ring)
{
	ring->head = 0;
	ring->published = 0;
	ring->tail = 0;
	ring->used = 0;
	ring->seq_head = 0;
	ring->seq_published = 0;
	ring->seq_tail = 0;
}

static void tcmu_ring_append(struct tcmu_ring *ring, u32 posted)
{
	*tcmu_ring_slot(ring, ring->seq_head++) = posted;
	ring->head = tcmu_ring_advance(ring, ring->head, posted);
	ring->used += tcmu_hdr_get_len(posted);
}

/**
 * tcmu_ring_reserve - find room for an entry
 * @ring:	the ring
 * @len:	bytes, a multiple of TCMU_OP_ALIGN_SIZE, at least a header's
 * @op:		its opcode, not PAD
 * @spot:	receives the place
 *
 * An entry never wraps: if it does not fit before the end of the ring, a PAD
 * entry takes the rest; it counts as filled from now on. The ring is never
 * filled to the last byte, so that head == tail always means empty.
 *
 * Return: 0, -ENOSPC if there is no room now, -EMSGSIZE if there never will be.
 */
int tcmu_ring_reserve(struct tcmu_ring *ring, u32 len, enum tcmu_opcode op,
		      struct tcmu_spot *spot)
{
	u32 to_end = ring->size - ring->head;
	u32 pad = len > to_end ? to_end : 0;
	u32 used_seqs = ring->seq_head - ring->seq_tail;

	if (len >= ring->size / 2)
		return -EMSGSIZE;
	if ((u64)ring->used + pad + len >= ring->size || used_seqs + 2 > ring->mask + 1)
		return -ENOSPC;

	spot->pad_pos = ring->head;
	spot->pad_len = pad;
	if (pad)
		tcmu_ring_append(ring, pad | TCMU_OP_PAD | TCMU_POSTED_FILLED);
	spot->pos = ring->head;
	spot->seq = ring->seq_head;
	tcmu_ring_append(ring, len | op);
	return 0;
}

/**
 * tcmu_ring_publish - say that an entry is filled
 * @ring:	the ring
 * @seq:	the entry's sequence number
 *
 * Return: true if @published moved: the mailbox's cmd_head must follow.
 */
bool tcmu_ring_publish(struct tcmu_ring *ring, u32 seq)
{
	u32 first = ring->seq_published;

	*tcmu_ring_slot(ring, seq) |= TCMU_POSTED_FILLED;
	while (ring->seq_published != ring->seq_head) {
		u32 posted = *tcmu_ring_slot(ring, ring->seq_published);

		if (!(posted & TCMU_POSTED_FILLED))
			break;
		ring->published = tcmu_ring_advance(ring, ring->published, posted);
		ring->seq_published++;
	}
	return ring->seq_published != first;
}

/**
 * tcmu_ring_is_boundary - may the handler have set its tail there?
 * @ring:	the ring
 * @tail:	any value
 *
 * Return: true if @tail is where the tail was, where @published is, or between
 * two entries that lie between those.
 */
bool tcmu_ring_is_boundary(const struct tcmu_ring *ring, u32 tail)
{
	u32 pos = ring->tail;
	u32 seq;

	if (tail == ring->published)
		return true;
	for (seq = ring->seq_tail; seq != ring->seq_published; seq++) {
		if (pos == tail)
			return true;
		pos = tcmu_ring_advance(ring, pos, *tcmu_ring_slot(ring, seq));
	}
	return false;
}

/**
 * tcmu_ring_drain - give back the entries that the handler has passed
 * @ring:	the ring
 * @tail:	the handler's tail, any value, read once
 * @visit:	called for each entry but PADs, oldest first
 * @ctx:	for @visit
 *
 * Return: 0; -EBADMSG, with nothing visited, if no entry ends at @tail; or what
 * @visit returned, with the walk ended before that entry.
 */
int tcmu_ring_drain(struct tcmu_ring *ring, u32 tail, tcmu_ring_visit_t visit, void *ctx)
{
	if (!tcmu_ring_is_boundary(ring, tail))
		return -EBADMSG;
	while (ring->tail != tail) {
		u32 len_op = *tcmu_ring_slot(ring, ring->seq_tail) & ~TCMU_POSTED_FILLED;
		int err;

		if (tcmu_hdr_get_op(len_op) != TCMU_OP_PAD) {
			err = visit(ring->tail, len_op, ctx);
			if (err)
				return err;
		}
		ring->tail = tcmu_ring_advance(ring, ring->tail, len_op);
		ring->used -= tcmu_hdr_get_len(len_op);
		ring->seq_tail++;
	}
	return 0;
}
