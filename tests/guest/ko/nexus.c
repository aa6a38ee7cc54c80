// SPDX-License-Identifier: GPL-2.0
/* I_T nexuses, made by a file and ended by it, by the core or with their TPG. */
#include <linux/slab.h>

#include "tcm_test.h"

static void nexus_free(struct kref *ref)
{
	struct tcmt_nexus *nexus = container_of(ref, struct tcmt_nexus, ref);

	tcmt_file_put(nexus->file);
	kfree(nexus);
}

void tcmt_nexus_put(struct tcmt_nexus *nexus)
{
	kref_put(&nexus->ref, nexus_free);
}

struct tcmt_nexus *tcmt_nexus_get(struct tcmt_file *file, u32 id)
{
	struct tcmt_nexus *nexus, *found = NULL;

	mutex_lock(&file->lock);
	list_for_each_entry(nexus, &file->nexuses, file_node)
		if (nexus->id == id)
			found = nexus;
	if (found)
		kref_get(&found->ref);
	mutex_unlock(&file->lock);
	return found;
}

/* The file's reference goes; a second call does nothing. */
void tcmt_nexus_forget(struct tcmt_nexus *nexus)
{
	struct tcmt_file *file = nexus->file;
	bool listed;

	mutex_lock(&file->lock);
	listed = !list_empty(&nexus->file_node);
	list_del_init(&nexus->file_node);
	mutex_unlock(&file->lock);
	if (listed)
		tcmt_nexus_put(nexus);
}

static void close_work(struct work_struct *work)
{
	struct tcmt_nexus *nexus = container_of(work, struct tcmt_nexus, close_work);

	tcmt_nexus_close(nexus);
	tcmt_nexus_put(nexus);
}

static struct tcmt_nexus *nexus_alloc(struct tcmt_file *file, u64 isid)
{
	struct tcmt_nexus *nexus = kzalloc(sizeof(*nexus), GFP_KERNEL);

	if (!nexus)
		return NULL;
	kref_init(&nexus->ref);
	kref_get(&file->ref);
	nexus->file = file;
	nexus->isid = isid;
	INIT_LIST_HEAD(&nexus->file_node);
	INIT_LIST_HEAD(&nexus->tpg_node);
	mutex_init(&nexus->close_lock);
	init_rwsem(&nexus->submitting);
	spin_lock_init(&nexus->lock);
	INIT_LIST_HEAD(&nexus->cmds);
	init_waitqueue_head(&nexus->wait);
	INIT_WORK(&nexus->close_work, close_work);
	nexus->gone.event.type = TCMT_NEXUS_GONE;
	return nexus;
}

/* The TPG stays as long as tcmt_mutex is held, and as long as the nexus is in its list. */
static int nexus_login(struct tcmt_nexus *nexus, const struct tcmt_nexus_add *add)
{
	struct tcmt_tpg *tpg;
	int rc = -ENOENT;

	mutex_lock(&tcmt_mutex);
	tpg = tcmt_tpg_find(add->wwn, add->tpgt);
	if (tpg) {
		nexus->tpg = tpg;
		nexus->sess = target_setup_session(&tpg->se_tpg, 0, 0, TARGET_PROT_NORMAL, add->initiator, nexus, NULL);
		rc = PTR_ERR_OR_ZERO(nexus->sess);
		if (!rc)
			list_add_tail(&nexus->tpg_node, &tpg->nexuses);
	}
	mutex_unlock(&tcmt_mutex);
	return rc;
}

int tcmt_nexus_add(struct tcmt_file *file, struct tcmt_nexus_add *add)
{
	struct tcmt_nexus *nexus = nexus_alloc(file, add->isid);
	int rc;

	if (!nexus)
		return -ENOMEM;
	mutex_lock(&file->lock);
	nexus->id = add->id = ++file->next_id;
	rc = nexus_login(nexus, add);
	if (!rc)
		list_add_tail(&nexus->file_node, &file->nexuses);
	mutex_unlock(&file->lock);
	if (rc)
		tcmt_nexus_put(nexus);
	return rc;
}

/* No command comes in any more, none is held or hangs. */
static void stop(struct tcmt_nexus *nexus)
{
	spin_lock_irq(&nexus->lock);
	nexus->closing = true;
	spin_unlock_irq(&nexus->lock);
	wake_up_all(&nexus->wait);
	down_write(&nexus->submitting);
	up_write(&nexus->submitting);
	target_stop_session(nexus->sess);
	tcmt_release_all(nexus);
}

/*
 * Ends the session. Returns when it has ended, also if somebody else has begun
 * that. Commands that are held are given up, all others waited for.
 */
void tcmt_nexus_close(struct tcmt_nexus *nexus)
{
	mutex_lock(&nexus->close_lock);
	if (nexus->sess) {
		stop(nexus);
		target_wait_for_sess_cmds(nexus->sess);
		target_remove_session(nexus->sess);
		nexus->sess = NULL;
		mutex_lock(&tcmt_mutex);
		list_del_init(&nexus->tpg_node);
		nexus->tpg = NULL;
		mutex_unlock(&tcmt_mutex);
		tcmt_post(nexus, &nexus->gone);
	}
	mutex_unlock(&nexus->close_lock);
}

/* The core wants a session to end. Perhaps with its locks held. */
void tcmt_close_session(struct se_session *sess)
{
	struct tcmt_nexus *nexus = sess->fabric_sess_ptr;

	nexus->gone.event.flags |= TCMT_BY_CORE | (irqs_disabled() ? TCMT_IRQS_OFF : 0);
	kref_get(&nexus->ref);
	if (!queue_work(tcmt_wq, &nexus->close_work))
		tcmt_nexus_put(nexus);
}

/* As in iSCSI's names of initiator ports: hexadecimal digits (RFC 7143 clause 4.2.2). */
u32 tcmt_sess_isid(struct se_session *sess, unsigned char *buf, u32 size)
{
	struct tcmt_nexus *nexus = sess->fabric_sess_ptr;

	return snprintf(buf, size, "%012llx", nexus->isid & GENMASK_ULL(47, 0));
}
