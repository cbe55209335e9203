// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>

#include "enter.h"

int sky_no_enter(struct file *file, loff_t block, loff_t len, int advice)
{
	return -ENOTTY;
}
