/* SPDX-License-Identifier: MIT */
/*
 * files_data.c - what is in files
 *
 * A block is a mark and bytes, not more of them than were needed, rounded up;
 * what is behind is zero. Blocks that a write has made are marked until it has
 * all that it needs: so that it can give them back.
 */
#include <errno.h>
#include <sys/stat.h>

#include "files.h"
#include "point.h"
#include "util.h"

/* 0; -ESTALE, -EISDIR. */
static int regular(const struct files *f, uint64_t ino, struct inode *inode,
		   void **where)
{
	*where = files_inode(f, ino, inode);
	if (!*where)
		return -ESTALE;
	return S_ISREG(inode->mode) ? 0 : -EISDIR;
}

static void block_key(struct files_key *k, uint64_t ino, uint64_t block)
{
	unsigned char number[8];

	for (unsigned i = 0; i < 8; i++)
		number[i] = (unsigned char)(block >> (56 - 8 * i));
	files_key(k, ino, FILES_BLOCKS, number, sizeof(number));
}

static uint64_t block_number(const struct node *n)
{
	uint64_t block = 0;

	for (unsigned i = 9; i < 17; i++)
		block = block << 8 | node_key(n)[i];
	return block;
}

/* The first one from @block on; NULL: the file has no more. */
static const struct node *block_from(const struct files *f, uint64_t ino,
				     uint64_t block)
{
	const struct node *n;
	struct files_key k;

	block_key(&k, ino, block);
	n = sorted_find(&f->map, &k.key, NR_AT_LEAST);
	return n && !memcmp(node_key(n), k.bytes, 9) ? n : NULL;
}

static const struct node *block_next(const struct files *f,
				     const struct node *n)
{
	const struct node *next = sorted_next(&f->map, n);

	return next && !memcmp(node_key(next), node_key(n), 9) ? next : NULL;
}

/* Bytes [from, to) of a block. */
struct piece {
	uint64_t block;
	uint32_t from, to;
};

/* The piece of [off, end) that begins at @off. */
static struct piece piece_at(uint64_t off, uint64_t end)
{
	struct piece p = { off / FILES_BLOCK, off % FILES_BLOCK, 0 };

	p.to = (uint32_t)min_u64(FILES_BLOCK, p.from + (end - off));
	return p;
}

/* ---- reading ------------------------------------------------------------ */

int files_read(const struct files *f, uint64_t ino, uint64_t off, void *buf,
	       size_t len)
{
	const struct node *n;
	struct inode inode;
	uint64_t end;
	void *where;
	int err = regular(f, ino, &inode, &where);

	if (err)
		return err;
	if (off >= inode.size || !len)
		return 0;
	end = off + min_u64(len, inode.size - off);
	memset(buf, 0, end - off);
	for (n = block_from(f, ino, off / FILES_BLOCK); n;
	     n = block_next(f, n)) {
		uint64_t at = block_number(n) * FILES_BLOCK;
		uint64_t from = max_u64(at, off);
		uint64_t to = min_u64(at + n->vlen - 1, end);

		if (at >= end)
			break;
		if (from < to)
			memcpy((char *)buf + (from - off),
			       node_value(n) + 1 + (from - at), to - from);
	}
	return (int)(end - off);
}

/* ---- writing ------------------------------------------------------------ */

size_t files_wants_write(size_t len)
{
	/* An allocation is rounded up by a fourth at most. */
	size_t one = sorted_node_max(9 + 8, 1 + FILES_BLOCK) + ARENA_UNIT;

	return (len / FILES_BLOCK + 2) * (one + one / 4);
}

/* Room for all of the piece. 0 or -ENOMEM. */
static int make_block(struct files *f, uint64_t ino, const struct piece *p)
{
	unsigned char bytes[1 + FILES_BLOCK];
	const struct node *n;
	struct files_key k;
	uint32_t len;
	int err;

	block_key(&k, ino, p->block);
	n = sorted_find(&f->map, &k.key, NR_EQUAL);
	if (n && n->vlen >= 1 + p->to)
		return 0;
	len = (uint32_t)min_u64(roundup_pow2(max_u64(p->to, FILES_BLOCK_MIN)),
				FILES_BLOCK);
	memset(bytes, 0, 1 + len);
	bytes[0] = !n; /* the mark */
	if (n)
		memcpy(bytes, node_value(n), n->vlen);
	err = sorted_put(&f->map, &k.key, bytes, 1 + len, 0);
	return err < 0 ? err : 0;
}

/* Those that are new in [off, end) have no names: nobody saw them. */
static void give_back(struct files *f, uint64_t ino, uint64_t off, uint64_t end)
{
	while (off < end) {
		struct piece p = piece_at(off, end);
		const struct node *n;
		struct files_key k;

		block_key(&k, ino, p.block);
		n = sorted_find(&f->map, &k.key, NR_EQUAL);
		if (n && node_value(n)[0])
			sorted_remove(&f->map, &k.key);
		off += p.to - p.from;
	}
}

static int make_blocks(struct files *f, uint64_t ino, uint64_t off,
		       uint64_t end)
{
	for (uint64_t at = off; at < end;) {
		struct piece p = piece_at(at, end);

		if (make_block(f, ino, &p)) {
			give_back(f, ino, off, at);
			return -ENOMEM;
		}
		at += p.to - p.from;
	}
	return 0;
}

int files_write(struct files *f, uint64_t ino, uint64_t off, const void *buf,
		size_t len)
{
	const struct node *n;
	struct inode inode;
	uint64_t end;
	void *where;
	int err = regular(f, ino, &inode, &where);

	if (err || !len)
		return err;
	if (off == NR_FILES_END)
		off = inode.size;
	if (off >= NR_FILE_MAX || len >= NR_FILE_MAX - off)
		return -EFBIG;
	end = off + len;
	if (make_blocks(f, ino, off, end))
		return -ENOMEM;
	n = block_from(f, ino, off / FILES_BLOCK);
	for (uint64_t at = off; at < end;) {
		struct piece p = piece_at(at, end);
		unsigned char *bytes = node_bytes_at(n);

		bytes[0] = 0;
		memcpy(&bytes[1 + p.from], (const char *)buf + (at - off),
		       p.to - p.from);
		at += p.to - p.from;
		n = at < end ? block_next(f, n) : NULL;
	}
	inode.size = max_u64(inode.size, end);
	memcpy(where, &inode, sizeof(inode));
	return (int)len;
}

int files_truncate(struct files *f, uint64_t ino, uint64_t size)
{
	struct piece last = piece_at(size, size);
	const struct node *n;
	struct inode inode;
	struct files_key k;
	void *where;
	int err = regular(f, ino, &inode, &where);

	if (err)
		return err;
	if (size >= NR_FILE_MAX)
		return -EFBIG;
	if (size < inode.size) {
		n = block_from(f, ino, last.block);
		/* What is behind the end is zero, should it become longer. */
		if (last.from && n && block_number(n) == last.block &&
		    n->vlen > 1 + last.from && !mutant(FILES_TAIL))
			memset((char *)node_bytes_at(n) + 1 + last.from, 0,
			       n->vlen - 1 - last.from);
		block_key(&k, ino, last.block + (last.from > 0));
		files_drop(f, ino, &k);
	}
	inode.size = size;
	memcpy(where, &inode, sizeof(inode));
	return 0;
}
