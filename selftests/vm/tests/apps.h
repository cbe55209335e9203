/* SPDX-License-Identifier: MIT */
/*
 * Programs of this repository, run in a guest as anybody runs them.
 */
#ifndef SKYIPC_APPS_H
#define SKYIPC_APPS_H

#include <stdbool.h>

/* Has the doctor a line that begins and ends so? With the module msr */
bool doctor_says(const char *begin, const char *end);

/*
 * A test: a program that knows nothing of transports (examples/statistics),
 * server and client, works, and over @transport.
 */
void application_over(const char *transport);

#endif
