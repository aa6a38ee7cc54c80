// SPDX-License-Identifier: GPL-2.0
/*
 * The ramdisk backstore (rd_mcp): pages that come with the first write and go
 * with UNMAP.
 *
 * A space's pages are found by index in an xarray. Who copies from or to a page
 * does so under rcu_read_lock(); who takes one out frees it a grace period
 * later. A page that is there stays the same until UNMAP of all its blocks, so
 * a write that finds its page gone afterwards has overlapped with that UNMAP.
 */
#include "core.h"

#include <linux/module.h>
#include <linux/parser.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "backstore_ops.h"
#include "sg_pos.h"

#define RD_BLOCK_SIZE		512
#define RD_QUEUE_DEPTH		128
/* What is copied at once in the submitter's context; more of it is the workqueue's. */
#define RD_INLINE_BYTES		(1024 * 1024)
/* Pages looked at for one answer of GET LBA STATUS */
#define RD_STATUS_PAGES		65536
/* "info" shows the pages' scatterlists in tables of 64 KiB, as it always did. */
#define RD_TABLE_PAGES		2048

#define RD_GFP_ATOMIC	(GFP_NOWAIT | __GFP_NOWARN)
#define RD_GFP_WAIT	(GFP_NOIO | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

struct rd_host {
	atomic_t		devices;
	u32			id;
};

/* Bytes by page; where there is no page they all are @fill. Commands may come in softirqs. */
struct rd_space {
	struct xarray		pages;
	atomic_long_t		count;		/* of pages */
	u8			fill;
};

struct rd_dev {
	struct se_device	dev;
	struct rd_space		data;
	/* protection information, 8 bytes a block; all ones: not checked */
	struct rd_space		prot;
	u32			id;
	u32			page_count;
	bool			has_pages;
	bool			nullio;
	bool			dummy;
};

static struct rd_dev *to_rd(struct se_device *dev)
{
	return container_of(dev, struct rd_dev, dev);
}

static void space_init(struct rd_space *space, u8 fill)
{
	xa_init_flags(&space->pages, XA_FLAGS_LOCK_BH);
	space->fill = fill;
}

static void free_page_rcu(struct rcu_head *head)
{
	__free_page(container_of(head, struct page, rcu_head));
}

/* Takes out the pages @first … @last. Context: process. */
static void space_drop(struct rd_space *space, unsigned long first, unsigned long last)
{
	unsigned long index;
	struct page *page;

	xa_for_each_range(&space->pages, index, page, first, last) {
		page = xa_erase_bh(&space->pages, index);
		if (page) {
			atomic_long_dec(&space->count);
			call_rcu(&page->rcu_head, free_page_rcu);
		}
		cond_resched();
	}
}

/* Nobody uses it any more. */
static void space_destroy(struct rd_space *space)
{
	space_drop(space, 0, ULONG_MAX);
	xa_destroy(&space->pages);
}

/* A page for @index, there already or new; NULL: no memory. Under rcu_read_lock() only the old one is safe. */
static int space_add(struct rd_space *space, unsigned long index, gfp_t gfp)
{
	struct page *page = alloc_page(gfp);
	void *old;

	if (!page)
		return -ENOMEM;
	memset(page_address(page), space->fill, PAGE_SIZE);
	old = xa_cmpxchg_bh(&space->pages, index, NULL, page, gfp);
	if (old)
		__free_page(page);	/* another was quicker, or no memory for the node */
	else
		atomic_long_inc(&space->count);
	return xa_is_err(old) ? xa_err(old) : 0;
}

static void sg_fill(struct sg_pos *pos, u8 fill, unsigned int len)
{
	while (len && pos->sg) {
		unsigned int got;
		void *mapped = sg_pos_map(pos, len, &got);

		memset(mapped, fill, got);
		kunmap_local(mapped);
		sg_pos_advance(pos, got);
		len -= got;
	}
}

/* Reads within one page. */
static void page_read(struct rd_space *space, unsigned long index, unsigned int offset,
		      struct sg_pos *pos, unsigned int len)
{
	struct page *page;

	rcu_read_lock();
	page = xa_load(&space->pages, index);
	if (page)
		sg_pos_copy(pos, page_address(page) + offset, len, true);
	else
		sg_fill(pos, space->fill, len);
	rcu_read_unlock();
}

/* Writes within one page, which is made if @gfp gets the memory. */
static int page_write(struct rd_space *space, unsigned long index, unsigned int offset,
		      struct sg_pos *pos, unsigned int len, gfp_t gfp)
{
	struct page *page;
	int ret;

	for (;;) {
		rcu_read_lock();
		page = xa_load(&space->pages, index);
		if (page)
			break;
		rcu_read_unlock();
		ret = space_add(space, index, gfp);
		if (ret)
			return ret;
	}
	sg_pos_copy(pos, page_address(page) + offset, len, false);
	rcu_read_unlock();
	return 0;
}

/* Sees to it that a write of these bytes finds all its pages, as long as nothing else runs. */
static int space_reserve(struct rd_space *space, u64 at, size_t len, gfp_t gfp)
{
	unsigned long index = at >> PAGE_SHIFT, end = (at + len - 1) >> PAGE_SHIFT;
	int ret = 0;

	for (; !ret && index <= end; index++)
		if (!xa_load(&space->pages, index))
			ret = space_add(space, index, gfp);
	return ret;
}

/* Moves @len bytes at @at. A write that finds no memory may be done again. */
static int space_rw(struct rd_space *space, u64 at, struct scatterlist *sgl, size_t len, bool write,
		    gfp_t gfp)
{
	struct sg_pos pos = sg_pos_start(sgl, 0);

	while (len) {
		unsigned int offset = offset_in_page(at);
		unsigned int n = min_t(size_t, len, PAGE_SIZE - offset);
		int ret = 0;

		if (write)
			ret = page_write(space, at >> PAGE_SHIFT, offset, &pos, n, gfp);
		else
			page_read(space, at >> PAGE_SHIFT, offset, &pos, n);
		if (ret)
			return ret;
		at += n;
		len -= n;
		if (gfpflags_allow_blocking(gfp))
			cond_resched();
	}
	return 0;
}

/* Sets bytes within one page back to what they were before any write. */
static void page_clear(struct rd_space *space, u64 at, unsigned int len)
{
	struct page *page;

	rcu_read_lock();
	page = xa_load(&space->pages, at >> PAGE_SHIFT);
	if (page)
		memset(page_address(page) + offset_in_page(at), space->fill, len);
	rcu_read_unlock();
}

/* Context: process. */
static void space_clear(struct rd_space *space, u64 at, u64 len)
{
	u64 end = at + len;

	while (at < end) {
		u64 n = min_t(u64, end - at, PAGE_SIZE - offset_in_page(at));

		if (n == PAGE_SIZE) {
			n = round_down(end - at, PAGE_SIZE);
			space_drop(space, at >> PAGE_SHIFT, ((at + n) >> PAGE_SHIFT) - 1);
		} else {
			page_clear(space, at, n);
		}
		at += n;
	}
}

/* I/O */

static u64 rd_bytes(const struct se_device *dev, u64 blocks)
{
	return blocks * dev->dev_attrib.block_size;
}

static bool rd_has_prot(const struct se_cmd *cmd)
{
	return cmd->prot_type && cmd->se_dev->dev_attrib.pi_prot_type && cmd->t_prot_sg;
}

static sense_reason_t rd_prot_verify(struct se_cmd *cmd)
{
	return sbc_dif_verify(cmd, cmd->t_task_lba, cmd->t_task_nolb, cmd->reftag_seed,
			      cmd->t_prot_sg, 0);
}

/* Protection information: checked before it and its data are stored, after they are read. */
static sense_reason_t rd_rw_prot(struct rd_dev *rd, struct se_cmd *cmd, bool write, gfp_t gfp)
{
	u64 at = cmd->t_task_lba * rd->dev.prot_length;
	size_t len = (size_t)cmd->t_task_nolb * rd->dev.prot_length;
	sense_reason_t ret = write ? rd_prot_verify(cmd) : 0;

	if (ret)
		return ret;
	if (space_rw(&rd->prot, at, cmd->t_prot_sg, len, write, gfp))
		return CORE_SPACE_ALLOCATION_FAILED;
	return write ? 0 : rd_prot_verify(cmd);
}

/* All or nothing is written: what could fail on the way is memory. */
static int rd_reserve(struct rd_dev *rd, const struct se_cmd *cmd, bool prot, gfp_t gfp)
{
	int ret = space_reserve(&rd->data, rd_bytes(&rd->dev, cmd->t_task_lba), cmd->data_length, gfp);

	if (!ret && prot)
		ret = space_reserve(&rd->prot, cmd->t_task_lba * rd->dev.prot_length,
				    (size_t)cmd->t_task_nolb * rd->dev.prot_length, gfp);
	return ret;
}

static sense_reason_t rd_rw(struct se_cmd *cmd, struct scatterlist *sgl, bool write, gfp_t gfp)
{
	struct rd_dev *rd = to_rd(cmd->se_dev);
	u64 at = rd_bytes(&rd->dev, cmd->t_task_lba);
	bool prot = rd_has_prot(cmd);
	sense_reason_t ret;

	if (unlikely(write && backstore_is_atomic(cmd)) && rd_reserve(rd, cmd, prot, gfp))
		return CORE_SPACE_ALLOCATION_FAILED;
	if (prot && write) {
		ret = rd_rw_prot(rd, cmd, true, gfp);
		if (ret)
			return ret;
	}
	if (space_rw(&rd->data, at, sgl, cmd->data_length, write, gfp))
		return CORE_SPACE_ALLOCATION_FAILED;
	return prot && !write ? rd_rw_prot(rd, cmd, false, gfp) : 0;
}

/* cmd->work is the backend's between execution and completion, cmd->priv all along. */
static void rd_rw_work(struct work_struct *work)
{
	struct se_cmd *cmd = container_of(work, struct se_cmd, work);
	sense_reason_t ret = rd_rw(cmd, cmd->priv, cmd->data_direction == DMA_TO_DEVICE, RD_GFP_WAIT);

	if (ret)
		target_complete_cmd_with_sense(cmd, SAM_STAT_CHECK_CONDITION, ret);
	else
		target_complete_cmd(cmd, SAM_STAT_GOOD);
}

static void rd_rw_later(struct se_cmd *cmd, struct scatterlist *sgl)
{
	cmd->priv = sgl;
	INIT_WORK(&cmd->work, rd_rw_work);
	queue_work(target_submission_wq, &cmd->work);
}

/*
 * Nothing is kept and nothing is looked up. A fabric's own memory stays as it
 * is; the core's goes to an initiator, and what it held before must not.
 */
static void rd_null_rw(struct se_cmd *cmd, struct scatterlist *sgl, enum dma_data_direction dir)
{
	if (dir == DMA_FROM_DEVICE && !(cmd->se_cmd_flags & SCF_PASSTHROUGH_SG_TO_MEM_NOALLOC)) {
		struct sg_pos pos = sg_pos_start(sgl, 0);

		sg_fill(&pos, 0, cmd->data_length);
	}
	target_complete_cmd(cmd, SAM_STAT_GOOD);
}

static sense_reason_t rd_execute_rw(struct se_cmd *cmd, struct scatterlist *sgl, u32 nents,
				    enum dma_data_direction dir)
{
	sense_reason_t ret;

	if (to_rd(cmd->se_dev)->nullio) {
		rd_null_rw(cmd, sgl, dir);
		return 0;
	}
	if (unlikely(cmd->data_length > RD_INLINE_BYTES)) {
		rd_rw_later(cmd, sgl);
		return 0;
	}
	ret = rd_rw(cmd, sgl, dir == DMA_TO_DEVICE, RD_GFP_ATOMIC);
	if (unlikely(ret == CORE_SPACE_ALLOCATION_FAILED)) {
		rd_rw_later(cmd, sgl);
		return 0;
	}
	if (!ret)
		target_complete_cmd(cmd, SAM_STAT_GOOD);
	return ret;
}

static sense_reason_t rd_execute_unmap(struct se_cmd *cmd, sector_t lba, sector_t nolb)
{
	struct rd_dev *rd = to_rd(cmd->se_dev);

	if (rd->nullio)
		return 0;
	space_clear(&rd->data, rd_bytes(&rd->dev, lba), rd_bytes(&rd->dev, nolb));
	if (rd->dev.dev_attrib.pi_prot_type)
		space_clear(&rd->prot, lba * rd->dev.prot_length, nolb * rd->dev.prot_length);
	return 0;
}

/* What it has is in memory: there is no cache to synchronize. */
static struct exec_cmd_ops rd_exec_ops = {
	.execute_rw	= rd_execute_rw,
	.execute_unmap	= rd_execute_unmap,
};

static sense_reason_t rd_parse_cdb(struct se_cmd *cmd)
{
	return sbc_parse_cdb(cmd, &rd_exec_ops);
}

/* From page @index on: how many pages are there, at most @limit. */
static unsigned long pages_present(struct rd_space *space, unsigned long index, unsigned long limit)
{
	unsigned long n = 0;

	while (n < limit && xa_load(&space->pages, index + n))
		n++;
	return n;
}

/* Not all that are alike may be told at once. */
static bool rd_is_mapped(struct se_device *dev, u64 lba, u64 *nolb)
{
	struct rd_dev *rd = to_rd(dev);
	u64 at = rd_bytes(dev, lba);
	unsigned long index = at >> PAGE_SHIFT;
	unsigned long next = index;
	bool mapped;

	if (rd->nullio)
		return true;
	mapped = xa_load(&rd->data.pages, index);
	if (mapped)
		next += pages_present(&rd->data, index, RD_STATUS_PAGES);
	else if (!xa_find(&rd->data.pages, &next, ULONG_MAX, XA_PRESENT))
		return false;
	/* Never 0: gone or come since then counts as it was. */
	next = max(next, index + 1);
	*nolb = min_t(u64, *nolb, div_u64(((u64)next << PAGE_SHIFT) - at, dev->dev_attrib.block_size));
	return mapped;
}

/* What is copied in one go, wherever it is. */
static void rd_atomic(struct se_device *dev, struct backstore_atomic *limits)
{
	if (!to_rd(dev)->nullio)
		limits->max = RD_INLINE_BYTES / dev->dev_attrib.block_size;
}

/* Configuration */

static int rd_attach_hba(struct se_hba *hba, u32 host_id)
{
	struct rd_host *host = kzalloc(sizeof(*host), GFP_KERNEL);

	if (!host)
		return -ENOMEM;
	host->id = host_id;
	hba->hba_ptr = host;
	return 0;
}

static void rd_detach_hba(struct se_hba *hba)
{
	kfree(hba->hba_ptr);
	hba->hba_ptr = NULL;
}

static struct se_device *rd_alloc_device(struct se_hba *hba, const char *name)
{
	struct rd_host *host = hba->hba_ptr;
	struct rd_dev *rd = kzalloc(sizeof(*rd), GFP_KERNEL);

	if (!rd)
		return NULL;
	space_init(&rd->data, 0x00);
	space_init(&rd->prot, 0xff);
	rd->id = atomic_inc_return(&host->devices) - 1;
	return &rd->dev;
}

/* For the Logical Block Provisioning log page. */
static u64 rd_mapped_blocks(struct se_device *dev)
{
	return (u64)atomic_long_read(&to_rd(dev)->data.count) * PAGE_SIZE / dev->dev_attrib.block_size;
}

static int rd_configure_device(struct se_device *dev)
{
	struct rd_dev *rd = to_rd(dev);

	if (!rd->page_count) {
		pr_debug("rd_mcp: rd_pages= is missing\n");
		return -EINVAL;
	}
	rd->has_pages = !rd->nullio;
	to_core_dev(dev)->mapped_blocks = rd->has_pages ? rd_mapped_blocks : NULL;
	dev->dev_attrib.hw_block_size = RD_BLOCK_SIZE;
	dev->dev_attrib.hw_max_sectors = UINT_MAX;
	dev->dev_attrib.hw_queue_depth = RD_QUEUE_DEPTH;
	dev->dev_attrib.is_nonrot = 1;
	dev->dev_flags |= DF_BACKSTORE_OPS;
	return 0;
}

static void rd_destroy_device(struct se_device *dev)
{
	struct rd_dev *rd = to_rd(dev);

	space_destroy(&rd->data);
	space_destroy(&rd->prot);
}

static void rd_free_rcu(struct rcu_head *head)
{
	kfree(to_rd(container_of(head, struct se_device, rcu_head)));
}

static void rd_free_device(struct se_device *dev)
{
	call_rcu(&dev->rcu_head, rd_free_rcu);
}

/* One comma-separated option; what we do not know is for others. Return: 0 or -EINVAL. */
static int rd_set_option(struct rd_dev *rd, char *option)
{
	static const match_table_t options = {
		{ 1, "rd_pages=%u" },
		{ 2, "rd_nullio=%d" },
		{ 3, "rd_dummy=%d" },
		{ -1, NULL },
	};
	substring_t args[MAX_OPT_ARGS];
	int option_id = match_token(option, options, args);
	unsigned int pages;
	int value;

	switch (option_id) {
	case 1:
		if (match_uint(args, &pages))
			return -EINVAL;
		rd->page_count = pages;
		break;
	case 2:
	case 3:
		if (match_int(args, &value))
			return -EINVAL;
		if (value == 1)
			*(option_id == 2 ? &rd->nullio : &rd->dummy) = true;
		break;
	}
	return 0;
}

static ssize_t rd_set_params(struct se_device *dev, const char *page, ssize_t count)
{
	char *copy = kstrdup(page, GFP_KERNEL);
	char *rest = copy;
	char *option;
	int ret = 0;

	if (!copy)
		return -ENOMEM;
	while (!ret && (option = strsep(&rest, ",\n")) != NULL)
		ret = *option ? rd_set_option(to_rd(dev), option) : 0;
	kfree(copy);
	return ret ?: count;
}

static ssize_t rd_show_params(struct se_device *dev, char *buf)
{
	struct rd_dev *rd = to_rd(dev);
	u32 tables = rd->has_pages ? rd->page_count / RD_TABLE_PAGES + 1 : 0;

	return sprintf(buf, "TCM RamDisk ID: %u  RamDisk Makeup: rd_mcp\n"
		       "        PAGES/PAGE_SIZE: %u*%lu  SG_table_count: %u  nullio: %d dummy: %d\n",
		       rd->id, rd->page_count, PAGE_SIZE, tables, rd->nullio, rd->dummy);
}

/* One that only answers INQUIRY where a target has no LUN 0: qualifier 1, type unknown. */
static u32 rd_get_device_type(struct se_device *dev)
{
	return to_rd(dev)->dummy ? 0x3f : TYPE_DISK;
}

static sector_t rd_get_blocks(struct se_device *dev)
{
	u64 bytes = (u64)to_rd(dev)->page_count * PAGE_SIZE;

	return div_u64(bytes, dev->dev_attrib.block_size) - 1;
}

static bool rd_configure_unmap(struct se_device *dev)
{
	struct se_dev_attrib *attrib = &dev->dev_attrib;

	attrib->max_unmap_lba_count = U32_MAX;
	attrib->max_unmap_block_desc_count = 256;
	attrib->unmap_granularity = max_t(u32, PAGE_SIZE / attrib->block_size, 1);
	attrib->unmap_granularity_alignment = 0;
	attrib->unmap_zeroes_data = true;
	return true;
}

/* Protection information takes memory when it is written. */
static int rd_init_prot(struct se_device *dev)
{
	return 0;
}

static void rd_free_prot(struct se_device *dev)
{
	space_drop(&to_rd(dev)->prot, 0, ULONG_MAX);
}

/* Back to "not checked". */
static int rd_format_prot(struct se_device *dev)
{
	rd_free_prot(dev);
	return 0;
}

static const struct backstore_ops rd_ops = {
	.ops = {
		.name			= "rd_mcp",
		.inquiry_prod		= "RAMDISK-MCP",
		.inquiry_rev		= "4.0",
		.attach_hba		= rd_attach_hba,
		.detach_hba		= rd_detach_hba,
		.alloc_device		= rd_alloc_device,
		.configure_device	= rd_configure_device,
		.destroy_device		= rd_destroy_device,
		.free_device		= rd_free_device,
		.configure_unmap	= rd_configure_unmap,
		.set_configfs_dev_params = rd_set_params,
		.show_configfs_dev_params = rd_show_params,
		.parse_cdb		= rd_parse_cdb,
		.get_device_type	= rd_get_device_type,
		.get_blocks		= rd_get_blocks,
		.init_prot		= rd_init_prot,
		.format_prot		= rd_format_prot,
		.free_prot		= rd_free_prot,
		.tb_dev_attrib_attrs	= sbc_attrib_attrs,
	},
	.version	= BACKSTORE_OPS_VERSION,
	.is_mapped	= rd_is_mapped,
	.atomic		= rd_atomic,
};

/**
 * rd_init - registers the backstore
 *
 * Return: 0 or a negative error number. Context: module init.
 */
int rd_init(void)
{
	return transport_backend_register(&rd_ops.ops);
}

/**
 * rd_exit - the backstore goes
 *
 * Context: module exit; all its devices are gone, and all their pages with it.
 */
void rd_exit(void)
{
	target_backend_unregister(&rd_ops.ops);
	rcu_barrier();
}
