/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A pool of small indexes (tags, data area slots), each free one found in
 * constant time. Pure logic: also compiled into the host tests.
 *
 * An index is in one of three places:
 *  - unbacked: nothing stands behind it yet (or any more). Indexes never used
 *    lie above @fresh; those given back by tcmu_pool_retire() hang on @spare.
 *  - ready:    what it stands for (pages, a command) exists; hangs on @ready.
 *  - taken:    a chain of them belongs to whoever called tcmu_pool_take().
 *
 * Locking is the caller's, in two domains: @ready under its lock for I/O,
 * @spare, @fresh and the directory of links under its (sleeping) lock for
 * growth. The links of a taken chain belong to the taker.
 */
#ifndef TCMU_POOL_H
#define TCMU_POOL_H

#include <linux/kernel.h>
#include <linux/types.h>

/*
 * Allocations on the way of a command: it may be the one that would free memory.
 * They fail rather than wait for that or take the last reserves; the command
 * then waits, and goes on with what others give back.
 */
#define TCMU_GFP_IO	(GFP_NOIO | __GFP_NORETRY | __GFP_NOMEMALLOC | __GFP_NOWARN)

/* For what configuration asked for, and may be too much: the error number tells. */
#define TCMU_GFP_SETUP	(GFP_KERNEL | __GFP_NOWARN)

#define TCMU_NONE		U32_MAX
#define TCMU_LINKS_SHIFT	10
#define TCMU_LINKS		(1U << TCMU_LINKS_SHIFT)

/**
 * struct tcmu_chain - indexes linked to each other
 * @first:	first index, TCMU_NONE if there is none
 * @last:	last index, whose link means nothing
 * @count:	number of indexes
 * @runs:	number of runs of consecutive indexes, in the chain's order
 */
struct tcmu_chain {
	u32 first;
	u32 last;
	u32 count;
	u32 runs;
};

#define TCMU_EMPTY_CHAIN ((struct tcmu_chain){ .first = TCMU_NONE, .last = TCMU_NONE })

/**
 * struct tcmu_pool - indexes 0 … @limit - 1
 * @limit:	number of indexes
 * @fresh:	first index that was never drawn
 * @ready:	free indexes that are backed, last put first taken
 * @nr_ready:	length of @ready; READ_ONCE without its lock
 * @spare:	retired indexes
 * @links:	directory of link arrays, TCMU_LINKS indexes each
 */
struct tcmu_pool {
	u32 limit;
	u32 fresh;
	u32 ready;
	u32 nr_ready;
	u32 spare;
	u32 **links;
};

int tcmu_pool_init(struct tcmu_pool *pool, u32 limit);
void tcmu_pool_destroy(struct tcmu_pool *pool);
bool tcmu_pool_take(struct tcmu_pool *pool, u32 count, struct tcmu_chain *chain);
u32 tcmu_pool_draw(struct tcmu_pool *pool);
void tcmu_pool_retire(struct tcmu_pool *pool, const struct tcmu_chain *chain);

/* Was every index drawn at least once? Under the lock for growth. */
static inline bool tcmu_pool_is_drawn(const struct tcmu_pool *pool)
{
	return pool->fresh == pool->limit;
}

static inline u32 *tcmu_pool_link(const struct tcmu_pool *pool, u32 index)
{
	return &pool->links[index >> TCMU_LINKS_SHIFT][index & (TCMU_LINKS - 1)];
}

/**
 * tcmu_pool_next - the index after one in a chain
 * @pool:	the pool
 * @index:	an index of a chain that the caller owns, not its last
 *
 * Return: the next index. Context: any; the chain's owner needs no lock.
 */
static inline u32 tcmu_pool_next(const struct tcmu_pool *pool, u32 index)
{
	return *tcmu_pool_link(pool, index);
}

/**
 * tcmu_pool_put - make a chain ready (again)
 * @pool:	the pool
 * @chain:	the chain, may be empty; taken next, in the same order
 *
 * Context: any, under the lock of the ready list.
 */
static inline void tcmu_pool_put(struct tcmu_pool *pool, const struct tcmu_chain *chain)
{
	if (!chain->count)
		return;
	*tcmu_pool_link(pool, chain->last) = pool->ready;
	pool->ready = chain->first;
	WRITE_ONCE(pool->nr_ready, pool->nr_ready + chain->count);
}

/**
 * tcmu_pool_append - add an index to a chain
 * @pool:	the pool
 * @chain:	a chain of the caller's, may be empty
 * @index:	an index that the caller took or drew, and that is in no chain
 *
 * Context: any, without a lock.
 */
static inline void tcmu_pool_append(struct tcmu_pool *pool, struct tcmu_chain *chain, u32 index)
{
	if (chain->count)
		*tcmu_pool_link(pool, chain->last) = index;
	else
		chain->first = index;
	chain->runs += !chain->count || index != chain->last + 1;
	chain->last = index;
	chain->count++;
}

#endif /* TCMU_POOL_H */
