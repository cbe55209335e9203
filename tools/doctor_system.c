/* SPDX-License-Identifier: MIT */
/*
 * What the shm transport asks of the machine: sealed memory files, futexes,
 * descriptors, and a second CPU if spinning is to be of any use.
 */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Linux 6.5 and 6.3; older C libraries do not name them. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Sealed memory files came with 3.17, and nothing newer is needed. */
static void check_kernel(struct doctor *d)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2) {
		doctor_say(d, VERDICT_WARN, "kernel", NULL,
			   "release not understood");
		return;
	}
	doctor_say(d,
		   major > 3 || (major == 3 && minor >= 17) ? VERDICT_OK
							    : VERDICT_FAIL,
		   "kernel", "run Linux 3.17 or later", "Linux %s %s",
		   u.release, u.machine);
}

static int sealed_memfd(void)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int fd = memfd_create("skyctl-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING |
						       MFD_NOEXEC_SEAL);
	int err = 0;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("skyctl-doctor",
				  MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	/* fallocate: the pages must exist, or a fault kills the process later
	 */
	if (ftruncate(fd, 65536) || fallocate(fd, 0, 0, 65536) ||
	    fcntl(fd, F_ADD_SEALS, seals))
		err = -errno;
	else if ((fcntl(fd, F_GET_SEALS) & seals) != seals)
		err = -EPERM;
	close(fd);
	return err;
}

static void check_memfd(struct doctor *d)
{
	int err = sealed_memfd();

	if (err)
		doctor_say(d, VERDICT_FAIL, "memfd",
			   "allow memfd_create() and sealing (seccomp filter "
			   "of the container, memory limit of the cgroup)",
			   "sealed memory file: %s", strerror(-err));
	else
		doctor_say(d, VERDICT_OK, "memfd", NULL,
			   "memory files can be sealed");
}

/*
 * A wake nobody waits for and a wait for a value that is not there: both
 * return at once, and show that the call is there and not filtered.
 */
static void check_futex(struct doctor *d)
{
	uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ok = 0;

	if (word != MAP_FAILED) {
		ok = syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0) ==
			     0 &&
		     syscall(SYS_futex, word, FUTEX_WAIT, 1, NULL, NULL, 0) ==
			     -1 &&
		     errno == EAGAIN;
		munmap(word, 4096);
	}
	if (ok)
		doctor_say(d, VERDICT_OK, "futex", NULL,
			   "processes can wait on shared memory");
	else
		doctor_say(d, VERDICT_FAIL, "futex",
			   "allow the futex system call (CONFIG_FUTEX, seccomp "
			   "filter of the container)",
			   "shared futex does not work");
}

static void check_pidfd(struct doctor *d)
{
	int sv[2], pidfd = -1;
	socklen_t len = sizeof(pidfd);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv)) {
		doctor_say(d, VERDICT_FAIL, "unix sockets",
			   "allow AF_UNIX sockets", "socketpair: %s",
			   strerror(errno));
		return;
	}
	if (getsockopt(sv[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0) {
		close(pidfd);
		doctor_say(d, VERDICT_OK, "peer pidfd", NULL,
			   "servers can hold on to a caller's process");
	} else {
		doctor_say(d, VERDICT_WARN, "peer pidfd",
			   "run Linux 6.5 or later if a server uses "
			   "skyipc_call_pidfd()",
			   "no SO_PEERPIDFD: %s", strerror(errno));
	}
	close(sv[0]);
	close(sv[1]);
}

static void check_cpus(struct doctor *d)
{
	cpu_set_t set;
	int n;

	CPU_ZERO(&set);
	/* more CPUs than a cpu_set_t has room for: certainly more than one */
	n = sched_getaffinity(0, sizeof(set), &set) ? CPU_SETSIZE
						    : CPU_COUNT(&set);
	if (n == 1)
		doctor_say(d, VERDICT_WARN, "cpus",
			   "allow a second CPU, or use SKYIPC_BLOCKING and "
			   "spin_ns = 1: the peer cannot run while one spins",
			   "1 CPU may be used: spinning is useless");
	else
		doctor_say(d, VERDICT_OK, "cpus", NULL, "%d CPUs may be used",
			   n);
}

static void check_nofile(struct doctor *d)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r)) {
		doctor_say(d, VERDICT_WARN, "open files", NULL,
			   "RLIMIT_NOFILE: %s", strerror(errno));
		return;
	}
	if (r.rlim_cur == RLIM_INFINITY)
		doctor_say(d, VERDICT_OK, "open files", NULL, "no limit");
	else
		doctor_say(d, r.rlim_cur < 1024 ? VERDICT_WARN : VERDICT_OK,
			   "open files",
			   "ulimit -n 4096 (or LimitNOFILE= of the service): "
			   "each connection takes descriptors",
			   "RLIMIT_NOFILE %" PRIu64 " (up to %" PRIu64
			   " can be set)",
			   (uint64_t)r.rlim_cur, (uint64_t)r.rlim_max);
}

void doctor_system(struct doctor *d)
{
	check_kernel(d);
	check_memfd(d);
	check_futex(d);
	check_pidfd(d);
	check_cpus(d);
	check_nofile(d);
}
