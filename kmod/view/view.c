// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/string.h>

#include "compat.h"
#include "skyipc_dev.h"
#include "bars.h"
#include "layout.h"
#include "off.h"
#include "tables.h"
#include "thread.h"
#include "view.h"
#include "vmx/ept.h"
#include "vmx/vmx.h"

static_assert(SKYIPC_DEV_VIEW_AT == VIEW_AT);
static_assert(SKYIPC_DEV_VIEW_SIZE == 2 * PAGE_SIZE);
static_assert(VIEW_ENABLE == EPTP_LOW);

static bool on;	/* tables are there, of a root that may be off */

static int make(struct ept *home)
{
	int error = view_tables_make(home);

	if (error)
		return error;
	view_bars_init();
	preempt_notifier_inc();
	view_off_init();
	WRITE_ONCE(on, true);
	return 0;
}

static int anew(struct ept *home)
{
	int error;

	down_write(&view_anew_lock);
	error = view_tables_anew(home);
	if (!error)
		view_threads_anew();
	up_write(&view_anew_lock);
	return error;
}

static int started(struct ept *home, char *why)
{
	const int error = on ? anew(home) : make(home);

	if (error)
		strscpy(why, error == -ENOMEM ? "out of memory for views" :
			"Linux's entries are not where they can be replaced",
			VMX_WHY_MAX);
	return error;
}

void view_init(void)
{
	vmx_at_start(started);
}

void view_exit(void)
{
	vmx_at_start(NULL);
	if (!on)
		return;
	on = false;
	view_off_exit();
	preempt_notifier_dec();
	view_tables_free();
}

bool view_is_on(void)
{
	return READ_ONCE(on);
}

int view_mmap(struct vm_area_struct *vma)
{
	const unsigned long prot = VM_READ | VM_WRITE | VM_EXEC;
	int error;

	if (!on)
		return -EOPNOTSUPP;
	/* Landing is at this very address, in all processes. */
	if (vma->vm_pgoff || vma->vm_start != VIEW_AT ||
	    vma->vm_end - vma->vm_start != SKYIPC_DEV_VIEW_SIZE ||
	    (vma->vm_flags & prot) != (VM_READ | VM_EXEC))
		return -EINVAL;
	/* At once: nobody can fault in the other one's view. */
	sky_vm_flags(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYWRITE);
	error = remap_pfn_range(vma, VIEW_AT, view_tramp_pfn(), PAGE_SIZE,
				vma->vm_page_prot);
	return error ?: remap_pfn_range(vma, VIEW_PAGE_AT, view_page_pfn(),
					PAGE_SIZE,
					__pgprot(pgprot_val(vma->vm_page_prot) |
						 _PAGE_NX));
}
