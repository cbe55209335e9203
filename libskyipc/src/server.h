/* SPDX-License-Identifier: MIT */
/*
 * server.h - a server and what it is made of
 *
 *   server_make.c  making and freeing it
 *   server.c   its life: start, run, shut down, stop, dispatch
 *   control.c  the control thread: accepts, shakes hands, hears of deaths
 *   sconn.c    a connection's server end, its channels and their memory
 *   worker.c   threads, and the seats they sit on
 *   seat.c     finding work, waiting for it
 *   seat_list.c  which channels to look at
 *   serve.c    one call: from the request slot to the reply slot
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

#include "fdq.h"
#include "name.h"
#include "proto.h"
#include "quota.h"
#include "shm_layout.h"
#include "skyipc.h"

struct seat;
struct sconn;
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
	struct skyipc_stats stats; /* written under the claim */
};

enum sconn_state {
	SCONN_NEW, /* has not said hello */
	SCONN_OPEN,
	SCONN_DEAD,
};

/* The server's end of a connection. */
struct sconn {
	struct skyipc_server *server;
	uint64_t id; /* index in the table, and generation above bit 32 */
	_Atomic int refs;
	enum sconn_state state;
	const struct transport *transport; /* once open */
	struct skyipc_peer peer;
	struct quota_user *user;
	uint64_t deadline; /* SCONN_NEW: for hello */

	uint32_t depth;
	uint32_t bufs;
	uint64_t buf_size;
	int bell;
	uint32_t strikes; /* rings for nothing since the last call */
	uint64_t served_at_bell;

	struct sconn *next_dying; /* dead, but still referenced */
	struct schan *chans;
	uint32_t nchans;
	uint64_t mem;

	pthread_mutex_t sock_lock; /* receiving, and closing */
	int sock;		   /* -1 once dead */
	struct fdq fdq;
};

/*
 * A seat is the right to run handlers, and a list of channels to look at. A
 * server has as many as attr.workers; a thread that sleeps in a nested call
 * leaves its seat to another one.
 */
struct seat {
	struct skyipc_server *server;
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
	int timer_fd;	 /* next handshake that will have taken too long */
	int spare_fd;	 /* given up for a moment to refuse when out of fds */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* state, seats */
	enum server_state state;
	_Atomic int draining;
	int dispatching; /* a thread is in skyipc_server_dispatch() */

	struct sconn **conns;
	uint32_t conns_size, nconns;
	uint32_t next_gen;
	uint32_t handshakes; /* connections in SCONN_NEW */
	struct quota quota;
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
/* Handle what there is, wait up to @ms for the first; 1: shutdown asked. */
int control_step(struct skyipc_server *server, int ms, int *bells);
void control_close_all(struct skyipc_server *server);

#define EVENT_LISTEN 1u
#define EVENT_SHUTDOWN 2u
#define EVENT_TIMER 3u
#define EVENT_BELLS 4u
#define EVENT_CONN (UINT64_C(1) << 32) /* ids are at least this */

/* Answer a client's message, under sock_lock; -errno: the client must go. */
int sconn_answer_locked(struct sconn *conn, const union proto_msg *msg);

/* sconn.c; lock order: a connection's sock_lock, then the server's lock */
int sconn_add(struct skyipc_server *server, int sock, struct sconn **out,
	      char *why, size_t size);
void sconn_kill(struct sconn *conn, const char *why);
struct sconn *sconn_get_locked(struct skyipc_server *server, uint64_t id);
void sconn_put(struct sconn *conn);
int sconn_open(struct sconn *conn, const struct proto_hello *hello, char *why,
	       size_t size);
int sconn_chan_add(struct sconn *conn, struct schan **chan, int *fd, char *why,
		   size_t size);
int sconn_bufs_add(struct sconn *conn, uint32_t number, int *fd, char *why,
		   size_t size);
/*
 * Receive one message, under sock_lock; descriptors of calls are queued.
 * Return: its type; 0 for descriptors; -errno.
 */
int sconn_hear_locked(struct sconn *conn, union proto_msg *msg);
int sconn_take_fds(struct sconn *conn, uint32_t chan, uint64_t pos, int **fds);

/* worker.c */
/* In a forked child: this thread is no worker. */
void worker_forget(void);
int seats_make(struct skyipc_server *server);
int seats_start(struct skyipc_server *server);
void seats_free(struct skyipc_server *server);
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
