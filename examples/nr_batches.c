/* SPDX-License-Identifier: MIT */
/*
 * nr_batches: updates that a thread does not wait for one by one; replicas that
 * are added and removed while others work; and what the library tells of it.
 */
#include <inttypes.h>
#include <nr.h>
#include <nr_stats.h>
#include <stdio.h>
#include <string.h>

/* The structure is one counter; an operation says what to add to it. */
static void update(void *object, const void *op, size_t len, void *result)
{
	uint64_t *counter = object, n;

	memcpy(&n, op, len);
	*counter += n;
	if (result)
		*(uint64_t *)result = *counter;
}

static void read_counter(const void *object, const void *op, size_t len,
			 void *result)
{
	(void)op;
	(void)len;
	memcpy(result, object, sizeof(uint64_t));
}

static int clone_counter(void *object, const void *from, void *arg)
{
	(void)arg;
	memcpy(object, from, sizeof(uint64_t));
	return 0;
}

/* Equal in all replicas, if nobody updates. */
static int print(uint32_t replica, const void *object, void *arg)
{
	(void)arg;
	printf("replica %" PRIu32 ": %" PRIu64 "\n", replica,
	       *(const uint64_t *)object);
	return 0;
}

static int count(struct nr *nr, struct nr_context *c)
{
	uint64_t one = 1, results[10], tags[10], saw;
	struct nr_replica_stats replica = { .size = sizeof(replica) };
	struct nr_stats stats = { .size = sizeof(stats) };
	int n = 0, more;

	for (uint64_t i = 0; i < 10; i++)
		if (nr_submit(c, &one, sizeof(one), &results[i], i))
			return -1;
	while ((more = nr_poll(c, tags, 4)) > 0)
		n += more;
	n += nr_submit(c, &one, sizeof(one), NULL, 10) ? 0
						       : nr_wait(c, tags, 1, 1);
	printf("%d updates, the tenth returned %" PRIu64 "\n", n, results[9]);

	/* on the last of the places that there are */
	more = (int)nr_topology_places(nr_topology_of(nr)) - 1;
	more = nr_replica_add(nr, more);
	if (more < 0)
		return -1;
	nr_sync(c);
	nr_read(c, NULL, 0, &saw);
	nr_inspect(nr, print, NULL);
	if (nr_stats(nr, &stats, &replica, 1) == 1)
		printf("%" PRIu64 " replicas, log at %" PRIu64
		       ", replica %" PRIu32 " combined %" PRIu64 " times\n",
		       stats.replicas, stats.log_tail, replica.replica,
		       replica.batches);
	nr_stats_print(stdout, &stats, &replica, 1, 0);
	return nr_replica_remove(nr, (uint32_t)more);
}

int main(void)
{
	struct nr_context_attr mine = NR_CONTEXT_ATTR_INIT;
	struct nr_attr attr = NR_ATTR_INIT;
	struct nr_ops ops = NR_OPS_INIT;
	struct nr_context *context;
	struct nr *nr;
	int err;

	ops.object_size = sizeof(uint64_t);
	ops.result_size = sizeof(uint64_t);
	ops.update = update;
	ops.read = read_counter;
	ops.clone = clone_counter;
	attr.replicas = 1;
	mine.depth = 16;
	err = nr_create(&ops, &attr, &nr);
	if (!err)
		err = nr_register(nr, &mine, &context);
	if (err) {
		fprintf(stderr, "nr_batches: %s\n", strerror(-err));
		return 1;
	}
	printf("libnr %s, I use replica %" PRIu32 "\n",
	       *nr_version() ? "there" : "?", nr_context_replica(context));
	err = count(nr, context);
	nr_leave(context);
	return nr_destroy(nr) || err;
}
