/* SPDX-License-Identifier: MIT */
/*
 * nr_status: a map whose statistics other programs can look at while this one
 * runs, as `skyctl nr` does.
 *
 * With a name it is shown under that, until standard input ends.
 */
#include <inttypes.h>
#include <nr_map.h>
#include <nr_show.h>
#include <nr_stats.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fill(struct nr_map *map)
{
	struct nr_map_context *c;
	int err = nr_map_register(map, NULL, &c);

	if (err)
		return err;
	for (uint32_t i = 0; i < 100 && err >= 0; i++)
		err = nr_map_put(c, &i, sizeof(i), "here", 4, 0);
	nr_map_leave(c);
	return err < 0 ? err : 0;
}

/* Of all that there is on this machine our own. */
static int print_ours(const struct nr_seen *seen, void *arg)
{
	(void)arg;
	if (seen->pid != getpid() || seen->err)
		return seen->pid == getpid() ? seen->err : 0;
	printf("%s, %" PRIu32 " replicas, more than 99 updates: %s\n",
	       seen->name, seen->n, seen->stats->log_tail > 99 ? "yes" : "no");
	/* All there is to tell goes where errors go. */
	return nr_stats_print(stderr, seen->stats, seen->replicas, seen->n, 0);
}

int main(int argc, char **argv)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_shown *shown = NULL;
	struct nr_map *map;
	int err;

	nr.topology = "2x1"; /* two replicas, wherever this runs */
	attr.nr = &nr;
	err = nr_map_create(&attr, &map);
	if (err) {
		fprintf(stderr, "nr_status: %s\n", strerror(-err));
		return 1;
	}
	err = fill(map);
	if (!err)
		err = nr_show(nr_map_nr(map), argc > 1 ? argv[1] : "visitors",
			      &shown);
	if (!err && argc > 1) {
		puts("shown");
		fflush(stdout);
		while (getchar() != EOF)
			;
	} else if (!err) {
		err = nr_look(print_ours, NULL);
	}
	if (err)
		fprintf(stderr, "nr_status: %s\n", strerror(-err));
	nr_hide(shown);
	nr_map_destroy(map);
	return err != 0;
}
