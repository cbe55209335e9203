/* SPDX-License-Identifier: MIT */
/*
 * Calls by VMFUNC, by hand: what tests of views share.
 */
#ifndef SKYIPC_VIEW_TEST_H
#define SKYIPC_VIEW_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../../kmod/view/layout.h"

/* What goes through registers */
struct view_msg {
	uint64_t word[7];
	/* What has been shown, by who calls, or who replies: a link's key */
	uint64_t key;
};

/* A thread's own way in: its descriptor, its page */
struct view_caller {
	int fd;
	uint8_t *page;
};

/* A link that can be called so */
struct view_way {
	int link;
	uint32_t slot;
	uint64_t key;
};

/* In whose view does this run, by its slot? 0: in none, at home */
static inline uint32_t view_slot_here(void)
{
	return *(const volatile uint32_t *)(VIEW_PAGE_AT + VIEW_PAGE_SELF);
}

/* Map the trampoline; also of use to children. */
void view_map(void);
void view_attach(struct view_caller *c);
void view_detach(const struct view_caller *c);
/* 0 or -errno */
int view_way(const struct view_caller *c, int link, struct view_way *w);

/* Likewise, as it comes: -EINPROGRESS if the handler goes on in the worker */
int view_enter(struct view_msg *m, uint32_t slot, uint64_t key, void *page);
/* The handler goes on in the worker: 0 and its reply, or -errno */
int view_resume(const struct view_way *w, struct view_msg *m);
/* 0 and the reply, or -errno */
int view_call(const struct view_caller *c, const struct view_way *w,
	      struct view_msg *m);

/*
 * By a worker at home, whose handlers call by @link from then on, in the view
 * of whoever has it: 0 and the way, or -errno
 */
int view_nest_way(int link, struct view_way *w);
/* By a handler in a view, as it comes: err and reply. @nest: view_nest_words */
int view_nest(struct view_msg *m, uint32_t slot, uint64_t key, uint64_t *nest);
/* 0 and the reply, or -errno; -EAGAIN: it has not begun */
int view_nest_call(const struct view_way *w, struct view_msg *m);

/*
 * Of a thread that lends itself: what it has lent for nested calls, in a page
 * of its own that can be dropped and comes back as it was; its worker
 */
extern __thread uint64_t *view_nest_words;
extern __thread int view_worker;

/* Of a child that ends: its exit status, or 1000 and the signal */
int status_of(pid_t pid);

/* The calling thread has no struct rseq registered any more. */
void view_no_rseq(void);

typedef void view_handler_fn(struct view_msg *m);
/* What the next server does before it serves; NULL: nothing */
extern void (*view_before_serving)(void);
/* Does it lend itself for nested calls, too? */
extern bool view_nests;
/* Does it keep a descriptor of its connection? In it: which */
extern bool view_keeps_conn;
extern int view_conn;
/* A process that lends @n threads; its connection */
pid_t view_server(view_handler_fn *handler, int n, int *conn);

#endif
