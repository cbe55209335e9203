/* SPDX-License-Identifier: MIT */
/*
 * A hostile server. One process plays them all: it does what an honest server
 * would, but for the one lie that it was started for.
 */
#ifndef HOSTILE_LIAR_H
#define HOSTILE_LIAR_H

#include "hostile_lies.h"

enum lie {
	TRUTH,
	/* at hello */
	SILENCE,
	HANG_UP,
	GARBAGE,
	WRONG_VERSION,
	WRONG_TYPE,
	POSITIVE_RESULT,
	HUGE_RESULT,
	OTHER_DEPTH,
	OTHER_BUFS,
	OTHER_BUF_SIZE,
	OTHER_TRANSPORT,
	UNTERMINATED,
	NO_BELL,
	TWO_BELLS,
	MANY_FDS,
	BELL_PIPE, /* without a reader: whoever writes dies */
	BELL_FILE,
	BELL_BLOCKS,
	REFUSED_WITH_FD,
	/* at the channel */
	CHAN_SILENCE,
	CHAN_HANG_UP,
	CHAN_UNSEALED,
	CHAN_SMALL,
	CHAN_LARGE,
	CHAN_NO_FD,
	CHAN_TWO_FDS,
	CHAN_NULL,
	CHAN_TYPE,
	CHAN_TWICE,
	CHAN_FDS_FLOOD,
	CHAN_EMPTY_FLOOD,
	/* at a call */
	NO_REPLY,
	DIE_IN_CALL,
	PARK_GAMES,
	REPLY_LEN,
	REPLY_OFFSET,
	REPLY_OVERFLOW,
	REPLY_FLAGS,
	REPLY_ERRNO,
	REPLY_ERRNO_POSITIVE,
	REPLY_NO_FDS,
	REPLY_ERROR_FDS,
	REPLY_FLAGS_FDS,
	REPLY_LONG_FDS,
	REPLY_SEQUENCE,
	REPLY_SCRIBBLE,
	LIES,
};

struct liar {
	struct teller t; /* first */
	enum lie lie;
	int bell;
	char *map;
	uint64_t pos;
};

/* What a child does until it is told to end, or killed; arg: a struct liar. */
int liar(struct child *me, void *arg);

#endif
