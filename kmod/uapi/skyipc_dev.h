/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/skyipc, as programs and skyipc.ko agree on it.
 *
 * Every structure begins with its size, as the program knows it: a newer
 * program may talk to an older module and the other way round. What the other
 * side does not know must be zero, or the call fails with -E2BIG
 * (copy_struct_from_user()).
 */
#ifndef SKYIPC_DEV_H
#define SKYIPC_DEV_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SKYIPC_DEV "/dev/skyipc"

/* The interface; grows with what is added. */
#define SKYIPC_DEV_VERSION 1

enum skyipc_dev_feature {
	SKYIPC_DEV_VIEWS = 1 << 0,	/* the root is on: VT-x, EPT, VMFUNC */
};

struct skyipc_dev_info {
	__u32 size;
	__u32 version;		/* SKYIPC_DEV_VERSION of the module */
	__u64 features;		/* enum skyipc_dev_feature */
	char views[160];	/* why there are none; empty if there are */
};

/*
 * The size is in the structure and not in the number, or the number would
 * change with it. Numbers 1 and 2 of every type belong to the VFS (FIBMAP,
 * FIGETBSZ). @arg: struct skyipc_dev_info
 */
#define SKYIPC_DEV_INFO _IO(0xB5, 0x10)

/*
 * kcall: calls through the module; docs/kcall.md. Objects are descriptors:
 *
 *	/dev/skyipc --SERVER--> server --CONNECT--> connection --LINK--> link
 *	                             \--WORKER---> worker
 *
 * The server's process makes connections and hands each to a client, which
 * makes a link for each of its threads that call.
 */
enum {
	SKYIPC_DEV_WORDS = 6,	/* of a message, besides the operation */
	SKYIPC_DEV_EXT = 3,	/* and those that libraries use */
};

/* No deadline. Deadlines are CLOCK_MONOTONIC, in ns; 0 has passed already. */
#define SKYIPC_DEV_FOREVER (~(__u64)0)

struct skyipc_dev_server {
	__u32 size;
	__u32 flags;		/* 0 */
};

/* On /dev/skyipc: a server of this process; its descriptor */
#define SKYIPC_DEV_SERVER _IO(0xB5, 0x11)

/*
 * On /dev/skyipc, or on a connection by its client: the calling thread is to call
 * by VMFUNC (docs/vmfunc.md); the descriptor of its page, which it maps at offset
 * 0. -EOPNOTSUPP: views are off; -EBUSY: it has one already; -EDQUOT: this user has
 * all that he may
 */
#define SKYIPC_DEV_VIEW _IO(0xB5, 0x12)

/*
 * Either of them, mapped at this address, readable and executable, by whoever calls
 * or is called so
 */
#define SKYIPC_DEV_VIEW_AT 0x6ec300000000
#define SKYIPC_DEV_VIEW_SIZE 8192

struct skyipc_dev_connect {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 cookie;		/* comes with each of its calls */
};

/* On a server: a connection to hand to a client; its descriptor */
#define SKYIPC_SERVER_CONNECT _IO(0xB5, 0x20)

enum skyipc_dev_worker_flag {
	/*
	 * Calls run with the scheduling class and nice value of their client, as
	 * far as the server may have those by itself (RLIMIT_NICE, RLIMIT_RTPRIO,
	 * CAP_SYS_NICE, when the worker is made).
	 */
	SKYIPC_WORKER_INHERIT = 1 << 0,
};

struct skyipc_dev_worker {
	__u32 size;
	__u32 flags;		/* enum skyipc_dev_worker_flag */
	__s32 bell;		/* SERVE listens to this as well; -1: none */
	__u32 pad;		/* 0 */
};

/*
 * On a server: the calling thread becomes a worker; its descriptor. @bell is
 * one that can be polled, an epoll's or an eventfd's: when it is or becomes
 * readable, SERVE that waits fails with -EAGAIN, once until it rings anew.
 */
#define SKYIPC_SERVER_WORKER _IO(0xB5, 0x21)
/* On a server, by any thread of its process: struct skyipc_dev_serve with
 * SKYIPC_SERVE_REPLY only
 */
#define SKYIPC_SERVER_REPLY _IO(0xB5, 0x22)

struct skyipc_dev_forward {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 token;		/* of a call that has no reply yet */
	__s32 conn;		/* of this process, to another server */
	__u32 op;
	__u64 words[SKYIPC_DEV_WORDS];
	__u64 ext[SKYIPC_DEV_EXT];
};

/*
 * On a server, by any thread of its process: another server is to reply to this
 * call, and gets it as one of @conn, with this operation and these words; data
 * are the client's, and so is the deadline. What was granted is revoked before.
 * -ESTALE: as for replies; -EPIPE: that server is gone; -EBUSY: another thread has
 * taken a grant meanwhile. If it fails, the call has still to be replied to.
 */
#define SKYIPC_SERVER_FORWARD _IO(0xB5, 0x23)

enum skyipc_dev_grant_flag {
	SKYIPC_GRANT_REPLY = 1 << 0,	/* where the reply goes: writable */
};

struct skyipc_dev_grant {
	__u32 size;
	__u32 flags;		/* enum skyipc_dev_grant_flag; 0: the request */
	__u64 token;
	__u64 len;		/* comes back: that can be mapped */
};

/*
 * On a server, by any thread of its process: what a call with SKYIPC_CALL_GRANT
 * grants, as a descriptor to mmap() with MAP_SHARED, as a whole or in part, up to
 * 64 times. When the client has the reply, or has gone, or the call has been
 * forwarded, touching it is SIGBUS. -ENXIO: nothing is granted; -EBUSY: there is a
 * descriptor already; -ESTALE
 */
#define SKYIPC_SERVER_GRANT _IO(0xB5, 0x24)

/*
 * On a connection, by the server's process or its client's: no call of it is
 * served any more, and whoever waits for a reply does not.
 */
#define SKYIPC_CONN_KILL _IO(0xB5, 0x31)

struct skyipc_dev_views {
	__u32 size;
	__u32 pad;		/* 0; the rest comes back */
	/* Handlers that were stopped in a view, by */
	__u64 interrupts;
	__u64 faults;		/* of pages */
	__u64 syscalls;
	__u64 exceptions;	/* all others */
	/* What became of them: they went on there, or had come to their end, ... */
	__u64 resumed;
	__u64 finished;
	/* ... or moved to the worker, because of what had stopped them, */
	__u64 moved_fault;
	__u64 moved_syscall;
	__u64 moved_exception;
	/* or after an interrupt, as 10 ms, or the time of the call, were over, */
	__u64 moved_late;
	__u64 moved_deadline;
	/* the client, or the connection, had ended, the client's thread was barred, */
	__u64 moved_gone;
	__u64 moved_barred;
	/* or its client did not go back to it */
	__u64 moved_asked;
};

/* On a connection, by the server's process: what has stopped handlers in its views */
#define SKYIPC_CONN_VIEWS _IO(0xB5, 0x32)

struct skyipc_dev_link {
	__u32 size;
	__u32 depth;		/* calls that may be outstanding, besides CALL's */
};

/* On a connection: a link for the calling thread; its descriptor */
#define SKYIPC_CONN_LINK _IO(0xB5, 0x30)

/* A message */
struct skyipc_dev_msg {
	__u32 op;
	__s32 status;
	__u64 words[SKYIPC_DEV_WORDS];
	__u64 ext[SKYIPC_DEV_EXT];	/* more, for what is between */
	__u64 data;		/* address */
	__u64 len;
};

enum skyipc_dev_call_flag {
	/* There is more than words: @data and @reply are looked at. */
	SKYIPC_CALL_LONG = 1 << 0,
	/* LINK_CALL: wait for the call that -EINPROGRESS told of. */
	SKYIPC_CALL_RESUME = 1 << 1,
	/*
	 * LINK_CALL: nothing is withdrawn. After a signal it goes on, always; if
	 * it is not done in time, it stays outstanding, as if it had been
	 * submitted with @tag. A server that has not seen it by then hears that
	 * it is cancelled. (For what must not be used again before it is over.)
	 */
	SKYIPC_CALL_KEEP = 1 << 2,
	/*
	 * @data and @reply are whole pages, and the server may map them until it
	 * has replied: SKYIPC_SERVER_GRANT. Then nothing is copied.
	 */
	SKYIPC_CALL_GRANT = 1 << 3,
};

struct skyipc_dev_call {
	__u32 size;
	__u32 flags;		/* enum skyipc_dev_call_flag */
	__u64 deadline;
	/* CALL: until when to wait in one go; 0: as long as it takes */
	__u64 patience;
	__u64 tag;		/* SUBMIT, REAP: the caller's name for it */
	struct skyipc_dev_msg msg;	/* the request, and then the reply */
	/* with SKYIPC_CALL_LONG: where the reply's go */
	__u64 reply;
	__u64 reply_size;
};

/*
 * On a link, by its thread.
 * CALL: 0 and the reply; -EINTR: a signal (or io_uring has something to do in this
 * thread), and the handler has not started, nor will it; -EINPROGRESS: likewise,
 * or @patience is over, and the call goes on,
 * see SKYIPC_CALL_RESUME; -ETIMEDOUT; -EPIPE: the server is gone and has not seen
 * the call; -ECONNRESET: it has, perhaps; -EMSGSIZE: the reply does not fit
 */
#define SKYIPC_LINK_CALL _IO(0xB5, 0x40)
/*
 * CALL, and a worker's SERVE, are there twice: by ioctl(2), and without what
 * Linux's security modules do at each of those, by
 *
 *	posix_fadvise(fd, (off_t)argument, 0, POSIX_FADV_NORMAL)
 *
 * which returns the error instead of setting errno; ENOSYS: this kernel has been
 * built without it. Not by io_uring (EINVAL).
 */
/* SUBMIT: as CALL, but does not wait. -EAGAIN: @depth are outstanding */
#define SKYIPC_LINK_SUBMIT _IO(0xB5, 0x41)
/* REAP: a reply to a submitted call; waits. -ENOENT: none is outstanding */
#define SKYIPC_LINK_REAP _IO(0xB5, 0x42)
/* RELEASE: it is nobody's, until ADOPT */
#define SKYIPC_LINK_RELEASE _IO(0xB5, 0x44)
/*
 * ADOPT, by any thread of the process: the link is its, with the calls that are
 * outstanding. -EBUSY: it is another's
 */
#define SKYIPC_LINK_ADOPT _IO(0xB5, 0x45)

/*
 * For tests, on a link, if debugfs/skyipc/hand_over is on: as CALL with @call,
 * but the worker does not come back from its SERVE: it goes on with the given
 * state instead, as if it had been interrupted there. It replies with token 0.
 */
struct skyipc_dev_park {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 call;		/* struct skyipc_dev_call */
	/* r15-r12, bp, bx, r11-r8, ax, cx, dx, si, di, ip, flags, sp, and the
	 * bases of fs and gs
	 */
	__u64 regs[20];
	__u32 pkru;		/* if there is one */
	__u32 pad;		/* 0 */
	__u64 xsave;		/* address of an XSAVE area, standard format */
	__u64 xsave_size;	/* with all of x87, SSE, AVX and AVX-512 there is */
};

#define SKYIPC_LINK_PARK _IO(0xB5, 0x43)

enum skyipc_dev_serve_flag {
	SKYIPC_SERVE_REPLY = 1 << 0,	/* first @msg is the reply to @token */
	SKYIPC_SERVE_WAIT = 1 << 1,	/* then wait for a call */
	SKYIPC_SERVE_LONG = 1 << 2,	/* the reply has data */
	/* What comes back: the call has data, @msg.len bytes of it */
	SKYIPC_SERVE_DATA = 1 << 3,
	/* ... which do not fit into @buf: SKYIPC_WORKER_READ */
	SKYIPC_SERVE_MORE = 1 << 4,
	/* ... its client has given up, but wants to hear that it is over. */
	SKYIPC_SERVE_CANCELLED = 1 << 5,
	/* ... its data are not copied to @buf, but may be mapped. */
	SKYIPC_SERVE_GRANT = 1 << 6,
	/* With LONG: the reply's data are where they belong, @msg.len bytes. */
	SKYIPC_SERVE_IN_PLACE = 1 << 7,
};

struct skyipc_dev_serve {
	__u32 size;
	__u32 flags;		/* enum skyipc_dev_serve_flag */
	__u64 deadline;		/* of the wait */
	__u64 token;		/* of the call; 0: what the worker took last */
	__u64 cookie;		/* of its connection */
	struct skyipc_dev_msg msg;
	__u64 buf;		/* where data of calls go */
	__u64 buf_size;
};

/*
 * On a worker, by its thread: reply and wait. If it fails, @flags has no
 * SKYIPC_SERVE_REPLY any more: doing it again only waits. -ESTALE: nobody waits
 * for that reply any more, or it has been given; -EMSGSIZE: the client has no
 * room for it, another may be given; while it waited, -EINTR: a signal,
 * -ETIMEDOUT, -EAGAIN: the bell; -EPIPE: the server is closed
 */
#define SKYIPC_WORKER_SERVE _IO(0xB5, 0x50)

struct skyipc_dev_read {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 token;
	__u64 offset;		/* into the request's data */
	__u64 buf;
	__u64 len;
};

/* On a worker: a part of a call's data. Bytes read */
#define SKYIPC_WORKER_READ _IO(0xB5, 0x51)

/*
 * On a worker, by its thread, which then does nothing but SERVE: the next link of
 * that connection that wants a view runs its handlers on this stack, with the
 * bases of fs and gs that the thread has now, from @entry on. The thread has
 * signals blocked, as their handlers would run beside those. SERVE returns when a
 * call goes on here, from where it has got to, or -EPIPE: the connection has ended,
 * and nobody uses the stack any more. 0; -EEXIST: it has lent itself; -EBADF: that
 * is no connection of this server
 *
 * -EBUSY, from here or from SERVE: it has registered for restartable sequences
 * (rseq(2)), which know nothing of where these handlers run. -EOPNOTSUPP, likewise:
 * it has a shadow stack, or has asked for its speculation to be controlled (prctl(2)),
 * and clients' threads, which its handlers run in, have not
 */
struct skyipc_dev_lend {
	__u32 size;
	__s32 conn;
	__u64 entry;		/* VIEW_ENTRY jumps there: kmod/view/layout.h */
	__u64 sp;
	/*
	 * For nested calls from views (VIEW_NEST): three words, and where the thread
	 * goes on with a handler that has made one. rdx: those words; eax: what has
	 * come of the call, with the reply in registers if it is 0, and if r11 is
	 * that link's key, but for its lowest bit. Or 0: none
	 */
	__u64 nest;
	__u64 nest_entry;
};

#define SKYIPC_WORKER_LEND _IO(0xB5, 0x52)

struct skyipc_dev_nest {
	__u32 size;
	__s32 link;		/* of this thread's, to another server */
	/* What comes back: for VIEW_NEST, */
	__u32 slot;
	__u32 pad;		/* 0 */
	__u64 key;
	__u64 parent;		/* in the view that has this key */
};

/*
 * On a worker that has lent itself, by its thread: handlers that run with its stack
 * in the view of the link that has it now may call that server by VMFUNC. -ENOENT:
 * no link has it; -EOPNOTSUPP: it has lent nothing for that, or that server is its
 * own process, or the client's; otherwise as SKYIPC_VIEW_LINK
 */
#define SKYIPC_WORKER_NEST _IO(0xB5, 0x53)

/*
 * On a worker that has lent itself for nested calls, by any thread of its process: a
 * handler that runs with its stack goes on in it, if it waits for another server
 * there; that call is as if it had been made through the module. 0, also if it does
 * not wait; -EAGAIN: the words that have been lent are not in memory, look at them
 */
#define SKYIPC_WORKER_RECALL _IO(0xB5, 0x54)

struct skyipc_dev_view_link {
	__u32 size;
	__s32 link;		/* of the calling thread */
	__u32 slot;		/* comes back: what it is called by, */
	__u32 pad;
	__u64 key;		/* and with */
};

/*
 * On a view, by its thread: a link may be called by VMFUNC. -EAGAIN: no worker of
 * its server has lent itself; -EMFILE: all slots are taken; -EDQUOT: so is all that
 * this user may have of the kernel's memory; -EEXIST: it may
 */
#define SKYIPC_VIEW_LINK _IO(0xB5, 0x60)

#endif
