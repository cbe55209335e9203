/* SPDX-License-Identifier: MIT */
/*
 * nr_accounts: payments between different accounts go through different logs
 * and do not wait for each other; whoever adds up all of them sees none that is
 * half done.
 */
#include <errno.h>
#include <inttypes.h>
#include <nr_cnr.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ACCOUNTS 64
#define DEPOSIT 500

struct payment { /* an operation; from ACCOUNTS: a look at all of them */
	uint32_t from, to, amount; /* within one account: into it */
};

static const struct payment all = { ACCOUNTS, ACCOUNTS, 0 };

/* Those that have an account in common conflict. */
static uint64_t accounts_of(const void *op, size_t len, struct nr_classes *more)
{
	const struct payment *p = op;

	if (len != sizeof(*p) || p->from == ACCOUNTS)
		return NR_CLASS_ALL;
	nr_classes_add(more, p->to);
	return p->from;
}

static void pay(void *object, const void *op, size_t len, void *result)
{
	int64_t *money = object;
	const struct payment *p = op;

	if (p->from != p->to)
		money[p->from] -= p->amount;
	money[p->to] += p->amount;
	if (result && len) /* one of the replicas is asked */
		*(int64_t *)result = money[p->from];
}

static void add_up(const void *object, const void *op, size_t len, void *result)
{
	const int64_t *money = object;
	int64_t sum = 0;

	for (int i = 0; i < ACCOUNTS && op && len; i++)
		sum += money[i];
	*(int64_t *)result = sum;
}

static int copy(void *object, const void *from, void *arg)
{
	(void)arg;
	memcpy(object, from, ACCOUNTS * sizeof(int64_t));
	return 0;
}

static int look(uint32_t replica, const void *object, void *arg)
{
	int64_t sum;

	add_up(object, &all, sizeof(all), &sum);
	*(int *)arg += replica && sum == ACCOUNTS * DEPOSIT;
	return 0;
}

static void *work(void *cnr)
{
	struct nr_cnr_context *c; /* this thread's */
	int64_t left, sum, bad = 0;

	if (nr_cnr_register(cnr, NULL, &c))
		return cnr;
	for (uint32_t i = 0; i < 1000; i++) {
		struct payment p = { i % ACCOUNTS, (i * 7 + 1) % ACCOUNTS, i };

		bad |= nr_cnr_update(c, &p, sizeof(p), &left);
		bad |= nr_cnr_read(c, &all, sizeof(all), &sum) ||
		       sum != ACCOUNTS * DEPOSIT;
	}
	nr_cnr_sync(c);
	bad |= !nr_cnr_context_replica(c);
	nr_cnr_leave(c);
	return bad ? cnr : NULL;
}

/* What is of one log has not to be waited for. 0 or -errno. */
static int open_accounts(struct nr_cnr *cnr)
{
	struct nr_cnr_context *c;
	int err = nr_cnr_register(cnr, NULL, &c);
	uint32_t i = 0;

	if (err)
		return err;
	while (i < ACCOUNTS && (!err || err == -EAGAIN)) {
		struct payment p = { i, i, DEPOSIT };

		err = nr_cnr_submit(c, &p, sizeof(p), NULL, i);
		if (!err)
			i++;
		if (err == -EAGAIN) /* too many: until some are done */
			nr_cnr_wait(c, NULL, 16, 16);
		else if (!err)
			nr_cnr_poll(c, NULL, 16);
	}
	nr_cnr_leave(c); /* waits for those that are outstanding */
	return err;
}

int main(void)
{
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr_cnr_stats several = { .size = sizeof(several) };
	struct nr_cnr_ops ops = NR_CNR_OPS_INIT;
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	pthread_t threads[4];
	struct nr_cnr *cnr;
	void *bad, *any = NULL;
	int late, good = 0;

	ops.object_size = ACCOUNTS * sizeof(int64_t);
	ops.result_size = sizeof(int64_t);
	ops.update = pay;
	ops.read = add_up;
	ops.clone = copy;
	ops.update_class = ops.read_class = accounts_of;
	attr.logs = 8;
	if (nr_cnr_create(&ops, &attr, &cnr) || open_accounts(cnr))
		return 1;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, work, cnr);
	late = nr_cnr_replica_add(cnr, -1); /* while they work */
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &bad);
		any = bad ? bad : any;
	}
	nr_cnr_inspect(cnr, look, &good);
	nr_stats(nr_cnr_log(cnr, 0), &stats, NULL, 0);
	nr_cnr_stats(cnr, &several);
	printf("%" PRIu32 " logs, %s, every replica adds up: %s\n",
	       nr_cnr_logs(cnr), any ? "money was lost" : "no money was lost",
	       (uint64_t)good == stats.replicas ? "yes" : "no");
	printf("%" PRIu64 " payments were of two logs\n", several.updates);
	return (late > 0 && nr_cnr_replica_remove(cnr, (uint32_t)late)) ||
	       nr_cnr_destroy(cnr);
}
