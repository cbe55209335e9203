/* SPDX-License-Identifier: MIT */
#include "walkers.h"

void walkers_join(struct walkers *all, struct walker *w)
{
	w->in = all;
	gate_lock(&all->gate);
	w->next = all->first;
	all->first = w;
	gate_unlock(&all->gate);
}

void walkers_leave(struct walker *w)
{
	struct walker **at = &w->in->first;

	gate_lock(&w->in->gate);
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	gate_unlock(&w->in->gate);
}

void walkers_wait(struct walkers *all)
{
	gate_lock(&all->gate);
	for (struct walker *w = all->first; w; w = w->next) {
		struct backoff b = { 0, 0 };
		/* Adding nothing: release pairs with walk_begin(), see
		 * walkers.h; acquire with walk_end(). */
		uint64_t number = add_acq_rel(&w->number, 0);

		while (number & 1 && load_acquire(&w->number) == number)
			backoff_only(&b);
	}
	gate_unlock(&all->gate);
}
