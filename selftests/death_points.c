/* SPDX-License-Identifier: MIT */
/* Named points: where a process dies, and whether all of them are tested. */
#include "death.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define SKY_TEST_POINTS
#include "point.h"

struct fired *fired;

static const char *armed;
static int armed_signal;
static _Atomic int left;

void points_init(void)
{
	fired = mmap(NULL, sizeof(*fired), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(fired != MAP_FAILED);
}

void points_reset(void)
{
	fired->fired = 0;
	fired->ns = 0;
}

void point_arm(const char *name, unsigned nth, int sig)
{
	armed_signal = sig;
	left = (int)nth;
	armed = name;
}

void sky_point(const char *name)
{
	if (!armed || strcmp(name, armed) || atomic_fetch_sub(&left, 1) != 1)
		return;
	fired->ns = time_ns();
	fired->fired = 1;
	kill(getpid(), armed_signal);
	/* Death is not put off; another thread may get the signal first. */
	while (armed_signal == SIGKILL)
		pause();
}

int is_reached(const struct scenario *s, const struct variant *v)
{
	unsigned over = !strcmp(v->transport, "shm")	 ? OVER_SHM
			: !strcmp(v->transport, "kcall") ? OVER_KCALL
							 : OVER_VMFUNC;

	/* Side by side on one CPU nobody spins. */
	if (cpus_allowed() < 2 && !strcmp(s->point, "client-spin"))
		return 0;
	return s->modes & 1u << v->mode && s->over & over;
}

int wait_stopped(pid_t pid, int *status)
{
	pid_t got = 0;

	WAIT_FOR_MS((got = waitpid(pid, status, WUNTRACED | WNOHANG)) != 0,
		    LIMIT_MS * slowness);
	if (got != pid) {
		kill(pid, SIGKILL);
		waitpid(pid, status, 0);
		fail_msg("process %d neither stopped nor ended", (int)pid);
	}
	return WIFSTOPPED(*status);
}

/* ---- the tables --------------------------------------------------------- */

static int in_tables(const char *name, size_t len, int *seen)
{
	for (size_t i = 0; i < nclient_points + nserver_points; i++) {
		const char *p =
			i < nclient_points
				? client_points[i].point
				: server_points[i - nclient_points].point;

		if (strlen(p) == len && !memcmp(p, name, len)) {
			seen[i] = 1;
			return 1;
		}
	}
	return 0;
}

static void look_into(const char *path, int *seen)
{
	static const char mark[] = "point(\"";
	static char text[1 << 17];
	FILE *f = fopen(path, "re");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	assert_true(n < sizeof(text) - 1);
	text[n] = '\0';
	for (char *p = text; (p = strstr(p, mark));) {
		char *end;

		p += sizeof(mark) - 1;
		end = strchr(p, '"');
		assert_non_null(end);
		if (!in_tables(p, (size_t)(end - p), seen))
			fail_msg("no test reaches the point %.*s of %s",
				 (int)(end - p), p, path);
	}
}

void test_tables(void **state)
{
	static const char dir[] = SKY_TOP "/libskyipc/src";
	int *seen = calloc(nclient_points + nserver_points, sizeof(*seen));
	struct dirent *e;
	DIR *d = opendir(dir);
	char path[512];

	(void)state;
	assert_non_null(seen);
	/* In a guest there are no sources; on a host there must be. */
	if (!d && errno == ENOENT && access(SKY_TOP, F_OK) < 0) {
		free(seen);
		skip();
	}
	assert_non_null(d);
	while ((e = readdir(d))) {
		size_t len = strlen(e->d_name);

		/* (Some are in what two files share.) */
		if (len < 3 || (strcmp(e->d_name + len - 2, ".c") &&
				strcmp(e->d_name + len - 2, ".h")))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		look_into(path, seen);
	}
	closedir(d);
	for (size_t i = 0; i < nclient_points; i++)
		if (!seen[i])
			fail_msg("%s is gone", client_points[i].point);
	for (size_t i = 0; i < nserver_points; i++)
		if (!seen[nclient_points + i])
			fail_msg("%s is gone", server_points[i].point);
	free(seen);
}
