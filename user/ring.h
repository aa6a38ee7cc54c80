/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the entries of a command ring lie. Pure logic: also compiled into the
 * host tests and the fuzzer.
 *
 * The ring's memory belongs to the handler; this is the kernel's own record of
 * what it put there: a queue of lengths and opcodes, one per entry that the
 * handler has not passed yet. Positions are byte offsets into the ring, always
 * multiples of TCMU_OP_ALIGN_SIZE. All functions need the caller's ring lock.
 *
 *	tail <= published <= head	(in the ring's circular order)
 *
 * Space is reserved at @head by several submitters at a time and filled without
 * the lock; @published follows in order of reservation over what is filled.
 */
#ifndef TCMU_RING_H
#define TCMU_RING_H

#include <linux/types.h>
#include <linux/target_core_user.h>

/**
 * struct tcmu_ring - the kernel's view of a command ring
 * @size:	bytes in the ring
 * @head:	where the next entry goes
 * @published:	what the handler may see of it (the mailbox's cmd_head)
 * @tail:	where the handler's next answer will be
 * @used:	bytes between @tail and @head
 * @mask:	length of @posted less one, a power of two less one
 * @posted:	length, opcode and state of entries, by sequence number
 * @seq_head:	sequence number of the entry at @head
 * @seq_published: sequence number of the entry at @published
 * @seq_tail:	sequence number of the entry at @tail
 */
struct tcmu_ring {
	u32 size;
	u32 head;
	u32 published;
	u32 tail;
	u32 used;
	u32 mask;
	u32 *posted;
	u32 seq_head;
	u32 seq_published;
	u32 seq_tail;
};

/**
 * struct tcmu_spot - a reserved place in the ring
 * @pos:	where the entry goes
 * @seq:	its sequence number, for tcmu_ring_publish()
 * @pad_pos:	where a PAD entry must be written before the lock is released
 * @pad_len:	its length, 0 if none is needed
 */
struct tcmu_spot {
	u32 pos;
	u32 seq;
	u32 pad_pos;
	u32 pad_len;
};

/**
 * typedef tcmu_ring_visit_t - what tcmu_ring_drain() does with an entry
 * @pos:	position of the entry
 * @len_op:	its length and opcode as they were posted
 * @ctx:	the caller's
 *
 * Return: 0, or a negative error that ends the walk.
 */
typedef int (*tcmu_ring_visit_t)(u32 pos, u32 len_op, void *ctx);

int tcmu_ring_init(struct tcmu_ring *ring, u32 size);
void tcmu_ring_destroy(struct tcmu_ring *ring);
void tcmu_ring_reset(struct tcmu_ring *ring);
int tcmu_ring_reserve(struct tcmu_ring *ring, u32 len, enum tcmu_opcode op,
		      struct tcmu_spot *spot);
bool tcmu_ring_publish(struct tcmu_ring *ring, u32 seq);
bool tcmu_ring_is_boundary(const struct tcmu_ring *ring, u32 tail);
int tcmu_ring_drain(struct tcmu_ring *ring, u32 tail, tcmu_ring_visit_t visit, void *ctx);

/* True if the handler has passed every entry. */
static inline bool tcmu_ring_empty(const struct tcmu_ring *ring)
{
	return ring->seq_head == ring->seq_tail;
}

#endif /* TCMU_RING_H */
