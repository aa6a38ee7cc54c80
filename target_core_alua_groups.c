// SPDX-License-Identifier: GPL-2.0
/*
 * ALUA groups: logical unit groups of devices, target port groups of LUNs
 * (SPC-4 5.15), their identifiers and who is in them.
 */
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "alua.h"
#include "configfs_tree.h"

#define ALUA_MAX_GROUPS		0xffff

DEFINE_MUTEX(alua_lock);

/* All LU groups, under alua_lock. */
static LIST_HEAD(lu_gps);
static u32 lu_gps_count;
struct t10_alua_lu_gp *alua_default_lu_gp;

/* ------------------------------------------------------------------ */
/* LU groups */

/**
 * alua_lu_group_create() - makes a group without members or identifier
 * @name:	of its directory
 *
 * Return: the group, which its directory owns, or an ERR_PTR().
 */
struct t10_alua_lu_gp *alua_lu_group_create(const char *name)
{
	struct core_lu_gp *core = kzalloc(sizeof(*core), GFP_KERNEL);
	struct t10_alua_lu_gp *gp;

	if (!core)
		return ERR_PTR(-ENOMEM);
	gp = &core->gp;
	INIT_LIST_HEAD(&gp->lu_gp_node);
	INIT_LIST_HEAD(&gp->lu_gp_mem_list);
	spin_lock_init(&gp->lu_gp_lock);
	atomic_set(&gp->lu_gp_ref_cnt, 0);
	config_group_init_type_name(&gp->lu_gp_group, name, &alua_lu_gp_cit);
	if (!group_is_named(&gp->lu_gp_group)) {
		kfree(core);
		return ERR_PTR(-ENOMEM);
	}

	mutex_lock(&alua_lock);
	list_add_tail(&gp->lu_gp_node, &lu_gps);
	mutex_unlock(&alua_lock);
	return gp;
}

static bool lu_id_taken(u16 id)
{
	struct t10_alua_lu_gp *gp;

	list_for_each_entry(gp, &lu_gps, lu_gp_node)
		if (gp->lu_gp_valid_id && gp->lu_gp_id == id)
			return true;
	return false;
}

/**
 * alua_lu_group_set_id() - gives a group its identifier, once
 * @gp:		the group
 * @id:		what REPORT and INQUIRY call it
 *
 * Return: 0, or -EINVAL when it has one or another group has this one.
 */
int alua_lu_group_set_id(struct t10_alua_lu_gp *gp, u16 id)
{
	int err = -EINVAL;

	mutex_lock(&alua_lock);
	if (gp->lu_gp_valid_id)
		pr_warn("LU group %s has an identifier already: %u\n",
			config_item_name(&gp->lu_gp_group.cg_item), gp->lu_gp_id);
	else if (lu_id_taken(id))
		pr_warn("LU group identifier %u is another group's\n", id);
	else if (lu_gps_count >= ALUA_MAX_GROUPS)
		err = -ENOSPC;
	else
		err = 0;
	if (!err) {
		gp->lu_gp_id = id;
		gp->lu_gp_valid_id = 1;
		lu_gps_count++;
	}
	mutex_unlock(&alua_lock);
	return err;
}

static void lu_leave(struct t10_alua_lu_gp_member *mem)
{
	struct t10_alua_lu_gp *gp = mem->lu_gp;

	lockdep_assert_held(&alua_lock);
	if (!gp)
		return;
	list_del_init(&mem->lu_gp_mem_list);
	gp->lu_gp_members--;
	mem->lu_gp_assoc = false;
	WRITE_ONCE(mem->lu_gp, NULL);
}

static void lu_join(struct t10_alua_lu_gp_member *mem, struct t10_alua_lu_gp *gp)
{
	lockdep_assert_held(&alua_lock);
	list_add_tail(&mem->lu_gp_mem_list, &gp->lu_gp_mem_list);
	gp->lu_gp_members++;
	mem->lu_gp_assoc = true;
	WRITE_ONCE(mem->lu_gp, gp);
}

/**
 * alua_lu_group_members() - the devices of a group, a line each
 * @gp:		the group
 * @page:	gets what fits
 *
 * Return: bytes in @page.
 */
ssize_t alua_lu_group_members(struct t10_alua_lu_gp *gp, char *page)
{
	struct t10_alua_lu_gp_member *mem;
	ssize_t len = 0;

	mutex_lock(&alua_lock);
	list_for_each_entry(mem, &gp->lu_gp_mem_list, lu_gp_mem_list) {
		struct se_device *dev = mem->lu_gp_mem_dev;

		len += sysfs_emit_at(page, len, "%s/%s\n",
				     config_item_name(&dev->se_hba->hba_group.cg_item),
				     config_item_name(&dev->dev_group.cg_item));
	}
	mutex_unlock(&alua_lock);
	return len;
}

/**
 * alua_lu_group_remove() - the group's directory goes
 * @gp:		the group; its members fall back to the default group
 */
void alua_lu_group_remove(struct t10_alua_lu_gp *gp)
{
	struct t10_alua_lu_gp_member *mem, *next;

	mutex_lock(&alua_lock);
	list_for_each_entry_safe(mem, next, &gp->lu_gp_mem_list, lu_gp_mem_list) {
		lu_leave(mem);
		if (gp != alua_default_lu_gp)
			lu_join(mem, alua_default_lu_gp);
	}
	list_del_init(&gp->lu_gp_node);
	if (gp->lu_gp_valid_id)
		lu_gps_count--;
	gp->lu_gp_valid_id = 0;
	mutex_unlock(&alua_lock);
}

/**
 * alua_lu_group_free() - nobody has the group's directory open any more
 * @gp:		the group; INQUIRY may still look at it for a moment
 */
void alua_lu_group_free(struct t10_alua_lu_gp *gp)
{
	kfree_rcu(container_of(gp, struct core_lu_gp, gp), rcu);
}

static struct t10_alua_lu_gp *lu_find(const char *name)
{
	struct t10_alua_lu_gp *gp;

	list_for_each_entry(gp, &lu_gps, lu_gp_node)
		if (gp->lu_gp_valid_id && gp != alua_default_lu_gp &&
		    !strcmp(config_item_name(&gp->lu_gp_group.cg_item), name))
			return gp;
	return NULL;
}

/**
 * alua_dev_show_lu_group() - the attribute alua_lu_gp of a device
 * @dev:	the device
 * @page:	gets the group's name and identifier; nothing when there is none
 *
 * Return: bytes in @page.
 */
ssize_t alua_dev_show_lu_group(struct se_device *dev, char *page)
{
	struct t10_alua_lu_gp_member *mem;
	ssize_t len = 0;

	mutex_lock(&alua_lock);
	mem = dev->dev_alua_lu_gp_mem;
	if (mem && mem->lu_gp)
		len = sysfs_emit(page, "LU Group Alias: %s\nLU Group ID: %u\n",
				 config_item_name(&mem->lu_gp->lu_gp_group.cg_item),
				 mem->lu_gp->lu_gp_id);
	mutex_unlock(&alua_lock);
	return len;
}

/* Copies a group's name without white space around it. */
static int group_name(const char *page, size_t count, char *name, size_t size)
{
	char *text;

	if (count > size - 1 || memchr(page, 0, count))
		return -EINVAL;
	memcpy(name, page, count);
	name[count] = 0;
	text = strim(name);
	memmove(name, text, strlen(text) + 1);
	return 0;
}

/**
 * alua_dev_store_lu_group() - moves a device to another LU group
 * @dev:	the device
 * @page:	the group's name, "NULL" for none
 * @count:	its length
 *
 * Return: @count, -EINVAL when it is no name, -ENODEV when there is no such group.
 * A device that is not enabled, or whose backstore does ALUA, ignores it.
 */
ssize_t alua_dev_store_lu_group(struct se_device *dev, const char *page, size_t count)
{
	char name[LU_GROUP_NAME_BUF + 1];
	struct t10_alua_lu_gp *gp = NULL;
	ssize_t ret = count;

	if (!READ_ONCE(dev->dev_alua_lu_gp_mem))
		return count;
	if (group_name(page, count, name, sizeof(name)))
		return -EINVAL;

	mutex_lock(&alua_lock);
	if (strcmp(name, "NULL")) {
		gp = lu_find(name);
		if (!gp)
			ret = -ENODEV;
	}
	if (ret > 0) {
		lu_leave(dev->dev_alua_lu_gp_mem);
		if (gp)
			lu_join(dev->dev_alua_lu_gp_mem, gp);
	}
	mutex_unlock(&alua_lock);
	return ret;
}

/* ------------------------------------------------------------------ */
/* Target port groups */

/**
 * alua_tg_group_create() - makes a group without members or identifier
 * @dev:	whose group it is
 * @name:	of its directory
 *
 * Return: the group, which its directory owns, or an ERR_PTR().
 */
struct t10_alua_tg_pt_gp *alua_tg_group_create(struct se_device *dev, const char *name)
{
	struct core_tg_pt_gp *core = kzalloc(sizeof(*core), GFP_KERNEL);
	struct t10_alua_tg_pt_gp *gp;

	if (!core)
		return ERR_PTR(-ENOMEM);
	gp = &core->gp;
	INIT_LIST_HEAD(&gp->tg_pt_gp_list);
	INIT_LIST_HEAD(&gp->tg_pt_gp_lun_list);
	mutex_init(&gp->tg_pt_gp_transition_mutex);
	spin_lock_init(&gp->tg_pt_gp_lock);
	atomic_set(&gp->tg_pt_gp_ref_cnt, 1);
	gp->tg_pt_gp_dev = dev;
	gp->tg_pt_gp_alua_access_state = SCSI_ACCESS_STATE_OPTIMAL;
	gp->tg_pt_gp_alua_access_status = ALUA_STATUS_NONE;
	gp->tg_pt_gp_alua_access_type = ALUA_TPGS_IMPLICIT | ALUA_TPGS_EXPLICIT;
	gp->tg_pt_gp_nonop_delay_msecs = ALUA_NONOP_DEFAULT_MSECS;
	gp->tg_pt_gp_alua_supported_states = ALUA_T_SUP | ALUA_O_SUP | ALUA_U_SUP |
		ALUA_S_SUP | ALUA_AN_SUP | ALUA_AO_SUP;
	config_group_init_type_name(&gp->tg_pt_gp_group, name, &alua_tg_pt_gp_cit);
	if (!group_is_named(&gp->tg_pt_gp_group)) {
		kfree(core);
		return ERR_PTR(-ENOMEM);
	}

	mutex_lock(&alua_lock);
	list_add_tail(&gp->tg_pt_gp_list, &dev->t10_alua.tg_pt_gps_list);
	mutex_unlock(&alua_lock);
	return gp;
}

static bool tg_id_taken(struct se_device *dev, u16 id)
{
	struct t10_alua_tg_pt_gp *gp;

	list_for_each_entry(gp, &dev->t10_alua.tg_pt_gps_list, tg_pt_gp_list)
		if (gp->tg_pt_gp_valid_id && gp->tg_pt_gp_id == id)
			return true;
	return false;
}

/**
 * alua_tg_group_set_id() - gives a group its identifier, once
 * @gp:		the group
 * @id:		what REPORT TARGET PORT GROUPS and INQUIRY call it
 *
 * Return: 0, or -EINVAL when it has one or another group of the device has this one.
 */
int alua_tg_group_set_id(struct t10_alua_tg_pt_gp *gp, u16 id)
{
	struct t10_alua *alua = &gp->tg_pt_gp_dev->t10_alua;
	int err = -EINVAL;

	mutex_lock(&alua_lock);
	if (gp->tg_pt_gp_valid_id)
		pr_warn("target port group %s has an identifier already: %u\n",
			config_item_name(&gp->tg_pt_gp_group.cg_item), gp->tg_pt_gp_id);
	else if (tg_id_taken(gp->tg_pt_gp_dev, id))
		pr_warn("target port group identifier %u is another group's\n", id);
	else if (alua->alua_tg_pt_gps_count >= ALUA_MAX_GROUPS)
		err = -ENOSPC;
	else
		err = 0;
	if (!err) {
		gp->tg_pt_gp_id = id;
		gp->tg_pt_gp_valid_id = 1;
		alua->alua_tg_pt_gps_count++;
	}
	mutex_unlock(&alua_lock);
	return err;
}

static void tg_leave(struct se_lun *lun)
{
	struct t10_alua_tg_pt_gp *gp;

	gp = rcu_dereference_protected(lun->lun_tg_pt_gp, lockdep_is_held(&alua_lock));
	if (!gp)
		return;
	list_del_init(&lun->lun_tg_pt_gp_link);
	gp->tg_pt_gp_members--;
	rcu_assign_pointer(lun->lun_tg_pt_gp, NULL);
}

static void tg_join(struct se_lun *lun, struct t10_alua_tg_pt_gp *gp)
{
	lockdep_assert_held(&alua_lock);
	list_add_tail(&lun->lun_tg_pt_gp_link, &gp->tg_pt_gp_lun_list);
	gp->tg_pt_gp_members++;
	rcu_assign_pointer(lun->lun_tg_pt_gp, gp);
}

/**
 * alua_tg_group_members() - the LUNs of a group, a line each
 * @gp:		the group
 * @page:	gets what fits
 *
 * The fabric's tpg_get_wwn() and tpg_get_tag() read fields of its objects.
 *
 * Return: bytes in @page.
 */
ssize_t alua_tg_group_members(struct t10_alua_tg_pt_gp *gp, char *page)
{
	ssize_t len = 0;
	struct se_lun *lun;

	mutex_lock(&alua_lock);
	list_for_each_entry(lun, &gp->tg_pt_gp_lun_list, lun_tg_pt_gp_link) {
		struct se_portal_group *tpg = lun->lun_tpg;
		const struct target_core_fabric_ops *tfo = tpg->se_tpg_tfo;

		len += sysfs_emit_at(page, len, "%s/%s/tpgt_%hu/%s\n",
				     tfo->fabric_name, tfo->tpg_get_wwn(tpg), tfo->tpg_get_tag(tpg),
				     config_item_name(&lun->lun_group.cg_item));
	}
	mutex_unlock(&alua_lock);
	return len;
}

/**
 * alua_tg_group_remove() - the group's directory goes
 * @gp:		the group; its LUNs fall back to the device's default group
 */
void alua_tg_group_remove(struct t10_alua_tg_pt_gp *gp)
{
	struct t10_alua *alua = &gp->tg_pt_gp_dev->t10_alua;
	struct se_lun *lun, *next;

	mutex_lock(&alua_lock);
	if (alua->default_tg_pt_gp == gp)
		alua->default_tg_pt_gp = NULL;
	list_for_each_entry_safe(lun, next, &gp->tg_pt_gp_lun_list, lun_tg_pt_gp_link) {
		tg_leave(lun);
		if (alua->default_tg_pt_gp)
			tg_join(lun, alua->default_tg_pt_gp);
	}
	list_del_init(&gp->tg_pt_gp_list);
	if (gp->tg_pt_gp_valid_id)
		alua->alua_tg_pt_gps_count--;
	mutex_unlock(&alua_lock);
}

/**
 * alua_tg_group_put() - drops the directory's reference or a transition's
 * @gp:		the group; commands may still look at it for a moment
 */
void alua_tg_group_put(struct t10_alua_tg_pt_gp *gp)
{
	if (atomic_dec_and_test(&gp->tg_pt_gp_ref_cnt))
		kfree_rcu(to_core_tg_pt_gp(gp), rcu);
}

static struct t10_alua_tg_pt_gp *tg_find(struct se_device *dev, const char *name)
{
	struct t10_alua_tg_pt_gp *gp;

	list_for_each_entry(gp, &dev->t10_alua.tg_pt_gps_list, tg_pt_gp_list)
		if (gp->tg_pt_gp_valid_id &&
		    !strcmp(config_item_name(&gp->tg_pt_gp_group.cg_item), name))
			return gp;
	return NULL;
}

/* INQUIRY data name the group: every initiator with this LUN is told (SPC-4 5.15.2.8). */
static void lun_ua_inquiry_changed(struct se_lun *lun)
{
	struct se_dev_entry *deve;

	spin_lock_irq(&lun->lun_deve_lock);
	list_for_each_entry(deve, &lun->lun_deve_list, lun_link)
		ua_allocate(deve, 0x3f, 0x03);
	spin_unlock_irq(&lun->lun_deve_lock);
}

static const char *secondary_state(struct se_lun *lun)
{
	return atomic_read(&lun->lun_tg_pt_secondary_offline) ? "Offline" : "None";
}

/**
 * alua_lun_show_group() - the attribute alua_tg_pt_gp of a LUN
 * @lun:	the LUN
 * @page:	gets the group and its state
 *
 * Return: bytes in @page.
 */
ssize_t alua_lun_show_group(struct se_lun *lun, char *page)
{
	struct t10_alua_tg_pt_gp *gp;
	ssize_t len = 0;

	mutex_lock(&alua_lock);
	gp = rcu_dereference_protected(lun->lun_tg_pt_gp, lockdep_is_held(&alua_lock));
	if (gp)
		len = sysfs_emit(page,
				 "TG Port Alias: %s\nTG Port Group ID: %hu\n"
				 "TG Port Primary Access State: %s\n"
				 "TG Port Primary Access Status: %s\n"
				 "TG Port Secondary Access State: %s\n"
				 "TG Port Secondary Access Status: %s\n",
				 config_item_name(&gp->tg_pt_gp_group.cg_item), gp->tg_pt_gp_id,
				 alua_state_name(gp->tg_pt_gp_alua_access_state),
				 alua_status_name(gp->tg_pt_gp_alua_access_status),
				 secondary_state(lun),
				 alua_status_name(lun->lun_tg_pt_secondary_stat));
	mutex_unlock(&alua_lock);
	return len;
}

/* Under alua_lock. "NULL" means back to the default group. */
static int lun_move(struct se_lun *lun, struct se_device *dev, const char *name)
{
	struct t10_alua_tg_pt_gp *gp, *old;

	old = rcu_dereference_protected(lun->lun_tg_pt_gp, lockdep_is_held(&alua_lock));
	if (!strcmp(name, "NULL")) {
		if (!old)
			return -EINVAL;
		gp = dev->t10_alua.default_tg_pt_gp;
	} else {
		gp = tg_find(dev, name);
		if (!gp)
			return -ENODEV;
	}
	if (gp == old)
		return 0;
	tg_leave(lun);
	if (gp)
		tg_join(lun, gp);
	lun_ua_inquiry_changed(lun);
	return 0;
}

/**
 * alua_lun_store_group() - moves a LUN to another group of its device
 * @lun:	the LUN; tpg_lun_mutex keeps its device
 * @page:	the group's name, "NULL" for the default group
 * @count:	its length
 *
 * Return: @count, -EINVAL when it is no name, -ENODEV when there is no such group
 * or no device.
 */
ssize_t alua_lun_store_group(struct se_lun *lun, const char *page, size_t count)
{
	char name[TG_PT_GROUP_NAME_BUF + 1];
	struct se_device *dev;
	int err;

	if (group_name(page, count, name, sizeof(name)))
		return -EINVAL;
	mutex_lock(&lun->lun_tpg->tpg_lun_mutex);
	mutex_lock(&alua_lock);
	dev = rcu_dereference_protected(lun->lun_se_dev,
					lockdep_is_held(&lun->lun_tpg->tpg_lun_mutex));
	if (!dev || (dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH_ALUA))
		err = -ENODEV;
	else
		err = lun_move(lun, dev, name);
	mutex_unlock(&alua_lock);
	mutex_unlock(&lun->lun_tpg->tpg_lun_mutex);
	return err ? err : count;
}

/**
 * alua_lun_attach() - a LUN that is being linked joins the default group
 * @lun:	the LUN
 * @dev:	its device
 */
void alua_lun_attach(struct se_lun *lun, struct se_device *dev)
{
	if (dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH_ALUA)
		return;
	mutex_lock(&alua_lock);
	if (dev->t10_alua.default_tg_pt_gp)
		tg_join(lun, dev->t10_alua.default_tg_pt_gp);
	mutex_unlock(&alua_lock);
}

/**
 * alua_lun_detach() - a LUN that is being unlinked leaves its group
 * @lun:	the LUN
 */
void alua_lun_detach(struct se_lun *lun)
{
	mutex_lock(&alua_lock);
	tg_leave(lun);
	mutex_unlock(&alua_lock);
}

/* ------------------------------------------------------------------ */
/* Devices */

/**
 * alua_dev_init() - prepares a new device's part
 * @dev:	the device
 *
 * Return: 0. Its default target port group comes with its directory.
 */
int alua_dev_init(struct se_device *dev)
{
	struct t10_alua *alua = &dev->t10_alua;

	alua->t10_dev = dev;
	spin_lock_init(&alua->lba_map_lock);
	INIT_LIST_HEAD(&alua->lba_map_list);
	spin_lock_init(&alua->tg_pt_gps_lock);
	INIT_LIST_HEAD(&alua->tg_pt_gps_list);
	return 0;
}

/**
 * alua_dev_configure() - a device that is enabled joins the default LU group
 * @dev:	the device
 *
 * Return: 0 or -ENOMEM.
 */
int alua_dev_configure(struct se_device *dev)
{
	struct t10_alua_lu_gp_member *mem;

	/* The device that answers for an empty LUN 0 has no directory. */
	if ((dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH_ALUA) ||
	    !config_item_name(&dev->dev_group.cg_item))
		return 0;
	mem = kzalloc(sizeof(*mem), GFP_KERNEL);
	if (!mem)
		return -ENOMEM;
	INIT_LIST_HEAD(&mem->lu_gp_mem_list);
	spin_lock_init(&mem->lu_gp_mem_lock);
	atomic_set(&mem->lu_gp_mem_ref_cnt, 0);
	mem->lu_gp_mem_dev = dev;

	mutex_lock(&alua_lock);
	WRITE_ONCE(dev->dev_alua_lu_gp_mem, mem);
	lu_join(mem, alua_default_lu_gp);
	mutex_unlock(&alua_lock);
	return 0;
}

/**
 * alua_dev_unlist() - the device's directory goes, and with it the name
 * @dev:	the device; leaves its LU group
 */
void alua_dev_unlist(struct se_device *dev)
{
	mutex_lock(&alua_lock);
	if (dev->dev_alua_lu_gp_mem)
		lu_leave(dev->dev_alua_lu_gp_mem);
	mutex_unlock(&alua_lock);
}

/**
 * alua_dev_exit() - undoes alua_dev_configure() and alua_dev_init()
 * @dev:	the device; no command of it is left
 */
void alua_dev_exit(struct se_device *dev)
{
	struct t10_alua_lu_gp_member *mem;

	mutex_lock(&alua_lock);
	mem = dev->dev_alua_lu_gp_mem;
	if (mem)
		lu_leave(mem);
	dev->dev_alua_lu_gp_mem = NULL;
	mutex_unlock(&alua_lock);
	kfree(mem);
	alua_lba_map_free(dev);
}

/**
 * alua_init() - makes the default LU group
 *
 * Return: 0 or a negative errno.
 */
int alua_init(void)
{
	struct t10_alua_lu_gp *gp = alua_lu_group_create("default_lu_gp");

	if (IS_ERR(gp))
		return PTR_ERR(gp);
	alua_default_lu_gp = gp;
	return alua_lu_group_set_id(gp, 0);
}

/* The default LU group goes when configfs drops its directory's reference. */
void alua_exit(void)
{
	alua_lu_group_remove(alua_default_lu_gp);
	config_group_put(&alua_default_lu_gp->lu_gp_group);
	alua_default_lu_gp = NULL;
}
