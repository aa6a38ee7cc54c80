/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCMU: what the parts of target_core_user share.
 *
 * A device's shared memory is, in this order, the mailbox, the command ring
 * and the data area. The handler maps all of it read-write, so nothing that is
 * read from it is believed: the kernel's own record is struct tcmu_ring for the
 * ring's entries and struct tcmu_cmd for the commands.
 *
 * Locks, outermost first:
 *   dev->ask_lock (mutex)      one question to the daemon at a time, until what it
 *                              agreed to is done
 *   dev->config_lock (mutex)   dev_config, uio_name, and one reset at a time
 *   tcmu_uio_lock (mutex)      one UIO device comes or goes at a time (uio.c)
 *   uio_dev->info_lock (mutex) UIO's: around our open, release and doorbell, and
 *                              around mmap, where mmap_lock is held already
 *   tcmu_devices_lock (mutex)  the list of devices
 *   dev->open_lock (mutex)     dev->inode: who may have the memory mapped
 *   dev->grow_lock (mutex)     which indexes of the two pools are backed
 *   page lock                  a data page while it is mapped or unmapped
 *   dev->lock (spinlock)       ring, states of commands, ready lists, waiters
 * Nothing is called out of dev->lock, and no page is allocated or copied under
 * it. All of the I/O path runs in process context: submitters are the core's
 * work items and the SCSI midlayer's queues that may sleep, completions come in
 * the handler's write() or from the scan.
 */
#ifndef TCMU_H
#define TCMU_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/target_core_user.h>
#include <linux/uio_driver.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <target/target_core_base.h>
#include <target/target_core_backend.h>

#include "pool.h"
#include "ring.h"

/* Where the command ring starts: behind the mailbox, whose size is ABI. */
#define TCMU_CMDR_OFF		sizeof(struct tcmu_mailbox)

#define TCMU_CONFIG_LEN		256	/* bytes of dev_config with its NUL */
#define TCMU_MAX_TAGS		65536	/* cmd_id has 16 bits */
#define TCMU_CMDS		64U	/* commands in an array */

/*
 * How many pages a device has from the start, and keeps ready when memory is
 * short: enough for a command of any common size.
 */
#define TCMU_KEEP_PAGES		64

/* An aborted command is ended this soon whatever cmd_time_out says. */
#define TCMU_ABORT_SECONDS	20

/* Interval of the scan for overdue commands, in seconds. */
#define TCMU_SCAN_SECONDS	1

/**
 * enum tcmu_cmd_state - who has a struct tcmu_cmd
 * @TCMU_CMD_FREE:	its tag is ready or unbacked
 * @TCMU_CMD_FILLING:	the submitter, who writes entry and data
 * @TCMU_CMD_POSTED:	the handler owes the answer, the core waits for it
 * @TCMU_CMD_ANSWERED:	the drainer, who copies data and completes it
 * @TCMU_CMD_EXPIRED:	ended towards the core; the handler still owes an answer,
 *			and may touch the data slots until then
 * @TCMU_CMD_KEPT:	answered with KEEP_BUF; the data slots stay the handler's
 */
enum tcmu_cmd_state {
	TCMU_CMD_FREE,
	TCMU_CMD_FILLING,
	TCMU_CMD_POSTED,
	TCMU_CMD_ANSWERED,
	TCMU_CMD_EXPIRED,
	TCMU_CMD_KEPT,
};

/**
 * struct tcmu_answer - what the handler said of a command, copied once
 * @status:	SAM status, not checked yet
 * @uflags:	TCMU_UFLAG_*
 * @read_len:	bytes of data returned, not checked yet
 * @sense:	valid if @status is CHECK CONDITION
 */
struct tcmu_answer {
	u8 status;
	u8 uflags;
	u32 read_len;
	u8 sense[TCMU_SENSE_BUFFERSIZE];
};

/**
 * struct tcmu_cmd - the kernel's shadow of one command, found by its tag
 * @se_cmd:	the core's command while POSTED or ANSWERED (owned), else NULL
 * @state:	enum tcmu_cmd_state, under dev->lock
 * @tag:	its index and cmd_id; never changes
 * @aborted:	the core waits for its end; under dev->lock
 * @deadline:	jiffies at which it expires, see tcmu_deadline(); under dev->lock
 * @data:	slots of the data area: first those of the data buffer, then those
 *		of the bidirectional one
 * @answer:	set when ANSWERED
 * @next:	in the drainer's list
 */
struct tcmu_cmd {
	struct se_cmd *se_cmd;
	u8 state;
	bool aborted;
	u16 tag;
	unsigned long deadline;
	struct tcmu_chain data;
	struct tcmu_answer answer;
	struct tcmu_cmd *next;
};

/**
 * struct tcmu_data - the data area of a device
 * @slots:	its units of allocation, data_pages_per_blk pages each
 * @nr_pages:	pages if all of it were backed
 * @slot_pages:	pages in a slot
 * @slot_size:	bytes in a slot
 * @offset:	where it starts in the shared memory
 * @pages:	directory of page arrays; an entry is NULL while unbacked. Written
 *		under grow_lock and dev->lock
 */
struct tcmu_data {
	struct tcmu_pool slots;
	u32 nr_pages;
	u32 slot_pages;
	u32 slot_size;
	u64 offset;
	struct page ***pages;
};

/* Bits of tcmu_dev.flags. */
enum {
	TCMU_DEV_BLOCKED,	/* action/block_dev: new commands get BUSY */
	TCMU_DEV_BROKEN,	/* the handler broke the ring; reset_ring mends it */
	TCMU_DEV_STOPPED,	/* nothing may be posted: reset_ring runs, or removal */
	TCMU_DEV_OPEN,		/* a handler has the UIO device open */
	TCMU_DEV_PLUGGED,	/* the core is submitting a batch: one doorbell at its end */
};

/**
 * struct tcmu_dev - a device and everything its handler shares
 * @se_dev:	the core's part; first in life, freed with the rest
 * @plug:	handed out by plug_device
 * @ref:	held by the core's device, each mapping and a plug
 * @node:	in tcmu_devices, under tcmu_devices_lock, while configured
 * @hba_id:	number in the UIO name
 * @name:	the device's name in configfs
 *
 * @ask_lock:	see the top of this file
 * @nl_id:	dev_index as daemons were told; set under @ask_lock
 *
 * @config_lock: see the top of this file
 * @dev_config:	text for the handler
 * @dev_size:	bytes; READ_ONCE
 * @cmd_time_out: milliseconds, 0: never
 * @qfull_time_out: milliseconds, 0: fail at once, negative: as @cmd_time_out
 * @max_data_area_mb: limit of the data area in MiB
 * @data_pages_per_blk: pages in a slot
 * @cmd_ring_size_mb: mailbox and command ring in MiB
 * @nl_reply_supported: wait for the handler's answers to netlink events
 * @tmr_notification: post TMR entries
 *
 * @lock:	see the top of this file
 * @flags:	TCMU_DEV_*
 * @attentions:	who has not been told of the new size yet, see attention.c
 * @mailbox:	the shared memory's first bytes, written here, read once for tail
 * @ring:	the kernel's record of the ring
 * @tags:	pool of cmd_ids
 * @cmds:	directory of arrays of commands, by tag
 * @data:	the data area
 * @waiting:	commands that found no room (by se_cmd_link()), oldest first
 * @tmrs:	TMR notifications that found no room, oldest first
 * @nr_filling:	submitters between reserve and publish
 * @filled:	woken when @nr_filling becomes 0 while STOPPED
 * @scan:	ends overdue commands
 * @scanning:	@scan is due; under @lock
 *
 * @grow_lock:	see the top of this file
 * @open_lock:	protects @inode
 * @inode:	of the open UIO device; its mapping has all PTEs of our pages
 * @uio:	the UIO device
 * @uio_name:	its name
 * @rcu:	the core looks at se_device under RCU until it is freed
 */
struct tcmu_dev {
	struct se_device se_dev;
	struct se_dev_plug plug;
	struct kref ref;
	struct list_head node;
	u32 hba_id;
	char *name;

	struct mutex ask_lock;		/* see the top of this file */
	u32 nl_id;

	struct mutex config_lock;	/* see the top of this file */
	char dev_config[TCMU_CONFIG_LEN];
	u64 dev_size;
	u32 cmd_time_out;
	s32 qfull_time_out;
	u32 max_data_area_mb;
	u32 data_pages_per_blk;
	u32 cmd_ring_size_mb;
	int nl_reply_supported;
	bool tmr_notification;

	spinlock_t lock;		/* see the top of this file */
	unsigned long flags;
	struct xarray attentions;
	struct tcmu_mailbox *mailbox;
	struct tcmu_ring ring;
	struct tcmu_pool tags;
	struct tcmu_cmd **cmds;
	struct tcmu_data data;
	struct list_head waiting;
	struct list_head tmrs;
	u32 nr_filling;
	wait_queue_head_t filled;
	struct delayed_work scan;
	bool scanning;

	struct mutex grow_lock;		/* see the top of this file */
	struct mutex open_lock;		/* see the top of this file */
	struct inode *inode;
	struct uio_info uio;
	char *uio_name;
	struct rcu_head rcu;
};

static inline struct tcmu_dev *to_tcmu_dev(struct se_device *se_dev)
{
	return container_of(se_dev, struct tcmu_dev, se_dev);
}

/*
 * Jiffies after @milliseconds, or when nobody lives any more if that is 0. Never
 * 0 itself: a waiting command's deadline also says that it waits.
 */
static inline unsigned long tcmu_deadline(u32 milliseconds)
{
	return (jiffies + (milliseconds ? msecs_to_jiffies(milliseconds) : MAX_JIFFY_OFFSET)) | 1;
}

/* target_core_user.c */
extern struct list_head tcmu_devices;
extern struct mutex tcmu_devices_lock;
extern struct workqueue_struct *tcmu_wq;
extern struct device *tcmu_root_device;
void tcmu_dev_put(struct tcmu_dev *dev);

/* cmd.c */

/* All commands that were ever needed, whatever their state. */
#define tcmu_for_each_cmd(dev, cmd, i) \
	for ((i) = 0; ((cmd) = tcmu_cmd_lookup(dev, i)); (i)++)

int tcmu_cmds_init(struct tcmu_dev *dev);
void tcmu_cmds_destroy(struct tcmu_dev *dev);
int tcmu_cmds_grow(struct tcmu_dev *dev);
struct tcmu_cmd *tcmu_cmd_take(struct tcmu_dev *dev);
void tcmu_cmd_free(struct tcmu_dev *dev, struct tcmu_cmd *cmd);

/**
 * tcmu_cmd_lookup - the command of a tag
 * @dev:	the device
 * @tag:	any value
 *
 * Return: the command, or NULL if there is none with this tag (yet); all tags
 * below one that has none have one. Context: any.
 */
static inline struct tcmu_cmd *tcmu_cmd_lookup(const struct tcmu_dev *dev, u32 tag)
{
	struct tcmu_cmd *cmds;

	if (tag >= TCMU_MAX_TAGS)
		return NULL;
	/* Pairs with tcmu_cmds_grow(). */
	cmds = smp_load_acquire(&dev->cmds[tag / TCMU_CMDS]);
	return cmds ? &cmds[tag % TCMU_CMDS] : NULL;
}

/* data.c */

/**
 * struct tcmu_iov - where tcmu_data_map() goes on
 * @iov:	in the ring: written, never read
 * @cnt:	iovecs of the last buffer
 * @slot:	first slot of the next buffer
 */
struct tcmu_iov {
	struct iovec *iov;
	u32 cnt;
	u32 slot;
};

int tcmu_data_init(struct tcmu_dev *dev, u64 offset);
void tcmu_data_destroy(struct tcmu_dev *dev);
int tcmu_data_grow(struct tcmu_dev *dev, u32 slots);
u32 tcmu_data_shrink(struct tcmu_dev *dev, u32 keep_pages);
struct page *tcmu_data_get_page(struct tcmu_dev *dev, unsigned long index);
bool tcmu_data_has_page(struct tcmu_dev *dev, unsigned long index, struct page *page);
void tcmu_data_map(const struct tcmu_dev *dev, struct tcmu_iov *iov, u32 len);
void tcmu_data_copy(struct tcmu_dev *dev, u32 slot, struct scatterlist *sgl,
		    u32 nents, u32 len, bool to_area);

/* memory.c */
int tcmu_memory_init(void);
void tcmu_memory_exit(void);
bool tcmu_memory_charge(u32 pages);
void tcmu_memory_uncharge(u32 pages);
void tcmu_memory_reclaim(void);
u32 tcmu_memory_max_mb(void);

/* submit.c */
sense_reason_t tcmu_parse_cdb(struct se_cmd *se_cmd);
void tcmu_run_waiting(struct tcmu_dev *dev);
struct se_dev_plug *tcmu_plug_device(struct se_device *se_dev);
void tcmu_unplug_device(struct se_dev_plug *plug);
void tcmu_publish(struct tcmu_dev *dev, u32 seq) __releases(&dev->lock);
void *tcmu_ring_at(const struct tcmu_dev *dev, u32 pos);
int tcmu_reserve_spot(struct tcmu_dev *dev, u32 len, enum tcmu_opcode op, struct tcmu_spot *spot);
void tcmu_start_scan(struct tcmu_dev *dev);

/* complete.c */
void tcmu_drain(struct tcmu_dev *dev);
void tcmu_fail(struct list_head *failed, u8 status, sense_reason_t reason);

/* recover.c */
void tcmu_scan_work(struct work_struct *work);
void tcmu_scan_soon(struct tcmu_dev *dev);
void tcmu_break(struct tcmu_dev *dev, struct list_head *failed);
void tcmu_abort(struct tcmu_cmd *cmd);
unsigned long tcmu_cmd_deadline(const struct se_cmd *se_cmd, u32 milliseconds);
void tcmu_block(struct tcmu_dev *dev, bool block);
void tcmu_stop(struct tcmu_dev *dev);
void tcmu_reset_ring(struct tcmu_dev *dev, bool retryable);
void tcmu_mailbox_init(struct tcmu_dev *dev);
int tcmu_free_kept(struct tcmu_dev *dev, u32 tag);

/* tmr.c */
void tcmu_tmr_notify(struct se_device *se_dev, enum tcm_tmreq_table tmf,
		     struct list_head *aborted);
void tcmu_run_tmrs(struct tcmu_dev *dev);
void tcmu_drop_tmrs(struct tcmu_dev *dev);

/* uio.c */
int tcmu_uio_name(struct tcmu_dev *dev, const char *config);
int tcmu_uio_register(struct tcmu_dev *dev);
void tcmu_uio_unregister(struct tcmu_dev *dev);

/* netlink.c */
int tcmu_netlink_init(void);
void tcmu_netlink_exit(void);
int tcmu_netlink_added(struct tcmu_dev *dev);
int tcmu_netlink_removed(struct tcmu_dev *dev);
int tcmu_netlink_reconfig(struct tcmu_dev *dev, int attr, const void *value, size_t len);

/* attention.c */
void tcmu_attend_capacity(struct tcmu_dev *dev);
bool tcmu_report_attention(struct tcmu_dev *dev, struct se_cmd *se_cmd);

/* attrib.c */
extern struct configfs_attribute *tcmu_attribs[];
extern struct configfs_attribute *tcmu_actions[];
ssize_t tcmu_set_params(struct se_device *se_dev, const char *page, ssize_t count);
ssize_t tcmu_show_params(struct se_device *se_dev, char *page);

#endif /* TCMU_H */
