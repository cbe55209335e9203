/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * facts.h - all that decides whether a CPU can have a root: what it can do, how
 * it is just now, its MTRRs
 *
 * insmod asks every CPU before anything is changed; `skyctl doctor` asks the
 * same through /dev/cpu. Both tell what they find in the same words.
 */
#ifndef VMX_FACTS_H
#define VMX_FACTS_H

#include "caps.h"
#include "mtrr.h"
#include "needs.h"

struct vmx_facts {
	struct vmx_caps caps;
	struct mtrr_state mtrr;	/* of a CPU with VMX */
	struct vmx_now now;
	bool now_known;		/* the caller's, as is @now: not user space's */
	u32 bad_msr;		/* one that should be there and is not, or 0 */
};

/* Ask one CPU; on that CPU, if @r is of it. */
void vmx_facts_read(struct vmx_facts *f, const struct vmx_reader *r, void *ctx);

/* One line without a newline, valid during the call only */
typedef void vmx_tell(void *ctx, const char *text);

/*
 * Tell all that is in the way on this CPU, the reason for the rest first; if
 * there is nothing, also where it differs from @first (or NULL), another CPU
 * with nothing in the way. How much was told: 0 if the root can run.
 */
unsigned int vmx_facts_tell(const struct vmx_facts *f,
			    const struct vmx_facts *first, vmx_tell *tell,
			    void *ctx);

/* How long a line gets, with its zero */
#define VMX_TEXT_MAX 128

#endif
