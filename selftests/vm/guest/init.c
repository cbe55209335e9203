/* SPDX-License-Identifier: MIT */
/*
 * The first process of a lab guest. It makes the guest usable, says READY,
 * waits for the mailbox, unpacks it, runs its command, and tells the host
 * everything: output, kernel log, how it ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>
#include "frame.h"
#include "run.h"
#include "setup.h"
#include "unpack.h"

/* What lab/mailbox.py writes at the beginning of the mailbox */
struct mailbox {
	char magic[8];
	uint64_t len;	   /* of the archive, which follows after one page */
	uint32_t crc;	   /* of the archive */
	uint32_t head_crc; /* of the fields above */
};

#define MAILBOX_MAGIC "SKYMAIL1"
#define MAILBOX_ARCHIVE 4096

static void note(const char *text)
{
	frame_send(FRAME_NOTE, text, strlen(text));
}

static void end(enum frame_how how, int32_t value)
{
	int32_t status[2] = { (int32_t)how, value };

	frame_send(FRAME_STATUS, status, sizeof(status));
	reboot(RB_POWER_OFF);
	/* The host has what it wants and stops the machine. */
	for (;;)
		pause();
}

static void die(const char *what)
{
	note(what);
	end(HOW_NOT_STARTED, 0);
}

/* lab.mailbox=ADDRESS,SIZE on the kernel's command line */
static void where(uint64_t *addr, uint64_t *size)
{
	char line[4096];
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	const char *p;

	line[n < 0 ? 0 : n] = 0;
	p = strstr(line, "lab.mailbox=");
	if (!p ||
	    sscanf(p, "lab.mailbox=0x%" SCNx64 ",0x%" SCNx64, addr, size) != 2)
		die("no lab.mailbox= on the kernel's command line");
	close(fd);
}

static const struct mailbox *map(uint64_t *size)
{
	uint64_t addr = 0;
	int fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	void *p;

	where(&addr, size);
	p = mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, (off_t)addr);
	if (fd < 0 || p == MAP_FAILED)
		die("/dev/mem does not give the mailbox");
	close(fd);
	return p;
}

/*
 * The mailbox is filled by a host that nobody can see at work, so its memory is
 * all there is to look at. The kernel's log goes on meanwhile.
 */
static void wait_for(const volatile struct mailbox *m)
{
	struct timespec while_idle = { .tv_nsec = 10000000 };
	char magic[] = MAILBOX_MAGIC;

	for (;;) {
		size_t same = 0;

		while (same < sizeof(m->magic) && m->magic[same] == magic[same])
			same++;
		if (same == sizeof(m->magic))
			return;
		nanosleep(&while_idle, NULL);
		kmsg_forward();
	}
}

static const char *deliver(const struct mailbox *m, uint64_t size)
{
	const char *archive = (const char *)m + MAILBOX_ARCHIVE;

	if (crc32(0, m, offsetof(struct mailbox, head_crc)) != m->head_crc ||
	    m->len > size - MAILBOX_ARCHIVE)
		return "the mailbox is damaged";
	if (crc32(0, archive, m->len) != m->crc)
		return "the archive in the mailbox is damaged";
	return unpack(archive, m->len);
}

int main(void)
{
	const struct mailbox *m;
	const char *wrong;
	uint64_t size = 0;
	int32_t value;
	enum frame_how how;

	if (setup_filesystems() || frame_init())
		return 1; /* the kernel panics, and the host sees that */
	setup_network();
	kmsg_open();
	m = map(&size);
	kmsg_forward();
	frame_send(FRAME_READY, NULL, 0);
	wait_for(m);
	wrong = deliver(m, size);
	if (wrong)
		die(wrong);
	how = run(&value);
	end(how, value);
}
