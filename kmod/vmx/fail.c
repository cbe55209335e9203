// SPDX-License-Identifier: GPL-2.0-only
#include <linux/atomic.h>
#include <linux/smp.h>

#include "fail.h"

const char *const vmx_fail_names[VMX_FAIL_STEPS] = {
	[VMX_FAIL_NONE]		= "none",
	[VMX_FAIL_BEYOND]	= "beyond",
	[VMX_FAIL_CAPS]		= "caps",
	[VMX_FAIL_ROOT_MM]	= "root-mm",
	[VMX_FAIL_EPT]		= "ept",
	[VMX_FAIL_MSR_BITMAP]	= "msr-bitmap",
	[VMX_FAIL_HOTPLUG]	= "hotplug",
	[VMX_FAIL_CPU]		= "cpu",
	[VMX_FAIL_ROOT_TABLES]	= "root-tables",
	[VMX_FAIL_AGREE]	= "agree",
	[VMX_FAIL_CR4]		= "cr4",
	[VMX_FAIL_VMXON]	= "vmxon",
	[VMX_FAIL_VMCLEAR]	= "vmclear",
	[VMX_FAIL_VMPTRLD]	= "vmptrld",
	[VMX_FAIL_CONTROLS]	= "controls",
	[VMX_FAIL_HOST_STATE]	= "host-state",
	[VMX_FAIL_GUEST_STATE]	= "guest-state",
	[VMX_FAIL_VMLAUNCH]	= "vmlaunch",
	[VMX_FAIL_ENTRY]	= "entry",
	[VMX_FAIL_HELLO]	= "hello",
	[VMX_FAIL_TRIAL_VIEW]	= "trial-view",
	[VMX_FAIL_TRIAL]	= "trial",
};

/* Step and CPU in one word, so that one exchange disarms it. */
#define ANY_CPU 0x7fffff
static atomic_t armed;

static int word(enum vmx_fail_step step, int cpu)
{
	return cpu << 8 | step;
}

void vmx_fail_set(enum vmx_fail_step step, int cpu)
{
	atomic_set(&armed, word(step, cpu < 0 ? ANY_CPU : cpu));
}

void vmx_fail_get(enum vmx_fail_step *step, int *cpu)
{
	int w = atomic_read(&armed);

	*step = w & 0xff;
	*cpu = w >> 8 == ANY_CPU ? -1 : w >> 8;
}

bool vmx_fails(enum vmx_fail_step step)
{
	int w = atomic_read(&armed);

	if (likely(!w) || (w & 0xff) != step)
		return false;
	if (w >> 8 != ANY_CPU && w >> 8 != raw_smp_processor_id())
		return false;
	return atomic_cmpxchg(&armed, w, 0) == w;
}
