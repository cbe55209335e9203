/* SPDX-License-Identifier: MIT */
/*
 * topology.c - places for replicas: the machine's nodes, or what a user says
 *
 * Nodes are looked at here, not trusted: one without memory, or whose memory
 * this process may not have, cannot hold a replica, so its CPUs belong to the
 * nearest one that can; one without CPUs needs none.
 */
#include "topology.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "replica.h"
#include "util.h"

static int add_place(struct nr_topology *t, int node, int memory)
{
	struct place *more =
		mem_realloc(t->places, (t->n + 1) * sizeof(*t->places));

	if (!more)
		return -ENOMEM;
	t->places = more;
	memset(&more[t->n], 0, sizeof(more[0]));
	more[t->n].node = node;
	more[t->n].memory = memory;
	t->n++;
	return 0;
}

/* ---- the machine's own places ------------------------------------------- */

/* The @i-th node's memory, or that of the nearest node that has some. */
static int memory_of(const struct machine *m, uint32_t i)
{
	uint32_t best = UINT32_MAX, nearest = UINT32_MAX;

	if (m->nodes[i].has_memory)
		return (int)m->nodes[i].id;
	for (uint32_t j = 0; j < m->n; j++) {
		uint32_t far = m->nodes[i].distance ? m->nodes[i].distance[j]
						    : UINT32_MAX - 1;

		if (m->nodes[j].has_memory && far < nearest) {
			nearest = far;
			best = j;
		}
	}
	return best == UINT32_MAX ? -1 : (int)m->nodes[best].id;
}

static int place_with_memory(const struct nr_topology *t, int memory)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->places[i].memory == memory)
			return (int)i;
	return -1;
}

static int put_cpus(struct nr_topology *t, int memory,
		    const struct machine_node *node, const struct set *allowed)
{
	for (uint32_t c = set_next(&node->cpus, 0); c != UINT32_MAX;
	     c = set_next(&node->cpus, c + 1)) {
		int place, err = 0;

		if (!set_has(allowed, c))
			continue;
		place = place_with_memory(t, memory);
		if (place < 0) {
			place = (int)t->n;
			err = add_place(t, (int)node->id, memory);
		}
		if (!err)
			err = set_add(&t->places[place].cpus, c);
		if (err)
			return err;
	}
	return 0;
}

/* First nodes that have memory, so that a place is named after its own. */
static int places_of_machine(struct nr_topology *t, const struct machine *m,
			     const struct set *allowed)
{
	int err = 0;

	for (int own = 1; own >= 0; own--)
		for (uint32_t i = 0; !err && i < m->n; i++)
			if (m->nodes[i].has_memory == own)
				err = put_cpus(t, memory_of(m, i), &m->nodes[i],
					       allowed);
	if (err || t->n)
		return err;
	/* It tells of none: one place with all CPUs. */
	err = add_place(t, -1, -1);
	for (uint32_t c = set_next(allowed, 0); !err && c != UINT32_MAX;
	     c = set_next(allowed, c + 1))
		err = set_add(&t->places[0].cpus, c);
	return err;
}

/* ---- places as a user says ---------------------------------------------- */

static int node_of_cpu(const struct machine *m, uint32_t cpu, int *memory)
{
	*memory = -1;
	for (uint32_t i = 0; i < m->n; i++)
		if (set_has(&m->nodes[i].cpus, cpu)) {
			*memory = memory_of(m, i);
			return (int)m->nodes[i].id;
		}
	return -1;
}

/* "2x1"; -EINVAL: it is not of that form */
static int places_by_number(struct nr_topology *t, const struct machine *m,
			    const struct set *allowed, const char *spec)
{
	unsigned long places, cpus;
	uint32_t c = UINT32_MAX;
	char *end;

	if (!isdigit((unsigned char)*spec))
		return -EINVAL;
	places = strtoul(spec, &end, 10);
	if (*end != 'x' || !isdigit((unsigned char)end[1]))
		return -EINVAL;
	cpus = strtoul(end + 1, &end, 10);
	if (*end || !places || !cpus || places > MACHINE_MAX ||
	    cpus > MACHINE_MAX)
		return -EINVAL;
	for (unsigned long i = 0; i < places; i++) {
		for (unsigned long j = 0; j < cpus; j++) {
			int memory, node, err = 0;

			c = c == UINT32_MAX ? c : set_next(allowed, c + 1);
			if (c == UINT32_MAX)
				c = set_next(allowed, 0);
			node = node_of_cpu(m, c, &memory);
			if (!j)
				err = add_place(t, node, memory);
			if (!err)
				err = set_add(&t->places[i].cpus, c);
			if (err)
				return err;
			if (j + 1 >= set_count(allowed)) {
				/* the place has all of them now */
				break;
			}
		}
	}
	return 0;
}

/* "0-3,8/4-7" */
static int places_by_list(struct nr_topology *t, const struct machine *m,
			  const char *spec)
{
	for (const char *at = spec;; at++) {
		int memory, node, err;
		struct set cpus = { NULL, 0 };

		err = set_parse(&cpus, at, &at);
		if (!err && (!set_count(&cpus) || (*at && *at != '/')))
			err = -EINVAL;
		if (!err) {
			node = node_of_cpu(m, set_next(&cpus, 0), &memory);
			err = add_place(t, node, memory);
		}
		if (err) {
			set_free(&cpus);
			return err;
		}
		t->places[t->n - 1].cpus = cpus;
		if (!*at)
			return 0;
	}
}

/* ------------------------------------------------------------------------- */

/* A CPU that is in several places counts for the first. */
static int index_cpus(struct nr_topology *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t words = (uint32_t)(t->places[i].cpus.words *
					    sizeof(unsigned long) * 8);

		t->ncpus = words > t->ncpus ? words : t->ncpus;
	}
	t->of_cpu = mem_alloc(t->ncpus * sizeof(*t->of_cpu));
	if (!t->of_cpu)
		return -ENOMEM;
	for (uint32_t i = t->n; i-- > 0;) {
		const struct set *cpus = &t->places[i].cpus;

		for (uint32_t c = set_next(cpus, 0); c != UINT32_MAX;
		     c = set_next(cpus, c + 1))
			t->of_cpu[c] = i + 1;
	}
	return 0;
}

int topology_of(const char *root, const struct set *allowed,
		int (*memory)(int node), const char *spec,
		struct nr_topology **out)
{
	struct nr_topology *t = mem_alloc(sizeof(*t));
	struct machine m;
	int err;

	if (!t)
		return -ENOMEM;
	err = machine_read(&m, root, memory);
	if (err) {
		mem_free(t);
		return err;
	}
	if (!spec)
		err = places_of_machine(t, &m, allowed);
	else if (strchr(spec, 'x'))
		err = places_by_number(t, &m, allowed, spec);
	else
		err = places_by_list(t, &m, spec);
	machine_free(&m);
	if (!err)
		err = index_cpus(t);
	if (err)
		nr_topology_close(t);
	else
		*out = t;
	return err;
}

NR_PUBLIC int nr_topology_open(const char *spec, struct nr_topology **out)
{
	struct set allowed = { NULL, 0 };
	int err = machine_allowed_cpus(&allowed);

	if (!spec)
		spec = getenv("NR_TOPOLOGY");
	if (spec && !*spec)
		spec = NULL;
	if (!err)
		err = topology_of(MACHINE_ROOT, &allowed, mem_node_allowed,
				  spec, out);
	set_free(&allowed);
	return err;
}

NR_PUBLIC void nr_topology_close(struct nr_topology *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < t->n; i++)
		set_free(&t->places[i].cpus);
	mem_free(t->places);
	mem_free(t->of_cpu);
	mem_free(t);
}

NR_PUBLIC const struct nr_topology *nr_topology_of(const struct nr *nr)
{
	return nr->topology;
}

NR_PUBLIC uint32_t nr_topology_places(const struct nr_topology *t)
{
	return t->n;
}

NR_PUBLIC int nr_topology_place(const struct nr_topology *t, uint32_t i,
				struct nr_place *place)
{
	struct nr_place p = { .size = sizeof(p) };

	if (place->size < sizeof(size_t))
		return -EINVAL;
	if (i >= t->n)
		return -ENOENT;
	p.node = t->places[i].node;
	p.memory = t->places[i].memory;
	p.cpus = set_count(&t->places[i].cpus);
	sized_copy(place, place->size, &p, sizeof(p));
	return 0;
}

NR_PUBLIC uint32_t nr_topology_here(const struct nr_topology *t)
{
	int cpu = sched_getcpu();

	if (cpu < 0 || (uint32_t)cpu >= t->ncpus || !t->of_cpu[cpu])
		return 0;
	return t->of_cpu[cpu] - 1;
}
