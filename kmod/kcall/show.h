/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is, for root's eyes: debugfs/skyipc/servers and links.
 */
#ifndef SKYIPC_SHOW_H
#define SKYIPC_SHOW_H

struct dentry;

void sky_show_init(struct dentry *dir);

#endif
