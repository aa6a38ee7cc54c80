// SPDX-License-Identifier: GPL-2.0
/*
 * From the core to the handler: a command takes a tag, data slots and a place in
 * the ring under the lock, is written without it, and is published. What finds
 * no room waits in order of arrival.
 */
#include <linux/rcupdate.h>
#include <linux/scatterlist.h>
#include <scsi/scsi_common.h>

#include "se_cmd_state.h"
#include "tcmu.h"

/* How often a submitter tries again after it has made room. */
#define TCMU_SUBMIT_TRIES	3

/**
 * struct tcmu_need - what a command needs
 * @len:	bytes of its data buffer
 * @bidi_len:	bytes of its second, incoming buffer
 * @slots:	data slots for both
 */
struct tcmu_need {
	u32 len;
	u32 bidi_len;
	u32 slots;
};

static struct tcmu_need tcmu_need_of(const struct tcmu_dev *dev, const struct se_cmd *se_cmd)
{
	u32 size = dev->data.slot_size;
	struct tcmu_need need = {};
	struct scatterlist *sg;
	unsigned int i;

	if (se_cmd->t_data_nents)
		need.len = se_cmd->data_length;
	if (se_cmd->se_cmd_flags & SCF_BIDI)
		for_each_sg(se_cmd->t_bidi_data_sg, sg, se_cmd->t_bidi_data_nents, i)
			need.bidi_len += sg->length;
	need.slots = need.len / size + !!(need.len % size) +
		     need.bidi_len / size + !!(need.bidi_len % size);
	return need;
}

/* Bytes of the iovecs: one a run, and the two buffers never share one. */
static u32 tcmu_iovs_len(const struct tcmu_need *need, const struct tcmu_chain *slots)
{
	return (slots->runs + !!need->bidi_len) * sizeof(struct iovec);
}

/* The CDB lies behind the iovecs, and behind what the response will overwrite. */
static u32 tcmu_cdb_offset(u32 iovs_len)
{
	return max_t(u32, offsetof(struct tcmu_cmd_entry, req.iov) + iovs_len,
		     sizeof(struct tcmu_cmd_entry));
}

/**
 * tcmu_ring_at - address of a position in the ring
 * @dev:	the device
 * @pos:	position
 *
 * Return: kernel address of the shared memory there.
 */
void *tcmu_ring_at(const struct tcmu_dev *dev, u32 pos)
{
	return (void *)dev->mailbox + TCMU_CMDR_OFF + pos;
}

/**
 * tcmu_reserve_spot - take room in the ring for an entry to be filled
 * @dev:	the device
 * @len:	bytes, as tcmu_ring_reserve() wants them
 * @op:		opcode
 * @spot:	receives the place, for tcmu_publish()
 *
 * A PAD before it is written at once: it may be published together with the
 * entries before it, while this one is still being filled.
 *
 * Return: as tcmu_ring_reserve(). Context: under dev->lock.
 */
int tcmu_reserve_spot(struct tcmu_dev *dev, u32 len, enum tcmu_opcode op, struct tcmu_spot *spot)
{
	struct tcmu_cmd_entry_hdr hdr = {};
	int err;

	lockdep_assert_held(&dev->lock);
	err = tcmu_ring_reserve(&dev->ring, len, op, spot);
	if (err)
		return err;
	/* tcmu_stop() reads it without the lock. */
	WRITE_ONCE(dev->nr_filling, dev->nr_filling + 1);
	if (spot->pad_len) {
		tcmu_hdr_set_op(&hdr.len_op, TCMU_OP_PAD);
		tcmu_hdr_set_len(&hdr.len_op, spot->pad_len);
		memcpy(tcmu_ring_at(dev, spot->pad_pos), &hdr, sizeof(hdr));
	}
	return 0;
}

/*
 * Takes all a command needs, or nothing. -ENFILE: no tag is ready; -ENOBUFS: too
 * few slots are; -ENOSPC: no room in the ring; -EMSGSIZE: it never will fit.
 */
static int tcmu_reserve(struct tcmu_dev *dev, struct se_cmd *se_cmd,
			const struct tcmu_need *need, struct tcmu_spot *spot)
{
	struct tcmu_cmd *cmd;
	u32 len;
	int err;

	lockdep_assert_held(&dev->lock);
	cmd = tcmu_cmd_take(dev);
	if (!cmd)
		return -ENFILE;
	err = -ENOBUFS;
	if (!tcmu_pool_take(&dev->data.slots, need->slots, &cmd->data))
		goto free;
	len = tcmu_cdb_offset(tcmu_iovs_len(need, &cmd->data)) +
	      scsi_command_size(se_cmd->t_task_cdb);
	err = tcmu_reserve_spot(dev, round_up(len, TCMU_OP_ALIGN_SIZE), TCMU_OP_CMD, spot);
	if (err)
		goto free;

	cmd->se_cmd = se_cmd;
	cmd->deadline = tcmu_cmd_deadline(se_cmd, READ_ONCE(dev->cmd_time_out));
	se_cmd_start_posted(se_cmd, cmd);
	return 0;

free:
	tcmu_cmd_free(dev, cmd);
	return err;
}

/* Writes a command's entry and copies its outgoing data. */
static void tcmu_fill(struct tcmu_dev *dev, struct se_cmd *se_cmd,
		      const struct tcmu_need *need, const struct tcmu_spot *spot)
{
	struct tcmu_cmd *cmd = se_cmd_posted(se_cmd);
	struct tcmu_cmd_entry *entry = tcmu_ring_at(dev, spot->pos);
	u32 cdb_off = tcmu_cdb_offset(tcmu_iovs_len(need, &cmd->data));
	u32 cdb_len = scsi_command_size(se_cmd->t_task_cdb);
	struct tcmu_iov iov = { .iov = entry->req.iov, .slot = cmd->data.first };

	memset(entry, 0, offsetof(struct tcmu_cmd_entry, req.iov));
	tcmu_hdr_set_op(&entry->hdr.len_op, TCMU_OP_CMD);
	tcmu_hdr_set_len(&entry->hdr.len_op, round_up(cdb_off + cdb_len, TCMU_OP_ALIGN_SIZE));
	entry->hdr.cmd_id = cmd->tag;
	if (need->len) {
		tcmu_data_map(dev, &iov, need->len);
		entry->req.iov_cnt = iov.cnt;
	}
	if (need->bidi_len) {
		tcmu_data_map(dev, &iov, need->bidi_len);
		entry->req.iov_bidi_cnt = iov.cnt;
	}
	entry->req.cdb_off = TCMU_CMDR_OFF + spot->pos + cdb_off;
	memcpy((void *)entry + cdb_off, se_cmd->t_task_cdb, cdb_len);

	if (need->len && se_cmd->data_direction == DMA_TO_DEVICE)
		tcmu_data_copy(dev, cmd->data.first, se_cmd->t_data_sg, se_cmd->t_data_nents,
			       need->len, true);
}

/**
 * tcmu_start_scan - make sure that the scan for overdue commands will run
 * @dev:	the device
 *
 * Context: under dev->lock.
 */
void tcmu_start_scan(struct tcmu_dev *dev)
{
	lockdep_assert_held(&dev->lock);
	if (dev->scanning)
		return;
	dev->scanning = true;
	queue_delayed_work(tcmu_wq, &dev->scan, TCMU_SCAN_SECONDS * HZ);
}

/*
 * From here on nothing keeps the device: what was published may be answered, and
 * its LUN removed, before the doorbell. tcmu_uio_unregister() waits for readers.
 */
static void tcmu_unlock_and_ring(struct tcmu_dev *dev, bool ring)
	__releases(&dev->lock)
{
	if (!ring) {
		spin_unlock(&dev->lock);
		return;
	}
	rcu_read_lock();
	spin_unlock(&dev->lock);
	uio_event_notify(&dev->uio);
	rcu_read_unlock();
}

/**
 * tcmu_publish - show a filled entry to the handler
 * @dev:	the device
 * @seq:	the entry's sequence number; the caller counts in dev->nr_filling
 *
 * Context: under dev->lock, which is released.
 */
void tcmu_publish(struct tcmu_dev *dev, u32 seq)
	__releases(&dev->lock)
{
	bool moved;

	lockdep_assert_held(&dev->lock);
	moved = tcmu_ring_publish(&dev->ring, seq);
	if (moved)
		/* The entries before what says that they are there. */
		smp_store_release(&dev->mailbox->cmd_head, dev->ring.published);
	WRITE_ONCE(dev->nr_filling, dev->nr_filling - 1);
	if (!dev->nr_filling && test_bit(TCMU_DEV_STOPPED, &dev->flags))
		wake_up(&dev->filled);
	tcmu_start_scan(dev);
	tcmu_unlock_and_ring(dev, moved && !test_bit(TCMU_DEV_PLUGGED, &dev->flags));
}

/* Fills and publishes what tcmu_reserve() took. */
static void tcmu_post(struct tcmu_dev *dev, struct se_cmd *se_cmd,
		      const struct tcmu_need *need, const struct tcmu_spot *spot)
{
	struct tcmu_cmd *cmd = se_cmd_posted(se_cmd);

	tcmu_fill(dev, se_cmd, need, spot);
	spin_lock(&dev->lock);
	cmd->state = TCMU_CMD_POSTED;
	/* It was not among those that tcmu_break() ended: the scan does it. */
	if (test_bit(TCMU_DEV_BROKEN, &dev->flags))
		cmd->deadline = jiffies;
	tcmu_publish(dev, spot->seq);
}

/**
 * struct tcmu_tries - how often a submitter has tried to get room
 * @left:	how many tries there are still
 * @lacks:	what there is no more of, as tcmu_reserve() says it, or 0
 */
struct tcmu_tries {
	int left;
	int lacks;
};

/* After tcmu_reserve() failed with @err: is it worth making room and trying again? */
static bool tcmu_may_retry(const struct tcmu_tries *tries, int err)
{
	return (err == -ENFILE || err == -ENOBUFS) && err != tries->lacks && tries->left;
}

/*
 * Makes room for what tcmu_reserve() failed for with @err. If there is no more of
 * that, others may have given some back just now: one try is due in any case, and
 * counts for nothing else that the command may lack.
 */
static void tcmu_make_room(struct tcmu_dev *dev, int err, const struct tcmu_need *need,
			   struct tcmu_tries *tries)
{
	tries->left--;
	if (err == -ENFILE ? tcmu_cmds_grow(dev) : tcmu_data_grow(dev, need->slots))
		tries->lacks = err;
}

/* The sense of what cannot be taken in the device's state, or 0. */
static sense_reason_t tcmu_refuse(const struct tcmu_dev *dev)
{
	if (test_bit(TCMU_DEV_BROKEN, &dev->flags))
		return TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE;
	if (test_bit(TCMU_DEV_BLOCKED, &dev->flags))
		return TCM_LUN_BUSY;
	return TCM_NO_SENSE;
}

static bool tcmu_must_wait(const struct tcmu_dev *dev)
{
	return !list_empty(&dev->waiting) || test_bit(TCMU_DEV_STOPPED, &dev->flags);
}

/* Puts a command behind the others that wait. Called under dev->lock. */
static sense_reason_t tcmu_wait(struct tcmu_dev *dev, struct se_cmd *se_cmd)
{
	s32 timeout = READ_ONCE(dev->qfull_time_out);

	if (!timeout)
		return TCM_OUT_OF_RESOURCES;
	if (timeout < 0)
		timeout = READ_ONCE(dev->cmd_time_out);
	se_cmd_start_waiting(se_cmd, tcmu_cmd_deadline(se_cmd, timeout), &dev->waiting);
	tcmu_start_scan(dev);
	return TCM_NO_SENSE;
}

static sense_reason_t tcmu_queue_cmd(struct se_cmd *se_cmd)
{
	struct tcmu_dev *dev = to_tcmu_dev(se_cmd->se_dev);
	struct tcmu_need need = tcmu_need_of(dev, se_cmd);
	struct tcmu_tries tries = { .left = TCMU_SUBMIT_TRIES };
	struct tcmu_spot spot;
	sense_reason_t ret;
	int err;

	if (unlikely(!xa_empty(&dev->attentions)) && tcmu_report_attention(dev, se_cmd))
		return TCM_NO_SENSE;
	if (need.slots > dev->data.slots.limit)
		return TCM_INVALID_CDB_FIELD;

	for (;;) {
		spin_lock(&dev->lock);
		ret = tcmu_refuse(dev);
		if (ret)
			break;
		err = tcmu_must_wait(dev) ? -EAGAIN : tcmu_reserve(dev, se_cmd, &need, &spot);
		if (!err) {
			spin_unlock(&dev->lock);
			tcmu_post(dev, se_cmd, &need, &spot);
			return TCM_NO_SENSE;
		}
		if (err == -EMSGSIZE) {
			ret = TCM_INVALID_CDB_FIELD;
			break;
		}
		/* The last try and the wait are one step, or a wake-up is lost. */
		if (!tcmu_may_retry(&tries, err)) {
			ret = tcmu_wait(dev, se_cmd);
			break;
		}
		spin_unlock(&dev->lock);
		tcmu_make_room(dev, err, &need, &tries);
	}
	spin_unlock(&dev->lock);
	return ret;
}

/**
 * tcmu_parse_cdb - the core has a new command for the device
 * @se_cmd:	the command
 *
 * Return: what passthrough_parse_cdb() says. Context: process.
 */
sense_reason_t tcmu_parse_cdb(struct se_cmd *se_cmd)
{
	se_cmd_start_new(se_cmd);
	return passthrough_parse_cdb(se_cmd, tcmu_queue_cmd);
}

/*
 * Tries to post the oldest waiting command. Returns 0 if it was posted or will
 * never fit (then it is in @failed), -ENOENT if none waits or may be posted, or
 * what it lacks, with what it needs in @need.
 */
static int tcmu_post_first(struct tcmu_dev *dev, struct tcmu_need *need,
			   struct list_head *failed)
{
	struct tcmu_spot spot;
	struct se_cmd *se_cmd;
	int err;

	spin_lock(&dev->lock);
	se_cmd = se_cmd_first(&dev->waiting);
	if (!se_cmd || tcmu_refuse(dev) || test_bit(TCMU_DEV_STOPPED, &dev->flags)) {
		spin_unlock(&dev->lock);
		return -ENOENT;
	}
	*need = tcmu_need_of(dev, se_cmd);
	err = tcmu_reserve(dev, se_cmd, need, &spot);
	if (err == -EMSGSIZE) {
		se_cmd_start_ending(se_cmd, failed);
		spin_unlock(&dev->lock);
		return 0;
	}
	spin_unlock(&dev->lock);
	if (!err)
		tcmu_post(dev, se_cmd, need, &spot);
	return err;
}

/**
 * tcmu_run_waiting - post commands that waited for room
 * @dev:	the device
 *
 * Context: process, may sleep (TCMU_GFP_IO).
 */
void tcmu_run_waiting(struct tcmu_dev *dev)
{
	struct tcmu_tries tries = { .left = TCMU_SUBMIT_TRIES };
	struct tcmu_need need;
	LIST_HEAD(failed);
	int err;

	/* Who adds one afterwards has found no room later than we made it. */
	if (list_empty_careful(&dev->waiting))
		return;
	for (;;) {
		err = tcmu_post_first(dev, &need, &failed);
		if (!err) {
			tries = (struct tcmu_tries){ .left = TCMU_SUBMIT_TRIES };
			continue;
		}
		if (!tcmu_may_retry(&tries, err))
			break;
		tcmu_make_room(dev, err, &need, &tries);
	}
	tcmu_fail(&failed, SAM_STAT_CHECK_CONDITION, TCM_INVALID_CDB_FIELD);
}

/**
 * tcmu_plug_device - the core begins to submit a batch
 * @se_dev:	the device
 *
 * Return: what it hands to tcmu_unplug_device() afterwards, or NULL if another
 * batch is being submitted.
 */
struct se_dev_plug *tcmu_plug_device(struct se_device *se_dev)
{
	struct tcmu_dev *dev = to_tcmu_dev(se_dev);

	if (test_and_set_bit(TCMU_DEV_PLUGGED, &dev->flags))
		return NULL;
	/* The batch's commands may all have ended before it is unplugged. */
	kref_get(&dev->ref);
	return &dev->plug;
}

/**
 * tcmu_unplug_device - the batch is submitted: one doorbell for all of it
 * @plug:	from tcmu_plug_device()
 *
 * Context: process, may sleep.
 */
void tcmu_unplug_device(struct se_dev_plug *plug)
{
	struct tcmu_dev *dev = container_of(plug, struct tcmu_dev, plug);

	/*
	 * Under the lock: who saw the bit has published, who publishes later does
	 * not see it. A stopped device has nothing published, and perhaps no UIO
	 * device any more.
	 */
	spin_lock(&dev->lock);
	clear_bit(TCMU_DEV_PLUGGED, &dev->flags);
	tcmu_unlock_and_ring(dev, !test_bit(TCMU_DEV_STOPPED, &dev->flags));
	tcmu_dev_put(dev);
}
