// SPDX-License-Identifier: GPL-2.0-only
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "data.h"
#include "grant.h"
#include "user.h"

static void unpin(struct sky_data *d, unsigned long n)
{
	if (d->write)
		unpin_user_pages_dirty_lock(d->pages, n, true);
	else
		unpin_user_pages(d->pages, n);
}

static int pin(struct sky_data *d, u64 addr)
{
	/*
	 * A server may keep what it has mapped for long, and writes there by itself:
	 * not where files have to know (fs-dax; since 6.5 all but memory files), nor
	 * where pages have to be movable.
	 */
	unsigned int flags = (d->write ? FOLL_WRITE : 0) |
			     (d->granted ? FOLL_LONGTERM : 0);
	unsigned long done = 0;
	int n;

	while (done < d->n) {
		n = pin_user_pages_fast(addr + done * PAGE_SIZE,
					min(d->n - done, 1UL << 20), flags,
					d->pages + done);
		if (n <= 0) {
			unpin(d, done);
			return n ?: -EFAULT;
		}
		done += n;
	}
	return 0;
}

int sky_data_pin(struct sky_data *d, struct sky_user *user, u64 addr, u64 len,
		 bool write, bool granted)
{
	int error;

	d->len = 0;
	if (!len)
		return 0;
	if (len > MAX_RW_COUNT)
		return -EMSGSIZE;
	if (!access_ok(u64_to_user_ptr(addr), len))
		return -EFAULT;
	/* What is beside, in those pages, is nobody's business. */
	if (granted && !PAGE_ALIGNED(addr | len))
		return -EINVAL;
	d->write = write;
	d->granted = granted;
	d->grant = NULL;
	d->offset = offset_in_page(addr);
	d->n = PFN_UP(d->offset + len);
	error = sky_user_charge(user, SKY_PINNED, d->n);
	if (error)
		return error;
	error = -ENOMEM;
	/* A grant finds them wherever @d goes: sky_data_move() */
	d->pages = d->n <= ARRAY_SIZE(d->few) && !granted ? d->few :
		   kvmalloc_array(d->n, sizeof(*d->pages), GFP_KERNEL_ACCOUNT);
	if (!d->pages)
		goto uncharge;
	error = pin(d, addr & PAGE_MASK);
	if (error)
		goto free;
	d->len = len;
	return 0;
free:
	if (d->pages != d->few)
		kvfree(d->pages);
uncharge:
	sky_user_uncharge(user, SKY_PINNED, d->n);
	return error;
}

void sky_data_unpin(struct sky_data *d, struct sky_user *user)
{
	if (!d->len)
		return;
	d->len = 0;
	if (d->grant) {
		sky_grant_revoke(d->grant);
		sky_grant_put(d->grant);
		d->grant = NULL;
	}
	unpin(d, d->n);
	if (d->pages != d->few)
		kvfree(d->pages);
	sky_user_uncharge(user, SKY_PINNED, d->n);
}

void sky_data_move(struct sky_data *to, struct sky_data *from)
{
	*to = *from;
	if (from->pages == from->few)
		to->pages = to->few;
	from->len = 0;
	from->grant = NULL;
}

/* Where @pos is; *@len as far as that page goes */
static void *map(const struct sky_data *d, u64 pos, u64 *len)
{
	unsigned int at = offset_in_page(d->offset + pos);

	*len = min_t(u64, *len, PAGE_SIZE - at);
	return kmap_local_page(d->pages[(d->offset + pos) >> PAGE_SHIFT]) + at;
}

unsigned long sky_data_get(const struct sky_data *d, u64 pos,
			   void __user *to, u64 *len)
{
	void *from = map(d, pos, len);
	unsigned long left;

	pagefault_disable();
	left = __copy_to_user_inatomic(to, from, *len);
	pagefault_enable();
	kunmap_local(from);
	return left;
}

unsigned long sky_data_put(const struct sky_data *d, u64 pos,
			   const void __user *from, u64 *len)
{
	void *to = map(d, pos, len);
	unsigned long left;

	pagefault_disable();
	left = __copy_from_user_inatomic(to, from, *len);
	pagefault_enable();
	kunmap_local(to);
	return left;
}
