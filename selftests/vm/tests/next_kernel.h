/* SPDX-License-Identifier: MIT */
/*
 * kexec(8) in small: load another kernel, to be started in good order or by a
 * crash. kexec_file_load(2) would sum up every page twice, which takes minutes
 * in an emulator.
 */
#ifndef SKYIPC_NEXT_KERNEL_H
#define SKYIPC_NEXT_KERNEL_H

#include <stdbool.h>

/* Of files; gives up if it can't. @crashed: into what crashkernel= reserves */
void next_kernel(const char *kernel, const char *initramfs, const char *line,
		 bool crashed);

#endif
