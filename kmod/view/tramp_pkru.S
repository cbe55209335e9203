/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The trampoline page where there are protection keys: tramp.S */
#define VIEW_PKRU
#include "tramp.S"
