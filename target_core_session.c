// SPDX-License-Identifier: GPL-2.0
/* I_T nexuses: sessions, their tags and the counters of commands that a fabric waits for. */
#include "core.h"

#include <linux/percpu-refcount.h>
#include <linux/sbitmap.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

static void cmd_counter_is_zero(struct percpu_ref *ref)
{
	struct target_cmd_counter *cmd_cnt = container_of(ref, struct target_cmd_counter, refcnt);

	wake_up(&cmd_cnt->refcnt_wq);
}

/**
 * target_alloc_cmd_counter - make a counter of commands
 *
 * For whoever has to wait for a group of commands: a session, or a connection
 * of one. May sleep.
 *
 * Return: the counter or NULL.
 */
struct target_cmd_counter *target_alloc_cmd_counter(void)
{
	struct target_cmd_counter *cmd_cnt = kzalloc(sizeof(*cmd_cnt), GFP_KERNEL);

	if (!cmd_cnt)
		return NULL;
	init_completion(&cmd_cnt->stop_done);
	init_waitqueue_head(&cmd_cnt->refcnt_wq);
	atomic_set(&cmd_cnt->stopped, 0);
	if (percpu_ref_init(&cmd_cnt->refcnt, cmd_counter_is_zero, 0, GFP_KERNEL)) {
		kfree(cmd_cnt);
		return NULL;
	}
	return cmd_cnt;
}

/**
 * target_free_cmd_counter - free a counter that counts nothing any more
 * @cmd_cnt:	the counter
 *
 * Fabrics that know their commands are gone need not have stopped it. May sleep.
 */
void target_free_cmd_counter(struct target_cmd_counter *cmd_cnt)
{
	/* Who has made it zero may still be in cmd_counter_is_zero(), which runs as an RCU reader. */
	synchronize_rcu();
	percpu_ref_exit(&cmd_cnt->refcnt);
	kfree(cmd_cnt);
}

static void cmd_counter_stopped(struct percpu_ref *ref)
{
	complete_all(&container_of(ref, struct target_cmd_counter, refcnt)->stop_done);
}

/**
 * target_stop_cmd_counter - let no more commands in
 * @cmd_cnt:	the counter
 *
 * When this returns target_get_sess_cmd() fails with -ESHUTDOWN on every CPU.
 * May be called more than once. May sleep.
 */
void target_stop_cmd_counter(struct target_cmd_counter *cmd_cnt)
{
	if (!atomic_xchg(&cmd_cnt->stopped, 1))
		percpu_ref_kill_and_confirm(&cmd_cnt->refcnt, cmd_counter_stopped);
	wait_for_completion(&cmd_cnt->stop_done);
}

/**
 * target_wait_for_cmds - wait until a stopped counter is zero
 * @cmd_cnt:	the counter
 *
 * Each command is owned by a backstore or a fabric that ends it by its own
 * deadline, and their memory must not go before. May sleep.
 */
void target_wait_for_cmds(struct target_cmd_counter *cmd_cnt)
{
	WARN_ON_ONCE(!atomic_read(&cmd_cnt->stopped));
	while (!wait_event_timeout(cmd_cnt->refcnt_wq, percpu_ref_is_zero(&cmd_cnt->refcnt),
				   CORE_DEADLINE * HZ))
		pr_warn_ratelimited("commands of a session that ends have not come back for %d s\n", CORE_DEADLINE);
}

/**
 * target_stop_session - let no more commands of a session in
 * @se_sess:	the session
 */
void target_stop_session(struct se_session *se_sess)
{
	target_stop_cmd_counter(se_sess->cmd_cnt);
}

/**
 * target_wait_for_sess_cmds - wait until a stopped session has no commands
 * @se_sess:	the session
 */
void target_wait_for_sess_cmds(struct se_session *se_sess)
{
	target_wait_for_cmds(se_sess->cmd_cnt);
}

/**
 * transport_init_session - initialise a session that a fabric has zeroed
 * @se_sess:	the session
 */
void transport_init_session(struct se_session *se_sess)
{
	INIT_LIST_HEAD(&se_sess->sess_list);
	INIT_LIST_HEAD(&se_sess->sess_acl_list);
	spin_lock_init(&se_sess->sess_cmd_lock);
}

/**
 * transport_alloc_session - make a session
 * @sup_prot_ops: what the fabric does with protection information by itself
 *
 * May sleep.
 *
 * Return: the session or an ERR_PTR().
 */
struct se_session *transport_alloc_session(enum target_prot_op sup_prot_ops)
{
	struct core_session *cs = kmem_cache_zalloc(target_sess_cache, GFP_KERNEL);
	struct se_session *se_sess;

	if (!cs)
		return ERR_PTR(-ENOMEM);
	refcount_set(&cs->refs, 1);
	se_sess = &cs->sess;
	transport_init_session(se_sess);
	se_sess->sup_prot_ops = sup_prot_ops;
	se_sess->cmd_cnt = target_alloc_cmd_counter();
	if (!se_sess->cmd_cnt) {
		kmem_cache_free(target_sess_cache, cs);
		return ERR_PTR(-ENOMEM);
	}
	return se_sess;
}

static void session_put(struct core_session *cs)
{
	if (refcount_dec_and_test(&cs->refs))
		kmem_cache_free(target_sess_cache, cs);
}

/**
 * session_close_begin - the fabric's close_session() is about to be called
 * @sess:	a session that is in its ACL's list, with nacl_sess_lock held
 */
void session_close_begin(struct se_session *sess)
{
	struct core_session *cs = to_core_session(sess);

	lockdep_assert_held(&sess->se_node_acl->nacl_sess_lock);
	refcount_inc(&cs->refs);
	WRITE_ONCE(cs->closer, current);
}

/**
 * session_close_end - it has returned
 * @sess:	the session, which may have ended in it
 */
void session_close_end(struct se_session *sess)
{
	struct core_session *cs = to_core_session(sess);

	/* Pairs with wait_for_closer(). */
	smp_store_release(&cs->closer, NULL);
	wake_up_var(&cs->closer);
	session_put(cs);
}

/* Longer than a fabric's close_session() takes to look at its session, on a busy machine. */
#define CLOSE_GRACE	(HZ / 5)

/*
 * A logout may meet a close_session() that has just begun, and that must find
 * what it was called for. One that waits for this very logout, in another thread,
 * has looked by now: it is let go by the time limit.
 */
static void wait_for_closer(struct core_session *cs)
{
	/* Pairs with session_close_end(). */
	if (READ_ONCE(cs->closer) != current)
		wait_var_event_timeout(&cs->closer, !smp_load_acquire(&cs->closer), CLOSE_GRACE);
}

/**
 * transport_alloc_session_tags - give a session a pool of commands
 * @se_sess:	the session
 * @tag_num:	how many
 * @tag_size:	bytes of each, zeroed
 *
 * May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int transport_alloc_session_tags(struct se_session *se_sess, unsigned int tag_num, unsigned int tag_size)
{
	int ret;

	se_sess->sess_cmd_map = kvcalloc(tag_num, tag_size, GFP_KERNEL);
	if (!se_sess->sess_cmd_map)
		return -ENOMEM;
	ret = sbitmap_queue_init_node(&se_sess->sess_tag_pool, tag_num, -1, false, GFP_KERNEL, NUMA_NO_NODE);
	if (ret) {
		kvfree(se_sess->sess_cmd_map);
		se_sess->sess_cmd_map = NULL;
	}
	return ret;
}

static struct se_session *alloc_session_with_tags(unsigned int tag_num, unsigned int tag_size,
						  enum target_prot_op sup_prot_ops)
{
	struct se_session *se_sess = transport_alloc_session(sup_prot_ops);

	if (IS_ERR(se_sess) || !tag_num)
		return se_sess;
	if (!tag_size || transport_alloc_session_tags(se_sess, tag_num, tag_size)) {
		transport_free_session(se_sess);
		return ERR_PTR(tag_size ? -ENOMEM : -EINVAL);
	}
	return se_sess;
}

/*
 * Which protection type a nexus sees: the fabric's own, where it works without
 * the backstore's; one that was seen before outlives the session.
 */
static void session_set_prot_type(struct se_portal_group *se_tpg, struct se_node_acl *nacl,
				  struct se_session *se_sess)
{
	const struct target_core_fabric_ops *tfo = se_tpg->se_tpg_tfo;

	if (nacl->saved_prot_type)
		se_sess->sess_prot_type = nacl->saved_prot_type;
	else if (tfo->tpg_check_prot_fabric_only)
		se_sess->sess_prot_type = nacl->saved_prot_type = tfo->tpg_check_prot_fabric_only(se_tpg);
}

/**
 * __transport_register_session - make a session known
 * @se_tpg:	the TPG it logged in to
 * @se_nacl:	its ACL; NULL for one that is used by the fabric alone
 * @se_sess:	the session
 * @fabric_sess_ptr: the fabric's
 *
 * Caller holds se_tpg->session_lock.
 */
void __transport_register_session(struct se_portal_group *se_tpg, struct se_node_acl *se_nacl,
				  struct se_session *se_sess, void *fabric_sess_ptr)
{
	const struct target_core_fabric_ops *tfo = se_tpg->se_tpg_tfo;
	unsigned char isid[PR_REG_ISID_LEN] = { };
	unsigned long flags;

	se_sess->se_tpg = se_tpg;
	se_sess->fabric_sess_ptr = fabric_sess_ptr;
	if (se_nacl) {
		session_set_prot_type(se_tpg, se_nacl, se_sess);
		if (tfo->sess_get_initiator_sid) {
			tfo->sess_get_initiator_sid(se_sess, isid, sizeof(isid));
			se_sess->sess_bin_isid = get_unaligned_be64(isid);
		}
		spin_lock_irqsave(&se_nacl->nacl_sess_lock, flags);
		/* The session of an ACL is the youngest one. */
		se_nacl->nacl_sess = se_sess;
		list_add_tail(&se_sess->sess_acl_list, &se_nacl->acl_sess_list);
		spin_unlock_irqrestore(&se_nacl->nacl_sess_lock, flags);
	}
	list_add_tail(&se_sess->sess_list, &se_tpg->tpg_sess_list);
}

/**
 * transport_register_session - make a session known
 * @se_tpg:	the TPG it logged in to
 * @se_nacl:	its ACL
 * @se_sess:	the session
 * @fabric_sess_ptr: the fabric's
 */
void transport_register_session(struct se_portal_group *se_tpg, struct se_node_acl *se_nacl,
				struct se_session *se_sess, void *fabric_sess_ptr)
{
	unsigned long flags;

	spin_lock_irqsave(&se_tpg->session_lock, flags);
	__transport_register_session(se_tpg, se_nacl, se_sess, fabric_sess_ptr);
	spin_unlock_irqrestore(&se_tpg->session_lock, flags);
}

/**
 * target_setup_session - a login in one call
 * @tpg:	the TPG
 * @tag_num:	commands of its pool, 0: none
 * @tag_size:	bytes of each
 * @prot_op:	see transport_alloc_session()
 * @initiatorname: who logs in
 * @private:	the fabric's
 * @callback:	last look of the fabric before others see the session; may be NULL
 *
 * May sleep.
 *
 * Return: the session, or an ERR_PTR(): -EACCES without an ACL and
 * without demo mode, what @callback returned, -ENOMEM, -EINVAL.
 */
struct se_session *target_setup_session(struct se_portal_group *tpg, unsigned int tag_num, unsigned int tag_size,
					enum target_prot_op prot_op, const char *initiatorname, void *private,
					int (*callback)(struct se_portal_group *, struct se_session *, void *))
{
	struct se_session *sess = alloc_session_with_tags(tag_num, tag_size, prot_op);
	int ret;

	if (IS_ERR(sess))
		return sess;
	sess->se_node_acl = core_tpg_check_initiator_node_acl(tpg, (unsigned char *)initiatorname);
	if (!sess->se_node_acl) {
		transport_free_session(sess);
		return ERR_PTR(-EACCES);
	}
	ret = callback ? callback(tpg, sess, private) : 0;
	if (ret) {
		transport_free_session(sess);
		return ERR_PTR(ret);
	}
	transport_register_session(tpg, sess->se_node_acl, sess, private);
	return sess;
}

/**
 * target_show_dynamic_sessions - the names of demo mode's initiators
 * @se_tpg:	the TPG
 * @page:	a page, written to its end at most
 *
 * Return: bytes written.
 */
ssize_t target_show_dynamic_sessions(struct se_portal_group *se_tpg, char *page)
{
	struct se_session *se_sess;
	ssize_t len = 0;

	spin_lock_bh(&se_tpg->session_lock);
	list_for_each_entry(se_sess, &se_tpg->tpg_sess_list, sess_list) {
		const struct se_node_acl *nacl = se_sess->se_node_acl;

		/* A name that has no room is left out as a whole. */
		if (nacl && nacl->dynamic_node_acl && len + strlen(nacl->initiatorname) + 1 < PAGE_SIZE)
			len += scnprintf(page + len, PAGE_SIZE - len, "%s\n", nacl->initiatorname);
	}
	spin_unlock_bh(&se_tpg->session_lock);
	return len;
}

/**
 * transport_deregister_session_configfs - an ACL forgets a session
 * @se_sess:	the session
 *
 * The first half of a logout, where the fabric still has commands. Any context.
 */
void transport_deregister_session_configfs(struct se_session *se_sess)
{
	struct se_node_acl *nacl = se_sess->se_node_acl;
	unsigned long flags;

	if (!nacl)
		return;
	spin_lock_irqsave(&nacl->nacl_sess_lock, flags);
	list_del_init(&se_sess->sess_acl_list);
	nacl->nacl_sess = list_empty(&nacl->acl_sess_list) ? NULL :
		list_last_entry(&nacl->acl_sess_list, struct se_session, sess_acl_list);
	spin_unlock_irqrestore(&nacl->nacl_sess_lock, flags);
}

/**
 * transport_free_session - free a session that nobody knows (any more)
 * @se_sess:	the session
 *
 * Its reference to the ACL goes as well; demo mode's ACLs with the last
 * session, unless the fabric caches them. May sleep.
 */
void transport_free_session(struct se_session *se_sess)
{
	struct se_node_acl *nacl = se_sess->se_node_acl;

	if (nacl) {
		transport_deregister_session_configfs(se_sess);
		se_sess->se_node_acl = NULL;
		nacl_session_gone(nacl);
	}
	if (se_sess->sess_cmd_map) {
		sbitmap_queue_free(&se_sess->sess_tag_pool);
		kvfree(se_sess->sess_cmd_map);
	}
	if (se_sess->cmd_cnt)
		target_free_cmd_counter(se_sess->cmd_cnt);
	session_put(to_core_session(se_sess));
}

/**
 * transport_deregister_session - the second half of a logout
 * @se_sess:	the session, without commands
 *
 * May sleep.
 */
void transport_deregister_session(struct se_session *se_sess)
{
	struct se_portal_group *se_tpg = se_sess->se_tpg;
	unsigned long flags;

	/* Nobody calls close_session() for one that is in no ACL's list any more. */
	transport_deregister_session_configfs(se_sess);
	wait_for_closer(to_core_session(se_sess));
	if (se_tpg) {
		spin_lock_irqsave(&se_tpg->session_lock, flags);
		list_del_init(&se_sess->sess_list);
		spin_unlock_irqrestore(&se_tpg->session_lock, flags);
		se_sess->se_tpg = NULL;
		se_sess->fabric_sess_ptr = NULL;
	}
	transport_free_session(se_sess);
}

/**
 * target_remove_session - a whole logout
 * @se_sess:	the session, without commands
 *
 * May sleep.
 */
void target_remove_session(struct se_session *se_sess)
{
	transport_deregister_session(se_sess);
}
