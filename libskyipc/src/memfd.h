/* SPDX-License-Identifier: MIT */
/*
 * Memory that two processes share: made by one, sealed so that neither can
 * shrink it under the other (SIGBUS), committed so that touching it cannot
 * fail later, without a name, and mapped after verification.
 */
#ifndef SKY_MEMFD_H
#define SKY_MEMFD_H

#include <stddef.h>
#include <stdint.h>

/* Make, commit, seal and map @size bytes. Return: 0 and @fd, @mem; -errno. */
int memfd_make(const char *name, size_t size, int *fd, void **mem);

/*
 * The same in steps, for what is large: make, seal and map; then commit what
 * @fill says, which starts with zeros and the @size, as often as it takes.
 * memfd_fill() does about a millisecond's work: 1: there is more; 0: all is
 * done; -ENOMEM.
 */
struct memfd_fill {
	uint64_t size, done;
	uint64_t piece; /* how much was fitting between two signals */
};
int memfd_begin(const char *name, size_t size, int *fd, void **mem);
int memfd_fill(int fd, struct memfd_fill *fill);

/* Map a received one; -EPROTO if it is not sealed or not of this @size. */
int memfd_map(int fd, size_t size, void **mem);

/* Make a read-only, sealed object with a copy of @data. Return: fd; -errno. */
int memfd_of(const char *name, const void *data, size_t size);

/* Verify and map such an object read-only: sealed against writing, too. */
int memfd_map_const(int fd, size_t size, const void **mem);

#endif
