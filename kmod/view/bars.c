// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/user-return-notifier.h>
#include <asm/debugreg.h>
#include <asm/fpu/types.h>
#include <asm/hw_breakpoint.h>
#include <asm/msr.h>
#include <asm/page.h>
#include <asm/thread_info.h>

#include "bars.h"
#include "compat.h"

/* ---- who records ---------------------------------------------------------------- */

/*
 * What the processor records of a program, it records in views, too: branches of
 * the server's, and its registers (PEBS). Linux gives that to whoever may look at
 * the client. It switches these on for the thread, or the CPU, while such an event
 * is there (arch/x86/events/intel).
 */
static const struct recorder {
	u32 msr;
	u64 on;
} recorders[] = {
	{ MSR_IA32_DEBUGCTLMSR, DEBUGCTLMSR_LBR | DEBUGCTLMSR_TR |
				DEBUGCTLMSR_BTS | DEBUGCTLMSR_BTINT },
	{ MSR_ARCH_LBR_CTL, ARCH_LBR_CTL_LBREN },
	{ MSR_IA32_PEBS_ENABLE, ~0ull },
	{ MSR_IA32_RTIT_CTL, RTIT_CTL_TRACEEN },
};

static unsigned int has_recorders;	/* bits */

static bool read(const struct recorder *r, u64 *value)
{
	return !skyipc_rdmsr_safe(r->msr, value);
}

void view_bars_init(void)
{
	u64 value;

	has_recorders = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(recorders); i++)
		if (read(&recorders[i], &value))
			has_recorders |= BIT(i);
}

static bool is_recorded(void)
{
	u64 value;

	for (unsigned int i = 0; i < ARRAY_SIZE(recorders); i++)
		if (has_recorders & BIT(i) && read(&recorders[i], &value) &&
		    value & recorders[i].on)
			return true;
	return false;
}

/*
 * Breakpoints are linear addresses, of whatever is there: a client would hear what a
 * server does with its memory. Those in the kernel are none of the client's.
 */
static bool watches(void)
{
	const unsigned long dr7 = this_cpu_read(cpu_dr7);

	for (int i = 0; dr7 && i < HBP_NUM; i++) {
		unsigned long at;

		if (!(dr7 >> (2 * i) & (DR_LOCAL_ENABLE | DR_GLOBAL_ENABLE)))
			continue;
		switch (i) {
		case 0:
			get_debugreg(at, 0);
			break;
		case 1:
			get_debugreg(at, 1);
			break;
		case 2:
			get_debugreg(at, 2);
			break;
		default:
			get_debugreg(at, 3);
			break;
		}
		if (at < TASK_SIZE_MAX)
			return true;
	}
	return false;
}

/* ---- rights --------------------------------------------------------------------- */

/* ioperm(), iopl(): the bitmap is in the TSS, which no switch of views changes. */
static bool has_ports(void)
{
	return test_thread_flag(TIF_IO_BITMAP);
}

/* ENQCMD writes IA32_PASID into what it sends: devices take it for the client. */
static bool has_pasid(void)
{
#ifdef CONFIG_IOMMU_SVA
	return current->pasid_activated;
#else
	return false;
#endif
}

/*
 * Tiles. Nobody parks them: 8 KB. A thread that has not used any has them disabled
 * (XFD), so a handler's first instruction that does faults, and moves the call.
 */
static bool has_tiles(void)
{
	return boot_cpu_has(X86_FEATURE_AMX_TILE) &&
	       !(skyipc_fpu(current)->fpstate->xfd & XFEATURE_MASK_XTILE_DATA);
}

bool view_is_barred(void)
{
	/* SSP would lead to where the client's shadow stack is, in the server. */
	return has_ports() || has_pasid() || sky_has_shadow_stack() || has_tiles() ||
	       watches() || is_recorded();
}

/* ---- ways back to user space ----------------------------------------------------- */

#ifdef CONFIG_USER_RETURN_NOTIFIER

struct returns {
	struct user_return_notifier notifier;
	void (*returns)(void);
};

static DEFINE_PER_CPU(struct returns, here);

static void notify(struct user_return_notifier *notifier)
{
	container_of(notifier, struct returns, notifier)->returns();
}

void view_returns_begin(void (*returns)(void))
{
	struct returns *r = this_cpu_ptr(&here);

	r->notifier.on_user_return = notify;
	r->returns = returns;
	user_return_notifier_register(&r->notifier);
}

void view_returns_end(void)
{
	user_return_notifier_unregister(&this_cpu_ptr(&here)->notifier);
}

#else
void view_returns_begin(void (*returns)(void)) {}
void view_returns_end(void) {}
#endif
