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
#include "exit.h"
#include "exit_log.h"
#include "fail.h"
#include "home.h"
#include "launch.h"
#include "left.h"
#include "msr_bitmap.h"
#include "power.h"
#include "preflight.h"
#include "report.h"
#include "resume.h"
#include "root_tables.h"
#include "shield.h"
#include "this_cpu.h"
#include "trace_vmx.h"
#include "trial.h"
#include "vmx.h"

static DEFINE_MUTEX(lock);	/* starting and stopping */
static bool on;
static char why[VMX_WHY_MAX] = "not asked for";	/* it is off */
static enum cpuhp_state hotplug_state;
static bool starting;		/* vmx_online() is to say why it failed */
bool vmx_somebody_left;		/* on, but not for long */

static struct ept *home;
static struct ept *trial;	/* a view, of it */
static u64 epoch;
static int (*at_start)(struct ept *home, char *why);
static struct vmx_controls controls;
static struct vmx_facts *facts;
static void *msr_bitmap;
static struct vmx_mtrrs *mtrrs;
static struct vmx_common common;

bool vmx_shield_ibrs, vmx_shield_verw;
DEFINE_PER_CPU(struct vmx_cpu *, vmx_this_cpu);
DEFINE_MUTEX(vmx_cpus_lock);	/* vmx_this_cpu of others */

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
	char why_here[VMX_WHY_MAX], *to = starting ? why : why_here;
	struct vmx_facts *here = kmalloc(sizeof(*here), GFP_KERNEL);
	struct vmx_cpu *c = vmx_cpu_alloc(cpu);
	const char *step = NULL;
	int error = -ENOMEM;

	snprintf(to, VMX_WHY_MAX, "CPU %u: out of memory", cpu);
	if (!here || !c)
		goto out;
	to[0] = '\0';
	vmx_this_facts(here);
	/*
	 * At resume Linux sets the MTRRs of this CPU when all are online
	 * (mtrr_aps_init()), and home rules until then.
	 */
	if (!starting)
		here->mtrr = facts->mtrr;
	error = vmx_facts_check(here, cpu, facts, to);
	if (!error && vmx_fails(VMX_FAIL_AGREE)) {
		snprintf(to, VMX_WHY_MAX, "CPU %u: fault injection", cpu);
		error = -EOPNOTSUPP;
	}
	if (error)
		goto out;
	vmx_root_mm_update();
	mutex_lock(&vmx_cpus_lock);
	per_cpu(vmx_this_cpu, cpu) = c;
	local_irq_disable();
	if (READ_ONCE(vmx_going_down)) {
		error = -ESHUTDOWN;
		step = "the machine is going down: launch";
	} else {
		error = vmx_this_launch(&step);
	}
	if (error)
		per_cpu(vmx_this_cpu, cpu) = NULL;
	local_irq_enable();
	mutex_unlock(&vmx_cpus_lock);
	if (error)
		snprintf(to, VMX_WHY_MAX, "CPU %u: %s failed (%u)", cpu, step,
			 c->report.code);
out:
	if (error) {
		vmx_cpu_free(c);
		if (!starting)
			pr_err("%s; it cannot come online while views are on\n",
			       to);
	}
	kfree(here);
	return error;
}

/* Hotplug: on the CPU that goes. */
static int vmx_offline(unsigned int cpu)
{
	struct vmx_cpu *c = per_cpu(vmx_this_cpu, cpu);

	mutex_lock(&vmx_cpus_lock);
	local_irq_disable();
	vmx_this_stop();
	per_cpu(vmx_this_cpu, cpu) = NULL;
	local_irq_enable();
	if (c)
		vmx_exit_log_drain(c);
	mutex_unlock(&vmx_cpus_lock);
	vmx_cpu_free(c);
	return 0;
}

static int make_shared(void)
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
	error = vmx_fails(VMX_FAIL_TRIAL_VIEW) ? -ENOMEM :
						 vmx_trial_make(home, &trial);
	if (error)
		return error;
	error = vmx_root_mm_make();
	if (error)
		return error;
	if (!vmx_fails(VMX_FAIL_MSR_BITMAP))
		msr_bitmap = (void *)get_zeroed_page(GFP_KERNEL);
	mtrrs = vmx_home_mtrrs(&facts->mtrr);
	if (!msr_bitmap || !mtrrs)
		return -ENOMEM;
	vmx_msr_bitmap_fill(msr_bitmap, mtrrs);

	vmx_call_key = get_random_u64() | 1;
	vmx_shield_ibrs = boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL);
	vmx_shield_verw = boot_cpu_has(X86_FEATURE_MD_CLEAR);
	common = (struct vmx_common){
		.controls = &controls,
		.revision = facts->caps.basic & BASIC_REVISION,
		.eptp = ept_eptp(home),
		.trial = ept_eptp(trial),
		.msr_bitmap = __pa(msr_bitmap),
		.cr4_allowed = facts->caps.cr4_fixed1,
		.can_wait_for_sipi = facts->caps.misc & MISC_ACTIVITY_SIPI,
		.mtrrs = mtrrs,
	};
	return 0;
}

static void free_shared(void)
{
	kfree(mtrrs);
	mtrrs = NULL;
	free_page((unsigned long)msr_bitmap);
	msr_bitmap = NULL;
	vmx_root_mm_free();
	ept_put(trial);
	trial = NULL;
	ept_put(home);
	home = NULL;
	kfree(facts);
	facts = NULL;
}

static int start(void)
{
	int error;

	why[0] = '\0';
	if (vmx_going_down) {
		strscpy(why, "the machine is going down", sizeof(why));
		return -ESHUTDOWN;
	}
	error = make_shared();
	if (error)
		goto shared;
	vmx_power_register();
	/* What is of another home is not to be loaded where this one is. */
	WRITE_ONCE(epoch, epoch + 1);
	starting = true;
	error = vmx_fails(VMX_FAIL_HOTPLUG) ? -ENOMEM :
		cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "skyipc/vmx:online",
				  vmx_online, vmx_offline);
	starting = false;
	if (error < 0)
		goto power;
	hotplug_state = error;
	WRITE_ONCE(vmx_somebody_left, false);
	error = at_start ? at_start(home, why) : 0;
	if (error)
		goto cpus;
	WRITE_ONCE(on, true);
	return 0;
cpus:
	cpuhp_remove_state(hotplug_state);
power:
	vmx_power_unregister();
shared:
	free_shared();
	if (!why[0] && error == -ENOMEM)
		strscpy(why, "out of memory", sizeof(why));
	else if (!why[0])
		snprintf(why, sizeof(why), "error %d", -error);
	return error;
}

static void stop(const char *reason)
{
	strscpy(why, reason, sizeof(why));
	WRITE_ONCE(on, false);
	cpuhp_remove_state(hotplug_state);
	vmx_power_unregister();
	free_shared();
}

/*
 * Who has left, and for good? Where it is only that memory types have changed
 * all are to start anew. @reason: VMX_WHY_MAX bytes
 */
static bool left_for_good(char *reason)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct vmx_cpu *c = per_cpu(vmx_this_cpu, cpu);

		if (!c || c->state == VMX_CPU_ON || c->left_for == VMX_AGAIN)
			continue;
		snprintf(reason, VMX_WHY_MAX, "CPU %d has left VMX: %s", cpu,
			 vmx_report_what(&c->report));
		return true;
	}
	strscpy(reason, "starting anew", VMX_WHY_MAX);
	return false;
}

/* One CPU without the others is of no use. */
static void somebody_left(struct work_struct *unused)
{
	char reason[VMX_WHY_MAX];
	bool over;

	mutex_lock(&lock);
	if (on) {
		mutex_lock(&vmx_cpus_lock);
		over = left_for_good(reason);
		mutex_unlock(&vmx_cpus_lock);
		stop(reason);
		if (over || start())
			pr_err("views are off: %s\n", why);
	}
	mutex_unlock(&lock);
}

DECLARE_WORK(vmx_left_work, somebody_left);

int vmx_start(void)
{
	int error = 0;

	mutex_lock(&lock);
	if (!on)
		error = start();
	mutex_unlock(&lock);
	return error;
}

void vmx_stop(void)
{
	mutex_lock(&lock);
	if (on)
		stop("turned off");
	mutex_unlock(&lock);
	/* Nobody queues it any more, and what is queued finds views off. */
	cancel_work_sync(&vmx_left_work);
}

bool vmx_is_on(void)
{
	return READ_ONCE(on) && !READ_ONCE(vmx_somebody_left);
}

bool vmx_why(char *text)
{
	bool is_on;

	mutex_lock(&lock);
	is_on = vmx_is_on();
	strscpy(text, on && !is_on ? "a CPU has left VMX" : why, VMX_WHY_MAX);
	mutex_unlock(&lock);
	return is_on;
}

void vmx_at_start(int (*started)(struct ept *home, char *why))
{
	mutex_lock(&lock);
	at_start = started;
	mutex_unlock(&lock);
}

u64 vmx_epoch(void)
{
	return READ_ONCE(epoch);
}

static struct vmx_cpu *guest_here(void)
{
	struct vmx_cpu *c = __this_cpu_read(vmx_this_cpu);

	return c && c->state == VMX_CPU_ON ? c : NULL;
}

u64 *vmx_list(void)
{
	struct vmx_cpu *c = guest_here();

	return c ? c->eptp_list : NULL;
}

void vmx_resume_set(struct vmx_resume *resume)
{
	struct vmx_cpu *c = guest_here();

	if (c)
		WRITE_ONCE(c->resume, resume);
}

void vmx_forget_here(void)
{
	if (guest_here())
		vmx_call(VMX_CALL_INVEPT, 0);
}

static void forget(void *unused)
{
	vmx_forget_here();
}

void vmx_forget(void)
{
	on_each_cpu(forget, NULL, true);
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

int vmx_test_fail(u64 reason)
{
	return test_call(VMX_CALL_FAIL, reason);
}
