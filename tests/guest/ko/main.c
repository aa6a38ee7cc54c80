// SPDX-License-Identifier: GPL-2.0
/*
 * A fabric for tests: its initiators are programs, which see and decide
 * everything that a fabric may do with a command.
 */
#include <linux/module.h>

#include "tcm_test.h"

struct workqueue_struct *tcmt_wq;

static int __init tcm_test_init(void)
{
	int rc;

	tcmt_wq = alloc_workqueue("tcm_test", WQ_UNBOUND, WQ_MAX_ACTIVE);
	if (!tcmt_wq)
		return -ENOMEM;
	rc = target_register_template(&tcmt_ops);
	if (rc)
		goto out_wq;
	rc = tcmt_chardev_init();
	if (rc)
		goto out_template;
	return 0;

out_template:
	target_unregister_template(&tcmt_ops);
out_wq:
	destroy_workqueue(tcmt_wq);
	return rc;
}

static void __exit tcm_test_exit(void)
{
	tcmt_chardev_exit();
	target_unregister_template(&tcmt_ops);
	destroy_workqueue(tcmt_wq);
}

MODULE_DESCRIPTION("Target fabric whose initiators are test programs");
MODULE_AUTHOR("The LIO target module set project");
MODULE_LICENSE("GPL");
module_init(tcm_test_init);
module_exit(tcm_test_exit);
