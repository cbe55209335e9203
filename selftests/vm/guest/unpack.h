/* SPDX-License-Identifier: MIT */
#ifndef LAB_UNPACK_H
#define LAB_UNPACK_H

#include <stddef.h>

/* Unpack a cpio archive ("newc") into the root; NULL or what went wrong. */
const char *unpack(const char *data, size_t len);

#endif
