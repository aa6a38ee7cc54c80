// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink family TCM-USER: daemons learn of devices that come, change
 * and go, and answer if they have said that they do.
 */
#include <linux/completion.h>
#include <linux/module.h>
#include <net/genetlink.h>

#include "tcmu.h"

/*
 * How long removal waits for the daemon. The other events may rightly take long
 * (a daemon opens a remote image); whoever waits for them can be killed.
 */
#define TCMU_REMOVE_SECONDS	30

/**
 * struct tcmu_nl_event - an event that waits for its answer
 * @node:	in tcmu_nl_events
 * @dev:	the device
 * @done_cmd:	the answer's command
 * @status:	the answer
 * @answered:	completed under tcmu_nl_lock, once
 */
struct tcmu_nl_event {
	struct list_head node;
	struct tcmu_dev *dev;
	int done_cmd;
	int status;
	struct completion answered;
};

static LIST_HEAD(tcmu_nl_events);	/* at most one a device */
static DEFINE_MUTEX(tcmu_nl_lock);	/* protects the list and what is below */
static bool tcmu_nl_blocked;
static bool tcmu_nl_reply_supported;

static const struct nla_policy tcmu_nl_policy[TCMU_ATTR_MAX + 1] = {
	[TCMU_ATTR_DEVICE]		= { .type = NLA_STRING },
	[TCMU_ATTR_MINOR]		= { .type = NLA_U32 },
	[TCMU_ATTR_CMD_STATUS]		= { .type = NLA_S32 },
	[TCMU_ATTR_DEVICE_ID]		= { .type = NLA_U32 },
	[TCMU_ATTR_SUPP_KERN_CMD_REPLY]	= { .type = NLA_U8 },
};

static int tcmu_nl_set_features(struct sk_buff *skb, struct genl_info *info)
{
	if (info->attrs[TCMU_ATTR_SUPP_KERN_CMD_REPLY])
		WRITE_ONCE(tcmu_nl_reply_supported,
			   nla_get_u8(info->attrs[TCMU_ATTR_SUPP_KERN_CMD_REPLY]));
	return 0;
}

/* Ends the wait for an event. What is no error number must not look like success. */
static void tcmu_nl_answer(struct tcmu_nl_event *event, int status)
{
	lockdep_assert_held(&tcmu_nl_lock);
	event->status = status <= 0 && status >= -MAX_ERRNO ? status : -EPROTO;
	list_del_init(&event->node);
	complete(&event->answered);
}

static int tcmu_nl_done(struct sk_buff *skb, struct genl_info *info)
{
	struct tcmu_nl_event *event;
	u32 id;

	if (!info->attrs[TCMU_ATTR_CMD_STATUS] || !info->attrs[TCMU_ATTR_DEVICE_ID])
		return -EINVAL;
	id = nla_get_u32(info->attrs[TCMU_ATTR_DEVICE_ID]);

	guard(mutex)(&tcmu_nl_lock);
	list_for_each_entry(event, &tcmu_nl_events, node) {
		if (event->dev->nl_id != id)
			continue;
		if (event->done_cmd != info->genlhdr->cmd)
			return -EINVAL;
		tcmu_nl_answer(event, nla_get_s32(info->attrs[TCMU_ATTR_CMD_STATUS]));
		return 0;
	}
	return -ENODEV;
}

#define TCMU_NL_OP(_cmd, _doit) {						\
	.cmd		= _cmd,							\
	.flags		= GENL_ADMIN_PERM,					\
	.validate	= GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,	\
	.doit		= _doit,						\
}

static const struct genl_small_ops tcmu_nl_ops[] = {
	TCMU_NL_OP(TCMU_CMD_SET_FEATURES, tcmu_nl_set_features),
	TCMU_NL_OP(TCMU_CMD_ADDED_DEVICE_DONE, tcmu_nl_done),
	TCMU_NL_OP(TCMU_CMD_REMOVED_DEVICE_DONE, tcmu_nl_done),
	TCMU_NL_OP(TCMU_CMD_RECONFIG_DEVICE_DONE, tcmu_nl_done),
};

static const struct genl_multicast_group tcmu_nl_groups[] = {
	{ .name = "config" },
};

static struct genl_family tcmu_nl_family __ro_after_init = {
	.module		= THIS_MODULE,
	.name		= "TCM-USER",
	.version	= 2,
	.maxattr	= TCMU_ATTR_MAX,
	.policy		= tcmu_nl_policy,
	.small_ops	= tcmu_nl_ops,
	.n_small_ops	= ARRAY_SIZE(tcmu_nl_ops),
	.resv_start_op	= TCMU_CMD_SET_FEATURES + 1,
	.mcgrps		= tcmu_nl_groups,
	.n_mcgrps	= ARRAY_SIZE(tcmu_nl_groups),
	.netnsok	= true,
};

/* Makes the message of an event; the caller may add to it. Takes config_lock. */
static struct sk_buff *tcmu_nl_start(struct tcmu_dev *dev, enum tcmu_genl_cmd cmd, void **header)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);

	if (!skb)
		return NULL;
	/* A new dev_config makes a new name. */
	guard(mutex)(&dev->config_lock);
	*header = genlmsg_put(skb, 0, 0, &tcmu_nl_family, 0, cmd);
	if (*header && !nla_put_string(skb, TCMU_ATTR_DEVICE, dev->uio.name) &&
	    !nla_put_u32(skb, TCMU_ATTR_MINOR, dev->uio.uio_dev->minor) &&
	    !nla_put_u32(skb, TCMU_ATTR_DEVICE_ID, dev->nl_id))
		return skb;
	nlmsg_free(skb);
	return NULL;
}

/* The answer's command to each event's. */
static int tcmu_nl_done_cmd(enum tcmu_genl_cmd cmd)
{
	return cmd - TCMU_CMD_ADDED_DEVICE + TCMU_CMD_ADDED_DEVICE_DONE;
}

static int tcmu_nl_add_event(struct tcmu_nl_event *event)
{
	struct tcmu_nl_event *other;

	guard(mutex)(&tcmu_nl_lock);
	if (tcmu_nl_blocked) {
		pr_err_ratelimited("%s: netlink is blocked, see block_netlink\n", event->dev->name);
		return -EAGAIN;
	}
	list_for_each_entry(other, &tcmu_nl_events, node)
		if (other->dev == event->dev)
			return -EBUSY;
	list_add_tail(&event->node, &tcmu_nl_events);
	return 0;
}

/* Waits for the answer to an event that was sent. */
static int tcmu_nl_wait(struct tcmu_nl_event *event, long timeout)
{
	long left = wait_for_completion_killable_timeout(&event->answered, timeout);

	guard(mutex)(&tcmu_nl_lock);
	if (list_empty(&event->node))
		return event->status;
	list_del_init(&event->node);
	if (left)
		return -EINTR;
	pr_warn_ratelimited("%s: no answer to a netlink event\n", event->dev->name);
	return -ETIMEDOUT;
}

/*
 * Sends an event and, if the daemon answers such, waits for that. -ESRCH: nobody
 * listens.
 */
static int tcmu_nl_send(struct tcmu_dev *dev, enum tcmu_genl_cmd cmd, struct sk_buff *skb,
			void *header, long timeout)
{
	struct tcmu_nl_event event = {
		.dev = dev,
		.done_cmd = tcmu_nl_done_cmd(cmd),
		.answered = COMPLETION_INITIALIZER_ONSTACK(event.answered),
	};
	int err;

	INIT_LIST_HEAD(&event.node);
	err = tcmu_nl_add_event(&event);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, header);
	err = genlmsg_multicast_allns(&tcmu_nl_family, skb, 0, 0);
	/* Anyone may listen, not read, and ask for this error: the daemon has its copy. */
	if (err == -ENOBUFS)
		err = 0;
	if (!err && dev->nl_reply_supported > 0)
		return tcmu_nl_wait(&event, timeout);

	guard(mutex)(&tcmu_nl_lock);
	list_del(&event.node);
	return err;
}

/**
 * tcmu_netlink_added - tell daemons of a new device
 * @dev:	the device, its UIO device registered
 *
 * Nobody needs to listen: a daemon finds the device in sysfs when it starts.
 *
 * Return: 0, -EAGAIN if netlink is blocked, -EINTR if reset or the waiter was
 * killed, what the daemon answered, or another negative error.
 * Context: may sleep, as long as the daemon takes.
 */
int tcmu_netlink_added(struct tcmu_dev *dev)
{
	struct sk_buff *skb;
	void *header;
	int err;

	/* Unless switched off for the device: as the daemon has said, even if set. */
	if (dev->nl_reply_supported >= 0)
		dev->nl_reply_supported = READ_ONCE(tcmu_nl_reply_supported);
	skb = tcmu_nl_start(dev, TCMU_CMD_ADDED_DEVICE, &header);
	if (!skb)
		return -ENOMEM;
	err = tcmu_nl_send(dev, TCMU_CMD_ADDED_DEVICE, skb, header, MAX_SCHEDULE_TIMEOUT);
	return err == -ESRCH ? 0 : err;
}

/**
 * tcmu_netlink_removed - tell daemons that a device goes
 * @dev:	the device
 *
 * Return: as tcmu_netlink_added(), or -ETIMEDOUT; the device goes anyway.
 * Context: may sleep, TCMU_REMOVE_SECONDS at most.
 */
int tcmu_netlink_removed(struct tcmu_dev *dev)
{
	void *header;
	struct sk_buff *skb = tcmu_nl_start(dev, TCMU_CMD_REMOVED_DEVICE, &header);

	if (!skb)
		return -ENOMEM;
	return tcmu_nl_send(dev, TCMU_CMD_REMOVED_DEVICE, skb, header, TCMU_REMOVE_SECONDS * HZ);
}

/**
 * tcmu_netlink_reconfig - ask daemons to take a change
 * @dev:	the device
 * @attr:	what changes: TCMU_ATTR_DEV_CFG, _DEV_SIZE or _WRITECACHE
 * @value:	the new value as the attribute has it
 * @len:	its length in bytes
 *
 * Return: as tcmu_netlink_added(), or -ESRCH if nobody listens.
 * Context: may sleep, as long as the daemon takes.
 */
int tcmu_netlink_reconfig(struct tcmu_dev *dev, int attr, const void *value, size_t len)
{
	void *header;
	struct sk_buff *skb = tcmu_nl_start(dev, TCMU_CMD_RECONFIG_DEVICE, &header);

	if (!skb)
		return -ENOMEM;
	if (attr == TCMU_ATTR_DEV_SIZE ? nla_put_64bit(skb, attr, len, value, TCMU_ATTR_PAD) :
					 nla_put(skb, attr, len, value)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	return tcmu_nl_send(dev, TCMU_CMD_RECONFIG_DEVICE, skb, header, MAX_SCHEDULE_TIMEOUT);
}

static int tcmu_set_block_netlink(const char *text, const struct kernel_param *param)
{
	u8 block;
	int err = kstrtou8(text, 0, &block);

	if (err)
		return err;
	if (block > 1) {
		pr_err("block_netlink must be 0 or 1\n");
		return -EINVAL;
	}
	guard(mutex)(&tcmu_nl_lock);
	tcmu_nl_blocked = block;
	return 0;
}

static int tcmu_get_block_netlink(char *buffer, const struct kernel_param *param)
{
	return sprintf(buffer, "%s\n", READ_ONCE(tcmu_nl_blocked) ? "blocked" : "unblocked");
}

static const struct kernel_param_ops tcmu_block_netlink_ops = {
	.set = tcmu_set_block_netlink,
	.get = tcmu_get_block_netlink,
};
module_param_cb(block_netlink, &tcmu_block_netlink_ops, NULL, 0644);
MODULE_PARM_DESC(block_netlink, "1: refuse new netlink events");

static int tcmu_set_reset_netlink(const char *text, const struct kernel_param *param)
{
	struct tcmu_nl_event *event, *next;
	u8 reset;
	int err = kstrtou8(text, 0, &reset);

	if (err)
		return err;
	if (reset != 1) {
		pr_err("reset_netlink must be 1\n");
		return -EINVAL;
	}
	guard(mutex)(&tcmu_nl_lock);
	list_for_each_entry_safe(event, next, &tcmu_nl_events, node)
		tcmu_nl_answer(event, -EINTR);
	return 0;
}

static const struct kernel_param_ops tcmu_reset_netlink_ops = {
	.set = tcmu_set_reset_netlink,
};
module_param_cb(reset_netlink, &tcmu_reset_netlink_ops, NULL, 0200);
MODULE_PARM_DESC(reset_netlink, "1: end all waits for answers to netlink events");

/**
 * tcmu_netlink_init - register the family
 *
 * Return: 0 or a negative error.
 */
int tcmu_netlink_init(void)
{
	return genl_register_family(&tcmu_nl_family);
}

/**
 * tcmu_netlink_exit - undo tcmu_netlink_init()
 */
void tcmu_netlink_exit(void)
{
	genl_unregister_family(&tcmu_nl_family);
}
