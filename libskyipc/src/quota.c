/* SPDX-License-Identifier: MIT */
#include "quota.h"

#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "skyipc.h"
#include "util.h"

/* What Linux has had since 2.6 if /proc does not say. */
#define MAX_MAP_COUNT 65530

static int compare(const void *a, const void *b)
{
	const struct quota_user *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

struct quota_user *quota_user(struct quota *q, uid_t uid)
{
	struct quota_user *user = calloc(1, sizeof(*user)), **found;

	if (!user)
		return NULL;
	user->uid = uid;
	found = tsearch(user, &q->tree, compare);
	if (found && *found == user)
		TAILQ_INIT(&user->unread_conns);
	else
		free(user);
	if (!found)
		return NULL;
	(*found)->refs++;
	return *found;
}

void quota_put(struct quota *q, struct quota_user *user)
{
	if (--user->refs)
		return;
	tdelete(user, &q->tree, compare);
	free(user);
}

uint64_t quota_maps_max(void)
{
	int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	uint64_t max = MAX_MAP_COUNT;
	char text[32];
	ssize_t n = 0;

	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n > 0) {
		text[n] = '\0';
		max = strtoull(text, NULL, 10);
	}
	return max_u64(max / 2, 1);
}

static uint64_t nofile(void)
{
	struct rlimit rl = { 1024, 1024 };

	getrlimit(RLIMIT_NOFILE, &rl);
	return rl.rlim_cur;
}

uint64_t quota_conns_max(void)
{
	return max_u64(nofile() / 4, 1);
}

uint64_t quota_fds_max(void)
{
	return max_u64(nofile() / 8, SKYIPC_MAX_FDS);
}
