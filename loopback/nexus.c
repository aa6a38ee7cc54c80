// SPDX-License-Identifier: GPL-2.0
/* The I_T nexus between a SCSI host and one of its targets. */
#include <linux/slab.h>

#include "tcm_loop.h"

static void nexus_free(struct kref *ref)
{
	kfree(container_of(ref, struct tcm_loop_nexus, ref));
}

/**
 * tcm_loop_nexus_put() - drop a reference on the memory of a nexus
 * @nexus:	the nexus
 */
void tcm_loop_nexus_put(struct tcm_loop_nexus *nexus)
{
	kref_put(&nexus->ref, nexus_free);
}

/**
 * tcm_loop_nexus_end() - wait for the commands of a nexus, then remove it
 * @nexus:	the nexus, to which no new command is sent
 *
 * There is no deadline: only for work items.
 */
void tcm_loop_nexus_end(struct tcm_loop_nexus *nexus)
{
	target_stop_session(nexus->se_sess);
	target_wait_for_sess_cmds(nexus->se_sess);
	target_remove_session(nexus->se_sess);
}

static void teardown_work(struct work_struct *work)
{
	struct tcm_loop_nexus *nexus = container_of(work, struct tcm_loop_nexus, teardown.work);
	struct tcm_loop_tpg *tpg = nexus->tpg;

	tcm_loop_nexus_end(nexus);
	tcm_loop_teardown_done(&nexus->teardown);
	tcm_loop_nexus_put(nexus);
	tcm_loop_tpg_put(tpg);
}

static int describe(struct tcm_loop_teardown *td, char *buf, size_t size)
{
	struct tcm_loop_nexus *nexus = container_of(td, struct tcm_loop_nexus, teardown);
	int len = tcm_loop_tpg_path(nexus->tpg, buf, size);

	return len + scnprintf(buf + len, size - len, "/nexus");
}

static struct tcm_loop_nexus *nexus_alloc(struct tcm_loop_tpg *tpg, const char *name)
{
	struct tcm_loop_nexus *nexus = kzalloc(sizeof(*nexus), GFP_KERNEL);

	if (!nexus)
		return ERR_PTR(-ENOMEM);
	kref_init(&nexus->ref);
	nexus->tpg = tpg;
	tcm_loop_teardown_init(&nexus->teardown, teardown_work, describe);
	/* Both sides are memory: protection information passes through. */
	nexus->se_sess = target_setup_session(&tpg->se_tpg, 0, 0,
					      TARGET_PROT_DIN_PASS | TARGET_PROT_DOUT_PASS,
					      name, nexus, NULL);
	if (IS_ERR(nexus->se_sess)) {
		long rc = PTR_ERR(nexus->se_sess);

		kfree(nexus);
		return ERR_PTR(rc);
	}
	return nexus;
}

/**
 * tcm_loop_nexus_create() - create the nexus of a tpg
 * @tpg:	the tpg
 * @name:	of the initiator port
 *
 * Return: 0, -EEXIST if there is one already, or another error number.
 */
int tcm_loop_nexus_create(struct tcm_loop_tpg *tpg, const char *name)
{
	struct tcm_loop_nexus *nexus;
	int rc = -EEXIST;

	mutex_lock(&tpg->host->lock);
	if (!tpg->nexus) {
		nexus = nexus_alloc(tpg, name);
		rc = PTR_ERR_OR_ZERO(nexus);
		if (!rc)
			tpg->nexus = nexus;
	}
	mutex_unlock(&tpg->host->lock);
	return rc;
}

/**
 * tcm_loop_nexus_drop() - remove the nexus of a tpg
 * @tpg:	the tpg
 *
 * Return: 0, also if its commands have not returned by the deadline; -ENODEV
 * if there is none, -EPERM if it has LUNs.
 */
int tcm_loop_nexus_drop(struct tcm_loop_tpg *tpg)
{
	struct tcm_loop_nexus *nexus;
	int rc = 0;

	mutex_lock(&tpg->host->lock);
	nexus = tpg->nexus;
	if (!nexus) {
		rc = -ENODEV;
	} else if (!list_empty(&tpg->links) || tpg->nr_luns) {
		pr_err("%s/tpgt_%u: nexus is in use by LUNs\n", tpg->host->wwn, tpg->tpgt);
		rc = -EPERM;
	} else {
		tpg->nexus = NULL;
		tcm_loop_tpg_get(tpg);
		kref_get(&nexus->ref);
		tcm_loop_teardown_pin();
	}
	mutex_unlock(&tpg->host->lock);
	if (rc)
		return rc;
	tcm_loop_teardown_start(&nexus->teardown);
	tcm_loop_teardown_wait(&nexus->teardown);
	tcm_loop_nexus_put(nexus);
	return 0;
}
