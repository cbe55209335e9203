/* SPDX-License-Identifier: MIT */
#include "fx.h"

#include <stddef.h>
#include <string.h>

struct fx fx_pattern;

void fx_begin(void)
{
	__asm__ volatile("fxsave64 %0" : "=m"(fx_pattern));
	fx_pattern.cw = 0x0a7f;	   /* rounding up, 53 bits */
	fx_pattern.tags = 0xff;	   /* all full */
	fx_pattern.mxcsr = 0x9fc0; /* flush to zero, denormals are zero */
	memset(fx_pattern.st, 0x5a, sizeof(fx_pattern.st));
	memset(fx_pattern.xmm, 0xa5, sizeof(fx_pattern.xmm));
}

unsigned fx_found(const struct fx *f)
{
	unsigned n = f->cw != 0x37f || f->tags || f->mxcsr != 0x1f80;
	const uint8_t *bytes = (const uint8_t *)f->st;

	for (size_t i = 0; i < sizeof(f->st) + sizeof(f->xmm); i++)
		n += bytes[i] && (i >= sizeof(f->st) || i % 16 < 10);
	return n;
}
