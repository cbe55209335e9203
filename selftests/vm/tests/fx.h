/* SPDX-License-Identifier: MIT */
/*
 * x87 and SSE registers, and what somebody has left there.
 */
#ifndef SKYIPC_FX_H
#define SKYIPC_FX_H

#include <stdint.h>

/* As FXSAVE64 has them */
struct fx {
	uint16_t cw, sw;
	uint8_t tags, rest[3];
	uint64_t ip, dp;
	uint32_t mxcsr, mask;
	uint8_t st[8][16], xmm[16][16];
	uint8_t more[96];
} __attribute__((aligned(16)));

/*
 * All of them in use, as nobody has them by himself: by fx_begin(). (Hidden, so
 * that assembly that has no register to spare finds it.)
 */
extern struct fx fx_pattern __attribute__((visibility("hidden")));
void fx_begin(void);
/*
 * Bytes of registers that are not in their initial state; ST counts with tags.
 */
unsigned fx_found(const struct fx *f);

/* RFLAGS that a program can leave: TF, DF, NT, AC, ID */
#define FX_FLAGS 0x244500

#endif
