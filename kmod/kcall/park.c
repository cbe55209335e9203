// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/ptrace.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/fpu/types.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/segment.h>

#include "args.h"
#include "compat.h"
#include "park.h"
#include "pkru.h"
#include "skyipc_dev.h"

/*
 * What a handler may have in registers, beside PKRU. Not tiles, which a thread has
 * to ask for: a call that uses them moves before.
 */
#define MASK_APX BIT_ULL(19)	/* XFEATURE_MASK_APX, since 6.16: r16 to r31 */
#define PARK_FEATURES (XFEATURE_MASK_FP | XFEATURE_MASK_SSE | \
		       XFEATURE_MASK_YMM | XFEATURE_MASK_OPMASK | \
		       XFEATURE_MASK_ZMM_Hi256 | XFEATURE_MASK_Hi16_ZMM | \
		       XFEATURE_MASK_XTILE_CFG | MASK_APX)

/* What sigreturn lets a program set: arch/x86/kernel/signal_64.c */
#define PARK_FLAGS (X86_EFLAGS_AC | X86_EFLAGS_OF | X86_EFLAGS_DF | \
		    X86_EFLAGS_SF | X86_EFLAGS_ZF | X86_EFLAGS_AF | \
		    X86_EFLAGS_PF | X86_EFLAGS_CF | X86_EFLAGS_RF)

/* MXCSR: flags, masks, rounding, FTZ and DAZ. All CPUs with VT-x have all. */
#define MXCSR_BITS 0xffff

u64 sky_park_features(void)
{
	return xgetbv(XCR_XFEATURE_ENABLED_MASK) & PARK_FEATURES;
}

/*
 * Of the standard format, with all of those. Asked once: where this Linux is a guest,
 * CPUID is an exit.
 */
static u32 xsave_size(void)
{
	static u32 known;
	u32 eax, ebx, ecx, edx, size = READ_ONCE(known);

	if (size)
		return size;
	size = sizeof(struct fxregs_state) + sizeof(struct xstate_header);
	for (int i = XFEATURE_YMM; i < 64; i++) {
		if (!(sky_park_features() & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		size = max(size, ebx + eax);
	}
	/* Whoever else is here comes to the same. */
	WRITE_ONCE(known, size);
	return size;
}

unsigned int sky_park_pages(void)
{
	return PFN_UP(sizeof(struct sky_park) + xsave_size());
}

struct sky_park *sky_park_new(void)
{
	return alloc_pages_exact(sizeof(struct sky_park) + xsave_size(),
				 GFP_KERNEL_ACCOUNT | __GFP_ZERO);
}

void sky_park_free(struct sky_park *park)
{
	if (park)
		free_pages_exact(park, sizeof(*park) + xsave_size());
}

void sky_park_copy(struct sky_park *to, const struct sky_park *from)
{
	memcpy(to, from, sizeof(*to) + xsave_size());
}

/* What XRSTOR would fault at */
static bool is_good(const struct sky_park *park)
{
	const struct fxregs_state *fx = (const void *)park->xsave;
	const struct xstate_header *head =
		(const void *)(fx + 1);
	const u64 end = TASK_SIZE_MAX;

	return park->ip < end && park->fs_base < end && park->gs_base < end &&
	       !(fx->mxcsr & ~MXCSR_BITS) && !(head->xfeatures & ~sky_park_features()) &&
	       !head->xcomp_bv && !memchr_inv(head->reserved, 0,
					      sizeof(head->reserved));
}

int sky_park_get(struct sky_park *park,
		 const struct skyipc_dev_park __user *user)
{
	struct skyipc_dev_park p;
	int error = sky_args(&p, user, sizeof(p));

	if (error)
		return error;
	if (p.flags || p.pad || p.xsave_size != xsave_size())
		return -EINVAL;
	static_assert(sizeof(p.regs) ==
		      offsetofend(struct sky_park, gs_base));
	memcpy(park, p.regs, sizeof(p.regs));
	park->pkru = p.pkru;
	if (copy_from_user(park->xsave, u64_to_user_ptr(p.xsave), p.xsave_size))
		return -EFAULT;
	return is_good(park) ? 0 : -EINVAL;
}

/* XRSTOR faults if what it is given cannot be. */
static int xrstor(const struct sky_park *park)
{
	u64 mask = sky_park_features();

	asm goto("1: xrstor64 %[area]\n"
		 _ASM_EXTABLE(1b, %l[fault])
		 : : [area] "m" (*(const u8 (*)[])park->xsave),
		   "a" ((u32)mask), "d" ((u32)(mask >> 32))
		 : "memory" : fault);
	return 0;
fault:
	return -EINVAL;
}

/*
 * The registers are the thread's own from here on, if it has its own already;
 * else -EAGAIN.
 */
static int load_fpu(const struct sky_park *park)
{
	int error = -EAGAIN;

	fpregs_lock();
	if (!test_thread_flag(TIF_NEED_FPU_LOAD))
		error = xrstor(park);
	fpregs_unlock();
	return error;
}

static void load_bases(const struct sky_park *park)
{
	preempt_disable();
	loadsegment(fs, 0);
	x86_fsbase_write_cpu(park->fs_base);
	/* GS itself is the kernel's now: the other one is the program's. */
	skyipc_wrmsr(MSR_KERNEL_GS_BASE, park->gs_base);
	preempt_enable();
}

int sky_park_continue(const struct sky_park *park)
{
	struct pt_regs *regs = current_pt_regs();
	int error = is_good(park) ? load_fpu(park) : -EINVAL;

	if (error)
		return error;
	load_bases(park);
	sky_write_pkru(park->pkru);
	regs->r15 = park->r15;
	regs->r14 = park->r14;
	regs->r13 = park->r13;
	regs->r12 = park->r12;
	regs->bp = park->bp;
	regs->bx = park->bx;
	regs->r11 = park->r11;
	regs->r10 = park->r10;
	regs->r9 = park->r9;
	regs->r8 = park->r8;
	regs->ax = park->ax;
	regs->cx = park->cx;
	regs->dx = park->dx;
	regs->si = park->si;
	regs->di = park->di;
	regs->ip = park->ip;
	regs->sp = park->sp;
	regs->flags = (regs->flags & ~PARK_FLAGS) | (park->flags & PARK_FLAGS);
	/* No system call is to be restarted, nor to be left by SYSRET. */
	regs->orig_ax = -1;
	return 0;
}
