/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The home EPT, in Linux's memory.
 */
#ifndef SKYIPC_VMX_HOME_H
#define SKYIPC_VMX_HOME_H

#include "ept.h"

struct vmx_facts;

/* 0, -ENOMEM or -EOPNOTSUPP with @why a line for people */
int vmx_home_make(const struct vmx_facts *f, struct ept **home, char *why);

#endif
