// SPDX-License-Identifier: GPL-2.0
/*
 * The UIO device: how the handler gets at the shared memory and the doorbells.
 * One handler at a time may have it open. What it has mapped stays valid until
 * it unmaps it, even if the device is removed before.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "tcmu.h"

/*
 * UIO gives a minor back before the device that had it is out of sysfs; one that
 * is registered in between gets it, and -EEXIST. So only one of us at a time.
 */
static DEFINE_MUTEX(tcmu_uio_lock);

static struct tcmu_dev *uio_to_tcmu_dev(struct uio_info *info)
{
	return container_of(info, struct tcmu_dev, uio);
}

static int tcmu_uio_open(struct uio_info *info, struct inode *inode)
{
	struct tcmu_dev *dev = uio_to_tcmu_dev(info);

	if (test_and_set_bit(TCMU_DEV_OPEN, &dev->flags))
		return -EBUSY;
	guard(mutex)(&dev->open_lock);
	dev->inode = inode;
	return 0;
}

/* Not called before the last mapping is gone, since those hold the file. */
static int tcmu_uio_release(struct uio_info *info, struct inode *inode)
{
	struct tcmu_dev *dev = uio_to_tcmu_dev(info);

	mutex_lock(&dev->open_lock);
	dev->inode = NULL;
	mutex_unlock(&dev->open_lock);
	clear_bit_unlock(TCMU_DEV_OPEN, &dev->flags);
	return 0;
}

/* The handler's doorbell; the number it wrote means nothing. */
static int tcmu_uio_irqcontrol(struct uio_info *info, s32 irq_on)
{
	tcmu_drain(uio_to_tcmu_dev(info));
	return 0;
}

static void tcmu_vma_open(struct vm_area_struct *vma)
{
	struct tcmu_dev *dev = vma->vm_private_data;

	kref_get(&dev->ref);
}

static void tcmu_vma_close(struct vm_area_struct *vma)
{
	tcmu_dev_put(vma->vm_private_data);
}

/*
 * A page of the data area is returned locked, so that it cannot be taken back
 * between this look and its being mapped. Touching what no command's iovecs
 * point to is the handler's error.
 */
static vm_fault_t tcmu_fault_data(struct tcmu_dev *dev, struct vm_fault *vmf, unsigned long index)
{
	struct page *page = tcmu_data_get_page(dev, index);

	if (!page)
		return VM_FAULT_SIGBUS;
	lock_page(page);
	if (!tcmu_data_has_page(dev, index, page)) {
		unlock_page(page);
		put_page(page);
		return VM_FAULT_SIGBUS;
	}
	vmf->page = page;
	return VM_FAULT_LOCKED;
}

static vm_fault_t tcmu_vma_fault(struct vm_fault *vmf)
{
	struct tcmu_dev *dev = vmf->vma->vm_private_data;
	unsigned long ring_pages = dev->data.offset >> PAGE_SHIFT;

	if (vmf->pgoff >= ring_pages)
		return tcmu_fault_data(dev, vmf, vmf->pgoff - ring_pages);
	vmf->page = vmalloc_to_page((void *)dev->mailbox + (vmf->pgoff << PAGE_SHIFT));
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct tcmu_vm_ops = {
	.open = tcmu_vma_open,
	.close = tcmu_vma_close,
	.fault = tcmu_vma_fault,
};

/* UIO has checked that the range lies in map 0. Only all of it makes sense. */
static int tcmu_uio_mmap(struct uio_info *info, struct vm_area_struct *vma)
{
	struct tcmu_dev *dev = uio_to_tcmu_dev(info);

	if (vma_pages(vma) != info->mem[0].size >> PAGE_SHIFT)
		return -EINVAL;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &tcmu_vm_ops;
	vma->vm_private_data = dev;
	tcmu_vma_open(vma);
	return 0;
}

/**
 * tcmu_uio_name - (re)make the UIO device's name
 * @dev:	the device
 * @config:	its dev_config
 *
 * Return: 0 or -ENOMEM. Context: may sleep, under config_lock.
 */
int tcmu_uio_name(struct tcmu_dev *dev, const char *config)
{
	char *name = kasprintf(GFP_KERNEL, "tcm-user/%u/%s%s%s", dev->hba_id, dev->name,
			       config[0] ? "/" : "", config);
	char *old = dev->uio_name;

	if (!name)
		return -ENOMEM;
	dev->uio_name = name;
	/* The attribute in sysfs reads it under info_lock. */
	if (dev->uio.uio_dev)
		mutex_lock(&dev->uio.uio_dev->info_lock);
	dev->uio.name = name;
	if (dev->uio.uio_dev)
		mutex_unlock(&dev->uio.uio_dev->info_lock);
	kfree(old);
	return 0;
}

/**
 * tcmu_uio_register - make the UIO device
 * @dev:	a device whose memory exists
 *
 * Return: 0 or a negative error. Context: may sleep.
 */
int tcmu_uio_register(struct tcmu_dev *dev)
{
	struct uio_info *info = &dev->uio;

	info->version = __stringify(TCMU_MAILBOX_VERSION);
	info->mem[0].name = "tcm-user command & data buffer";
	/* No address: sysfs would tell everyone where the kernel has it. */
	info->mem[0].size = dev->data.offset + ((u64)dev->data.nr_pages << PAGE_SHIFT);
	info->mem[0].memtype = UIO_MEM_NONE;
	info->irq = UIO_IRQ_CUSTOM;
	info->irqcontrol = tcmu_uio_irqcontrol;
	info->open = tcmu_uio_open;
	info->release = tcmu_uio_release;
	info->mmap = tcmu_uio_mmap;

	guard(mutex)(&tcmu_uio_lock);
	return uio_register_device(tcmu_root_device, info);
}

/**
 * tcmu_uio_unregister - undo tcmu_uio_register()
 * @dev:	the device; a handler may keep its mappings
 *
 * Context: may sleep; nobody posts to the ring any more.
 */
void tcmu_uio_unregister(struct tcmu_dev *dev)
{
	/* Somebody may be about to ring: see tcmu_unlock_and_ring(). */
	synchronize_rcu();
	mutex_lock(&tcmu_uio_lock);
	uio_unregister_device(&dev->uio);
	mutex_unlock(&tcmu_uio_lock);
	dev->uio.uio_dev = NULL;

	/* UIO calls no release() of an unregistered device. */
	mutex_lock(&dev->open_lock);
	dev->inode = NULL;
	mutex_unlock(&dev->open_lock);
	clear_bit_unlock(TCMU_DEV_OPEN, &dev->flags);
}
