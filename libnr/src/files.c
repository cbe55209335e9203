/* SPDX-License-Identifier: MIT */
/* files.c - the file system in memory: what it is made of */
#include "files.h"

#include <errno.h>
#include <sys/stat.h>

#include "util.h"

void files_key(struct files_key *k, uint64_t ino, enum files_kind kind,
	       const void *rest, size_t len)
{
	for (unsigned i = 0; i < 8; i++)
		k->bytes[i] = (unsigned char)(ino >> (56 - 8 * i));
	k->bytes[8] = (unsigned char)kind;
	if (len)
		memcpy(&k->bytes[9], rest, len);
	k->key = sorted_key(k->bytes, 9 + len);
}

void *files_inode(const struct files *f, uint64_t ino, struct inode *inode)
{
	const struct node *n;
	struct files_key k;

	files_key(&k, ino, FILES_INODE, NULL, 0);
	n = sorted_find(&f->map, &k.key, NR_EQUAL);
	if (!n)
		return NULL;
	memcpy(inode, node_value(n), sizeof(*inode));
	return node_bytes_at(n);
}

void files_drop(struct files *f, uint64_t ino, struct files_key *k)
{
	const struct node *n;
	struct files_key end;

	files_key(&end, ino, FILES_END, NULL, 0);
	while ((n = sorted_find(&f->map, &k->key, NR_AT_LEAST))) {
		if (memcmp(node_key(n), end.bytes, 9) >= 0)
			break;
		memcpy(k->bytes, node_key(n), n->klen);
		k->key = sorted_key(k->bytes, n->klen);
		sorted_remove(&f->map, &k->key);
	}
}

int files_init(struct files *f, uint64_t seed)
{
	const struct inode root = { NR_FILES_ROOT, 0, S_IFDIR | 0755, 2 };
	struct files_key k;
	int err;

	sorted_init(&f->map, seed);
	err = arena_first(&f->map.arena, files_wants());
	if (err)
		return err;
	files_key(&k, NR_FILES_ROOT, FILES_INODE, NULL, 0);
	f->next = NR_FILES_ROOT + 1;
	return sorted_put(&f->map, &k.key, &root, sizeof(root), NR_CREATE);
}

int files_clone(struct files *to, const struct files *from)
{
	to->next = from->next;
	return sorted_clone(&to->map, &from->map);
}

void files_fini(struct files *f)
{
	sorted_fini(&f->map);
}

int files_stat(const struct files *f, uint64_t ino, struct nr_file *file)
{
	struct inode inode;

	if (!files_inode(f, ino, &inode))
		return -ESTALE;
	*file = (struct nr_file){ ino, inode.size, inode.mode, inode.nlink };
	return 0;
}
