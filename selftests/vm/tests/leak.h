/* SPDX-License-Identifier: MIT */
/*
 * Does the kernel lose memory? Counts what is in use before and after many
 * rounds of the same: slab objects, vmalloc areas, pages. Something lost in
 * each round shows (objects: if all those lost fill two slabs); what comes and
 * goes beside does not, if it is less than half an area or a page a round.
 * (Kernels keep areas that are free for a while, and pages to describe them.)
 */
#ifndef SKYIPC_LEAK_H
#define SKYIPC_LEAK_H

/* After a few rounds, so that what stays for good is there. */
void leak_begin(void);
/* One test, @rounds later */
void leak_end(int rounds, const char *what);

#endif
