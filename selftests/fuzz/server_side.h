/* SPDX-License-Identifier: MIT */
/* A server without threads for the fuzzers of the server's side. */
#ifndef SERVER_SIDE_H
#define SERVER_SIDE_H

#include "fuzz.h"

/* Create it; it ends with the program. */
void server_up(const char *name);
/* Let it do what is there. */
void server_goes_on(void);
/* A socket that it has accepted. */
int server_connect(void);
/* Abort unless nothing of anybody is left in it. */
void server_is_idle(void);

#endif
