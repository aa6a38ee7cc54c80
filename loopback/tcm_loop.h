/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tcm_loop: a SCSI host whose commands are served by the target core.
 *
 * One directory target/loopback/<WWN> is one SCSI host; its tpgt_N is the SCSI
 * target with id N; a link below tpgt_N/lun is a logical unit, for which the
 * module has the midlayer make and remove a SCSI device.
 *
 * Who keeps what alive:
 *
 *   host  <- tpg  <- link  (a configured LUN, until its SCSI device is gone)
 *                 <- lun   (a SCSI device, until slave_destroy and last TMR)
 *                 <- nexus (a removed session, until its last command is back)
 *
 * Each of these outlives its configfs name when the backend does not answer;
 * see teardown.c.
 */
#ifndef TCM_LOOP_H
#define TCM_LOOP_H

#include <linux/blk-mq.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/kref.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <scsi/scsi.h>
#include <scsi/scsi_cmnd.h>
#include <scsi/scsi_device.h>
#include <scsi/scsi_host.h>
#include <target/target_core_base.h>
#include <target/target_core_fabric.h>

#include "route.h"

#define TCM_LOOP_WWN_LEN	256
/* SCSI target ids of a host; a tpgt_N with a larger N is refused. */
#define TCM_LOOP_TPGS		32

/*
 * The time in which reset, abort, unlink and rmdir end, whatever the backend
 * does. Waits use a little less, so that the caller is answered by it.
 */
#define TCM_LOOP_DEADLINE	(30 * HZ)
#define TCM_LOOP_WAIT		(TCM_LOOP_DEADLINE - 3 * HZ)

/**
 * struct tcm_loop_teardown - the end of an object, done in a work item
 * @work:	does the waiting; runs on tcm_loop_slow_wq
 * @done:	completed when the object no longer needs anything below it
 * @node:	on the list of lingering objects, under its lock
 * @describe:	writes the object's configfs path
 */
struct tcm_loop_teardown {
	struct work_struct	work;
	struct completion	done;
	struct list_head	node;
	int			(*describe)(struct tcm_loop_teardown *td,
					    char *buf, size_t size);
};

/**
 * struct tcm_loop_host - a WWN and its SCSI host
 * @se_wwn:	the core's part
 * @ref:	held by configfs and by every tpg
 * @dev:	parent of the SCSI host, on the tcm_loop bus
 * @shost:	the SCSI host, from the probe of @dev until its removal
 * @probe_error: why there is no @shost
 * @proto_id:	SCSI protocol identifier (SPC-4, 7.6.1), from the WWN's prefix
 * @index:	number of the adapter, in @dev's name
 * @lock:	protects @tpgs, the tpgs' members that say so, sdev->hostdata
 * @tpgs:	by SCSI target id
 * @plug_lock:	protects @plugged
 * @plugged:	LUNs to which a batch is being submitted
 * @teardown:	removal of the SCSI host
 * @wwn:	the directory's name
 */
struct tcm_loop_host {
	struct se_wwn			se_wwn;
	struct kref			ref;
	struct device			dev;
	struct Scsi_Host		*shost;
	int				probe_error;
	u8				proto_id;
	int				index;
	struct mutex			lock;
	struct tcm_loop_tpg		*tpgs[TCM_LOOP_TPGS];
	spinlock_t			plug_lock;
	struct list_head		plugged;
	struct tcm_loop_teardown	teardown;
	char				wwn[TCM_LOOP_WWN_LEN];
};

enum tcm_loop_transport {
	TCM_LOOP_ONLINE,
	TCM_LOOP_OFFLINE,
};

/**
 * struct tcm_loop_tpg - a target portal group, one SCSI target
 * @se_tpg:	the core's part
 * @ref:	held by configfs, links, luns and removed nexuses
 * @memory:	held by @teardown and by who waits for it
 * @host:	the host it belongs to; referenced
 * @tpgt:	number, also the SCSI target id
 * @transport:	enum tcm_loop_transport; read without a lock
 * @fabric_prot_type: T10-PI type offered for backends without; set by configfs
 * @nexus:	the session or NULL. Changes under @host->lock and only while
 *		there is neither link nor lun, so that a command may read it.
 * @links:	configured LUNs; under @host->lock
 * @nr_luns:	SCSI devices of this target; under @host->lock
 * @teardown:	deregistration from the core
 */
struct tcm_loop_tpg {
	struct se_portal_group		se_tpg;
	struct kref			ref;
	struct kref			memory;
	struct tcm_loop_host		*host;
	u16				tpgt;
	u8				transport;
	u8				fabric_prot_type;
	struct tcm_loop_nexus		*nexus;
	struct list_head		links;
	unsigned int			nr_luns;
	struct tcm_loop_teardown	teardown;
};

/**
 * struct tcm_loop_nexus - the I_T nexus of a tpg
 * @ref:	held by the tpg or @teardown, and by who waits for it
 * @se_sess:	the core's session
 * @tpg:	the tpg; referenced once removed
 * @teardown:	waits for the session's commands and removes it
 */
struct tcm_loop_nexus {
	struct kref			ref;
	struct se_session		*se_sess;
	struct tcm_loop_tpg		*tpg;
	struct tcm_loop_teardown	teardown;
};

/**
 * struct tcm_loop_batch - commands collected on one CPU for one LUN
 * @list:	newest first
 * @work:	submits them
 */
struct tcm_loop_batch {
	struct llist_head	list;
	struct work_struct	work;
};

/**
 * struct tcm_loop_link - a configured LUN
 * @node:	in @tpg->links, under the host's lock
 * @ref:	held by configfs, by works and by the lun
 * @tpg:	the tpg; referenced
 * @number:	logical unit number
 * @dev:	the core's device; there while @lun has commands
 * @backend:	what serves it
 * @lun:	its SCSI device; under the host's lock
 * @unlinked:	the name is gone; under the host's lock
 * @scan:	lets the midlayer look for the SCSI device
 * @scanned:	@scan has run
 * @teardown:	removes the SCSI device
 * @wq:		runs what may wait. One a LUN, since each has one rescuer: LUNs
 *		whose backends are stacked on each other need their own.
 * @batch:	of each CPU
 * @free:	frees all this, where @wq may be waited for
 */
struct tcm_loop_link {
	struct list_head		node;
	struct kref			ref;
	struct tcm_loop_tpg		*tpg;
	u64				number;
	struct se_device		*dev;
	enum tcm_loop_backend		backend;
	struct tcm_loop_lun		*lun;
	bool				unlinked;
	struct work_struct		scan;
	struct completion		scanned;
	struct tcm_loop_teardown	teardown;
	struct workqueue_struct		*wq;
	struct tcm_loop_batch __percpu	*batch;
	struct work_struct		free;
};

/* Bits of tcm_loop_lun.gate: any set bit turns commands away (queue.c). */
enum tcm_loop_gate {
	TCM_LOOP_GATE_FAILED,	/* the backend missed a deadline: NOT READY */
	TCM_LOOP_GATE_REMOVED,	/* being unlinked: nothing goes through */
	TCM_LOOP_GATE_FLUSH,	/* drained: only what sd sends on removal */
};

/**
 * struct tcm_loop_lun - a SCSI device, in sdev->hostdata
 * @ref:	held by the SCSI device, by TMRs and while it is removed
 * @tpg:	the tpg; referenced
 * @link:	the configured LUN or NULL (the midlayer probes others too);
 *		referenced
 * @number:	logical unit number
 * @gate:	enum tcm_loop_gate
 * @cmds:	commands that the target core or a work item has
 * @drained:	completed when @cmds, killed, has come to zero
 * @plugger:	the task that submits a batch, see plug.c; only it uses @plug
 * @plug:	of the backend
 * @plugged:	in host->plugged
 * @lock:	protects the following members
 * @timed_out:	commands whose timer fired and which have not come back
 * @overdue:	of these, and of the TMRs, those past the deadline
 * @aborting:	the core has an abort that it has not answered
 * @destroyed:	the SCSI device is gone, @recovery must not be queued again
 * @recovery:	aborts commands on @timed_out and watches their deadline
 * @wait:	woken when a command leaves @timed_out
 */
struct tcm_loop_lun {
	struct kref			ref;
	struct tcm_loop_tpg		*tpg;
	struct tcm_loop_link		*link;
	u64				number;
	unsigned long			gate;
	struct percpu_ref		cmds;
	struct completion		drained;
	struct task_struct		*plugger;
	struct se_dev_plug		*plug;
	struct list_head		plugged;
	spinlock_t			lock;
	struct list_head		timed_out;
	unsigned int			overdue;
	bool				aborting;
	bool				destroyed;
	struct delayed_work		recovery;
	wait_queue_head_t		wait;
};

/*
 * Owner of a struct tcm_loop_cmd. IDLE: the midlayer. HELD: the target, which
 * has the initiator's pages. LATE: the target, and its timer has fired. EH: the
 * target, for the midlayer's error handler. ORPHAN: the target, but the error
 * handler has taken its scsi_cmnd (no data) away: the end of this command must
 * not reach the midlayer.
 */
enum tcm_loop_cmd_state {
	TCM_LOOP_CMD_IDLE,
	TCM_LOOP_CMD_HELD,
	TCM_LOOP_CMD_LATE,
	TCM_LOOP_CMD_EH,
	TCM_LOOP_CMD_ORPHAN,
};

/**
 * struct tcm_loop_cmd - the driver's part of a scsi_cmnd
 * @se_cmd:	the core's part
 * @state:	enum tcm_loop_cmd_state, outlives the request
 * @seq:	counts uses, so that an abort never meets the tag's next user
 * @answered:	the core has given a status
 * @overdue:	counted in lun->overdue; under lun->lock
 * @abort_due:	recovery has to send an abort; under lun->lock
 * @deadline:	in jiffies; when LATE
 * @lun:	where it was sent
 * @node:	in lun->timed_out, when LATE or ORPHAN
 * @batch:	in tcm_loop_batch.list
 * @work:	for TCM_LOOP_ROUTE_WORK
 * @sense:	the core writes here, never to the initiator's buffer, since an
 *		ORPHAN may do it late
 *
 * Allocated with the request, initialised once by init_cmd_priv.
 */
struct tcm_loop_cmd {
	struct se_cmd		se_cmd;
	atomic_t		state;
	u32			seq;
	bool			answered;
	bool			overdue;
	bool			abort_due;
	unsigned long		deadline;
	struct tcm_loop_lun	*lun;
	struct list_head	node;
	union {
		struct llist_node	batch;
		struct work_struct	work;
	};
	unsigned char		sense[TRANSPORT_SENSE_BUFFER];
};

static inline struct scsi_cmnd *tcm_loop_scsi_cmnd(struct tcm_loop_cmd *cmd)
{
	return (struct scsi_cmnd *)cmd - 1;
}

/* Unlike the block layer's, this tag is never used again. */
static inline u64 tcm_loop_tag(struct tcm_loop_cmd *cmd)
{
	/* One set of tags for all hardware queues: see host_tagset. */
	u32 tag = scsi_cmd_to_rq(tcm_loop_scsi_cmnd(cmd))->tag;

	return (u64)cmd->seq << 32 | tag;
}

static inline struct tcm_loop_tpg *to_tcm_loop_tpg(struct se_portal_group *tpg)
{
	return container_of(tpg, struct tcm_loop_tpg, se_tpg);
}

/* main.c */
extern struct workqueue_struct *tcm_loop_wq;
extern struct workqueue_struct *tcm_loop_slow_wq;
extern struct workqueue_struct *tcm_loop_recovery_wq;

/* configfs.c */
extern const struct target_core_fabric_ops tcm_loop_ops;

/* tpg.c */
struct se_portal_group *tcm_loop_make_tpg(struct se_wwn *se_wwn, const char *name);
void tcm_loop_drop_tpg(struct se_portal_group *se_tpg);
void tcm_loop_tpg_get(struct tcm_loop_tpg *tpg);
void tcm_loop_tpg_put(struct tcm_loop_tpg *tpg);
int tcm_loop_tpg_path(struct tcm_loop_tpg *tpg, char *buf, size_t size);

/* nexus.c */
int tcm_loop_nexus_create(struct tcm_loop_tpg *tpg, const char *name);
int tcm_loop_nexus_drop(struct tcm_loop_tpg *tpg);
void tcm_loop_nexus_end(struct tcm_loop_nexus *nexus);
void tcm_loop_nexus_put(struct tcm_loop_nexus *nexus);

/* plug.c */
bool tcm_loop_plug(struct tcm_loop_lun *lun);
void tcm_loop_unplug(struct tcm_loop_lun *lun);
void tcm_loop_commit_rqs(struct Scsi_Host *shost, u16 hwq);

/* host.c */
int tcm_loop_bus_register(void);
void tcm_loop_bus_unregister(void);
struct se_wwn *tcm_loop_make_wwn(struct target_fabric_configfs *tf,
				 struct config_group *group, const char *name);
void tcm_loop_drop_wwn(struct se_wwn *se_wwn);
const char *tcm_loop_protocol_of(const char *name, u8 *proto_id);
void tcm_loop_host_get(struct tcm_loop_host *host);
void tcm_loop_host_put(struct tcm_loop_host *host);

/* lun.c */
int tcm_loop_slave_alloc(struct scsi_device *sdev);
int tcm_loop_slave_configure(struct scsi_device *sdev);
void tcm_loop_slave_destroy(struct scsi_device *sdev);
struct tcm_loop_lun *tcm_loop_lun_of(struct tcm_loop_tpg *tpg,
				     struct scsi_device *sdev);
void tcm_loop_lun_get(struct tcm_loop_lun *lun);
void tcm_loop_lun_put(struct tcm_loop_lun *lun);
void tcm_loop_lun_drain(struct tcm_loop_lun *lun);

/* link.c */
int tcm_loop_post_link(struct se_portal_group *se_tpg, struct se_lun *se_lun);
void tcm_loop_pre_unlink(struct se_portal_group *se_tpg, struct se_lun *se_lun);
struct tcm_loop_link *tcm_loop_link_find(struct tcm_loop_tpg *tpg, u64 number);
void tcm_loop_link_get(struct tcm_loop_link *link);
void tcm_loop_link_put(struct tcm_loop_link *link);

/* queue.c */
int tcm_loop_init_cmd_priv(struct Scsi_Host *shost, struct scsi_cmnd *sc);
int tcm_loop_queuecommand(struct Scsi_Host *shost, struct scsi_cmnd *sc);
void tcm_loop_batch_init(struct tcm_loop_batch *batch);
int tcm_loop_write_pending(struct se_cmd *se_cmd);
int tcm_loop_queue_data_in(struct se_cmd *se_cmd);
int tcm_loop_queue_status(struct se_cmd *se_cmd);
int tcm_loop_check_stop_free(struct se_cmd *se_cmd);
void tcm_loop_release_cmd(struct se_cmd *se_cmd);

/* tmr.c */
struct tcm_loop_tmr;
bool tcm_loop_tmr_abort(struct tcm_loop_lun *lun, u64 tag);
void tcm_loop_queue_tm_rsp(struct se_cmd *se_cmd);
void tcm_loop_tmr_released(struct se_cmd *se_cmd);
int tcm_loop_eh_device_reset(struct scsi_cmnd *sc);
int tcm_loop_eh_target_reset(struct scsi_cmnd *sc);

/* recovery.c */
enum scsi_timeout_action tcm_loop_eh_timed_out(struct scsi_cmnd *sc);
int tcm_loop_eh_abort(struct scsi_cmnd *sc);
void tcm_loop_recovery_work(struct work_struct *work);
void tcm_loop_recovery_abort_answered(struct tcm_loop_lun *lun);
bool tcm_loop_recovery_returned(struct tcm_loop_cmd *cmd);
void tcm_loop_lun_overdue(struct tcm_loop_lun *lun, const char *what);
void tcm_loop_lun_caught_up(struct tcm_loop_lun *lun);

/* teardown.c */
void tcm_loop_teardown_init(struct tcm_loop_teardown *td, work_func_t work,
			    int (*describe)(struct tcm_loop_teardown *td,
					    char *buf, size_t size));
void tcm_loop_teardown_pin(void);
void tcm_loop_teardown_start(struct tcm_loop_teardown *td);
void tcm_loop_teardown_wait(struct tcm_loop_teardown *td);
void tcm_loop_teardown_done(struct tcm_loop_teardown *td);
int tcm_loop_lingering_show(char *buf, size_t size);

#endif /* TCM_LOOP_H */
