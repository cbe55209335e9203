/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "clock.h"
#include "env.h"
#include "guard.h"
#include "place.h"
#include "report.h"
#include "util.h"

static const struct {
	const char *name;
	int (*fn)(const struct options *o);
} questions[] = {
	{ "rtt", cmd_rtt },
	{ "async", cmd_async },
	{ "throughput", cmd_throughput },
	{ "idle", cmd_idle },
	{ "openloop", cmd_openloop },
	{ "kv", cmd_kv },
	{ "nr", cmd_nr },
	{ "vspace", cmd_nr },
	{ "shm-vs-msg", cmd_shm_vs_msg },
};

/* What is opened for the JSON must not become a closed standard output. */
static void standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	static struct options o;
	size_t q = 0;
	int bad;

	standard_files();
	options_read(&o, argc, argv);
	while (strcmp(questions[q].name, o.bench))
		q++;
	if (place_init(o.cpus))
		return 2;
	if (!o.placements_named && place_cpus() < 2) {
		static char same[] = "same-cpu";
		static char *only[] = { same };

		o.placements = (struct str_list){ only, 1 };
	}
	report_open(&o);
	env_init();
	clock_calibrate();
	run_signals();
	guard_start();
	bad = questions[q].fn(&o);
	bad |= report_close();
	guard_end();
	if (run_interrupted())
		return 128 + run_interrupted();
	return bad ? 1 : 0;
}
