/* SPDX-License-Identifier: MIT */
/* nr_scenario.h - what schedules are run of */
#ifndef NR_SCENARIO_H
#define NR_SCENARIO_H

#include <stdint.h>

#include "nr_load.h"

struct scenario {
	const char *name;
	struct load_attr load;
	/* if not NULL: instead of the load */
	const char *(*run)(uint64_t seed);
};

/* Look at the library's invariants at every point, not only at what it does. */
extern int scenario_invariants;

/* Ends with one that has no name. */
extern const struct scenario scenarios[];

const struct scenario *scenario_find(const char *name);

/* nr_map_scenario.c */
const char *scenario_map(uint64_t seed);
const char *scenario_map_poll(uint64_t seed);

/* nr_omap_scenario.c, nr_queue_scenario.c */
const char *scenario_omap(uint64_t seed);
const char *scenario_queue(uint64_t seed);

/* nr_vspace_scenario.c */
const char *scenario_vspace(uint64_t seed);
const char *scenario_vspace_few(uint64_t seed);

/* nr_memfs_scenario.c */
const char *scenario_memfs(uint64_t seed);

/* nr_cnr_scenario.c, nr_cnr_part_scenario.c */
const char *scenario_cnr(uint64_t seed);
const char *scenario_cnr_three(uint64_t seed);
const char *scenario_cnr_concurrent(uint64_t seed);
const char *scenario_cnr_idle(uint64_t seed);
const char *scenario_cnr_replicas(uint64_t seed);
const char *scenario_cnr_help(uint64_t seed);
const char *scenario_cnr_help_both(uint64_t seed);
const char *scenario_cnr_goes(uint64_t seed);
const char *scenario_cnr_in_order(uint64_t seed);
const char *scenario_cnr_full(uint64_t seed);
const char *scenario_cnr_round(uint64_t seed);

/* One schedule; NULL or what went wrong. */
const char *scenario_run(const struct scenario *s, uint64_t seed);

#endif
