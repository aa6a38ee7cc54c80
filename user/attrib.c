// SPDX-License-Identifier: GPL-2.0
/*
 * What configfs shows of a device: control and info, the attributes and the
 * actions.
 */
#include <linux/configfs.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "tcmu.h"

#define TCMU_MAX_RING_MB	8
#define TCMU_MAX_SECONDS	(S32_MAX / MSEC_PER_SEC)

/* What control can set, collected before any of it is applied. */
struct tcmu_params {
	char dev_config[TCMU_CONFIG_LEN];
	u64 dev_size;
	u32 hw_block_size;
	u32 hw_max_sectors;
	int nl_reply_supported;
	u32 max_data_area_mb;
	u32 data_pages_per_blk;
	u32 cmd_ring_size_mb;
};

static int tcmu_parse_u32(const char *key, const char *text, u32 *value)
{
	u32 parsed;

	if (kstrtou32(text, 0, &parsed) || !parsed || parsed > INT_MAX) {
		pr_err("%s must be a number above 0, not '%s'\n", key, text);
		return -EINVAL;
	}
	*value = parsed;
	return 0;
}

/* Like tcmu_parse_u32(), but too much is lowered to @max, as clients rely on. */
static int tcmu_parse_mb(const char *key, const char *text, u32 max, u32 *value)
{
	int err = tcmu_parse_u32(key, text, value);

	if (!err && *value > max) {
		pr_warn("%s: %u lowered to the limit of %u\n", key, *value, max);
		*value = max;
	}
	return err;
}

static int tcmu_parse_config(const char *text, char *config)
{
	if (strscpy(config, text, TCMU_CONFIG_LEN) < 0) {
		pr_err("dev_config is longer than %d bytes\n", TCMU_CONFIG_LEN - 1);
		return -EINVAL;
	}
	return 0;
}

enum tcmu_param {
	TCMU_PARAM_DEV_CONFIG,
	TCMU_PARAM_DEV_SIZE,
	TCMU_PARAM_HW_BLOCK_SIZE,
	TCMU_PARAM_HW_MAX_SECTORS,
	TCMU_PARAM_NL_REPLY,
	TCMU_PARAM_MAX_DATA_AREA,
	TCMU_PARAM_DATA_PAGES,
	TCMU_PARAM_RING_SIZE,
	TCMU_NR_PARAMS,
};

/* @fixed: cannot change once the device is enabled. */
static const struct {
	const char *key;
	bool fixed;
} tcmu_param_table[TCMU_NR_PARAMS] = {
	[TCMU_PARAM_DEV_CONFIG]		= { "dev_config" },
	[TCMU_PARAM_DEV_SIZE]		= { "dev_size" },
	[TCMU_PARAM_HW_BLOCK_SIZE]	= { "hw_block_size" },
	[TCMU_PARAM_HW_MAX_SECTORS]	= { "hw_max_sectors" },
	[TCMU_PARAM_NL_REPLY]		= { "nl_reply_supported" },
	[TCMU_PARAM_MAX_DATA_AREA]	= { "max_data_area_mb", true },
	[TCMU_PARAM_DATA_PAGES]		= { "data_pages_per_blk", true },
	[TCMU_PARAM_RING_SIZE]		= { "cmd_ring_size_mb", true },
};

static int tcmu_find_param(const char *key)
{
	int i;

	for (i = 0; i < TCMU_NR_PARAMS; i++)
		if (!strcmp(tcmu_param_table[i].key, key))
			return i;
	return -ENOENT;
}

static int tcmu_parse_param(int param, const char *text, struct tcmu_params *params)
{
	const char *key = tcmu_param_table[param].key;

	switch (param) {
	case TCMU_PARAM_DEV_CONFIG:
		return tcmu_parse_config(text, params->dev_config);
	case TCMU_PARAM_DEV_SIZE:
		return kstrtou64(text, 0, &params->dev_size);
	case TCMU_PARAM_HW_BLOCK_SIZE:
		return tcmu_parse_u32(key, text, &params->hw_block_size);
	case TCMU_PARAM_HW_MAX_SECTORS:
		return tcmu_parse_u32(key, text, &params->hw_max_sectors);
	case TCMU_PARAM_NL_REPLY:
		return kstrtoint(text, 0, &params->nl_reply_supported);
	case TCMU_PARAM_MAX_DATA_AREA:
		return tcmu_parse_mb(key, text, tcmu_memory_max_mb(), &params->max_data_area_mb);
	case TCMU_PARAM_DATA_PAGES:
		return tcmu_parse_u32(key, text, &params->data_pages_per_blk);
	default:
		return tcmu_parse_mb(key, text, TCMU_MAX_RING_MB, &params->cmd_ring_size_mb);
	}
}

/* One "key=value". Keys that we do not know are another version's: no error. */
static int tcmu_parse_pair(struct tcmu_dev *dev, char *pair, struct tcmu_params *params)
{
	char *value = strchr(pair, '=');
	int param;

	if (!value || !value[1])
		return 0;
	*value++ = '\0';
	param = tcmu_find_param(strim(pair));
	if (param < 0)
		return 0;
	if (tcmu_param_table[param].fixed && target_dev_configured(&dev->se_dev)) {
		pr_err("%s: %s cannot change once the device is enabled\n", dev->name,
		       tcmu_param_table[param].key);
		return -EINVAL;
	}
	return tcmu_parse_param(param, value, params);
}

static int tcmu_check_params(const struct tcmu_params *params)
{
	u64 pages = (u64)params->max_data_area_mb << (20 - PAGE_SHIFT);

	if (params->data_pages_per_blk > pages) {
		pr_err("data_pages_per_blk %u is more than max_data_area_mb %u has pages\n",
		       params->data_pages_per_blk, params->max_data_area_mb);
		return -EINVAL;
	}
	/* The bytes of a slot are counted in 32 bits. */
	if (params->data_pages_per_blk > U32_MAX >> PAGE_SHIFT) {
		pr_err("data_pages_per_blk must be at most %u\n", U32_MAX >> PAGE_SHIFT);
		return -EINVAL;
	}
	return 0;
}

static void tcmu_apply_params(struct tcmu_dev *dev, const struct tcmu_params *params)
{
	struct se_dev_attrib *attrib = &dev->se_dev.dev_attrib;

	memcpy(dev->dev_config, params->dev_config, sizeof(dev->dev_config));
	WRITE_ONCE(dev->dev_size, params->dev_size);
	attrib->hw_block_size = params->hw_block_size;
	attrib->hw_max_sectors = params->hw_max_sectors;
	dev->nl_reply_supported = params->nl_reply_supported;
	dev->max_data_area_mb = params->max_data_area_mb;
	dev->data_pages_per_blk = params->data_pages_per_blk;
	dev->cmd_ring_size_mb = params->cmd_ring_size_mb;
}

/**
 * tcmu_set_params - write to control: key=value pairs, by commas or newlines
 * @se_dev:	the device
 * @page:	the text
 * @count:	its length
 *
 * Return: @count, or a negative error and nothing is changed.
 * Context: may sleep, takes config_lock.
 */
ssize_t tcmu_set_params(struct se_device *se_dev, const char *page, ssize_t count)
{
	struct tcmu_dev *dev = to_tcmu_dev(se_dev);
	struct tcmu_params *params __free(kfree) = kzalloc(sizeof(*params), GFP_KERNEL);
	char *text __free(kfree) = kstrndup(page, count, GFP_KERNEL);
	char *rest = text, *pair;
	int err = 0;

	if (!params || !text)
		return -ENOMEM;
	guard(mutex)(&dev->config_lock);
	memcpy(params->dev_config, dev->dev_config, sizeof(params->dev_config));
	params->dev_size = dev->dev_size;
	params->hw_block_size = se_dev->dev_attrib.hw_block_size;
	params->hw_max_sectors = se_dev->dev_attrib.hw_max_sectors;
	params->nl_reply_supported = dev->nl_reply_supported;
	params->max_data_area_mb = dev->max_data_area_mb;
	params->data_pages_per_blk = dev->data_pages_per_blk;
	params->cmd_ring_size_mb = dev->cmd_ring_size_mb;

	while (!err && (pair = strsep(&rest, ",\n")))
		err = tcmu_parse_pair(dev, pair, params);
	if (!err)
		err = tcmu_check_params(params);
	if (err)
		return err;
	tcmu_apply_params(dev, params);
	return count;
}

/**
 * tcmu_show_params - the device's line in info
 * @se_dev:	the device
 * @page:	where to write, the rest of a page
 *
 * Return: bytes written.
 */
ssize_t tcmu_show_params(struct se_device *se_dev, char *page)
{
	struct tcmu_dev *dev = to_tcmu_dev(se_dev);

	guard(mutex)(&dev->config_lock);
	return sprintf(page,
		       "Config: %s Size: %llu MaxDataAreaMB: %u DataPagesPerBlk: %u CmdRingSizeMB: %u\n",
		       dev->dev_config[0] ? dev->dev_config : "NULL", dev->dev_size,
		       dev->max_data_area_mb, dev->data_pages_per_blk, dev->cmd_ring_size_mb);
}

static struct tcmu_dev *attrib_to_tcmu_dev(struct config_item *item)
{
	return to_tcmu_dev(container_of(to_config_group(item), struct se_dev_attrib,
					da_group)->da_dev);
}

static struct tcmu_dev *action_to_tcmu_dev(struct config_item *item)
{
	return to_tcmu_dev(container_of(to_config_group(item), struct se_device,
					dev_action_group));
}

/* The attributes that only show a member of struct tcmu_dev. */
#define TCMU_ATTRIB_SHOW(_name, _format, _value)					\
static ssize_t tcmu_##_name##_show(struct config_item *item, char *page)		\
{											\
	const struct tcmu_dev *dev = attrib_to_tcmu_dev(item);				\
											\
	return sysfs_emit(page, _format "\n", _value);					\
}

TCMU_ATTRIB_SHOW(cmd_time_out, "%u", (unsigned int)(dev->cmd_time_out / MSEC_PER_SEC))
TCMU_ATTRIB_SHOW(qfull_time_out, "%d", dev->qfull_time_out < 0 ? dev->qfull_time_out :
				       (int)(dev->qfull_time_out / (int)MSEC_PER_SEC))
TCMU_ATTRIB_SHOW(max_data_area_mb, "%u", dev->max_data_area_mb)
TCMU_ATTRIB_SHOW(data_pages_per_blk, "%u", dev->data_pages_per_blk)
TCMU_ATTRIB_SHOW(cmd_ring_size_mb, "%u", dev->cmd_ring_size_mb)
TCMU_ATTRIB_SHOW(dev_size, "%llu", dev->dev_size)
TCMU_ATTRIB_SHOW(nl_reply_supported, "%d", dev->nl_reply_supported)
TCMU_ATTRIB_SHOW(emulate_write_cache, "%d", dev->se_dev.dev_attrib.emulate_write_cache)
TCMU_ATTRIB_SHOW(tmr_notification, "%d", dev->tmr_notification)

static ssize_t tcmu_dev_config_show(struct config_item *item, char *page)
{
	struct tcmu_dev *dev = attrib_to_tcmu_dev(item);

	guard(mutex)(&dev->config_lock);
	return sysfs_emit(page, "%s\n", dev->dev_config);
}

CONFIGFS_ATTR_RO(tcmu_, max_data_area_mb);
CONFIGFS_ATTR_RO(tcmu_, data_pages_per_blk);
CONFIGFS_ATTR_RO(tcmu_, cmd_ring_size_mb);

static ssize_t tcmu_cmd_time_out_store(struct config_item *item, const char *page, size_t count)
{
	struct tcmu_dev *dev = attrib_to_tcmu_dev(item);
	u32 seconds;
	int err = kstrtou32(page, 0, &seconds);

	if (err)
		return err;
	if (seconds > TCMU_MAX_SECONDS)
		return -EINVAL;
	if (dev->se_dev.export_count) {
		pr_err("%s: cmd_time_out cannot change while exported\n", dev->name);
		return -EINVAL;
	}
	WRITE_ONCE(dev->cmd_time_out, seconds * MSEC_PER_SEC);
	return count;
}
CONFIGFS_ATTR(tcmu_, cmd_time_out);

static ssize_t tcmu_qfull_time_out_store(struct config_item *item, const char *page, size_t count)
{
	struct tcmu_dev *dev = attrib_to_tcmu_dev(item);
	s32 seconds;
	int err = kstrtos32(page, 0, &seconds);

	if (err)
		return err;
	if (seconds < -1 || seconds > (s32)TCMU_MAX_SECONDS) {
		pr_err("%s: qfull_time_out must be -1 to %ld seconds\n", dev->name,
		       TCMU_MAX_SECONDS);
		return -EINVAL;
	}
	WRITE_ONCE(dev->qfull_time_out, seconds < 0 ? seconds : seconds * (s32)MSEC_PER_SEC);
	return count;
}
CONFIGFS_ATTR(tcmu_, qfull_time_out);

/*
 * Changes something that is the handler's business too: the daemon of an enabled
 * device is asked first, and if it refuses or there is none, nothing changes.
 */
static int tcmu_change(struct tcmu_dev *dev, int attr, const void *value, size_t len,
		       int (*apply)(struct tcmu_dev *dev, const void *value))
{
	int err = 0;

	if (!mutex_trylock(&dev->ask_lock))
		return -EBUSY;
	if (target_dev_configured(&dev->se_dev))
		err = tcmu_netlink_reconfig(dev, attr, value, len);
	if (err)
		pr_err("%s: the handler could not be reconfigured: %d\n", dev->name, err);
	else
		err = apply(dev, value);
	mutex_unlock(&dev->ask_lock);
	return err;
}

/* Sets dev_config, and the name that the UIO device has from it if there is one. */
static int tcmu_set_config(struct tcmu_dev *dev, const void *config)
{
	int err = 0;

	guard(mutex)(&dev->config_lock);
	if (target_dev_configured(&dev->se_dev))
		err = tcmu_uio_name(dev, config);
	if (!err)
		strscpy(dev->dev_config, config, TCMU_CONFIG_LEN);
	return err;
}

static ssize_t tcmu_dev_config_store(struct config_item *item, const char *page, size_t count)
{
	char *text __free(kfree) = kstrndup(page, count, GFP_KERNEL);
	struct tcmu_dev *dev = attrib_to_tcmu_dev(item);
	char config[TCMU_CONFIG_LEN] = {};
	int err;

	if (!text)
		return -ENOMEM;
	err = tcmu_parse_config(strim(text), config);
	if (!err)
		err = tcmu_change(dev, TCMU_ATTR_DEV_CFG, config, strlen(config) + 1,
				  tcmu_set_config);
	return err ?: count;
}
CONFIGFS_ATTR(tcmu_, dev_config);

static int tcmu_set_size(struct tcmu_dev *dev, const void *size)
{
	u64 old = dev->dev_size, new = *(const u64 *)size;

	WRITE_ONCE(dev->dev_size, new);
	if (new != old && target_dev_configured(&dev->se_dev))
		tcmu_attend_capacity(dev);
	return 0;
}

static ssize_t tcmu_dev_size_store(struct config_item *item, const char *page, size_t count)
{
	struct tcmu_dev *dev = attrib_to_tcmu_dev(item);
	u64 size;
	int err = kstrtou64(page, 0, &size);

	if (!err)
		err = tcmu_change(dev, TCMU_ATTR_DEV_SIZE, &size, sizeof(size), tcmu_set_size);
	return err ?: count;
}
CONFIGFS_ATTR(tcmu_, dev_size);

static ssize_t tcmu_nl_reply_supported_store(struct config_item *item, const char *page,
					     size_t count)
{
	struct tcmu_dev *dev = attrib_to_tcmu_dev(item);
	s8 value;
	int err = kstrtos8(page, 0, &value);

	if (err)
		return err;
	dev->nl_reply_supported = value;
	return count;
}
CONFIGFS_ATTR(tcmu_, nl_reply_supported);

static int tcmu_parse_flag(const char *page, u8 *flag)
{
	int err = kstrtou8(page, 0, flag);

	return err ?: *flag > 1 ? -EINVAL : 0;
}

static int tcmu_set_write_cache(struct tcmu_dev *dev, const void *enabled)
{
	dev->se_dev.dev_attrib.emulate_write_cache = *(const u8 *)enabled;
	return 0;
}

static ssize_t tcmu_emulate_write_cache_store(struct config_item *item, const char *page,
					      size_t count)
{
	struct tcmu_dev *dev = attrib_to_tcmu_dev(item);
	u8 enabled;
	int err = tcmu_parse_flag(page, &enabled);

	if (!err)
		err = tcmu_change(dev, TCMU_ATTR_WRITECACHE, &enabled, sizeof(enabled),
				  tcmu_set_write_cache);
	return err ?: count;
}
CONFIGFS_ATTR(tcmu_, emulate_write_cache);

static ssize_t tcmu_tmr_notification_store(struct config_item *item, const char *page,
					   size_t count)
{
	struct tcmu_dev *dev = attrib_to_tcmu_dev(item);
	u8 enabled;
	int err = tcmu_parse_flag(page, &enabled);

	if (err)
		return err;
	WRITE_ONCE(dev->tmr_notification, enabled);
	return count;
}
CONFIGFS_ATTR(tcmu_, tmr_notification);

/* Actions need a device with a ring. */
static int tcmu_check_enabled(struct tcmu_dev *dev)
{
	if (target_dev_configured(&dev->se_dev))
		return 0;
	pr_err("%s: the device is not enabled\n", dev->name);
	return -EINVAL;
}

static ssize_t tcmu_block_dev_show(struct config_item *item, char *page)
{
	const struct tcmu_dev *dev = action_to_tcmu_dev(item);

	return sysfs_emit(page, "%s\n",
			  test_bit(TCMU_DEV_BLOCKED, &dev->flags) ? "blocked" : "unblocked");
}

static ssize_t tcmu_block_dev_store(struct config_item *item, const char *page, size_t count)
{
	struct tcmu_dev *dev = action_to_tcmu_dev(item);
	u8 block;
	int err = tcmu_check_enabled(dev) ?: tcmu_parse_flag(page, &block);

	if (err)
		return err;
	tcmu_block(dev, block);
	return count;
}
CONFIGFS_ATTR(tcmu_, block_dev);

static ssize_t tcmu_reset_ring_store(struct config_item *item, const char *page, size_t count)
{
	struct tcmu_dev *dev = action_to_tcmu_dev(item);
	u8 level;
	int err = tcmu_check_enabled(dev) ?: kstrtou8(page, 0, &level);

	if (err)
		return err;
	if (level != 1 && level != 2) {
		pr_err("%s: reset_ring takes 1 (answer BUSY) or 2 (answer with an error)\n",
		       dev->name);
		return -EINVAL;
	}
	tcmu_reset_ring(dev, level == 1);
	return count;
}
CONFIGFS_ATTR_WO(tcmu_, reset_ring);

static ssize_t tcmu_free_kept_buf_store(struct config_item *item, const char *page, size_t count)
{
	struct tcmu_dev *dev = action_to_tcmu_dev(item);
	u16 tag;
	int err = tcmu_check_enabled(dev) ?: kstrtou16(page, 0, &tag) ?: tcmu_free_kept(dev, tag);

	return err ?: count;
}
CONFIGFS_ATTR_WO(tcmu_, free_kept_buf);

struct configfs_attribute *tcmu_attribs[] = {
	&tcmu_attr_cmd_time_out,
	&tcmu_attr_qfull_time_out,
	&tcmu_attr_max_data_area_mb,
	&tcmu_attr_data_pages_per_blk,
	&tcmu_attr_cmd_ring_size_mb,
	&tcmu_attr_dev_config,
	&tcmu_attr_dev_size,
	&tcmu_attr_emulate_write_cache,
	&tcmu_attr_tmr_notification,
	&tcmu_attr_nl_reply_supported,
	NULL,
};

struct configfs_attribute *tcmu_actions[] = {
	&tcmu_attr_block_dev,
	&tcmu_attr_reset_ring,
	&tcmu_attr_free_kept_buf,
	NULL,
};
