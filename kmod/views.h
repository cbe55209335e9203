/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether there are views, and if not, why. The module works without.
 */
#ifndef SKYIPC_VIEWS_H
#define SKYIPC_VIEWS_H

#include <linux/types.h>

#include "vmx/vmx.h"

/* On or off; what is there already stays. 0 or -errno, see vmx_start(). */
int skyipc_views_set(bool on);
bool skyipc_views_on(void);

/* Why there are none, one line; empty if there are. @text: VMX_WHY_MAX bytes */
void skyipc_views_why(char *text);

#endif
