/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static int tests, failed;

void ok(bool passed, const char *format, ...)
{
	va_list args;

	printf("%sok %d - ", passed ? "" : "not ", ++tests);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	failed += !passed;
	fflush(stdout);
}

void note(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

int done(void)
{
	printf("1..%d\n", tests);
	fflush(stdout);
	return failed != 0;
}

void give_up(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(99);
}

char *read_file(const char *path)
{
	size_t size = 0, room = 4096;
	char *text = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 || !text)
		give_up(path);
	while ((n = read(fd, text + size, room - size - 1)) > 0) {
		size += (size_t)n;
		if (size + 1 < room)
			continue;
		room *= 2;
		text = realloc(text, room);
		if (!text)
			give_up(path);
	}
	if (n < 0)
		give_up(path);
	close(fd);
	text[size] = '\0';
	return text;
}

char *read_line(const char *path)
{
	char *text = read_file(path);

	text[strcspn(text, "\n")] = '\0';
	return text;
}

bool becomes(const char *path, const char *text)
{
	struct timespec start, now;
	bool is;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		char *is_now = read_line(path);

		is = !strcmp(is_now, text);
		free(is_now);
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!is && now.tv_sec - start.tv_sec < 10);
	return is;
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		error = -errno;
	close(fd);
	return error;
}

char *kernel_log(void)
{
	int room = klogctl(10, NULL, 0); /* the size of its buffer */
	char *text = calloc(1, (size_t)room + 1);

	if (!text || klogctl(3, text, room) < 0)
		give_up("the kernel's log");
	return text;
}

int load(const char *file, const char *parameters)
{
	char path[256];
	int fd, error = 0;

	snprintf(path, sizeof(path), "/lib/skyipc/%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		give_up(path);
	if (syscall(SYS_finit_module, fd, parameters, 0))
		error = -errno;
	close(fd);
	return error;
}

int unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		give_up("sched_setaffinity");
}

int cpus(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

bool both_in(void)
{
	char *text = read_file(DEBUG "cpus");
	bool in = strstr(text, "0 on ") && strstr(text, "\n1 on ");

	free(text);
	return in;
}

static char *kept[64];

static char *state_of(int cpu)
{
	run_on(cpu);
	return read_file(TEST "state");
}

void state_keep(void)
{
	for (int i = 0; i < cpus(); i++) {
		free(kept[i]);
		kept[i] = state_of(i);
	}
}

bool state_as_kept(void)
{
	bool same = true;

	for (int i = 0; i < cpus(); i++) {
		char *now = state_of(i), *b = now, *a = kept[i], *lb;

		while (strcmp(a, b) && (lb = strsep(&b, "\n")) && b) {
			size_t n = strcspn(a, "\n");

			if (strlen(lb) != n || strncmp(a, lb, n)) {
				note("CPU %d: %.*s -> %s", i, (int)n, a, lb);
				same = false;
			}
			a += n + !!a[n];
		}
		free(now);
	}
	return same;
}

/* Of @reason or (NULL) of any, and not of @but */
static unsigned long long sum_of(const char *reason, const char *but)
{
	char *text = read_file(DEBUG "exits"), *line, *at = text;
	unsigned long long sum = 0;

	while ((line = strsep(&at, "\n"))) {
		unsigned long long n;
		char name[32];

		if (sscanf(line, "%*d %*s %31s %llu", name, &n) == 2 &&
		    (!reason || !strcmp(reason, name)) &&
		    (!but || strcmp(but, name)))
			sum += n;
	}
	free(text);
	return sum;
}

unsigned long long exits(const char *reason)
{
	return sum_of(reason, NULL);
}

unsigned long long exits_but_cpuid(void)
{
	return sum_of(NULL, "cpuid");
}

char *exits_text(void)
{
	return read_file(DEBUG "exits");
}

void note_exits_since(const char *text)
{
	char *now = exits_text(), *line, *at = now;

	while ((line = strsep(&at, "\n")))
		if (!strstr(text, line))
			note("%s", line);
	free(now);
}
