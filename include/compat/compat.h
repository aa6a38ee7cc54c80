/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All knowledge of kernel versions. Force-included into every unit but those of
 * abi/; the code is written for the newest kernel, and this makes the older ones
 * look like it. One named block a difference.
 */
#ifndef LIO_COMPAT_H
#define LIO_COMPAT_H

#include <linux/version.h>

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

#endif /* LIO_COMPAT_H */
