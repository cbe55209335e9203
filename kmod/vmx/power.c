// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <asm/asm.h>
#include <asm/reboot.h>
#include <asm/tlbflush.h>

#include "../compat.h"
#include "cpu.h"
#include "left.h"
#include "power.h"
#include "this_cpu.h"

bool vmx_going_down;

/* The last CPU, IRQs off; the others have gone by hotplug. */
static int vmx_suspend(SYSCORE_ARG)
{
	vmx_this_stop();
	return 0;
}

static void vmx_resume(SYSCORE_ARG)
{
	struct vmx_cpu *c = __this_cpu_read(vmx_this_cpu);
	const char *step;

	if (c && vmx_this_launch(&step)) {
		pr_err("CPU %d: %s failed after resume\n", c->cpu, step);
		if (c->report.kind == VMX_REPORT_NONE)
			c->report.kind = VMX_REPORT_WAKE;
		vmx_left_queue();
	}
}

static SYSCORE_CONST struct syscore_ops vmx_syscore_ops = {
	.suspend = vmx_suspend,
	.resume = vmx_resume,
};

SYSCORE_DEFINE(vmx_syscore, vmx_syscore_ops);

static void stop_here(void *unused)
{
	vmx_this_stop();
}

/*
 * Restart, halt, power off and kexec: the next kernel, or the firmware, gets
 * every CPU as it was.
 */
static int vmx_reboot(struct notifier_block *nb, unsigned long action,
		      void *data)
{
	WRITE_ONCE(vmx_going_down, true);
	on_each_cpu(stop_here, NULL, 1);
	return NOTIFY_DONE;
}

static struct notifier_block vmx_reboot_notifier = {
	.notifier_call = vmx_reboot,
};

#ifdef HAVE_EMERGENCY
/*
 * A crash, or an emergency restart: on each CPU, in an NMI perhaps. Root takes
 * VMXOFF as a wish to leave (exit_call.c); a CPU that is not in VMX faults.
 */
static void vmx_emergency(void)
{
	if (!(__read_cr4() & X86_CR4_VMXE))
		return;
	asm goto("1: vmxoff\n"
		 _ASM_EXTABLE(1b, %l[fault])
		 : : : "cc", "memory" : fault);
fault:
	skyipc_cr4_vmxe(false);
}

/*
 * There is one place for such a callback. Where kvm_intel came first it has
 * it, and executes VMXOFF just so; it can't come later, as CPUID then says no.
 * (Since 6.12, with enable_virt_at_load=0, it takes it with its first guest, and
 * warns if it is taken. Then, with KVM loaded and idle, there is none, and a
 * crash kernel runs under root; see exit_init.c.)
 */
static bool kvm_is_loaded(void)
{
	void *symbol = __symbol_get("kvm_x86_vendor_init");

	if (symbol)
		__symbol_put("kvm_x86_vendor_init");
	return symbol;
}

static bool emergency_registered;

static void emergency_register(void)
{
	if (kvm_is_loaded())
		return;
	cpu_emergency_register_virt_callback(vmx_emergency);
	emergency_registered = true;
}

static void emergency_unregister(void)
{
	if (emergency_registered)
		cpu_emergency_unregister_virt_callback(vmx_emergency);
	emergency_registered = false;
}
#else
/*
 * Kept for KVM. The kernel that kexec starts after a crash then runs under
 * root, whose memory it leaves alone; see exit_init.c.
 */
static void emergency_register(void)
{
}

static void emergency_unregister(void)
{
}
#endif

void vmx_power_register(void)
{
	SYSCORE_REGISTER(vmx_syscore, vmx_syscore_ops);
	register_reboot_notifier(&vmx_reboot_notifier);
	emergency_register();
}

void vmx_power_unregister(void)
{
	emergency_unregister();
	unregister_reboot_notifier(&vmx_reboot_notifier);
	SYSCORE_UNREGISTER(vmx_syscore, vmx_syscore_ops);
}
