// SPDX-License-Identifier: GPL-2.0
/* Bears the name of a stock module, so that the lab's test sees which of the two was loaded. */
#include <linux/module.h>

MODULE_DESCRIPTION("Stands in for a stock module in the lab's own test");
MODULE_LICENSE("GPL");
