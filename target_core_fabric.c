// SPDX-License-Identifier: GPL-2.0
/*
 * The fabrics that are loaded, their directories target/<fabric>, and the types
 * of the directories below them.
 */
#include "fabric.h"

#include <linux/ctype.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

/* A fabric, around the part whose layout the symbol versions fix. */
struct core_fabric {
	struct target_fabric_configfs		tf;
	/* tf.tf_ops: the fabric's operations, with the optional ones that can be asked filled in */
	struct target_core_fabric_ops		ops;
	/* What the fabric registered, and will unregister. */
	const struct target_core_fabric_ops	*template;
};

/* Protects fabric_list. */
static DEFINE_MUTEX(fabric_mutex);
static LIST_HEAD(fabric_list);

/* One row a directory type. Attributes: ours, then those of the fabric. */
struct fabric_type {
	size_t					cit;	/* offset in struct target_fabric_configfs */
	size_t					attrs;	/* offset in struct target_core_fabric_ops, 0: none */
	struct configfs_attribute		**own;
	struct configfs_item_operations		*item;
	struct configfs_group_operations	*group;
};

#define TYPE(name)	.cit = offsetof(struct target_fabric_configfs, tf_##name##_cit)
#define ATTRS(name)	.attrs = offsetof(struct target_core_fabric_ops, tfc_##name##_attrs)

static const struct fabric_type fabric_types[] = {
	{ TYPE(discovery), ATTRS(discovery) },
	{ TYPE(wwn), ATTRS(wwn), .group = &fabric_wwn_dir_ops },
	{ TYPE(wwn_fabric_stats) },
	{ TYPE(wwn_param), .own = fabric_wwn_param_attrs },
	{ TYPE(tpg), .item = &fabric_wwn_item_ops, .group = &fabric_wwn_group_ops },
	{ TYPE(tpg_base), ATTRS(tpg_base), .own = fabric_tpg_attrs, .item = &fabric_tpg_item_ops },
	{ TYPE(tpg_lun), .group = &fabric_lun_dir_ops },
	{ TYPE(tpg_port), .own = fabric_lun_attrs, .item = &fabric_lun_item_ops },
	{ TYPE(tpg_port_stat), .group = &fabric_no_mkdir_ops },
	{ TYPE(tpg_np), .group = &fabric_np_dir_ops },
	{ TYPE(tpg_np_base), ATTRS(tpg_np_base), .item = &fabric_np_item_ops },
	{ TYPE(tpg_attrib), ATTRS(tpg_attrib) },
	{ TYPE(tpg_auth), ATTRS(tpg_auth) },
	{ TYPE(tpg_param), ATTRS(tpg_param) },
	{ TYPE(tpg_nacl), .group = &fabric_acl_dir_ops },
	{ TYPE(tpg_nacl_base), ATTRS(tpg_nacl_base), .item = &fabric_acl_item_ops, .group = &fabric_acl_group_ops },
	{ TYPE(tpg_nacl_attrib), ATTRS(tpg_nacl_attrib) },
	{ TYPE(tpg_nacl_auth), ATTRS(tpg_nacl_auth) },
	{ TYPE(tpg_nacl_param), ATTRS(tpg_nacl_param) },
	{ TYPE(tpg_nacl_stat) },
	{ TYPE(tpg_mappedlun), .own = fabric_mapped_attrs, .item = &fabric_mapped_item_ops },
	{ TYPE(tpg_mappedlun_stat), .group = &fabric_no_mkdir_ops },
};

/*
 * What a fabric need not tell. Those of 6.12 leave out most of what they have no
 * own opinion of; se_cmd::se_tfo may still be what they registered.
 */
static int no(struct se_portal_group *tpg)
{
	return 0;
}

static u32 one(struct se_portal_group *tpg)
{
	return 1;
}

static u32 session_zero(struct se_session *sess)
{
	return 0;
}

static int no_cmd_state(struct se_cmd *cmd)
{
	return 0;
}

static void no_attributes(struct se_node_acl *nacl)
{
}

static void fill_defaults(struct target_core_fabric_ops *ops)
{
#define DEFAULT(member, fn)	(ops->member = ops->member ?: (fn))
	DEFAULT(tpg_get_default_depth, one);
	DEFAULT(tpg_get_inst_index, one);
	DEFAULT(tpg_check_demo_mode, no);
	DEFAULT(tpg_check_demo_mode_cache, no);
	DEFAULT(tpg_check_demo_mode_write_protect, no);
	DEFAULT(tpg_check_prod_mode_write_protect, no);
	DEFAULT(tpg_check_demo_mode_login_only, no);
	DEFAULT(tpg_check_prot_fabric_only, no);
	DEFAULT(sess_get_index, session_zero);
	DEFAULT(get_cmd_state, no_cmd_state);
	DEFAULT(set_default_node_attributes, no_attributes);
#undef DEFAULT
}

/*
 * The operations that nobody could do without: what the distribution's core of
 * 6.12 demands. Nothing else of se_cmd::se_tfo is called without a look at it.
 */
static bool ops_complete(const struct target_core_fabric_ops *fo)
{
	return fo->fabric_name && fo->tpg_get_wwn && fo->tpg_get_tag && fo->release_cmd && fo->write_pending &&
	       fo->queue_data_in && fo->queue_status && fo->queue_tm_rsp && fo->aborted_task &&
	       fo->check_stop_free && fo->fabric_make_wwn && fo->fabric_drop_wwn && fo->fabric_make_tpg && fo->fabric_drop_tpg;
}

static unsigned int nr_attrs(struct configfs_attribute **attrs)
{
	unsigned int nr = 0;

	while (attrs && attrs[nr])
		nr++;
	return nr;
}

/* Our attributes of a TPG, then the fabric's; `enable' only where it can be asked. */
static struct configfs_attribute **tpg_attrs(const struct target_core_fabric_ops *ops)
{
	unsigned int own = nr_attrs(fabric_tpg_attrs), theirs = nr_attrs(ops->tfc_tpg_base_attrs), nr = 0, i;
	struct configfs_attribute **attrs = kcalloc(own + theirs + 1, sizeof(*attrs), GFP_KERNEL);

	if (!attrs)
		return NULL;
	for (i = 0; i < own; i++)
		if (ops->fabric_enable_tpg || fabric_tpg_attrs[i] != &fabric_tpg_attr_enable)
			attrs[nr++] = fabric_tpg_attrs[i];
	for (i = 0; i < theirs; i++)
		attrs[nr++] = ops->tfc_tpg_base_attrs[i];
	return attrs;
}

static struct config_item_type *fabric_cit(struct target_fabric_configfs *tf, size_t offset)
{
	return (void *)tf + offset;
}

/* The TPG's attributes are merged already. */
static void fabric_setup_types(struct target_fabric_configfs *tf)
{
	const struct fabric_type *type;
	struct config_item_type *cit;

	for (type = fabric_types; type < fabric_types + ARRAY_SIZE(fabric_types); type++) {
		cit = fabric_cit(tf, type->cit);
		cit->ct_owner = tf->tf_ops->module;
		cit->ct_item_ops = type->item;
		cit->ct_group_ops = type->group;
		if (cit->ct_attrs)
			continue;
		cit->ct_attrs = type->attrs ? *(struct configfs_attribute ***)((void *)tf->tf_ops + type->attrs) : type->own;
	}
}

/**
 * target_register_template - a fabric comes
 * @fo:		its operations; valid until target_unregister_template()
 *
 * May sleep.
 *
 * Return: 0, -EINVAL, -EEXIST, -ENOMEM.
 */
int target_register_template(const struct target_core_fabric_ops *fo)
{
	struct core_fabric *fabric, *other;
	int ret = 0;

	if (!ops_complete(fo))
		return -EINVAL;
	fabric = kzalloc(sizeof(*fabric), GFP_KERNEL);
	if (!fabric)
		return -ENOMEM;
	fabric->template = fo;
	fabric->ops = *fo;
	fill_defaults(&fabric->ops);
	fabric->tf.tf_ops = &fabric->ops;
	fabric->tf.tf_tpg_base_cit.ct_attrs = tpg_attrs(&fabric->ops);
	if (!fabric->tf.tf_tpg_base_cit.ct_attrs) {
		kfree(fabric);
		return -ENOMEM;
	}
	fabric_setup_types(&fabric->tf);
	mutex_lock(&fabric_mutex);
	list_for_each_entry(other, &fabric_list, tf.tf_list)
		if (!strcmp(other->ops.fabric_name, fo->fabric_name))
			ret = -EEXIST;
	if (!ret)
		list_add_tail(&fabric->tf.tf_list, &fabric_list);
	mutex_unlock(&fabric_mutex);
	if (ret) {
		kfree(fabric->tf.tf_tpg_base_cit.ct_attrs);
		kfree(fabric);
	}
	return ret;
}

static struct core_fabric *fabric_take_off(const struct target_core_fabric_ops *fo)
{
	struct core_fabric *fabric, *found = NULL;

	mutex_lock(&fabric_mutex);
	list_for_each_entry(fabric, &fabric_list, tf.tf_list)
		if (fabric->template == fo)
			found = fabric;
	if (found)
		list_del(&found->tf.tf_list);
	mutex_unlock(&fabric_mutex);
	return found;
}

/**
 * target_unregister_template - a fabric goes
 * @fo:		its operations
 *
 * Its directory holds its module, so there is none. But a mkdir may be under way
 * that has found the fabric and will find that the module goes; and a module whose
 * initialisation fails after it has registered has to wait for rmdir. May sleep.
 */
void target_unregister_template(const struct target_core_fabric_ops *fo)
{
	struct core_fabric *fabric = fabric_take_off(fo);

	if (!fabric)
		return;
	if (atomic_read(&fabric->tf.tf_access_cnt))
		pr_notice("%s ends when its directory is removed\n", fo->fabric_name);
	wait_var_event(&fabric->tf.tf_access_cnt, !atomic_read(&fabric->tf.tf_access_cnt));
	kfree(fabric->tf.tf_tpg_base_cit.ct_attrs);
	kfree(fabric);
}

/**
 * fabric_find - look for a fabric by the name of its directory
 * @name:	the name
 *
 * Return: the fabric, in use until fabric_drop_group(), or NULL.
 */
struct target_fabric_configfs *fabric_find(const char *name)
{
	struct target_fabric_configfs *found = NULL;
	struct core_fabric *fabric;

	mutex_lock(&fabric_mutex);
	list_for_each_entry(fabric, &fabric_list, tf.tf_list) {
		if (strcmp(fabric->ops.fabric_alias ?: fabric->ops.fabric_name, name))
			continue;
		found = &fabric->tf;
		atomic_inc(&found->tf_access_cnt);
		break;
	}
	mutex_unlock(&fabric_mutex);
	return found;
}

/* The fabrics that a mkdir loads; management tools load the others themselves. */
static const struct {
	const char *name, *module;
} autoload[] = {
	{ "iscsi", "iscsi_target_mod" },
	{ "loopback", "tcm_loop" },
};

static void fabric_load(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(autoload); i++)
		if (!strcmp(autoload[i].name, name) && request_module("%s", autoload[i].module))
			pr_debug("%s could not be loaded\n", autoload[i].module);
}

/**
 * fabric_make_group - mkdir target/<fabric>
 * @parent:	target
 * @name:	the fabric's name
 *
 * Return: the directory or an ERR_PTR().
 */
struct config_group *fabric_make_group(struct config_group *parent, const char *name)
{
	struct target_fabric_configfs *tf = fabric_find(name);

	if (!tf) {
		fabric_load(name);
		tf = fabric_find(name);
	}
	if (!tf)
		return ERR_PTR(-EINVAL);
	config_group_init_type_name(&tf->tf_group, name, &tf->tf_wwn_cit);
	config_group_init_type_name(&tf->tf_disc_group, "discovery_auth", &tf->tf_discovery_cit);
	configfs_add_default_group(&tf->tf_disc_group, &tf->tf_group);
	return &tf->tf_group;
}

/**
 * fabric_drop_group - rmdir target/<fabric>
 * @parent:	target
 * @item:	the directory
 */
void fabric_drop_group(struct config_group *parent, struct config_item *item)
{
	struct target_fabric_configfs *tf = container_of(to_config_group(item), struct target_fabric_configfs, tf_group);

	configfs_remove_default_groups(&tf->tf_group);
	config_item_put(item);
	/* configfs has the module for as long as it has the item. */
	if (atomic_dec_and_test(&tf->tf_access_cnt))
		wake_up_var(&tf->tf_access_cnt);
}

static struct config_group *no_mkdir(struct config_group *group, const char *name)
{
	return ERR_PTR(CORE_NOT_DONE);
}

struct configfs_group_operations fabric_no_mkdir_ops = {
	.make_group	= no_mkdir,
};

/**
 * fabric_add_subgroups - give a new directory its default groups
 * @tf:		the fabric
 * @parent:	the directory
 * @object:	what it belongs to, and has the groups in it
 * @subgroups:	the groups
 * @nr:		how many
 */
void fabric_add_subgroups(struct target_fabric_configfs *tf, struct config_group *parent, void *object,
			  const struct fabric_subgroup *subgroups, unsigned int nr)
{
	const struct fabric_subgroup *sub;
	struct config_group *group;

	for (sub = subgroups; sub < subgroups + nr; sub++) {
		group = object + sub->group;
		config_group_init_type_name(group, sub->name, fabric_cit(tf, sub->cit));
		configfs_add_default_group(group, parent);
	}
}

/**
 * fabric_remove_subgroups - drop the default groups of a directory, and theirs
 * @parent:	the directory
 * @object:	what it belongs to
 * @subgroups:	the groups
 * @nr:		how many
 */
void fabric_remove_subgroups(struct config_group *parent, void *object,
			     const struct fabric_subgroup *subgroups, unsigned int nr)
{
	const struct fabric_subgroup *sub;

	for (sub = subgroups; sub < subgroups + nr; sub++)
		configfs_remove_default_groups(object + sub->group);
	configfs_remove_default_groups(parent);
}

/**
 * fabric_parse_lun - the number of a directory lun_N
 * @name:	the name; N is decimal without leading zeros, so that a number has one name
 * @lun:	the number
 *
 * Return: 0, -EINVAL, -ERANGE.
 */
int fabric_parse_lun(const char *name, u64 *lun)
{
	const char *digits = name + strlen("lun_");

	if (!str_has_prefix(name, "lun_") || !isdigit(*digits) || (*digits == '0' && digits[1]))
		return -EINVAL;
	return kstrtoull(digits, 10, lun);
}
