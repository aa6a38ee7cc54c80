// SPDX-License-Identifier: GPL-2.0
/*
 * The data area: slots of data_pages_per_blk pages each, backed by pages when
 * they are first needed and given back when memory is short.
 */
#include <linux/highmem.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "tcmu.h"

#define TCMU_PAGE_DIR	(PAGE_SIZE / sizeof(struct page *))

/* How many slots are taken off the ready list at once to be given back. */
#define TCMU_SHRINK_BATCH	64U

static u32 tcmu_nr_page_dirs(const struct tcmu_data *data)
{
	return DIV_ROUND_UP(data->nr_pages, TCMU_PAGE_DIR);
}

static struct page **tcmu_page_entry(const struct tcmu_data *data, unsigned long index)
{
	return &data->pages[index / TCMU_PAGE_DIR][index % TCMU_PAGE_DIR];
}

/**
 * tcmu_data_init - make a data area with no page in it
 * @dev:	a device whose limits are set
 * @offset:	where the area starts in the shared memory, in bytes
 *
 * Return: 0 or -ENOMEM. Context: may sleep.
 */
int tcmu_data_init(struct tcmu_dev *dev, u64 offset)
{
	struct tcmu_data *data = &dev->data;
	u32 slots = div_u64((u64)dev->max_data_area_mb << (20 - PAGE_SHIFT),
			    dev->data_pages_per_blk);

	data->slot_pages = dev->data_pages_per_blk;
	data->slot_size = data->slot_pages << PAGE_SHIFT;
	data->nr_pages = slots * data->slot_pages;
	data->offset = offset;
	data->pages = kvcalloc(tcmu_nr_page_dirs(data), sizeof(*data->pages), TCMU_GFP_SETUP);
	if (!data->pages)
		return -ENOMEM;
	return tcmu_pool_init(&data->slots, slots);
}

/**
 * tcmu_data_destroy - free all pages
 * @dev:	a device that nobody uses or maps; tcmu_data_init() may not have run
 *
 * Context: may sleep.
 */
void tcmu_data_destroy(struct tcmu_dev *dev)
{
	struct tcmu_data *data = &dev->data;
	u32 i, j, freed = 0;

	for (i = 0; data->pages && i < tcmu_nr_page_dirs(data); i++) {
		if (!data->pages[i])
			continue;
		for (j = 0; j < TCMU_PAGE_DIR; j++) {
			if (!data->pages[i][j])
				continue;
			__free_page(data->pages[i][j]);
			freed++;
		}
		kfree(data->pages[i]);
		cond_resched();
	}
	tcmu_memory_uncharge(freed);
	kvfree(data->pages);
	data->pages = NULL;
	tcmu_pool_destroy(&data->slots);
}

/* Makes sure that the directory has arrays for the pages of a slot. */
static int tcmu_data_prepare(struct tcmu_data *data, u32 slot)
{
	unsigned long first = (unsigned long)slot * data->slot_pages;
	unsigned long i;

	for (i = first / TCMU_PAGE_DIR; i <= (first + data->slot_pages - 1) / TCMU_PAGE_DIR; i++) {
		struct page **dir;

		if (data->pages[i])
			continue;
		dir = kcalloc(TCMU_PAGE_DIR, sizeof(*dir), TCMU_GFP_IO);
		if (!dir)
			return -ENOMEM;
		/* Pairs with tcmu_data_get_page(). */
		smp_store_release(&data->pages[i], dir);
	}
	return 0;
}

/*
 * Gives a slot its pages. They become visible to the fault handler all at once:
 * a page that was mapped must not be taken back because the next one failed.
 */
static int tcmu_data_back(struct tcmu_dev *dev, u32 slot)
{
	struct tcmu_data *data = &dev->data;
	unsigned long first = (unsigned long)slot * data->slot_pages;
	struct page *page, *next;
	LIST_HEAD(pages);
	u32 i;

	if (tcmu_data_prepare(data, slot))
		return -ENOMEM;
	for (i = 0; i < data->slot_pages; i++) {
		page = alloc_page(TCMU_GFP_IO | __GFP_ZERO);
		if (!page)
			goto free;
		list_add_tail(&page->lru, &pages);
	}
	spin_lock(&dev->lock);
	list_for_each_entry_safe(page, next, &pages, lru) {
		list_del(&page->lru);
		*tcmu_page_entry(data, first++) = page;
	}
	spin_unlock(&dev->lock);
	return 0;

free:
	list_for_each_entry_safe(page, next, &pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
	return -ENOMEM;
}

/* Backs one more slot and appends it to @chain. */
static int tcmu_data_grow_one(struct tcmu_dev *dev, struct tcmu_chain *chain)
{
	struct tcmu_chain unbacked = TCMU_EMPTY_CHAIN;
	struct tcmu_data *data = &dev->data;
	u32 slot;
	int err;

	if (!tcmu_memory_charge(data->slot_pages))
		return -ENOSPC;
	slot = tcmu_pool_draw(&data->slots);
	if (slot == TCMU_NONE) {
		err = tcmu_pool_is_drawn(&data->slots) ? -ENOBUFS : -ENOMEM;
		goto uncharge;
	}
	err = tcmu_data_back(dev, slot);
	if (err)
		goto retire;
	tcmu_pool_append(&data->slots, chain, slot);
	return 0;

retire:
	tcmu_pool_append(&data->slots, &unbacked, slot);
	tcmu_pool_retire(&data->slots, &unbacked);
uncharge:
	tcmu_memory_uncharge(data->slot_pages);
	return err;
}

/**
 * tcmu_data_grow - back more slots and make them ready
 * @dev:	the device
 * @slots:	how many must be ready afterwards
 *
 * New slots become ready together, in rising order, so that a large command's
 * buffer is one run.
 *
 * Return: 0 if so many were ready for a moment, -ENOSPC if the limit of all
 * devices is reached (others have been asked to give back), -ENOBUFS if this
 * device's is, -ENOMEM. What could be backed is ready in any case.
 * Context: may sleep (TCMU_GFP_IO), takes grow_lock and lock.
 */
int tcmu_data_grow(struct tcmu_dev *dev, u32 slots)
{
	struct tcmu_chain chain = TCMU_EMPTY_CHAIN;
	int err = 0;

	guard(mutex)(&dev->grow_lock);
	while (!err && READ_ONCE(dev->data.slots.nr_ready) + chain.count < slots)
		err = tcmu_data_grow_one(dev, &chain);
	if (err == -ENOSPC)
		tcmu_memory_reclaim();

	spin_lock(&dev->lock);
	tcmu_pool_put(&dev->data.slots, &chain);
	spin_unlock(&dev->lock);
	return err;
}

/*
 * Takes the page behind an index of a slot that is in no list any more. The
 * page lock keeps out a fault that has looked the page up but not mapped it
 * yet; one that comes later does not find it.
 */
static void tcmu_data_unback_page(struct tcmu_dev *dev, unsigned long index)
{
	struct tcmu_data *data = &dev->data;
	struct page *page;

	spin_lock(&dev->lock);
	page = *tcmu_page_entry(data, index);
	*tcmu_page_entry(data, index) = NULL;
	spin_unlock(&dev->lock);

	lockdep_assert_held(&dev->open_lock);
	lock_page(page);
	if (dev->inode)
		unmap_mapping_range(dev->inode->i_mapping,
				    data->offset + ((loff_t)index << PAGE_SHIFT), PAGE_SIZE, 1);
	unlock_page(page);
	put_page(page);
}

/* Takes up to @max of the ready slots that are more than @keep. */
static void tcmu_data_take_excess(struct tcmu_dev *dev, u32 keep, u32 max,
				  struct tcmu_chain *chain)
{
	struct tcmu_pool *slots = &dev->data.slots;
	u32 excess;

	spin_lock(&dev->lock);
	excess = slots->nr_ready > keep ? slots->nr_ready - keep : 0;
	tcmu_pool_take(slots, min(excess, max), chain);
	spin_unlock(&dev->lock);
}

/* Gives back up to @max slots; returns how many. Others get the locks between batches. */
static u32 tcmu_data_shrink_batch(struct tcmu_dev *dev, u32 keep, u32 max)
{
	struct tcmu_data *data = &dev->data;
	struct tcmu_chain chain;
	u32 i, j, slot = TCMU_NONE;

	guard(mutex)(&dev->open_lock);
	guard(mutex)(&dev->grow_lock);
	tcmu_data_take_excess(dev, keep, max, &chain);
	for (i = 0; i < chain.count; i++) {
		slot = i ? tcmu_pool_next(&data->slots, slot) : chain.first;
		for (j = 0; j < data->slot_pages; j++)
			tcmu_data_unback_page(dev, (unsigned long)slot * data->slot_pages + j);
	}
	tcmu_pool_retire(&data->slots, &chain);
	tcmu_memory_uncharge(chain.count * data->slot_pages);
	return chain.count;
}

/**
 * tcmu_data_shrink - give back the pages of ready slots
 * @dev:	a configured device
 * @keep_pages:	how many ready pages may stay
 *
 * Ends after as many slots as were ready at the start, even if commands make
 * others ready all the time.
 *
 * Return: number of pages given back.
 * Context: may sleep, not from reclaim; takes open_lock, grow_lock and lock.
 */
u32 tcmu_data_shrink(struct tcmu_dev *dev, u32 keep_pages)
{
	u32 keep = DIV_ROUND_UP(keep_pages, dev->data.slot_pages);
	u32 left = READ_ONCE(dev->data.slots.nr_ready);
	u32 slots, freed = 0;

	do {
		slots = tcmu_data_shrink_batch(dev, keep, min(left, TCMU_SHRINK_BATCH));
		left -= slots;
		freed += slots * dev->data.slot_pages;
		cond_resched();
	} while (slots);
	return freed;
}

/**
 * tcmu_data_get_page - the page of the data area that a fault is about
 * @dev:	the device
 * @index:	page index in the data area, any value
 *
 * Return: the page with a reference, or NULL if there is none (now).
 * Context: takes dev->lock.
 */
struct page *tcmu_data_get_page(struct tcmu_dev *dev, unsigned long index)
{
	struct tcmu_data *data = &dev->data;
	struct page *page = NULL;

	if (index >= data->nr_pages)
		return NULL;
	/* Pairs with tcmu_data_prepare(). */
	if (!smp_load_acquire(&data->pages[index / TCMU_PAGE_DIR]))
		return NULL;
	spin_lock(&dev->lock);
	page = *tcmu_page_entry(data, index);
	if (page)
		get_page(page);
	spin_unlock(&dev->lock);
	return page;
}

/**
 * tcmu_data_has_page - is it still this page?
 * @dev:	the device
 * @index:	a page index for which tcmu_data_get_page() found one
 * @page:	the page, locked
 *
 * Return: true if it is, and then until the page is unlocked it stays so.
 * Context: takes dev->lock.
 */
bool tcmu_data_has_page(struct tcmu_dev *dev, unsigned long index, struct page *page)
{
	bool has;

	spin_lock(&dev->lock);
	has = *tcmu_page_entry(&dev->data, index) == page;
	spin_unlock(&dev->lock);
	return has;
}

/**
 * tcmu_data_map - describe a buffer in the data area to the handler
 * @dev:	the device
 * @iov:	where to write iovecs, with the first slot; both move on behind the
 *		buffer, @cnt is set to the number of iovecs written
 * @len:	bytes in the buffer
 *
 * Neighbouring slots make one iovec. What was written is not read back: the
 * handler can change it.
 */
void tcmu_data_map(const struct tcmu_dev *dev, struct tcmu_iov *iov, u32 len)
{
	const struct tcmu_data *data = &dev->data;

	for (iov->cnt = 0; len; iov->cnt++, iov->iov++) {
		u64 base = data->offset + (u64)iov->slot * data->slot_size;
		u32 run = 0, slot;

		do {
			u32 chunk = min(len, data->slot_size);

			run += chunk;
			len -= chunk;
			slot = iov->slot;
			iov->slot = tcmu_pool_next(&data->slots, slot);
		} while (len && iov->slot == slot + 1);

		iov->iov->iov_base = (void __user *)(uintptr_t)base;
		iov->iov->iov_len = run;
	}
}

/**
 * struct tcmu_place - a byte of the data area
 * @slot:	its slot
 * @off:	its offset there, or slot_size: then it is the next slot's first
 */
struct tcmu_place {
	u32 slot;
	u32 off;
};

/*
 * Copies between an entry of a scatterlist and the place, which moves on. Both
 * sides are taken page by page: what they have in common at a time is @chunk.
 */
static void tcmu_copy_entry(const struct tcmu_data *data, struct tcmu_place *place,
			    struct scatterlist *sg, u32 len, bool to_area)
{
	u32 pos, end = sg->offset + len, chunk;

	for (pos = sg->offset; pos < end; pos += chunk, place->off += chunk) {
		struct page *page = nth_page(sg_page(sg), pos >> PAGE_SHIFT);
		struct page *ours;
		u32 off;

		if (place->off == data->slot_size) {
			place->slot = tcmu_pool_next(&data->slots, place->slot);
			place->off = 0;
		}
		ours = *tcmu_page_entry(data, (unsigned long)place->slot * data->slot_pages +
					(place->off >> PAGE_SHIFT));
		off = offset_in_page(place->off);
		chunk = min_t(u32, end - pos, PAGE_SIZE - max_t(u32, off, offset_in_page(pos)));
		if (to_area) {
			memcpy_page(ours, off, page, offset_in_page(pos), chunk);
			flush_dcache_page(ours);
		} else {
			memcpy_page(page, offset_in_page(pos), ours, off, chunk);
			flush_dcache_page(page);
		}
	}
}

/**
 * tcmu_data_copy - copy between a command's pages and its slots
 * @dev:	the device
 * @slot:	first slot, of a chain that the caller owns
 * @sgl:	the command's pages
 * @nents:	entries of @sgl
 * @len:	bytes to copy at most; less if @sgl is shorter
 * @to_area:	true: from @sgl to the slots, false: back
 *
 * Context: any, but not under a lock: it takes as long as the data is.
 */
void tcmu_data_copy(struct tcmu_dev *dev, u32 slot, struct scatterlist *sgl,
		    u32 nents, u32 len, bool to_area)
{
	struct tcmu_place place = { .slot = slot };
	struct scatterlist *sg;
	u32 i;

	for_each_sg(sgl, sg, nents, i) {
		u32 here = min(sg->length, len);

		tcmu_copy_entry(&dev->data, &place, sg, here, to_area);
		len -= here;
		if (!len)
			break;
	}
}
