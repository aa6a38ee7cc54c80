// SPDX-License-Identifier: GPL-2.0
/* /dev/tcm_test */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "tcm_test.h"

static void file_free(struct kref *ref)
{
	kfree(container_of(ref, struct tcmt_file, ref));
}

void tcmt_file_put(struct tcmt_file *file)
{
	kref_put(&file->ref, file_free);
}

/* A note has been read, or never will be. */
static void note_done(struct tcmt_note *note)
{
	if (note->cmd)
		tcmt_cmd_put(note->cmd);
	else
		tcmt_nexus_put(container_of(note, struct tcmt_nexus, gone));
}

void tcmt_post(struct tcmt_nexus *nexus, struct tcmt_note *note)
{
	struct tcmt_file *file = nexus->file;
	unsigned long flags;

	note->event.nexus = nexus->id;
	spin_lock_irqsave(&file->event_lock, flags);
	if (!file->closed) {
		kref_get(note->cmd ? &note->cmd->ref : &nexus->ref);
		list_add_tail(&note->node, &file->events);
	}
	spin_unlock_irqrestore(&file->event_lock, flags);
	wake_up(&file->wait);
}

static int tcmt_open(struct inode *inode, struct file *filp)
{
	struct tcmt_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return -ENOMEM;
	kref_init(&file->ref);
	mutex_init(&file->lock);
	INIT_LIST_HEAD(&file->nexuses);
	spin_lock_init(&file->event_lock);
	INIT_LIST_HEAD(&file->events);
	init_waitqueue_head(&file->wait);
	filp->private_data = file;
	return 0;
}

static struct tcmt_note *next_note(struct tcmt_file *file)
{
	struct tcmt_note *note;

	spin_lock_irq(&file->event_lock);
	note = list_first_entry_or_null(&file->events, struct tcmt_note, node);
	if (note)
		list_del(&note->node);
	spin_unlock_irq(&file->event_lock);
	return note;
}

static int tcmt_close(struct inode *inode, struct file *filp)
{
	struct tcmt_file *file = filp->private_data;
	struct tcmt_nexus *nexus;
	struct tcmt_note *note;

	for (;;) {
		mutex_lock(&file->lock);
		nexus = list_first_entry_or_null(&file->nexuses, struct tcmt_nexus, file_node);
		mutex_unlock(&file->lock);
		if (!nexus)
			break;
		tcmt_nexus_close(nexus);
		tcmt_nexus_forget(nexus);
	}
	spin_lock_irq(&file->event_lock);
	file->closed = true;
	spin_unlock_irq(&file->event_lock);
	while ((note = next_note(file)))
		note_done(note);
	tcmt_file_put(file);
	return 0;
}

static int copy_note(char __user *to, const struct tcmt_note *note)
{
	const struct tcmt_event *event = &note->event;

	if (copy_to_user(to, event, sizeof(*event)))
		return -EFAULT;
	if (event->type == TCMT_RESPONSE && event->data_len &&
	    copy_to_user(u64_to_user_ptr(note->cmd->how.data_in), note->cmd->in, event->data_len))
		return -EFAULT;
	return 0;
}

static ssize_t tcmt_read(struct file *filp, char __user *to, size_t size, loff_t *pos)
{
	struct tcmt_file *file = filp->private_data;
	struct tcmt_note *note;
	size_t done = 0;
	int rc = 0;

	if (size < sizeof(note->event))
		return -EINVAL;
	if (list_empty_careful(&file->events) && !(filp->f_flags & O_NONBLOCK))
		rc = wait_event_interruptible(file->wait, !list_empty_careful(&file->events));
	while (!rc && size - done >= sizeof(note->event)) {
		note = next_note(file);
		if (!note)
			break;
		rc = copy_note(to + done, note);
		note_done(note);
		done += sizeof(note->event);
	}
	return rc ?: (done ?: -EAGAIN);
}

static __poll_t tcmt_poll(struct file *filp, poll_table *wait)
{
	struct tcmt_file *file = filp->private_data;

	poll_wait(filp, &file->wait, wait);
	return list_empty_careful(&file->events) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static int ioctl_nexus_del(struct tcmt_file *file, u32 id)
{
	struct tcmt_nexus *nexus = tcmt_nexus_get(file, id);

	if (!nexus)
		return -ENOENT;
	tcmt_nexus_close(nexus);
	tcmt_nexus_forget(nexus);
	tcmt_nexus_put(nexus);
	return 0;
}

static int ioctl_nexus_add(struct tcmt_file *file, void __user *arg)
{
	struct tcmt_nexus_add *add = memdup_user(arg, sizeof(*add));
	int rc;

	if (IS_ERR(add))
		return PTR_ERR(add);
	add->wwn[TCMT_NAME_LEN - 1] = '\0';
	add->initiator[TCMT_NAME_LEN - 1] = '\0';
	rc = tcmt_nexus_add(file, add);
	if (!rc && copy_to_user(arg, add, sizeof(*add)))
		rc = -EFAULT;
	kfree(add);
	return rc;
}

static int ioctl_submit(struct tcmt_file *file, void __user *arg)
{
	struct tcmt_submit *how = memdup_user(arg, sizeof(*how));
	int rc;

	if (IS_ERR(how))
		return PTR_ERR(how);
	rc = tcmt_submit(file, how);
	kfree(how);
	return rc;
}

static int ioctl_state(struct tcmt_file *file, void __user *arg)
{
	struct tcmt_state state;
	int rc;

	if (copy_from_user(&state, arg, sizeof(state)))
		return -EFAULT;
	rc = tcmt_get_state(file, &state);
	return rc ?: (copy_to_user(arg, &state, sizeof(state)) ? -EFAULT : 0);
}

static long tcmt_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct tcmt_file *file = filp->private_data;
	void __user *user = (void __user *)arg;
	struct tcmt_release release;
	struct tcmt_tmf tmf;

	switch (cmd) {
	case TCMT_NEXUS_ADD:
		return ioctl_nexus_add(file, user);
	case TCMT_NEXUS_DEL:
		return ioctl_nexus_del(file, arg);
	case TCMT_SUBMIT:
		return ioctl_submit(file, user);
	case TCMT_TMF:
		return copy_from_user(&tmf, user, sizeof(tmf)) ? -EFAULT : tcmt_tmf(file, &tmf);
	case TCMT_RELEASE:
		return copy_from_user(&release, user, sizeof(release)) ? -EFAULT : tcmt_release(file, &release);
	case TCMT_STATE:
		return ioctl_state(file, user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations tcmt_fops = {
	.owner		= THIS_MODULE,
	.open		= tcmt_open,
	.release	= tcmt_close,
	.read		= tcmt_read,
	.poll		= tcmt_poll,
	.unlocked_ioctl	= tcmt_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice tcmt_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "tcm_test",
	.fops	= &tcmt_fops,
};

int tcmt_chardev_init(void)
{
	return misc_register(&tcmt_misc);
}

void tcmt_chardev_exit(void)
{
	misc_deregister(&tcmt_misc);
}
