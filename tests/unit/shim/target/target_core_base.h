/* SPDX-License-Identifier: GPL-2.0 */
/* The part of the target core's types that a backstore sees. */
#ifndef SHIM_TARGET_CORE_BASE_H
#define SHIM_TARGET_CORE_BASE_H

#include <linux/list.h>
#include <linux/scatterlist.h>

typedef unsigned int sense_reason_t;

enum {
	TCM_NO_SENSE,
	TCM_INVALID_CDB_FIELD,
	TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE,
	TCM_LUN_BUSY,
	TCM_OUT_OF_RESOURCES,
	TCM_UNSUPPORTED_SCSI_OPCODE,
};

enum { CMD_T_ABORTED = 1 };
enum { SCF_BIDI = 1, SCF_TREAT_READ_AS_NORMAL = 2 };
enum dma_data_direction { DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE };

enum tcm_tmreq_table {
	TMR_ABORT_TASK = 1,
	TMR_ABORT_TASK_SET,
	TMR_CLEAR_ACA,
	TMR_CLEAR_TASK_SET,
	TMR_LUN_RESET,
	TMR_TARGET_WARM_RESET,
	TMR_TARGET_COLD_RESET,
	TMR_LUN_RESET_PRO,
	TMR_UNKNOWN,
};

struct target_backend_ops {
	char name[16];
};

struct se_device {
	const struct target_backend_ops *transport;
};

struct se_dev_plug {
	struct se_device *se_dev;
};

struct se_cmd {
	void *shim_owner;
	struct se_device *se_dev;
	unsigned int se_cmd_flags;
	unsigned int transport_state;
	enum dma_data_direction data_direction;
	u32 data_length;
	unsigned char *t_task_cdb;
	struct scatterlist *t_data_sg;
	unsigned int t_data_nents;
	struct scatterlist *t_bidi_data_sg;
	unsigned int t_bidi_data_nents;
	sense_reason_t (*execute_cmd)(struct se_cmd *se_cmd);
	struct list_head state_list;
	struct list_head se_qf_node;
	void *priv;
};

#endif /* SHIM_TARGET_CORE_BASE_H */
