/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where kernels differ. By what the headers say (Kbuild looks), not by version:
 * stable kernels take such changes, too.
 */
#ifndef SKYIPC_COMPAT_H
#define SKYIPC_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/syscore_ops.h>
#include <asm/prctl.h>
#include <asm/processor.h>
#include <asm/tlbflush.h>

/* struct syscore carries an argument to the callbacks. */
#ifdef HAVE_REGISTER_SYSCORE
#define SYSCORE_ARG void *unused
#define SYSCORE_CONST const
#define SYSCORE_DEFINE(name, syscore_ops) \
	static struct syscore name = { .ops = &(syscore_ops) }
#define SYSCORE_REGISTER(name, syscore_ops) register_syscore(&(name))
#define SYSCORE_UNREGISTER(name, syscore_ops) unregister_syscore(&(name))
#else
#define SYSCORE_ARG void
#define SYSCORE_CONST
#define SYSCORE_DEFINE(name, syscore_ops) static_assert(true)
#define SYSCORE_REGISTER(name, syscore_ops) register_syscore_ops(&(syscore_ops))
#define SYSCORE_UNREGISTER(name, syscore_ops) \
	unregister_syscore_ops(&(syscore_ops))
#endif

#ifdef HAVE_HRTIMER_SETUP
#define skyipc_hrtimer_setup hrtimer_setup
#else
static inline void
skyipc_hrtimer_setup(struct hrtimer *timer,
		     enum hrtimer_restart (*function)(struct hrtimer *timer),
		     clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

/*
 * CR4.VMXE, in Linux's own copy of CR4 as well if it may be written: SHOWN says
 * so. Newer kernels keep that for KVM.
 */
#ifdef HAVE_CR4_UPDATE
#define SKYIPC_VMXE_SHOWN 1
static inline void skyipc_cr4_vmxe(bool on)
{
	cr4_update_irqsoff(on ? X86_CR4_VMXE : 0, on ? 0 : X86_CR4_VMXE);
}
#else
#define SKYIPC_VMXE_SHOWN 0
static inline void skyipc_cr4_vmxe(bool on)
{
	unsigned long cr4;

	asm volatile("mov %%cr4, %0" : "=r" (cr4));
	cr4 = on ? cr4 | X86_CR4_VMXE : cr4 & ~X86_CR4_VMXE;
	asm volatile("mov %0, %%cr4" : : "r" (cr4) : "memory");
}
#endif

/* Intel PT must know, on CPUs where VMX stops it. */
#ifdef HAVE_PT_HANDLE_VMX
#define SKYIPC_PT_KNOWS 1
#define skyipc_pt_handle_vmx(on) intel_pt_handle_vmx(on)
#else
#define SKYIPC_PT_KNOWS 0
#define skyipc_pt_handle_vmx(on) do { } while (0)
#endif

#ifdef HAVE_CPUID_API
#include <asm/cpuid/api.h>
#endif

/* The word for 64 bits in MSR functions: l, then q. */
#ifdef HAVE_RDMSRQ
#define skyipc_rdmsr rdmsrq
#define skyipc_rdmsr_safe rdmsrq_safe
#define skyipc_wrmsr wrmsrq
#else
#define skyipc_rdmsr rdmsrl
#define skyipc_rdmsr_safe rdmsrl_safe
#define skyipc_wrmsr wrmsrl
#endif

/* Behind struct task_struct in newer kernels: x86_task_fpu(), not exported */
#ifdef HAVE_TASK_FPU
#define skyipc_fpu(task) ((struct fpu *)((task) + 1))
#else
#define skyipc_fpu(task) (&(task)->thread.fpu)
#endif

/* Has the calling thread registered a struct rseq? */
static inline bool sky_has_rseq(void)
{
#if !defined(CONFIG_RSEQ)
	return false;
#elif defined(HAVE_RSEQ_DATA)
	return current->rseq.usrptr;
#else
	return current->rseq;
#endif
}

/* Has the calling thread a shadow stack? */
static inline bool sky_has_shadow_stack(void)
{
#ifdef CONFIG_X86_USER_SHADOW_STACK
	return current->thread.features & ARCH_SHSTK_SHSTK;
#else
	return false;
#endif
}

/* Of a mapping that is being made: @set and not @clear */
static inline void sky_vm_flags(struct vm_area_struct *vma, unsigned long set,
				unsigned long clear)
{
#ifdef HAVE_VM_FLAGS_SET
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

#endif
