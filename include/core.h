/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The core's private interface: what its files need of each other, by file.
 * The exported functions are declared in <target/target_core_fabric.h> and
 * <target/target_core_backend.h>; kernel-doc is at the definitions.
 */
#ifndef LIO_CORE_H
#define LIO_CORE_H

#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <scsi/scsi_common.h>
#include <scsi/scsi_proto.h>
#include <target/target_core_base.h>
#include <target/target_core_backend.h>
#include <target/target_core_fabric.h>

#include "core_private.h"

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

/* As the last thing of a macro that a table uses. */
#define CORE_ATTR(prefix, name)		CONFIGFS_ATTR(prefix, name);
#define CORE_ATTR_RO(prefix, name)	CONFIGFS_ATTR_RO(prefix, name);

/* What a fabric or a backstore cannot do: the error number that clients know. */
#define CORE_NOT_DONE		(-ENOSYS)

/* Nobody waits longer for a peer or a backstore, in seconds (DESIGN 3). */
#define CORE_DEADLINE		30

/* Counted on the CPU where the command is; sum_stats() adds them up. */
struct io_stats {
	unsigned long		cmds;
	unsigned long		read_bytes;
	unsigned long		write_bytes;
};

#define CORE_BUFFER_SIZE	512

/* What initiators write to try out the way to a device; all nexuses share it. */
struct core_buffer {
	u8			data[CORE_BUFFER_SIZE];
	u8			echo[CORE_BUFFER_SIZE];
	u16			echo_len;	/* 0: nothing written yet */
};

/* What the core keeps for a device: around the array that se_device::queues points to. */
struct core_dev {
	struct se_device	*dev;
	struct io_stats __percpu *stats;
	/* Commands but ORDERED ones under way, and whether one of those holds the others up; see execute.c */
	int __percpu		*running;
	bool			ordered_waits;
	/* HEAD OF QUEUE commands under way */
	atomic_t		heads;
	/* Its directory has been removed; the last reference may take longer. */
	bool			dropped;
	/* Unit attentions of all nexuses: mostly zero, and then no command looks for its own. */
	atomic_t		ua_pending;
	/* Non-zero: FORMAT UNIT or SANITIZE runs, in 1/65536 of its way + 1 (REQUEST SENSE). */
	u32			format_progress;
	/* FORMAT UNIT and SANITIZE are allowed, attribute emulate_format */
	bool			emulate_format;
	/* Commands that a task management function gave up waiting for: NOT READY while there are some (se_tmr_lock). */
	unsigned int		failed;
	/* Commands that one has claimed and that are not released: another one must not be answered before them. */
	atomic_t		claimed;
	/* Blocks of the medium when they were last counted for a command; 0: never */
	u64			blocks;
	/* WRITE BUFFER and READ BUFFER, see target_core_buffer.c */
	struct core_buffer	buffer;
	/* Blocks of the medium that have memory; NULL: the backstore does not tell. */
	u64			(*mapped_blocks)(struct se_device *dev);
	/* One dev_configure() at a time; initialised by target_core_dev_configfs.c */
	struct mutex		enable_lock;
	struct se_device_queue	queues[];
};

static inline struct core_dev *to_core_dev(const struct se_device *dev)
{
	return container_of(dev->queues, struct core_dev, queues[0]);
}

/* A port. configfs has one of @users, the commands under way (lun_ref) have one while a device is attached. */
struct core_lun {
	struct se_lun		lun;
	struct io_stats __percpu *stats;
	refcount_t		users;
	/* Held from attach until the last command is back, with its module. */
	struct se_device	*pinned;
	struct work_struct	gone_work;
};

static inline struct core_lun *to_core_lun(struct se_lun *lun)
{
	return container_of(lun, struct core_lun, lun);
}

/* A nexus. */
struct core_session {
	struct se_session	sess;
	/* One is the session's own, one that of who is in the fabric's close_session(). */
	refcount_t		refs;
	/* Who that is; set with the ACL's nacl_sess_lock held, and only while the session is in its list. */
	struct task_struct	*closer;
};

static inline struct core_session *to_core_session(struct se_session *sess)
{
	return container_of(sess, struct core_session, sess);
}

/* An entry of an initiator's LUN map. */
struct core_deve {
	struct se_dev_entry	deve;
	struct io_stats __percpu *stats;
	/* Its device, pinned by the LUN until the entry is @gone (deve.ua_lock). */
	struct core_dev		*cdev;
	bool			gone;
};

static inline struct core_deve *to_core_deve(struct se_dev_entry *deve)
{
	return container_of(deve, struct core_deve, deve);
}

/* target_core_main.c */
extern struct workqueue_struct *target_submission_wq;	/* WQ_MEM_RECLAIM: commands that may wait */
extern struct workqueue_struct *target_completion_wq;	/* WQ_MEM_RECLAIM: responses */
extern struct workqueue_struct *target_tmr_wq;		/* unbound: what waits for commands, and their end */
extern struct kmem_cache *target_sess_cache, *target_ua_cache, *target_deve_cache;
void sum_stats(const struct io_stats __percpu *stats, struct io_stats *sum);
u32 scsi_new_index(scsi_index_t type);

/* target_core_sense.c: sense beyond what the public reasons name; never for backstores */
enum core_sense_reason {
#define R(x)	((__force sense_reason_t)(x))
	CORE_SAVING_PARAMETERS_NOT_SUPPORTED	= R(0x40),	/* 5/39/00 */
	CORE_NOT_READY				= R(0x41),	/* 2/04/03 manual intervention */
	CORE_FORMAT_IN_PROGRESS			= R(0x42),	/* 2/04/04 */
	CORE_SANITIZE_IN_PROGRESS		= R(0x43),	/* 2/04/1B */
	CORE_LU_FAILURE				= R(0x44),	/* 2/3E/01 */
	CORE_READ_ERROR				= R(0x45),	/* 3/11/00 */
	CORE_WRITE_ERROR			= R(0x46),	/* 3/0C/00 */
	CORE_INTERNAL_TARGET_FAILURE		= R(0x47),	/* 4/44/00 */
	CORE_INVALID_PARAMETER_VALUE		= R(0x48),	/* 5/26/02 */
	CORE_LOGICAL_UNIT_NOT_SUPPORTED		= R(0x49),	/* 5/25/00 */
	CORE_SPACE_ALLOCATION_FAILED		= R(0x4a),	/* 7/27/07 */
	CORE_INVALID_MESSAGE			= R(0x4b),	/* B/49/00 */
	CORE_OVERLAPPED				= R(0x4c),	/* B/4E/00 */
	CORE_DATA_PROTECT			= R(0x4d),	/* 7/27/00 */
	CORE_COMMAND_SEQUENCE_ERROR		= R(0x4e),	/* 5/2C/00 */
	CORE_FORMAT_CORRUPTED			= R(0x50),	/* 3/31/00 */
	CORE_SANITIZE_FAILED			= R(0x51),	/* 3/31/03 */
#undef R
};

/* Builds sense data for @reason into cmd->sense_buffer and sets status and length. */
void sense_set(struct se_cmd *cmd, sense_reason_t reason);
/* As sense_set() for a whole triple, with an optional information field. */
void sense_set_raw(struct se_cmd *cmd, u8 key, u8 asc, u8 ascq);
/* The triple of @reason; false: not a reason that has one. */
bool sense_triple(sense_reason_t reason, u8 *key, u8 *asc, u8 *ascq);
bool target_sense_desc_format(struct se_device *dev);

/* target_core_sgl.c */
/* Takes @len bytes from @offset of the data-out buffer; returns how many there were. */
size_t cmd_fetch(struct se_cmd *cmd, size_t offset, void *buf, size_t len);
/* Puts bytes into the data-in buffer, cut where it ends; returns how many fitted. */
size_t cmd_put(struct se_cmd *cmd, size_t offset, const void *buf, size_t len);
/*
 * Answers a data-in command: the first @len bytes are @buf's, cut at the
 * allocation length, and GOOD. The residual counts what was not transferred.
 */
void cmd_reply(struct se_cmd *cmd, const void *buf, size_t len);

/* target_core_cmd.c */
/* Compares what the CDB asks for with what the fabric expects; residuals, see there. */
sense_reason_t target_cmd_size_check(struct se_cmd *cmd, unsigned int size);
int transport_handle_cdb_direct(struct se_cmd *cmd);
void target_queue_submission(struct se_cmd *se_cmd);
void target_queued_submit_work(struct work_struct *work);
/* Puts the command on its device's list of what can be aborted, and off it. */
void cmd_track(struct se_cmd *cmd);
void cmd_untrack_active(struct se_cmd *cmd);

/* Set by its own submitter alone; a task management function clears it with the lock held. */
static inline void cmd_untrack(struct se_cmd *cmd)
{
	if (cmd->state_active)
		cmd_untrack_active(cmd);
}

/* Gives the LUN back, once. */
static inline void cmd_put_lun(struct se_cmd *cmd)
{
	struct se_lun *lun = cmd->se_lun;

	if (lun && cmpxchg(&cmd->lun_ref_active, true, false))
		percpu_ref_put(&lun->lun_ref);
}

int cmd_ask_for_data(struct se_cmd *cmd);

/* target_core_execute.c */
void execute_delayed_work(struct work_struct *work);
void execute_leave(struct se_cmd *cmd);

/* A command that counted as running is over; may start others. Any context. */
static inline void execute_done(struct se_cmd *cmd)
{
	if (cmd->se_cmd_flags & SCF_TASK_ATTR_SET)
		execute_leave(cmd);
}

/* Takes a command that waits for an ORDERED one out of the task set; true: the caller has it now. */
bool execute_undelay(struct se_cmd *cmd);
/* Ends the commands of a LUN that is going which wait for an ORDERED one. */
void execute_end_delayed(struct se_device *dev, const struct se_lun *lun);

/* target_core_complete.c */
void target_complete_qf_work(struct work_struct *work);
/* The fabric has the response, or the command was aborted: off the lists, and what the fabric wants of it. */
int cmd_check_stop_to_fabric(struct se_cmd *cmd);
/* The fabric could not take data, status or the request for data (-EAGAIN, -ENOMEM): again later. */
void cmd_queue_full(struct se_cmd *cmd, int err, bool write_pending);
/* Ends a command that a task management function has claimed. Process context. */
void target_handle_abort(struct se_cmd *cmd);
/* The same in a work item of its own. */
void cmd_abort_later(struct se_cmd *cmd);
/* Of a command that was claimed or is waited for (CMD_T_ABORTED, CMD_T_STOP): lets them have it. */
void cmd_give_up(struct se_cmd *cmd);

/* target_core_tmr.c */
/* Called once when nobody below has a claimed command any more, with what its abrt_compl was. */
void abort_waiter_release(struct completion *abrt_compl);
void tmr_unlist(struct se_tmr_req *tmr);

/* target_core_session.c: around close_session() of a fabric; the first one with nacl_sess_lock held */
void session_close_begin(struct se_session *sess);
void session_close_end(struct se_session *sess);

/* target_core_ua.c */
void ua_allocate(struct se_dev_entry *deve, u8 asc, u8 ascq);
/* For every I_T nexus of @dev but those of @except (may be NULL). */
void ua_allocate_dev(struct se_device *dev, const struct se_node_acl *except, u8 asc, u8 ascq);
sense_reason_t ua_check(struct se_cmd *cmd);
bool ua_for_check_condition(struct se_cmd *cmd, u8 *key, u8 *asc, u8 *ascq);
/* REQUEST SENSE: takes the oldest one, false when there is none. */
bool ua_take(struct se_cmd *cmd, u8 *asc, u8 *ascq);
void ua_release_all(struct se_dev_entry *deve);
/* REPORT LUNS has answered: the initiator's 3F/0E are over. */
void ua_luns_reported(struct se_node_acl *nacl);

/* target_core_hba.c */
struct se_hba *hba_create(const char *plugin, u32 id);
void hba_destroy(struct se_hba *hba);
struct se_device *item_to_device(struct config_item *item);
/* Every registered backend, by name; called with each. Returns the first non-zero result. */
void backend_setup_types(struct target_backend *tb);	/* by configfs.c: fills the config_item_types */

/* target_core_device.c */
struct se_device *dev_create(struct se_hba *hba, const char *name);
int dev_configure(struct se_device *dev);
void dev_destroy(struct se_device *dev);
int dev_for_each(int (*fn)(struct se_device *dev, void *data), void *data);
void dev_set_block_size(struct se_device *dev, u32 block_size);
bool dev_is_exported(const struct se_device *dev);
/* The same, or something goes on by itself: attributes that matter to it cannot change. */
bool dev_in_use(const struct se_device *dev);

/* target_core_lun.c: "lun" is a port of a TPG's, "map" an initiator's entry for it */
struct se_lun *lun_create(struct se_portal_group *tpg, u64 unpacked_lun);
/* Drops the reference of lun_create(); the memory goes with the last RCU reader. */
void lun_destroy(struct se_lun *lun);
int lun_attach(struct se_portal_group *tpg, struct se_device *dev, struct se_lun *lun);
void lun_detach(struct se_portal_group *tpg, struct se_lun *lun);
struct se_lun_acl *lun_acl_create(struct se_portal_group *tpg, struct se_node_acl *nacl, u64 mapped_lun);
void lun_acl_destroy(struct se_lun_acl *lacl);
int lun_acl_map(struct se_portal_group *tpg, struct se_lun_acl *lacl, struct se_lun *lun, bool read_only);
int lun_acl_unmap(struct se_lun *lun, struct se_lun_acl *lacl);
int lun_acl_set_read_only(struct se_lun_acl *lacl, bool read_only);
struct se_dev_entry *target_nacl_find_deve(struct se_node_acl *nacl, u64 mapped_lun);
/* A demo-mode or dynamic ACL gets all LUNs of its TPG; a detached one loses its entries. */
void nacl_map_all(struct se_node_acl *nacl, struct se_portal_group *tpg, struct se_lun *only);
void nacl_unmap_all(struct se_node_acl *nacl, struct se_portal_group *tpg);

/* target_core_tpg.c */
struct se_node_acl *tpg_add_acl(struct se_portal_group *tpg, const char *initiatorname);
void tpg_del_acl(struct se_node_acl *nacl);
int tpg_set_rtpi(struct se_portal_group *tpg, u16 rtpi);
int tpg_number_port(struct se_portal_group *tpg);
int tpg_enable(struct se_portal_group *tpg, bool enable);
/* One session less; demo mode's ACL goes with the last one. Takes the session's reference. */
void nacl_session_gone(struct se_node_acl *nacl);
extern struct se_device *g_lun0_dev;	/* answers LUN 0 where a TPG has none */
int core_dev_setup_virtual_lun0(void);
void core_dev_release_virtual_lun0(void);

/* target_core_alua.c, target_core_alua_groups.c */
void attrib_set_defaults(struct se_device *dev);	/* target_core_attrib.c */
int alua_init(void);		/* the default LU group; before configfs */
void alua_exit(void);
int alua_dev_init(struct se_device *dev);		/* at dev_create() */
int alua_dev_configure(struct se_device *dev);		/* default groups, at enable */
void alua_dev_exit(struct se_device *dev);
void alua_lun_attach(struct se_lun *lun, struct se_device *dev);
void alua_lun_detach(struct se_lun *lun);
sense_reason_t alua_check(struct se_cmd *cmd);		/* the gate; 0: go on */
int core_alua_check_nonop_delay(struct se_cmd *cmd);	/* waits cmd->alua_nonop_delay, process context; 0 */
/* A LUN's alua_* attributes: its group, and its secondary access state (SPC-4 5.15.2.5) */
ssize_t alua_lun_show_group(struct se_lun *lun, char *page);
ssize_t alua_lun_store_group(struct se_lun *lun, const char *page, size_t count);
ssize_t alua_lun_show_offline(struct se_lun *lun, char *page);
ssize_t alua_lun_store_offline(struct se_lun *lun, const char *page, size_t count);
ssize_t alua_lun_show_status(struct se_lun *lun, char *page);
ssize_t alua_lun_store_status(struct se_lun *lun, const char *page, size_t count);
ssize_t alua_lun_show_write_md(struct se_lun *lun, char *page);
ssize_t alua_lun_store_write_md(struct se_lun *lun, const char *page, size_t count);

/* target_core_configfs.c, target_core_fabric_configfs.c, target_core_stat.c */
int configfs_init(void);
void configfs_exit(void);
/* target_core_fabric.c, see fabric.h: fabrics, and make_group/drop_item of the subsystem's root */
struct target_fabric_configfs *fabric_find(const char *name);
struct config_group *fabric_make_group(struct config_group *parent, const char *name);
void fabric_drop_group(struct config_group *parent, struct config_item *item);
void stat_setup_dev(struct se_device *dev);
void stat_setup_port(struct se_lun *lun);
void stat_setup_ml(struct se_lun_acl *lacl);

/* target_core_rd.c */
int rd_init(void);
void rd_exit(void);

/* target_core_inquiry.c */
enum target_prot_type cmd_prot_type(const struct se_cmd *cmd);
u8 dev_threshold_exponent(const struct se_device *dev);

/* target_core_ident.c: lines of the wwn/ attributes */
ssize_t vpd_show_proto_id(const struct t10_vpd *vpd, char *buf, size_t len);
ssize_t vpd_show_assoc(const struct t10_vpd *vpd, char *buf, size_t len);
ssize_t vpd_show_ident_type(const struct t10_vpd *vpd, char *buf, size_t len);
ssize_t vpd_show_ident(const struct t10_vpd *vpd, char *buf, size_t len);

/* target_core_cdb.c, target_core_spc.c, target_core_inquiry.c, …: one table, see cdb.h */
#include "cdb.h"

#endif /* LIO_CORE_H */
