/* SPDX-License-Identifier: MIT */
/*
 * What tests in a guest need: TAP, files of one line, modules, CPUs.
 */
#ifndef SKYIPC_GUEST_H
#define SKYIPC_GUEST_H

#include <stdbool.h>
#include <stddef.h>

#define VIEWS "/sys/class/misc/skyipc/views"
#define VIEWS_WHY "/sys/class/misc/skyipc/views_why"
#define DEBUG "/sys/kernel/debug/skyipc/"
#define TEST "/sys/kernel/debug/skyipc_test/"

/* One test; the number counts by itself. @format says which. */
void ok(bool passed, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* More about it */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Print the plan; the exit status of main(). */
int done(void);

/* The machine under us is broken: say so and end the program with 99. */
_Noreturn void give_up(const char *what);

/* All of a file, as a string; the caller frees. Gives up if it is not there. */
char *read_file(const char *path);
/* Its first line, likewise, without the newline */
char *read_line(const char *path);
/* Is @text its first line within ten seconds? */
bool becomes(const char *path, const char *text);
/* 0 or -errno */
int write_file(const char *path, const char *text);

/* All that the kernel has said; the caller frees. */
char *kernel_log(void);

/* 0 or -errno. @file is looked for in /lib/skyipc. */
int load(const char *file, const char *parameters);
int unload(const char *name);

void run_on(int cpu);
/* Are CPU 0 and CPU 1 in VMX? */
bool both_in(void);
int cpus(void);

/*
 * skyipc_test's state of every CPU: kept, and compared with what was kept.
 * Lines that differ are told.
 */
void state_keep(void);
bool state_as_kept(void);

/* The sum of all exits, of one reason or (NULL) of any. */
unsigned long long exits(const char *reason);

/*
 * Of any reason that the kernel does not have of its own accord: it looks for
 * machine checks every five minutes, on every CPU, and asks CPUID meanwhile
 * (machine_check_poll() by way of mce_gather_info()). The gate does not: the
 * gate checker would object.
 */
unsigned long long exits_but_cpuid(void);

/* What exits() counts, line by line; to be freed */
char *exits_text(void);

/* Say which of these lines have changed since. */
void note_exits_since(const char *text);

#endif
