/* SPDX-License-Identifier: MIT */
/*
 * Beside kvm_intel: who comes first has VMX, and the other is told. Since
 * Linux 6.12 KVM takes it when it is loaded, before that with its first guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "apps.h"
#include "guest.h"

/* A guest of KVM's: a descriptor, or -errno */
static int new_guest(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), fd;

	if (kvm < 0)
		return -errno;
	fd = ioctl(kvm, KVM_CREATE_VM, 0);
	if (fd < 0)
		fd = -errno;
	close(kvm);
	return fd;
}

static bool kvm_takes_vmx_at_once(void)
{
	return !access("/sys/module/kvm/parameters/enable_virt_at_load", F_OK);
}

static void modprobe(const char *arguments)
{
	char line[128];

	snprintf(line, sizeof(line), "modprobe %s", arguments);
	if (system(line))
		give_up(line);
}

static void kvm_first(void)
{
	char *why;
	int fd = new_guest(), error;

	ok(fd >= 0, "KVM has a guest");
	ok(doctor_says("warn  kvm ",
		       "kvm_intel is in use, and VMX cannot be shared"),
	   "skyctl doctor says so");
	application_over("shm");
	error = load("skyipc.ko", "views=required");
	ok(error == -EBUSY, "views are refused: %s", strerror(-error));
	ok(!load("skyipc.ko", ""), "the module loads without");
	why = read_line(VIEWS_WHY);
	ok(strstr(why, "CR4.VMXE is set: KVM?"), "%s", why);
	free(why);
	application_over("kcall");
	close(fd);
	ok(!unload("skyipc"), "rmmod");
}

static void views_first(void)
{
	int fd;

	ok(!load("skyipc.ko", "views=required"), "KVM is idle: views are on");
	fd = new_guest();
	ok(fd == -EBUSY || fd == -EIO, "KVM's next guest is refused: %s",
	   fd < 0 ? strerror(-fd) : "no");
	ok(becomes(VIEWS, "on"), "views are still on");
	ok(!unload("skyipc"), "rmmod");
	fd = new_guest();
	ok(fd >= 0, "and KVM has guests again");
	close(fd);
}

int main(void)
{
	int error;

	modprobe("kvm_intel");
	kvm_first();
	if (kvm_takes_vmx_at_once()) {
		error = load("skyipc.ko", "views=required");
		ok(error == -EBUSY, "also without one: %s", strerror(-error));
		ok(doctor_says("warn  kvm ",
			       "kvm_intel is loaded and holds VMX"),
		   "and skyctl doctor says so");
		modprobe("-r kvm_intel kvm");
		modprobe("kvm enable_virt_at_load=0");
		modprobe("kvm_intel");
	}
	views_first();
	modprobe("-r kvm_intel kvm");
	/* CPUID has no VMX any more. */
	ok(!load("skyipc.ko", "views=required"), "without KVM");
	ok(system("modprobe kvm_intel 2>/dev/null") != 0,
	   "kvm_intel does not load while views are on");
	ok(!unload("skyipc"), "rmmod");
	modprobe("kvm_intel");
	kvm_first();
	modprobe("-r kvm_intel kvm"); /* it may hold VMX */
	return done();
}
