/* SPDX-License-Identifier: MIT */
/*
 * skyipc - calls between processes
 *
 * A server process creates a name and gives a handler. A client process
 * connects to the name and calls. How the call travels (the transport) is
 * chosen when the connection is made; a program never has to know.
 *
 * Conventions, the same for every function here:
 *
 * - A function that can fail returns 0 or a count, or a negative errno value.
 *   errno itself is neither read nor written for the caller's use.
 *   skyipc_errmsg() tells the calling thread more about its last failure.
 * - Every attribute structure starts with its size; zero in any other field
 *   means the default. Use the *_INIT macros. New fields are only appended.
 * - Times are skyipc_time values: see there. They are honoured in every state
 *   in which a function can wait.
 * - Functions may be called from any thread unless their comment says less.
 *   None may be called from a signal handler, except
 *   skyipc_server_shutdown().
 * - After fork() the child owns none of the parent's connections and servers:
 *   calls on them return -ECHILD, closing them frees the child's copy.
 */
#ifndef SKYIPC_H
#define SKYIPC_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SKYIPC_VERSION_MAJOR 1
#define SKYIPC_VERSION_MINOR 0

/** Words of a short message, each way (beside operation and status). */
#define SKYIPC_WORDS 6

/** Largest number of file descriptors with one message (SCM_MAX_FD). */
#define SKYIPC_MAX_FDS 253

/** Longest plain name; a path is bounded by sockaddr_un instead. */
#define SKYIPC_NAME_MAX 63

struct skyipc_server;
struct skyipc_conn;

/* ---------------------------------------------------------------- time -- */

/**
 * A limit in time. Plain values are nanoseconds from now; SKYIPC_AT() makes an
 * absolute deadline on CLOCK_MONOTONIC.
 */
typedef uint64_t skyipc_time;

#define SKYIPC_DEFAULT ((skyipc_time)0) /* what the connection was given */
#define SKYIPC_FOREVER UINT64_MAX
#define SKYIPC_NS(n) ((skyipc_time)(n))
#define SKYIPC_US(n) ((skyipc_time)(n)*1000u)
#define SKYIPC_MS(n) ((skyipc_time)(n)*1000000u)
#define SKYIPC_SEC(n) ((skyipc_time)(n)*1000000000u)
#define SKYIPC_AT(ns) ((skyipc_time)(ns) | (UINT64_C(1) << 63))

/* ------------------------------------------------------------- message -- */

/**
 * struct skyipc_msg - a request on its way out, or a reply that came in
 * @op:     request: operation number. Reply: as in the request.
 * @status: reply: what the handler returned.
 * @w:      the words of the short message.
 * @data:   request: the long part, or NULL. If it lies in the buffer that
 *          skyipc_buffer() gave, it is sent in place, otherwise it is copied
 *          once. Reply: the reply's long part, in place in shared memory; it
 *          stays valid until this thread next submits, calls, polls, waits or
 *          asks for a buffer on this connection. It belongs to the library.
 * @len:    bytes at @data.
 * @fds:    request: descriptors to pass; they stay the caller's.
 *          Reply: set by the caller before the call to an array for received
 *          descriptors, or NULL; those received are the caller's to close.
 * @nfds:   request: how many. Reply: in: room in @fds; out: how many came.
 *          Descriptors without room are closed.
 * @flags:  request: SKYIPC_LONG_REPLY or 0. Reply: 0.
 * @tag:    asynchronous calls: the caller's own value, handed back.
 * @result: asynchronous replies: 0, or the -errno that skyipc_call_msg() would
 *          have returned for this call.
 */
struct skyipc_msg {
	uint32_t op;
	int32_t status;
	uint64_t w[SKYIPC_WORDS];
	void *data;
	size_t len;
	int *fds;
	uint32_t nfds;
	int32_t result;
	uint32_t flags;
	uint32_t reserved;
	uint64_t tag;
};

/**
 * A submitted call without a long part has no buffer, so the handler cannot
 * give a long reply, unless this says that one is expected. skyipc_call_msg()
 * and skyipc_callv() always expect one, skyipc_call() never.
 */
#define SKYIPC_LONG_REPLY 1u

/* -------------------------------------------------------------- server -- */

/** Who calls, as the kernel tells it (SO_PEERCRED), at connect time. */
struct skyipc_peer {
	pid_t pid; /* in the server's PID namespace; 0 if not visible there */
	uid_t uid;
	gid_t gid;
};

/**
 * struct skyipc_call - one call, as the handler sees it
 * @op:         operation number.
 * @in:         request words, a private copy.
 * @out:        reply words, zero at the start.
 * @data:       request's long part, NULL without one. It is memory shared
 *              with the client and may change while you look: copy before you
 *              check what you will rely on.
 * @len:        bytes at @data, never more than the connection's buffer size.
 * @reply:      where a long reply may be written, apart from @data. The
 *              handler may set it to any place inside @data's buffer instead
 *              (for example to @data, to answer in place), or to memory of its
 *              own, which is then copied once.
 * @reply_cap:  bytes that may be written at @reply.
 * @reply_len:  set by the handler: bytes of long reply, 0 at the start. More
 *              than @reply_cap makes the call fail with -EMSGSIZE.
 * @fds:        descriptors that came with the request. Those the handler wants
 *              to keep it overwrites with -1; the others are closed after it.
 * @nfds:       how many.
 * @reply_fds:  set by the handler: descriptors to pass back. They stay the
 *              server's; they must be open until the handler has returned.
 *              An array in static storage, in @data's lifetime, or given by
 *              skyipc_call_fds().
 * @reply_nfds: how many.
 * @flags:      set by the handler: SKYIPC_CLOSE_FDS closes the reply's
 *              descriptors when they have been passed (or could not be).
 * @peer:       who calls.
 */
struct skyipc_call {
	uint32_t op;
	uint32_t nfds;
	uint64_t in[SKYIPC_WORDS];
	uint64_t out[SKYIPC_WORDS];
	const void *data;
	size_t len;
	void *reply;
	size_t reply_cap;
	size_t reply_len;
	int *fds;
	const int *reply_fds;
	uint32_t reply_nfds;
	uint32_t flags;
	const struct skyipc_peer *peer;
};

#define SKYIPC_CLOSE_FDS 1u

/**
 * A handler runs on a worker thread of the server, for one call at a time of
 * each channel (calling thread). What it returns is the reply's status, the
 * program's own value: any 32 bits. It may block, and may call other servers
 * or its own. It must return; it must not be left with longjmp or by ending
 * the thread.
 */
typedef int32_t (*skyipc_handler)(struct skyipc_call *call, void *arg);

/** A table of handlers: entry i serves operation i; a NULL @fn is -ENOSYS. */
struct skyipc_op {
	skyipc_handler fn;
	void *arg;
};

/** How workers wait. */
enum skyipc_mode {
	SKYIPC_ADAPTIVE = 0, /* spin as long as it pays, then park */
	SKYIPC_BLOCKING,     /* park at once: no CPU when idle, none to wait */
	SKYIPC_POLLING,	     /* never park: a CPU for each worker */
};

enum skyipc_log_level {
	SKYIPC_LOG_ERROR = 0,
	SKYIPC_LOG_WARNING,
	SKYIPC_LOG_INFO,
	SKYIPC_LOG_DEBUG,
};

/** Receives one line without newline; called from any thread. */
typedef void (*skyipc_log_fn)(enum skyipc_log_level level, const char *line,
			      void *arg);

/**
 * struct skyipc_server_attr - how a server is to be
 * @size:         sizeof(struct skyipc_server_attr).
 * @mode:         how workers wait.
 * @handler, @arg: serve every operation that @ops does not.
 * @ops, @nops:   table by operation number, copied.
 * @workers:      handlers that may run at the same time; default 1. A worker
 *                that waits in a nested call does not count: another thread
 *                takes its place meanwhile.
 * @max_threads:  limit on worker threads, those waiting in nested calls
 *                included; default @workers + 256. With the transport vmfunc
 *                as many more may lend their stacks to threads that call; a
 *                user's, at most as many as are left for the others.
 * @cpus, @cpus_size: where workers run: worker i on the i-th CPU of the set
 *                (again from the start when there are more workers).
 *                NULL: anywhere. Polling workers are always pinned; without a
 *                set they take the CPUs of the calling thread from the last
 *                down.
 * @stack_size:   of worker threads; default that of pthread_create.
 * @spin_ns:      adaptive: longest spin before parking; default 50 us.
 * @depth:        longest queue of outstanding calls a channel may ask for;
 *                default and largest 4096.
 * @buf_size:     largest long message, each way, that a connection may ask
 *                for; default 64 MiB, largest 4 GiB - 4 KiB.
 * @max_conns:    connections in all; default no limit.
 * @max_conns_per_uid: default 16384; for users other than root and the
 *                server's own at most a quarter of RLIMIT_NOFILE, which is half
 *                of the descriptors.
 * @max_mem_per_uid: bytes of shared memory; default 4 GiB.
 * @handshake_ns: a peer that takes longer is dropped; default 5 s.
 * @sock_mode:    access to the name: who may write the socket may connect;
 *                default 0600 for a path or a name in the user directory, 0666
 *                in the system directory. SKYIPC_SOCK_MODE(0) is mode 0.
 * @set_owner, @owner, @set_group, @group: chown the socket.
 * @accept:       asked for every new connection after quotas: 0 or the -errno
 *                that the client's connect returns. Runs on the server's
 *                control thread; keep it short.
 * @accept_arg:   its argument.
 *
 * Beside these quotas, and so that one user leaves something for the others, a
 * user may have half of the mappings that vm.max_map_count allows the server
 * (a channel is one, its buffers are another); and of descriptors that wait in
 * the server for a handler, and of those that it has been sent and has not
 * read, an eighth of the server's RLIMIT_NOFILE each, but always
 * SKYIPC_MAX_FDS. What goes beyond is answered with -EDQUOT and a text that
 * names the limit.
 *
 * @log, @log_arg: receives this server's messages; default none.
 */
struct skyipc_server_attr {
	size_t size;
	enum skyipc_mode mode;
	skyipc_handler handler;
	void *arg;
	const struct skyipc_op *ops;
	uint32_t nops;
	uint32_t workers;
	uint32_t max_threads;
	const cpu_set_t *cpus;
	size_t cpus_size;
	size_t stack_size;
	uint64_t spin_ns;
	uint32_t depth;
	uint64_t buf_size;
	uint32_t max_conns;
	uint32_t max_conns_per_uid;
	uint64_t max_mem_per_uid;
	uint64_t handshake_ns;
	uint32_t sock_mode;
	int set_owner;
	uid_t owner;
	int set_group;
	gid_t group;
	int (*accept)(const struct skyipc_peer *peer, void *arg);
	void *accept_arg;
	skyipc_log_fn log;
	void *log_arg;
};

#define SKYIPC_SOCK_MODE(m) ((uint32_t)(m) | 0x80000000u)
#ifdef __cplusplus
#define SKYIPC_INIT_(type)                                                     \
	([]() {                                                                \
		struct type init_ = {};                                        \
		init_.size = sizeof(init_);                                    \
		return init_;                                                  \
	}())
#else
#define SKYIPC_INIT_(type)                                                     \
	{                                                                      \
		.size = sizeof(struct type)                                    \
	}
#endif

#define SKYIPC_SERVER_ATTR_INIT SKYIPC_INIT_(skyipc_server_attr)

/**
 * skyipc_server_create - own a name
 * @name: a path (it has a '/'), or a plain name, looked up in the runtime
 *        directory: $SKYIPC_DIR, else /run/skyipc for root, else
 *        $XDG_RUNTIME_DIR/skyipc, else /tmp/skyipc-UID (mode 0700).
 * @attr: attributes; a handler or a table is required.
 * @out:  the server, the caller's to destroy.
 *
 * A plain name consists of letters, digits, dot, underscore and hyphen and does
 * not start with a dot; its socket in the directory is NAME.sock. Beside every
 * socket is a file of the same name with ".lock" added, whose lock tells a live
 * owner from a dead one. A name left behind by a killed server is taken over.
 * Clients can connect from now on; they are served once the server runs or is
 * dispatched.
 *
 * Return: 0; -EADDRINUSE: a live server owns the name; -EINVAL; -ENAMETOOLONG;
 * -EACCES, -ENOENT, ...: what the file system said; -ENOMEM; -EMFILE.
 */
int skyipc_server_create(const char *name,
			 const struct skyipc_server_attr *attr,
			 struct skyipc_server **out);

/**
 * skyipc_server_start - start the control thread and the workers
 *
 * Return: 0; -EALREADY; -EAGAIN: no thread could be made; -EINVAL: a CPU of
 * the set cannot be used; -EBUSY: the server is used through
 * skyipc_server_dispatch().
 */
int skyipc_server_start(struct skyipc_server *server);

/**
 * skyipc_server_run - wait for skyipc_server_shutdown() and until drained
 *
 * Starts the server first, unless that has been done.
 *
 * Return: 0 after a drained stop, otherwise as skyipc_server_start().
 */
int skyipc_server_run(struct skyipc_server *server);

/**
 * skyipc_server_shutdown - ask a running server to stop; returns at once
 *
 * Calls submitted before are still served. Async-signal-safe. May be called
 * from a handler.
 */
void skyipc_server_shutdown(struct skyipc_server *server);

/**
 * skyipc_server_stop - shut down and wait until drained and all threads ended
 * @t: SKYIPC_DEFAULT is for ever.
 *
 * The name is free again afterwards; clients see -EPIPE. Not from a handler
 * (-EDEADLK).
 *
 * Return: 0; -ETIMEDOUT: handlers are still running; stopping goes on.
 */
int skyipc_server_stop(struct skyipc_server *server, skyipc_time t);

/**
 * skyipc_server_destroy - stop if necessary (without limit), free everything
 *
 * Nobody may use the server during or after this. NULL is ignored.
 */
void skyipc_server_destroy(struct skyipc_server *server);

/**
 * skyipc_server_fd - a descriptor that polls readable when there is work
 *
 * For programs with an event loop and without worker threads: poll it, then
 * skyipc_server_dispatch(). The server's; do not read or close it.
 *
 * Return: the descriptor; -EBUSY: the server has been started; -EINVAL: a
 * polling server has threads of its own.
 */
int skyipc_server_fd(struct skyipc_server *server);

/**
 * skyipc_server_dispatch - serve what is there on the calling thread
 * @t: how long to wait for a first event; SKYIPC_NS(1) does not wait,
 *     SKYIPC_DEFAULT is for ever.
 *
 * One thread at a time. A handler must not call its own server.
 *
 * Return: number of calls served, 0 also if time ran out or something happened
 * that was no call; -ESHUTDOWN: the server
 * has been shut down and is drained; -EBUSY: started, or another thread is in
 * here or stops it.
 */
int skyipc_server_dispatch(struct skyipc_server *server, skyipc_time t);

/**
 * skyipc_server_path - the socket's path; valid as long as the server
 */
const char *skyipc_server_path(const struct skyipc_server *server);

/**
 * skyipc_call_pidfd - a pidfd of the calling process, inside a handler
 *
 * Return: a new descriptor, the handler's to close; -EOPNOTSUPP: the kernel
 * has no SO_PEERPIDFD (before 6.5); -ESRCH: the process is gone.
 */
int skyipc_call_pidfd(const struct skyipc_call *call);

/**
 * skyipc_call_fds - room for @n reply descriptors, inside a handler
 *
 * Sets call->reply_fds and call->reply_nfds. The array lives until the reply
 * has been sent.
 *
 * Return: the array; NULL: @n is above SKYIPC_MAX_FDS.
 */
int *skyipc_call_fds(struct skyipc_call *call, uint32_t n);

/* -------------------------------------------------------------- client -- */

/**
 * struct skyipc_connect_attr - how a connection is to be
 * @size:       sizeof(struct skyipc_connect_attr).
 * @transport:  name of the one to use; NULL: that of $SKYIPC_TRANSPORT if set,
 *              else the best both sides have.
 * @timeout_ns: for connecting; default 5 s. A name that does not exist yet is
 *              waited for only with @wait.
 * @wait:       non-zero: wait for the name to appear and to be served.
 * @call_ns:    what SKYIPC_DEFAULT means for calls; default no limit.
 * @depth:      calls a thread may have outstanding; default 64, rounded up to
 *              a power of two.
 * @buf_size:   largest long message each way; default 64 KiB. Buffers are made
 *              at a thread's first long call, one for each outstanding call.
 * @bufs:       long calls a thread may have outstanding, at most @depth;
 *              default 8.
 * @spin_ns:    longest spin before parking; default 50 us. 1 parks at once.
 */
struct skyipc_connect_attr {
	size_t size;
	const char *transport;
	uint64_t timeout_ns;
	int wait;
	uint64_t call_ns;
	uint32_t depth;
	uint64_t buf_size;
	uint32_t bufs;
	uint64_t spin_ns;
};

#define SKYIPC_CONNECT_ATTR_INIT SKYIPC_INIT_(skyipc_connect_attr)

/**
 * skyipc_connect - connect to a server
 * @name: as for skyipc_server_create(); a plain name is looked up in
 *        $SKYIPC_DIR if set, else in the user's directories, then in
 *        /run/skyipc.
 * @attr: attributes or NULL.
 * @out:  the connection, the caller's to close.
 *
 * Return: 0; -ENOENT: no such name; -ECONNREFUSED: nobody behind the name;
 * -EACCES: not permitted; -EDQUOT: one of the server's quotas is exhausted,
 * skyipc_errmsg() names it; -EPROTONOSUPPORT: no common version or transport;
 * -EPROTO: the peer does not speak this protocol; -EMSGSIZE: the server allows
 * only smaller buffers or shorter queues; -ETIMEDOUT; -EINVAL; -ENOMEM;
 * -EMFILE; or what the server's accept callback said.
 */
int skyipc_connect(const char *name, const struct skyipc_connect_attr *attr,
		   struct skyipc_conn **out);

/**
 * skyipc_close - close a connection
 *
 * Nobody may use it during or after this. Outstanding calls are abandoned.
 * NULL is ignored.
 */
void skyipc_close(struct skyipc_conn *conn);

/**
 * skyipc_call - call with a short message
 * @op:     operation number.
 * @in:     SKYIPC_WORDS request words; NULL: all zero.
 * @out:    SKYIPC_WORDS reply words; NULL: dropped.
 * @status: the handler's status; NULL: a status other than 0 becomes
 *          -EREMOTEIO.
 * @t:      limit in time.
 *
 * The calling thread gets a channel of its own on its first call.
 * Signals are handled meanwhile and do not end the wait. Not a cancellation
 * point.
 *
 * Return: 0: there is a reply; -EPIPE: the server was gone before, the call was
 * not made; -ECONNRESET: the server went meanwhile, the handler may have run;
 * -ETIMEDOUT: the handler may have run or may be running; it is not started
 * any more if it had not been; -ENOSYS: the server has no such operation;
 * -EAGAIN: as many calls outstanding as the channel has room for; -EBUSY:
 * called from a signal handler that interrupted a call on this connection;
 * -EDQUOT, -ENOMEM, -EMFILE: no channel for this thread; -ECHILD: the
 * connection belongs to the parent process. (When a server stops, one call may
 * see -ECONNRESET before the others see -EPIPE.)
 */
int skyipc_call(struct skyipc_conn *conn, uint32_t op, const uint64_t *in,
		uint64_t *out, int32_t *status, skyipc_time t);

/**
 * skyipc_call_msg - call with any message
 * @req: request.
 * @rep: reply; set @rep->fds and @rep->nfds before. May not be @req.
 *
 * Return: as skyipc_call(); also -EMSGSIZE: more than the connection's buffer
 * size, or a reply that was; -EINVAL: more than SKYIPC_MAX_FDS descriptors;
 * -EBADF: one of them is not open; -EDQUOT: too many descriptors of this user
 * are under way, or wait in the server.
 */
int skyipc_call_msg(struct skyipc_conn *conn, const struct skyipc_msg *req,
		    struct skyipc_msg *rep, skyipc_time t);

/**
 * skyipc_callv - skyipc_call_msg() with gathered request, scattered reply
 * @iov, @niov:   the request's long part; @req->data and @req->len are ignored.
 * @riov, @nriov: where the reply's long part is copied to.
 *
 * @rep->len is the reply's length; a reply longer than @riov has room for is
 * cut there and stays readable in place at @rep->data.
 */
int skyipc_callv(struct skyipc_conn *conn, const struct skyipc_msg *req,
		 const struct iovec *iov, int niov, struct skyipc_msg *rep,
		 const struct iovec *riov, int nriov, skyipc_time t);

/**
 * skyipc_buffer - where this thread's next long request can be built in place
 * @buf:  the buffer; valid until this thread next submits or calls on this
 *        connection. Memory shared with the server.
 * @size: its size, the connection's buffer size.
 *
 * Return: 0; -EAGAIN: as many long calls outstanding as there are buffers;
 * otherwise as skyipc_call() before the call is made.
 */
int skyipc_buffer(struct skyipc_conn *conn, void **buf, size_t *size);

/**
 * skyipc_submit - start a call and go on
 * @req: request; @req->tag comes back with the reply. Nothing of it is
 *       referred to after return.
 *
 * Calls of one thread on one connection are started by the server in the order
 * of submission and complete in that order; synchronous calls of the same
 * thread queue behind them.
 *
 * Return: 0; -EAGAIN: as many outstanding as the channel (or its buffers) can
 * hold, reap some first; otherwise as skyipc_call_msg() before the call is
 * made.
 */
int skyipc_submit(struct skyipc_conn *conn, const struct skyipc_msg *req);

/**
 * skyipc_poll - reap replies to this thread's submitted calls, without waiting
 * @msgs: filled in order of completion. Set fds and nfds of each before.
 * @n:    room in @msgs.
 *
 * Return: how many were filled, 0 if none is there; -ENOENT: nothing is
 * outstanding; -ECHILD. A peer's death completes all outstanding calls with
 * result -ECONNRESET.
 */
int skyipc_poll(struct skyipc_conn *conn, struct skyipc_msg *msgs, unsigned n);

/**
 * skyipc_wait - skyipc_poll(), but wait until at least @min are there
 *
 * Return: how many were filled (fewer than @min only if fewer are
 * outstanding or time ran out after some); -ETIMEDOUT: none in time; -ENOENT;
 * -ECHILD.
 */
int skyipc_wait(struct skyipc_conn *conn, struct skyipc_msg *msgs, unsigned n,
		unsigned min, skyipc_time t);

/** skyipc_conn_transport - name of the connection's transport, static */
const char *skyipc_conn_transport(const struct skyipc_conn *conn);

/** skyipc_conn_peer - the server's credentials */
int skyipc_conn_peer(const struct skyipc_conn *conn, struct skyipc_peer *peer);

/* ---------------------------------------------------------- statistics -- */

/** Log-linear histogram of nanoseconds: 8 buckets to each power of two. */
#define SKYIPC_HIST_BUCKETS 336

struct skyipc_hist {
	uint64_t count;
	uint64_t max_ns;
	uint64_t bucket[SKYIPC_HIST_BUCKETS];
};

/**
 * skyipc_hist_quantile - upper bound of the bucket that holds quantile @q
 * @q: 0.0 to 1.0.
 *
 * Return: nanoseconds, at most 12.5% above the true value; 0 if empty.
 */
uint64_t skyipc_hist_quantile(const struct skyipc_hist *hist, double q);

/**
 * struct skyipc_views - what calls by VMFUNC do
 * @calls:      calls that began on the client's own thread.
 * @interrupts, @faults, @syscalls, @exceptions: times that a handler was
 * stopped there, by an interrupt, a page that was not there, a system call, or
 * an error. What stops one more often than once counts each time.
 * @resumed:    times that one went on there.
 * @finished:   times that one was at its end already.
 * @moved_fault, @moved_syscall, @moved_exception: times that a call went on in
 * a thread of the server's, because of that.
 * @moved_late: ... after an interrupt, as its client's thread did not run for
 * 10 ms,
 * @moved_deadline: as its time was over,
 * @moved_gone: as the client, or the connection, had ended,
 * @moved_barred: as the client's thread may not do that any more: it is
 * debugged or recorded, or has rights that the server has not,
 * @moved_asked: or as the client did not go back to it.
 *
 * A client knows @calls only; the rest is told to the server.
 */
struct skyipc_views {
	uint64_t calls;
	uint64_t interrupts;
	uint64_t faults;
	uint64_t syscalls;
	uint64_t exceptions;
	uint64_t resumed;
	uint64_t finished;
	uint64_t moved_fault;
	uint64_t moved_syscall;
	uint64_t moved_exception;
	uint64_t moved_late;
	uint64_t moved_deadline;
	uint64_t moved_gone;
	uint64_t moved_barred;
	uint64_t moved_asked;
};

/**
 * struct skyipc_stats - counters of a server or of one connection
 * @size:      set by the caller to sizeof(struct skyipc_stats) before asking.
 * @conns:     server: connections now; connection: channels now.
 * @conns_total: ever.
 * @calls:     calls answered.
 * @errors:    calls that ended without the handler's reply.
 * @bytes_in, @bytes_out: long parts, as seen from the side that counts.
 * @fds_in, @fds_out: descriptors.
 * @spins:     waits that ended without sleeping. A server's waits are those of
 *             its workers, and not told for each connection.
 * @parks:     waits that slept in the kernel.
 * @wakes:     times the other side was woken.
 * @refused:   server: connections refused.
 * @mem:       bytes of shared memory now.
 * @latency:   server: time in the handler; client: whole call. One call in 64
 *             is timed.
 * @views:     of the transport vmfunc.
 */
struct skyipc_stats {
	size_t size;
	uint64_t conns;
	uint64_t conns_total;
	uint64_t calls;
	uint64_t errors;
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t fds_in;
	uint64_t fds_out;
	uint64_t spins;
	uint64_t parks;
	uint64_t wakes;
	uint64_t refused;
	uint64_t mem;
	struct skyipc_hist latency;
	struct skyipc_views views;
};

/** skyipc_server_stats - counters of a server, all connections ever */
int skyipc_server_stats(struct skyipc_server *server,
			struct skyipc_stats *stats);

/** skyipc_conn_stats - counters of a connection, all threads */
int skyipc_conn_stats(struct skyipc_conn *conn, struct skyipc_stats *stats);

/** What a server tells about itself to anybody who may connect to it. */
struct skyipc_server_info {
	size_t size;
	pid_t pid;
	uid_t uid;
	enum skyipc_mode mode;
	uint32_t workers;
	uint32_t threads;
	uint64_t uptime_ns;
	char name[SKYIPC_NAME_MAX +
		  1]; /* plain, or the last part of the path */
	char comm[16];
	struct skyipc_stats stats;
};

/** ... and about each of its connections. */
struct skyipc_conn_info {
	size_t size;
	uint64_t id; /* counts the server's connections */
	struct skyipc_peer peer;
	char transport[16];
	struct skyipc_stats stats;
};

/**
 * skyipc_query - ask a server, from outside, what it is doing
 * @name:   as for skyipc_connect().
 * @server: filled; set size before.
 * @conns:  NULL, or set to an array of @nconns that the caller frees with
 *          free(). Only connections of the asker's own user are told, unless
 *          the asker is the server's user or root.
 * @t:      limit; SKYIPC_DEFAULT is 5 s.
 *
 * Return: as skyipc_connect().
 */
int skyipc_query(const char *name, struct skyipc_server_info *server,
		 struct skyipc_conn_info **conns, size_t *nconns,
		 skyipc_time t);

/**
 * skyipc_list - names in the runtime directories that this user can see
 * @fn: called with each path; a non-zero return ends the listing.
 *
 * A name may be stale: skyipc_query() tells.
 *
 * Return: what @fn returned last, or 0.
 */
int skyipc_list(int (*fn)(const char *path, void *arg), void *arg);

/** What this machine can do, for one transport. */
struct skyipc_transport_info {
	size_t size;
	char name[16];
	int available;	  /* 1: usable here and now */
	char detail[256]; /* why not, and what to change */
};

/**
 * skyipc_transport - describe the @i-th transport, best first
 *
 * Return: 0; -ENOENT: there are no more.
 */
int skyipc_transport(unsigned i, struct skyipc_transport_info *info);

/* --------------------------------------------------------------- misc. -- */

/**
 * skyipc_errmsg - more about the calling thread's last failed call
 *
 * Return: one line, "" if there is nothing to add; valid until the thread's
 * next call into the library. Static storage of the thread.
 */
const char *skyipc_errmsg(void);

/** skyipc_set_log - receive what the library says outside any server */
void skyipc_set_log(skyipc_log_fn fn, void *arg);

/** skyipc_version - "MAJOR.MINOR.PATCH" of the library at run time */
const char *skyipc_version(void);

#ifdef __cplusplus
}
#endif

#endif /* SKYIPC_H */
