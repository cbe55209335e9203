/* SPDX-License-Identifier: MIT */
/*
 * States made at random for a worker to continue, and whether it has found just
 * those.
 */
#ifndef SKYIPC_PARK_STATE_H
#define SKYIPC_PARK_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "parked.h"

struct skyipc_dev_call;
struct skyipc_dev_park;

/* After parked_init() */
void park_state_init(void);

/* What goes along in the FPU's registers; tests may spoil it. */
extern uint8_t xsave[XSAVE_MAX];
void random_xsave(void);
/* The instruction pointer is park_entry. */
void random_regs(uint64_t *regs);

/* Park @regs and @xsave; 0 or -errno */
int park(int link, const uint64_t *regs);
/* The same, by hand */
void park_args(struct skyipc_dev_park *p, const uint64_t *regs,
	       struct skyipc_dev_call *c);

/* Of the first @most registers */
bool same_regs(const uint64_t *want, const uint64_t *got, int most);
bool same_xsave(void);

#endif
