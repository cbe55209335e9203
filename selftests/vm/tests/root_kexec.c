/* SPDX-License-Identifier: MIT */
/*
 * The machine ends with views on, and another kernel takes over:
 *
 *	root_kexec restart		the firmware first
 *	root_kexec kexec		kexec, in good order
 *	root_kexec crash		kexec, from a crash
 *	root_kexec kvm			likewise, with KVM loaded but idle
 *
 * With KVM idle (6.12, enable_virt_at_load=0) the crash kernel starts in VMX:
 * power.c says why.
 *
 * The other kernel runs this again (`run --kexec`), and looks at what it got.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "guest.h"
#include "next_kernel.h"

#define KEXEC "/lab/.kexec/"
#define AGAIN " lab.boot=2"

/* This kernel's command line, but without a place for a crash kernel */
static char *command_line(const char *more)
{
	char *line = read_line("/proc/cmdline"), *all, *crash, *end;

	if (asprintf(&all, "%s" AGAIN "%s", line, more) < 0)
		give_up("no memory");
	free(line);
	crash = strstr(all, "crashkernel=");
	if (crash) {
		end = crash + strcspn(crash, " ");
		memmove(crash, end, strlen(end) + 1);
	}
	return all;
}

static void load_next(bool crashed, const char *more)
{
	char *line = command_line(more);

	next_kernel(KEXEC "kernel", KEXEC "initramfs", line, crashed);
	free(line);
}

/* On CPU 0: kernels start there. */
static void end(const char *how)
{
	bool kvm = !strcmp(how, "kvm");

	if (kvm && system("modprobe kvm enable_virt_at_load=0 && "
			  "modprobe kvm_intel"))
		give_up("modprobe kvm_intel");
	if (load("skyipc.ko", "views=required"))
		give_up("insmod skyipc.ko views=required");
	run_on(0);
	if (!strcmp(how, "restart")) {
		reboot(RB_AUTOBOOT);
	} else if (!strcmp(how, "kexec")) {
		load_next(false, "");
		reboot(RB_KEXEC);
	} else {
		/* Bochs does not take an INIT in VMX: its other CPU stays. */
		load_next(true, kvm ? " maxcpus=1" : "");
		write_file("/proc/sysrq-trigger", "c");
	}
	give_up(how);
}

/* What it is in VMX: a guest, as KVM's are. Nothing of it is to be seen. */
static void begin_in(void)
{
	int got;

	ok(cpus() == 1, "on one CPU");
	got = load("skyipc.ko", "views=required");
	ok(got == -EOPNOTSUPP, "VMX is not there: %s", strerror(-got));
	ok(!load("skyipc.ko", ""), "it loads without views");
	ok(!unload("skyipc"), "rmmod");
}

static void begin_out(void)
{
	ok(cpus() == 2, "on all CPUs");
	ok(!load("skyipc.ko", "views=required"), "VMX is free");
	ok(both_in(), "on both CPUs");
	ok(!unload("skyipc"), "rmmod");
}

int main(int argc, char **argv)
{
	char *line = read_line("/proc/cmdline");
	bool again = strstr(line, AGAIN);

	free(line);
	if (argc != 2)
		give_up("root_kexec restart|kexec|crash|kvm");
	if (!again)
		end(argv[1]);
	ok(true, "a kernel has started (%s)", argv[1]);
	if (!strcmp(argv[1], "kvm"))
		begin_in();
	else
		begin_out();
	return done();
}
