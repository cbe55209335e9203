/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <skyipc.h>

#include "clock.h"
#include "env.h"
#include "util.h"

#define SYS_CPU "/sys/devices/system/cpu"

static struct {
	char cpu[128], kernel[256], virt[64], governor[32], load[64];
	char mitigations[1024];
} env;

static void cpuinfo(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[4096];

	snprintf(env.cpu, sizeof(env.cpu), "unknown");
	snprintf(env.virt, sizeof(env.virt), "none seen");
	while (f && fgets(line, sizeof(line), f)) {
		char *value = strchr(line, ':');

		line[strcspn(line, "\n")] = 0;
		if (!value)
			continue;
		value += value[1] == ' ' ? 2 : 1;
		if (!strncmp(line, "model name", 10) ||
		    !strncmp(line, "CPU implementer", 15))
			snprintf(env.cpu, sizeof(env.cpu), "%.127s", value);
		if (!strncmp(line, "flags", 5) && strstr(value, " hypervisor"))
			snprintf(env.virt, sizeof(env.virt),
				 "virtual machine (hypervisor flag)");
	}
	if (f)
		fclose(f);
}

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

/* The hypervisor says its name in leaf 0x40000000. */
static void hypervisor(void)
{
	unsigned a, b, c, d;
	char name[13] = "";

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 31))
		return;
	__cpuid(0x40000000, a, b, c, d);
	memcpy(name, &b, 4);
	memcpy(name + 4, &c, 4);
	memcpy(name + 8, &d, 4);
	for (char *p = name; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	/* qemu without KVM */
	if (!strncmp(name, "TCG", 3))
		snprintf(env.virt, sizeof(env.virt),
			 "emulated: only ratios of one run mean anything");
	else
		snprintf(env.virt, sizeof(env.virt), "virtual machine (%s)",
			 name);
}
#else
static void hypervisor(void)
{
}
#endif

static void mitigations(void)
{
	DIR *dir = opendir(SYS_CPU "/vulnerabilities");
	struct dirent *e;
	size_t at = 0;

	while (dir && (e = readdir(dir))) {
		char path[512], line[256];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SYS_CPU "/vulnerabilities/%s",
			 e->d_name);
		if (read_line(path, line, sizeof(line)) ||
		    !strcmp(line, "Not affected"))
			continue;
		if (at < sizeof(env.mitigations))
			at += (size_t)snprintf(env.mitigations + at,
					       sizeof(env.mitigations) - at,
					       "%s%s: %s", at ? "; " : "",
					       e->d_name, line);
	}
	if (dir)
		closedir(dir);
	if (!at)
		snprintf(env.mitigations, sizeof(env.mitigations), "none");
}

void env_init(void)
{
	struct utsname u;

	cpuinfo();
	hypervisor();
	if (!uname(&u))
		snprintf(env.kernel, sizeof(env.kernel), "%s %s %s", u.sysname,
			 u.release, u.machine);
	if (read_line(SYS_CPU "/cpu0/cpufreq/scaling_governor", env.governor,
		      sizeof(env.governor)))
		snprintf(env.governor, sizeof(env.governor), "not visible");
	mitigations();
	read_line("/proc/loadavg", env.load, sizeof(env.load));
}

void env_print(FILE *to)
{
	fprintf(to, "cpu         %s, %ld online\n", env.cpu,
		sysconf(_SC_NPROCESSORS_ONLN));
	fprintf(to, "kernel      %s\n", env.kernel);
	fprintf(to, "virtual     %s\n", env.virt);
	fprintf(to, "mitigations %s\n", env.mitigations);
	fprintf(to, "governor    %s\n", env.governor);
	fprintf(to, "load        %s\n", env.load);
	fprintf(to, "clock       %s, %.3f GHz\n", clock_source(),
		1 / clock_tick_ns);
	fprintf(to, "skyipc      %s\n", skyipc_version());
}

const char *env_cpu(void)
{
	return env.cpu;
}

const char *env_kernel(void)
{
	return env.kernel;
}

const char *env_virt(void)
{
	return env.virt;
}
