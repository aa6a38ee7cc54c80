/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The members of struct se_cmd that this backstore uses while it has a command,
 * from parse_cdb() until target_complete_cmd(). The core does not touch them
 * then:
 *   se_qf_node	used by the core only after completion, when a fabric cannot
 *		take the response
 *   priv	reserved for the backstore
 * A command is in one of four phases, which change under dev->lock:
 *   new	parsed, not executed yet
 *   waiting	se_qf_node is in dev->waiting, priv is its deadline in jiffies
 *   posted	priv is its struct tcmu_cmd
 *   ending	about to be completed, priv is NULL; se_qf_node may be in a list
 *		on the stack of whoever does that, changed without the lock
 */
#ifndef TCMU_SE_CMD_STATE_H
#define TCMU_SE_CMD_STATE_H

#include <target/target_core_base.h>

struct tcmu_cmd;

static_assert(sizeof(void *) == sizeof(unsigned long));

static inline void se_cmd_start_new(struct se_cmd *se_cmd)
{
	INIT_LIST_HEAD(&se_cmd->se_qf_node);
	se_cmd->priv = NULL;
}

static inline void se_cmd_start_waiting(struct se_cmd *se_cmd, unsigned long deadline,
					struct list_head *waiting)
{
	se_cmd->priv = (void *)deadline;
	list_add_tail(&se_cmd->se_qf_node, waiting);
}

static inline void se_cmd_start_posted(struct se_cmd *se_cmd, struct tcmu_cmd *cmd)
{
	list_del_init(&se_cmd->se_qf_node);
	se_cmd->priv = cmd;
}

/* The drainer has its tcmu_cmd and ends it. */
static inline void se_cmd_start_answered(struct se_cmd *se_cmd)
{
	se_cmd->priv = NULL;
}

/* Puts it at the end of @ending, for tcmu_fail(). */
static inline void se_cmd_start_ending(struct se_cmd *se_cmd, struct list_head *ending)
{
	se_cmd->priv = NULL;
	list_move_tail(&se_cmd->se_qf_node, ending);
}

static inline bool se_cmd_is_waiting(const struct se_cmd *se_cmd)
{
	return se_cmd->priv && !list_empty(&se_cmd->se_qf_node);
}

/*
 * The tcmu_cmd of a posted command, else NULL. The node of an ending one is
 * moved without dev->lock and must not be looked at: its priv is NULL.
 */
static inline struct tcmu_cmd *se_cmd_posted(const struct se_cmd *se_cmd)
{
	return se_cmd->priv && list_empty(&se_cmd->se_qf_node) ? se_cmd->priv : NULL;
}

/* Of a waiting command. */
static inline unsigned long se_cmd_deadline(const struct se_cmd *se_cmd)
{
	return (unsigned long)se_cmd->priv;
}

#define se_cmd_first(list) list_first_entry_or_null(list, struct se_cmd, se_qf_node)

#endif /* TCMU_SE_CMD_STATE_H */
