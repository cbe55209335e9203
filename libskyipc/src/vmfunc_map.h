/* SPDX-License-Identifier: MIT */
#ifndef SKY_VMFUNC_MAP_H
#define SKY_VMFUNC_MAP_H

#include <stddef.h>

/*
 * The trampoline page, where all have it: mapped once, of @fd, for as long as
 * the process lasts, and its children. 0; -errno and why not.
 */
int vmfunc_map(int fd, char *why, size_t size);

#endif
