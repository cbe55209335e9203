/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way of a call through the module, in one piece of text: modules are mapped
 * with small pages, and after a switch each of them is new to the TLB.
 */
#ifndef SKYIPC_HOT_H
#define SKYIPC_HOT_H

#define __sky_hot __section(".text.hot")

#endif
