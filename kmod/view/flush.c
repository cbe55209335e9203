// SPDX-License-Identifier: GPL-2.0-only
#include <linux/smp.h>
#include <asm/invpcid.h>

#include "flush.h"
#include "list.h"

/*
 * In VMX non-root operation INVPCID covers the mappings of all EPT roots (SDM
 * 29.4.3.1), so that it does not matter in which view it is executed.
 */
static void flush(void *unused)
{
	invpcid_flush_all();
}

void view_target_changed(struct view_target *target)
{
	if (!atomic_read(&target->links))
		return;
	atomic64_inc(&target->changes);
	/*
	 * Before looking who runs: pairs with view_list_load(), which says that a
	 * thread runs before it looks at this.
	 */
	smp_mb__after_atomic();
	on_each_cpu_cond(view_runs_on, flush, NULL, true);
}

void view_target_dies(struct view_target *target)
{
	if (atomic_read(&target->links))
		on_each_cpu_cond(view_runs_on, view_look_again, NULL, true);
}
