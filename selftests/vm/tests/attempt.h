/* SPDX-License-Identifier: MIT */
/*
 * A jump to where nobody should go, with registers of one's choice, and what
 * comes of it.
 */
#ifndef SKYIPC_ATTEMPT_H
#define SKYIPC_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "view.h"

struct regs {
	uint64_t ax, cx, dx, r8, r11, di;
};

/* In this process, signals that attempts may come to end them; by the thread
 * that tries. */
void attempts_begin(void);
/* The signal, or 0 if it came back */
int attempt(const struct regs *r, const void *to);

/* At random, of what does harm if anything does; @page: of the client's thread
 */
uint64_t attempt_nasty(const struct view_way *w, const void *page);
struct regs attempt_regs(const struct view_way *w, const void *page);

/* In a child of its own: its exit status; one that does not end is ended. */
int in_child(void (*what)(unsigned arg), unsigned arg);
/* In there: else it ends with @status. */
void expect(bool what, int status);
/* A server of its own, and the way there */
pid_t victim(view_handler_fn *handler, struct view_caller *c,
	     struct view_way *w);
/* It lives, whatever has been tried. */
void end_victim(pid_t pid);

/* A page of our own with VMFUNC, and RET behind it; @at: NULL, or where */
uint8_t *attempt_page(void *at);

#endif
