// SPDX-License-Identifier: GPL-2.0
/*
 * The attributes of a device, attrib/ of its directory. Each is a line of the
 * tables below: how its text is read, where its value is, what is allowed when.
 */
#include <linux/blk_types.h>
#include <linux/configfs.h>
#include <linux/kstrtox.h>
#include <linux/log2.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "core.h"

enum attrib_kind {
	ATTRIB_BOOL,
	ATTRIB_U8,
	ATTRIB_U32,
	ATTRIB_ANY,	/* whatever is written changes nothing */
};

/* What set() returns when the value is not to be stored. */
#define ATTRIB_KEEP	1

/**
 * struct attrib - one attribute
 * @kind:	how its text is read
 * @size:	of its member in struct se_dev_attrib, 1 or 4
 * @offset:	of that member
 * @idle:	refused while the device is exported
 * @get:	its value, instead of the member
 * @set:	may refuse a value, or take it: 0 (store it), ATTRIB_KEEP or an errno
 */
struct attrib {
	enum attrib_kind kind;
	u8		size;
	u16		offset;
	bool		idle;
	u32		(*get)(const struct se_device *dev);
	int		(*set)(struct se_device *dev, u32 value);
};

static struct se_device *attrib_dev(struct config_item *item)
{
	return container_of(to_config_group(item), struct se_dev_attrib, da_group)->da_dev;
}

static u32 attrib_get(const struct se_device *dev, const struct attrib *attrib)
{
	const void *member = (const void *)&dev->dev_attrib + attrib->offset;

	if (attrib->get)
		return attrib->get(dev);
	return attrib->size == 1 ? READ_ONCE(*(const u8 *)member) : READ_ONCE(*(const u32 *)member);
}

static void attrib_put(struct se_device *dev, const struct attrib *attrib, u32 value)
{
	void *member = (void *)&dev->dev_attrib + attrib->offset;

	if (attrib->size == 1)
		WRITE_ONCE(*(u8 *)member, value);
	else
		WRITE_ONCE(*(u32 *)member, value);
}

static int attrib_read(const struct attrib *attrib, const char *page, u32 *value)
{
	bool flag;
	int err;
	u8 byte;

	switch (attrib->kind) {
	case ATTRIB_BOOL:
		err = kstrtobool(page, &flag);
		*value = flag;
		break;
	case ATTRIB_U8:
		err = kstrtou8(page, 0, &byte);
		*value = byte;
		break;
	default:
		err = kstrtou32(page, 0, value);
	}
	return err;
}

static ssize_t attrib_show(struct config_item *item, const struct attrib *attrib, char *page)
{
	return sysfs_emit(page, "%u\n", attrib_get(attrib_dev(item), attrib));
}

static ssize_t attrib_store(struct config_item *item, const struct attrib *attrib,
			    const char *page, size_t count)
{
	struct se_device *dev = attrib_dev(item);
	u32 value;
	int err;

	if (attrib->kind == ATTRIB_ANY)
		return count;
	if (memchr(page, 0, count))
		return -EINVAL;
	err = attrib_read(attrib, page, &value);
	if (err)
		return err;
	if (attrib->idle && dev_in_use(dev)) {
		pr_warn("%s/%s is exported: this attribute cannot change\n",
			config_item_name(&dev->se_hba->hba_group.cg_item),
			config_item_name(&dev->dev_group.cg_item));
		return -EINVAL;
	}
	err = attrib->set ? attrib->set(dev, value) : 0;
	if (err < 0)
		return err;
	if (err != ATTRIB_KEEP)
		attrib_put(dev, attrib, value);
	return count;
}

/* ------------------------------------------------------------------ */
/* What is allowed when */

/* The product identification of INQUIRY is the device's name, or the backstore's. */
static int set_model_alias(struct se_device *dev, u32 value)
{
	char *model = dev->t10_wwn.model;

	if (value)
		strscpy(model, config_item_name(&dev->dev_group.cg_item), sizeof(dev->t10_wwn.model));
	else
		strscpy(model, dev->transport->inquiry_prod, sizeof(dev->t10_wwn.model));
	return 0;
}

/* What the backstore asks its lower device about is not to be set. */
static int set_write_cache(struct se_device *dev, u32 value)
{
	return value && dev->transport->get_write_cache ? -EINVAL : 0;
}

static int set_ua_intlck_ctrl(struct se_device *dev, u32 value)
{
	return value > TARGET_UA_INTLCK_CTRL_ESTABLISH_UA ? -EINVAL : 0;
}

/* Thin provisioning: what needs UNMAP asks the backstore for its limits when there are none yet. */
static int set_thin(struct se_device *dev, u32 value)
{
	if (!value || dev->dev_attrib.max_unmap_block_desc_count)
		return 0;
	if (!dev->transport->configure_unmap)
		return CORE_NOT_DONE;
	if (!target_dev_configured(dev))
		return -ENODEV;
	return dev->transport->configure_unmap(dev) ? 0 : CORE_NOT_DONE;
}

/* Commands are not reordered without restriction. */
static int set_rest_reord(struct se_device *dev, u32 value)
{
	return value ? CORE_NOT_DONE : 0;
}

/* Protection type 2 needs 32-byte CDBs from every initiator. */
static int set_pi_prot_type(struct se_device *dev, u32 value)
{
	struct se_dev_attrib *attrib = &dev->dev_attrib;
	u32 old = attrib->pi_prot_type;
	int err;

	if (value > TARGET_DIF_TYPE3_PROT)
		return -EINVAL;
	if (value == TARGET_DIF_TYPE2_PROT)
		return CORE_NOT_DONE;
	/* The lower device has a type: it stays. */
	if (attrib->hw_pi_prot_type)
		return ATTRIB_KEEP;
	if (!dev->transport->init_prot || !dev->transport->free_prot)
		return value ? CORE_NOT_DONE : ATTRIB_KEEP;
	if (!target_dev_configured(dev))
		return -ENODEV;
	if (dev_in_use(dev))
		return -EINVAL;
	if (value == old)
		return ATTRIB_KEEP;

	attrib->pi_prot_type = value;
	if (value && !old) {
		err = dev->transport->init_prot(dev);
		if (err) {
			attrib->pi_prot_type = old;
			return err;
		}
	} else if (!value) {
		dev->transport->free_prot(dev);
		attrib->pi_prot_verify = false;
	}
	return ATTRIB_KEEP;
}

static u32 get_zero(const struct se_device *dev)
{
	return 0;
}

/* Not a value but an order: write protection information for the whole medium. */
static int set_pi_prot_format(struct se_device *dev, u32 value)
{
	int err;

	if (!value)
		return ATTRIB_KEEP;
	if (!dev->transport->format_prot)
		return CORE_NOT_DONE;
	if (!target_dev_configured(dev))
		return -ENODEV;
	if (dev_in_use(dev))
		return -EINVAL;
	if (!dev->dev_attrib.pi_prot_type)
		return -ENODEV;
	err = dev->transport->format_prot(dev);
	return err ? err : ATTRIB_KEEP;
}

/* There is nothing to verify without protection information. */
static int set_pi_prot_verify(struct se_device *dev, u32 value)
{
	const struct se_dev_attrib *attrib = &dev->dev_attrib;

	if (!value)
		return 0;
	if (attrib->hw_pi_prot_type || !attrib->pi_prot_type)
		return ATTRIB_KEEP;
	return dev->transport->init_prot && dev->transport->free_prot ? 0 : CORE_NOT_DONE;
}

static int set_block_size(struct se_device *dev, u32 value)
{
	if (!is_power_of_2(value) || value < SECTOR_SIZE || value > SZ_4K)
		return -EINVAL;
	dev_set_block_size(dev, value);
	return ATTRIB_KEEP;
}

static int set_optimal_sectors(struct se_device *dev, u32 value)
{
	return value > dev->dev_attrib.hw_max_sectors ? -EINVAL : 0;
}

static int set_queue_depth(struct se_device *dev, u32 value)
{
	if (!value || value > dev->dev_attrib.hw_queue_depth)
		return -EINVAL;
	dev->queue_depth = value;
	return 0;
}

#if COMPAT_HAS_SUBMIT_TYPE
static int set_submit_type(struct se_device *dev, u32 value)
{
	return value > TARGET_QUEUE_SUBMIT ? -EINVAL : 0;
}
#endif

/* Who answers for reservations or ALUA, we or the lower device: a flag that says "it". */
static int set_passthrough(struct se_device *dev, u8 flag, bool ours)
{
	if (ours == !(dev->transport_flags & flag))
		return ATTRIB_KEEP;
	if (!(dev->transport->transport_flags_changeable & flag))
		return CORE_NOT_DONE;
	WRITE_ONCE(dev->transport_flags, ours ? dev->transport_flags & ~flag :
						dev->transport_flags | flag);
	return ATTRIB_KEEP;
}

static u32 get_alua_support(const struct se_device *dev)
{
	return !(dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH_ALUA);
}

static int set_alua_support(struct se_device *dev, u32 value)
{
	return set_passthrough(dev, TRANSPORT_FLAG_PASSTHROUGH_ALUA, value);
}

static u32 get_pgr_support(const struct se_device *dev)
{
	return !(dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH_PGR);
}

static int set_pgr_support(struct se_device *dev, u32 value)
{
	return set_passthrough(dev, TRANSPORT_FLAG_PASSTHROUGH_PGR, value);
}

static u32 get_emulate_format(const struct se_device *dev)
{
	return to_core_dev(dev)->emulate_format;
}

static int set_emulate_format(struct se_device *dev, u32 value)
{
	WRITE_ONCE(to_core_dev(dev)->emulate_format, value);
	return ATTRIB_KEEP;
}

/* ------------------------------------------------------------------ */
/*
 * The tables.
 * M(name, kind, idle, set): the member of that name in struct se_dev_attrib
 * S(name, kind, idle, get, set): a value that is elsewhere
 */
#if COMPAT_HAS_RSOC_ATTRIB
#define RSOC_MEMBER(M)	M(emulate_rsoc, ATTRIB_BOOL, false, NULL)
#else
#define RSOC_MEMBER(M)
#endif

#if COMPAT_HAS_SUBMIT_TYPE
#define SUBMIT_MEMBER(M)	M(submit_type, ATTRIB_U8, false, set_submit_type)
#else
#define SUBMIT_MEMBER(M)
#endif

/* Of devices whose commands we answer. */
#define SBC_MEMBERS(M)							\
	M(emulate_model_alias,	ATTRIB_BOOL,	true,	set_model_alias)	\
	M(emulate_dpo,		ATTRIB_ANY,	false,	NULL)		\
	M(emulate_fua_write,	ATTRIB_BOOL,	false,	NULL)		\
	M(emulate_fua_read,	ATTRIB_ANY,	false,	NULL)		\
	M(emulate_write_cache,	ATTRIB_BOOL,	false,	set_write_cache)	\
	M(emulate_ua_intlck_ctrl, ATTRIB_U32,	true,	set_ua_intlck_ctrl)	\
	M(emulate_tas,		ATTRIB_BOOL,	true,	NULL)		\
	M(emulate_tpu,		ATTRIB_BOOL,	false,	set_thin)	\
	M(emulate_tpws,		ATTRIB_BOOL,	false,	set_thin)	\
	M(emulate_caw,		ATTRIB_BOOL,	false,	NULL)		\
	M(emulate_3pc,		ATTRIB_BOOL,	false,	NULL)		\
	M(pi_prot_type,		ATTRIB_U32,	false,	set_pi_prot_type)	\
	M(pi_prot_verify,	ATTRIB_BOOL,	false,	set_pi_prot_verify)	\
	M(is_nonrot,		ATTRIB_BOOL,	false,	NULL)		\
	M(emulate_rest_reord,	ATTRIB_BOOL,	false,	set_rest_reord)	\
	M(unmap_zeroes_data,	ATTRIB_BOOL,	true,	set_thin)	\
	M(block_size,		ATTRIB_U32,	true,	set_block_size)	\
	M(optimal_sectors,	ATTRIB_U32,	true,	set_optimal_sectors)	\
	M(queue_depth,		ATTRIB_U32,	true,	set_queue_depth)	\
	M(max_unmap_lba_count,	ATTRIB_U32,	false,	NULL)		\
	M(max_unmap_block_desc_count, ATTRIB_U32, false, NULL)		\
	M(unmap_granularity,	ATTRIB_U32,	false,	NULL)		\
	M(unmap_granularity_alignment, ATTRIB_U32, false, NULL)		\
	M(max_write_same_len,	ATTRIB_U32,	false,	NULL)		\
	RSOC_MEMBER(M)

#define SBC_SPECIALS(S)							\
	S(pi_prot_format,	ATTRIB_BOOL,	false,	get_zero,	set_pi_prot_format)	\
	S(emulate_format,	ATTRIB_BOOL,	false,	get_emulate_format, set_emulate_format)

/* Of devices where we do reservations but not the other commands, too. */
#define PR_MEMBERS(M)							\
	M(enforce_pr_isids,	ATTRIB_BOOL,	false,	NULL)		\
	M(force_pr_aptpl,	ATTRIB_BOOL,	true,	NULL)

/* Of all devices. */
#define COMMON_MEMBERS(M)						\
	M(emulate_pr,		ATTRIB_BOOL,	false,	NULL)		\
	SUBMIT_MEMBER(M)

#define COMMON_SPECIALS(S)						\
	S(alua_support,		ATTRIB_BOOL,	false,	get_alua_support, set_alua_support)	\
	S(pgr_support,		ATTRIB_BOOL,	false,	get_pgr_support, set_pgr_support)

#define COMMON_READ_ONLY(M)						\
	M(hw_pi_prot_type,	ATTRIB_U32,	false,	NULL)		\
	M(hw_block_size,	ATTRIB_U32,	false,	NULL)		\
	M(hw_max_sectors,	ATTRIB_U32,	false,	NULL)		\
	M(hw_queue_depth,	ATTRIB_U32,	false,	NULL)

#define ALL_MEMBERS(M)	SBC_MEMBERS(M) PR_MEMBERS(M) COMMON_MEMBERS(M)
#define ALL_SPECIALS(S)	SBC_SPECIALS(S) COMMON_SPECIALS(S)

#define ATTRIB_TABLE(_name, _kind, _idle, _set, ...)			\
static const struct attrib attrib_##_name = {				\
	.kind	= (_kind),						\
	.idle	= (_idle),						\
	.set	= (_set),						\
	__VA_ARGS__							\
};

#define MEMBER_TABLE(_name, _kind, _idle, _set)				\
	ATTRIB_TABLE(_name, _kind, _idle, _set,				\
		     .size = sizeof_field(struct se_dev_attrib, _name),	\
		     .offset = offsetof(struct se_dev_attrib, _name))
ALL_MEMBERS(MEMBER_TABLE)
COMMON_READ_ONLY(MEMBER_TABLE)

#define SPECIAL_TABLE(_name, _kind, _idle, _get, _set)			\
	ATTRIB_TABLE(_name, _kind, _idle, _set, .get = (_get))
ALL_SPECIALS(SPECIAL_TABLE)

#define SHOW(_name, ...)						\
static ssize_t attrib_##_name##_show(struct config_item *item, char *page)	\
{									\
	return attrib_show(item, &attrib_##_name, page);		\
}
ALL_MEMBERS(SHOW)
ALL_SPECIALS(SHOW)
COMMON_READ_ONLY(SHOW)

#define STORE(_name, ...)						\
static ssize_t attrib_##_name##_store(struct config_item *item, const char *page, size_t count)	\
{									\
	return attrib_store(item, &attrib_##_name, page, count);	\
}
ALL_MEMBERS(STORE)
ALL_SPECIALS(STORE)

#define WRITABLE(_name, ...)	CORE_ATTR(attrib_, _name)
#define READ_ONLY(_name, ...)	CORE_ATTR_RO(attrib_, _name)
ALL_MEMBERS(WRITABLE)
ALL_SPECIALS(WRITABLE)
COMMON_READ_ONLY(READ_ONLY)

/* NULL-terminated arrays of struct configfs_attribute *, exported for the backstores. */
#define POINTER(_name, ...)	&attrib_attr_##_name,
#define COMMON_POINTERS		COMMON_MEMBERS(POINTER) COMMON_SPECIALS(POINTER) COMMON_READ_ONLY(POINTER)

struct configfs_attribute *sbc_attrib_attrs[] = {
	SBC_MEMBERS(POINTER)
	SBC_SPECIALS(POINTER)
	PR_MEMBERS(POINTER)
	COMMON_POINTERS
	NULL,
};

struct configfs_attribute *passthrough_attrib_attrs[] = {
	COMMON_POINTERS
	NULL,
};

/* In addition to those, where alua_support and pgr_support can be set. */
struct configfs_attribute *passthrough_pr_attrib_attrs[] = {
	PR_MEMBERS(POINTER)
	NULL,
};

/**
 * attrib_set_defaults() - a new device's attributes
 * @dev:	the device; what is not named here is 0
 */
void attrib_set_defaults(struct se_device *dev)
{
	struct se_dev_attrib *attrib = &dev->dev_attrib;

	attrib->da_dev = dev;
	attrib->emulate_model_alias = DA_EMULATE_MODEL_ALIAS;
	attrib->emulate_dpo = true;
	attrib->emulate_fua_write = true;
	attrib->emulate_fua_read = true;
	attrib->emulate_write_cache = DA_EMULATE_WRITE_CACHE;
	attrib->emulate_ua_intlck_ctrl = TARGET_UA_INTLCK_CTRL_CLEAR;
	attrib->emulate_tas = DA_EMULATE_TAS;
	attrib->emulate_tpu = DA_EMULATE_TPU;
	attrib->emulate_tpws = DA_EMULATE_TPWS;
	attrib->emulate_caw = DA_EMULATE_CAW;
	attrib->emulate_3pc = DA_EMULATE_3PC;
	attrib->emulate_pr = DA_EMULATE_PR;
	compat_set_emulate_rsoc(attrib, true);
	attrib->pi_prot_type = TARGET_DIF_TYPE0_PROT;
	attrib->enforce_pr_isids = DA_ENFORCE_PR_ISIDS;
	attrib->force_pr_aptpl = DA_FORCE_PR_APTPL;
	attrib->is_nonrot = DA_IS_NONROT;
	attrib->emulate_rest_reord = DA_EMULATE_REST_REORD;
	attrib->max_unmap_lba_count = DA_MAX_UNMAP_LBA_COUNT;
	attrib->max_unmap_block_desc_count = DA_MAX_UNMAP_BLOCK_DESC_COUNT;
	attrib->unmap_granularity = DA_UNMAP_GRANULARITY_DEFAULT;
	attrib->unmap_granularity_alignment = DA_UNMAP_GRANULARITY_ALIGNMENT_DEFAULT;
	attrib->unmap_zeroes_data = DA_UNMAP_ZEROES_DATA_DEFAULT;
	attrib->max_write_same_len = DA_MAX_WRITE_SAME_LEN;
	compat_set_submit_type(attrib, TARGET_FABRIC_DEFAULT_SUBMIT);

	/* The wwn/ directory's own */
	dev->t10_wwn.company_id = 0x001405;
}
