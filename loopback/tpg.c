// SPDX-License-Identifier: GPL-2.0
/* Target portal groups: the SCSI targets of a host. */
#include <linux/slab.h>

#include "tcm_loop.h"

static void memory_free(struct kref *ref)
{
	kfree(container_of(ref, struct tcm_loop_tpg, memory));
}

static void unused(struct kref *ref)
{
	tcm_loop_teardown_start(&container_of(ref, struct tcm_loop_tpg, ref)->teardown);
}

/**
 * tcm_loop_tpg_get() - take a reference
 * @tpg:	the tpg
 */
void tcm_loop_tpg_get(struct tcm_loop_tpg *tpg)
{
	kref_get(&tpg->ref);
}

/**
 * tcm_loop_tpg_put() - drop a reference; the last one starts the teardown
 * @tpg:	the tpg
 */
void tcm_loop_tpg_put(struct tcm_loop_tpg *tpg)
{
	kref_put(&tpg->ref, unused);
}

/**
 * tcm_loop_tpg_path() - name of a tpg below target/loopback
 * @tpg:	the tpg
 * @buf:	where to write it
 * @size:	size of @buf
 *
 * Return: number of characters written.
 */
int tcm_loop_tpg_path(struct tcm_loop_tpg *tpg, char *buf, size_t size)
{
	return scnprintf(buf, size, "%s/tpgt_%u", tpg->host->wwn, tpg->tpgt);
}

static int describe(struct tcm_loop_teardown *td, char *buf, size_t size)
{
	return tcm_loop_tpg_path(container_of(td, struct tcm_loop_tpg, teardown), buf, size);
}

static void teardown_work(struct work_struct *work)
{
	struct tcm_loop_tpg *tpg = container_of(work, struct tcm_loop_tpg, teardown.work);
	struct tcm_loop_host *host = tpg->host;

	if (tpg->nexus) {
		tcm_loop_nexus_end(tpg->nexus);
		tcm_loop_nexus_put(tpg->nexus);
	}
	core_tpg_deregister(&tpg->se_tpg);
	mutex_lock(&host->lock);
	host->tpgs[tpg->tpgt] = NULL;
	mutex_unlock(&host->lock);
	tcm_loop_teardown_done(&tpg->teardown);
	kref_put(&tpg->memory, memory_free);
	tcm_loop_host_put(host);
}

/* tpgt_N, where N is the SCSI target id. */
static int parse_tpgt(const char *name, u16 *tpgt)
{
	int rc = -EINVAL;

	if (str_has_prefix(name, "tpgt_"))
		rc = kstrtou16(name + strlen("tpgt_"), 10, tpgt);
	if (rc || *tpgt >= TCM_LOOP_TPGS) {
		pr_err("%s: not tpgt_N with N less than %d\n", name, TCM_LOOP_TPGS);
		return -EINVAL;
	}
	return 0;
}

/* A number is taken until the tpg that had it has come to its end. */
static int take_number(struct tcm_loop_host *host, struct tcm_loop_tpg *tpg)
{
	int rc = -EEXIST;

	mutex_lock(&host->lock);
	if (!host->tpgs[tpg->tpgt]) {
		host->tpgs[tpg->tpgt] = tpg;
		rc = 0;
	}
	mutex_unlock(&host->lock);
	return rc;
}

/**
 * tcm_loop_make_tpg() - target core: a tpgt_N directory is made
 * @se_wwn:	of the host
 * @name:	of the directory
 *
 * Return: the tpg or an error pointer.
 */
struct se_portal_group *tcm_loop_make_tpg(struct se_wwn *se_wwn, const char *name)
{
	struct tcm_loop_host *host = container_of(se_wwn, struct tcm_loop_host, se_wwn);
	struct tcm_loop_tpg *tpg;
	u16 tpgt;
	int rc;

	rc = parse_tpgt(name, &tpgt);
	if (rc)
		return ERR_PTR(rc);
	tpg = kzalloc(sizeof(*tpg), GFP_KERNEL);
	if (!tpg)
		return ERR_PTR(-ENOMEM);
	kref_init(&tpg->ref);
	kref_init(&tpg->memory);
	tpg->host = host;
	tpg->tpgt = tpgt;
	INIT_LIST_HEAD(&tpg->links);
	tcm_loop_teardown_init(&tpg->teardown, teardown_work, describe);
	rc = take_number(host, tpg);
	if (rc)
		goto out_free;
	rc = core_tpg_register(se_wwn, &tpg->se_tpg, host->proto_id);
	if (rc)
		goto out_number;
	tcm_loop_host_get(host);
	return &tpg->se_tpg;

out_number:
	mutex_lock(&host->lock);
	host->tpgs[tpgt] = NULL;
	mutex_unlock(&host->lock);
out_free:
	kfree(tpg);
	return ERR_PTR(rc);
}

/**
 * tcm_loop_drop_tpg() - target core: a tpgt_N directory is gone
 * @se_tpg:	its tpg
 *
 * Returns by the deadline.
 */
void tcm_loop_drop_tpg(struct se_portal_group *se_tpg)
{
	struct tcm_loop_tpg *tpg = to_tcm_loop_tpg(se_tpg);

	kref_get(&tpg->memory);
	tcm_loop_teardown_pin();
	tcm_loop_tpg_put(tpg);
	tcm_loop_teardown_wait(&tpg->teardown);
	kref_put(&tpg->memory, memory_free);
}
