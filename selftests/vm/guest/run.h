/* SPDX-License-Identifier: MIT */
#ifndef LAB_RUN_H
#define LAB_RUN_H

#include <stdint.h>
#include "frame.h"

/*
 * Run the command that the mailbox brought: /lab/.command holds its words and
 * /lab/.environment its variables, each ended by a null byte.
 */
enum frame_how run(int32_t *value);

#endif
