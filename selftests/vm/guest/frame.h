/* SPDX-License-Identifier: MIT */
#ifndef LAB_FRAME_H
#define LAB_FRAME_H

#include <stddef.h>
#include <stdint.h>

/* lab/protocol.py has the same numbers. */
enum frame_kind {
	FRAME_ROM = 1, /* the boot ROM waits for a kernel */
	FRAME_READY,   /* the guest waits for the mailbox */
	FRAME_STARTED, /* the command runs */
	FRAME_STDOUT,
	FRAME_STDERR,
	FRAME_KMSG,   /* one record of /dev/kmsg */
	FRAME_STATUS, /* the last one: how (enum frame_how), value */
	FRAME_NOTE,   /* init's own words */
};

enum frame_how { HOW_EXITED, HOW_SIGNALED, HOW_NOT_STARTED };

#define FRAME_LONGEST (1 << 16)

uint32_t crc32(uint32_t crc, const void *data, size_t len);
int frame_init(void);
void frame_send(enum frame_kind kind, const void *data, size_t len);

#endif
