// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of a device by tag. They are allocated in arrays when more tags
 * are needed than ever before, and stay until the device goes: nothing is
 * allocated for a command.
 */
#include <linux/slab.h>

#include "tcmu.h"

/**
 * tcmu_cmds_init - make the tag pool and the directory of commands
 * @dev:	a device whose ring exists
 *
 * Return: 0 or -ENOMEM. Context: may sleep.
 */
int tcmu_cmds_init(struct tcmu_dev *dev)
{
	int err = tcmu_pool_init(&dev->tags, TCMU_MAX_TAGS);

	if (err)
		return err;
	dev->cmds = kvcalloc(TCMU_MAX_TAGS / TCMU_CMDS, sizeof(*dev->cmds), TCMU_GFP_SETUP);
	return dev->cmds ? 0 : -ENOMEM;
}

/**
 * tcmu_cmds_destroy - free all commands and the tag pool
 * @dev:	a device that nobody uses; tcmu_cmds_init() may not have run
 *
 * Context: may sleep.
 */
void tcmu_cmds_destroy(struct tcmu_dev *dev)
{
	u32 i;

	if (dev->cmds) {
		for (i = 0; i < TCMU_MAX_TAGS / TCMU_CMDS; i++)
			kfree(dev->cmds[i]);
		kvfree(dev->cmds);
		dev->cmds = NULL;
	}
	tcmu_pool_destroy(&dev->tags);
}

/**
 * tcmu_cmds_grow - make another array of commands ready
 * @dev:	the device
 *
 * Return: 0, -ENFILE if all tags have one, -ENOMEM.
 * Context: may sleep (TCMU_GFP_IO), takes grow_lock and lock.
 */
int tcmu_cmds_grow(struct tcmu_dev *dev)
{
	struct tcmu_chain chain = TCMU_EMPTY_CHAIN;
	struct tcmu_cmd *cmds;
	u32 first, i;

	guard(mutex)(&dev->grow_lock);
	first = dev->tags.fresh;
	if (first == TCMU_MAX_TAGS)
		return -ENFILE;
	cmds = kcalloc(TCMU_CMDS, sizeof(*cmds), TCMU_GFP_IO);
	if (!cmds)
		return -ENOMEM;
	for (i = 0; i < TCMU_CMDS; i++) {
		u32 tag = tcmu_pool_draw(&dev->tags);

		/* Only the first of an array of links can fail. */
		if (tag == TCMU_NONE) {
			kfree(cmds);
			return -ENOMEM;
		}
		cmds[i].tag = tag;
		tcmu_pool_append(&dev->tags, &chain, tag);
	}
	/* A handler may name any of the tags at once: see tcmu_cmd_lookup(). */
	smp_store_release(&dev->cmds[first / TCMU_CMDS], cmds);

	spin_lock(&dev->lock);
	tcmu_pool_put(&dev->tags, &chain);
	spin_unlock(&dev->lock);
	return 0;
}

/**
 * tcmu_cmd_take - take a free command
 * @dev:	the device
 *
 * Return: a command for the caller to fill, or NULL if none is ready.
 * Context: under dev->lock.
 */
struct tcmu_cmd *tcmu_cmd_take(struct tcmu_dev *dev)
{
	struct tcmu_chain chain;
	struct tcmu_cmd *cmd;

	lockdep_assert_held(&dev->lock);
	if (!tcmu_pool_take(&dev->tags, 1, &chain))
		return NULL;
	cmd = tcmu_cmd_lookup(dev, chain.first);
	cmd->state = TCMU_CMD_FILLING;
	cmd->aborted = false;
	cmd->data = TCMU_EMPTY_CHAIN;
	return cmd;
}

/**
 * tcmu_cmd_free - make a command's tag and data slots ready again
 * @dev:	the device
 * @cmd:	a command that neither the core nor the handler has
 *
 * Context: under dev->lock.
 */
void tcmu_cmd_free(struct tcmu_dev *dev, struct tcmu_cmd *cmd)
{
	struct tcmu_chain tag = TCMU_EMPTY_CHAIN;

	lockdep_assert_held(&dev->lock);
	cmd->state = TCMU_CMD_FREE;
	cmd->se_cmd = NULL;
	tcmu_pool_put(&dev->data.slots, &cmd->data);
	tcmu_pool_append(&dev->tags, &tag, cmd->tag);
	tcmu_pool_put(&dev->tags, &tag);
}
