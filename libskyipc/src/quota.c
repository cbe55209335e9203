/* SPDX-License-Identifier: MIT */
#include "quota.h"

#include <search.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const struct quota_user *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

struct quota_user *quota_user(struct quota *q, uid_t uid)
{
	struct quota_user *user = calloc(1, sizeof(*user)), **found;

	if (!user)
		return NULL;
	user->uid = uid;
	found = tsearch(user, &q->tree, compare);
	if (!found || *found != user)
		free(user);
	if (!found)
		return NULL;
	(*found)->refs++;
	return *found;
}

void quota_put(struct quota *q, struct quota_user *user)
{
	if (--user->refs)
		return;
	tdelete(user, &q->tree, compare);
	free(user);
}
