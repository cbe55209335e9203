/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SKYIPC_DEVICE_H
#define SKYIPC_DEVICE_H

struct attribute_group;

/* /dev/skyipc and its folder in sysfs. 0 or -errno */
int skyipc_device_register(void);
void skyipc_device_unregister(void);

/* sysfs.c */
extern const struct attribute_group *skyipc_groups[];

#endif
