/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The gate page where there are protection keys: gate.S */
#define VIEW_PKRU
#include "gate.S"
