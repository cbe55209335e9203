/* SPDX-License-Identifier: MIT */
/* bell.h - what the parts of bell_test share */
#ifndef BELL_H
#define BELL_H

#include "chan.h"
#include "shm_chan.h"
#include "testlib.h"

/* This thread's channel on @conn; it has called. */
struct shm_chan *mine(struct skyipc_conn *conn);

extern const struct CMUnitTest bell_raw_tests[];
extern const size_t nbell_raw_tests;

#endif
