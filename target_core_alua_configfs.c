// SPDX-License-Identifier: GPL-2.0
/*
 * The directories of ALUA groups: core/alua/lu_gps/GROUP and alua/GROUP of a
 * device. All attributes of a target port group that are numbers come from one table.
 */
#include <linux/configfs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "alua.h"

/* ------------------------------------------------------------------ */
/* LU groups */

static struct t10_alua_lu_gp *to_lu_gp(struct config_item *item)
{
	return container_of(to_config_group(item), struct t10_alua_lu_gp, lu_gp_group);
}

/* An identifier in decimal, octal or hexadecimal digits. */
static int read_id(const char *page, size_t count, u16 *id)
{
	return memchr(page, 0, count) || kstrtou16(page, 0, id) ? -EINVAL : 0;
}

static ssize_t alua_lu_gp_lu_gp_id_show(struct config_item *item, char *page)
{
	struct t10_alua_lu_gp *gp = to_lu_gp(item);

	return gp->lu_gp_valid_id ? sysfs_emit(page, "%hu\n", gp->lu_gp_id) : 0;
}

static ssize_t alua_lu_gp_lu_gp_id_store(struct config_item *item, const char *page, size_t count)
{
	u16 id;
	int err = read_id(page, count, &id);

	if (!err)
		err = alua_lu_group_set_id(to_lu_gp(item), id);
	return err ? err : count;
}
CONFIGFS_ATTR(alua_lu_gp_, lu_gp_id);

static ssize_t alua_lu_gp_members_show(struct config_item *item, char *page)
{
	return alua_lu_group_members(to_lu_gp(item), page);
}
CONFIGFS_ATTR_RO(alua_lu_gp_, members);

static struct configfs_attribute *alua_lu_gp_attrs[] = {
	&alua_lu_gp_attr_lu_gp_id,
	&alua_lu_gp_attr_members,
	NULL,
};

static void alua_lu_gp_release(struct config_item *item)
{
	alua_lu_group_free(to_lu_gp(item));
}

static struct configfs_item_operations alua_lu_gp_ops = {
	.release	= alua_lu_gp_release,
};

const struct config_item_type alua_lu_gp_cit = {
	.ct_item_ops	= &alua_lu_gp_ops,
	.ct_attrs	= alua_lu_gp_attrs,
	.ct_owner	= THIS_MODULE,
};

static struct config_group *alua_make_lu_group(struct config_group *group, const char *name)
{
	struct t10_alua_lu_gp *gp = alua_lu_group_create(name);

	return IS_ERR(gp) ? ERR_CAST(gp) : &gp->lu_gp_group;
}

static void alua_drop_lu_group(struct config_group *group, struct config_item *item)
{
	alua_lu_group_remove(to_lu_gp(item));
	config_item_put(item);
}

static struct configfs_group_operations alua_lu_gps_ops = {
	.make_group	= alua_make_lu_group,
	.drop_item	= alua_drop_lu_group,
};

const struct config_item_type alua_lu_gps_cit = {
	.ct_group_ops	= &alua_lu_gps_ops,
	.ct_owner	= THIS_MODULE,
};

/* ------------------------------------------------------------------ */
/* Target port groups */

static struct t10_alua_tg_pt_gp *to_tg_pt_gp(struct config_item *item)
{
	return container_of(to_config_group(item), struct t10_alua_tg_pt_gp, tg_pt_gp_group);
}

static ssize_t alua_tg_pt_gp_tg_pt_gp_id_show(struct config_item *item, char *page)
{
	struct t10_alua_tg_pt_gp *gp = to_tg_pt_gp(item);

	return gp->tg_pt_gp_valid_id ? sysfs_emit(page, "%hu\n", gp->tg_pt_gp_id) : 0;
}

static ssize_t alua_tg_pt_gp_tg_pt_gp_id_store(struct config_item *item, const char *page,
					       size_t count)
{
	u16 id;
	int err = read_id(page, count, &id);

	if (!err)
		err = alua_tg_group_set_id(to_tg_pt_gp(item), id);
	return err ? err : count;
}

static ssize_t alua_tg_pt_gp_members_show(struct config_item *item, char *page)
{
	return alua_tg_group_members(to_tg_pt_gp(item), page);
}

static ssize_t alua_tg_pt_gp_alua_access_type_show(struct config_item *item, char *page)
{
	static const char * const names[] = {
		[0]					= "None",
		[ALUA_TPGS_IMPLICIT]			= "Implicit",
		[ALUA_TPGS_EXPLICIT]			= "Explicit",
		[ALUA_TPGS_IMPLICIT | ALUA_TPGS_EXPLICIT] = "Implicit and Explicit",
	};
	int type = to_tg_pt_gp(item)->tg_pt_gp_alua_access_type;

	return sysfs_emit(page, "%s\n", names[type & (ALUA_TPGS_IMPLICIT | ALUA_TPGS_EXPLICIT)]);
}

static ssize_t alua_tg_pt_gp_alua_access_status_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%s\n",
			  alua_status_name(to_tg_pt_gp(item)->tg_pt_gp_alua_access_status));
}

/**
 * struct tg_number - an attribute that is a number
 * @offset:	of the int in struct t10_alua_tg_pt_gp
 * @max:	the largest value
 * @bit:	of the int; 0: all of it
 * @needs_id:	refused while the group has no identifier
 */
struct tg_number {
	size_t	offset;
	int	max;
	int	bit;
	bool	needs_id;
};

static int *tg_member(struct t10_alua_tg_pt_gp *gp, const struct tg_number *number)
{
	return (void *)gp + number->offset;
}

static ssize_t tg_number_show(struct config_item *item, const struct tg_number *number, char *page)
{
	int value = READ_ONCE(*tg_member(to_tg_pt_gp(item), number));

	return sysfs_emit(page, "%d\n", number->bit ? !!(value & number->bit) : value);
}

static ssize_t tg_number_store(struct config_item *item, const struct tg_number *number,
			       const char *page, size_t count)
{
	struct t10_alua_tg_pt_gp *gp = to_tg_pt_gp(item);
	int *member = tg_member(gp, number);
	unsigned long value;
	int err;

	if ((number->needs_id && !gp->tg_pt_gp_valid_id) || memchr(page, 0, count))
		return -EINVAL;
	err = kstrtoul(page, 0, &value);
	if (err)
		return number->bit ? -EINVAL : err;
	if (value > number->max)
		return -EINVAL;
	/* Bits of one member come from several files. */
	mutex_lock(&alua_lock);
	if (number->bit)
		value = value ? *member | number->bit : *member & ~number->bit;
	WRITE_ONCE(*member, value);
	mutex_unlock(&alua_lock);
	return count;
}

static ssize_t alua_tg_pt_gp_alua_access_state_store(struct config_item *item, const char *page,
						     size_t count)
{
	unsigned long state;
	int err;

	if (memchr(page, 0, count))
		return -EINVAL;
	err = kstrtoul(page, 0, &state);
	if (!err)
		err = alua_set_state(to_tg_pt_gp(item), min(state, (unsigned long)INT_MAX));
	return err ? err : count;
}

/* N(name, member, max, bit, needs an identifier): shown and stored as a number */
#define TG_NUMBERS(N)							\
	N(alua_support_transitioning, alua_supported_states, 1, ALUA_T_SUP, true)	\
	N(alua_support_offline, alua_supported_states, 1, ALUA_O_SUP, true)	\
	N(alua_support_lba_dependent, alua_supported_states, 1, ALUA_LBD_SUP, true)	\
	N(alua_support_unavailable, alua_supported_states, 1, ALUA_U_SUP, true)	\
	N(alua_support_standby, alua_supported_states, 1, ALUA_S_SUP, true)	\
	N(alua_support_active_nonoptimized, alua_supported_states, 1, ALUA_AN_SUP, true)	\
	N(alua_support_active_optimized, alua_supported_states, 1, ALUA_AO_SUP, true)	\
	N(alua_write_metadata, write_metadata, 1, 0, false)		\
	N(nonop_delay_msecs, nonop_delay_msecs, ALUA_NONOP_MAX_MSECS, 0, false)	\
	N(trans_delay_msecs, trans_delay_msecs, ALUA_TRANS_MAX_MSECS, 0, false)	\
	N(implicit_trans_secs, implicit_trans_secs, ALUA_IMPLICIT_MAX_SECS, 0, false)	\
	N(preferred, pref, 1, 0, false)

/* Only shown (alua_access_state) or only stored as numbers. */
#define TG_SHOWN(N)							\
	N(alua_access_state, alua_access_state, 0, 0, false)
#define TG_STORED(N)							\
	N(alua_access_status, alua_access_status, ALUA_NR_STATUS - 1, 0, true)	\
	N(alua_access_type, alua_access_type, ALUA_TPGS_IMPLICIT | ALUA_TPGS_EXPLICIT, 0, false)

#define TG_TABLE(_name, _member, _max, _bit, _needs_id)			\
static const struct tg_number tg_number_##_name = {			\
	.offset		= offsetof(struct t10_alua_tg_pt_gp, tg_pt_gp_##_member),	\
	.max		= (_max),					\
	.bit		= (_bit),					\
	.needs_id	= (_needs_id),					\
};
TG_NUMBERS(TG_TABLE)
TG_SHOWN(TG_TABLE)
TG_STORED(TG_TABLE)

#define TG_SHOW(_name, ...)						\
static ssize_t alua_tg_pt_gp_##_name##_show(struct config_item *item, char *page)	\
{									\
	return tg_number_show(item, &tg_number_##_name, page);		\
}
TG_NUMBERS(TG_SHOW)
TG_SHOWN(TG_SHOW)

#define TG_STORE(_name, ...)						\
static ssize_t alua_tg_pt_gp_##_name##_store(struct config_item *item, const char *page,	\
					     size_t count)		\
{									\
	return tg_number_store(item, &tg_number_##_name, page, count);	\
}
TG_NUMBERS(TG_STORE)
TG_STORED(TG_STORE)

#define TG_ATTR(_name, ...)	CORE_ATTR(alua_tg_pt_gp_, _name)
TG_NUMBERS(TG_ATTR)
TG_SHOWN(TG_ATTR)
TG_STORED(TG_ATTR)
CONFIGFS_ATTR(alua_tg_pt_gp_, tg_pt_gp_id);
CONFIGFS_ATTR_RO(alua_tg_pt_gp_, members);

#define TG_POINTER(_name, ...)	&alua_tg_pt_gp_attr_##_name,
static struct configfs_attribute *alua_tg_pt_gp_attrs[] = {
	TG_SHOWN(TG_POINTER)
	TG_STORED(TG_POINTER)
	TG_NUMBERS(TG_POINTER)
	&alua_tg_pt_gp_attr_tg_pt_gp_id,
	&alua_tg_pt_gp_attr_members,
	NULL,
};

static void alua_tg_pt_gp_release(struct config_item *item)
{
	alua_tg_group_put(to_tg_pt_gp(item));
}

static struct configfs_item_operations alua_tg_pt_gp_ops = {
	.release	= alua_tg_pt_gp_release,
};

const struct config_item_type alua_tg_pt_gp_cit = {
	.ct_item_ops	= &alua_tg_pt_gp_ops,
	.ct_attrs	= alua_tg_pt_gp_attrs,
	.ct_owner	= THIS_MODULE,
};

/**
 * alua_make_tg_group() - mkdir in a device's alua/
 * @group:	t10_alua.alua_tg_pt_gps_group of the device
 * @name:	of the new directory
 *
 * Return: the directory, or ERR_PTR().
 */
struct config_group *alua_make_tg_group(struct config_group *group, const char *name)
{
	struct t10_alua *alua = container_of(group, struct t10_alua, alua_tg_pt_gps_group);
	struct t10_alua_tg_pt_gp *gp = alua_tg_group_create(alua->t10_dev, name);

	return IS_ERR(gp) ? ERR_CAST(gp) : &gp->tg_pt_gp_group;
}

/**
 * alua_drop_tg_group() - rmdir in a device's alua/
 * @group:	t10_alua.alua_tg_pt_gps_group of the device
 * @item:	of the group that goes
 */
void alua_drop_tg_group(struct config_group *group, struct config_item *item)
{
	alua_tg_group_remove(to_tg_pt_gp(item));
	config_item_put(item);
}
