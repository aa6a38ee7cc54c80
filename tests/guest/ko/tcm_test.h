/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TCM_TEST_H
#define TCM_TEST_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <target/target_core_base.h>
#include <target/target_core_fabric.h>

#include "tcm_test_uapi.h"

struct tcmt_cmd;

/* An open file. Lives until it is closed and its last nexus has gone. */
struct tcmt_file {
	struct kref		ref;
	struct mutex		lock;		/* protects nexuses, next_id */
	struct list_head	nexuses;	/* with a reference to each */
	u32			next_id;
	spinlock_t		event_lock;	/* protects events, closed */
	struct list_head	events;		/* of struct tcmt_note */
	wait_queue_head_t	wait;
	bool			closed;
};

/* An event that is to be read; part of what it is about, with a reference to that. */
struct tcmt_note {
	struct list_head	node;
	struct tcmt_cmd		*cmd;		/* NULL: a nexus' */
	struct tcmt_event	event;
};

enum { TCMT_TPG_ATTRS = 5 };

struct tcmt_tpg {
	struct se_portal_group	se_tpg;
	struct tcmt_wwn		*wwn;
	u16			tpgt;
	u32			attrs[TCMT_TPG_ATTRS];
	struct list_head	node;		/* tcmt_tpgs */
	struct list_head	nexuses;	/* tcmt_mutex */
};

struct tcmt_wwn {
	struct se_wwn		se_wwn;
	char			name[TCMT_NAME_LEN];
};

struct tcmt_nexus {
	struct kref		ref;
	struct tcmt_file	*file;
	struct tcmt_tpg		*tpg;		/* until it is closed */
	u32			id;
	u64			isid;
	struct se_session	*sess;		/* cleared with close_lock held */
	struct list_head	file_node;	/* file->lock */
	struct list_head	tpg_node;	/* tcmt_mutex */
	struct mutex		close_lock;
	struct rw_semaphore	submitting;	/* read: by who uses sess to submit */
	spinlock_t		lock;		/* protects cmds, closing, and their state */
	struct list_head	cmds;
	bool			closing;
	wait_queue_head_t	wait;		/* where responses hang */
	struct work_struct	close_work;
	struct tcmt_note	gone;
};

enum tcmt_hold {
	TCMT_FREE,
	TCMT_DATA_HELD,
	TCMT_RESP_HELD,
	TCMT_RESP_HANGS,
};

struct tcmt_cmd {
	struct se_cmd		se_cmd;		/* first: poisoned when the core releases it */
	struct kref		ref;		/* the core's, and one a note that is to be read */
	struct tcmt_nexus	*nexus;
	struct list_head	node;		/* nexus->lock */
	enum tcmt_hold		state;		/* nexus->lock */
	u64			tag;
	u32			flags;
	bool			aborted;
	struct tcmt_submit	how;
	void			*out, *in;	/* how.length bytes */
	struct scatterlist	*sgl;
	unsigned int		nents;
	struct work_struct	work, ack_work;
	u8			sense[TRANSPORT_SENSE_BUFFER];
	struct tcmt_note	notes[TCMT_EVENT_TYPES];
};

static inline struct tcmt_cmd *to_tcmt_cmd(struct se_cmd *se_cmd)
{
	return container_of(se_cmd, struct tcmt_cmd, se_cmd);
}

static inline struct tcmt_tpg *to_tcmt_tpg(struct se_portal_group *se_tpg)
{
	return container_of(se_tpg, struct tcmt_tpg, se_tpg);
}

/* tpg.c */
extern const struct target_core_fabric_ops tcmt_ops;
extern struct mutex tcmt_mutex;		/* protects the list of TPGs and their lists of nexuses */
struct tcmt_tpg *tcmt_tpg_find(const char *wwn, u16 tpgt);

/* nexus.c */
int tcmt_nexus_add(struct tcmt_file *file, struct tcmt_nexus_add *add);
struct tcmt_nexus *tcmt_nexus_get(struct tcmt_file *file, u32 id);
void tcmt_nexus_put(struct tcmt_nexus *nexus);
void tcmt_nexus_close(struct tcmt_nexus *nexus);
void tcmt_nexus_forget(struct tcmt_nexus *nexus);
void tcmt_close_session(struct se_session *sess);
u32 tcmt_sess_isid(struct se_session *sess, unsigned char *buf, u32 size);

/* command.c */
int tcmt_submit(struct tcmt_file *file, const struct tcmt_submit *how);
int tcmt_tmf(struct tcmt_file *file, const struct tcmt_tmf *tmf);
void tcmt_cmd_put(struct tcmt_cmd *cmd);
void tcmt_release_cmd(struct se_cmd *se_cmd);

/* response.c */
int tcmt_release(struct tcmt_file *file, const struct tcmt_release *release);
int tcmt_get_state(struct tcmt_file *file, struct tcmt_state *state);
void tcmt_release_all(struct tcmt_nexus *nexus);
int tcmt_write_pending(struct se_cmd *se_cmd);
int tcmt_queue_response(struct se_cmd *se_cmd);
void tcmt_queue_tm_rsp(struct se_cmd *se_cmd);
void tcmt_aborted_task(struct se_cmd *se_cmd);
int tcmt_check_stop_free(struct se_cmd *se_cmd);

/* chardev.c */
int tcmt_chardev_init(void);
void tcmt_chardev_exit(void);
/* Puts a note, filled in but for its nexus, at the end; takes a reference for it. Any context. */
void tcmt_post(struct tcmt_nexus *nexus, struct tcmt_note *note);
void tcmt_file_put(struct tcmt_file *file);

/* main.c */
extern struct workqueue_struct *tcmt_wq;	/* closing, acknowledging, submissions that may hang */

#endif /* TCM_TEST_H */
