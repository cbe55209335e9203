/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_thread.h - what a thread has that calls by VMFUNC
 *
 * A descriptor and a page, from its first such call until it ends; channels
 * that it opens meanwhile refer to them.
 */
#ifndef SKY_VMFUNC_THREAD_H
#define SKY_VMFUNC_THREAD_H

#include <stdatomic.h>
#include <stdint.h>

struct vmfunc_thread {
	_Atomic int refs;
	int fd;
	char *page; /* kmod/view/layout.h */
	struct vmfunc_thread *next, **at;
};

/*
 * The calling thread's, referred to, made over the connection @conn (as the
 * module has it) if there is none yet; NULL: there can be none.
 */
struct vmfunc_thread *vmfunc_thread_get(int conn);
void vmfunc_thread_put(struct vmfunc_thread *t);

#endif
