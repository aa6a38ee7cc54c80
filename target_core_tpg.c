// SPDX-License-Identifier: GPL-2.0
/* Target portal groups, and the ACLs of the initiators that may log in to them. */
#include "core.h"

#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/xarray.h>

/* RELATIVE TARGET PORT IDENTIFIERs in use (SPC-4 clause 7.8.6): of TPGs that are enabled or need no enabling. */
static DEFINE_XARRAY_ALLOC1(rtpi_xa);

/*
 * From here on are those of TPGs that need no enabling: other TPGs are to have
 * the same ones whether there are such TPGs or not, and an administrator's
 * choice is not to be taken.
 */
#define RTPI_NEVER_ENABLED	0x8000

/* One writer of enable or rtpi at a time: se_portal_group has no lock for it that a fabric would not take. */
static DEFINE_MUTEX(enable_lock);

static struct se_node_acl *find_acl(struct se_portal_group *tpg, const char *initiatorname)
{
	struct se_node_acl *acl;

	lockdep_assert_held(&tpg->acl_node_mutex);
	list_for_each_entry(acl, &tpg->acl_node_list, acl_list)
		if (!strcmp(acl->initiatorname, initiatorname))
			return acl;
	return NULL;
}

/**
 * core_tpg_get_initiator_node_acl - look for an ACL, one that demo mode made too
 * @tpg:	the TPG
 * @initiatorname: the initiator
 *
 * May sleep.
 *
 * Return: the ACL with a reference, for target_put_nacl(), or NULL.
 */
struct se_node_acl *core_tpg_get_initiator_node_acl(struct se_portal_group *tpg, unsigned char *initiatorname)
{
	struct se_node_acl *acl;

	mutex_lock(&tpg->acl_node_mutex);
	acl = find_acl(tpg, initiatorname);
	if (acl && !kref_get_unless_zero(&acl->acl_kref))
		acl = NULL;
	mutex_unlock(&tpg->acl_node_mutex);
	return acl;
}

/**
 * target_tpg_has_node_acl - is there an ACL that somebody configured
 * @tpg:	the TPG
 * @initiatorname: the initiator
 *
 * May sleep.
 *
 * Return: true if it has one for the initiator.
 */
bool target_tpg_has_node_acl(struct se_portal_group *tpg, const char *initiatorname)
{
	struct se_node_acl *acl;
	bool found;

	mutex_lock(&tpg->acl_node_mutex);
	acl = find_acl(tpg, initiatorname);
	found = acl && !acl->dynamic_node_acl;
	mutex_unlock(&tpg->acl_node_mutex);
	return found;
}

static struct se_node_acl *alloc_acl(struct se_portal_group *tpg, const char *initiatorname)
{
	const struct target_core_fabric_ops *tfo = tpg->se_tpg_tfo;
	struct se_node_acl *acl = kzalloc(max(sizeof(*acl), tfo->node_acl_size), GFP_KERNEL);

	if (!acl)
		return NULL;
	INIT_LIST_HEAD(&acl->acl_list);
	INIT_LIST_HEAD(&acl->acl_sess_list);
	INIT_HLIST_HEAD(&acl->lun_entry_hlist);
	kref_init(&acl->acl_kref);
	init_completion(&acl->acl_free_comp);
	spin_lock_init(&acl->nacl_sess_lock);
	mutex_init(&acl->lun_entry_mutex);
	atomic_set(&acl->acl_pr_ref_count, 0);
	acl->queue_depth = max(tfo->tpg_get_default_depth ? tfo->tpg_get_default_depth(tpg) : 1, 1U);
	strscpy(acl->initiatorname, initiatorname, sizeof(acl->initiatorname));
	acl->se_tpg = tpg;
	acl->acl_index = scsi_new_index(SCSI_AUTH_INTR_INDEX);
	if (tfo->set_default_node_attributes)
		tfo->set_default_node_attributes(acl);
	return acl;
}

static bool demo_mode_maps_luns(struct se_portal_group *tpg)
{
	const struct target_core_fabric_ops *tfo = tpg->se_tpg_tfo;

	return !tfo->tpg_check_demo_mode_login_only || !tfo->tpg_check_demo_mode_login_only(tpg);
}

static struct se_node_acl *add_demo_acl(struct se_portal_group *tpg, const char *initiatorname)
{
	struct se_node_acl *acl = alloc_acl(tpg, initiatorname);

	lockdep_assert_held(&tpg->acl_node_mutex);
	if (!acl)
		return NULL;
	acl->dynamic_node_acl = true;
	/* One reference is the list's, the other the caller's. */
	kref_get(&acl->acl_kref);
	list_add_tail(&acl->acl_list, &tpg->acl_node_list);
	if (demo_mode_maps_luns(tpg))
		nacl_map_all(acl, tpg, NULL);
	return acl;
}

/* Whoever waits for this frees the ACL; when nobody does any more (dynamic_stop, nacl_sess_lock) it goes here. */
static void acl_last_put(struct kref *kref)
{
	struct se_node_acl *acl = container_of(kref, struct se_node_acl, acl_kref);
	unsigned long flags;
	bool abandoned;

	spin_lock_irqsave(&acl->nacl_sess_lock, flags);
	abandoned = acl->dynamic_stop;
	if (!abandoned)
		complete(&acl->acl_free_comp);
	spin_unlock_irqrestore(&acl->nacl_sess_lock, flags);
	if (abandoned)
		kfree(acl);
}

/**
 * target_put_nacl - give back a reference to an ACL
 * @nacl:	the ACL
 */
void target_put_nacl(struct se_node_acl *nacl)
{
	kref_put(&nacl->acl_kref, acl_last_put);
}

/*
 * Frees an ACL that is in no list. Its references are its sessions', which a
 * fabric with close_session ends by its own deadlines; an ACL whose sessions
 * live longer goes with the last of them.
 */
static void free_acl(struct se_node_acl *acl)
{
	unsigned long limit = acl->se_tpg->se_tpg_tfo->close_session ? CORE_DEADLINE * HZ : 0;
	unsigned long flags;
	bool last;

	target_put_nacl(acl);
	last = wait_for_completion_timeout(&acl->acl_free_comp, limit);
	spin_lock_irqsave(&acl->nacl_sess_lock, flags);
	if (!last)
		last = try_wait_for_completion(&acl->acl_free_comp);
	acl->dynamic_stop = !last;
	if (!last)
		pr_info_ratelimited("%s has no ACL any more, but sessions that go on\n", acl->initiatorname);
	spin_unlock_irqrestore(&acl->nacl_sess_lock, flags);
	if (last)
		kfree(acl);
}

/* Whoever is in no list has no LUNs: lun_detach() finds all that lead to a LUN. */
static void unlist_acl(struct se_node_acl *acl)
{
	lockdep_assert_held(&acl->se_tpg->acl_node_mutex);
	list_del_init(&acl->acl_list);
	nacl_unmap_all(acl, acl->se_tpg);
}

/* Initiators of demo mode that are not logged in, and that a TPG remembers where its fabric asks for that. */
#define CACHED_ACLS_MAX	256

/*
 * Whoever logs in with ever new names takes no more memory than that: returns the
 * oldest of them, which is in no list then and to be freed, or NULL.
 */
static struct se_node_acl *take_surplus_acl(struct se_portal_group *tpg)
{
	struct se_node_acl *acl, *oldest = NULL;
	unsigned int n = 0;

	lockdep_assert_held(&tpg->acl_node_mutex);
	list_for_each_entry(acl, &tpg->acl_node_list, acl_list) {
		/* One reference: the list's. Others come only with the mutex held. */
		if (!acl->dynamic_node_acl || kref_read(&acl->acl_kref) > 1 || atomic_read(&acl->acl_pr_ref_count))
			continue;
		oldest = oldest ?: acl;
		n++;
	}
	if (n <= CACHED_ACLS_MAX)
		return NULL;
	unlist_acl(oldest);
	return oldest;
}

/* Optional operations of a discovery TPG may be missing: its fabric brings them itself. */
static bool tpg_says(int (*op)(struct se_portal_group *tpg), struct se_portal_group *tpg)
{
	return op && op(tpg);
}

/**
 * core_tpg_check_initiator_node_acl - may this initiator log in
 * @tpg:	the TPG
 * @initiatorname: the initiator
 *
 * In demo mode who has no ACL gets one. May sleep.
 * Return: the ACL with a reference that is the session's, or NULL.
 */
struct se_node_acl *core_tpg_check_initiator_node_acl(struct se_portal_group *tpg, unsigned char *initiatorname)
{
	const struct target_core_fabric_ops *tfo = tpg->se_tpg_tfo;
	struct se_node_acl *acl, *surplus = NULL;

	if (strnlen(initiatorname, TRANSPORT_IQN_LEN) == TRANSPORT_IQN_LEN)
		return NULL;
	mutex_lock(&tpg->acl_node_mutex);
	acl = find_acl(tpg, initiatorname);
	if (acl) {
		acl = kref_get_unless_zero(&acl->acl_kref) ? acl : NULL;
	} else if (tpg_says(tfo->tpg_check_demo_mode, tpg)) {
		acl = add_demo_acl(tpg, initiatorname);
		surplus = take_surplus_acl(tpg);
	}
	mutex_unlock(&tpg->acl_node_mutex);
	if (surplus)
		free_acl(surplus);
	return acl;
}

void nacl_session_gone(struct se_node_acl *nacl)
{
	struct se_portal_group *tpg = nacl->se_tpg;
	const struct target_core_fabric_ops *tfo = tpg->se_tpg_tfo;
	bool last;

	mutex_lock(&tpg->acl_node_mutex);
	/* Two: the list's and this session's. Others come only with the mutex held. */
	last = nacl->dynamic_node_acl && kref_read(&nacl->acl_kref) == 2 && !list_empty(&nacl->acl_list) &&
	       !tpg_says(tfo->tpg_check_demo_mode_cache, tpg);
	if (last)
		unlist_acl(nacl);
	/* With the mutex held: the next one of two that end together must see that it is the last. */
	target_put_nacl(nacl);
	mutex_unlock(&tpg->acl_node_mutex);
	if (last)
		free_acl(nacl);
}

/* Asks the fabric to end the sessions of an ACL. */
static void shutdown_sessions(struct se_node_acl *acl)
{
	const struct target_core_fabric_ops *tfo = acl->se_tpg->se_tpg_tfo;
	struct se_session *sess;
	unsigned long flags;

	for (;;) {
		spin_lock_irqsave(&acl->nacl_sess_lock, flags);
		sess = list_first_entry_or_null(&acl->acl_sess_list, struct se_session, sess_acl_list);
		if (sess) {
			list_del_init(&sess->sess_acl_list);
			session_close_begin(sess);
		}
		spin_unlock_irqrestore(&acl->nacl_sess_lock, flags);
		if (!sess)
			return;
		if (tfo->close_session)
			tfo->close_session(sess);
		session_close_end(sess);
	}
}

/**
 * tpg_add_acl - mkdir in acls/
 * @tpg:	the TPG
 * @initiatorname: the initiator, shorter than TRANSPORT_IQN_LEN
 *
 * Demo mode's ACL of an initiator that is logged in becomes this one. May sleep.
 * Return: the ACL, or an ERR_PTR(): -EEXIST, -ENOMEM.
 */
struct se_node_acl *tpg_add_acl(struct se_portal_group *tpg, const char *initiatorname)
{
	struct se_node_acl *acl;

	mutex_lock(&tpg->acl_node_mutex);
	acl = find_acl(tpg, initiatorname);
	if (acl && !acl->dynamic_node_acl) {
		acl = ERR_PTR(-EEXIST);
	} else if (acl) {
		acl->dynamic_node_acl = false;
	} else {
		acl = alloc_acl(tpg, initiatorname);
		if (acl)
			list_add_tail(&acl->acl_list, &tpg->acl_node_list);
		else
			acl = ERR_PTR(-ENOMEM);
	}
	mutex_unlock(&tpg->acl_node_mutex);
	return acl;
}

/**
 * tpg_del_acl - rmdir in acls/; frees the ACL
 * @acl:	the ACL
 *
 * Ends its sessions, if the fabric can; others go on without LUNs. May sleep.
 */
void tpg_del_acl(struct se_node_acl *acl)
{
	struct se_portal_group *tpg = acl->se_tpg;

	mutex_lock(&tpg->acl_node_mutex);
	unlist_acl(acl);
	mutex_unlock(&tpg->acl_node_mutex);
	shutdown_sessions(acl);
	free_acl(acl);
}

/**
 * core_tpg_set_initiator_node_queue_depth - change the depth an initiator gets
 * @acl:	its ACL
 * @queue_depth: commands; 0 counts as 1
 *
 * Its sessions end, to begin anew with the other depth. May sleep.
 *
 * Return: 0.
 */
int core_tpg_set_initiator_node_queue_depth(struct se_node_acl *acl, u32 queue_depth)
{
	if (acl->queue_depth == queue_depth)
		return 0;
	acl->queue_depth = max(queue_depth, 1U);
	shutdown_sessions(acl);
	return 0;
}

/**
 * core_tpg_set_initiator_node_tag - name an ACL for management software
 * @tpg:	its TPG
 * @acl:	the ACL
 * @new_tag:	shorter than MAX_ACL_TAG_SIZE; "NULL" for none
 *
 * Return: 0 or -EINVAL.
 */
int core_tpg_set_initiator_node_tag(struct se_portal_group *tpg, struct se_node_acl *acl, const char *new_tag)
{
	if (strlen(new_tag) >= MAX_ACL_TAG_SIZE)
		return -EINVAL;
	strscpy(acl->acl_tag, strncmp(new_tag, "NULL", 4) ? new_tag : "", sizeof(acl->acl_tag));
	return 0;
}

static int setup_virtual_lun0(struct se_portal_group *tpg)
{
	struct se_lun *lun = lun_create(tpg, 0);
	int ret;

	if (IS_ERR(lun))
		return PTR_ERR(lun);
	ret = lun_attach(tpg, g_lun0_dev, lun);
	if (ret)
		lun_destroy(lun);
	else
		tpg->tpg_virt_lun0 = lun;
	return ret;
}

/**
 * core_tpg_register - initialise a TPG
 * @se_wwn:	its WWN; NULL for a discovery TPG, whose se_tpg_tfo the fabric has set
 * @se_tpg:	zeroed but for that
 * @proto_id:	SPC-4 clause 7.6.1; negative: nobody sends it SCSI commands
 *
 * May sleep.
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int core_tpg_register(struct se_wwn *se_wwn, struct se_portal_group *se_tpg, int proto_id)
{
	if (!se_tpg)
		return -EINVAL;
	if (se_wwn)
		se_tpg->se_tpg_tfo = se_wwn->wwn_tf->tf_ops;
	if (!se_tpg->se_tpg_tfo)
		return -EINVAL;
	INIT_HLIST_HEAD(&se_tpg->tpg_lun_hlist);
	INIT_LIST_HEAD(&se_tpg->acl_node_list);
	INIT_LIST_HEAD(&se_tpg->tpg_sess_list);
	spin_lock_init(&se_tpg->session_lock);
	mutex_init(&se_tpg->tpg_lun_mutex);
	mutex_init(&se_tpg->acl_node_mutex);
	atomic_set(&se_tpg->tpg_pr_ref_count, 0);
	se_tpg->proto_id = proto_id;
	se_tpg->se_tpg_wwn = se_wwn;
	return proto_id >= 0 ? setup_virtual_lun0(se_tpg) : 0;
}

/**
 * core_tpg_deregister - the end of a TPG that has no LUNs and no sessions
 * @se_tpg:	the TPG
 *
 * Takes what demo mode's initiators have left. May sleep.
 *
 * Return: 0.
 */
int core_tpg_deregister(struct se_portal_group *se_tpg)
{
	struct se_node_acl *acl;

	do {
		mutex_lock(&se_tpg->acl_node_mutex);
		acl = list_first_entry_or_null(&se_tpg->acl_node_list, struct se_node_acl, acl_list);
		if (acl)
			unlist_acl(acl);
		mutex_unlock(&se_tpg->acl_node_mutex);
		if (acl)
			free_acl(acl);
	} while (acl);
	if (se_tpg->proto_id >= 0 && se_tpg->tpg_virt_lun0) {
		lun_detach(se_tpg, se_tpg->tpg_virt_lun0);
		lun_destroy(se_tpg->tpg_virt_lun0);
		se_tpg->tpg_virt_lun0 = NULL;
	}
	if (COMPAT_TPG_RTPI)
		xa_cmpxchg(&rtpi_xa, compat_tpg_rtpi(se_tpg), se_tpg, NULL, GFP_KERNEL);
	return 0;
}

/* An identifier of at least @first that nobody has. */
static int alloc_rtpi(struct se_portal_group *tpg, u32 first)
{
	u32 id;
	int ret = xa_alloc(&rtpi_xa, &id, tpg, XA_LIMIT(first, U16_MAX), GFP_KERNEL);

	if (!ret)
		compat_tpg_set_rtpi(tpg, id, false);
	return ret;
}

/* An identifier that nobody has, or the one that was asked for. */
static int take_rtpi(struct se_portal_group *tpg)
{
	int ret;

	if (!compat_tpg_rtpi_manual(tpg))
		return alloc_rtpi(tpg, 1);
	ret = xa_insert(&rtpi_xa, compat_tpg_rtpi(tpg), tpg, GFP_KERNEL);
	return ret == -EBUSY ? -EINVAL : ret;
}

/* The TPG goes on showing the one that it had. */
static void give_rtpi(struct se_portal_group *tpg)
{
	xa_cmpxchg(&rtpi_xa, compat_tpg_rtpi(tpg), tpg, NULL, GFP_KERNEL);
}

static int set_enabled(struct se_portal_group *tpg, bool enable)
{
	int ret;

	lockdep_assert_held(&enable_lock);
	if (enable && COMPAT_TPG_RTPI) {
		ret = take_rtpi(tpg);
		if (ret)
			return ret;
	}
	ret = tpg->se_tpg_tfo->fabric_enable_tpg(tpg, enable);
	if (COMPAT_TPG_RTPI && (ret ? enable : !enable))
		give_rtpi(tpg);
	if (!ret)
		tpg->enabled = enable;
	return ret;
}

/**
 * tpg_enable - the attribute enable of a TPG
 * @tpg:	the TPG, of a fabric with fabric_enable_tpg()
 * @enable:	on or off
 *
 * May sleep.
 *
 * Return: 0, -EINTR, or an error, the fabric's or of its identifier.
 */
int tpg_enable(struct se_portal_group *tpg, bool enable)
{
	int ret;

	if (mutex_lock_interruptible(&enable_lock))
		return -EINTR;
	ret = tpg->enabled == enable ? 0 : set_enabled(tpg, enable);
	mutex_unlock(&enable_lock);
	return ret;
}

/**
 * tpg_set_rtpi - choose the RELATIVE TARGET PORT IDENTIFIER
 * @tpg:	a TPG that is not enabled
 * @rtpi:	not zero
 *
 * May sleep.
 *
 * Return: 0, -EINVAL, -EINTR.
 */
int tpg_set_rtpi(struct se_portal_group *tpg, u16 rtpi)
{
	int ret = -EINVAL;

	if (mutex_lock_interruptible(&enable_lock))
		return -EINTR;
	if (!tpg->enabled && rtpi) {
		/* That of a TPG without the attribute enable. */
		give_rtpi(tpg);
		compat_tpg_set_rtpi(tpg, rtpi, true);
		ret = 0;
	}
	mutex_unlock(&enable_lock);
	return ret;
}

/**
 * tpg_number_port - a port that is about to have a device has a RELATIVE TARGET PORT IDENTIFIER
 * @tpg:	its TPG
 *
 * A TPG takes it when it is enabled; one whose fabric has no such attribute
 * takes it here, as 0 is reserved (SPC-4 clause 7.8.6) and would name all such
 * ports of a device alike. May sleep.
 *
 * Return: 0, -ENOMEM, -EBUSY when there are no more.
 */
int tpg_number_port(struct se_portal_group *tpg)
{
	int ret = 0;

	if (!COMPAT_TPG_RTPI || tpg->se_tpg_tfo->fabric_enable_tpg)
		return 0;
	mutex_lock(&enable_lock);
	if (!compat_tpg_rtpi(tpg))
		ret = alloc_rtpi(tpg, RTPI_NEVER_ENABLED);
	mutex_unlock(&enable_lock);
	return ret;
}

/**
 * core_allocate_nexus_loss_ua - tell an initiator that its nexus was lost
 * @nacl:	its ACL
 */
void core_allocate_nexus_loss_ua(struct se_node_acl *nacl)
{
	struct se_dev_entry *deve;

	if (!nacl)
		return;
	rcu_read_lock();
	hlist_for_each_entry_rcu(deve, &nacl->lun_entry_hlist, link)
		ua_allocate(deve, 0x29, 0x07);
	rcu_read_unlock();
}
