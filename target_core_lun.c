// SPDX-License-Identifier: GPL-2.0
/*
 * Logical units as a TPG shows them (struct se_lun, a port) and as an initiator
 * sees them (struct se_dev_entry, an entry of its map).
 *
 * A port is found through RCU and held by its lun_ref, a percpu_ref, by every
 * command. Unlinking kills the ref and waits for the last command with a
 * deadline; after that the port lives on, and pins its device and the device's
 * module, until the last command is back (lun_gone()).
 */
#include "core.h"

#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/rculist.h>
#include <linux/slab.h>

/**
 * target_nacl_find_deve - an entry of an initiator's LUN map
 * @nacl:	the initiator
 * @mapped_lun:	as it calls it
 *
 * Caller holds rcu_read_lock() or nacl->lun_entry_mutex.
 *
 * Return: it or NULL.
 */
struct se_dev_entry *target_nacl_find_deve(struct se_node_acl *nacl, u64 mapped_lun)
{
	struct se_dev_entry *deve;

	hlist_for_each_entry_rcu(deve, &nacl->lun_entry_hlist, link, lockdep_is_held(&nacl->lun_entry_mutex))
		if (deve->mapped_lun == mapped_lun)
			return deve;
	return NULL;
}

/* The LUN's device gets the command; the caller has a live lun_ref. */
static void cmd_set_lun(struct se_cmd *cmd, struct se_lun *lun)
{
	cmd->se_lun = lun;
	cmd->se_cmd_flags |= SCF_SE_LUN_CMD;
	cmd->lun_ref_active = true;
	cmd->se_dev = rcu_dereference_raw(lun->lun_se_dev);
}

static __always_inline void count_io(struct io_stats __percpu *stats, const struct se_cmd *cmd)
{
	this_cpu_inc(stats->cmds);
	if (cmd->data_direction == DMA_TO_DEVICE)
		this_cpu_add(stats->write_bytes, cmd->data_length);
	else if (cmd->data_direction == DMA_FROM_DEVICE)
		this_cpu_add(stats->read_bytes, cmd->data_length);
}

/* LUN 0 answers INQUIRY and REPORT LUNS even when nothing is mapped there (SPC-4 clause 4.6.4). */
static sense_reason_t lookup_virtual_lun0(struct se_cmd *cmd)
{
	struct se_lun *lun = cmd->se_sess->se_tpg->tpg_virt_lun0;

	if (cmd->orig_fe_lun || !lun || !percpu_ref_tryget_live(&lun->lun_ref)) {
		pr_debug_ratelimited("%s: no LUN %llu for %s\n", cmd->se_tfo->fabric_name, cmd->orig_fe_lun,
				     cmd->se_sess->se_node_acl->initiatorname);
		return TCM_NON_EXISTENT_LUN;
	}
	cmd_set_lun(cmd, lun);
	return cmd->data_direction == DMA_TO_DEVICE ? TCM_WRITE_PROTECTED : 0;
}

/**
 * transport_lookup_cmd_lun - find the LUN that cmd->orig_fe_lun names
 * @se_cmd:	an initialised command
 *
 * Any context.
 *
 * Return: 0, TCM_NON_EXISTENT_LUN, or TCM_WRITE_PROTECTED, and then
 * the command has its LUN.
 */
sense_reason_t transport_lookup_cmd_lun(struct se_cmd *se_cmd)
{
	struct se_dev_entry *deve;
	sense_reason_t ret = 0;
	struct se_lun *lun;

	rcu_read_lock();
	deve = target_nacl_find_deve(se_cmd->se_sess->se_node_acl, se_cmd->orig_fe_lun);
	lun = deve ? deve->se_lun : NULL;
	if (lun && percpu_ref_tryget_live_rcu(&lun->lun_ref)) {
		count_io(to_core_deve(deve)->stats, se_cmd);
		se_cmd->pr_res_key = deve->pr_res_key;
		cmd_set_lun(se_cmd, lun);
		if (deve->lun_access_ro && se_cmd->data_direction == DMA_TO_DEVICE)
			ret = TCM_WRITE_PROTECTED;
	} else {
		lun = NULL;
	}
	rcu_read_unlock();
	if (!lun)
		return lookup_virtual_lun0(se_cmd);
	count_io(to_core_lun(lun)->stats, se_cmd);
	count_io(to_core_dev(se_cmd->se_dev)->stats, se_cmd);
	return ret;
}

/**
 * transport_lookup_tmr_lun - find the LUN of a task management function
 * @se_cmd:	a command with a se_tmr_req
 *
 * Puts the function into its device's list. Any context.
 *
 * Return: 0 or -ENODEV.
 */
int transport_lookup_tmr_lun(struct se_cmd *se_cmd)
{
	struct se_tmr_req *tmr = se_cmd->se_tmr_req;
	struct se_dev_entry *deve;
	struct se_lun *lun = NULL;
	unsigned long flags;

	rcu_read_lock();
	deve = target_nacl_find_deve(se_cmd->se_sess->se_node_acl, se_cmd->orig_fe_lun);
	if (deve && percpu_ref_tryget_live(&deve->se_lun->lun_ref)) {
		lun = deve->se_lun;
		se_cmd->pr_res_key = deve->pr_res_key;
		cmd_set_lun(se_cmd, lun);
	}
	rcu_read_unlock();
	if (!lun)
		return -ENODEV;
	tmr->tmr_dev = se_cmd->se_dev;
	spin_lock_irqsave(&tmr->tmr_dev->se_tmr_lock, flags);
	list_add_tail(&tmr->tmr_list, &tmr->tmr_dev->dev_tmr_list);
	spin_unlock_irqrestore(&tmr->tmr_dev->se_tmr_lock, flags);
	return 0;
}

/**
 * target_lun_is_rdonly - does the initiator see a write protected LUN
 * @cmd:	a command with a LUN
 *
 * Return: true if it may not write.
 */
bool target_lun_is_rdonly(struct se_cmd *cmd)
{
	struct se_dev_entry *deve;
	bool ret;

	rcu_read_lock();
	deve = target_nacl_find_deve(cmd->se_sess->se_node_acl, cmd->orig_fe_lun);
	ret = deve && deve->lun_access_ro;
	rcu_read_unlock();
	return ret;
}

static void deve_free_rcu(struct rcu_head *head)
{
	struct core_deve *cd = container_of(head, struct core_deve, deve.rcu_head);

	free_percpu(cd->stats);
	kmem_cache_free(target_deve_cache, cd);
}

/* Every other LUN of the initiator reports that the list has changed (SPC-4 clause 6.33). */
static void luns_changed(struct se_node_acl *nacl, const struct se_dev_entry *except)
{
	struct se_dev_entry *deve;

	lockdep_assert_held(&nacl->lun_entry_mutex);
	hlist_for_each_entry(deve, &nacl->lun_entry_hlist, link)
		if (deve != except)
			ua_allocate(deve, 0x3f, 0x0e);
}

static struct se_dev_entry *deve_create(struct se_lun *lun, u64 mapped_lun, bool read_only,
					struct se_lun_acl *lacl)
{
	struct core_deve *cd = kmem_cache_zalloc(target_deve_cache, GFP_KERNEL);
	struct se_dev_entry *deve;

	if (!cd)
		return NULL;
	cd->stats = alloc_percpu(struct io_stats);
	if (!cd->stats) {
		kmem_cache_free(target_deve_cache, cd);
		return NULL;
	}
	deve = &cd->deve;
	spin_lock_init(&deve->ua_lock);
	INIT_LIST_HEAD(&deve->ua_list);
	INIT_LIST_HEAD(&deve->alua_port_list);
	INIT_LIST_HEAD(&deve->lun_link);
	kref_init(&deve->pr_kref);
	init_completion(&deve->pr_comp);
	cd->cdev = to_core_dev(to_core_lun(lun)->pinned);
	deve->se_lun = lun;
	deve->se_lun_acl = lacl;
	deve->mapped_lun = mapped_lun;
	deve->lun_access_ro = read_only;
	deve->creation_time = get_jiffies_64();
	deve->attach_count = 1;
	return deve;
}

static void deve_remove(struct se_node_acl *nacl, struct se_dev_entry *deve)
{
	lockdep_assert_held(&nacl->lun_entry_mutex);
	hlist_del_rcu(&deve->link);
	spin_lock_irq(&deve->se_lun->lun_deve_lock);
	list_del(&deve->lun_link);
	spin_unlock_irq(&deve->se_lun->lun_deve_lock);
	ua_release_all(deve);
	luns_changed(nacl, NULL);
	call_rcu(&deve->rcu_head, deve_free_rcu);
}

/* A mapping by hand replaces demo mode's at the same place. */
static int deve_add(struct se_node_acl *nacl, struct se_lun *lun, u64 mapped_lun, bool read_only,
		    struct se_lun_acl *lacl)
{
	struct se_dev_entry *old, *deve = deve_create(lun, mapped_lun, read_only, lacl);

	if (!deve)
		return -ENOMEM;
	mutex_lock(&nacl->lun_entry_mutex);
	old = target_nacl_find_deve(nacl, mapped_lun);
	if (old && (old->se_lun_acl || !lacl)) {
		mutex_unlock(&nacl->lun_entry_mutex);
		deve_free_rcu(&deve->rcu_head);
		return -EINVAL;
	}
	if (old)
		deve_remove(nacl, old);
	spin_lock_irq(&lun->lun_deve_lock);
	list_add_tail(&deve->lun_link, &lun->lun_deve_list);
	spin_unlock_irq(&lun->lun_deve_lock);
	hlist_add_head_rcu(&deve->link, &nacl->lun_entry_hlist);
	luns_changed(nacl, deve);
	mutex_unlock(&nacl->lun_entry_mutex);
	return 0;
}

static bool demo_mode_read_only(struct se_portal_group *tpg, struct se_device *dev)
{
	const struct target_core_fabric_ops *tfo = tpg->se_tpg_tfo;

	/* Only disks: nobody protects an optical drive or a changer by default. */
	return tfo->tpg_check_demo_mode_write_protect && tfo->tpg_check_demo_mode_write_protect(tpg) &&
	       dev->transport->get_device_type(dev) == TYPE_DISK;
}

/**
 * nacl_map_all - give demo mode's initiator the LUNs of its TPG
 * @nacl:	the initiator
 * @tpg:	its TPG
 * @only:	one LUN, or NULL for all
 *
 * LUNs that are mapped stay as they are. May sleep.
 */
void nacl_map_all(struct se_node_acl *nacl, struct se_portal_group *tpg, struct se_lun *only)
{
	struct se_device *dev;
	struct se_lun *lun;

	mutex_lock(&tpg->tpg_lun_mutex);
	hlist_for_each_entry(lun, &tpg->tpg_lun_hlist, link) {
		if (only && lun != only)
			continue;
		dev = rcu_dereference_protected(lun->lun_se_dev, lockdep_is_held(&tpg->tpg_lun_mutex));
		if (deve_add(nacl, lun, lun->unpacked_lun,
			     lun->lun_access_ro || demo_mode_read_only(tpg, dev), NULL) == -ENOMEM)
			pr_warn_ratelimited("no memory to map LUN %llu for %s\n", lun->unpacked_lun,
					    nacl->initiatorname);
	}
	mutex_unlock(&tpg->tpg_lun_mutex);
}

/* Removes the entries of @nacl that lead to @lun; NULL: to anything. */
static void nacl_unmap(struct se_node_acl *nacl, struct se_lun *lun)
{
	struct se_dev_entry *deve;
	struct hlist_node *next;

	mutex_lock(&nacl->lun_entry_mutex);
	hlist_for_each_entry_safe(deve, next, &nacl->lun_entry_hlist, link)
		if (!lun || deve->se_lun == lun)
			deve_remove(nacl, deve);
	mutex_unlock(&nacl->lun_entry_mutex);
}

/**
 * nacl_unmap_all - an initiator loses its LUNs
 * @nacl:	the initiator
 * @tpg:	its TPG
 *
 * May sleep.
 */
void nacl_unmap_all(struct se_node_acl *nacl, struct se_portal_group *tpg)
{
	nacl_unmap(nacl, NULL);
}

static void lun_gone(struct work_struct *work);

/**
 * lun_create - make a port without a device
 * @tpg:	its TPG
 * @unpacked_lun: its number
 *
 * May sleep.
 *
 * Return: the port, for lun_destroy(), or ERR_PTR(-ENOMEM).
 */
struct se_lun *lun_create(struct se_portal_group *tpg, u64 unpacked_lun)
{
	struct core_lun *clun = kzalloc(sizeof(*clun), GFP_KERNEL);
	struct se_lun *lun;

	if (!clun)
		return ERR_PTR(-ENOMEM);
	clun->stats = alloc_percpu(struct io_stats);
	if (!clun->stats) {
		kfree(clun);
		return ERR_PTR(-ENOMEM);
	}
	refcount_set(&clun->users, 1);
	lun = &clun->lun;
	lun->unpacked_lun = unpacked_lun;
	lun->lun_tpg = tpg;
	atomic_set(&lun->lun_acl_count, 0);
	INIT_LIST_HEAD(&lun->lun_deve_list);
	spin_lock_init(&lun->lun_deve_lock);
	INIT_LIST_HEAD(&lun->lun_dev_link);
	INIT_LIST_HEAD(&lun->lun_tg_pt_gp_link);
	spin_lock_init(&lun->lun_tg_pt_gp_lock);
	atomic_set(&lun->lun_tg_pt_secondary_offline, 0);
	mutex_init(&lun->lun_tg_pt_md_mutex);
	init_completion(&lun->lun_shutdown_comp);
	INIT_WORK(&clun->gone_work, lun_gone);
	return lun;
}

static void lun_put(struct core_lun *clun)
{
	if (refcount_dec_and_test(&clun->users)) {
		free_percpu(clun->stats);
		kfree_rcu(clun, lun.rcu_head);
	}
}

/**
 * lun_destroy - configfs gives a port back
 * @lun:	the port, detached
 */
void lun_destroy(struct se_lun *lun)
{
	lun_put(to_core_lun(lun));
}

/* The last command is back: the device may go. */
static void lun_gone(struct work_struct *work)
{
	struct core_lun *clun = container_of(work, struct core_lun, gone_work);
	struct se_device *dev = clun->pinned;
	struct module *owner = dev->transport->owner;

	percpu_ref_exit(&clun->lun.lun_ref);
	spin_lock_irq(&dev->se_port_lock);
	dev->export_count--;
	spin_unlock_irq(&dev->se_port_lock);
	/* Who has a command has a reference, and so a device. */
	RCU_INIT_POINTER(clun->lun.lun_se_dev, NULL);
	complete(&clun->lun.lun_shutdown_comp);
	/* From now on it can be attached again: the last thing that this device's time does to it. */
	smp_store_release(&clun->pinned, NULL);
	if (dev != g_lun0_dev)
		config_item_put(&dev->dev_group.cg_item);
	module_put(owner);
	lun_put(clun);
}

static void lun_ref_is_zero(struct percpu_ref *ref)
{
	struct core_lun *clun = container_of(ref, struct core_lun, lun.lun_ref);

	queue_work(target_tmr_wq, &clun->gone_work);
}

static void publish(struct se_portal_group *tpg, struct se_device *dev, struct se_lun *lun)
{
	struct core_lun *clun = to_core_lun(lun);

	refcount_inc(&clun->users);
	clun->pinned = dev;
	if (dev != g_lun0_dev)
		config_item_get(&dev->dev_group.cg_item);
	reinit_completion(&lun->lun_shutdown_comp);
	lun->lun_shutdown = false;
	lun->lun_access_ro = dev->dev_flags & DF_READ_ONLY;
	compat_lun_set_rtpi(lun, dev);
	rcu_assign_pointer(lun->lun_se_dev, dev);
	spin_lock_irq(&dev->se_port_lock);
	dev->export_count++;
	list_add_tail(&lun->lun_dev_link, &dev->dev_sep_list);
	spin_unlock_irq(&dev->se_port_lock);
	alua_lun_attach(lun, dev);
	if (dev != g_lun0_dev)
		hlist_add_head_rcu(&lun->link, &tpg->tpg_lun_hlist);
}

static void map_for_demo_mode(struct se_portal_group *tpg, struct se_lun *lun)
{
	const struct target_core_fabric_ops *tfo = tpg->se_tpg_tfo;
	struct se_node_acl *acl;

	if (tfo->tpg_check_demo_mode_login_only && tfo->tpg_check_demo_mode_login_only(tpg))
		return;
	mutex_lock(&tpg->acl_node_mutex);
	list_for_each_entry(acl, &tpg->acl_node_list, acl_list)
		if (acl->dynamic_node_acl)
			nacl_map_all(acl, tpg, lun);
	mutex_unlock(&tpg->acl_node_mutex);
}

/**
 * lun_attach - a port gets its device
 * @tpg:	its TPG
 * @dev:	a configured device
 * @lun:	the port, without a device
 *
 * Demo mode's initiators see it at once. May sleep.
 * Return: 0, -EBUSY while commands of the last device are under way, -ENODEV
 * when the backstore's module goes, -ENOMEM.
 */
int lun_attach(struct se_portal_group *tpg, struct se_device *dev, struct se_lun *lun)
{
	int ret;

	/* It may just be on its way out of the last device's time. */
	flush_work(&to_core_lun(lun)->gone_work);
	/* Pairs with lun_gone(). */
	if (smp_load_acquire(&to_core_lun(lun)->pinned))
		return -EBUSY;
	if (!try_module_get(dev->transport->owner))
		return -ENODEV;
	ret = percpu_ref_init(&lun->lun_ref, lun_ref_is_zero, 0, GFP_KERNEL);
	if (ret) {
		module_put(dev->transport->owner);
		return ret;
	}
	mutex_lock(&tpg->tpg_lun_mutex);
	publish(tpg, dev, lun);
	mutex_unlock(&tpg->tpg_lun_mutex);
	if (dev != g_lun0_dev)
		map_for_demo_mode(tpg, lun);
	return 0;
}

/**
 * lun_detach - a port loses its device
 * @tpg:	its TPG
 * @lun:	the port
 *
 * Initiators lose their mappings; commands under way are waited for until the
 * deadline, after which they alone keep the device. May sleep.
 */
void lun_detach(struct se_portal_group *tpg, struct se_lun *lun)
{
	struct se_device *dev;
	struct se_node_acl *acl;

	mutex_lock(&tpg->tpg_lun_mutex);
	dev = rcu_dereference_protected(lun->lun_se_dev, lockdep_is_held(&tpg->tpg_lun_mutex));
	hlist_del_init_rcu(&lun->link);
	WRITE_ONCE(lun->lun_shutdown, true);
	mutex_unlock(&tpg->tpg_lun_mutex);
	mutex_lock(&tpg->acl_node_mutex);
	list_for_each_entry(acl, &tpg->acl_node_list, acl_list)
		nacl_unmap(acl, lun);
	mutex_unlock(&tpg->acl_node_mutex);
	spin_lock_irq(&dev->se_port_lock);
	list_del_init(&lun->lun_dev_link);
	spin_unlock_irq(&dev->se_port_lock);
	/* As long as the LUN has its own reference, and so the device. */
	execute_end_delayed(dev, lun);
	percpu_ref_kill(&lun->lun_ref);
	if (!wait_for_completion_timeout(&lun->lun_shutdown_comp, CORE_DEADLINE * HZ))
		pr_warn("LUN %llu was unlinked with commands that have not come back for %d s; they keep their device\n",
			lun->unpacked_lun, CORE_DEADLINE);
	/* Not before: a command that was in time must not find it in no group, which counts as optimized. */
	alua_lun_detach(lun);
}

/**
 * lun_acl_create - an entry of an initiator's map by hand, without a LUN
 * @tpg:	the TPG
 * @nacl:	the initiator
 * @mapped_lun:	the number it will use
 *
 * May sleep.
 *
 * Return: it, for lun_acl_destroy(), or an ERR_PTR().
 */
struct se_lun_acl *lun_acl_create(struct se_portal_group *tpg, struct se_node_acl *nacl, u64 mapped_lun)
{
	struct se_lun_acl *lacl = kzalloc(sizeof(*lacl), GFP_KERNEL);

	if (!lacl)
		return ERR_PTR(-ENOMEM);
	lacl->mapped_lun = mapped_lun;
	lacl->se_lun_nacl = nacl;
	return lacl;
}

/**
 * lun_acl_destroy - free an entry that leads nowhere
 * @lacl:	it
 */
void lun_acl_destroy(struct se_lun_acl *lacl)
{
	kfree(lacl);
}

/**
 * lun_acl_map - let an entry lead to a LUN
 * @tpg:	the TPG of both
 * @lacl:	the entry
 * @lun:	an attached LUN
 * @read_only:	refuse writes; those to a read-only device are in any case
 *
 * May sleep.
 *
 * Return: 0, -EINVAL when the number is taken, -ENODEV when the LUN has no device (any more), -ENOMEM.
 */
int lun_acl_map(struct se_portal_group *tpg, struct se_lun_acl *lacl, struct se_lun *lun, bool read_only)
{
	int ret = -ENODEV;

	/* lun_detach() says that it has begun before it looks for entries under this mutex. */
	mutex_lock(&tpg->acl_node_mutex);
	if (!READ_ONCE(lun->lun_shutdown) && rcu_access_pointer(lun->lun_se_dev))
		ret = deve_add(lacl->se_lun_nacl, lun, lacl->mapped_lun, read_only || lun->lun_access_ro, lacl);
	mutex_unlock(&tpg->acl_node_mutex);
	if (ret)
		return ret;
	lacl->se_lun = lun;
	atomic_inc(&lun->lun_acl_count);
	return 0;
}

/**
 * lun_acl_unmap - end what lun_acl_map() began
 * @lun:	the LUN
 * @lacl:	the entry
 *
 * Does nothing when the LUN itself has gone before. May sleep.
 *
 * Return: 0.
 */
int lun_acl_unmap(struct se_lun *lun, struct se_lun_acl *lacl)
{
	struct se_node_acl *nacl = lacl->se_lun_nacl;
	struct se_dev_entry *deve;

	mutex_lock(&nacl->lun_entry_mutex);
	deve = target_nacl_find_deve(nacl, lacl->mapped_lun);
	if (deve && deve->se_lun == lun && deve->se_lun_acl == lacl)
		deve_remove(nacl, deve);
	mutex_unlock(&nacl->lun_entry_mutex);
	atomic_dec(&lun->lun_acl_count);
	lacl->se_lun = NULL;
	return 0;
}

/**
 * lun_acl_set_read_only - the attribute write_protect of an entry
 * @lacl:	the entry
 * @read_only:	refuse writes
 *
 * May sleep.
 *
 * Return: 0, -EINVAL when it leads nowhere.
 */
int lun_acl_set_read_only(struct se_lun_acl *lacl, bool read_only)
{
	struct se_node_acl *nacl = lacl->se_lun_nacl;
	struct se_dev_entry *deve;

	mutex_lock(&nacl->lun_entry_mutex);
	deve = target_nacl_find_deve(nacl, lacl->mapped_lun);
	if (deve && deve->se_lun_acl != lacl)
		deve = NULL;
	if (deve)
		deve->lun_access_ro = read_only || deve->se_lun->lun_access_ro;
	mutex_unlock(&nacl->lun_entry_mutex);
	return deve ? 0 : -EINVAL;
}
