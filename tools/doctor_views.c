/* SPDX-License-Identifier: MIT */
/*
 * The module, and what this machine has for its views. The questions are the
 * module's own (kmod/vmx/facts.h), asked through /dev/cpu, and so are the words
 * of the answers.
 */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE "/sys/class/misc/skyipc/"

/* The first line of a small file of the kernel's; "" if there is none. */
static const char *line_of(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = 0;
	buf[strcspn(buf, "\n")] = 0;
	if (fd >= 0)
		close(fd);
	return buf;
}

/* Are only modules loaded whose signature Linux knows? Secure Boot does that.
 */
static bool is_locked_down(void)
{
	char text[64];

	line_of("/sys/kernel/security/lockdown", text, sizeof(text));
	return *text && !strstr(text, "[none]");
}

/* Are views on? Then CPUID hides VMX, and there is nothing left to ask. */
static bool check_module(struct doctor *d)
{
	char version[64], views[16], why[256];

	if (!*line_of(MODULE "version", version, sizeof(version))) {
		doctor_say(d, VERDICT_WARN, "module",
			   is_locked_down()
				   ? "sign skyipc.ko with a key of this "
				     "machine's (MOK), or turn off Secure "
				     "Boot; then insmod skyipc.ko"
				   : "insmod skyipc.ko, for calls that need "
				     "not wait for another CPU",
			   "skyipc.ko is not loaded");
		return false;
	}
	doctor_say(d, VERDICT_OK, "module", NULL, "skyipc.ko %s", version);
	if (strcmp(line_of(MODULE "views", views, sizeof(views)), "on") == 0) {
		doctor_say(d, VERDICT_OK, "views", NULL, "on");
		return true;
	}
	doctor_say(d, VERDICT_WARN, "views", NULL, "off: %s",
		   line_of(MODULE "views_why", why, sizeof(why)));
	return false;
}

#ifdef __x86_64__

#include "../kmod/vmx/ept.h"
#include "../kmod/vmx/facts.h"

#include <cpuid.h>
#include <sched.h>

/* What was found, and on how many CPUs */
struct finding {
	char text[VMX_TEXT_MAX];
	unsigned cpus;
	int first;
};

struct survey {
	struct doctor *d;
	struct vmx_facts *first; /* of a CPU on which all is well */
	struct finding *findings;
	size_t n;
	unsigned cpus; /* asked so far */
	int cpu;       /* asked now */
	int msr;       /* its file */
};

static void read_cpuid(void *ctx, u32 leaf, u32 subleaf, u32 regs[4])
{
	(void)ctx;
	__cpuid_count(leaf, subleaf, regs[0], regs[1], regs[2], regs[3]);
}

static int read_msr(void *ctx, u32 msr, u64 *value)
{
	const struct survey *s = ctx;
	ssize_t n = pread(s->msr, value, sizeof(*value), msr);

	return n == sizeof(*value) ? 0 : -EIO;
}

static const struct vmx_reader reader = { read_msr, read_cpuid };

static void found(void *ctx, const char *text)
{
	struct survey *s = ctx;
	struct finding *more;

	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->findings[i].text, text) == 0) {
			s->findings[i].cpus++;
			return;
		}
	}
	more = realloc(s->findings, (s->n + 1) * sizeof(*more));
	if (!more)
		return;
	s->findings = more;
	more += s->n++;
	snprintf(more->text, sizeof(more->text), "%s", text);
	more->cpus = 1;
	more->first = s->cpu;
}

static void tell_findings(const struct survey *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct finding *f = &s->findings[i];

		if (f->cpus == s->cpus)
			doctor_say(s->d, VERDICT_WARN, "views", NULL, "%s",
				   f->text);
		else if (f->cpus == 1)
			doctor_say(s->d, VERDICT_WARN, "views", NULL,
				   "CPU %d: %s", f->first, f->text);
		else
			doctor_say(s->d, VERDICT_WARN, "views", NULL,
				   "CPU %d and %u more: %s", f->first,
				   f->cpus - 1, f->text);
	}
}

/* CPUID is asked where we run; the MSRs, wherever that is, are @cpu's. */
static void go_to(int cpu)
{
	size_t size = CPU_ALLOC_SIZE(cpu + 1);
	cpu_set_t *set = CPU_ALLOC(cpu + 1);

	if (!set)
		return;
	CPU_ZERO_S(size, set);
	CPU_SET_S(cpu, size, set);
	sched_setaffinity(0, size, set);
	CPU_FREE(set);
}

/* 0, or -errno if its MSRs cannot be had. */
static int ask(struct survey *s, int cpu)
{
	struct vmx_facts *f;
	char path[64];
	unsigned bad;

	snprintf(path, sizeof(path), "/dev/cpu/%d/msr", cpu);
	s->msr = open(path, O_RDONLY | O_CLOEXEC);
	if (s->msr < 0) /* ENXIO: it has just gone offline */
		return errno == ENXIO ? 0 : -errno;
	f = calloc(1, sizeof(*f));
	if (!f) {
		close(s->msr);
		return -ENOMEM;
	}
	s->cpu = cpu;
	s->cpus++;
	go_to(cpu);
	vmx_facts_read(f, &reader, s);
	close(s->msr);
	bad = vmx_facts_tell(f, s->first, found, s);
	if (bad || s->first)
		free(f);
	else
		s->first = f;
	return 0;
}

/* "0-3,8,10-11": each of them */
static int ask_all(struct survey *s)
{
	char online[4096], *at = online, *range;
	int err = 0;

	line_of("/sys/devices/system/cpu/online", online, sizeof(online));
	while (!err && (range = strsep(&at, ","))) {
		int first, last, n = sscanf(range, "%d-%d", &first, &last);

		if (n < 1)
			continue;
		if (n == 1)
			last = first;
		for (int cpu = first; !err && cpu <= last; cpu++)
			err = ask(s, cpu);
	}
	return err || s->cpus ? err : -ENODATA;
}

static void no_msrs(struct doctor *d, int err)
{
	doctor_say(d, VERDICT_WARN, "views",
		   err == -ENOENT ? "modprobe msr, then run this as root"
				  : "run this as root",
		   "there is VT-x; whether it is enough is in MSRs: %s",
		   strerror(-err));
}

/* Is it met in this way? */
static bool vulnerability(const char *name, const char *way)
{
	char path[96], text[128];

	snprintf(path, sizeof(path),
		 "/sys/devices/system/cpu/vulnerabilities/%s", name);
	return strstr(line_of(path, text, sizeof(text)), way) != NULL;
}

/*
 * Does a line of a file of the kernel's begin with @begin and have @word in it?
 * If it is not there, the answer is @otherwise.
 */
static bool says(const char *path, const char *begin, const char *word,
		 bool otherwise)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *at;
	bool found = false;
	size_t size = 0;

	if (!file)
		return otherwise;
	while (!found && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, begin, strlen(begin)) != 0)
			continue;
		for (at = line; !found && at; at = strpbrk(at, " \t")) {
			at += strspn(at, " \t");
			found = strcspn(at, " \t") == strlen(word) &&
				strncmp(at, word, strlen(word)) == 0;
		}
	}
	free(line);
	fclose(file);
	return found;
}

/* What Linux does not use it does not show. */
static bool lacks_flag(const char *flag)
{
	return !says("/proc/cpuinfo", "flags", flag, true);
}

static bool lacks_function(const char *name)
{
	return !says("/proc/kallsyms", "", name, true);
}

/* Is there anything that home would not have? (Not: room for it.) */
static bool beyond(void)
{
	static const char *const things[] = { "System RAM", "Persistent Memory",
					      "Reserved" };
	FILE *file = fopen("/proc/iomem", "re");
	unsigned long long start, end;
	char *line = NULL;
	bool found = false;
	size_t size = 0;

	if (!file)
		return false;
	while (!found && getline(&line, &size, file) > 0) {
		/* A host bridge's, below its room for it */
		bool counts = line[0] == ' ';

		for (size_t i = 0; i < sizeof(things) / sizeof(*things); i++)
			counts |= strstr(line, things[i]) != NULL;
		found = counts &&
			sscanf(line, "%llx-%llx", &start, &end) == 2 &&
			end >> EPT_ADDR_BITS;
	}
	free(line);
	fclose(file);
	return found;
}

static u64 xcr0(void)
{
	u32 regs[4], low, high;

	read_cpuid(NULL, 1, 0, regs);
	if (!(regs[2] & bit_OSXSAVE))
		return 0;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (u64)high << 32 | low;
}

static void tell_unfit(struct doctor *d, uint64_t unfit)
{
	for (unsigned i = 0; i < VMX_UNFITS; i++)
		if (unfit & BIT_ULL(i))
			doctor_say(d, VERDICT_WARN, "views", NULL, "%s",
				   vmx_unfit_text(i));
}

static uint64_t machine_unfit(void)
{
	char text[128];
	struct vmx_machine m = {
		.xen_pv = strcmp(line_of("/sys/hypervisor/guest_type", text,
					 sizeof(text)),
				 "PV") == 0,
		.pti = vulnerability("meltdown", "PTI"),
		.call_depth =
			vulnerability("retbleed", "Stuffing") ||
			vulnerability("indirect_target_selection", "tuffing"),
		.xcr0 = xcr0(),
		.no_fsgsbase = lacks_flag("fsgsbase"),
		.no_invpcid = lacks_flag("invpcid"),
		.no_returns = lacks_function("user_return_notifier_register"),
		.beyond = beyond(),
	};

	return vmx_unfit(&m, &reader, NULL);
}

/* It holds VMX while guests run, since Linux 6.12 from loading on. */
static void check_kvm(struct doctor *d)
{
	char users[16], early[16];

	line_of("/sys/module/kvm_intel/refcnt", users, sizeof(users));
	line_of("/sys/module/kvm/parameters/enable_virt_at_load", early,
		sizeof(early));
	if (!*users)
		return;
	if (strcmp(users, "0") != 0)
		doctor_say(d, VERDICT_WARN, "kvm",
			   "end the virtual machines, or do without views",
			   "kvm_intel is in use, and VMX cannot be shared");
	else if (*early == 'Y')
		doctor_say(d, VERDICT_WARN, "kvm",
			   "rmmod kvm_intel, or load kvm with "
			   "enable_virt_at_load=0",
			   "kvm_intel is loaded and holds VMX");
	else
		doctor_say(d, VERDICT_OK, "kvm", NULL,
			   "kvm_intel is loaded and idle");
}

static void check_needs(struct doctor *d)
{
	struct survey s = { .d = d };
	cpu_set_t was;
	u32 regs[4];
	bool known = sched_getaffinity(0, sizeof(was), &was) == 0;
	uint64_t unfit = machine_unfit();
	int err;

	tell_unfit(d, unfit & VMX_UNFIT_ANYWAY);
	if (unfit & BIT_ULL(UNFIT_VENDOR))
		return;
	read_cpuid(NULL, 1, 0, regs);
	if (!(regs[2] & CPUID_1_ECX_VMX)) {
		doctor_say(d, VERDICT_WARN, "views", NULL, "%s",
			   vmx_need_text(NEED_VMX));
		return;
	}
	err = ask_all(&s);
	if (known)
		sched_setaffinity(0, sizeof(was), &was);
	if (err)
		no_msrs(d, err);
	else if (s.n)
		tell_findings(&s);
	else if (unfit & ~VMX_UNFIT_ANYWAY)
		tell_unfit(d, unfit & ~VMX_UNFIT_ANYWAY);
	else
		doctor_say(d, VERDICT_OK, "views needs", NULL,
			   "all there, on %u CPU%s", s.cpus,
			   s.cpus == 1 ? "" : "s");
	for (unsigned i = 0; s.first && i < VMX_NOTES; i++)
		if (vmx_notes(&s.first->caps) & BIT_ULL(i))
			doctor_say(d, VERDICT_OK, "views", NULL, "%s",
				   vmx_note_text(i));
	check_kvm(d);
	free(s.first);
	free(s.findings);
}

#else

static void check_needs(struct doctor *d)
{
	doctor_say(d, VERDICT_WARN, "views", NULL, "they need x86-64");
}

#endif

void doctor_views(struct doctor *d)
{
	if (!check_module(d))
		check_needs(d);
}
