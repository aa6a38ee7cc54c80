/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Asymmetric logical unit access (SPC-4 5.15) inside the core: what
 * target_core_alua.c, _alua_groups.c and _alua_configfs.c need of each other.
 *
 * A logical unit group (LU group) has devices as members, a target port group
 * (TG PT group) of a device has LUNs. alua_lock, a mutex, covers the lists of
 * groups, who is a member of what, and group identifiers. It is taken inside
 * configfs' locks and tpg_lun_mutex, outside of lun_deve_lock and lba_map_lock, and
 * never while waiting for a transition. Commands look at the groups under RCU.
 */
#ifndef LIO_ALUA_H
#define LIO_ALUA_H

#include "core.h"

/* Supported states, as in REPORT TARGET PORT GROUPS, byte 1 (SPC-4 table 247) */
#define ALUA_T_SUP	0x80
#define ALUA_O_SUP	0x40
#define ALUA_LBD_SUP	0x10
#define ALUA_U_SUP	0x08
#define ALUA_S_SUP	0x04
#define ALUA_AN_SUP	0x02
#define ALUA_AO_SUP	0x01

/* tg_pt_gp_alua_access_type: the TPGS field of INQUIRY */
#define ALUA_TPGS_IMPLICIT	0x1
#define ALUA_TPGS_EXPLICIT	0x2

/* Status codes of REPORT TARGET PORT GROUPS (SPC-4 table 249) */
enum alua_status {
	ALUA_STATUS_NONE,
	ALUA_STATUS_EXPLICIT,
	ALUA_STATUS_IMPLICIT,
	ALUA_NR_STATUS,
};

#define ALUA_NONOP_DEFAULT_MSECS	100
#define ALUA_NONOP_MAX_MSECS	10000
#define ALUA_TRANS_MAX_MSECS	30000
#define ALUA_IMPLICIT_MAX_SECS	255

/**
 * struct core_tg_pt_gp - a target port group
 * @gp:		what the public headers know of it
 * @changing:	a transition is under way, under alua_lock; see alua_set_state()
 * @rcu:	frees it after the last command that looks
 */
struct core_tg_pt_gp {
	struct t10_alua_tg_pt_gp	gp;
	bool				changing;
	struct rcu_head			rcu;
};

static inline struct core_tg_pt_gp *to_core_tg_pt_gp(struct t10_alua_tg_pt_gp *gp)
{
	return container_of(gp, struct core_tg_pt_gp, gp);
}

/**
 * struct core_lu_gp - a logical unit group
 * @gp:		what the public headers know of it
 * @rcu:	frees it after the last command that looks
 */
struct core_lu_gp {
	struct t10_alua_lu_gp		gp;
	struct rcu_head			rcu;
};

extern struct mutex alua_lock;
extern struct t10_alua_lu_gp *alua_default_lu_gp;

/* target_core_alua_groups.c */
struct t10_alua_lu_gp *alua_lu_group_create(const char *name);
int alua_lu_group_set_id(struct t10_alua_lu_gp *gp, u16 id);
ssize_t alua_lu_group_members(struct t10_alua_lu_gp *gp, char *page);
void alua_lu_group_remove(struct t10_alua_lu_gp *gp);
void alua_lu_group_free(struct t10_alua_lu_gp *gp);

struct t10_alua_tg_pt_gp *alua_tg_group_create(struct se_device *dev, const char *name);
int alua_tg_group_set_id(struct t10_alua_tg_pt_gp *gp, u16 id);
ssize_t alua_tg_group_members(struct t10_alua_tg_pt_gp *gp, char *page);
void alua_tg_group_remove(struct t10_alua_tg_pt_gp *gp);
void alua_tg_group_put(struct t10_alua_tg_pt_gp *gp);

void alua_dev_unlist(struct se_device *dev);
ssize_t alua_dev_show_lu_group(struct se_device *dev, char *page);
ssize_t alua_dev_store_lu_group(struct se_device *dev, const char *page, size_t count);

/* target_core_alua.c */
const char *alua_state_name(int state);
const char *alua_status_name(int status);
int alua_set_state(struct t10_alua_tg_pt_gp *gp, int state);

/* target_core_alua_lba.c: the map of the LBA dependent state */
ssize_t alua_dev_show_lba_map(struct se_device *dev, char *page);
ssize_t alua_dev_store_lba_map(struct se_device *dev, const char *page, size_t count);
void alua_lba_map_free(struct se_device *dev);

/* target_core_alua_configfs.c: the types of the groups' directories */
extern const struct config_item_type alua_lu_gps_cit, alua_lu_gp_cit, alua_tg_pt_gp_cit;
struct config_group *alua_make_tg_group(struct config_group *group, const char *name);
void alua_drop_tg_group(struct config_group *group, struct config_item *item);

#endif /* LIO_ALUA_H */
