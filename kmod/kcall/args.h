/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Structures from user space, which begin with their size: an older program's
 * is filled up with zeros, of a newer one's the rest must be zero.
 */
#ifndef SKYIPC_ARGS_H
#define SKYIPC_ARGS_H

#include <linux/build_bug.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

/*
 * Some words: string instructions, which copy_from_user() is made of, take longer
 * to begin than that takes altogether. 0 or -EFAULT
 */
static __always_inline int sky_get_words(void *to, const void __user *from,
					 size_t size)
{
	const u64 __user *word = from;
	u64 *out = to;

	if (!user_access_begin(from, size))
		return -EFAULT;
#pragma GCC unroll 32
	for (size_t i = 0; i < size / 8; i++)
		unsafe_get_user(out[i], word + i, fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

static __always_inline int sky_put_words(void __user *to, const void *from,
					 size_t size)
{
	u64 __user *word = to;
	const u64 *in = from;

	if (!user_access_begin(to, size))
		return -EFAULT;
#pragma GCC unroll 32
	for (size_t i = 0; i < size / 8; i++)
		unsafe_put_user(in[i], word + i, fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

static __always_inline int sky_args_sized(void *to, size_t size,
					  const void __user *from,
					  size_t least)
{
	u32 told;

	BUILD_BUG_ON(size % 8);
	/* As it usually is: also the size is read but once then. */
	if (!sky_get_words(to, from, size) && *(u32 *)to == size)
		return 0;
	if (get_user(told, (const u32 __user *)from))
		return -EFAULT;
	if (told < least || told > PAGE_SIZE)
		return -EINVAL;
	return copy_struct_from_user(to, size, from, told);
}

/* @least: how large its first version was. 0 or -errno */
#define sky_args(to, from, least) ({ \
	typeof(to) __to = (to); \
	sky_args_sized(__to, sizeof(*__to), from, least); \
})

#endif
