/* SPDX-License-Identifier: MIT */
/* nr_topology_test.c - machines, and what programs ask for */
#include "testlib.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "mem.h"
#include "topology.h"

static char root[64];

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, dir);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/%s/%s", root, dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void node(int id, const char *cpus, int memory, const char *distance)
{
	char dir[32], text[128];

	snprintf(dir, sizeof(dir), "node%d", id);
	write_file(dir, "cpulist", cpus);
	snprintf(text, sizeof(text),
		 "Node %d MemTotal: %14d kB\nNode %d MemFree: 4 kB\n", id,
		 memory, id);
	write_file(dir, "meminfo", text);
	if (distance)
		write_file(dir, "distance", distance);
}

static int root_up(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/skynr-XXXXXX");
	return !mkdtemp(root);
}

static int root_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

/* Nodes that the test says this process may have memory of. */
static uint64_t nodes;

static int memory_of_test(int id)
{
	return id < 64 && (nodes >> id & 1);
}

/* "node/memory:cpus node/memory:cpus" */
static void expect(const char *spec, const char *allowed, const char *what)
{
	struct set cpus = { NULL, 0 };
	struct nr_topology *t = NULL;
	char text[512] = "";
	size_t n = 0;
	int err;

	assert_int_equal(set_parse(&cpus, allowed, NULL), 0);
	err = topology_of(root, &cpus, memory_of_test, spec, &t);
	set_free(&cpus);
	if (err)
		n = (size_t)snprintf(text, sizeof(text), "%s", strerror(-err));
	for (uint32_t i = 0; !err && i < t->n; i++) {
		const struct place *p = &t->places[i];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d/%d",
				      i ? " " : "", p->node, p->memory);
		for (uint32_t c = set_next(&p->cpus, 0); c != UINT32_MAX;
		     c = set_next(&p->cpus, c + 1))
			n += (size_t)snprintf(text + n, sizeof(text) - n, ":%u",
					      c);
	}
	nr_topology_close(t);
	assert_string_equal(text, what);
}

static void machines(void **state)
{
	(void)state;
	/* none that it tells of */
	expect(NULL, "0-2", "-1/-1:0:1:2");
	expect("2x1", "0-2", "-1/-1:0 -1/-1:1");
	nodes = 1;
	write_file(".", "online", "0\n");
	node(0, "0-3\n", 1000, "10\n");
	expect(NULL, "0-3", "0/0:0:1:2:3");
	expect(NULL, "1,3,9", "0/0:1:3");
	/* the second has no memory: its CPUs belong to the first */
	write_file(".", "online", "0-1\n");
	node(1, "4-5\n", 0, "20 10\n");
	expect(NULL, "0-5", "0/0:0:1:2:3:4:5");
	expect(NULL, "4", "1/0:4");
	/* the second has no CPUs: it is no place */
	node(1, "\n", 1000, "20 10\n");
	expect(NULL, "0-5", "0/0:0:1:2:3");
	/* sparse numbers, and memory that this process may not have */
	write_file(".", "online", "0,37\n");
	node(37, "6,8\n", 1000, "20 10\n");
	expect(NULL, "0-9", "0/0:0:1:2:3:6:8");
	nodes |= UINT64_C(1) << 37;
	expect(NULL, "0-9", "0/0:0:1:2:3 37/37:6:8");
	/* of none: then no node is believed to have any */
	nodes = 0;
	expect(NULL, "0-9", "0/-1:0:1:2:3:6:8");
	nodes = 1;
	/* nonsense instead of lists */
	write_file(".", "online", "zero\n");
	expect(NULL, "0-1", "-1/-1:0:1");
	write_file(".", "online", "0-1\n");
	node(1, "5-4\n", 1000, "20\n");
	expect(NULL, "0-5", "0/0:0:1:2:3");
}

/* Which of several that have memory is nearest. */
static void nearest(void **state)
{
	struct nr_place place = { .size = sizeof(place) };
	struct set cpus = { NULL, 0 };
	struct nr_topology *t;

	(void)state;
	write_file(".", "online", "0-3\n");
	node(0, "0\n", 1000, "10 20 30 12\n");
	node(1, "1\n", 1000, "20 10 15 20\n");
	node(2, "2\n", 0, "30 15 10 25\n");
	node(3, "3\n", 1000, "12 20 25 10\n");
	/* The third has none: the second is nearest, not the first. */
	nodes = 0xf;
	expect(NULL, "0-3", "0/0:0 1/1:1:2 3/3:3");
	/* Memory that is near, but forbidden: then the fourth's. */
	nodes = 0x9;
	expect(NULL, "0-3", "0/0:0:1 3/3:2:3");
	nodes = 0x3;
	expect(NULL, "0-3", "0/0:0:3 1/1:1:2");
	/* Distances that are not there: the first that has some. */
	nodes = 0xf;
	node(2, "2\n", 0, "\n");
	expect(NULL, "0-3", "0/0:0:2 1/1:1 3/3:3");
	write_file(".", "online", "0\n");
	nodes = 1;
	assert_int_equal(set_parse(&cpus, "0-1", NULL), 0);
	assert_int_equal(topology_of(root, &cpus, memory_of_test, "0/1", &t),
			 0);
	set_free(&cpus);
	assert_int_equal(nr_topology_places(t), 2);
	assert_int_equal(nr_topology_place(t, 1, &place), 0);
	assert_true(place.cpus == 1);
	assert_int_equal(nr_topology_place(t, 2, &place), -ENOENT);
	place.size = 0;
	assert_int_equal(nr_topology_place(t, 0, &place), -EINVAL);
	nr_topology_close(t);
}

static void specs(void **state)
{
	(void)state;
	nodes = 1;
	write_file(".", "online", "0\n");
	node(0, "0-3\n", 1000, "10\n");
	expect("1x1", "0-3", "0/0:0");
	expect("2x2", "0-3", "0/0:0:1 0/0:2:3");
	expect("2x1", "2", "0/0:2 0/0:2");
	expect("2x3", "0-3", "0/0:0:1:2 0/0:0:1:3");
	expect("1x1000000", "0-3", "0/0:0:1:2:3");
	expect("0-1,3/2", "0-3", "0/0:0:1:3 0/0:2");
	expect("0/77", "0-3", "0/0:0 -1/-1:77");
	expect("0/0", "0-3", "0/0:0 0/0:0");
	for (size_t i = 0; i < 16; i++) {
		static const char *const bad[] = {
			"x",	"2x",	"x2",	   "0x1", "1x0", "-1x1",
			"1x-1", "2x1 ", "2x1/0",   "0/",  "/0",	 "0//1",
			"0,/1", "1-0",	"1048576", "a",
		};

		expect(bad[i], "0-3", "Invalid argument");
	}
}

static void here(void **state)
{
	struct nr_topology *t;

	(void)state;
	assert_int_equal(nr_topology_open(NULL, &t), 0);
	assert_true(nr_topology_places(t) >= 1);
	assert_true(nr_topology_here(t) < nr_topology_places(t));
	nr_topology_close(t);
	assert_int_equal(setenv("NR_TOPOLOGY", "3x1", 1), 0);
	assert_int_equal(nr_topology_open(NULL, &t), 0);
	assert_int_equal(nr_topology_places(t), 3);
	nr_topology_close(t);
	assert_int_equal(nr_topology_open("1x1", &t), 0);
	assert_int_equal(nr_topology_places(t), 1);
	nr_topology_close(t);
	assert_int_equal(setenv("NR_TOPOLOGY", "3y1", 1), 0);
	assert_int_equal(nr_topology_open(NULL, &t), -EINVAL);
	assert_int_equal(unsetenv("NR_TOPOLOGY"), 0);
	if (cpus_allowed() < 2)
		return;
	assert_int_equal(nr_topology_open("2x1", &t), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pin_to(i), 0);
		assert_int_equal(nr_topology_here(t), i);
	}
	nr_topology_close(t);
	assert_int_equal(pin_to(-1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(machines, root_up, root_down),
		cmocka_unit_test_setup_teardown(nearest, root_up, root_down),
		cmocka_unit_test_setup_teardown(specs, root_up, root_down),
		cmocka_unit_test(here),
	};

	return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
