/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the core's parser sees of the target's types: force-included in place of
 * the target's headers, core.h and the rest of the core, of which the parser
 * uses little. The test defines the functions.
 */
#ifndef SHIM_TARGET_CORE_H
#define SHIM_TARGET_CORE_H

#define SHIM_TARGET_CORE_BASE_H
#define SHIM_TARGET_CORE_BACKEND_H
#define LIO_CORE_H

#include <errno.h>
#include <linux/kernel.h>
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <scsi/scsi_proto.h>

typedef unsigned int sense_reason_t;
typedef u64 sector_t;
typedef u16 __be16;

#define U64_MAX			((u64)~0ULL)
#define U8_MAX			((u8)~0U)
#define likely(x)		__builtin_expect(!!(x), 1)
#define BUILD_BUG_ON(cond)	static_assert(!(cond), #cond)
#define TCM_MAX_COMMAND_SIZE	32
#define TRANSPORT_SENSE_BUFFER	96
#define READ_CAP_LEN		8

enum {
	TCM_NO_SENSE,
	TCM_ADDRESS_OUT_OF_RANGE,
	TCM_CHECK_CONDITION_ABORT_CMD,
	TCM_INVALID_CDB_FIELD,
	TCM_INVALID_PARAMETER_LIST,
	TCM_LOGICAL_UNIT_COMMUNICATION_FAILURE,
	TCM_MISCOMPARE_VERIFY,
	TCM_OUT_OF_RESOURCES,
	TCM_PARAMETER_LIST_LENGTH_ERROR,
	TCM_UNSUPPORTED_SCSI_OPCODE,
	CORE_FORMAT_CORRUPTED,
	CORE_FORMAT_IN_PROGRESS,
	CORE_NOT_READY,
	CORE_SANITIZE_FAILED,
	CORE_SANITIZE_IN_PROGRESS,
	CORE_WRITE_ERROR,
};

enum { CMD_T_ABORTED = 1 };
enum {
	SCF_FUA = 1,
	SCF_SCSI_DATA_CDB = 2,
	SCF_COMPARE_AND_WRITE = 4,
	SCF_UNDERFLOW_BIT = 8,
	SCF_PASSTHROUGH_SG_TO_MEM_NOALLOC = 16,
};
enum { TRANSPORT_FLAG_PASSTHROUGH = 1, TRANSPORT_FLAG_PASSTHROUGH_PGR = 2 };
enum { TCM_SIMPLE_TAG, TCM_HEAD_TAG, TCM_ORDERED_TAG, TCM_ACA_TAG };
enum dma_data_direction { DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE };
enum target_prot_type {
	TARGET_DIF_TYPE0_PROT,
	TARGET_DIF_TYPE1_PROT,
	TARGET_DIF_TYPE2_PROT,
	TARGET_DIF_TYPE3_PROT,
};
enum { TARGET_PROT_NORMAL, TARGET_PROT_DOUT_PASS = 1, TARGET_PROT_DIN_PASS = 2 };

struct se_cmd;
struct se_device;

struct target_backend_ops {
	u64 (*get_blocks)(struct se_device *dev);
	u32 (*get_device_type)(struct se_device *dev);
	bool (*get_write_cache)(struct se_device *dev);
	unsigned int (*get_lbppbe)(struct se_device *dev);
	unsigned int (*get_alignment_offset_lbas)(struct se_device *dev);
	int (*format_prot)(struct se_device *dev);
};

struct exec_cmd_ops {
	sense_reason_t (*execute_rw)(struct se_cmd *cmd, struct scatterlist *sgl, u32 nents,
				     enum dma_data_direction dir);
	sense_reason_t (*execute_sync_cache)(struct se_cmd *cmd);
	sense_reason_t (*execute_write_same)(struct se_cmd *cmd);
	sense_reason_t (*execute_unmap)(struct se_cmd *cmd, sector_t lba, sector_t nolb);
};

struct se_dev_attrib {
	bool emulate_tpu, emulate_tpws, emulate_caw, emulate_rsoc, emulate_fua_write, emulate_write_cache;
	bool unmap_zeroes_data;
	enum target_prot_type pi_prot_type;
	u32 block_size, max_write_same_len, max_unmap_lba_count, max_unmap_block_desc_count;
};

struct se_device {
	const struct target_backend_ops *transport;
	u8 transport_flags;
	u32 dev_flags;
	struct se_dev_attrib dev_attrib;
};

struct core_dev {
	struct se_device dev;
	bool emulate_format;
	unsigned int failed;
	u32 format_progress;
	u64 blocks;
};

struct se_session {
	unsigned int sup_prot_ops;
	enum target_prot_type sess_prot_type;
};

struct se_cmd {
	struct se_device *se_dev;
	struct se_session *se_sess;
	unsigned int se_cmd_flags;
	unsigned int transport_state;
	int sam_task_attr;
	u64 sense_info;
	u32 residual_count;
	unsigned int prot_op;
	u32 prot_length;
	enum dma_data_direction data_direction;
	u32 data_length;
	u8 *t_task_cdb;
	u64 t_task_lba;
	u32 t_task_nolb;
	struct scatterlist *t_data_sg;
	unsigned int t_data_nents;
	struct work_struct work;
	sense_reason_t (*execute_cmd)(struct se_cmd *cmd);
	struct exec_cmd_ops *protocol_data;
};

/* An array ends with an entry of no length. */
static inline struct scatterlist *sg_next(struct scatterlist *sg)
{
	return sg[1].length ? sg + 1 : NULL;
}

#define kmap_local_page(page)	((void *)(page)->data)
#define kunmap_local(p)		((void)(p))
#define min3(a, b, c)		min(a, min(b, c))
#define cmpxchg(p, old, new) \
	({ __typeof__(*(p)) old_ = (old); __atomic_compare_exchange_n(p, &old_, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); old_; })
#define cmpxchg64(p, old, new)	cmpxchg(p, old, new)
#define div64_u64(n, d)		((u64)(n) / (u64)(d))
#define INIT_WORK(w, f)		((w)->func = (f))

static inline struct core_dev *to_core_dev(const struct se_device *dev)
{
	return (struct core_dev *)dev;
}

static inline bool compat_emulate_rsoc(const struct se_dev_attrib *attrib)
{
	return attrib->emulate_rsoc;
}

static inline u16 get_unaligned_be16(const void *p)
{
	const u8 *b = (const u8 *)p;

	return (u16)(b[0] << 8 | b[1]);
}

static inline u32 get_unaligned_be24(const void *p)
{
	const u8 *b = (const u8 *)p;

	return (u32)(b[0] << 16 | b[1] << 8 | b[2]);
}

static inline u32 get_unaligned_be32(const void *p)
{
	const u8 *b = (const u8 *)p;

	return (u32)get_unaligned_be16(b) << 16 | get_unaligned_be16(b + 2);
}

static inline u64 get_unaligned_be64(const void *p)
{
	const u8 *b = (const u8 *)p;

	return (u64)get_unaligned_be32(b) << 32 | get_unaligned_be32(b + 4);
}

static inline void put_unaligned_be16(u16 value, void *p)
{
	u8 *b = (u8 *)p;

	b[0] = (u8)(value >> 8);
	b[1] = (u8)value;
}

static inline void put_unaligned_be32(u32 value, void *p)
{
	put_unaligned_be16((u16)(value >> 16), p);
	put_unaligned_be16((u16)value, (u8 *)p + 2);
}

static inline void put_unaligned_be64(u64 value, void *p)
{
	put_unaligned_be32((u32)(value >> 32), p);
	put_unaligned_be32((u32)value, (u8 *)p + 4);
}

#define get_unaligned(p) \
	({ __typeof__(*(p) + 0) v_; memcpy(&v_, (p), sizeof(v_)); v_; })
#ifndef __cplusplus
#define clamp(v, lo, hi)	min(max(v, lo), hi)
#endif
#define memchr_inv(p, c, n)	shim_memchr_inv(p, c, n)

static inline const void *shim_memchr_inv(const void *p, int c, size_t n)
{
	const u8 *b = (const u8 *)p;

	for (; n; b++, n--)
		if (*b != c)
			return b;
	return NULL;
}

#ifdef __cplusplus
extern "C" {
#endif

/* What these files call elsewhere in the core */
sense_reason_t target_cmd_size_check(struct se_cmd *cmd, unsigned int size);
void target_complete_cmd(struct se_cmd *cmd, u8 status);
void transport_generic_request_failure(struct se_cmd *cmd, sense_reason_t reason);
void execute_done(struct se_cmd *cmd);
struct se_node_acl;
void ua_allocate_dev(struct se_device *dev, const struct se_node_acl *except, u8 asc, u8 ascq);
enum target_prot_type cmd_prot_type(const struct se_cmd *cmd);
extern struct workqueue_struct *target_submission_wq;
bool queue_work(struct workqueue_struct *wq, struct work_struct *work);
size_t cmd_fetch(struct se_cmd *cmd, size_t offset, void *buf, size_t len);
void cmd_reply(struct se_cmd *cmd, const void *buf, size_t len);
sense_reason_t sbc_parse_cdb(struct se_cmd *cmd, struct exec_cmd_ops *ops);
sense_reason_t spc_parse_cdb(struct se_cmd *cmd, unsigned int *size);
sense_reason_t passthrough_parse_cdb(struct se_cmd *cmd, sense_reason_t (*exec_cmd)(struct se_cmd *cmd));
sector_t sbc_get_write_same_sectors(struct se_cmd *cmd);
u32 sbc_get_device_rev(struct se_device *dev);
u32 sbc_get_device_type(struct se_device *dev);
sense_reason_t spc_emulate_report_luns(struct se_cmd *cmd);

#ifdef __cplusplus
}
#endif

#endif /* SHIM_TARGET_CORE_H */
