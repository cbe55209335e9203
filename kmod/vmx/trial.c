// SPDX-License-Identifier: GPL-2.0-only
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <asm/pgtable.h>

#include "cpu.h"
#include "ept.h"
#include "fail.h"
#include "trial.h"

#define ROUNDS 64

enum { SLOT_HOME, SLOT_THERE, SLOTS };

static_assert(VMX_TRIAL_ENABLE == EPTP_LOW);

int vmx_trial_make(struct ept *home, struct ept **view)
{
	int error = ept_view_create(home, view);

	if (error)
		return error;
	error = ept_view_map_page(*view,
				  slow_virt_to_phys((void *)vmx_trial_home),
				  slow_virt_to_phys((void *)vmx_trial_there),
				  EPT_READ | EPT_EXEC);
	if (error) {
		ept_put(*view);
		*view = NULL;
	}
	return error;
}

unsigned int vmx_trial(struct vmx_cpu *c, u64 home, u64 view)
{
	/* A processor that remembers an entry: as if what is stored were of no account */
	const bool remembers = vmx_fails(VMX_FAIL_TRIAL);
	u64 *list = c->eptp_list, elsewhere = 0, was[SLOTS];
	u64 *entry = remembers ? &elsewhere : &list[SLOT_THERE];
	const u64 exits = c->count.exits[REASON_VMFUNC];
	unsigned int each = VMX_TRIAL_GOOD, any = 0;

	memcpy(was, list, sizeof(was));
	WRITE_ONCE(list[SLOT_HOME], home);
	WRITE_ONCE(list[SLOT_THERE], remembers ? view : view & ~0xffull);
	for (int i = 0; i < ROUNDS; i++) {
		const unsigned int seen = vmx_trial_home(entry, SLOT_THERE);

		each &= seen;
		any |= seen;
	}
	memcpy(list, was, sizeof(was));
	/* Those that were to end in root: nobody has done anything wrong. */
	c->count.exits[REASON_VMFUNC] = exits;
	return each | (any & ~(unsigned int)VMX_TRIAL_GOOD);
}
