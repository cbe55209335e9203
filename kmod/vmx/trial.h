/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does this processor go by the EPTP list as views need it?
 *
 * Gates and stubs store to the list and execute VMFUNC right behind, in a page that is
 * another one where that leads. The SDM has VMFUNC read the list (26.5.6.3), and says
 * neither that it may remember an entry nor that it may not; software is to change
 * "such data structures" only while no guest runs that uses them (25.11.4). That would
 * be between exits, and there are none. So each processor is tried when it is launched,
 * and there are no views if one is found to do otherwise: to go where it may not any
 * more, not to go where it may by now, or to go on with the instructions that it had
 * fetched before.
 */
#ifndef SKYIPC_VMX_TRIAL_H
#define SKYIPC_VMX_TRIAL_H

/* What was seen in one round; for trial_page.S, too */
#define VMX_TRIAL_THERE 1	/* in the view: its own page */
#define VMX_TRIAL_BACK 2	/* at home: home's */
#define VMX_TRIAL_STALE 4	/* either, with the other one's page */
#define VMX_TRIAL_WRONG 8	/* in the view, though it was disabled */
#define VMX_TRIAL_GOOD (VMX_TRIAL_THERE | VMX_TRIAL_BACK)

/* The low byte of an entry: ept.h */
#define VMX_TRIAL_ENABLE 0x1e
#define VMX_TRIAL_DISABLE 0

#ifndef __ASSEMBLY__

#include <linux/types.h>

struct ept;
struct vmx_cpu;

/* trial_page.S: one round; and what is in its place in the view */
unsigned int vmx_trial_home(u64 *entry, u32 slot);
unsigned int vmx_trial_there(u64 *entry, u32 slot);

/* A view of @home in which the page of the trial is another one; to be put. 0 or -errno */
int vmx_trial_make(struct ept *home, struct ept **view);

/*
 * This CPU is a guest, at home, with IRQs off: what was good in each round, and what was
 * not in any. If that is something else than VMX_TRIAL_GOOD, it has to be stopped.
 */
unsigned int vmx_trial(struct vmx_cpu *c, u64 home, u64 view);

#endif

#endif
