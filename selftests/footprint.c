/* SPDX-License-Identifier: MIT */
#include "footprint.h"

#include "testlib.h"

struct footprint footprint_of(pid_t pid)
{
	struct footprint fp = { .fds = fds_open(pid) };
	char line[512];
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/maps", (int)pid);
	f = fopen(line, "re");
	if (!f)
		return fp;
	while (fgets(line, sizeof(line), f))
		fp.maps += strstr(line, "memfd:skyipc") != NULL;
	fclose(f);
	return fp;
}

int footprint_becomes(pid_t pid, const struct footprint *fp, unsigned ms,
		      struct footprint *now)
{
	return WAIT_FOR_MS((*now = footprint_of(pid),
			    now->fds == fp->fds && now->maps == fp->maps),
			   ms);
}

void footprint_is(pid_t pid, const struct footprint *fp, const char *what)
{
	struct footprint now;

	if (!footprint_becomes(pid, fp, 1000 * slowness, &now))
		fail_msg("%s: %d descriptors, %d mappings; before: %d, %d",
			 what, now.fds, now.maps, fp->fds, fp->maps);
}
