// SPDX-License-Identifier: GPL-2.0
/* Does what the lab has to notice: a warning, an oops or a task that hangs, chosen by the parameter "fault". */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/string.h>

static char *fault = "none";
module_param(fault, charp, 0444);
MODULE_PARM_DESC(fault, "warn, oops or hang");

static int __init lab_fault_init(void)
{
	if (!strcmp(fault, "warn"))
		WARN(1, "asked for\n");
	else if (!strcmp(fault, "oops"))
		WRITE_ONCE(*(int *)8, 1);
	else if (!strcmp(fault, "hang"))
		msleep(20000);
	return 0;
}

static void __exit lab_fault_exit(void)
{
}

module_init(lab_fault_init);
module_exit(lab_fault_exit);
MODULE_DESCRIPTION("Faults for the lab's own test");
MODULE_LICENSE("GPL");
