/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All knowledge of kernel versions. Force-included into every unit but those of
 * abi/; the code is written for the newest kernel, and this makes the older ones
 * look like it. One named block a difference.
 */
#ifndef LIO_COMPAT_H
#define LIO_COMPAT_H

#include <linux/version.h>

/* A type that becomes visible changes symbol versions: the units of abi/ see versions alone. */
#ifndef LIO_ABI_UNIT

/* vm_flags_set(): since 6.3; vm_flags was written directly before */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#include <linux/mm.h>

static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/* shrinker_alloc(), shrinker_register(), shrinker_free(): since 6.7 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#include <linux/shrinker.h>
#include <linux/slab.h>

static inline struct shrinker *shrinker_alloc(unsigned int flags, const char *name)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);

	if (shrinker) {
		shrinker->flags = flags;
		shrinker->seeks = DEFAULT_SEEKS;
	}
	return shrinker;
}

/* Without memory for it the shrinker is not asked; freeing it works all the same. */
static inline void shrinker_register(struct shrinker *shrinker)
{
	if (register_shrinker(shrinker, KBUILD_MODNAME))
		pr_warn("no memory to register a shrinker\n");
}

static inline void shrinker_free(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#endif

/* WRITE_ATOMIC_16 in <scsi/scsi_proto.h>: since 6.11 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define WRITE_ATOMIC_16		0x9c
#endif

/* scsi_host_template.eh_timed_out returned enum blk_eh_timer_return before 6.2 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define scsi_timeout_action	blk_eh_timer_return
#define SCSI_EH_RESET_TIMER	BLK_EH_RESET_TIMER
#endif

/* Scsi_Host.queuecommand_may_block: since 6.5 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define compat_shost_may_block(shost)		false
#define compat_shost_set_may_block(shost)	do { } while (0)
#else
#define compat_shost_may_block(shost)		((shost)->queuecommand_may_block)
#define compat_shost_set_may_block(shost)	((shost)->queuecommand_may_block = 1)
#endif

/* target_core_fabric_ops.direct_submit_supp: since 6.7; direct was all there was */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define COMPAT_DIRECT_SUBMIT
#else
#define COMPAT_DIRECT_SUBMIT \
	.direct_submit_supp = 1, .default_submit_type = TARGET_DIRECT_SUBMIT,
#endif

/* struct exec_cmd_ops, with the persistent reservation calls: since 6.5; it was sbc_ops, without them */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define exec_cmd_ops	sbc_ops
#define compat_execute_pr_out(ops)	((sense_reason_t (*)(struct se_cmd *, u8, u64, u64, u8, bool))NULL)
#define compat_execute_pr_in(ops)	((sense_reason_t (*)(struct se_cmd *, u8, unsigned char *))NULL)
#else
#define compat_execute_pr_out(ops)	((ops)->execute_pr_out)
#define compat_execute_pr_in(ops)	((ops)->execute_pr_in)
#endif

/* se_dev_attrib.emulate_rsoc and its attribute: since 6.3; always on before, for us */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define COMPAT_HAS_RSOC_ATTRIB		0
#define compat_emulate_rsoc(attrib)	(true)
#define compat_set_emulate_rsoc(attrib, value)	do { } while (0)
#else
#define COMPAT_HAS_RSOC_ATTRIB		1
#define compat_emulate_rsoc(attrib)	((attrib)->emulate_rsoc)
#define compat_set_emulate_rsoc(attrib, value)	((attrib)->emulate_rsoc = (value))
#endif

/*
 * The relative target port identifier belongs to the TPG, with an attribute,
 * since 6.5; it was the LUN's, counted by its device.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define COMPAT_TPG_RTPI			0
#define compat_lun_rtpi(lun)		((lun)->lun_rtpi)
#define compat_lun_set_rtpi(lun, dev)	((lun)->lun_rtpi = ++(dev)->dev_rpti_counter ?: ++(dev)->dev_rpti_counter)
#define compat_tpg_rtpi(tpg)		((u16)0)
#define compat_tpg_rtpi_manual(tpg)	(false)
#define compat_tpg_set_rtpi(tpg, value, manual)	do { } while (0)
#else
#define COMPAT_TPG_RTPI			1
#define compat_lun_rtpi(lun)		((lun)->lun_tpg->tpg_rtpi)
#define compat_lun_set_rtpi(lun, dev)	do { } while (0)
#define compat_tpg_rtpi(tpg)		((tpg)->tpg_rtpi)
#define compat_tpg_rtpi_manual(tpg)	((tpg)->rtpi_manual)
#define compat_tpg_set_rtpi(tpg, value, manual)	((tpg)->tpg_rtpi = (value), (tpg)->rtpi_manual = (manual))
#endif

/* Direct or queued submission can be chosen since 6.7; direct was all there was. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
enum target_submit_type {
	TARGET_FABRIC_DEFAULT_SUBMIT,
	TARGET_DIRECT_SUBMIT,
	TARGET_QUEUE_SUBMIT,
};
#define COMPAT_HAS_SUBMIT_TYPE		0
#define compat_submit_t			void
#define compat_submit_ok
#define compat_submit_type(cmd)		TARGET_DIRECT_SUBMIT
#define compat_direct_submit_supp(tfo)	(true)
#define compat_set_submit_type(attrib, value)	do { } while (0)
#else
#define COMPAT_HAS_SUBMIT_TYPE		1
#define compat_submit_t			int
#define compat_submit_ok		0
#define compat_submit_type(cmd) \
	((cmd)->se_dev->dev_attrib.submit_type != TARGET_FABRIC_DEFAULT_SUBMIT ? \
	 (cmd)->se_dev->dev_attrib.submit_type : (cmd)->se_tfo->default_submit_type)
#define compat_direct_submit_supp(tfo)	((tfo)->direct_submit_supp)
#define compat_set_submit_type(attrib, value)	((attrib)->submit_type = (value))
#endif

/*
 * Backstores gave the longest command in bytes, in se_dev_attrib.max_bytes_per_io, before 6.3;
 * since then it is in blocks of the hardware, which need not be those of the device.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define compat_rescale_max_sectors(attrib) do { \
	if ((attrib)->max_bytes_per_io) \
		(attrib)->hw_max_sectors = (attrib)->max_bytes_per_io / (attrib)->block_size; \
} while (0)
#define compat_max_blocks(attrib)	((u64)(attrib)->hw_max_sectors)
#else
#define compat_rescale_max_sectors(attrib)	((void)(attrib))
#define compat_max_blocks(attrib) \
	div_u64((u64)(attrib)->hw_max_sectors * (attrib)->hw_block_size, (attrib)->block_size)
#endif

#endif /* LIO_ABI_UNIT */
#endif /* LIO_COMPAT_H */
