// SPDX-License-Identifier: GPL-2.0
/* Who a device says it is: the directory wwn/ of a device. */
#include <linux/configfs.h>
#include <linux/ctype.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "configfs_tree.h"
#include "core.h"

#define COMPANY_ID_MAX	0xffffff

static struct t10_wwn *to_wwn(struct config_item *item)
{
	return container_of(to_config_group(item), struct t10_wwn, t10_wwn_group);
}

/* Initiators have remembered who it is. */
static bool wwn_exported(const struct t10_wwn *wwn)
{
	struct se_device *dev = wwn->t10_dev;

	if (!dev_is_exported(dev))
		return false;
	pr_warn("%s/%s is exported: its identity cannot change\n",
		config_item_name(&dev->se_hba->hba_group.cg_item),
		config_item_name(&dev->dev_group.cg_item));
	return true;
}

/* ------------------------------------------------------------------ */
/* Vendor, product and revision of INQUIRY: ASCII graphic characters (SPC-4 4.4.1) */

static int inquiry_text(const char *page, size_t count, size_t max, char *text)
{
	char buf[INQUIRY_MODEL_LEN + 2];
	char *start;
	size_t i, len;

	/* One more for the end of the line. */
	if (count > max + 1)
		return -EOVERFLOW;
	if (memchr(page, 0, count))
		return -EINVAL;
	memcpy(buf, page, count);
	buf[count] = 0;
	start = strim(buf);
	len = strlen(start);
	if (len > max)
		return -EOVERFLOW;
	for (i = 0; i < len; i++)
		if (!isascii(start[i]) || !isprint(start[i]))
			return -EINVAL;
	memcpy(text, start, len + 1);
	return 0;
}

static ssize_t inquiry_text_store(struct config_item *item, const char *page, size_t count,
				  char *member, size_t max)
{
	char text[INQUIRY_MODEL_LEN + 1];
	int err = inquiry_text(page, count, max, text);

	if (err)
		return err;
	if (wwn_exported(to_wwn(item)))
		return -EINVAL;
	strscpy(member, text, max + 1);
	return count;
}

/* T(attribute, member of struct t10_wwn) */
#define WWN_TEXTS(T)			\
	T(vendor_id, vendor)		\
	T(product_id, model)		\
	T(revision, revision)

#define WWN_TEXT(_name, _member)					\
static ssize_t wwn_##_name##_show(struct config_item *item, char *page)	\
{									\
	return sysfs_emit(page, "%s\n", to_wwn(item)->_member);		\
}									\
									\
static ssize_t wwn_##_name##_store(struct config_item *item, const char *page, size_t count)	\
{									\
	struct t10_wwn *wwn = to_wwn(item);				\
									\
	return inquiry_text_store(item, page, count, wwn->_member, sizeof(wwn->_member) - 1);	\
}									\
CORE_ATTR(wwn_, _name)
WWN_TEXTS(WWN_TEXT)

/* ------------------------------------------------------------------ */

static ssize_t wwn_company_id_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "0x%06x\n", to_wwn(item)->company_id);
}

static ssize_t wwn_company_id_store(struct config_item *item, const char *page, size_t count)
{
	struct t10_wwn *wwn = to_wwn(item);
	u32 value;
	int err;

	if (memchr(page, 0, count))
		return -EINVAL;
	err = kstrtou32(page, 0, &value);
	if (err)
		return err;
	if (value > COMPANY_ID_MAX)
		return -EOVERFLOW;
	if (wwn_exported(wwn))
		return -EINVAL;
	WRITE_ONCE(wwn->company_id, value);
	return count;
}
CONFIGFS_ATTR(wwn_, company_id);

static ssize_t wwn_vpd_unit_serial_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "T10 VPD Unit Serial Number: %s\n", to_wwn(item)->unit_serial);
}

static ssize_t wwn_vpd_unit_serial_store(struct config_item *item, const char *page, size_t count)
{
	struct t10_wwn *wwn = to_wwn(item);
	struct se_device *dev = wwn->t10_dev;
	char buf[INQUIRY_VPD_SERIAL_LEN];

	/* The lower device has told its own. */
	if (dev->dev_flags & DF_FIRMWARE_VPD_UNIT_SERIAL)
		return -EOPNOTSUPP;
	if (count >= sizeof(buf))
		return -EOVERFLOW;
	if (memchr(page, 0, count))
		return -EINVAL;
	if (wwn_exported(wwn))
		return -EINVAL;
	memcpy(buf, page, count);
	buf[count] = 0;
	strscpy(wwn->unit_serial, strim(buf), sizeof(wwn->unit_serial));
	dev->dev_flags |= DF_EMULATED_VPD_UNIT_SERIAL;
	return count;
}
CONFIGFS_ATTR(wwn_, vpd_unit_serial);

/* ------------------------------------------------------------------ */
/* The designators of the lower device that pscsi has read */

static ssize_t wwn_vpd_protocol_identifier_show(struct config_item *item, char *page)
{
	struct t10_wwn *wwn = to_wwn(item);
	struct t10_vpd *vpd;
	ssize_t len = 0;

	spin_lock(&wwn->t10_vpd_lock);
	list_for_each_entry(vpd, &wwn->t10_vpd_list, vpd_list)
		if (vpd->protocol_identifier_set)
			len += vpd_show_proto_id(vpd, page + len, PAGE_SIZE - len);
	spin_unlock(&wwn->t10_vpd_lock);
	return len;
}
CONFIGFS_ATTR_RO(wwn_, vpd_protocol_identifier);

/* Three lines for every designator of that association. */
static ssize_t vpd_assoc_show(struct config_item *item, u32 association, char *page)
{
	struct t10_wwn *wwn = to_wwn(item);
	struct t10_vpd *vpd;
	ssize_t len = 0;

	spin_lock(&wwn->t10_vpd_lock);
	list_for_each_entry(vpd, &wwn->t10_vpd_list, vpd_list) {
		if (vpd->association != association)
			continue;
		len += vpd_show_assoc(vpd, page + len, PAGE_SIZE - len);
		len += vpd_show_ident_type(vpd, page + len, PAGE_SIZE - len);
		len += vpd_show_ident(vpd, page + len, PAGE_SIZE - len);
	}
	spin_unlock(&wwn->t10_vpd_lock);
	return len;
}

/* A(attribute, bits 5-4 of a designation descriptor's byte 1: SPC-4 7.8.6.1) */
#define VPD_ASSOCS(A)				\
	A(vpd_assoc_logical_unit, 0x00)		\
	A(vpd_assoc_target_port, 0x10)		\
	A(vpd_assoc_scsi_target_device, 0x20)

#define VPD_ASSOC(_name, _association)					\
static ssize_t wwn_##_name##_show(struct config_item *item, char *page)	\
{									\
	return vpd_assoc_show(item, _association, page);		\
}									\
CORE_ATTR_RO(wwn_, _name)
VPD_ASSOCS(VPD_ASSOC)

#define WWN_POINTER(_name, ...)	&wwn_attr_##_name,

struct configfs_attribute *wwn_configfs_attrs[] = {
	WWN_TEXTS(WWN_POINTER)
	&wwn_attr_company_id,
	&wwn_attr_vpd_unit_serial,
	&wwn_attr_vpd_protocol_identifier,
	VPD_ASSOCS(WWN_POINTER)
	NULL,
};
