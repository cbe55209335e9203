/* SPDX-License-Identifier: MIT */
#include "hostile_liar.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static struct liar *liar_of(struct teller *t)
{
	return (struct liar *)t;
}

static void tell(struct liar *l, union proto_msg *msg, size_t len,
		 const int *fds, unsigned n)
{
	raw_send(l->t.sock, msg, len, fds, n);
}

static int choose_bell(enum lie lie)
{
	uint64_t full = UINT64_C(0xfffffffffffffffe);
	int p[2], fd;

	switch (lie) {
	case BELL_PIPE:
		CHECK(!pipe2(p, O_CLOEXEC | O_NONBLOCK));
		close(p[0]);
		return p[1];
	case BELL_FILE:
		return open("/dev/null", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	case BELL_BLOCKS:
		fd = eventfd(0, EFD_CLOEXEC);
		CHECK(write(fd, &full, sizeof(full)) == sizeof(full));
		return fd;
	default:
		return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
}

static void welcome(struct teller *t, const struct proto_hello *hello)
{
	struct liar *l = liar_of(t);
	union proto_msg msg;
	size_t len = proto_init(&msg, l->lie == WRONG_TYPE ? PROTO_CHAN
							   : PROTO_WELCOME);
	int fds[SKYIPC_MAX_FDS];
	unsigned n = 1;

	l->bell = choose_bell(l->lie);
	for (int i = 0; i < SKYIPC_MAX_FDS; i++)
		fds[i] = l->bell;
	if (l->lie != WRONG_TYPE) {
		strcpy(msg.welcome.transport, "shm");
		msg.welcome.depth = hello->depth + (l->lie == OTHER_DEPTH);
		msg.welcome.bufs = hello->bufs << (l->lie == OTHER_BUFS);
		msg.welcome.buf_size = hello->buf_size
				       << (l->lie == OTHER_BUF_SIZE);
	}
	switch (l->lie) {
	case SILENCE:
		return;
	case HANG_UP:
		shutdown(l->t.sock, SHUT_RDWR);
		return;
	case GARBAGE:
		memset(&msg, 0xa5, sizeof(msg));
		break;
	case WRONG_VERSION:
		msg.head.version++;
		break;
	case POSITIVE_RESULT:
		msg.answer.result = 1;
		break;
	case HUGE_RESULT:
		msg.answer.result = INT32_MIN;
		break;
	case OTHER_TRANSPORT:
		strcpy(msg.welcome.transport, "psychic");
		break;
	case UNTERMINATED:
		memset(msg.welcome.transport, 'x', 16);
		memset(msg.answer.text, 'y', sizeof(msg.answer.text));
		break;
	case NO_BELL:
		n = 0;
		break;
	case TWO_BELLS:
		n = 2;
		break;
	case MANY_FDS:
		n = SKYIPC_MAX_FDS;
		break;
	case REFUSED_WITH_FD:
		msg.answer.result = -EACCES;
		break;
	default:
		break;
	}
	tell(l, &msg, len, fds, n);
}

static void chan(struct teller *t)
{
	struct liar *l = liar_of(t);
	size_t size = shm_chan_size(RAW_DEPTH);
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_CHAN);
	int fds[2], n = 1;

	if (l->lie == CHAN_SMALL)
		size -= 4096;
	if (l->lie == CHAN_LARGE)
		size += 4096;
	fds[0] = teller_mem(size, l->lie == CHAN_UNSEALED ? 0 : SEALED);
	if (l->lie == CHAN_NULL)
		fds[0] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	fds[1] = fds[0];
	l->map =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	switch (l->lie) {
	case CHAN_SILENCE:
		return;
	case CHAN_HANG_UP:
		shutdown(l->t.sock, SHUT_RDWR);
		return;
	case CHAN_NO_FD:
		n = 0;
		break;
	case CHAN_TWO_FDS:
		n = 2;
		break;
	case CHAN_TYPE:
		proto_init(&msg, PROTO_BUFS);
		break;
	case CHAN_TWICE:
		tell(l, &msg, len, fds, 1);
		break;
	case CHAN_FDS_FLOOD:
	case CHAN_EMPTY_FLOOD:
		n = l->lie == CHAN_FDS_FLOOD ? 2 : 0;
		len = proto_init(&msg, PROTO_FDS);
		msg.fds.count = (uint32_t)n;
		for (int i = 0; i < 20000; i++) {
			struct pollfd pfd = { l->t.sock, POLLOUT, 0 };

			msg.fds.pos = (uint64_t)i + 1000;
			if (poll(&pfd, 1, 1000) != 1 || pfd.revents & POLLHUP ||
			    raw_send(l->t.sock, &msg, len, fds, (unsigned)n))
				return;
		}
		return;
	default:
		break;
	}
	tell(l, &msg, len, fds, (unsigned)n);
	close(fds[0]);
}

static void send_some_fds(struct liar *l, uint64_t pos)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_FDS);
	int fds[2] = { 0, 1 };

	msg.fds.pos = pos;
	msg.fds.count = 2;
	tell(l, &msg, len, fds, 2);
}

static void reply(struct liar *l, uint64_t pos)
{
	static const struct {
		uint32_t flags, code;
		uint64_t ext;
	} as[LIES] = {
		[REPLY_LEN] = { CALL_LONG, 0, EXT(RAW_BUF_SIZE + 1, 0) },
		[REPLY_OFFSET] = { CALL_LONG | CALL_INREQ, 0,
				   EXT(1, RAW_BUF_SIZE) },
		[REPLY_OVERFLOW] = { CALL_LONG, 0,
				     EXT(UINT32_MAX, UINT32_MAX) },
		[REPLY_FLAGS] = { 0x40, 0, 0 },
		[REPLY_ERRNO] = { CALL_ERROR, (uint32_t)-5000, 0 },
		[REPLY_ERRNO_POSITIVE] = { CALL_ERROR, 5, 0 },
		[REPLY_NO_FDS] = { CALL_FDS, 0, 0 },
		[REPLY_ERROR_FDS] = { CALL_ERROR | CALL_FDS, (uint32_t)-EIO,
				      0 },
		[REPLY_FLAGS_FDS] = { 0x80 | CALL_FDS, 0, 0 },
		[REPLY_LONG_FDS] = { CALL_LONG | CALL_FDS, 0,
				     EXT(UINT32_MAX, 0) },
	};
	static const uint64_t w[SKYIPC_WORDS];
	struct shm_chan_head *head = (void *)l->map;
	struct shm_slot *slot =
		(struct shm_slot *)(l->map + shm_rep_offset(RAW_DEPTH)) +
		pos % RAW_DEPTH;
	uint32_t flags = as[l->lie].flags;

	if (l->lie == NO_REPLY)
		return;
	if (l->lie == DIE_IN_CALL)
		raise(SIGKILL);
	if (flags & CALL_FDS && l->lie != REPLY_NO_FDS)
		send_some_fds(l, pos);
	shm_put(slot, w, as[l->lie].ext);
	if (l->lie == REPLY_SEQUENCE) /* the second before the first */
		atomic_store(&(slot + 1)->head, shm_head(pos + 1, 0, 0));
	else
		atomic_store(&slot->head,
			     shm_head(pos, flags, as[l->lie].code));
	atomic_exchange(&head->client.park, SHM_AWAKE);
	syscall(SYS_futex, &head->client.park, FUTEX_WAKE, INT_MAX, NULL, NULL,
		0);
}

/* Serve one connection's memory: look, answer, and lie. */
static bool look(struct teller *t)
{
	struct liar *l = liar_of(t);
	struct shm_chan_head *head = (void *)l->map;
	struct shm_slot *req;
	uint64_t h, x = 88172645463325252u + l->pos;

	if (!l->map || l->map == MAP_FAILED)
		return false;
	req = (void *)(l->map + shm_req_offset());
	atomic_store(&head->accepted, l->pos + 1);
	if (shm_ready(&req[l->pos % RAW_DEPTH], l->pos, &h))
		reply(l, l->pos++);
	if (l->lie == PARK_GAMES)
		for (int i = 0; i < 10000; i++)
			atomic_store(&head->client.park, i & 1);
	if (l->lie != REPLY_SCRIBBLE)
		return true;
	for (size_t i = 0; i < 100; i++) {
		_Atomic uint64_t *w = (_Atomic uint64_t *)l->map;

		x = x * 6364136223846793005u + 1442695040888963407u;
		w[x % (shm_chan_size(RAW_DEPTH) / 8)] = x >> 7;
	}
	return true;
}

int liar(struct child *me, void *arg)
{
	static const struct teller_ops ops = { welcome, chan, look };
	struct liar *l = arg;

	teller_run(me, &l->t, &ops);
	return 0;
}
