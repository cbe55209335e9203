/* SPDX-License-Identifier: MIT */
/*
 * server.h - a server and what it is made of
 *
 *   server_make.c  making and freeing it
 *   server.c   its life: start, run, shut down, stop, dispatch
 *   accept.c   clients come, and say what they want in time
 *   control.c  the control thread: shakes hands, answers, hears of deaths
 *   sconn.c    a connection's server end: from accept to the last reference
 *   sconn_sock.c  what it hears and says, descriptors on their way
 *   sconn_mem.c  its channels and buffers, and who pays for them
 *   worker.c   threads, and the seats they sit on
 *   seat.c     finding work, waiting for it
 *   seat_list.c  which channels to look at
 *   serve.c    one call over shared memory: from the request slot to the reply
 *   kcall_server.c, kcall_serve.c  calls through the module
 *   vmfunc_lender.c  calls by VMFUNC: threads that lend their stacks
 *   serving.c  what all have in common: what a handler sees
 *   info.c     what is told to skyipc_query()
 *
 * One lock, skyipc_server.lock, covers the table of connections, quotas and
 * threads; none is taken on the path of a call that finds its worker awake.
 */
#ifndef SKY_SERVER_H
#define SKY_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/queue.h>

#include "fdq.h"
#include "memfd.h"
#include "name.h"
#include "permit.h"
#include "proto.h"
#include "quota.h"
#include "flags.h"
#include "shm_layout.h"
#include "skyipc.h"

struct kcall_worker;
struct seat;
struct sconn;
struct stuck;
struct transport;

/* The server's private half of a channel. */
struct schan {
	/* Read on every look. */
	struct shm_slot *req;
	struct shm_slot *rep;
	struct shm_chan_head *head;
	_Atomic uint64_t pos; /* next request; changed under the claim */
	uint32_t mask;
	_Atomic int dead;
	/*
	 * Who runs this channel's calls now: taken (acquire) before pos is
	 * used, given back (release) after. One call at a time and in order.
	 */
	_Atomic int claim;
	/*
	 * The seat whose list this is on, or NULL: then park is SHM_PARKED
	 * and the client rings. Changed by compare-and-exchange.
	 */
	_Atomic(struct seat *) owner;
	/* Of the seat, when a call was served; relaxed: a seat that has lost
	 * the channel may still look. */
	uint64_t last_round;

	struct sconn *conn;
	struct schan *next; /* the connection's, under the server's lock */
	struct schan *next_inbox;
	uint32_t number;
	/* Buffers; set once, release, before the client can know them. */
	_Atomic(char *) data;
	int being_made;		   /* under the connection's sock_lock */
	uint32_t places;	   /* vmfunc: of calls that have none */
	struct skyipc_stats stats; /* written under the claim */
};

enum sconn_state {
	SCONN_NEW, /* has not said hello */
	SCONN_OPEN,
	SCONN_LINGERING, /* dead, but has not read all descriptors sent to it */
	SCONN_DEAD,
};

/* Why a connection ends. */
enum sconn_end {
	END_GONE,   /* by the client's doing: it needs nothing any more */
	END_SERVER, /* by ours: the client may still read what it was told */
};

/* 2^20 channels of a connection are more than there are threads. */
#define SCONN_PIECES 20
#define SCONN_SENT 64

/* The server's end of a connection. */
struct sconn {
	struct skyipc_server *server;
	uint64_t id; /* index in the table, and generation above bit 32 */
	_Atomic int refs;
	_Atomic int
		state; /* enum sconn_state; changed under the server's lock */
	const struct transport *transport; /* once open */
	struct skyipc_peer peer;
	struct quota_user *user;
	uint64_t deadline; /* SCONN_NEW: for hello */
	TAILQ_ENTRY(sconn) handshake;
	int gone; /* END_GONE */

	uint32_t depth;
	uint32_t bufs;
	uint64_t buf_size;
	int bell;
	_Atomic uint32_t strikes; /* rings for nothing since the last call */
	_Atomic uint64_t served_at_bell;

	struct sconn *next_dying; /* dead, but still referenced */
	struct schan *chans;
	/* By number, in pieces of 1, 2, 4, ...: see sconn_chan(). */
	_Atomic(struct schan *_Atomic *) by_number[SCONN_PIECES];
	uint32_t nchans;
	uint64_t mem;
	uint32_t maps;
	int kcall;		  /* as the module has it, or -1 */
	_Atomic uint64_t drained; /* calls through it since the server drains */
	/* Of lenders that have ended: see vmfunc_stats() */
	uint64_t view_calls, view_calls_in_c;

	pthread_mutex_t sock_lock; /* receiving, and closing */
	int sock;		   /* -1 once dead */
	int rings_by_sock;	   /* the client has no eventfd, see proto.h */
	struct fdq fdq;
	/* Descriptors sent that may not have been read; on the user's list. */
	unsigned unread;
	unsigned reserved; /* of these, not sent yet */
	/* How many the last messages had, round and round */
	uint16_t sent[SCONN_SENT];
	unsigned sent_next;
	TAILQ_ENTRY(sconn) unread_entry;
};

/* Buffers on their way from "may it?" to "here they are". */
struct making {
	TAILQ_ENTRY(making) entry;
	struct sconn *conn; /* referenced */
	struct schan *ch;
	int fd;
	char *map;
	struct memfd_fill fill;
};

/*
 * A seat is the right to run handlers, and a list of channels to look at. A
 * server has as many as attr.workers; a thread that sleeps in a nested call
 * leaves its seat to another one.
 */
struct seat {
	_Alignas(128) struct skyipc_server *server;
	struct seat *next_free;
	int index;
	int cpu;  /* to be pinned to, -1: anywhere */
	int here; /* where its thread runs, as last told to the clients */
	struct schan **list;
	uint32_t n, room;
	uint64_t round;
	_Atomic(struct schan *) inbox; /* polling: new channels */
	_Atomic uint32_t load;	       /* polling: channels assigned */

	/* Waiting, as in shm_wait.c. */
	uint64_t gap_avg;
	uint64_t last_bells; /* ticks */
	uint32_t waits;
	uint32_t yield_skip;
	uint64_t spins, parks; /* waits that ended so: statistics */
	uint32_t caller_cpu;   /* of the last call, plus one */
	struct schan *current; /* being looked at by round_once(), or NULL */
	/* The connection that called last through the module, referenced */
	_Atomic(struct sconn *) kept;
	/* Its thread sleeps in a nested call and would leave the seat if it
	 * could: see worker.c. */
	struct stuck *stuck;
};

enum server_state {
	SERVER_NEW,
	SERVER_RUNNING,	 /* has threads */
	SERVER_DISPATCH, /* runs on its user's threads */
	SERVER_DRAINING,
	SERVER_STOPPED,
	SERVER_FORKED, /* a child's copy */
};

struct skyipc_server {
	struct skyipc_server_attr attr;
	struct skyipc_op *ops;
	cpu_set_t *cpus;
	struct name name;
	uint64_t started_ns;
	uint64_t spin_max;    /* ticks */
	uint64_t bells_every; /* ticks */

	int listen_fd;
	int ctl_ep;  /* listener, sockets, shutdown, timer; dispatch: bell_ep */
	int bell_ep; /* doorbells, drain_fd */
	int shutdown_fd; /* written by skyipc_server_shutdown() */
	int drain_fd;	 /* readable for good once draining */
	int more_fd;	 /* readable while dispatch has left work undone */
	int timer_fd;	 /* next handshake too long; accept again */
	int spare_fd;	 /* given up for a moment to refuse when out of fds */
	int making_fd;	 /* readable while buffers are being made */
	int kcall;	 /* the server as the module has it, or -1 */
	int deaf;	 /* the listener is not watched: no descriptors */

	pthread_mutex_t lock;
	pthread_cond_t changed;	  /* state, seats done, calls without a seat */
	pthread_cond_t seat_free; /* for idle threads */
	enum server_state state;
	_Atomic int draining;
	int dispatching; /* a thread dispatches, or stops what has no threads */

	struct sconn **conns;
	uint32_t *places; /* free ones in conns */
	uint32_t nplaces;
	uint32_t conns_size, nconns;
	uint32_t next_gen;
	TAILQ_HEAD(, sconn) handshakes; /* SCONN_NEW, by deadline */
	uint32_t nopen;
	TAILQ_HEAD(, making) making;
	struct quota quota;
	uint64_t maps_per_uid;
	struct sconn *dying;
	struct skyipc_stats retired; /* of connections that are gone */

	struct seat *seats;
	struct seat *free_seats;
	uint32_t nfree_seats;
	uint32_t in_calls;   /* handlers running on threads without a seat */
	uint32_t seats_done; /* drained */
	pthread_t *threads;
	uint32_t nthreads, threads_room;
	uint32_t idle_threads;
	pthread_t control;
	int has_control; /* not joined yet */
	LIST_HEAD(, kcall_worker) kcall_workers;
	struct kcall_worker *kcall_dispatcher; /* of who dispatches */

	/* Calls by VMFUNC: see vmfunc_server.h */
	int has_views;
	uint32_t nlenders;
	LIST_HEAD(, vmfunc_lender) lenders;
	LIST_HEAD(, vmfunc_lender) lenders_ended; /* to be joined */
	struct permits permits;

	struct skyipc_server *next; /* all of the process, for fork() */
};

/* server.c */
void server_say(struct skyipc_server *server, enum skyipc_log_level level,
		const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* server_make.c: readability of @fd is @event of the epoll @ep; -errno. */
int server_watch_fd(int ep, int fd, uint64_t event);

/* control.c */
void control_run(struct skyipc_server *server);
void control_drain(struct skyipc_server *server);
/*
 * If it drains: wake who sleeps. In epoll_wait() those are all workers, for
 * nobody reads drain_fd; in the module it is one, who then wakes the next.
 */
void control_drain_next(struct skyipc_server *server);
/* Handle what there is, wait up to @ms for the first; 1: shutdown asked. */
int control_step(struct skyipc_server *server, int ms, int *bells);
void control_close_all(struct skyipc_server *server);

/* accept.c, on the control thread */
void accept_clients(struct skyipc_server *server);
/* The time of a handshake is up, or it is time to listen again. */
void accept_timer(struct skyipc_server *server);
void accept_arm_timer(struct skyipc_server *server);
/* Count a client that did not get in. */
void accept_refused(struct skyipc_server *server);

#define EVENT_LISTEN 1u
#define EVENT_SHUTDOWN 2u
#define EVENT_TIMER 3u
#define EVENT_BELLS 4u
#define EVENT_MAKING 5u
#define EVENT_KCALL 6u
#define EVENT_CONN (UINT64_C(1) << 32) /* ids are at least this */

/* Answer a client's message, under sock_lock; -errno: the client must go. */
int sconn_answer_locked(struct sconn *conn, const union proto_msg *msg);
/* The buffers of channel @number are @fd, or @err: tell the client. */
int sconn_tell_bufs(struct sconn *conn, uint32_t number, int fd, int err,
		    const char *why);

/* sconn.c; lock order: a connection's sock_lock, then the server's lock */
/*
 * Accept one connection. Return: 1; 0: none waits; -errno, and *@sock is that
 * of a client to be told so with @why, or -1.
 */
int sconn_accept(struct skyipc_server *server, int *sock, char *why,
		 size_t size);
void sconn_kill(struct sconn *conn, enum sconn_end end, const char *why);
/* A lingering one: has the client read everything by now? */
void sconn_linger(struct sconn *conn);
struct sconn *sconn_get_locked(struct skyipc_server *server, uint64_t id);
void sconn_put(struct sconn *conn);
int sconn_open(struct sconn *conn, const struct proto_hello *hello, char *why,
	       size_t size);
/* An eventfd for its client to ring with: 0 or -errno */
int sconn_bell_open(struct sconn *conn);

/* sconn_sock.c */
/*
 * Receive one message, under sock_lock; descriptors of calls are queued.
 * Return: its type; 0 for descriptors; -errno.
 */
int sconn_hear_locked(struct sconn *conn, union proto_msg *msg);
int sconn_take_fds(struct sconn *conn, uint32_t chan, uint64_t pos, int **fds);
/*
 * Send a message, under sock_lock, without waiting. Descriptors must have been
 * reserved. Return: 0; -ENOBUFS: the client does not read; -EPIPE; ...
 */
int sconn_send_locked(struct sconn *conn, const union proto_msg *msg,
		      size_t len, const int *fds, unsigned n);
/*
 * May @n more descriptors be on their way to the client's user? 0, and they are
 * counted until it has read them; -EDQUOT.
 */
int sconn_reserve_fds(struct sconn *conn, unsigned n, char *why, size_t len);
void sconn_unreserve_fds(struct sconn *conn, unsigned n);
/* May descriptors be on their way to the client still? Under sock_lock. */
int sconn_has_unread(struct sconn *conn);

/* sconn_mem.c, under sock_lock */
/* Charge @size bytes and @maps mappings to the client's user; -EDQUOT. */
int sconn_charge(struct sconn *conn, uint64_t size, uint32_t maps, char *why,
		 size_t len);
void sconn_uncharge(struct sconn *conn, uint64_t size, uint32_t maps);
/* One whose calls go through the module: a number, and counters. */
int sconn_chan_number(struct sconn *conn, struct schan **chan, char *why,
		      size_t size);
int sconn_chan_add(struct sconn *conn, struct schan **chan, int *fd, char *why,
		   size_t size);
/*
 * Make buffers, a piece at a time: control_step() goes on with it, and
 * sconn_tell_bufs() is called, perhaps at once, when they are there or cannot
 * be. Return: 0; -errno with @why: they may not be.
 */
int sconn_bufs_begin(struct sconn *conn, uint32_t number, char *why,
		     size_t size);
void sconn_bufs_step(struct skyipc_server *server);
void sconn_bufs_drop_all(struct skyipc_server *server);
void sconn_mem_free(struct sconn *conn);
/* The channel of that number, or NULL; by any thread */
struct schan *sconn_chan(struct sconn *conn, uint32_t number);
/*
 * How many calls through the module a server that stops serves at most; under
 * the server's lock.
 */
uint64_t sconn_drain_max(const struct sconn *conn);

/* worker.c */
/* In a forked child: this thread is no worker. */
void worker_forget(void);
int seats_make(struct skyipc_server *server);
int seats_start(struct skyipc_server *server);
void seats_free(struct skyipc_server *server);
/* Have all of them been drained? */
int seats_are_done(struct skyipc_server *server);
void seats_join(struct skyipc_server *server);
void seat_assign(struct skyipc_server *server, struct schan *ch);
unsigned seat_dispatch(struct seat *seat);
void seat_drain(struct seat *seat);
/* Is the calling thread a worker of @server? */
int seat_is_mine(struct skyipc_server *server);
/* This thread's seat; NULL if it has none (any more). */
extern __thread struct seat *my_seat;
extern __thread struct skyipc_server *my_server;

/* Is there a request at the channel's position, and with what head? */
static inline int schan_ready(struct schan *ch, uint64_t *pos, uint64_t *head)
{
	/* Relaxed: a stale position only makes us look at the wrong slot; it
	 * is compared again under the claim. */
	*pos = atomic_load_explicit(&ch->pos, memory_order_relaxed);
	return shm_ready(&ch->req[*pos & ch->mask], *pos, head);
}

/* serve.c: serve what schan_ready() has seen, and what follows it. */
unsigned serve_ready(struct schan *ch, uint64_t pos, uint64_t head);

/* Serve what is in the channel. Return: how many calls. */
static inline unsigned serve(struct schan *ch)
{
	uint64_t pos, head;

	return likely(!schan_ready(ch, &pos, &head))
		       ? 0
		       : serve_ready(ch, pos, head);
}

/* info.c */
int info_make(struct skyipc_server *server, const struct skyipc_peer *asker,
	      uint64_t *size);
void info_stats_locked(struct skyipc_server *server,
		       struct skyipc_stats *stats);

#endif
