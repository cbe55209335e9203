/* SPDX-License-Identifier: MIT */
#include "gate.h"

uint32_t gate_announce(struct gate *g)
{
	/* Acquire pairs with gate_news(), and see below. */
	uint32_t v = load_acquire(&g->word);

	while (v & GATE_HELD) {
		if (v & GATE_PARKED)
			return v;
		/*
		 * If the owner's exchange in gate_unlock() comes after this, it
		 * sees the bit; if it came before, this fails.
		 */
		if (cas_acq_rel(&g->word, &v, v | GATE_PARKED))
			return v | GATE_PARKED;
	}
	return 0;
}

void gate_lock(struct gate *g)
{
	struct backoff b = { 0, 0 };

	while (!gate_try(g)) {
		uint32_t seen;

		if (backoff(&b))
			continue;
		seen = gate_announce(g);
		if (seen)
			futex_wait(&g->word, seen);
	}
}
