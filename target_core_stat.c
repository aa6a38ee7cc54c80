// SPDX-License-Identifier: GPL-2.0
/*
 * The groups "statistics" of devices, of a TPG's LUNs and of mapped LUNs, named
 * after the tables of RFC 4455 (SCSI-MIB). One table a group: name, format,
 * value; the value is an expression of the level's `s'.
 */
#include "core.h"

#include <linux/module.h>
#include <linux/sysfs.h>

static struct io_stats stats_of(const struct io_stats __percpu *stats)
{
	struct io_stats sum;

	sum_stats(stats, &sum);
	return sum;
}

/* Hundredths of a second since boot, as TimeTicks are (RFC 2578 clause 7.1.8). */
static u32 time_ticks(u64 when)
{
	return (when - INITIAL_JIFFIES) * 100 / HZ;
}

#define MBYTES(bytes)	((bytes) >> 20)

/* A level's groups hang below a group "statistics" that is embedded in the object. */
#define STAT_OBJECT(item, type, member) \
	container_of(to_config_group((item)->ci_parent), type, member.stat_group)

/* Devices. */
struct stat_dev {
	struct se_device *dev;
};

static int stat_dev_get(struct stat_dev *s, struct config_item *item)
{
	s->dev = STAT_OBJECT(item, struct se_device, dev_stat_grps);
	return 0;
}

static void stat_dev_put(struct stat_dev *s)
{
}

/* LUNs of a TPG: there is something to tell while they have a device. */
struct stat_port {
	struct se_lun			*lun;
	struct se_device		*dev;
	struct se_portal_group		*tpg;
	const struct target_core_fabric_ops *tfo;
};

static int stat_port_get(struct stat_port *s, struct config_item *item)
	__acquires(RCU)
{
	s->lun = STAT_OBJECT(item, struct se_lun, port_stat_grps);
	s->tpg = s->lun->lun_tpg;
	s->tfo = s->tpg->se_tpg_tfo;
	rcu_read_lock();
	s->dev = rcu_dereference(s->lun->lun_se_dev);
	return s->dev ? 0 : -ENODEV;
}

static void stat_port_put(struct stat_port *s)
	__releases(RCU)
{
	rcu_read_unlock();
}

/* Mapped LUNs: while they lead to a LUN. */
struct stat_ml {
	struct se_node_acl		*nacl;
	struct se_dev_entry		*deve;
	struct se_device		*dev;
	struct se_portal_group		*tpg;
	const struct target_core_fabric_ops *tfo;
};

static int stat_ml_get(struct stat_ml *s, struct config_item *item)
	__acquires(RCU)
{
	struct se_lun_acl *lacl = STAT_OBJECT(item, struct se_lun_acl, ml_stat_grps);

	s->nacl = lacl->se_lun_nacl;
	s->tpg = s->nacl->se_tpg;
	s->tfo = s->tpg->se_tpg_tfo;
	rcu_read_lock();
	s->deve = target_nacl_find_deve(s->nacl, lacl->mapped_lun);
	s->dev = s->deve ? rcu_dereference(s->deve->se_lun->lun_se_dev) : NULL;
	return s->dev ? 0 : -ENODEV;
}

static void stat_ml_put(struct stat_ml *s)
	__releases(RCU)
{
	rcu_read_unlock();
}

/* The nexus of a mapped LUN's initiator: while it is logged in. */
struct stat_nexus {
	struct se_node_acl		*nacl;
	struct se_session		*sess;
	const struct target_core_fabric_ops *tfo;
};

static int stat_nexus_get(struct stat_nexus *s, struct config_item *item)
	__acquires(&s->nacl->nacl_sess_lock)
{
	s->nacl = STAT_OBJECT(item, struct se_lun_acl, ml_stat_grps)->se_lun_nacl;
	s->tfo = s->nacl->se_tpg->se_tpg_tfo;
	spin_lock_irq(&s->nacl->nacl_sess_lock);
	s->sess = s->nacl->nacl_sess;
	return s->sess ? 0 : -ENODEV;
}

static void stat_nexus_put(struct stat_nexus *s)
	__releases(&s->nacl->nacl_sess_lock)
{
	spin_unlock_irq(&s->nacl->nacl_sess_lock);
}

/* The part of an initiator port's name that tells its sessions apart, where there is one. */
#define SESSION_ID_LEN	64
struct session_id {
	char text[SESSION_ID_LEN];
};

static struct session_id session_id(const struct stat_nexus *s)
{
	struct session_id id = {};

	if (s->tfo->sess_get_initiator_sid)
		s->tfo->sess_get_initiator_sid(s->sess, id.text, sizeof(id.text));
	id.text[sizeof(id.text) - 1] = '\0';
	return id;
}

#define SCSI_DEV(X) \
	X(dev, scsi_dev, inst, "%u\n", s.dev->se_hba->hba_index) \
	X(dev, scsi_dev, indx, "%u\n", s.dev->dev_index) \
	X(dev, scsi_dev, role, "%s\n", "Target") \
	X(dev, scsi_dev, ports, "%u\n", s.dev->export_count)

#define SCSI_TGT_DEV(X) \
	X(dev, scsi_tgt_dev, inst, "%u\n", s.dev->se_hba->hba_index) \
	X(dev, scsi_tgt_dev, indx, "%u\n", s.dev->dev_index) \
	X(dev, scsi_tgt_dev, num_lus, "%u\n", 1) \
	X(dev, scsi_tgt_dev, status, "%s", READ_ONCE(s.dev->export_count) ? "activated" : "deactivated") \
	X(dev, scsi_tgt_dev, non_access_lus, "%u\n", !READ_ONCE(s.dev->export_count)) \
	X(dev, scsi_tgt_dev, resets, "%lu\n", atomic_long_read(&s.dev->num_resets)) \
	X(dev, scsi_tgt_dev, aborts_complete, "%lu\n", atomic_long_read(&s.dev->aborts_complete)) \
	X(dev, scsi_tgt_dev, aborts_no_task, "%lu\n", atomic_long_read(&s.dev->aborts_no_task))

#define SCSI_LU(X) \
	X(dev, scsi_lu, inst, "%u\n", s.dev->se_hba->hba_index) \
	X(dev, scsi_lu, dev, "%u\n", s.dev->dev_index) \
	X(dev, scsi_lu, indx, "%u\n", 1) \
	X(dev, scsi_lu, lun, "%u\n", 0) \
	X(dev, scsi_lu, lu_name, "%s\n", s.dev->t10_wwn.unit_serial[0] ? s.dev->t10_wwn.unit_serial : "None") \
	X(dev, scsi_lu, vend, "%-*s\n", INQUIRY_VENDOR_LEN, s.dev->t10_wwn.vendor) \
	X(dev, scsi_lu, prod, "%-*s\n", INQUIRY_MODEL_LEN, s.dev->t10_wwn.model) \
	X(dev, scsi_lu, rev, "%-*s\n", INQUIRY_REVISION_LEN, s.dev->t10_wwn.revision) \
	X(dev, scsi_lu, dev_type, "%u\n", s.dev->transport->get_device_type(s.dev)) \
	X(dev, scsi_lu, status, "%s\n", READ_ONCE(s.dev->export_count) ? "available" : "notavailable") \
	X(dev, scsi_lu, state_bit, "%s\n", "exposed") \
	X(dev, scsi_lu, num_cmds, "%lu\n", stats_of(to_core_dev(s.dev)->stats).cmds) \
	X(dev, scsi_lu, read_mbytes, "%lu\n", MBYTES(stats_of(to_core_dev(s.dev)->stats).read_bytes)) \
	X(dev, scsi_lu, write_mbytes, "%lu\n", MBYTES(stats_of(to_core_dev(s.dev)->stats).write_bytes)) \
	X(dev, scsi_lu, resets, "%lu\n", atomic_long_read(&s.dev->num_resets)) \
	X(dev, scsi_lu, full_stat, "%u\n", 0) \
	X(dev, scsi_lu, hs_num_cmds, "%u\n", 0) \
	X(dev, scsi_lu, creation_time, "%u\n", time_ticks(s.dev->creation_time))

#define SCSI_PORT(X) \
	X(port, scsi_port, inst, "%u\n", s.dev->hba_index) \
	X(port, scsi_port, dev, "%u\n", s.dev->dev_index) \
	X(port, scsi_port, indx, "%u\n", compat_lun_rtpi(s.lun)) \
	X(port, scsi_port, role, "%s%u\n", "Device", s.dev->dev_index) \
	X(port, scsi_port, busy_count, "%u\n", 0)

#define SCSI_TGT_PORT(X) \
	X(port, scsi_tgt_port, inst, "%u\n", s.dev->hba_index) \
	X(port, scsi_tgt_port, dev, "%u\n", s.dev->dev_index) \
	X(port, scsi_tgt_port, indx, "%u\n", compat_lun_rtpi(s.lun)) \
	X(port, scsi_tgt_port, name, "%sPort#%u\n", s.tfo->fabric_name, compat_lun_rtpi(s.lun)) \
	X(port, scsi_tgt_port, port_index, "%s+t+%u\n", s.tfo->tpg_get_wwn(s.tpg), s.tfo->tpg_get_tag(s.tpg)) \
	X(port, scsi_tgt_port, in_cmds, "%lu\n", stats_of(to_core_lun(s.lun)->stats).cmds) \
	X(port, scsi_tgt_port, write_mbytes, "%lu\n", MBYTES(stats_of(to_core_lun(s.lun)->stats).write_bytes)) \
	X(port, scsi_tgt_port, read_mbytes, "%lu\n", MBYTES(stats_of(to_core_lun(s.lun)->stats).read_bytes)) \
	X(port, scsi_tgt_port, hs_in_cmds, "%u\n", 0)

#define SCSI_TRANSPORT(X) \
	X(port, scsi_transport, inst, "%u\n", s.dev->hba_index) \
	X(port, scsi_transport, device, "scsiTransport%s\n", s.tfo->fabric_name) \
	X(port, scsi_transport, indx, "%u\n", s.tfo->tpg_get_inst_index(s.tpg)) \
	X(port, scsi_transport, dev_name, "%s+%s\n", s.tfo->tpg_get_wwn(s.tpg), \
	  s.dev->t10_wwn.unit_serial[0] ? s.dev->t10_wwn.unit_serial : s.dev->t10_wwn.vendor) \
	X(port, scsi_transport, proto_id, "%d\n", s.tpg->proto_id)

#define SCSI_AUTH_INTR(X) \
	X(ml, scsi_auth_intr, inst, "%u\n", s.tfo->tpg_get_inst_index(s.tpg)) \
	X(ml, scsi_auth_intr, dev, "%u\n", s.dev->dev_index) \
	X(ml, scsi_auth_intr, port, "%u\n", s.tfo->tpg_get_tag(s.tpg)) \
	X(ml, scsi_auth_intr, indx, "%u\n", s.nacl->acl_index) \
	X(ml, scsi_auth_intr, dev_or_port, "%u\n", 1) \
	X(ml, scsi_auth_intr, intr_name, "%s\n", s.nacl->initiatorname) \
	X(ml, scsi_auth_intr, map_indx, "%u\n", 0) \
	X(ml, scsi_auth_intr, att_count, "%u\n", s.deve->attach_count) \
	X(ml, scsi_auth_intr, num_cmds, "%lu\n", stats_of(to_core_deve(s.deve)->stats).cmds) \
	X(ml, scsi_auth_intr, read_mbytes, "%lu\n", MBYTES(stats_of(to_core_deve(s.deve)->stats).read_bytes)) \
	X(ml, scsi_auth_intr, write_mbytes, "%lu\n", MBYTES(stats_of(to_core_deve(s.deve)->stats).write_bytes)) \
	X(ml, scsi_auth_intr, hs_num_cmds, "%u\n", 0) \
	X(ml, scsi_auth_intr, creation_time, "%u\n", time_ticks(s.deve->creation_time)) \
	X(ml, scsi_auth_intr, row_status, "%s\n", "Ready")

#define SCSI_ATT_INTR_PORT(X) \
	X(ml, scsi_att_intr_port, inst, "%u\n", s.tfo->tpg_get_inst_index(s.tpg)) \
	X(ml, scsi_att_intr_port, dev, "%u\n", s.dev->dev_index) \
	X(ml, scsi_att_intr_port, port, "%u\n", s.tfo->tpg_get_tag(s.tpg)) \
	X(nexus, scsi_att_intr_port, indx, "%u\n", s.tfo->sess_get_index(s.sess)) \
	X(ml, scsi_att_intr_port, port_auth_indx, "%u\n", s.nacl->acl_index) \
	X(nexus, scsi_att_intr_port, port_ident, "%s+i+%s\n", s.nacl->initiatorname, session_id(&s).text)

#define STAT_ATTR(level, group, name, ...) \
static ssize_t group##_##name##_show(struct config_item *item, char *page) \
{ \
	struct stat_##level s; \
	ssize_t ret = stat_##level##_get(&s, item); \
\
	if (!ret) \
		ret = sysfs_emit(page, __VA_ARGS__); \
	stat_##level##_put(&s); \
	return ret; \
} \
CORE_ATTR_RO(group##_, name)

#define STAT_ATTR_POINTER(level, group, name, ...)	&group##_attr_##name,

#define STAT_GROUP(group, TABLE) \
TABLE(STAT_ATTR) \
static struct configfs_attribute *group##_attrs[] = { \
	TABLE(STAT_ATTR_POINTER) \
	NULL, \
}; \
static const struct config_item_type group##_cit = { \
	.ct_owner	= THIS_MODULE, \
	.ct_attrs	= group##_attrs, \
}

STAT_GROUP(scsi_dev, SCSI_DEV);
STAT_GROUP(scsi_tgt_dev, SCSI_TGT_DEV);
STAT_GROUP(scsi_lu, SCSI_LU);
STAT_GROUP(scsi_port, SCSI_PORT);
STAT_GROUP(scsi_tgt_port, SCSI_TGT_PORT);
STAT_GROUP(scsi_transport, SCSI_TRANSPORT);
STAT_GROUP(scsi_auth_intr, SCSI_AUTH_INTR);
STAT_GROUP(scsi_att_intr_port, SCSI_ATT_INTR_PORT);

static void add_group(struct config_group *stat_group, struct config_group *group, const char *name,
		      const struct config_item_type *type)
{
	config_group_init_type_name(group, name, type);
	configfs_add_default_group(group, stat_group);
}

/**
 * stat_setup_dev - give a device its statistics
 * @dev:	the device; dev_stat_grps.stat_group is initialised
 */
void stat_setup_dev(struct se_device *dev)
{
	struct se_dev_stat_grps *grps = &dev->dev_stat_grps;

	add_group(&grps->stat_group, &grps->scsi_dev_group, "scsi_dev", &scsi_dev_cit);
	add_group(&grps->stat_group, &grps->scsi_tgt_dev_group, "scsi_tgt_dev", &scsi_tgt_dev_cit);
	add_group(&grps->stat_group, &grps->scsi_lu_group, "scsi_lu", &scsi_lu_cit);
}

/**
 * stat_setup_port - give a LUN its statistics
 * @lun:	the LUN; port_stat_grps.stat_group is initialised
 */
void stat_setup_port(struct se_lun *lun)
{
	struct se_port_stat_grps *grps = &lun->port_stat_grps;

	add_group(&grps->stat_group, &grps->scsi_port_group, "scsi_port", &scsi_port_cit);
	add_group(&grps->stat_group, &grps->scsi_tgt_port_group, "scsi_tgt_port", &scsi_tgt_port_cit);
	add_group(&grps->stat_group, &grps->scsi_transport_group, "scsi_transport", &scsi_transport_cit);
}

/**
 * stat_setup_ml - give a mapped LUN its statistics
 * @lacl:	the mapped LUN; ml_stat_grps.stat_group is initialised
 */
void stat_setup_ml(struct se_lun_acl *lacl)
{
	struct se_ml_stat_grps *grps = &lacl->ml_stat_grps;

	add_group(&grps->stat_group, &grps->scsi_auth_intr_group, "scsi_auth_intr", &scsi_auth_intr_cit);
	add_group(&grps->stat_group, &grps->scsi_att_intr_port_group, "scsi_att_intr_port", &scsi_att_intr_port_cit);
}
