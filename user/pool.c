// SPDX-License-Identifier: GPL-2.0
/*
 * Index pool: see pool.h.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "pool.h"

static u32 tcmu_pool_nr_dirs(const struct tcmu_pool *pool)
{
	return DIV_ROUND_UP(pool->limit, TCMU_LINKS);
}

/**
 * tcmu_pool_init - make a pool whose indexes are all unbacked
 * @pool:	the pool, new or destroyed
 * @limit:	number of indexes, at most TCMU_NONE - TCMU_LINKS
 *
 * Return: 0 or -ENOMEM. Context: may sleep.
 */
int tcmu_pool_init(struct tcmu_pool *pool, u32 limit)
{
	*pool = (struct tcmu_pool){ .limit = limit, .ready = TCMU_NONE, .spare = TCMU_NONE };
	pool->links = kvcalloc(tcmu_pool_nr_dirs(pool), sizeof(*pool->links), TCMU_GFP_SETUP);
	return pool->links ? 0 : -ENOMEM;
}

/**
 * tcmu_pool_destroy - free what the pool itself holds
 * @pool:	the pool, or one that tcmu_pool_init() never saw but is zeroed
 *
 * Context: may sleep; nobody else uses the pool.
 */
void tcmu_pool_destroy(struct tcmu_pool *pool)
{
	u32 i;

	if (!pool->links)
		return;
	for (i = 0; i < tcmu_pool_nr_dirs(pool); i++)
		kfree(pool->links[i]);
	kvfree(pool->links);
	pool->links = NULL;
}

/**
 * tcmu_pool_take - take ready indexes
 * @pool:	the pool
 * @count:	how many, may be 0
 * @chain:	receives them
 *
 * The walk is as long as the chain taken, whatever the pool holds.
 *
 * Return: false, with nothing taken, if fewer than @count are ready.
 * Context: any, under the lock of the ready list.
 */
bool tcmu_pool_take(struct tcmu_pool *pool, u32 count, struct tcmu_chain *chain)
{
	u32 index = pool->ready, next, n;

	*chain = TCMU_EMPTY_CHAIN;
	if (!count)
		return true;
	if (pool->nr_ready < count)
		return false;

	*chain = (struct tcmu_chain){ .first = index, .count = count, .runs = 1 };
	for (n = 1; n < count; n++) {
		next = *tcmu_pool_link(pool, index);
		chain->runs += next != index + 1;
		index = next;
	}
	chain->last = index;
	pool->ready = *tcmu_pool_link(pool, index);
	WRITE_ONCE(pool->nr_ready, pool->nr_ready - count);
	return true;
}

/**
 * tcmu_pool_draw - get an unbacked index, for the caller to back it
 * @pool:	the pool
 *
 * It becomes ready with tcmu_pool_put(), or unbacked again with
 * tcmu_pool_retire().
 *
 * Return: the index, or TCMU_NONE if all are in use or memory is short.
 * Context: may sleep (TCMU_GFP_IO), under the lock for growth.
 */
u32 tcmu_pool_draw(struct tcmu_pool *pool)
{
	u32 index = pool->spare;

	if (index != TCMU_NONE) {
		pool->spare = *tcmu_pool_link(pool, index);
		return index;
	}
	if (tcmu_pool_is_drawn(pool))
		return TCMU_NONE;
	index = pool->fresh;
	if (!(index & (TCMU_LINKS - 1)) && !pool->links[index >> TCMU_LINKS_SHIFT]) {
		u32 *links = kcalloc(TCMU_LINKS, sizeof(*links), TCMU_GFP_IO);

		if (!links)
			return TCMU_NONE;
		pool->links[index >> TCMU_LINKS_SHIFT] = links;
	}
	pool->fresh++;
	return index;
}

/**
 * tcmu_pool_retire - make a chain unbacked
 * @pool:	the pool
 * @chain:	indexes that the caller took or drew, may be empty; drawn next, in the
 *		same order, so that what was one run is one again
 *
 * Context: any, under the lock for growth.
 */
void tcmu_pool_retire(struct tcmu_pool *pool, const struct tcmu_chain *chain)
{
	if (!chain->count)
		return;
	*tcmu_pool_link(pool, chain->last) = pool->spare;
	pool->spare = chain->first;
}
