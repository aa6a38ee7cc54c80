// SPDX-License-Identifier: GPL-2.0
/*
 * Reservations as a device's pr/ shows them. No command makes one yet
 * (target_core_pr.c), so there is never a holder or a registration.
 */
#include <linux/configfs.h>
#include <linux/sysfs.h>

#include "configfs_tree.h"
#include "core.h"

#define PR_NO_HOLDER	"No SPC-3 Reservation holder"

/* Who answers for reservations. */
enum pr_mode {
	PR_DISABLED,
	PR_PASSTHROUGH,
	PR_EMULATED,
};

static struct se_device *pr_dev(struct config_item *item)
{
	return container_of(to_config_group(item), struct se_device, dev_pr_group);
}

static enum pr_mode pr_mode(const struct se_device *dev)
{
	if (!dev->dev_attrib.emulate_pr)
		return PR_DISABLED;
	if (dev->transport_flags & TRANSPORT_FLAG_PASSTHROUGH_PGR)
		return PR_PASSTHROUGH;
	return PR_EMULATED;
}

/* One line that depends on the mode; NULL: nothing. */
static ssize_t pr_line(struct config_item *item, char *page, const char *const lines[])
{
	const char *line = lines[pr_mode(pr_dev(item))];

	return line ? sysfs_emit(page, "%s\n", line) : 0;
}

/* P(name, when disabled, when passed through, when emulated) */
#define PR_LINES(P)							\
	P(res_holder, "SPC_RESERVATIONS_DISABLED", "Passthrough", PR_NO_HOLDER)	\
	P(res_type, "SPC_RESERVATIONS_DISABLED", "SPC_PASSTHROUGH",	\
	  "SPC3_PERSISTENT_RESERVATIONS")				\
	P(res_pr_all_tgt_pts, PR_NO_HOLDER, PR_NO_HOLDER, PR_NO_HOLDER)	\
	P(res_pr_holder_tg_port, PR_NO_HOLDER, PR_NO_HOLDER, PR_NO_HOLDER)	\
	P(res_pr_type, PR_NO_HOLDER, PR_NO_HOLDER, PR_NO_HOLDER)	\
	P(res_pr_registered_i_pts, "SPC-3 PR Registrations:\nNone",	\
	  "SPC-3 PR Registrations:\nNone", "SPC-3 PR Registrations:\nNone")	\
	P(res_aptpl_active, NULL, NULL, "APTPL Bit Status: Disabled")

#define PR_SHOW(_name, ...)						\
static ssize_t pr_##_name##_show(struct config_item *item, char *page)	\
{									\
	static const char *const lines[] = { __VA_ARGS__ };		\
									\
	return pr_line(item, page, lines);				\
}									\
CORE_ATTR_RO(pr_, _name)
PR_LINES(PR_SHOW)

static ssize_t pr_res_pr_generation_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "0x%08x\n", pr_dev(item)->t10_pr.pr_generation);
}
CONFIGFS_ATTR_RO(pr_, res_pr_generation);

static ssize_t pr_res_aptpl_metadata_show(struct config_item *item, char *page)
{
	static const char *const lines[] = {
		[PR_EMULATED]	= "Ready to process PR APTPL metadata..",
	};

	return pr_line(item, page, lines);
}

/* Registrations are not taken from here: there is nothing that could honour them. */
static ssize_t pr_res_aptpl_metadata_store(struct config_item *item, const char *page, size_t count)
{
	return pr_mode(pr_dev(item)) == PR_EMULATED ? -EINVAL : count;
}
CONFIGFS_ATTR(pr_, res_aptpl_metadata);

#define PR_POINTER(_name, ...)	&pr_attr_##_name,

struct configfs_attribute *pr_configfs_attrs[] = {
	PR_LINES(PR_POINTER)
	&pr_attr_res_pr_generation,
	&pr_attr_res_aptpl_metadata,
	NULL,
};
