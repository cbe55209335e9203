// SPDX-License-Identifier: GPL-2.0-only
/*
 * The root on all CPUs.
 *
 * Hotplug does the work: its states run on each CPU in turn, sleepable and
 * bound to it, unwind if one fails, and go on with CPUs that come and go.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <asm/cpufeature.h>

#include "call.h"
#include "controls.h"
#include "cpu.h"
#include "fail.h"
#include "home.h"
#include "launch.h"
#include "left.h"
#include "msr_bitmap.h"
#include "power.h"
#include "preflight.h"
#include "root_tables.h"
#include "shield.h"
#include "this_cpu.h"
#include "trace_vmx.h"
#include "vmx.h"

static DEFINE_MUTEX(lock);	/* starting and stopping */
static bool on;
static enum cpuhp_state hotplug_state;
static char *why_not;		/* where vmx_online() says why it failed */

static struct ept *home;
static struct vmx_controls controls;
static struct vmx_facts *facts;
static void *msr_bitmap;
static struct vmx_common common;

bool vmx_shield_ibrs;
DEFINE_PER_CPU(struct vmx_cpu *, vmx_this_cpu);

int vmx_this_launch(const char **step)
{
	struct vmx_cpu *c = __this_cpu_read(vmx_this_cpu);
	int error = vmx_cpu_launch(c, &common, step);

	trace_skyipc_vmx_launch(c->cpu, error, *step);
	return error;
}

void vmx_this_stop(void)
{
	struct vmx_cpu *c = __this_cpu_read(vmx_this_cpu);

	if (!c || c->state == VMX_CPU_NEVER)
		return;
	trace_skyipc_vmx_stop(c->cpu);
	vmx_cpu_stop(c);
}

/* Hotplug: on the CPU that comes online. */
static int vmx_online(unsigned int cpu)
{
	char why_here[VMX_WHY_MAX], *why = why_not ?: why_here;
	struct vmx_facts *here = kmalloc(sizeof(*here), GFP_KERNEL);
	struct vmx_cpu *c = vmx_cpu_alloc(cpu);
	const char *step = NULL;
	int error = -ENOMEM;

	snprintf(why, VMX_WHY_MAX, "CPU %u: out of memory", cpu);
	if (!here || !c)
		goto out;
	vmx_facts_read(here);
	error = vmx_facts_check(here, cpu, facts, why);
	if (!error && vmx_fails(VMX_FAIL_AGREE)) {
		snprintf(why, VMX_WHY_MAX, "CPU %u: fault injection", cpu);
		error = -EOPNOTSUPP;
	}
	if (error)
		goto out;
	per_cpu(vmx_this_cpu, cpu) = c;
	local_irq_disable();
	error = vmx_this_launch(&step);
	local_irq_enable();
	if (error) {
		per_cpu(vmx_this_cpu, cpu) = NULL;
		snprintf(why, VMX_WHY_MAX, "CPU %u: %s failed (%u)", cpu, step,
			 c->report.code);
	}
out:
	if (error) {
		vmx_cpu_free(c);
		if (!why_not)
			pr_err("%s; it cannot come online while views are on\n",
			       why);
	}
	kfree(here);
	return error;
}

/* Hotplug: on the CPU that goes. */
static int vmx_offline(unsigned int cpu)
{
	struct vmx_cpu *c = per_cpu(vmx_this_cpu, cpu);

	local_irq_disable();
	vmx_this_stop();
	per_cpu(vmx_this_cpu, cpu) = NULL;
	local_irq_enable();
	vmx_cpu_free(c);
	return 0;
}

static int make_shared(char *why)
{
	int error;

	facts = kzalloc(sizeof(*facts), GFP_KERNEL);
	if (!facts)
		return -ENOMEM;
	error = vmx_preflight(facts, why);
	if (error)
		return error;
	error = vmx_controls_compute(&facts->caps, &controls);
	if (error)
		return error;
	error = vmx_home_make(facts, &home, why);
	if (error)
		return error;
	error = vmx_root_mm_make();
	if (error)
		return error;
	if (!vmx_fails(VMX_FAIL_MSR_BITMAP))
		msr_bitmap = (void *)get_zeroed_page(GFP_KERNEL);
	if (!msr_bitmap)
		return -ENOMEM;
	vmx_msr_bitmap_fill(msr_bitmap);

	vmx_call_key = get_random_u64() | 1;
	vmx_shield_ibrs = boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL);
	common = (struct vmx_common){
		.controls = &controls,
		.revision = facts->caps.basic & BASIC_REVISION,
		.eptp = ept_eptp(home),
		.msr_bitmap = __pa(msr_bitmap),
		.cr4_allowed = facts->caps.cr4_fixed1,
		.can_wait_for_sipi = facts->caps.misc & MISC_ACTIVITY_SIPI,
	};
	return 0;
}

static void free_shared(void)
{
	free_page((unsigned long)msr_bitmap);
	msr_bitmap = NULL;
	vmx_root_mm_free();
	ept_put(home);
	home = NULL;
	kfree(facts);
	facts = NULL;
}

static int start(char *why)
{
	int error;

	strscpy(why, "out of memory", VMX_WHY_MAX);
	error = make_shared(why);
	if (error)
		goto shared;
	why_not = why;
	error = vmx_fails(VMX_FAIL_HOTPLUG) ? -ENOMEM :
		cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "skyipc/vmx:online",
				  vmx_online, vmx_offline);
	why_not = NULL;
	if (error < 0)
		goto shared;
	hotplug_state = error;
	vmx_power_register();
	on = true;
	return 0;
shared:
	free_shared();
	return error;
}

static void stop(void)
{
	vmx_power_unregister();
	cpuhp_remove_state(hotplug_state);
	free_shared();
	on = false;
}

/* Memory types have changed: each CPU that wrote them has left already. */
static void again(struct work_struct *unused)
{
	char why[VMX_WHY_MAX];

	mutex_lock(&lock);
	if (on) {
		stop();
		if (start(why))
			pr_err("views are off: %s\n", why);
	}
	mutex_unlock(&lock);
}

DECLARE_WORK(vmx_again_work, again);

int vmx_start(char *why)
{
	int error = 0;

	mutex_lock(&lock);
	if (!on)
		error = start(why);
	mutex_unlock(&lock);
	return error;
}

void vmx_stop(void)
{
	mutex_lock(&lock);
	if (on)
		stop();
	mutex_unlock(&lock);
	/* Nobody queues it any more, and what is queued finds views off. */
	cancel_work_sync(&vmx_again_work);
}

bool vmx_is_on(void)
{
	return READ_ONCE(on);
}

/* On one CPU throughout: the caller may be moved between the two otherwise. */
static int test_call(enum vmx_call_number number, u64 arg)
{
	struct vmx_cpu *c;
	int error = -ENODEV;

	preempt_disable();
	c = __this_cpu_read(vmx_this_cpu);
	if (c && c->state == VMX_CPU_ON)
		error = vmx_call(number, arg) ? -EINVAL : 0;
	preempt_enable();
	return error;
}

int vmx_test_stay(u64 loops)
{
	return test_call(VMX_CALL_STAY, loops);
}

int vmx_test_trap(u64 vector)
{
	return test_call(VMX_CALL_TRAP, vector);
}
