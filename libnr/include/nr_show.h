/* SPDX-License-Identifier: MIT */
/*
 * nr_show - statistics of a running program, for others on the same machine
 *
 * Made with nr.h; what is said there of errors holds here, too. A program says
 * which of its structures may be looked at; skyctl nr, or whoever calls
 * nr_look(), sees them. A thread of the library answers, which sleeps until
 * somebody asks; it is there as long as something is shown.
 *
 * Who asks is told by a UNIX socket with an abstract name, libnr/ and the
 * number of the process: so nothing is left behind by who is killed, and only
 * processes of the same network namespace see each other. The same user and
 * root get an answer.
 */
#ifndef NR_SHOW_H
#define NR_SHOW_H

#include <nr.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr_shown;

/** Bytes of a name, the zero at its end included. */
#define NR_SHOW_NAME 64

/**
 * nr_show - let others look at a structure's statistics
 * @nr:   it; for ready-made structures what nr_map_nr() and its like return.
 *        Must stay until nr_hide().
 * @name: for people, shorter than NR_SHOW_NAME; copied.
 * @out:  to be given to nr_hide().
 *
 * Asking has the cost of nr_stats(), and waits like that one.
 *
 * A child of fork() shows nothing, until it calls this; what it inherited can
 * be given to nr_hide().
 *
 * Return: 0; -ENAMETOOLONG; -ENOMEM; what socket(), bind(), listen() or
 * pthread_create() said.
 */
int nr_show(struct nr *nr, const char *name, struct nr_shown **out);

/**
 * nr_hide - no longer
 *
 * Nobody is looking when this returns. NULL is ignored.
 */
void nr_hide(struct nr_shown *shown);

/**
 * struct nr_seen - a structure of some process, or why there is none
 * @size:     sizeof(struct nr_seen) of the library.
 * @pid, @uid: the process that shows it, and its user, as the kernel has it; 0
 *            and UINT32_MAX if it could not even be connected to.
 * @err:      0; or what is below is not there: -EACCES: it does not answer this
 *            user, or has no memory to; -ETIMEDOUT: not within two seconds;
 *            -EBUSY: too many are asking it; -EPROTO: what it said cannot be;
 *            -EPROTONOSUPPORT: its words have another size, or its library is
 *            not understood; -ENOMEM; another.
 * @n:        replicas.
 * @name:     what nr_show() was given; any bytes, which the other process has
 *            chosen.
 * @stats, @replicas: for nr_stats_print(). The replicas are replicas->size
 *            bytes apart.
 */
struct nr_seen {
	size_t size;
	int32_t pid;
	uint32_t uid;
	int32_t err;
	uint32_t n;
	const char *name;
	const struct nr_stats *stats;
	const struct nr_replica_stats *replicas;
};

/**
 * nr_look - statistics of all structures that are shown
 * @fn: called for each, those of a process one after the other; what it is
 *      given is readable until it returns. A return that is not zero ends it.
 *
 * What other processes say is not trusted: it may be wrong, no more.
 *
 * Return: what @fn returned last, or 0; -ENOMEM; what opening /proc/net/unix,
 * or socket(), said.
 */
int nr_look(int (*fn)(const struct nr_seen *seen, void *arg), void *arg);

#ifdef __cplusplus
}
#endif

#endif /* NR_SHOW_H */
