/* SPDX-License-Identifier: MIT */
/*
 * /dev/skyipc, sysfs and debugfs take what is right and refuse the rest.
 * Works with views and without.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../../kmod/uapi/skyipc_dev.h"
#include "guest.h"

static int fd;

static int info(void *arg)
{
	return ioctl(fd, SKYIPC_DEV_INFO, arg) ? -errno : 0;
}

/* @size bytes, of which those that we don't know are @rest */
static int sized(uint32_t size, int rest)
{
	unsigned char buf[8192];

	memset(buf, 0, sizeof(struct skyipc_dev_info));
	memset(buf + sizeof(struct skyipc_dev_info), rest,
	       sizeof(buf) - sizeof(struct skyipc_dev_info));
	memcpy(buf, &size, sizeof(size));
	return info(buf);
}

static void what_is_right(void)
{
	struct skyipc_dev_info i = { .size = sizeof(i) };
	char *views = read_line(VIEWS);
	bool on = !strcmp(views, "on");

	ok(!info(&i), "SKYIPC_DEV_INFO");
	ok(i.size == sizeof(i) && i.version == SKYIPC_DEV_VERSION,
	   "version %u, %u bytes", i.version, i.size);
	ok(!!(i.features & SKYIPC_DEV_VIEWS) == on && !i.views[0] == on,
	   "views as in sysfs: %s%s", on ? "on" : "off, ", i.views);
	free(views);
	ok(!sized(sizeof(i) + 100, 0), "a newer program, with zeros");
	ok(!sized(sizeof(i.size), 0) && !sized(sizeof(i) - 1, 0),
	   "an older program gets less");
}

static void what_is_wrong(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *end = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t size = sizeof(struct skyipc_dev_info);

	if (end == MAP_FAILED || munmap(end + page, page))
		give_up("mmap");
	end += page;
	ok(sized(0, 0) == -EINVAL && sized(3, 0) == -EINVAL, "too short");
	ok(sized(4097, 0) == -EINVAL && sized(UINT32_MAX, 0) == -EINVAL,
	   "longer than anything");
	ok(sized(size + 1, 1) == -E2BIG && sized(4096, 0xff) == -E2BIG,
	   "what we do not know is not zero");
	ok(info(NULL) == -EFAULT && info((void *)-1l) == -EFAULT &&
		   info((void *)0xffffffff81000000) == -EFAULT,
	   "no memory, and the kernel's");
	memcpy(end - 4, &size, 4);
	ok(info(end - 4) == -EFAULT, "memory that ends");
	ok(info(end - 3) == -EFAULT, "and sooner");
	for (unsigned i = 0, n = 0; i < 256; i++) {
		unsigned long call = _IOC(_IOC_READ | _IOC_WRITE, 0xB5, i,
					  sizeof(struct skyipc_dev_info));

		if (call != SKYIPC_DEV_INFO && i > 2)
			n += ioctl(fd, call, NULL) != -1 || errno != ENOTTY;
		if (i == 255)
			ok(!n, "no other calls");
	}
	munmap(end - page, page);
}

static void files(void)
{
	static const char *const not_bool[] = { "maybe", "2", "-1" };
	static const char *const not_root[] = {
		"stay", "stay x", "trap", "trap -1", "trap 13", "launch"
	};
	int bad = 0;
	char longest[5000];

	for (unsigned i = 0; i < sizeof(not_bool) / sizeof(*not_bool); i++)
		bad += write_file(VIEWS, not_bool[i]) != -EINVAL;
	ok(!bad, "views: on and off only");
	bad = write_file(VIEWS_WHY, "because") != -EACCES;
	ok(!bad, "views_why is not for writing");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (unsigned i = 0; i < sizeof(not_root) / sizeof(*not_root); i++) {
		int e = write_file(DEBUG "root", not_root[i]);

		bad += e != -EINVAL && e != -ENODEV;
	}
	bad += write_file(DEBUG "root", longest) != -EINVAL;
	bad += write_file(DEBUG "fail", longest) != -EINVAL;
	bad += write_file(DEBUG "fail", "vmxon -2") != -EINVAL;
	ok(!bad, "debugfs: nothing that is not there");
}

int main(int argc, char **argv)
{
	int error = load("skyipc.ko", argc > 1 ? argv[1] : "");

	if (error)
		give_up("insmod skyipc.ko");
	fd = open(SKYIPC_DEV, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		give_up(SKYIPC_DEV);
	ok(unload("skyipc") == -EWOULDBLOCK, "rmmod waits for open files");
	what_is_right();
	what_is_wrong();
	files();
	close(fd);
	ok(!unload("skyipc"), "rmmod");
	return done();
}
