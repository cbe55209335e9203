/* SPDX-License-Identifier: MIT */
/*
 * machine.c - the nodes in sysfs
 *
 * Nothing is believed of what libnuma believes: that nodes are numbered without
 * gaps, that each has memory, or CPUs. (Linux:
 * Documentation/ABI/stable/sysfs-devices-node.)
 */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"

/* A file's text, to be freed; NULL: it cannot be read, or, with @err set to
 * -ENOMEM, there is no memory. */
static char *slurp(const char *path, int *err)
{
	size_t cap = 4096, len = 0;
	char *text = mem_alloc(cap), *more;
	ssize_t got = 1;
	int fd;

	*err = text ? 0 : -ENOMEM;
	if (!text)
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && got > 0) {
		if (len + 1 == cap) {
			more = mem_realloc(text, 2 * cap);
			if (!more) {
				*err = -ENOMEM;
				break;
			}
			text = more;
			cap *= 2;
		}
		got = read(fd, text + len, cap - len - 1);
		if (got > 0)
			len += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	if (fd < 0 || got < 0 || *err) {
		mem_free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

static char *node_file(const char *root, uint32_t id, const char *name,
		       int *err)
{
	char path[PATH_MAX];

	*err = 0;
	if (snprintf(path, sizeof(path), "%s/node%u/%s", root, id, name) >=
	    (int)sizeof(path))
		return NULL;
	return slurp(path, err);
}

/* "Node 0 MemTotal:   16318412 kB" among other lines */
static int memory_in(const char *meminfo)
{
	const char *at = strstr(meminfo, "MemTotal:");

	return at && strtoull(at + strlen("MemTotal:"), NULL, 10) > 0;
}

static int read_distances(struct machine_node *node, uint32_t n,
			  const char *text)
{
	char *end;

	node->distance = mem_alloc(n * sizeof(uint32_t));
	if (!node->distance)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		unsigned long v = strtoul(text, &end, 10);

		if (end == text) {
			/* fewer than nodes: then none is believed */
			mem_free(node->distance);
			node->distance = NULL;
			return 0;
		}
		node->distance[i] = v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
		text = end;
	}
	return 0;
}

static int read_node(struct machine *m, struct machine_node *node,
		     const char *root)
{
	int err;
	char *text = node_file(root, node->id, "cpulist", &err);

	if (text && set_parse(&node->cpus, text, NULL) == -ENOMEM)
		err = -ENOMEM;
	mem_free(text);
	if (err)
		return err;
	text = node_file(root, node->id, "meminfo", &err);
	node->has_memory = text && memory_in(text);
	mem_free(text);
	if (err)
		return err;
	text = node_file(root, node->id, "distance", &err);
	if (text)
		err = read_distances(node, m->n, text);
	mem_free(text);
	return err;
}

int machine_read(struct machine *m, const char *root, int (*allowed)(int node))
{
	struct set online = { NULL, 0 };
	char path[PATH_MAX], *text = NULL;
	uint32_t id = 0;
	int err = 0;

	memset(m, 0, sizeof(*m));
	if (snprintf(path, sizeof(path), "%s/online", root) < (int)sizeof(path))
		text = slurp(path, &err);
	if (!text)
		return err;
	err = set_parse(&online, text, NULL);
	mem_free(text);
	if (err == -EINVAL) {
		/* not a list: as if it were not there */
		set_free(&online);
		return 0;
	}
	if (!err && set_count(&online)) {
		m->nodes = mem_alloc(set_count(&online) * sizeof(*m->nodes));
		if (!m->nodes)
			err = -ENOMEM;
		else
			m->n = set_count(&online);
	}
	for (uint32_t i = 0; !err && i < m->n; i++, id++) {
		id = set_next(&online, id);
		m->nodes[i].id = id;
		err = read_node(m, &m->nodes[i], root);
		m->nodes[i].has_memory =
			m->nodes[i].has_memory && allowed((int)id);
	}
	set_free(&online);
	if (err)
		machine_free(m);
	return err;
}

void machine_free(struct machine *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		set_free(&m->nodes[i].cpus);
		mem_free(m->nodes[i].distance);
	}
	mem_free(m->nodes);
	memset(m, 0, sizeof(*m));
}

int machine_allowed_cpus(struct set *cpus)
{
	/* The kernel says -EINVAL as long as the room is too small. */
	for (uint32_t n = 1024; n <= MACHINE_MAX; n *= 2) {
		size_t size = CPU_ALLOC_SIZE(n);
		cpu_set_t *mask = mem_alloc(size);
		int err = 0;

		if (!mask)
			return -ENOMEM;
		if (sched_getaffinity(0, size, mask))
			err = -errno;
		for (uint32_t i = 0; !err && i < n; i++)
			if (CPU_ISSET_S(i, size, mask))
				err = set_add(cpus, i);
		mem_free(mask);
		if (err != -EINVAL)
			return err;
	}
	return -EINVAL;
}
