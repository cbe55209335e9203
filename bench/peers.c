/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "peer.h"

extern const struct peer peer_function, peer_getppid;
extern const struct peer peer_limit, peer_limit_1line;
extern const struct peer peer_pipe, peer_pipe_spin;
extern const struct peer peer_futex, peer_eventfd;
extern const struct peer peer_unix_stream, peer_unix_stream_spin;
extern const struct peer peer_unix_seqpacket, peer_unix_seqpacket_spin;
extern const struct peer peer_posix_mq, peer_posix_mq_spin;
extern const struct peer peer_libqb, peer_libqb_spin;
extern const struct peer peer_zeromq, peer_zeromq_spin;
extern const struct peer peer_nng, peer_nng_spin;
extern const struct peer peer_iceoryx;

/* In the order of the tables. */
const struct peer *const peers[] = {
	&peer_function,
	&peer_getppid,
	&peer_limit,
	&peer_limit_1line,
	&peer_futex,
	&peer_eventfd,
	&peer_pipe,
	&peer_pipe_spin,
	&peer_unix_stream,
	&peer_unix_stream_spin,
	&peer_unix_seqpacket,
	&peer_unix_seqpacket_spin,
	&peer_posix_mq,
	&peer_posix_mq_spin,
#ifdef HAVE_LIBQB
	&peer_libqb,
	&peer_libqb_spin,
#endif
#ifdef HAVE_ZEROMQ
	&peer_zeromq,
	&peer_zeromq_spin,
#endif
#ifdef HAVE_NNG
	&peer_nng,
	&peer_nng_spin,
#endif
#ifdef HAVE_ICEORYX
	&peer_iceoryx,
#endif
	NULL,
};

/* What a build without a library could have had. */
static const struct {
	const char *name;
	const char *why;
} not_built[] = {
#ifndef HAVE_LIBQB
	{ "libqb", "not in this build: install libqb-dev and make again" },
	{ "libqb-spin", "not in this build: install libqb-dev and make again" },
#endif
#ifndef HAVE_ZEROMQ
	{ "zeromq", "not in this build: install libzmq3-dev and make again" },
	{ "zeromq-spin",
	  "not in this build: install libzmq3-dev and make again" },
#endif
#ifndef HAVE_NNG
	{ "nng", "not in this build: install libnng-dev and make again" },
	{ "nng-spin", "not in this build: install libnng-dev and make again" },
#endif
#ifndef HAVE_ICEORYX
	{ "iceoryx", "not in this build: install libiceoryx-binding-c-dev and "
		     "libiceoryx-posh-dev and make again" },
#endif
	{ NULL, NULL },
};

const struct peer *peer_find(const char *name)
{
	for (int i = 0; peers[i]; i++)
		if (!strcmp(peers[i]->name, name))
			return peers[i];
	return NULL;
}

const char *peer_not_built(const char *name)
{
	for (int i = 0; not_built[i].name; i++)
		if (!strcmp(not_built[i].name, name))
			return not_built[i].why;
	return NULL;
}

const char *peer_not_built_name(unsigned i)
{
	return not_built[i].name;
}
