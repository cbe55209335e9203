/* SPDX-License-Identifier: MIT */
/* What a module takes from the kernel, as its file says */
#ifndef SKYIPC_IMPORTS_H
#define SKYIPC_IMPORTS_H

/* For each symbol that the module in @file does not define */
void imports_each(const char *file, void (*what)(const char *name));

#endif
