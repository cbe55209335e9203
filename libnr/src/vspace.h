/* SPDX-License-Identifier: MIT */
/* vspace.h - a replica of an address space */
#ifndef NR_VSPACE_INTERNAL_H
#define NR_VSPACE_INTERNAL_H

#include "pagetable.h"
#include "walkers.h"

struct vspace {
	struct walkers walkers; /* contexts of this replica */
	struct pagetable tables;
};

#endif
