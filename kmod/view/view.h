/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Views, as the rest of the module sees them: calls from one address space into
 * another by VMFUNC. See docs/vmfunc.md.
 */
#ifndef SKYIPC_VIEW_VIEW_H
#define SKYIPC_VIEW_VIEW_H

struct vm_area_struct;

/*
 * Before any root: views come with it, go with it, and come with another one. A root
 * without is of no use: if there is no memory for them, it does not start.
 */
void view_init(void);
/* No thread has any. */
void view_exit(void);

/* The trampoline page, to be executed, and the view page, to be read. */
int view_mmap(struct vm_area_struct *vma);

bool view_is_on(void);

#endif
