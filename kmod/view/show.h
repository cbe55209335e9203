/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What views there are, for root's eyes: debugfs/skyipc/views.
 */
#ifndef SKYIPC_VIEW_SHOW_H
#define SKYIPC_VIEW_SHOW_H

struct dentry;

void view_show_init(struct dentry *dir);

#endif
