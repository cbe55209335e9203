/* SPDX-License-Identifier: MIT */
/* What a guest needs to be usable: file systems, the loopback, the log. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "frame.h"
#include "setup.h"

static const struct {
	const char *type, *where, *options;
	int needed;
} filesystems[] = {
	{ "devtmpfs", "/dev", "", 1 },
	{ "proc", "/proc", "", 1 },
	{ "sysfs", "/sys", "", 1 },
	{ "devpts", "/dev/pts", "ptmxmode=0666", 0 },
	{ "tmpfs", "/dev/shm", "mode=1777", 0 },
	{ "mqueue", "/dev/mqueue", "", 0 },
	{ "tmpfs", "/tmp", "mode=1777", 1 },
	{ "tmpfs", "/run", "mode=0755", 1 },
	{ "debugfs", "/sys/kernel/debug", "", 0 },
	{ "tracefs", "/sys/kernel/tracing", "", 0 },
	{ "cgroup2", "/sys/fs/cgroup", "", 0 },
};

static int kmsg = -1;

int setup_filesystems(void)
{
	int wrong = 0;

	umask(0);
	for (size_t i = 0; i < sizeof(filesystems) / sizeof(*filesystems);
	     i++) {
		mkdir(filesystems[i].where, 0755);
		if (mount(filesystems[i].type, filesystems[i].where,
			  filesystems[i].type, 0, filesystems[i].options))
			wrong |= filesystems[i].needed && errno != EBUSY;
	}
	umask(022);
	/* what udev does elsewhere */
	if (symlink("/proc/self/fd", "/dev/fd") ||
	    symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") ||
	    symlink("/proc/self/fd/2", "/dev/stderr"))
		wrong |= errno != EEXIST;
	return wrong;
}

void setup_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		ioctl(fd, SIOCSIFFLAGS, &lo);
		close(fd);
	}
	if (sethostname("lab", 3))
		return; /* it is only a name */
}

void kmsg_open(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

int kmsg_fd(void)
{
	return kmsg;
}

void kmsg_forward(void)
{
	char record[8192];

	for (;;) {
		ssize_t n = read(kmsg, record, sizeof(record));

		if (n > 0)
			frame_send(FRAME_KMSG, record, (size_t)n);
		else if (n == 0 || (errno != EPIPE && errno != EINTR))
			return; /* EPIPE: some were overwritten, go on */
	}
}
